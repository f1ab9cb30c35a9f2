/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * unwind_file [--libunwind | --bench] FILE: the native user frames of every sample of a perf.data
 * file. One line a sample: tid, time in ns, how the walk ended, where its stack bytes end; then one
 * line a frame: its place in the file, pc, sp, cfa, flags, symbol. By libunwind: tid, time, frames
 * that it finds unaided; then the places, 1 where there is a personality routine. agree.py compares
 * them. --bench prints what a frame costs.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <asm/perf_regs.h>

#include "common/vec.h"
#include "format/bundle.h"
#include "format/reader.h"
#include "report/intake.h"
#include "report/module.h"
#include "report/timeline.h"
#include "report/unwind.h"
#include "tests/native/libunwind_walk.h"

enum { BENCH_RUNS = 5, LIBUNWIND_FRAMES_MAX = 8192 };

#define FRAME_UNMAPPED (1U << 31) /* printed with the flags: pc is in no code */

enum task { TASK_ROWS, TASK_LIBUNWIND, TASK_BENCH };

struct kept_sample {
	const struct process *process;
	const struct record_layout *layout;
	struct perf_event_header *record;
};

VEC_DEFINE(kept_samples, struct kept_sample)

struct tool {
	enum task task;
	struct perf_reader *reader;
	struct bundle *bundle;
	struct modules *modules;
	struct timeline timeline;
	struct intake intake;
	uint32_t build_ids_nr; /* of the reader's, known to timeline */
	struct unwinder *unwinder;
	struct libunwind_stepper *stepper;
	struct kept_samples kept; /* TASK_BENCH */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static const char *frame_symbol(const struct native_frame *frame)
{
	const struct mapping *mapping = frame->mapping;
	uint64_t pc = native_frame_lookup_pc(frame);
	struct symbol symbol;
	uint64_t vaddr;

	if (!mapping || !mapping->module ||
	    module_vaddr(mapping->module, pc - mapping->start + mapping->file_offset, &vaddr) ||
	    module_symbol(mapping->module, vaddr, &symbol))
		return "[unknown]";
	return symbol.name;
}

/* perf prints where in the file it is; so for what is in no file. */
static uint64_t file_offset(const struct mapping *mapping, uint64_t pc)
{
	return mapping && mapping->module ? pc - mapping->start + mapping->file_offset : pc;
}

static void print_rows(const struct native_stack *stack, const struct record_sample *sample)
{
	printf("%u %" PRIu64 " %d %" PRIx64 "\n", sample->tid, sample->time_ns, stack->end,
	       stack->nr ? stack->frames[0].sp + sample->stack_bytes : 0);
	for (uint32_t i = 0; i < stack->nr; i++) {
		const struct native_frame *frame = &stack->frames[i];

		printf("\t%" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64 " %x %s\n",
		       file_offset(frame->mapping, frame->pc), frame->pc, frame->sp, frame->cfa,
		       frame->flags | (frame->mapping ? 0 : FRAME_UNMAPPED), frame_symbol(frame));
	}
}

static int run_rows(struct tool *tool, const struct process *process, uint64_t regs_mask,
		    const struct record_sample *sample)
{
	struct native_stack stack;
	int error = unwinder_run(tool->unwinder, &process->space, regs_mask, sample, &stack);

	if (!error)
		print_rows(&stack, sample);
	return error;
}

/* Kept until all is read; then unwound in the maps that the process had at the end. */
static int keep_sample(struct tool *tool, const struct process *process,
		       const struct record_layout *layout, const struct perf_event_header *header)
{
	struct kept_sample kept = {.process = process, .layout = layout};

	kept.record = malloc(header->size);
	if (!kept.record)
		return -ENOMEM;
	memcpy(kept.record, header, header->size);
	return kept_samples_append(&tool->kept, kept);
}

static int run_bench(struct tool *tool)
{
	uint64_t best_ns = UINT64_MAX;
	uint64_t frames_nr = 0;

	for (int turn = 0; turn < BENCH_RUNS; turn++) {
		uint64_t begin_ns = now_ns();

		frames_nr = 0;
		for (size_t i = 0; i < tool->kept.nr; i++) {
			const struct kept_sample *kept = &tool->kept.items[i];
			struct native_stack stack;
			struct record record;

			if (record_decode(kept->record, kept->record->size, kept->layout,
					  &record) ||
			    unwinder_run(tool->unwinder, &kept->process->space,
					 kept->layout->sample_regs_user, &record.sample, &stack))
				return -EBADMSG;
			frames_nr += stack.nr;
		}
		if (now_ns() - begin_ns < best_ns)
			best_ns = now_ns() - begin_ns;
	}
	if (frames_nr)
		printf("%zu samples, %" PRIu64 " frames, %.1f ns a frame, %.2f us a sample\n",
		       tool->kept.nr, frames_nr, (double)best_ns / (double)frames_nr,
		       (double)best_ns / 1e3 / (double)tool->kept.nr);
	return 0;
}

static struct unwind_registers read_registers(const struct record_sample *sample,
					      uint64_t regs_mask)
{
	static const uint8_t perf_registers[DWARF_REGISTERS_NR] = {
	    PERF_REG_X86_AX,  PERF_REG_X86_DX,	PERF_REG_X86_CX,  PERF_REG_X86_BX,
	    PERF_REG_X86_SI,  PERF_REG_X86_DI,	PERF_REG_X86_BP,  PERF_REG_X86_SP,
	    PERF_REG_X86_R8,  PERF_REG_X86_R9,	PERF_REG_X86_R10, PERF_REG_X86_R11,
	    PERF_REG_X86_R12, PERF_REG_X86_R13, PERF_REG_X86_R14, PERF_REG_X86_R15,
	    PERF_REG_X86_IP,
	};
	struct unwind_registers registers = {0};

	for (unsigned int i = 0; i < DWARF_REGISTERS_NR; i++) {
		uint64_t value;

		if (sample_register(sample, regs_mask, perf_registers[i], &value) == 0)
			register_set(&registers, i, value);
	}
	return registers;
}

/*
 * A register that the leaf has popped is still said to be saved, now below the recorded stack:
 * libunwind loses it. Its second chance: the first step alone, then on from the caller with the
 * leaf's value of what the step has lost.
 */
static int walk_again(struct tool *tool, const struct process *process,
		      const struct stack_dump *dump, const struct unwind_registers *leaf,
		      struct libunwind_frame *frames)
{
	struct unwind_registers caller = *leaf;
	uint32_t lost;
	int nr;

	if (libunwind_step(tool->stepper, &process->space, dump, false, &caller) ||
	    caller.values[DWARF_RIP] == 0)
		return 0;
	lost = leaf->known & ~caller.known & DWARF_KEPT_MASK;
	for (unsigned int i = 0; i < DWARF_REGISTERS_NR; i++) {
		if (lost >> i & 1)
			register_set(&caller, i, leaf->values[i]);
	}
	frames[0] = (struct libunwind_frame){.pc = leaf->values[DWARF_RIP]};
	nr = libunwind_walk(tool->stepper, &process->space, dump, true, &caller, frames + 1,
			    LIBUNWIND_FRAMES_MAX - 1);
	return nr < 0 ? 0 : nr + 1;
}

static int run_libunwind(struct tool *tool, const struct process *process, uint64_t regs_mask,
			 const struct record_sample *sample)
{
	const struct unwind_registers registers = read_registers(sample, regs_mask);
	const struct stack_dump dump = {registers.values[DWARF_RSP], sample->stack,
					sample->stack ? sample->stack_bytes : 0};
	struct libunwind_frame plain[LIBUNWIND_FRAMES_MAX];
	struct libunwind_frame again[LIBUNWIND_FRAMES_MAX];
	const struct libunwind_frame *frames = plain;
	int plain_nr = 0;
	int nr;

	if (registers.known)
		plain_nr = libunwind_walk(tool->stepper, &process->space, &dump, false, &registers,
					  plain, LIBUNWIND_FRAMES_MAX);
	nr = registers.known ? walk_again(tool, process, &dump, &registers, again) : 0;
	if (nr > plain_nr)
		frames = again;
	else
		nr = plain_nr;
	printf("%u %" PRIu64 " %d\n", sample->tid, sample->time_ns, plain_nr);
	for (int i = 0; i < nr; i++) {
		uint64_t pc = frames[i].pc;
		const struct mapping *mapping = address_space_find(&process->space, pc - (i > 0));

		printf("\t%" PRIx64 " %d\n", file_offset(mapping, pc), frames[i].has_personality);
	}
	return 0;
}

static int take_record(struct tool *tool, const struct intake_item *item)
{
	uint32_t events_nr;
	const struct perf_reader_event *events = perf_reader_events(tool->reader, &events_nr);
	const struct record_layout *layout = &events[item->event].layout;
	const struct process *process;
	struct record record;

	if (record_decode(item->header, item->header->size, layout, &record))
		return -EBADMSG;
	if (record.type != PERF_RECORD_SAMPLE)
		return timeline_apply(&tool->timeline, &record);
	process = timeline_get(&tool->timeline, record.sample.pid);
	if (!process)
		return -ENOMEM;
	if (tool->task == TASK_BENCH)
		return keep_sample(tool, process, layout, item->header);
	if (tool->task == TASK_LIBUNWIND)
		return run_libunwind(tool, process, layout->sample_regs_user, &record.sample);
	return run_rows(tool, process, layout->sample_regs_user, &record.sample);
}

/* In pipe format the build ids come with later records. */
static int take_build_ids(struct tool *tool)
{
	uint32_t nr;
	const struct perf_build_id *build_ids = perf_reader_build_ids(tool->reader, &nr);
	int ret = timeline_add_build_ids(&tool->timeline, build_ids + tool->build_ids_nr,
					 nr - tool->build_ids_nr);

	tool->build_ids_nr = nr;
	return ret;
}

static int read_all(struct tool *tool)
{
	struct intake_item item;
	int ret = 0;
	int step;

	while (ret == 0 && (step = intake_next(&tool->intake, &item)) > 0) {
		ret = take_build_ids(tool);
		if (ret == 0 && item.kind == INTAKE_RECORD)
			ret = take_record(tool, &item);
		intake_item_release(&item);
	}
	if (ret == 0)
		ret = step;
	if (ret == 0 && tool->intake.error.code)
		ret = tool->intake.error.code;
	return ret;
}

static int tool_open(struct tool *tool, const char *path, struct read_error *read_error)
{
	struct modules_options options = {.use_local_files = true};
	const uint8_t *bytes;
	uint64_t bytes_nr;
	int error = perf_reader_open(path, &tool->reader, read_error);

	if (error)
		return error;
	bytes = perf_reader_bundle(tool->reader, &bytes_nr);
	if (bytes)
		error = bundle_open(bytes, bytes_nr, &tool->bundle);
	options.bundle = tool->bundle;
	options.os_release = perf_reader_facts(tool->reader)->os_release;
	if (!error)
		error = modules_create(&options, &tool->modules);
	if (!error)
		error = unwinder_create(&tool->unwinder);
	if (!error)
		error = libunwind_stepper_create(&tool->stepper);
	if (error)
		return error;
	timeline_init(&tool->timeline, tool->modules);
	intake_init(&tool->intake, tool->reader, false);
	return 0;
}

static void tool_close(struct tool *tool)
{
	for (size_t i = 0; i < tool->kept.nr; i++)
		free(tool->kept.items[i].record);
	kept_samples_deinit(&tool->kept);
	intake_deinit(&tool->intake);
	timeline_deinit(&tool->timeline);
	libunwind_stepper_destroy(tool->stepper);
	unwinder_destroy(tool->unwinder);
	modules_destroy(tool->modules);
	bundle_close(tool->bundle);
	perf_reader_close(tool->reader);
}

int main(int argc, char **argv)
{
	struct tool tool = {.task = TASK_ROWS};
	struct read_error read_error = {.what = "cannot be opened"};
	int error;

	if (argc == 3)
		tool.task = strcmp(argv[1], "--bench") ? TASK_LIBUNWIND : TASK_BENCH;
	if (argc < 2 || argc > 3)
		return 129;
	error = tool_open(&tool, argv[argc - 1], &read_error);
	if (error) {
		fprintf(stderr, "%s: %s: %s\n", argv[argc - 1], read_error.what, strerror(-error));
		return 1;
	}
	error = read_all(&tool);
	if (!error && tool.task == TASK_BENCH)
		error = run_bench(&tool);
	if (error)
		fprintf(stderr, "%s: %s\n", argv[argc - 1], strerror(-error));
	tool_close(&tool);
	return error ? 1 : 0;
}
