/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The file that a writer writes, as bytes at offsets, and how it changes from one whole
 * state to the next. The feature table of the last whole state stays where it is until the next
 * state is complete on disk: bytes that belong at its place are held back. So a process that is
 * killed leaves the last whole state behind, and a full disk costs only what came after it.
 *
 * Not here: what the bytes mean (writer.c).
 */
#ifndef PYREC_FORMAT_PERF_OUTPUT_H
#define PYREC_FORMAT_PERF_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "format/perf_file.h"

enum { PERF_OUTPUT_TABLE_BYTES_MAX = 16 * PERF_FILE_SECTION_BYTES };

struct perf_output {
	int fd;
	bool is_pipe;
	bool is_switching;     /* between two whole states */
	uint64_t table_offset; /* of the last whole state */
	size_t table_nr;
	uint8_t table[PERF_OUTPUT_TABLE_BYTES_MAX];
	uint8_t held[PERF_OUTPUT_TABLE_BYTES_MAX]; /* what will stand in its place */
	uint8_t header[PERF_FILE_HEADER_BYTES];
};

/** "-": stdout, a pipe. A regular file is emptied and gets mode 0600. Return: 0 or -errno. */
must_check int perf_output_open(struct perf_output *output, const char *path);
/** Does not touch the file; an output that was not opened is fine (fd -1). */
void perf_output_close(struct perf_output *output);

/** First whole state: @front from the header on, ending with a table of @table_nr bytes. A pipe
 *  only gets the bytes. Return: 0 or -errno. */
must_check int perf_output_begin(struct perf_output *output, const struct strbuf *front,
				 size_t table_nr);
/** Bytes behind the last whole state's data; @offset is ignored for a pipe. Return: 0, -errno. */
must_check int perf_output_put(struct perf_output *output, const void *bytes, size_t nr,
			       uint64_t offset);
/** Change bytes in front of the data. Return: 0 or -errno. */
must_check int perf_output_patch(struct perf_output *output, const void *bytes, size_t nr,
				 uint64_t offset);
/**
 * All has been put, @table at @table_offset included: make it the whole state. A reader
 * that looks between the writes sees the last state without features. Return: 0 or -errno.
 */
must_check int perf_output_switch(struct perf_output *output, const struct strbuf *header,
				  const struct strbuf *table, uint64_t table_offset);
/** After an error: back to the last whole state as far as the file system allows. */
void perf_output_revert(struct perf_output *output);

#endif
