/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Files built here byte by byte, as perf.data-file-format.txt of Linux 6.1 has them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "format/compressor.h"
#include "format/reader.h"

static char path[] = "/tmp/test_reader.XXXXXX";

/* ---- Building files ---- */

enum { ATTR_BYTES = 128, DATA_OFFSET = 104 + 2 * (ATTR_BYTES + 16) + 3 * 8 };

static void attr_append(struct strbuf *out, uint64_t config)
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

static void section_append(struct strbuf *out, uint64_t offset, uint64_t bytes)
{
	strbuf_append_u64(out, offset);
	strbuf_append_u64(out, bytes);
}

/* Two events: cpu-clock with the ids 11 and 12, page-faults with the id 20. */
static void front_append(struct strbuf *out, uint64_t data_bytes, uint64_t features)
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

static void sample_append(struct strbuf *out, uint64_t id, uint32_t tid)
{
	strbuf_append_u32(out, PERF_RECORD_SAMPLE);
	strbuf_append_u32(out, 32u << 16);
	strbuf_append_u64(out, id);
	strbuf_append_u32(out, 1);
	strbuf_append_u32(out, tid);
	strbuf_append_u64(out, 1000 + tid);
}

/* Seven bytes longer than its text: an odd size. */
static void odd_append(struct strbuf *out)
{
	strbuf_append_u32(out, 1234);
	strbuf_append_u32(out, 13u << 16);
	strbuf_append(out, "abcde", 5);
}

static void packed_append(struct strbuf *out, uint32_t type, const char *bytes, size_t nr)
{
	const size_t head = type == PERF_RECORD_COMPRESSED2_TYPE ? 16 : 8;

	strbuf_append_u32(out, type);
	strbuf_append_u32(out, (uint32_t)(head + nr) << 16);
	if (head == 16)
		strbuf_append_u64(out, nr);
	strbuf_append(out, bytes, nr);
}

static void file_write(const struct strbuf *bytes)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(bytes->error, 0);
	assert_int_equal(fwrite(bytes->bytes, 1, bytes->nr, file), bytes->nr);
	assert_int_equal(fclose(file), 0);
}

/* A file of @data, without features. */
static void data_write(const struct strbuf *data)
{
	auto_strbuf struct strbuf file = {0};

	front_append(&file, data->nr, 0);
	strbuf_append(&file, data->bytes, data->nr);
	file_write(&file);
}

/* ---- Reading them ---- */

static struct perf_reader *reader_open(void)
{
	struct perf_reader *reader = NULL;
	struct read_error error = {0};

	if (perf_reader_open(path, &reader, &error))
		fail_msg("%s", error.what);
	return reader;
}

/* Tids of the samples, in order, and how it ended. */
static int tids_read(uint32_t *tids, size_t room, size_t *nr, struct read_error *error)
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

static void check_tids(size_t expected_nr, int expected_ret)
{
	uint32_t tids[1000];
	struct read_error error;
	size_t nr;

	assert_int_equal(tids_read(tids, array_size(tids), &nr, &error), expected_ret);
	assert_int_equal(nr, expected_nr);
	for (size_t i = 0; i < nr; i++)
		assert_int_equal(tids[i], i);
}

static void check_error(int code, uint64_t offset, const char *what)
{
	struct perf_reader *reader = NULL;
	struct read_error error = {0};

	assert_int_equal(perf_reader_open(path, &reader, &error), code);
	assert_int_equal(error.code, code);
	assert_true(error.offset == offset);
	assert_string_equal(error.what, what);
	assert_null(reader);
}

/* ---- Events ---- */

static void test_events(void **state)
{
	auto_strbuf struct strbuf data = {0};
	struct perf_reader *reader;
	const struct perf_reader_event *events;
	struct raw_record raw;
	struct read_error error;
	static const uint64_t ids[] = {20, 12, 99, 11};
	static const unsigned int owners[] = {1, 0, 0, 0}; /* an unknown id is the first's */
	uint32_t nr;

	(void)state;
	for (uint32_t i = 0; i < array_size(ids); i++)
		sample_append(&data, ids[i], i);
	data_write(&data);
	reader = reader_open();
	events = perf_reader_events(reader, &nr);
	assert_int_equal(nr, 2);
	assert_string_equal(events[0].name, "cpu-clock");
	assert_string_equal(events[1].name, "page-faults");
	assert_int_equal(events[0].ids_nr, 2);
	assert_true(events[1].ids[0] == 20);
	for (size_t i = 0; i < array_size(ids); i++) {
		assert_int_equal(perf_reader_next(reader, &raw, &error), 1);
		assert_ptr_equal(raw.event, &events[owners[i]]);
		assert_true(raw.file_offset == DATA_OFFSET + 32 * i);
	}
	assert_int_equal(perf_reader_next(reader, &raw, &error), 0);
	assert_int_equal(perf_reader_next(reader, &raw, &error), 0);
	assert_false(perf_reader_facts(reader)->is_pyrec);
	perf_reader_close(reader);
}

static void test_trailer_id(void **state)
{
	auto_strbuf struct strbuf data = {0};
	const struct perf_reader_event *events;
	struct perf_reader *reader;
	struct raw_record raw;
	struct read_error error;
	uint32_t nr;

	(void)state;
	strbuf_append_u32(&data, PERF_RECORD_LOST);
	strbuf_append_u32(&data, 48u << 16);
	strbuf_append_zeros(&data, 32);
	strbuf_append_u64(&data, 20);
	data_write(&data);
	reader = reader_open();
	events = perf_reader_events(reader, &nr);
	assert_int_equal(perf_reader_next(reader, &raw, &error), 1);
	assert_ptr_equal(raw.event, &events[1]);
	perf_reader_close(reader);
}

/* ---- Records ---- */

static void test_odd_sizes(void **state)
{
	auto_strbuf struct strbuf data = {0};

	(void)state;
	for (uint32_t i = 0; i < 20; i++) {
		odd_append(&data);
		sample_append(&data, 11, i);
	}
	data_write(&data);
	check_tids(20, 0);
}

/* More than the reader's window, so that records are cut by its end at every possible place. */
static void test_long_file(void **state)
{
	auto_strbuf struct strbuf data = {0};
	struct perf_reader *reader;
	struct raw_record raw;
	struct read_error error;
	uint32_t nr = 0;

	(void)state;
	while (data.nr < 3 << 20) {
		const uint32_t size = 32 + 8 * (nr % 7000);

		strbuf_append_u32(&data, 1000 + nr);
		strbuf_append_u32(&data, size << 16);
		strbuf_append_zeros(&data, size - 8);
		nr++;
	}
	data_write(&data);
	reader = reader_open();
	for (uint32_t i = 0; i < nr; i++) {
		assert_int_equal(perf_reader_next(reader, &raw, &error), 1);
		assert_int_equal(raw.header->type, 1000 + i);
		assert_int_equal(raw.header->size, 32 + 8 * (i % 7000));
	}
	assert_int_equal(perf_reader_next(reader, &raw, &error), 0);
	perf_reader_close(reader);
}

/* Damage costs what comes after it, not what came before. */
static void test_record_smaller_than_its_header(void **state)
{
	auto_strbuf struct strbuf data = {0};
	uint32_t tids[4];
	struct read_error error;
	size_t nr;

	(void)state;
	sample_append(&data, 11, 0);
	sample_append(&data, 11, 1);
	data.bytes[32 + 6] = 7;
	data_write(&data);
	assert_int_equal(tids_read(tids, 4, &nr, &error), -EBADMSG);
	assert_int_equal(nr, 1);
	assert_true(error.offset == DATA_OFFSET + 32);
	assert_string_equal(error.what, "damaged: a record of 7 bytes, less than its own header");
}

static void test_data_ends_within_a_record(void **state)
{
	auto_strbuf struct strbuf data = {0};
	uint32_t tids[4];
	struct read_error error;
	size_t nr;

	(void)state;
	for (size_t cut = 1; cut < 32; cut++) {
		strbuf_reset(&data);
		sample_append(&data, 11, 0);
		sample_append(&data, 11, 1);
		data.nr -= cut;
		data_write(&data);
		assert_int_equal(tids_read(tids, 4, &nr, &error), -ENODATA);
		assert_int_equal(nr, 1);
		assert_true(error.offset == DATA_OFFSET + 32);
	}
}

static void test_copy_cut_short(void **state)
{
	auto_strbuf struct strbuf file = {0};
	uint32_t tids[4];
	struct read_error error;
	size_t nr;

	(void)state;
	front_append(&file, 3 * 32, 0);
	sample_append(&file, 11, 0);
	sample_append(&file, 11, 1);
	file_write(&file);
	assert_int_equal(tids_read(tids, 4, &nr, &error), -ENODATA);
	assert_int_equal(nr, 2);
	assert_true(error.offset == file.nr);
	assert_string_equal(error.what,
			    "truncated: the file ends 32 bytes before the end of its data");
}

static void test_perf_record_killed(void **state)
{
	auto_strbuf struct strbuf file = {0};

	(void)state;
	front_append(&file, 0, 0);
	sample_append(&file, 11, 0);
	sample_append(&file, 11, 1);
	file_write(&file);
	check_tids(2, 0);
}

static void test_auxtrace_bytes_are_skipped(void **state)
{
	auto_strbuf struct strbuf data = {0};

	(void)state;
	sample_append(&data, 11, 0);
	strbuf_append_u32(&data, PERF_RECORD_AUXTRACE_TYPE);
	strbuf_append_u32(&data, 48u << 16);
	strbuf_append_u64(&data, 2 << 20);
	strbuf_append_zeros(&data, 32 + (2 << 20));
	sample_append(&data, 11, 1);
	data_write(&data);
	check_tids(2, 0);
}

/* ---- Compression ---- */

static void samples_compress(struct strbuf *packed, uint32_t nr)
{
	auto_strbuf struct strbuf records = {0};
	struct compressor *compressor;

	for (uint32_t i = 0; i < nr; i++)
		sample_append(&records, 11, i);
	assert_int_equal(compressor_create(3, &compressor), 0);
	assert_int_equal(compressor_run(compressor, records.bytes, records.nr, packed), 0);
	compressor_destroy(compressor);
}

static void test_one_stream_in_pieces(void **state)
{
	static const uint32_t types[] = {PERF_RECORD_COMPRESSED_TYPE, PERF_RECORD_COMPRESSED2_TYPE};
	static const size_t pieces[] = {1, 3, 100, 60000};
	auto_strbuf struct strbuf packed = {0};

	(void)state;
	samples_compress(&packed, 500);
	for (size_t i = 0; i < array_size(types) * array_size(pieces); i++) {
		const size_t piece = pieces[i / 2];
		auto_strbuf struct strbuf data = {0};

		for (size_t at = 0; at < packed.nr; at += piece)
			packed_append(&data, types[i % 2], packed.bytes + at,
				      packed.nr - at < piece ? packed.nr - at : piece);
		data_write(&data);
		check_tids(500, 0);
	}
}

static void test_one_frame_for_each_record(void **state)
{
	auto_strbuf struct strbuf data = {0};

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		auto_strbuf struct strbuf records = {0};
		auto_strbuf struct strbuf packed = {0};

		sample_append(&records, 11, 2 * i);
		sample_append(&records, 11, 2 * i + 1);
		assert_int_equal(frame_compress(&packed, records.bytes, records.nr, 3), 0);
		packed_append(&data, PERF_RECORD_COMPRESSED_TYPE, packed.bytes, packed.nr);
	}
	sample_append(&data, 11, 10); /* a plain one among them */
	data_write(&data);
	check_tids(11, 0);
}

static void test_compressed_damage(void **state)
{
	auto_strbuf struct strbuf packed = {0};
	auto_strbuf struct strbuf data = {0};
	uint32_t tids[4];
	struct read_error error;
	size_t nr;

	(void)state;
	samples_compress(&packed, 2);
	packed.bytes[0] ^= 0x55;
	sample_append(&data, 11, 0);
	packed_append(&data, PERF_RECORD_COMPRESSED_TYPE, packed.bytes, packed.nr);
	data_write(&data);
	assert_int_equal(tids_read(tids, 4, &nr, &error), -EBADMSG);
	assert_int_equal(nr, 1);
	assert_true(error.offset == DATA_OFFSET + 32);
	assert_string_equal(error.what, "damaged: the compressed record does not unpack");
}

static void test_compressed_record_cut(void **state)
{
	auto_strbuf struct strbuf packed = {0};
	auto_strbuf struct strbuf data = {0};
	uint32_t tids[4];
	struct read_error error;
	size_t nr;

	(void)state;
	{
		auto_strbuf struct strbuf records = {0};

		sample_append(&records, 11, 0);
		sample_append(&records, 11, 1);
		assert_int_equal(frame_compress(&packed, records.bytes, records.nr - 5, 3), 0);
	}
	packed_append(&data, PERF_RECORD_COMPRESSED_TYPE, packed.bytes, packed.nr);
	data_write(&data);
	assert_int_equal(tids_read(tids, 4, &nr, &error), -ENODATA);
	assert_int_equal(nr, 1);
	assert_string_equal(error.what, "truncated: the data ends within a record");
}

/* A gigabyte of small records in a few kilobytes: stopped long before its end. */
static void test_bomb(void **state)
{
	const size_t bytes = 300 << 20;
	auto_free uint8_t *records = malloc(bytes);
	auto_strbuf struct strbuf packed = {0};
	auto_strbuf struct strbuf data = {0};
	uint32_t tids[4];
	struct read_error error;
	size_t nr;

	(void)state;
	assert_non_null(records);
	memset(records, 0x40, bytes); /* records of type 0x40404040 and size 0x4040 */
	assert_int_equal(frame_compress(&packed, records, bytes, 1), 0);
	assert_true(packed.nr < 65000);
	packed_append(&data, PERF_RECORD_COMPRESSED_TYPE, packed.bytes, packed.nr);
	data_write(&data);
	assert_int_equal(tids_read(tids, 4, &nr, &error), -EBADMSG);
	assert_string_equal(error.what,
			    "damaged: the compressed record unpacks to more than 67108864 bytes");
}

/* ---- Features ---- */

static void test_features_outside_the_file(void **state)
{
	auto_strbuf struct strbuf file = {0};
	struct perf_reader *reader;

	(void)state;
	front_append(&file, 32, 1 << 3 | 1 << 4 | 1 << 6);
	sample_append(&file, 11, 0);
	section_append(&file, 1 << 30, 100);
	section_append(&file, DATA_OFFSET + 32, UINT64_MAX);
	section_append(&file, file.nr + 32 - 16, 68);
	strbuf_append_zeros(&file, 8);
	strbuf_append_u32(&file, 64);
	strbuf_append(&file, "x86_64", 7);
	strbuf_append_zeros(&file, 64);
	file_write(&file);
	reader = reader_open();
	assert_null(perf_reader_facts(reader)->hostname);
	assert_null(perf_reader_facts(reader)->os_release);
	perf_reader_close(reader);
	check_tids(1, 0);
}

/* ---- Pipe format ---- */

static void pipe_append(struct strbuf *out)
{
	strbuf_append(out, "PERFILE2", 8);
	strbuf_append_u64(out, 16);
	strbuf_append_u32(out, PERF_RECORD_HEADER_ATTR_TYPE);
	strbuf_append_u32(out, (8u + ATTR_BYTES + 8) << 16);
	attr_append(out, 0);
	strbuf_append_u64(out, 11);
	strbuf_append_u32(out, PERF_RECORD_HEADER_FEATURE_TYPE);
	strbuf_append_u32(out, 88u << 16);
	strbuf_append_u64(out, 3); /* HOSTNAME */
	strbuf_append_u32(out, 64);
	strbuf_append(out, "somewhere", 10);
	strbuf_append_zeros(out, 58);
}

static void test_pipe_format(void **state)
{
	auto_strbuf struct strbuf file = {0};
	struct perf_reader *reader;
	struct raw_record raw;
	struct read_error error;
	uint32_t nr;

	(void)state;
	pipe_append(&file);
	sample_append(&file, 11, 0);
	file_write(&file);
	reader = reader_open();
	assert_true(perf_reader_facts(reader)->is_pipe);
	assert_string_equal(perf_reader_facts(reader)->hostname, "somewhere");
	perf_reader_events(reader, &nr);
	assert_int_equal(nr, 1);
	/* What was read ahead are records like others. */
	assert_int_equal(perf_reader_next(reader, &raw, &error), 1);
	assert_int_equal(raw.header->type, PERF_RECORD_HEADER_ATTR_TYPE);
	assert_true(raw.file_offset == 16);
	assert_int_equal(perf_reader_next(reader, &raw, &error), 1);
	assert_int_equal(perf_reader_next(reader, &raw, &error), 1);
	assert_int_equal(raw.header->type, PERF_RECORD_SAMPLE);
	assert_int_equal(perf_reader_next(reader, &raw, &error), 0);
	perf_reader_events(reader, &nr);
	assert_int_equal(nr, 1);
	perf_reader_close(reader);
}

static void test_pipe_without_event(void **state)
{
	auto_strbuf struct strbuf file = {0};

	(void)state;
	strbuf_append(&file, "PERFILE2", 8);
	strbuf_append_u64(&file, 16);
	file_write(&file);
	check_error(-EBADMSG, 16, "damaged: no event is described");
}

static void test_standard_input(void **state)
{
	auto_strbuf struct strbuf bytes = {0};
	struct perf_reader *reader = NULL;
	struct raw_record raw;
	struct read_error error;
	const int saved = dup(STDIN_FILENO);
	int ends[2];

	(void)state;
	pipe_append(&bytes);
	sample_append(&bytes, 11, 0);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], bytes.bytes, bytes.nr), bytes.nr);
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	assert_int_equal(perf_reader_open("-", &reader, &error), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(perf_reader_next(reader, &raw, &error), 1);
	assert_int_equal(perf_reader_next(reader, &raw, &error), 0);
	perf_reader_close(reader);
	dup2(saved, STDIN_FILENO);
	close(saved);
}

/* ---- Foreign files ---- */

static void bytes_write(const char *bytes, size_t nr)
{
	auto_strbuf struct strbuf file = {0};

	strbuf_append(&file, bytes, nr);
	file_write(&file);
}

static void test_foreign(void **state)
{
	(void)state;
	bytes_write("", 0);
	check_error(-ENODATA, 0, "empty: nothing was recorded into it");
	bytes_write("just\na text\n", 12);
	check_error(-EBADMSG, 0, "a text file, not a perf.data file");
	bytes_write("\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\0\0", 18);
	check_error(-EBADMSG, 0, "not a perf.data file");
	bytes_write("2ELIFREP\0\0\0\0\0\0\0h", 16);
	check_error(-ENOTSUP, 0, "recorded on a big-endian machine, which pyrec cannot read");
	bytes_write("PERFFILE\0\0\0\0\0\0\0\0", 16);
	check_error(-ENOTSUP, 0, "a perf.data file of version 1, which pyrec cannot read");
	bytes_write("PERFILE2", 8);
	check_error(-ENODATA, 8, "truncated: the file ends within its header");
	bytes_write("PERFILE2\150\0\0\0\0\0\0\0\0", 17);
	check_error(-ENODATA, 17, "truncated: the file ends within its header");
}

static void test_no_file(void **state)
{
	struct perf_reader *reader = NULL;
	struct read_error error;

	(void)state;
	assert_int_equal(perf_reader_open("/nonexistent", &reader, &error), -ENOENT);
	assert_string_equal(error.what, "No such file or directory");
	assert_true(error.offset == READ_ERROR_NO_OFFSET);
	assert_int_equal(perf_reader_open("/tmp", &reader, &error), -EISDIR);
	assert_string_equal(error.what, "a directory, not a perf.data file");
}

/* No cut and no single changed byte makes the reader do anything but end. */
static void read_whatever(void)
{
	struct perf_reader *reader = NULL;
	struct raw_record raw;
	struct read_error error;
	uint64_t nr;

	if (perf_reader_open(path, &reader, &error))
		return;
	while (perf_reader_next(reader, &raw, &error) > 0) {
		struct record record;

		if (record_decode(raw.header, raw.header->size, &raw.event->layout, &record))
			continue;
	}
	perf_reader_bundle(reader, &nr);
	perf_reader_close(reader);
}

static void whole_file_append(struct strbuf *file)
{
	auto_strbuf struct strbuf packed = {0};

	samples_compress(&packed, 3);
	front_append(file, 32 + 8 + packed.nr, 1 << 3);
	sample_append(file, 11, 0);
	packed_append(file, PERF_RECORD_COMPRESSED_TYPE, packed.bytes, packed.nr);
	section_append(file, file->nr + 16, 68);
	strbuf_append_u32(file, 64);
	strbuf_append_zeros(file, 64);
	strbuf_append(file, "PYRECEND", 8);
	strbuf_append_u64(file, file->nr - 20);
}

static void test_cut_anywhere(void **state)
{
	auto_strbuf struct strbuf file = {0};

	(void)state;
	whole_file_append(&file);
	while (file.nr--) {
		file_write(&file);
		read_whatever();
	}
	file.nr = 0;
}

static void test_every_byte_changed(void **state)
{
	auto_strbuf struct strbuf file = {0};

	(void)state;
	whole_file_append(&file);
	for (size_t at = 0; at < file.nr; at++) {
		static const char values[] = {'\xff', '\x7f', 1, 0};
		const char saved = file.bytes[at];

		for (size_t i = 0; i < array_size(values); i++) {
			file.bytes[at] = values[i];
			file_write(&file);
			read_whatever();
		}
		file.bytes[at] = saved;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_events),
	    cmocka_unit_test(test_trailer_id),
	    cmocka_unit_test(test_odd_sizes),
	    cmocka_unit_test(test_long_file),
	    cmocka_unit_test(test_record_smaller_than_its_header),
	    cmocka_unit_test(test_data_ends_within_a_record),
	    cmocka_unit_test(test_copy_cut_short),
	    cmocka_unit_test(test_perf_record_killed),
	    cmocka_unit_test(test_auxtrace_bytes_are_skipped),
	    cmocka_unit_test(test_one_stream_in_pieces),
	    cmocka_unit_test(test_one_frame_for_each_record),
	    cmocka_unit_test(test_compressed_damage),
	    cmocka_unit_test(test_compressed_record_cut),
	    cmocka_unit_test(test_bomb),
	    cmocka_unit_test(test_features_outside_the_file),
	    cmocka_unit_test(test_pipe_format),
	    cmocka_unit_test(test_pipe_without_event),
	    cmocka_unit_test(test_standard_input),
	    cmocka_unit_test(test_foreign),
	    cmocka_unit_test(test_no_file),
	    cmocka_unit_test(test_cut_anywhere),
	    cmocka_unit_test(test_every_byte_changed),
	};
	const int fd = mkstemp(path);
	int failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests_name("reader", tests, NULL, NULL);
	unlink(path);
	return failed;
}
