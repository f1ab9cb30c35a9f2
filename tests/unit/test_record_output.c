/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/unit/recording_fixture.h"

static void comm_write(struct recording *recording, uint32_t pid, int wanted)
{
	const struct record record = {
	    .type = PERF_RECORD_COMM,
	    .id = {.pid = pid, .tid = pid, .time_ns = 7, .id = PERF_WRITER_EVENT_ID},
	    .comm = {.pid = pid, .tid = pid, .comm = "python3"},
	};

	assert_int_equal(output_record(&recording->output, &record), wanted);
}

/* ---- Line tables ---- */

static uint8_t *lines_make(uint32_t nr)
{
	uint8_t *lines = malloc(nr + 1); /* to the byte: the sanitizer watches its end */

	assert_non_null(lines);
	lines = realloc(lines, nr ? nr : 1);
	assert_non_null(lines);
	for (uint32_t i = 0; i < nr; i++)
		lines[i] = (uint8_t)(i * 7 ^ i >> 8);
	return lines;
}

static void table_comes_back(uint32_t nr)
{
	auto_free uint8_t *lines = lines_make(nr);
	auto_free uint8_t *joined = calloc(1, nr + 1);
	const struct payload_code code = {.code_id = 3,
					  .version_hex = 0x030c01f0,
					  .first_line = -1,
					  .name = "f",
					  .name_nr = 1,
					  .qualname = "C.f",
					  .qualname_nr = 3,
					  .file = "/a.py",
					  .file_nr = 5,
					  .lines = lines,
					  .lines_nr = nr,
					  .lines_total = nr};
	struct recording recording;
	const struct payload *first;
	uint32_t joined_nr;

	recording_begin(&recording);
	assert_int_equal(output_code(&recording.output, &code), 0);
	assert_true(recording_read(&recording) >= 1);
	first = &recording.records.items[0].payload;
	assert_int_equal(first->kind, PAYLOAD_CODE);
	assert_int_equal(first->code.lines_total, nr);
	assert_int_equal(first->code.first_line, -1);
	assert_int_equal(first->code.flags, 0);
	assert_int_equal(first->code.qualname_nr, 3);
	assert_memory_equal(first->code.file, "/a.py", 5);
	joined_nr = first->code.lines_nr;
	memcpy(joined, first->code.lines, joined_nr);
	for (size_t i = 1; i < recording.records.nr; i++) {
		const struct payload *more = &recording.records.items[i].payload;

		assert_int_equal(more->kind, PAYLOAD_CODE_LINES);
		assert_int_equal(more->code_lines.code_id, 3);
		assert_int_equal(more->code_lines.offset, joined_nr);
		assert_true(more->code_lines.nr > 0 && more->code_lines.nr <= nr - joined_nr);
		memcpy(joined + joined_nr, more->code_lines.bytes, more->code_lines.nr);
		joined_nr += more->code_lines.nr;
	}
	assert_int_equal(joined_nr, nr);
	if (nr)
		assert_memory_equal(joined, lines, nr);
	recording_end(&recording);
}

static void test_line_tables(void **state)
{
	static const uint32_t sizes[] = {0, 1, 32767, 32768, 32769, 65536, 70000, 1000003};

	(void)state;
	for (size_t i = 0; i < array_size(sizes); i++)
		table_comes_back(sizes[i]);
}

/* ---- Texts ---- */

static void test_huge_texts(void **state)
{
	enum { TEXT_NR = 200000, LINES_NR = 40000 };
	auto_free char *text = malloc(TEXT_NR);
	auto_free uint8_t *lines = lines_make(LINES_NR);
	const struct payload_code code = {.name = text,
					  .name_nr = TEXT_NR,
					  .qualname = text + 1,
					  .qualname_nr = TEXT_NR - 1,
					  .file = text + 2,
					  .file_nr = TEXT_NR - 2,
					  .lines = lines,
					  .lines_nr = LINES_NR,
					  .lines_total = LINES_NR};
	const struct payload_code *back;
	struct recording recording;

	(void)state;
	for (size_t i = 0; i < TEXT_NR; i++)
		text[i] = (char)('a' + i % 26);
	recording_begin(&recording);
	assert_int_equal(output_code(&recording.output, &code), 0);
	assert_int_equal(recording.output.dropped_nr, 0);
	assert_int_equal(recording_read(&recording), 2);
	back = &recording.records.items[0].payload.code;
	assert_int_equal(back->flags,
			 CODE_NAME_MISSING | CODE_QUALNAME_MISSING | CODE_FILE_MISSING);
	assert_true(back->name_nr >= 8192 && back->file_nr >= 8192);
	assert_memory_equal(back->name, code.name, back->name_nr);
	assert_memory_equal(back->qualname, code.qualname, back->qualname_nr);
	assert_memory_equal(back->file, code.file, back->file_nr);
	recording_end(&recording);
}

/* Long, but a record holds it: nothing is marked. */
static void test_long_texts(void **state)
{
	char path[4096];
	const struct payload_code code = {.name = path,
					  .name_nr = sizeof(path),
					  .qualname = path,
					  .qualname_nr = sizeof(path),
					  .file = path,
					  .file_nr = sizeof(path)};
	struct recording recording;

	(void)state;
	memset(path, 'p', sizeof(path));
	recording_begin(&recording);
	assert_int_equal(output_code(&recording.output, &code), 0);
	assert_int_equal(recording_read(&recording), 1);
	assert_int_equal(recording.records.items[0].payload.code.flags, 0);
	assert_int_equal(recording.records.items[0].payload.code.file_nr, sizeof(path));
	recording_end(&recording);
}

/* 10,000 characters of 4 bytes: the name that is shown and the file are whole, and the line table.
 */
static void name_of_10000_is_whole(uint8_t flags, uint8_t cut)
{
	enum { NAME_NR = 40000, FILE_NR = 10000, LINES_NR = 20000 };
	auto_free char *text = malloc(NAME_NR);
	auto_free uint8_t *lines = lines_make(LINES_NR);
	const struct payload_code code = {.flags = flags,
					  .name = text,
					  .name_nr = NAME_NR,
					  .qualname = text,
					  .qualname_nr = flags ? 0 : NAME_NR,
					  .file = text,
					  .file_nr = FILE_NR,
					  .lines = lines,
					  .lines_nr = LINES_NR,
					  .lines_total = LINES_NR};
	const struct payload_code *back;
	struct recording recording;
	size_t lines_nr = 0;

	memset(text, 'n', NAME_NR);
	recording_begin(&recording);
	assert_int_equal(output_code(&recording.output, &code), 0);
	assert_int_equal(recording.output.dropped_nr, 0);
	assert_int_equal(recording_read(&recording), 2);
	back = &recording.records.items[0].payload.code;
	assert_int_equal(back->flags, flags | cut);
	assert_int_equal(flags ? back->name_nr : back->qualname_nr, NAME_NR);
	assert_int_equal(back->file_nr, FILE_NR);
	lines_nr = back->lines_nr + recording.records.items[1].payload.code_lines.nr;
	assert_int_equal(lines_nr, LINES_NR);
	recording_end(&recording);
}

static void test_names_of_10000(void **state)
{
	(void)state;
	name_of_10000_is_whole(0, CODE_NAME_MISSING);
	name_of_10000_is_whole(CODE_QUALNAME_MISSING, 0);
}

/* ---- Records ---- */

/* As the kernel's ring has it; only the id in the trailer is made the file's own. */
static void test_kernel_record(void **state)
{
	struct {
		struct perf_event_header header;
		uint32_t pid, parent_pid, tid, parent_tid;
		uint64_t time_ns;
		uint32_t id_pid, id_tid;
		uint64_t id_time_ns;
		uint32_t cpu, unused;
		uint64_t id;
	} fork_record = {{PERF_RECORD_FORK, 0, sizeof(fork_record)},
			 10,
			 9,
			 11,
			 8,
			 12345,
			 9,
			 8,
			 12346,
			 1,
			 0,
			 UINT64_C(0xfeedface12345678)};
	struct recording recording;
	const struct read_back *back;

	(void)state;
	recording_begin(&recording);
	assert_int_equal(output_kernel_record(&recording.output, &fork_record.header), 0);
	assert_int_equal(fork_record.id, UINT64_C(0xfeedface12345678)); /* the ring is read-only */
	assert_int_equal(recording_read(&recording), 1);
	back = &recording.records.items[0];
	assert_int_equal(back->nr, sizeof(fork_record));
	assert_memory_equal(back->bytes, &fork_record, sizeof(fork_record) - 8);
	assert_int_equal(back->record.id.id, PERF_WRITER_EVENT_ID);
	assert_int_equal(back->record.id.time_ns, 12346);
	assert_int_equal(back->record.task.parent_pid, 9);
	recording_end(&recording);
}

static void test_finished_round(void **state)
{
	struct recording recording;

	(void)state;
	recording_begin(&recording);
	comm_write(&recording, 5, 0);
	assert_int_equal(output_finished_round(&recording.output), 0);
	assert_int_equal(recording_read(&recording), 2);
	assert_int_equal(recording.records.items[1].record.type, PERF_RECORD_FINISHED_ROUND_TYPE);
	recording_end(&recording);
}

/* What no record can hold is dropped and counted; what comes after it is written. */
static void test_too_big(void **state)
{
	auto_free char *path = calloc(1, 70000);
	const struct record record = {.type = PERF_RECORD_MMAP2, .mmap = {.path = path}};
	struct recording recording;

	(void)state;
	memset(path, '/', 69999);
	recording_begin(&recording);
	assert_int_equal(output_record(&recording.output, &record), 0);
	assert_int_equal(recording.output.dropped_nr, 1);
	comm_write(&recording, 5, 0);
	assert_int_equal(recording_read(&recording), 1);
	assert_int_equal(recording.records.items[0].record.comm.pid, 5);
	recording_end(&recording);
}

static void test_unknown_type(void **state)
{
	const struct record record = {.type = 12345};
	struct recording recording;

	(void)state;
	recording_begin(&recording);
	assert_int_equal(output_record(&recording.output, &record), -EINVAL);
	assert_int_equal(recording.output.error, -EINVAL);
	recording_end(&recording);
}

/* ---- A file that cannot grow ---- */

/* Samples of noise until the writer fails. Return: how many it took. */
static uint64_t write_until_error(struct recording *recording)
{
	static uint8_t stack[32768];
	uint64_t noise = 88172645463325252;

	for (uint64_t nr = 1; nr < 1000; nr++) {
		struct record record = {.type = PERF_RECORD_SAMPLE};

		for (size_t i = 0; i < sizeof(stack); i++) {
			noise ^= noise << 13;
			noise ^= noise >> 7;
			noise ^= noise << 17;
			stack[i] = (uint8_t)noise;
		}
		record.sample.id = PERF_WRITER_EVENT_ID;
		record.sample.time_ns = nr;
		record.sample.stack = stack;
		record.sample.stack_bytes = sizeof(stack);
		if (output_record(&recording->output, &record))
			return nr;
	}
	fail();
	return 0;
}

static void test_file_limit(void **state)
{
	enum { LIMIT_BYTES = 2 << 20 };
	const struct rlimit limit = {.rlim_cur = LIMIT_BYTES, .rlim_max = RLIM_INFINITY};
	const struct payload clock = {.kind = PAYLOAD_CLOCK};
	const struct payload_code code = {.name = "f", .name_nr = 1};
	struct recording recording;
	struct rlimit before;
	uint64_t took;

	(void)state;
	recording_begin(&recording);
	for (uint32_t pid = 1; pid <= 5; pid++)
		comm_write(&recording, pid, 0);
	assert_int_equal(perf_writer_checkpoint(recording.writer), 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	setrlimit(RLIMIT_FSIZE, &limit);
	took = write_until_error(&recording);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_in_range(took, LIMIT_BYTES / 40000, LIMIT_BYTES / 32768 + 40);
	assert_int_equal(recording.output.error, -EFBIG);
	assert_int_equal(recording.output.dropped_nr, 1);
	/* From now on nothing is tried, all is counted. */
	comm_write(&recording, 6, -EFBIG);
	assert_int_equal(output_payload(&recording.output, &clock, NULL), -EFBIG);
	assert_int_equal(output_code(&recording.output, &code), -EFBIG);
	assert_int_equal(output_finished_round(&recording.output), -EFBIG);
	assert_int_equal(recording.output.dropped_nr, 5);
	/* What the last checkpoint made whole is there. */
	recording_read_file(&recording);
	assert_int_equal(recording.records.nr, 5);
	assert_int_equal(recording.records.items[4].record.comm.pid, 5);
	recording_end(&recording);
}

static void test_clock(void **state)
{
	const int64_t shifts_ns[] = {0, 500000000, -777000000001};

	(void)state;
	for (size_t i = 0; i < array_size(shifts_ns); i++) {
		struct timespec before, after;
		struct output output;
		uint64_t now;

		output_init(&output, NULL, shifts_ns[i]);
		clock_gettime(CLOCK_MONOTONIC, &before);
		now = output_now_ns(&output) + (uint64_t)shifts_ns[i];
		clock_gettime(CLOCK_MONOTONIC, &after);
		assert_in_range(now,
				(uint64_t)before.tv_sec * 1000000000 + (uint64_t)before.tv_nsec,
				(uint64_t)after.tv_sec * 1000000000 + (uint64_t)after.tv_nsec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_line_tables),	  cmocka_unit_test(test_huge_texts),
	    cmocka_unit_test(test_long_texts),	  cmocka_unit_test(test_names_of_10000),
	    cmocka_unit_test(test_kernel_record), cmocka_unit_test(test_finished_round),
	    cmocka_unit_test(test_too_big),	  cmocka_unit_test(test_unknown_type),
	    cmocka_unit_test(test_file_limit),	  cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
