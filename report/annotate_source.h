/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Source files of this machine for what a recording or debug information names. The names come from
 * strangers: only regular files are read, up to a bound, and nothing is ever written.
 */
#ifndef PYREC_REPORT_ANNOTATE_SOURCE_H
#define PYREC_REPORT_ANNOTATE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "common/vec.h"

enum { SOURCE_BYTES_MAX = 16 << 20 };

/* Where to look. */
struct source_places {
	const char *folder;   /* of --source-dir; NULL: none */
	bool use_local_files; /* look at a file's own path too */
	const char *symfs;    /* where own paths begin; NULL: "/" */
};

struct source_text {
	char *path; /* as it was opened */
	struct strbuf bytes;
	struct u32_vec starts; /* of lines; ends with the number of all bytes */
	uint64_t modified_ns;  /* since 1970 */
};

void source_text_destroy(struct source_text *text);
/** Take the text of @bytes apart as Python does: lines end with LF, CR LF or CR. */
must_check int source_text_split(struct source_text *text);
/** Lines, from 1, that it has. */
uint32_t source_text_lines_nr(const struct source_text *text);
/** Line @line without its end; NULL when there is none. */
const char *source_text_line(const struct source_text *text, int64_t line, size_t *nr);
/** Append line @line as it can be printed: escaped, tabs as blanks. */
void source_text_append(const struct source_text *text, int64_t line, struct strbuf *ret);

/**
 * The first file for @name, a path, that @accepts takes: below the folder, first with all of the
 * path, then with ever less of its beginning; then its own path.
 * Return: 0; -ENOENT; -ESTALE: only files that were not accepted, the first of these is in @ret;
 * -ENOMEM. In the first and third case to be destroyed.
 */
must_check int source_find(const struct source_places *places, const char *name,
			   bool (*accepts)(const void *context, const struct source_text *text),
			   const void *context, struct source_text **ret);

#endif
