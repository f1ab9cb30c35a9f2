/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Files built byte by byte, as perf.data-file-format.txt of Linux 6.1 has them, in one temporary
 * file of the test program; what the reader makes of them.
 */
#ifndef PYREC_TESTS_PERF_FILE_FIXTURE_H
#define PYREC_TESTS_PERF_FILE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "format/compressor.h"
#include "format/reader.h"

/* Where the file is; made and removed by the group's setup and teardown. */
static char path[] = "/tmp/test_reader.XXXXXX";

static inline int path_make(void **state)
{
	const int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static inline int path_remove(void **state)
{
	(void)state;
	return unlink(path);
}

/* ---- Building files ---- */

enum { ATTR_BYTES = 128, DATA_OFFSET = 104 + 2 * (ATTR_BYTES + 16) + 3 * 8 };

static inline void attr_append(struct strbuf *out, uint64_t config)
{
	const size_t start = out->nr;

	strbuf_append_u32(out, 1); /* software */
	strbuf_append_u32(out, ATTR_BYTES);
	strbuf_append_u64(out, config);
	strbuf_append_u64(out, 4000);
	strbuf_append_u64(out, PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID | PERF_SAMPLE_TIME);
	strbuf_append_u64(out, 0);
	strbuf_append_u64(out, 1 << 18); /* sample_id_all */
	strbuf_append_zeros(out, start + ATTR_BYTES - out->nr);
}

static inline void section_append(struct strbuf *out, uint64_t offset, uint64_t bytes)
{
	strbuf_append_u64(out, offset);
	strbuf_append_u64(out, bytes);
}

/* Two events: cpu-clock with the ids 11 and 12, page-faults with the id 20. */
static inline void front_append(struct strbuf *out, uint64_t data_bytes, uint64_t features)
{
	const uint64_t ids_offset = 104 + 2 * (ATTR_BYTES + 16);

	strbuf_append(out, "PERFILE2", 8);
	strbuf_append_u64(out, 104);
	strbuf_append_u64(out, ATTR_BYTES + 16);
	section_append(out, 104, 2 * (ATTR_BYTES + 16));
	section_append(out, DATA_OFFSET, data_bytes);
	section_append(out, 0, 0);
	strbuf_append_u64(out, features);
	strbuf_append_zeros(out, 24);
	attr_append(out, 0);
	section_append(out, ids_offset, 16);
	attr_append(out, 2);
	section_append(out, ids_offset + 16, 8);
	strbuf_append_u64(out, 11);
	strbuf_append_u64(out, 12);
	strbuf_append_u64(out, 20);
}

static inline void sample_append(struct strbuf *out, uint64_t id, uint32_t tid)
{
	strbuf_append_u32(out, PERF_RECORD_SAMPLE);
	strbuf_append_u32(out, 32u << 16);
	strbuf_append_u64(out, id);
	strbuf_append_u32(out, 1);
	strbuf_append_u32(out, tid);
	strbuf_append_u64(out, 1000 + tid);
}

static inline void packed_append(struct strbuf *out, uint32_t type, const char *bytes, size_t nr)
{
	const size_t head = type == PERF_RECORD_COMPRESSED2_TYPE ? 16 : 8;

	strbuf_append_u32(out, type);
	strbuf_append_u32(out, (uint32_t)(head + nr) << 16);
	if (head == 16)
		strbuf_append_u64(out, nr);
	strbuf_append(out, bytes, nr);
}

static inline void samples_compress(struct strbuf *packed, uint32_t nr)
{
	auto_strbuf struct strbuf records = {0};
	struct compressor *compressor;

	for (uint32_t i = 0; i < nr; i++)
		sample_append(&records, 11, i);
	assert_int_equal(compressor_create(3, &compressor), 0);
	assert_int_equal(compressor_run(compressor, records.bytes, records.nr, packed), 0);
	compressor_destroy(compressor);
}

static inline void file_write(const struct strbuf *bytes)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(bytes->error, 0);
	assert_int_equal(fwrite(bytes->bytes, 1, bytes->nr, file), bytes->nr);
	assert_int_equal(fclose(file), 0);
}

/* A file of @data, without features. */
static inline void data_write(const struct strbuf *data)
{
	auto_strbuf struct strbuf file = {0};

	front_append(&file, data->nr, 0);
	strbuf_append(&file, data->bytes, data->nr);
	file_write(&file);
}

/* ---- Reading them ---- */

static inline struct perf_reader *reader_open(void)
{
	struct perf_reader *reader = NULL;
	struct read_error error = {0};

	if (perf_reader_open(path, &reader, &error))
		fail_msg("%s", error.what);
	return reader;
}

/* Tids of the samples, in order, and how it ended. */
static inline int tids_read(uint32_t *tids, size_t room, size_t *nr, struct read_error *error)
{
	struct perf_reader *reader = reader_open();
	struct raw_record raw;
	int ret;

	*nr = 0;
	while ((ret = perf_reader_next(reader, &raw, error)) > 0) {
		struct record record;

		assert_int_equal((uintptr_t)raw.header % 8, 0);
		assert_int_equal(
		    record_decode(raw.header, raw.header->size, &raw.event->layout, &record), 0);
		if (record.type == PERF_RECORD_SAMPLE && *nr < room)
			tids[(*nr)++] = record.sample.tid;
	}
	perf_reader_close(reader);
	return ret;
}

static inline void check_tids(size_t expected_nr, int expected_ret)
{
	uint32_t tids[1000];
	struct read_error error;
	size_t nr;

	assert_int_equal(tids_read(tids, array_size(tids), &nr, &error), expected_ret);
	assert_int_equal(nr, expected_nr);
	for (size_t i = 0; i < nr; i++)
		assert_int_equal(tids[i], i);
}

#endif
