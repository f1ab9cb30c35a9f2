/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A recording in a temporary file: written as the recorder does, read back with format/reader.h. */
#ifndef PYREC_TESTS_RECORDING_FIXTURE_H
#define PYREC_TESTS_RECORDING_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/vec.h"
#include "format/payload.h"
#include "format/reader.h"
#include "record/output.h"
#include "tests/golden/recording_facts.h"

/* One record, decoded; everything in it points into bytes. */
struct read_back {
	struct record record;
	struct payload payload; /* kind 0: not an envelope */
	uint64_t *bytes;
	size_t nr;
};

VEC_DEFINE(read_back_vec, struct read_back)

struct recording {
	char path[32];
	struct perf_writer *writer;
	struct output output;
	struct read_back_vec records; /* after recording_read() */
};

static inline void recording_begin(struct recording *recording)
{
	const struct perf_writer_options options = {
	    .path = recording->path, .compress = true, .zstd_level = 1};
	const char *const argv[] = {"pyrec", "record", NULL};
	const struct perf_file_facts facts = recording_facts(argv);
	int fd;

	*recording = (struct recording){.path = "/tmp/pyrec-test-XXXXXX"};
	fd = mkstemp(recording->path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(perf_writer_create(&options, &facts, &recording->writer), 0);
	output_init(&recording->output, recording->writer, 0);
}

static inline void recording_keep(struct recording *recording, const struct raw_record *raw)
{
	struct read_back item = {.nr = raw->header->size};

	item.bytes = malloc(item.nr);
	assert_non_null(item.bytes);
	memcpy(item.bytes, raw->header, item.nr);
	assert_int_equal(record_decode(item.bytes, item.nr, &raw->event->layout, &item.record), 0);
	if (item.record.type == PAYLOAD_RECORD_TYPE)
		assert_int_equal(
		    payload_decode((const char *)item.bytes + 8, item.nr - 8, &item.payload), 0);
	assert_int_equal(read_back_vec_append(&recording->records, item), 0);
}

/** Read the file as it stands into recording->records. */
static inline void recording_read_file(struct recording *recording)
{
	struct read_error error;
	struct perf_reader *reader;
	struct raw_record raw;
	int got;

	assert_int_equal(perf_reader_open(recording->path, &reader, &error), 0);
	while ((got = perf_reader_next(reader, &raw, &error)) == 1)
		recording_keep(recording, &raw);
	assert_int_equal(got, 0);
	perf_reader_close(reader);
}

/** Finish it, then read it. Return: number of records. */
static inline size_t recording_read(struct recording *recording)
{
	assert_int_equal(recording->output.error, 0);
	assert_int_equal(perf_writer_finish(recording->writer, NULL), 0);
	recording_read_file(recording);
	return recording->records.nr;
}

static inline void recording_end(struct recording *recording)
{
	for (size_t i = 0; i < recording->records.nr; i++)
		free(recording->records.items[i].bytes);
	read_back_vec_deinit(&recording->records);
	output_deinit(&recording->output);
	perf_writer_destroy(recording->writer);
	unlink(recording->path);
}

#endif
