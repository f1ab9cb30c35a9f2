/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/code_reader.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/utf8.h"
#include "record/remote_memory.h"

/* Longer than any text or table that CPython's own compiler makes of sane source. */
enum { TEXT_BYTES_MAX = 1 << 20, LINES_BYTES_MAX = 64 << 20 };

void code_texts_reset(struct code_texts *texts)
{
	strbuf_reset(&texts->name);
	strbuf_reset(&texts->qualname);
	strbuf_reset(&texts->file);
	strbuf_reset(&texts->lines);
}

void code_texts_deinit(struct code_texts *texts)
{
	strbuf_deinit(&texts->name);
	strbuf_deinit(&texts->qualname);
	strbuf_deinit(&texts->file);
	strbuf_deinit(&texts->lines);
}

/* What is UTF-8 stays, any other byte becomes \xNN. */
static void bytes_append_utf8(struct strbuf *out, const uint8_t *bytes, size_t nr)
{
	for (size_t at = 0; at < nr;) {
		uint32_t character;
		size_t length = utf8_decode(bytes + at, nr - at, &character);

		if (length) {
			strbuf_append(out, bytes + at, length);
			at += length;
		} else {
			strbuf_append_format(out, "\\x%02x", bytes[at++]);
		}
	}
}

void text_append_utf8(struct strbuf *out, const uint8_t *bytes, size_t nr, uint32_t unit)
{
	if (unit == PYREC_TEXT_IS_BYTES)
		bytes_append_utf8(out, bytes, nr);
	if (unit != 1 && unit != 2 && unit != 4)
		return;
	for (size_t at = 0; at + unit <= nr; at += unit) {
		uint32_t c = 0;

		memcpy(&c, bytes + at, unit);
		utf8_append(out, c);
	}
}

static uint64_t word_at(const uint8_t *bytes, uint16_t offset)
{
	uint64_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

static uint32_t half_at(const uint8_t *bytes, uint16_t offset)
{
	uint32_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

/* Place of a string's data. */
struct text_place {
	uint64_t address;
	uint64_t length; /* in code points; 2.7: in bytes */
	uint64_t bytes;
	uint32_t unit; /* as in struct pyrec_text */
	bool is_compact;
};

static int text_find(uint32_t tgid, uint64_t unicode, const struct pyrec_layout *layout,
		     struct text_place *ret)
{
	uint8_t head[PYREC_UNICODE_HEAD_BYTES];
	int error = remote_read(tgid, unicode, head, pyrec_unicode_head_bytes(layout));
	uint64_t length;
	uint32_t state;

	if (error)
		return error;
	length = word_at(head, layout->unicode_length);
	if (layout->has_byte_names) {
		*ret = (struct text_place){unicode + layout->unicode_ascii, length, length,
					   PYREC_TEXT_IS_BYTES, true};
		return length > TEXT_BYTES_MAX ? -EFAULT : 0;
	}
	state = pyrec_unicode_state(layout, half_at(head, layout->unicode_state));
	ret->unit = state & 7;
	if (ret->unit != 1 && ret->unit != 2 && ret->unit != 4)
		return -EFAULT;
	if (length > TEXT_BYTES_MAX / ret->unit)
		return -EFAULT;
	ret->length = length;
	ret->bytes = length * ret->unit;
	ret->is_compact = state & 1 << 3;
	if (ret->is_compact) {
		ret->address = unicode +
			       (state & 1 << 4 ? layout->unicode_ascii : layout->unicode_compact);
		return 0;
	}
	return remote_read(tgid, unicode + layout->unicode_compact, &ret->address,
			   sizeof(ret->address));
}

static int remote_append(uint32_t tgid, uint64_t address, uint64_t nr, struct strbuf *ret)
{
	int error = strbuf_reserve(ret, nr);

	if (!error)
		error = remote_read(tgid, address, ret->bytes + ret->nr, nr);
	if (!error) {
		ret->nr += nr;
		ret->bytes[ret->nr] = '\0';
	}
	return error;
}

static int text_read(uint32_t tgid, uint64_t unicode, const struct pyrec_layout *layout,
		     struct strbuf *ret)
{
	auto_strbuf struct strbuf raw = {0};
	struct text_place place;
	int error = text_find(tgid, unicode, layout, &place);

	if (!error)
		error = remote_append(tgid, place.address, place.bytes, &raw);
	if (error)
		return error;
	strbuf_reset(ret);
	text_append_utf8(ret, (const uint8_t *)raw.bytes, raw.nr, place.unit);
	return ret->error;
}

static int lines_read(uint32_t tgid, uint64_t object, const struct pyrec_layout *layout,
		      struct strbuf *ret)
{
	uint64_t nr;
	int error = remote_read(tgid, object + layout->bytes_size, &nr, sizeof(nr));

	if (error)
		return error;
	if (nr > LINES_BYTES_MAX)
		return -EFAULT;
	strbuf_reset(ret);
	return remote_append(tgid, object + layout->bytes_data, nr, ret);
}

/* As walk_fingerprint() of bpf/py_walk.h. */
static int facts_read(uint32_t tgid, uint64_t address, const struct pyrec_layout *layout,
		      struct pyrec_code_facts *ret)
{
	struct pyrec_code_facts facts = {.address = address};
	uint8_t head[PYREC_CODE_HEAD_BYTES] = {0};
	struct text_place place;
	/* The line table's is the last field that is read. */
	int error = remote_read(tgid, address, head, layout->code_lines + 8U);

	if (error)
		return error;
	facts.name = word_at(head, layout->code_name);
	facts.qualname = layout->code_qualname ? word_at(head, layout->code_qualname) : 0;
	facts.file = word_at(head, layout->code_file);
	facts.lines = word_at(head, layout->code_lines);
	facts.first_line = half_at(head, layout->code_first_line);
	facts.version = layout->code_version ? half_at(head, layout->code_version) : 0;
	if (!facts.version) {
		error = text_find(tgid, facts.qualname ? facts.qualname : facts.name, layout,
				  &place);
		if (!error && place.is_compact && place.bytes)
			error = remote_read(tgid, place.address, facts.text,
					    place.bytes < sizeof(facts.text) ? place.bytes
									     : sizeof(facts.text));
		if (error)
			return error;
		facts.text[0] ^= place.length << 32;
	}
	*ret = facts;
	return 0;
}

static int parts_read(uint32_t tgid, const struct pyrec_code_facts *facts,
		      const struct pyrec_layout *layout, uint32_t wanted, struct code_texts *ret)
{
	int error = 0;

	ret->first_line = (int32_t)facts->first_line;
	if (wanted & PYREC_CODE_NAME_CUT)
		error = text_read(tgid, facts->name, layout, &ret->name);
	if (!error && wanted & PYREC_CODE_QUALNAME_CUT && facts->qualname)
		error = text_read(tgid, facts->qualname, layout, &ret->qualname);
	if (!error && wanted & PYREC_CODE_FILE_CUT)
		error = text_read(tgid, facts->file, layout, &ret->file);
	if (!error && wanted & PYREC_CODE_LINES_CUT)
		error = lines_read(tgid, facts->lines, layout, &ret->lines);
	return error;
}

int code_read(uint32_t tgid, uint64_t address, uint32_t fingerprint,
	      const struct pyrec_layout *layout, uint32_t wanted, struct code_texts *ret)
{
	struct pyrec_code_facts facts;
	int error = facts_read(tgid, address, layout, &facts);

	if (error)
		return error;
	if (pyrec_code_fingerprint(&facts) != fingerprint)
		return -ESTALE;
	error = parts_read(tgid, &facts, layout, wanted, ret);
	if (!error)
		error = facts_read(tgid, address, layout, &facts);
	if (error)
		return error;
	return pyrec_code_fingerprint(&facts) == fingerprint ? 0 : -ESTALE;
}
