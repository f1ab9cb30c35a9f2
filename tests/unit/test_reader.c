/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What stands in a file that is as it should be, whichever tool wrote it. */
#include "tests/unit/perf_file_fixture.h"

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

/* Seven bytes longer than its text: an odd size. */
static void odd_append(struct strbuf *out)
{
	strbuf_append_u32(out, 1234);
	strbuf_append_u32(out, 13u << 16);
	strbuf_append(out, "abcde", 5);
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_events),
	    cmocka_unit_test(test_trailer_id),
	    cmocka_unit_test(test_odd_sizes),
	    cmocka_unit_test(test_long_file),
	    cmocka_unit_test(test_perf_record_killed),
	    cmocka_unit_test(test_auxtrace_bytes_are_skipped),
	    cmocka_unit_test(test_one_stream_in_pieces),
	    cmocka_unit_test(test_one_frame_for_each_record),
	    cmocka_unit_test(test_pipe_format),
	    cmocka_unit_test(test_standard_input),
	};

	return cmocka_run_group_tests(tests, path_make, path_remove);
}
