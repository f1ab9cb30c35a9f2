/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A whole reading of records from the fuzzer, into each form of output. Sizes of records are put
 * right, so that damage in one leaves the next in its place. The input: u8 form and options, u24
 * bytes of records, these, then the bundle.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/bytes.h"
#include "format/perf_file.h"
#include "format/writer.h"
#include "report/present.h"
#include "tests/golden/recording_facts.h"

enum {
	WITH_THREADS = 1 << 2,
	WITH_TASKS = 1 << 3,
	WITH_EVAL = 1 << 4,
	WITHOUT_KERNEL = 1 << 5,
	WITH_TREE = 1 << 6,
	WITH_LINES = 1 << 7,
	THREADS_FILE_BYTES = (1 << 20) + 4096, /* smaller ones are read on one thread */
	RECORDS_BYTES_MAX = 1 << 20,
	FRONT_BYTES_MAX = 4096,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t nr);

/* What stands before the records of every file. */
struct front {
	uint8_t bytes[FRONT_BYTES_MAX];
	size_t nr;
};

static void check(bool is_right)
{
	if (!is_right)
		abort();
}

static void front_make(struct front *front)
{
	static const char *const argv[] = {"pyrec", NULL};
	const int fd = memfd_create("front", MFD_CLOEXEC);
	const struct perf_file_facts facts = recording_facts(argv);
	struct perf_writer_options options = {.zstd_level = 1};
	struct perf_writer *writer;
	struct perf_file_section data;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	options.path = path;
	check(perf_writer_create(&options, &facts, &writer) == 0);
	perf_writer_destroy(writer);
	check(pread(fd, front->bytes, sizeof(front->bytes), 0) > PERF_FILE_HEADER_BYTES);
	memcpy(&data, front->bytes + PERF_FILE_DATA_BYTES_OFFSET - sizeof(data.offset),
	       sizeof(data));
	check(data.offset > PERF_FILE_HEADER_BYTES && data.offset < FRONT_BYTES_MAX);
	front->nr = data.offset;
	memset(front->bytes + PERF_FILE_FEATURES_OFFSET, 0, PERF_FILE_FEATURES_BYTES);
	close(fd);
}

/* Return: the bytes of whole records. */
static size_t records_put_right(uint8_t *records, size_t nr)
{
	size_t at = 0;

	while (nr - at >= sizeof(struct perf_event_header)) {
		struct perf_event_header header;

		memcpy(&header, records + at, sizeof(header));
		header.size &= (uint16_t)~7;
		if (header.size < sizeof(header) || header.size > nr - at)
			header.size = (uint16_t)((nr - at < 64 ? nr - at : 64) & ~7UL);
		memcpy(records + at, &header, sizeof(header));
		at += header.size;
	}
	return at;
}

static void put(int fd, const void *bytes, size_t nr, uint64_t offset)
{
	check(pwrite(fd, bytes, nr, (off_t)offset) == (ssize_t)nr);
}

static void file_write(int fd, bool with_threads, struct bytes_cursor *input, size_t records_nr)
{
	static struct front front;
	uint64_t bundle_offset;
	uint8_t *records = malloc(records_nr + 1);
	uint8_t footer[PYREC_FOOTER_BYTES] = PYREC_FOOTER_MAGIC;
	const uint8_t *given = bytes_take(input, records_nr);

	check(records);
	if (!front.nr)
		front_make(&front);
	memcpy(records, given, records_nr);
	records_nr = records_put_right(records, records_nr);
	put(fd, front.bytes, front.nr, 0);
	put(fd, &(uint64_t){records_nr}, sizeof(uint64_t), PERF_FILE_DATA_BYTES_OFFSET);
	put(fd, records, records_nr, front.nr);
	bundle_offset = (front.nr + records_nr + 7) & ~UINT64_C(7);
	if (with_threads && bundle_offset < THREADS_FILE_BYTES)
		bundle_offset = THREADS_FILE_BYTES;
	put(fd, input->at, bytes_left(input), bundle_offset);
	memcpy(footer + 8, &bundle_offset, sizeof(bundle_offset));
	put(fd, footer, sizeof(footer), bundle_offset + bytes_left(input));
	free(records);
}

static struct session_options session_options_make(uint8_t flags)
{
	return (struct session_options){
	    .jobs_nr = flags & WITH_THREADS ? 3 : 1,
	    .with_tasks = flags & WITH_TASKS,
	    .stack = {.show_eval = flags & WITH_EVAL, .no_kernel = flags & WITHOUT_KERNEL},
	};
}

static struct output_options output_options_make(uint8_t flags, const struct filter *none)
{
	return (struct output_options){
	    .sort = {SORT_COMM, SORT_TASK, SORT_CGROUP, SORT_CONTAINER, SORT_DSO, SORT_SYMBOL,
		     SORT_SRCLINE},
	    .sort_nr = 7,
	    .children = flags & WITH_TREE,
	    .tree = flags & WITH_TREE ? TREE_CALLER : TREE_NONE,
	    .lines = flags & WITH_LINES,
	    .columns = flags & WITH_LINES,
	    .show_task = flags & WITH_TASKS,
	    .annotate_kinds = flags & WITH_LINES,
	    .dso = none,
	    .symbol = none,
	};
}

static void file_show(const char *path, uint8_t flags, struct out_stream *out)
{
	static const struct output_ops *const forms[] = {&output_script, &output_folded,
							 &output_text, &output_script};
	const struct session_options options = session_options_make(flags);
	const struct filter none = {0};
	const struct output_options shown = output_options_make(flags, &none);
	struct output output = {.ops = forms[flags & 3], .options = &shown, .out = out};
	struct session session;
	struct tally tally;

	tally_init(&tally);
	if (session_open(&session, &options, path) == 0) {
		check(session_run(&session, &output, &tally) == 0);
		if (output.ops->tell)
			output.ops->tell(&output, &session);
		check(output.ops->end(&output, &tally) == 0);
	}
	tally_deinit(&tally);
	intern_deinit(&output.texts);
	session_close(&session);
}

/* Whatever the names are, what is shown of them is text. */
static void check_text(int fd)
{
	uint8_t bytes[65536];
	ssize_t nr;

	for (off_t at = 0; (nr = pread(fd, bytes, sizeof(bytes), at)) > 0; at += nr)
		for (ssize_t i = 0; i < nr; i++)
			check(bytes[i] >= ' ' ? bytes[i] != 127
					      : bytes[i] == '\n' || bytes[i] == '\t');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t nr)
{
	static struct out_stream out;
	struct bytes_cursor input = bytes_cursor_make(bytes, nr);
	const uint8_t flags = bytes_get_u8(&input);
	const uint32_t records_nr = bytes_get_u16(&input) | (uint32_t)bytes_get_u8(&input) << 16;
	const int fd = memfd_create("recording", MFD_CLOEXEC);
	const int shown_fd = memfd_create("shown", MFD_CLOEXEC);
	char path[64];

	check(fd >= 0 && shown_fd >= 0);
	if (!input.failed && records_nr <= bytes_left(&input) && records_nr <= RECORDS_BYTES_MAX) {
		file_write(fd, flags & WITH_THREADS, &input, records_nr);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		out_stream_init(&out, shown_fd);
		file_show(path, flags, &out);
		check(out_stream_finish(&out) == 0);
		check_text(shown_fd);
	}
	close(shown_fd);
	close(fd);
	return 0;
}
