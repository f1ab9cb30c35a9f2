/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writes a recording with one of everything, always the same: two processes, native and Python
 * samples, every kind of envelope, names meant to disturb a terminal, a bundle.
 *
 *   make_recording [--plain] [--unfinished] [--async] [--samples=N] FILE
 *
 * --plain leaves the compressor out; --unfinished stops after a checkpoint as a killed recorder
 * does; --async adds asyncio tasks to most samples; FILE "-" writes the pipe format.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "format/bundle.h"
#include "format/payload.h"
#include "format/writer.h"
#include "tests/golden/recording_facts.h"

#define SECOND_NS UINT64_C(1000000000)

struct options {
	const char *path;
	bool is_plain;
	bool is_unfinished;
	bool has_async;
	uint32_t samples_nr;
};

struct recording {
	struct perf_writer *writer;
	bool has_async;
	struct record_layout layout;
	struct strbuf bytes;
};

static const uint8_t python_build_id[20] = {0x57, 0x1d, 0x98, 0xe0, 0x10, 0x96, 0xd5,
					    0xc1, 0xc3, 0x24, 0x20, 0xd2, 0x29, 0xa6,
					    0x73, 0x1a, 0x0a, 0x50, 0xd2, 0xa0};

static void check(int ret, const char *what)
{
	if (ret == 0)
		return;
	fprintf(stderr, "make_recording: %s: %s\n", what, strerror(-ret));
	exit(1);
}

static void send(struct recording *recording)
{
	check(recording->bytes.error, "memory");
	check(perf_writer_append(recording->writer, recording->bytes.bytes, recording->bytes.nr),
	      "append");
	strbuf_reset(&recording->bytes);
}

static void send_record(struct recording *recording, struct record record, uint64_t time_ns)
{
	record.id.id = PERF_WRITER_EVENT_ID;
	record.id.time_ns = time_ns;
	check(record_encode(&recording->bytes, &recording->layout, &record), "record");
	send(recording);
}

static void send_payload(struct recording *recording, const struct payload *payload,
			 const struct py_frame *frames)
{
	check(payload_encode(&recording->bytes, payload, frames), "payload");
	send(recording);
}

/* ---- Tables ---- */

static void send_file_info(struct recording *recording)
{
	const struct payload info = {.kind = PAYLOAD_FILE_INFO,
				     .file_info = {.pyrec_version = "0.1",
						   .pyrec_version_nr = 3,
						   .sample_hz = 99,
						   .stack_cap_bytes = 61440,
						   .all_processes = 1}};
	const struct payload clock = {
	    .kind = PAYLOAD_CLOCK,
	    .clock = {.monotonic_ns = 5 * SECOND_NS, .realtime_ns = 1700000000 * SECOND_NS}};

	send_payload(recording, &info, NULL);
	send_payload(recording, &clock, NULL);
}

static void send_interpreters(struct recording *recording)
{
	static const char path[] = "/usr/bin/python3.11";
	static const char message[] = "CPython 3.16.0a2 is newer than this pyrec";
	struct payload payload = {.kind = PAYLOAD_INTERPRETER,
				  .interpreter = {.time_ns = 5 * SECOND_NS,
						  .pid = 100,
						  .version_hex = 0x030b02f0,
						  .status = INTERPRETER_WALKED,
						  .path = path,
						  .path_nr = sizeof(path) - 1,
						  .message = ""}};

	send_payload(recording, &payload, NULL);
	payload.interpreter.pid = 200;
	payload.interpreter.version_hex = 0x031000a2;
	payload.interpreter.status = INTERPRETER_UNSUPPORTED;
	payload.interpreter.message = message;
	payload.interpreter.message_nr = sizeof(message) - 1;
	send_payload(recording, &payload, NULL);
	payload.interpreter.pid = 300;
	payload.interpreter.version_hex = 0;
	payload.interpreter.path = "/usr/lib/libpypy3.9-c.so";
	payload.interpreter.path_nr = 24;
	payload.interpreter.message = "PyPy 7.3.11 (pid 300): not CPython, native frames only";
	payload.interpreter.message_nr = 54;
	payload.interpreter.name = "PyPy 7.3.11";
	payload.interpreter.name_nr = 11;
	send_payload(recording, &payload, NULL);
}

struct code_example {
	const char *name;
	const char *qualname;
	const char *file;
	uint8_t flags;
};

/* The second and third hold a terminal escape, a newline and bytes that are not UTF-8. */
static const struct code_example code_examples[] = {
    {"<module>", "<module>", "/srv/app/main.py", 0},
    {"evil\033[31m", "Evil.\nevil\033[31m", "/srv/\x9b\xff.py", 0},
    {"gr\xc3\xbc\xc3\x9f", "Klasse.gr\xc3\xbc\xc3\x9f", "/srv/\xe2\x80\xaetxt.py", 0},
    {"", "", "", CODE_NAME_MISSING | CODE_QUALNAME_MISSING | CODE_FILE_MISSING},
};

static void send_codes(struct recording *recording)
{
	static const uint8_t lines[] = {0xf0, 0x03, 0x01, 0x80, 0x01, 0x8d, 0x0c, 0x01};

	for (uint32_t i = 0; i < array_size(code_examples); i++) {
		const struct code_example *example = &code_examples[i];
		const struct payload code = {
		    .kind = PAYLOAD_CODE,
		    .code = {.code_id = i + 1,
			     .version_hex = 0x030b02f0,
			     .first_line = (int32_t)(10 * i + 1),
			     .flags = example->flags,
			     .name = example->name,
			     .name_nr = (uint32_t)strlen(example->name),
			     .qualname = example->qualname,
			     .qualname_nr = (uint32_t)strlen(example->qualname),
			     .file = example->file,
			     .file_nr = (uint32_t)strlen(example->file),
			     .lines_total = sizeof(lines),
			     .lines = lines,
			     .lines_nr = sizeof(lines) - 2}};
		const struct payload rest = {.kind = PAYLOAD_CODE_LINES,
					     .code_lines = {.code_id = i + 1,
							    .offset = sizeof(lines) - 2,
							    .bytes = lines + sizeof(lines) - 2,
							    .nr = 2}};

		send_payload(recording, &code, NULL);
		send_payload(recording, &rest, NULL);
	}
}

static void send_losses(struct recording *recording, uint32_t samples_nr)
{
	struct payload losses = {.kind = PAYLOAD_LOSSES,
				 .losses = {.time_ns = 9 * SECOND_NS, .samples_nr = samples_nr}};

	losses.losses.counts[LOSS_RING_FULL] = 3;
	losses.losses.counts[LOSS_CODE_UNREADABLE] = 1;
	losses.losses.status_counts[PY_STACK_COMPLETE] = samples_nr;
	send_payload(recording, &losses, NULL);
}

/* ---- Processes ---- */

static void send_kernel_map(struct recording *recording)
{
	const struct record mmap = {.type = PERF_RECORD_MMAP2,
				    .misc = PERF_RECORD_MISC_KERNEL,
				    .mmap = {.pid = UINT32_MAX,
					     .start = 0xffffffff81000000,
					     .bytes = 0x1000000,
					     .file_offset = 0xffffffff81000000,
					     .prot = 5,
					     .path = "[kernel.kallsyms]_text"}};

	send_record(recording, mmap, 5 * SECOND_NS);
}

static void send_processes(struct recording *recording)
{
	struct record mmap = {.type = PERF_RECORD_MMAP2,
			      .misc = PERF_RECORD_MISC_USER,
			      .mmap = {.pid = 100,
				       .tid = 100,
				       .start = 0x421000,
				       .bytes = 0x2a0000,
				       .file_offset = 0x21000,
				       .prot = 5,
				       .flags = 2,
				       .build_id_nr = sizeof(python_build_id),
				       .path = "/usr/bin/python3.11"}};

	send_kernel_map(recording);
	memcpy(mmap.mmap.build_id, python_build_id, sizeof(python_build_id));
	send_record(recording,
		    (struct record){.type = PERF_RECORD_COMM, .comm = {100, 100, true, "python3"}},
		    5 * SECOND_NS);
	send_record(recording, mmap, 5 * SECOND_NS);
	send_record(recording,
		    (struct record){.type = PERF_RECORD_FORK,
				    .task = {200, 100, 200, 100, 5 * SECOND_NS + 1000}},
		    5 * SECOND_NS + 1000);
	send_record(
	    recording,
	    (struct record){.type = PERF_RECORD_COMM, .comm = {200, 200, false, "bad\033]0;x\007"}},
	    5 * SECOND_NS + 2000);
	mmap.mmap = (struct record_mmap){.pid = 200,
					 .tid = 200,
					 .start = 0x7f0000000000,
					 .bytes = 0x2000,
					 .prot = 5,
					 .flags = 2,
					 .device_major = 8,
					 .device_minor = 1,
					 .inode = 4711,
					 .inode_generation = 1,
					 .path = "/srv/two\nlines.so"};
	send_record(recording, mmap, 5 * SECOND_NS + 3000);
	send_record(recording, (struct record){.type = PERF_RECORD_FINISHED_ROUND_TYPE}, 0);
}

static void send_task(struct recording *recording, uint32_t tid, const char *cgroup,
		      uint32_t inner_number)
{
	struct payload task = {.kind = PAYLOAD_TASK,
			       .task = {.time_ns = 5 * SECOND_NS + 4000,
					.pid = tid,
					.tid = tid,
					.cgroup = cgroup,
					.cgroup_nr = (uint32_t)strlen(cgroup),
					.numbers_nr = inner_number ? 3 : 1,
					.numbers = {tid, 17, inner_number}}};

	send_payload(recording, &task, NULL);
}

/* One in a container of a container, one on the host, whose cgroup has a name meant to disturb. */
static void send_tasks(struct recording *recording)
{
	send_task(recording, 100,
		  "/system.slice/docker-"
		  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope/worker",
		  1);
	send_task(recording, 200, "/evil\033[31m\xff.service", 0);
}

/* ---- asyncio's tasks ---- */

static const char *const async_names[] = {"worker\033[31m;\n", "gr\xc3\xb6\xc3\x9f", "a (b) +0x10",
					  ""};

static void send_async_names(struct recording *recording)
{
	for (uint32_t i = 0; i < array_size(async_names); i++) {
		const struct payload payload = {
		    .kind = PAYLOAD_ASYNC_TASK,
		    .async_task = {.id = 10 + i,
				   .flags = i == 1 ? ASYNC_TASK_NAME_CUT : 0,
				   .name = async_names[i],
				   .name_nr = (uint32_t)strlen(async_names[i])}};

		send_payload(recording, &payload, NULL);
	}
}

/* Each kind of task, an id that is not there, none. */
static struct py_async_task async_example(uint32_t index)
{
	static const struct py_async_task examples[] = {
	    {PY_ASYNC_NAMED, 10}, {PY_ASYNC_NAMED, 11},	    {PY_ASYNC_NUMBERED, UINT64_C(1) << 40},
	    {PY_ASYNC_NONE, 0},	  {PY_ASYNC_UNREADABLE, 0}, {PY_ASYNC_NAMED, 12},
	    {PY_ASYNC_NAMED, 13}, {PY_ASYNC_NAMED, 99},
	};

	return examples[index % array_size(examples)];
}

/* ---- Samples ---- */

/* Three Python frames in one activation, of which the last two stand before the sample in a
 * continuation when the sample is an odd one. */
static void send_sample(struct recording *recording, uint32_t index)
{
	static const struct py_frame frames[] = {{3, 12},
						 {2, 40},
						 {PY_FRAME_ENTRY, 192},
						 {1, -1},
						 {PY_FRAME_ENTRY, PY_ANCHOR_ELSEWHERE}};
	const uint64_t chain[] = {(uint64_t)PERF_CONTEXT_KERNEL, 0xffffffff81000123,
				  0xffffffff81000456, (uint64_t)PERF_CONTEXT_USER,
				  0x521d47 + index};
	const uint32_t inside_nr = index % 2 ? 3 : 5;
	struct py_stack stack = {.status = PY_STACK_COMPLETE,
				 .flags = PY_STACK_GIL_KNOWN | PY_STACK_HOLDS_GIL,
				 .frames_total = 5,
				 .frames_nr = inside_nr};
	const uint64_t time_ns = 6 * SECOND_NS + index * (SECOND_NS / 100);
	auto_strbuf struct strbuf raw = {0};
	uint64_t regs[PYREC_REGS_NR];
	uint8_t dump[512];
	struct record sample = {.type = PERF_RECORD_SAMPLE, .misc = PERF_RECORD_MISC_USER};

	if (index % 2)
		send_payload(recording,
			     &(struct payload){.kind = PAYLOAD_FRAMES,
					       .frames = {100, 100, time_ns, 3, 2, NULL}},
			     frames + 3);
	for (size_t i = 0; i < array_size(regs); i++)
		regs[i] = 0x1000 * i + index;
	for (size_t i = 0; i < sizeof(dump); i++)
		dump[i] = (uint8_t)(i * 7 + index);
	if (recording->has_async)
		stack.task = async_example(index);
	py_stack_encode(&raw, &stack, frames);
	sample.sample = (struct record_sample){.id = PERF_WRITER_EVENT_ID,
					       .ip = chain[4],
					       .pid = 100,
					       .tid = 100,
					       .time_ns = time_ns,
					       .cpu = index % 4,
					       .period = 10101010,
					       .callchain = chain,
					       .callchain_nr = array_size(chain),
					       .raw = raw.bytes,
					       .raw_bytes = (uint32_t)raw.nr,
					       .regs_abi = PERF_SAMPLE_REGS_ABI_64,
					       .regs = regs,
					       .stack = dump,
					       .stack_bytes = 8 * (index % 64)};
	send_record(recording, sample, time_ns);
}

static void send_samples(struct recording *recording, uint32_t first, uint32_t nr)
{
	for (uint32_t i = first; i < first + nr; i++)
		send_sample(recording, i);
}

static void send_end(struct recording *recording)
{
	send_record(recording, (struct record){.type = PERF_RECORD_LOST_SAMPLES, .lost = {0, 3}},
		    9 * SECOND_NS);
	send_record(
	    recording,
	    (struct record){.type = PERF_RECORD_EXIT, .task = {200, 100, 200, 100, 9 * SECOND_NS}},
	    9 * SECOND_NS);
}

/* ---- Bundle ---- */

static void make_bundle(struct strbuf *bundle)
{
	static const uint8_t eh_frame[] = {0x14, 0, 0, 0, 0, 0, 0, 0, 1, 0x7a, 0x52, 0};
	static const char names[] = "main\0PyEval_EvalCode\0_PyEval_EvalFrameDefault";
	const struct bundle_segment segments[] = {{0, 0x1000, 0x400000, 0x1000, 4},
						  {0x21000, 0x2a0000, 0x421000, 0x2a0000, 5}};
	const struct bundle_symbol symbols[] = {{0x421d00, 0x40, 0, BUNDLE_SYMBOL_GLOBAL},
						{0x521000, 0x800, 5, BUNDLE_SYMBOL_LOCAL},
						{0x521d00, 0x2000, 21, BUNDLE_SYMBOL_WEAK}};
	const struct bundle_kernel_symbol kernel[] = {{0xffffffff81000100, "do_syscall_64", ""},
						      {0xffffffff81000400, "ext4_read", "ext4"}};
	const uint64_t ends[] = {0xffffffff81000200, 0xffffffff81000800};
	struct bundle_module module = {.build_id_nr = sizeof(python_build_id),
				       .path = "/usr/bin/python3.11",
				       .is_executable_type = true,
				       .segments = segments,
				       .segments_nr = array_size(segments),
				       .eh_frame = {0x8e0518, 0x4e0518, eh_frame, sizeof(eh_frame)},
				       .symbols = symbols,
				       .symbols_nr = array_size(symbols),
				       .names = names,
				       .names_nr = sizeof(names)};

	memcpy(module.build_id, python_build_id, sizeof(python_build_id));
	check(bundle_begin(bundle), "bundle");
	check(bundle_add_module(bundle, &module), "module");
	check(bundle_add_module(bundle, &(struct bundle_module){.path = "/srv/two\nlines.so",
								.identity = {8, 1, 4711}}),
	      "module");
	check(bundle_add_kernel_symbols(bundle, kernel, ends, array_size(kernel)), "kernel");
	check(bundle_end(bundle), "bundle");
}

/* ---- The whole ---- */

static void recording_create(struct recording *recording, const struct options *options)
{
	static const char *const argv[] = {"pyrec", "record", "-F", "99", "-d", "4", NULL};
	const struct perf_writer_options writer_options = {
	    .path = options->path, .compress = !options->is_plain, .zstd_level = 3};
	const struct perf_file_facts facts = recording_facts(argv);

	recording->layout = record_layout_make(&facts.attr);
	check(perf_writer_create(&writer_options, &facts, &recording->writer), options->path);
}

static void recording_write(struct recording *recording, const struct options *options)
{
	const uint32_t first_half = options->samples_nr / 2;

	send_file_info(recording);
	send_processes(recording);
	send_tasks(recording);
	send_interpreters(recording);
	send_codes(recording);
	if (recording->has_async)
		send_async_names(recording);
	send_samples(recording, 0, first_half);
	send_losses(recording, first_half);
	check(perf_writer_checkpoint(recording->writer), "checkpoint");
	send_samples(recording, first_half, options->samples_nr - first_half);
	send_losses(recording, options->samples_nr);
	send_end(recording);
}

static void recording_finish(struct recording *recording)
{
	auto_strbuf struct strbuf bundle = {0};

	make_bundle(&bundle);
	check(perf_writer_add_build_id(recording->writer, UINT32_MAX, PERF_RECORD_MISC_USER,
				       python_build_id, sizeof(python_build_id),
				       "/usr/bin/python3.11"),
	      "build id");
	check(perf_writer_finish(recording->writer, &bundle), "finish");
}

static int options_parse(int argc, char **argv, struct options *ret)
{
	*ret = (struct options){.samples_nr = 10};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--plain") == 0)
			ret->is_plain = true;
		else if (strcmp(argv[i], "--unfinished") == 0)
			ret->is_unfinished = true;
		else if (strcmp(argv[i], "--async") == 0)
			ret->has_async = true;
		else if (strncmp(argv[i], "--samples=", 10) == 0)
			ret->samples_nr = (uint32_t)strtoul(argv[i] + 10, NULL, 10);
		else if (!ret->path)
			ret->path = argv[i];
		else
			return -EINVAL;
	}
	return ret->path ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	struct recording recording = {0};
	struct options options;

	if (options_parse(argc, argv, &options)) {
		fputs(
		    "usage: make_recording [--plain] [--unfinished] [--async] [--samples=N] FILE\n",
		    stderr);
		return 2;
	}
	recording.has_async = options.has_async;
	recording_create(&recording, &options);
	recording_write(&recording, &options);
	if (!options.is_unfinished)
		recording_finish(&recording);
	perf_writer_destroy(recording.writer);
	strbuf_deinit(&recording.bytes);
	return 0;
}
