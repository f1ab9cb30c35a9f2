/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The writer against failing and vanishing writes. pwrite() and ftruncate() of this program stand
 * in for libc's: they can write little at a time, fail from the nth call on where the file would
 * have to grow, as a full disk does, or do nothing from the nth call on as if the process had been
 * killed there.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "format/perf_file.h"
#include "format/reader.h"
#include "format/writer.h"

enum { SAMPLES_NR = 40, CHECKPOINT_EVERY = 8 };

/* ---- The file system ---- */

static struct {
	long calls_nr;
	long limit;	  /* calls that work; -1: all */
	bool is_killed;	  /* beyond the limit: pretend; else fail */
	size_t bytes_max; /* of one write; 0: any */
} disk;

static bool is_inside(int fd, off_t end)
{
	struct stat status;

	return fstat(fd, &status) == 0 && end <= status.st_size;
}

static bool disk_is_gone(void)
{
	return disk.limit >= 0 && disk.calls_nr++ >= disk.limit;
}

ssize_t pwrite(int fd, const void *bytes, size_t nr, off_t offset)
{
	if (disk_is_gone()) {
		if (disk.is_killed)
			return (ssize_t)nr;
		if (!is_inside(fd, offset + (off_t)nr)) {
			errno = ENOSPC;
			return -1;
		}
	}
	if (disk.bytes_max && nr > disk.bytes_max)
		nr = disk.bytes_max;
	return syscall(SYS_pwrite64, fd, bytes, nr, offset);
}

int ftruncate(int fd, off_t length)
{
	if (disk.limit >= 0 && disk.is_killed && disk.calls_nr > disk.limit)
		return 0;
	return (int)syscall(SYS_ftruncate, fd, length);
}

int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

/* ---- One recording ---- */

static char path[] = "/tmp/test_writer.XXXXXX";

static struct perf_writer *writer_create(bool compress)
{
	static const char *const argv[] = {"pyrec", "record", NULL};
	const struct perf_writer_options options = {path, compress, 3};
	const struct perf_file_facts facts = {.attr = {.type = PERF_TYPE_SOFTWARE,
						       .size = sizeof(struct perf_event_attr),
						       .sample_freq = 99,
						       .freq = 1,
						       .sample_type = PYREC_SAMPLE_TYPE,
						       .sample_regs_user = PYREC_REGS_USER,
						       .sample_id_all = 1},
					      .event_name = "cpu-clock",
					      .hostname = "host",
					      .argv = argv};
	struct perf_writer *writer = NULL;

	if (perf_writer_create(&options, &facts, &writer))
		return NULL;
	return writer;
}

static int sample_append(struct perf_writer *writer, uint32_t index)
{
	static const struct record_layout layout = {.sample_type = PYREC_SAMPLE_TYPE,
						    .sample_regs_user = PYREC_REGS_USER,
						    .sample_id_all = true};
	const uint64_t regs[PYREC_REGS_NR] = {index};
	uint8_t stack[256];
	const struct record record = {.type = PERF_RECORD_SAMPLE,
				      .sample = {.id = PERF_WRITER_EVENT_ID,
						 .pid = 1,
						 .tid = index,
						 .time_ns = 1000 + index,
						 .regs_abi = PERF_SAMPLE_REGS_ABI_64,
						 .regs = regs,
						 .stack = stack,
						 .stack_bytes = sizeof(stack)}};
	auto_strbuf struct strbuf bytes = {0};

	for (size_t i = 0; i < sizeof(stack); i++)
		stack[i] = (uint8_t)(i * index);
	if (record_encode(&bytes, &layout, &record))
		return -EINVAL;
	return perf_writer_append(writer, bytes.bytes, bytes.nr);
}

struct outcome {
	uint32_t checkpoint_nr; /* samples before the last checkpoint that said 0 */
	bool is_finished;
	int error;
	struct perf_writer_counts counts;
};

static struct outcome recording_write(bool compress)
{
	struct perf_writer *writer = writer_create(compress);
	struct outcome outcome = {0};

	if (!writer) {
		outcome.error = -EIO;
		return outcome;
	}
	for (uint32_t i = 0; i < SAMPLES_NR && !outcome.error; i++) {
		outcome.error = sample_append(writer, i);
		if (outcome.error || i % CHECKPOINT_EVERY != CHECKPOINT_EVERY - 1)
			continue;
		outcome.error = perf_writer_checkpoint(writer);
		if (!outcome.error)
			outcome.checkpoint_nr = i + 1;
	}
	if (!outcome.error) {
		struct strbuf bundle = {0};

		strbuf_append_text(&bundle, "no real bundle");
		outcome.error = perf_writer_add_build_id(writer, 1, 2, (const uint8_t[20]){1}, 20,
							 "/usr/bin/python3");
		if (!outcome.error)
			outcome.error = perf_writer_finish(writer, &bundle);
		outcome.is_finished = !outcome.error;
		strbuf_deinit(&bundle);
	}
	if (outcome.error)
		assert_int_equal(perf_writer_checkpoint(writer), outcome.error);
	outcome.counts = perf_writer_get_counts(writer);
	perf_writer_destroy(writer);
	return outcome;
}

/* Samples in the file, whose threads must be 0, 1, 2, …; -1 when it is not readable to its end. */
static int samples_read(void)
{
	struct perf_reader *reader;
	struct raw_record raw;
	struct read_error error;
	int samples_nr = 0;
	int ret;

	if (perf_reader_open(path, &reader, &error))
		return -1;
	while ((ret = perf_reader_next(reader, &raw, &error)) > 0) {
		struct record record;

		assert_int_equal(
		    record_decode(raw.header, raw.header->size, &raw.event->layout, &record), 0);
		assert_int_equal(record.sample.tid, samples_nr);
		samples_nr++;
	}
	perf_reader_close(reader);
	return ret ? -1 : samples_nr;
}

static void disk_reset(void)
{
	memset(&disk, 0, sizeof(disk));
	disk.limit = -1;
}

/* ---- Tests ---- */

static void check_whole(bool compress)
{
	struct outcome outcome;
	struct perf_reader *reader;
	struct read_error error;
	const struct perf_build_id *ids;
	const uint8_t *bundle;
	uint64_t bundle_nr;
	uint32_t nr;

	outcome = recording_write(compress);
	assert_true(outcome.is_finished);
	assert_int_equal(outcome.counts.samples_nr, SAMPLES_NR);
	assert_int_equal(samples_read(), SAMPLES_NR);
	assert_int_equal(perf_reader_open(path, &reader, &error), 0);
	assert_true(perf_reader_facts(reader)->is_pyrec);
	assert_false(perf_reader_facts(reader)->is_unfinished);
	assert_true(perf_reader_facts(reader)->first_sample_ns == 1000);
	assert_true(perf_reader_facts(reader)->last_sample_ns == 1000 + SAMPLES_NR - 1);
	assert_true(perf_reader_facts(reader)->file_bytes == outcome.counts.file_bytes);
	assert_string_equal(perf_reader_facts(reader)->hostname, "host");
	assert_string_equal(perf_reader_facts(reader)->command_line, "pyrec record");
	ids = perf_reader_build_ids(reader, &nr);
	assert_int_equal(nr, 1);
	assert_string_equal(ids[0].path, "/usr/bin/python3");
	assert_int_equal(ids[0].build_id_nr, 20);
	bundle = perf_reader_bundle(reader, &bundle_nr);
	assert_non_null(bundle);
	assert_memory_equal(bundle, "no real bundle\0\0", bundle_nr);
	perf_reader_close(reader);
}

static void test_whole(void **state)
{
	(void)state;
	check_whole(true);
	check_whole(false);
}

static void test_short_writes(void **state)
{
	(void)state;
	disk.bytes_max = 7;
	check_whole(true);
	check_whole(false);
}

static void test_mode(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(chmod(path, 0644), 0);
	check_whole(true);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
}

/* Killed at any write: never less than the last checkpoint, always readable to the end. */
static void check_killed(bool compress)
{
	int last_nr = 0;

	for (long limit = 1; limit < 10000; limit++) {
		int samples_nr;

		disk_reset();
		disk.limit = limit;
		disk.is_killed = true;
		recording_write(compress);
		assert_true(disk.calls_nr > 1); /* the writer does come this way */
		samples_nr = samples_read();
		assert_int_not_equal(samples_nr, -1);
		assert_int_equal(samples_nr % CHECKPOINT_EVERY, 0);
		if (disk.calls_nr <= limit) {
			assert_int_equal(samples_nr, SAMPLES_NR);
			return;
		}
		assert_true(samples_nr >= last_nr);
		last_nr = samples_nr;
	}
	fail_msg("the recording never came to its end");
}

static void test_killed(void **state)
{
	(void)state;
	check_killed(true);
	check_killed(false);
}

/* A full disk from any write on: what the last checkpoint said is there, to the byte. */
static void check_full(bool compress)
{
	for (long limit = 1; limit < 10000; limit++) {
		struct outcome outcome;

		disk_reset();
		disk.limit = limit;
		outcome = recording_write(compress);
		assert_int_equal(samples_read(),
				 outcome.is_finished ? SAMPLES_NR : (int)outcome.checkpoint_nr);
		if (disk.calls_nr <= limit) {
			assert_true(outcome.is_finished);
			return;
		}
		assert_true(outcome.is_finished || outcome.error == -ENOSPC);
	}
	fail_msg("the recording never came to its end");
}

static void test_full(void **state)
{
	(void)state;
	check_full(true);
	check_full(false);
}

static void test_checkpoint_without_news(void **state)
{
	struct perf_writer *writer = writer_create(true);
	long calls_nr;

	(void)state;
	assert_non_null(writer);
	assert_int_equal(sample_append(writer, 0), 0);
	assert_int_equal(perf_writer_checkpoint(writer), 0);
	assert_int_equal(samples_read(), 1);
	disk.limit = 1000;
	calls_nr = disk.calls_nr;
	assert_int_equal(perf_writer_checkpoint(writer), 0);
	assert_int_equal(disk.calls_nr, calls_nr);
	perf_writer_destroy(writer);
}

static void test_malformed_records(void **state)
{
	struct perf_writer *writer = writer_create(true);

	(void)state;
	assert_non_null(writer);
	assert_int_equal(perf_writer_append(writer, "\1\0\0\0", 4), -EINVAL);
	assert_int_equal(perf_writer_append(writer, "\1\0\0\0\0\0\7\0", 8), -EINVAL);
	assert_int_equal(perf_writer_append(writer, "\1\0\0\0\0\0\20\0", 8), -EINVAL);
	assert_int_equal(perf_writer_get_counts(writer).records_nr, 0);
	perf_writer_destroy(writer);
}

enum { MUCH_NR = 40, MUCH_BYTES = 65528 };

/* Random bytes do not compress: the output must be cut into records of at most 65,528 bytes. */
static void much_write(struct strbuf *records, bool compress)
{
	struct perf_writer *writer = writer_create(compress);
	uint32_t random = 1;

	assert_non_null(writer);
	for (int i = 0; i < MUCH_NR; i++) {
		strbuf_append_u32(records, 65);
		strbuf_append_u32(records, (uint32_t)MUCH_BYTES << 16);
		for (int k = 0; k < (MUCH_BYTES - 8) / 4; k++) {
			random = random * 1664525 + 1013904223;
			strbuf_append_u32(records, random);
		}
	}
	assert_int_equal(perf_writer_append(writer, records->bytes, records->nr), 0);
	assert_int_equal(perf_writer_finish(writer, NULL), 0);
	perf_writer_destroy(writer);
}

static void test_much_at_once(void **state)
{
	auto_strbuf struct strbuf records = {0};
	struct perf_reader *reader;
	struct raw_record raw;
	struct read_error error;
	int nr = 0;

	(void)state;
	much_write(&records, true);
	assert_int_equal(perf_reader_open(path, &reader, &error), 0);
	while (perf_reader_next(reader, &raw, &error) > 0)
		assert_memory_equal(raw.header, records.bytes + MUCH_BYTES * (size_t)nr++,
				    MUCH_BYTES);
	assert_int_equal(nr, MUCH_NR);
	perf_reader_close(reader);
}

/* Records whose block is held stay as they are while the reader goes on; the others' memory is used
 * again. */
static void check_held(bool compress)
{
	auto_strbuf struct strbuf records = {0};
	struct raw_record held[MUCH_NR / 8];
	struct perf_reader *reader;
	struct raw_record raw;
	struct read_error error;
	int nr = 0;

	much_write(&records, compress);
	assert_int_equal(perf_reader_open(path, &reader, &error), 0);
	for (; perf_reader_next(reader, &raw, &error) > 0; nr++) {
		if (nr % 8)
			continue;
		held[nr / 8] = raw;
		record_block_get(raw.block);
	}
	assert_int_equal(nr, MUCH_NR);
	for (int i = 0; i < MUCH_NR / 8; i++) {
		assert_memory_equal(held[i].header, records.bytes + MUCH_BYTES * (size_t)i * 8,
				    MUCH_BYTES);
		record_block_put(held[i].block);
	}
	perf_reader_close(reader);
}

static void test_held_records(void **state)
{
	(void)state;
	check_held(true);
	check_held(false);
}

static void test_no_such_folder(void **state)
{
	const struct perf_writer_options options = {"/nonexistent/x", true, 3};
	const struct perf_file_facts facts = {0};
	struct perf_writer *writer = NULL;

	(void)state;
	assert_int_equal(perf_writer_create(&options, &facts, &writer), -ENOENT);
	assert_null(writer);
	perf_writer_destroy(NULL);
}

static int setup(void **state)
{
	(void)state;
	disk_reset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_whole, setup),
	    cmocka_unit_test_setup(test_short_writes, setup),
	    cmocka_unit_test_setup(test_mode, setup),
	    cmocka_unit_test_setup(test_killed, setup),
	    cmocka_unit_test_setup(test_full, setup),
	    cmocka_unit_test_setup(test_checkpoint_without_news, setup),
	    cmocka_unit_test_setup(test_malformed_records, setup),
	    cmocka_unit_test_setup(test_much_at_once, setup),
	    cmocka_unit_test_setup(test_held_records, setup),
	    cmocka_unit_test_setup(test_no_such_folder, setup),
	};
	const int fd = mkstemp(path);
	int failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests_name("writer", tests, NULL, NULL);
	unlink(path);
	return failed;
}
