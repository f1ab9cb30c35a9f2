/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A drain that writes a file to read back, and events made by hand, as BPF submits them. The
 * process table is played by this file, so one source of a program includes it.
 */
#ifndef PYREC_TESTS_DRAIN_BENCH_H
#define PYREC_TESTS_DRAIN_BENCH_H

#include <linux/types.h>

#include "record/drain.h"
#include "record/layouts.h"
#include "tests/unit/recording_fixture.h"

enum { PID = 0x7ffffffe, TID = 0x7fffffff, VERSION = 0x030c01f0, REG_SP = 7, REG_IP = 8 };

#define SP UINT64_C(0x7ffd00001000)

/* Stand in for the process table: one layout, number 0, which no process has (so nothing is read
 * from one). */
const struct code_layout *processes_layout(const struct processes *processes, uint32_t index)
{
	static struct code_layout layout;
	struct python_layout found;

	(void)processes;
	assert_int_equal(python_layout_find(VERSION, NULL, 0, &found), 0);
	layout = (struct code_layout){.walk = found.walk, .version_hex = VERSION};
	return index == 0 ? &layout : NULL;
}

struct bench {
	struct recording recording;
	struct code_objects *codes;
	struct drain *drain;
};

static inline int on_code(void *context, const struct payload_code *code)
{
	struct bench *bench = context;

	return output_code(&bench->recording.output, code);
}

static inline void bench_begin(struct bench *bench)
{
	const struct code_objects_options code_options = {.on_code = on_code, .context = bench};
	struct drain_options options = {.output = &bench->recording.output};

	recording_begin(&bench->recording);
	assert_int_equal(code_objects_create(&code_options, &bench->codes), 0);
	options.codes = bench->codes;
	assert_int_equal(drain_create(&options, &bench->drain), 0);
}

static inline void bench_end(struct bench *bench)
{
	drain_destroy(bench->drain);
	code_objects_destroy(bench->codes);
	recording_end(&bench->recording);
}

/* ---- Events ---- */

static inline struct pyrec_sample sample_head(void)
{
	struct pyrec_sample head = {
	    .kind = PYREC_EVENT_SAMPLE,
	    .tid = TID,
	    .process = {.tgid = PID, .start_boottime_ns = 5, .exec_id = 1},
	    .time_ns = 123456789,
	    .ip = 0x401234,
	    .period = 1001,
	    .cpu = 3,
	};

	for (unsigned int i = 0; i < PYREC_REGS_MAX; i++)
		head.regs[i] = UINT64_C(0x1111000000000000) + i;
	head.regs[REG_SP] = SP;
	head.regs[REG_IP] = 0x401234;
	return head;
}

struct event {
	struct pyrec_sample head;
	const struct pyrec_frame *frames;
	const uint64_t *kernel;
	const uint8_t *stack;
	const void *task_name;
};

/* Its bytes in a block of exactly that size. */
static inline void *event_bytes(const struct event *event, size_t *nr)
{
	struct strbuf bytes = {0};
	void *exact;

	strbuf_append(&bytes, &event->head, sizeof(event->head));
	strbuf_append(&bytes, event->frames, event->head.frames_nr * sizeof(*event->frames));
	strbuf_append(&bytes, event->kernel, event->head.kernel_nr * 8);
	strbuf_append(&bytes, event->stack, event->head.stack_bytes);
	strbuf_append(&bytes, event->task_name, event->head.task_bytes);
	*nr = bytes.nr;
	exact = malloc(bytes.nr);
	assert_non_null(exact);
	memcpy(exact, bytes.bytes, bytes.nr);
	strbuf_deinit(&bytes);
	return exact;
}

static inline int event_drain(struct bench *bench, const struct event *event)
{
	size_t nr;
	auto_free void *bytes = event_bytes(event, &nr);

	return drain_on_event(bench->drain, bytes, nr);
}

#endif
