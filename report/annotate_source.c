/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/annotate_source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/debug_file.h"
#include "common/escape.h"

enum { TAB_COLUMNS = 8 };

/* ---- Text ---- */

void source_text_destroy(struct source_text *text)
{
	if (!text)
		return;
	free(text->path);
	strbuf_deinit(&text->bytes);
	u32_vec_deinit(&text->starts);
	free(text);
}

int source_text_split(struct source_text *text)
{
	const char *bytes = strbuf_text(&text->bytes);
	const uint32_t nr = (uint32_t)text->bytes.nr;
	int ret = nr ? u32_vec_append(&text->starts, 0) : 0;

	for (uint32_t at = 0; at < nr && ret == 0; at++) {
		bool is_end = bytes[at] == '\n' || (bytes[at] == '\r' && bytes[at + 1] != '\n');

		if (is_end && at + 1 < nr)
			ret = u32_vec_append(&text->starts, at + 1);
	}
	return ret ? ret : u32_vec_append(&text->starts, nr);
}

uint32_t source_text_lines_nr(const struct source_text *text)
{
	return (uint32_t)text->starts.nr - 1;
}

const char *source_text_line(const struct source_text *text, int64_t line, size_t *nr)
{
	static const char mark[] = "\xef\xbb\xbf"; /* that the file is UTF-8 */
	const char *begin;
	const char *end;

	if (line < 1 || line > source_text_lines_nr(text))
		return NULL;
	begin = strbuf_text(&text->bytes) + text->starts.items[line - 1];
	end = strbuf_text(&text->bytes) + text->starts.items[line];
	while (end > begin && (end[-1] == '\n' || end[-1] == '\r'))
		end--;
	if (line == 1 && end - begin >= 3 && memcmp(begin, mark, 3) == 0)
		begin += 3;
	*nr = (size_t)(end - begin);
	return begin;
}

void source_text_append(const struct source_text *text, int64_t line, struct strbuf *ret)
{
	size_t column = 0;
	size_t nr;
	const char *at = source_text_line(text, line, &nr);
	const char *tab;

	for (; at; at = tab ? tab + 1 : NULL) {
		const size_t before_nr = ret->nr;
		size_t part_nr;

		tab = memchr(at, '\t', nr);
		part_nr = tab ? (size_t)(tab - at) : nr;
		escape_append(ret, at, part_nr);
		if (ret->error)
			return;
		column += escape_columns(strbuf_text(ret) + before_nr);
		nr -= part_nr + !!tab;
		for (bool more = tab; more; more = ++column % TAB_COLUMNS)
			strbuf_append_char(ret, ' ');
	}
}

/* ---- Files ---- */

static int source_read_fd(int fd, struct source_text *text)
{
	struct stat status;

	if (fstat(fd, &status))
		return -errno;
	if (status.st_size > SOURCE_BYTES_MAX)
		return -EFBIG;
	text->modified_ns = (uint64_t)status.st_mtim.tv_sec * 1000000000 +
			    (uint64_t)status.st_mtim.tv_nsec;
	while (text->bytes.nr < (size_t)status.st_size) {
		char part[16384];
		size_t left = (size_t)status.st_size - text->bytes.nr;
		ssize_t nr = read(fd, part, left < sizeof(part) ? left : sizeof(part));

		if (nr < 0 && errno == EINTR)
			continue;
		if (nr < 0)
			return -errno;
		if (nr == 0)
			break;
		strbuf_append(&text->bytes, part, (size_t)nr);
		if (text->bytes.error)
			return text->bytes.error;
	}
	return source_text_split(text);
}

/* Return: 0, -ENOMEM, or what else keeps it from being read. */
static int source_open(const char *root, const char *path, struct source_text **ret)
{
	struct source_text *text = calloc(1, sizeof(*text));
	auto_close_fd int fd = -1;
	int error = -ENOMEM;

	if (text && asprintf(&text->path, "%s%s", root ? root : "", path) < 0)
		text->path = NULL;
	if (text && text->path)
		error = regular_file_open(root, path, &fd);
	if (!error)
		error = source_read_fd(fd, text);
	if (error) {
		source_text_destroy(text);
		return error;
	}
	*ret = text;
	return 0;
}

struct source_search {
	bool (*accepts)(const void *context, const struct source_text *text);
	const void *context;
	struct source_text *found;
	struct source_text *refused; /* the first one */
};

/* Return: 0: it is found; -ENOENT: look on; -ENOMEM. */
static int source_try(struct source_search *search, const char *root, const char *path)
{
	struct source_text *text;
	int error = source_open(root, path, &text);

	if (error)
		return error == -ENOMEM ? error : -ENOENT;
	if (search->accepts(search->context, text)) {
		search->found = text;
		return 0;
	}
	if (search->refused)
		source_text_destroy(text);
	else
		search->refused = text;
	return -ENOENT;
}

/* A name such as "/../../x" would lead out of the folder. */
static bool climbs(const char *name)
{
	for (const char *at = name; (at = strstr(at, "..")); at += 2)
		if ((at == name || at[-1] == '/') && (at[2] == '/' || at[2] == '\0'))
			return true;
	return false;
}

static int source_try_folder(struct source_search *search, const char *folder, const char *name)
{
	auto_free char *root = NULL;
	int ret = -ENOENT;

	if (climbs(name))
		return ret;
	if (asprintf(&root, "%s/", folder) < 0) {
		root = NULL;
		return -ENOMEM;
	}
	name += strspn(name, "/");
	while (*name && ret == -ENOENT) {
		ret = source_try(search, root, name);
		name += strcspn(name, "/");
		name += strspn(name, "/");
	}
	return ret;
}

int source_find(const struct source_places *places, const char *name,
		bool (*accepts)(const void *context, const struct source_text *text),
		const void *context, struct source_text **ret)
{
	struct source_search search = {.accepts = accepts, .context = context};
	int error = -ENOENT;

	if (places->folder)
		error = source_try_folder(&search, places->folder, name);
	if (error == -ENOENT && places->use_local_files && name[0] == '/' &&
	    !(places->symfs && climbs(name)))
		error = source_try(&search, places->symfs, name);
	if (error == 0) {
		*ret = search.found;
	} else if (error == -ENOENT && search.refused) {
		*ret = no_free_ptr(search.refused);
		error = -ESTALE;
	}
	source_text_destroy(search.refused);
	return error;
}
