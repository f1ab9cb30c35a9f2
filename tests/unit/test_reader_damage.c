/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Files cut short, damaged or of another kind: where it is said to be, and what is still read. */
#include <errno.h>

#include "tests/unit/perf_file_fixture.h"

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

/* ---- Records ---- */

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

/* ---- Compression ---- */

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

/* ---- Features and events ---- */

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

static void test_pipe_without_event(void **state)
{
	auto_strbuf struct strbuf file = {0};

	(void)state;
	strbuf_append(&file, "PERFILE2", 8);
	strbuf_append_u64(&file, 16);
	file_write(&file);
	check_error(-EBADMSG, 16, "damaged: no event is described");
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

/* ---- Any damage ---- */

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
	    cmocka_unit_test(test_record_smaller_than_its_header),
	    cmocka_unit_test(test_data_ends_within_a_record),
	    cmocka_unit_test(test_copy_cut_short),
	    cmocka_unit_test(test_compressed_damage),
	    cmocka_unit_test(test_compressed_record_cut),
	    cmocka_unit_test(test_bomb),
	    cmocka_unit_test(test_features_outside_the_file),
	    cmocka_unit_test(test_pipe_without_event),
	    cmocka_unit_test(test_foreign),
	    cmocka_unit_test(test_no_file),
	    cmocka_unit_test(test_cut_anywhere),
	    cmocka_unit_test(test_every_byte_changed),
	};

	return cmocka_run_group_tests(tests, path_make, path_remove);
}
