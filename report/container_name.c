/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/container_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { ID_DIGITS_MIN = 32, ID_DIGITS_SHOWN = 12 };

/* A part of a path: one directory's name, or a piece of it. */
struct part {
	const char *text;
	size_t nr;
};

static bool part_is(struct part part, const char *text)
{
	return part.nr == strlen(text) && memcmp(part.text, text, part.nr) == 0;
}

static bool part_strip_start(struct part *part, const char *start)
{
	const size_t nr = strlen(start);

	if (part->nr <= nr || memcmp(part->text, start, nr) != 0)
		return false;
	part->text += nr;
	part->nr -= nr;
	return true;
}

static bool part_strip_end(struct part *part, const char *end)
{
	const size_t nr = strlen(end);

	if (part->nr <= nr || memcmp(part->text + part->nr - nr, end, nr) != 0)
		return false;
	part->nr -= nr;
	return true;
}

/* The component before @rest's end, which it is cut from. Return: false at the root. */
static bool part_take_last(struct part *rest, struct part *ret)
{
	while (rest->nr && rest->text[rest->nr - 1] == '/')
		rest->nr--;
	*ret = (struct part){.text = rest->text + rest->nr};
	while (rest->nr && rest->text[rest->nr - 1] != '/') {
		rest->nr--;
		ret->text--;
		ret->nr++;
	}
	return ret->nr > 0;
}

static size_t hex_digits_at_end(struct part part)
{
	size_t nr = 0;

	while (nr < part.nr && isxdigit((unsigned char)part.text[part.nr - 1 - nr]))
		nr++;
	return nr;
}

/*
 * "ID", "docker-ID.scope", "cri-containerd-ID.scope": what a runtime calls the cgroup of a
 * container. Its monitor, "crio-conmon-ID.scope", runs outside.
 */
static bool find_id(struct part part, struct part *ret)
{
	static const char monitor[] = "conmon-";
	const bool is_scope = part_strip_end(&part, ".scope");
	const size_t digits_nr = hex_digits_at_end(part);
	const size_t before_nr = part.nr - digits_nr;

	if (digits_nr < ID_DIGITS_MIN || (before_nr && !is_scope) ||
	    (before_nr && part.text[before_nr - 1] != '-'))
		return false;
	if (before_nr >= sizeof(monitor) - 1 &&
	    memcmp(part.text + before_nr - (sizeof(monitor) - 1), monitor, sizeof(monitor) - 1) ==
		0)
		return false;
	*ret = (struct part){.text = part.text + before_nr, .nr = ID_DIGITS_SHOWN};
	return true;
}

/* A container or machine that has a name of its own; @rest is what stands above. */
static bool find_given_name(struct part part, struct part rest, struct part *ret)
{
	struct part parent;

	*ret = part;
	if (part_strip_start(ret, "lxc.payload."))
		return true;
	if (part_strip_start(ret, "machine-") && part_strip_end(ret, ".scope"))
		return true;
	*ret = part;
	if (part_strip_start(ret, "systemd-nspawn@") && part_strip_end(ret, ".service"))
		return true;
	*ret = part;
	return part_take_last(&rest, &parent) &&
	       (part_is(parent, "lxc") || part_is(parent, "lxc.payload"));
}

static bool is_unit(struct part part)
{
	return part_strip_end(&part, ".service") || part_strip_end(&part, ".scope");
}

/* The innermost container, else the innermost unit of systemd, else the last component. */
static struct part find_name(struct part path)
{
	struct part rest = path;
	struct part part, name;
	struct part unit = {0};
	struct part last = {0};

	while (part_take_last(&rest, &part)) {
		if (find_id(part, &name) || find_given_name(part, rest, &name))
			return name;
		if (!last.nr)
			last = part;
		if (!unit.nr && is_unit(part))
			unit = part;
	}
	return unit.nr ? unit : last;
}

static int hex_digit(char digit)
{
	return isdigit((unsigned char)digit) ? digit - '0' : (digit | 0x20) - 'a' + 10;
}

void container_name_append(struct strbuf *out, const char *path, size_t nr)
{
	struct part name = find_name((struct part){.text = path, .nr = nr});

	if (!name.nr) {
		strbuf_append_char(out, '/');
		return;
	}
	/* systemd writes what its names cannot hold as \x2d. */
	for (size_t i = 0; i < name.nr; i++) {
		const char *at = name.text + i;

		if (name.nr - i >= 4 && at[0] == '\\' && at[1] == 'x' &&
		    isxdigit((unsigned char)at[2]) && isxdigit((unsigned char)at[3])) {
			strbuf_append_char(out, (char)(hex_digit(at[2]) << 4 | hex_digit(at[3])));
			i += 3;
		} else {
			strbuf_append_char(out, *at);
		}
	}
}
