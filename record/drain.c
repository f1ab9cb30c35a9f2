/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/drain.h"

#include <errno.h>
#include <string.h>

#include "common/vec.h"
#include "record/async_names.h"
#include "record/fault_in.h"

_Static_assert((int)PYREC_WALK_COMPLETE == (int)PY_STACK_COMPLETE &&
		   (int)PYREC_WALK_TRUNCATED == (int)PY_STACK_TRUNCATED &&
		   (int)PYREC_WALK_TORN == (int)PY_STACK_TORN &&
		   (int)PYREC_WALK_FAULTED == (int)PY_STACK_FAULTED &&
		   (int)PYREC_WALK_NO_THREAD_STATE == (int)PY_STACK_NO_THREAD_STATE &&
		   (int)PYREC_WALK_NOT_WALKED == (int)PY_STACK_NOT_WALKED,
	       "the walk's status travels as it is");
_Static_assert((int)PYREC_ASYNC_NONE == (int)PY_ASYNC_NONE &&
		   (int)PYREC_ASYNC_NAMED == (int)PY_ASYNC_NAMED &&
		   (int)PYREC_ASYNC_NUMBERED == (int)PY_ASYNC_NUMBERED &&
		   (int)PYREC_ASYNC_UNREADABLE == (int)PY_ASYNC_UNREADABLE,
	       "the kind of a task travels as it is");
_Static_assert((int)PYREC_REGS_MAX == (int)PYREC_REGS_NR, "one register for each bit of the mask");

/* Bytes of a sample record beside its stack and Python frames: header, fixed fields, chain,
 * registers. */
enum {
	SAMPLE_FIXED_BYTES = 8 + 7 * 8 + 8 * (PYREC_KERNEL_FRAMES_MAX + 3) + 8 + 8 * PYREC_REGS_NR +
			     24 + PY_STACK_HEADER_BYTES + PY_ASYNC_TASK_BYTES + 20,
	FRAMES_PER_CONTINUATION = 8000,
	FAULT_IN_PERIOD_NS = 10000000, /* thrashing shall not keep the recorder busy */
	REG_SP = 7,
	REG_IP = 8,
};

struct drain {
	struct drain_options options;
	struct drain_counts counts;
	struct address_set kernel_addresses;
	struct async_names names;
	uint64_t fault_in_ns; /* time of the sample that something was last brought back for */
	struct py_frame frames[2 * PYREC_FRAMES_MAX];
	uint32_t frames_nr;
	uint64_t chain[PYREC_KERNEL_FRAMES_MAX + 4];
	struct strbuf raw;
};

/* The parts of an event, bounds checked. */
struct sample_event {
	const struct pyrec_sample *head;
	const struct pyrec_frame *frames;
	const uint64_t *kernel;
	const uint8_t *stack;
	const uint8_t *task_name;
};

int drain_create(const struct drain_options *options, struct drain **ret)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	(*ret)->options = *options;
	return 0;
}

void drain_destroy(struct drain *drain)
{
	if (!drain)
		return;
	address_set_deinit(&drain->kernel_addresses);
	async_names_deinit(&drain->names);
	strbuf_deinit(&drain->raw);
	free(drain);
}

struct drain_counts drain_get_counts(const struct drain *drain)
{
	return drain->counts;
}

const struct address_set *drain_kernel_addresses(const struct drain *drain)
{
	return &drain->kernel_addresses;
}

/* Have paged out what the walk of @event missed brought back for the samples to come. */
static void drain_fault_in(struct drain *drain, const struct sample_event *event)
{
	const struct pyrec_sample *head = event->head;
	const struct code_layout *layout = processes_layout(drain->options.processes, head->layout);

	if (!layout || head->time_ns < drain->fault_in_ns + FAULT_IN_PERIOD_NS)
		return;
	if (head->unread) {
		drain->fault_in_ns = head->time_ns;
		if (head->flags & PYREC_SAMPLE_FRAME_UNREAD)
			fault_in_chain(head->process.tgid, &layout->walk, head->unread);
		else
			fault_in_word(head->process.tgid, head->unread);
	}
	for (uint32_t i = 0; i < head->frames_nr; i++) {
		const struct pyrec_frame *frame = &event->frames[i];

		if (frame->fingerprint || frame->instr == PYREC_INSTR_ENTRY)
			continue;
		drain->fault_in_ns = head->time_ns;
		fault_in_code(head->process.tgid, &layout->walk, frame->address);
	}
}

/* A marker's anchor as it travels: relative to the sampled SP. */
static int32_t anchor_value(uint64_t anchor, uint64_t sp)
{
	int64_t distance = (int64_t)(anchor - sp);

	return distance > INT32_MIN && distance <= INT32_MAX ? (int32_t)distance
							     : PY_ANCHOR_ELSEWHERE;
}

static void frame_put(struct drain *drain, uint32_t code_id, int32_t value)
{
	drain->frames[drain->frames_nr++] = (struct py_frame){.code_id = code_id, .value = value};
}

/*
 * BPF's frames (addresses) become the file's (code ids). A heap frame (3.10 and older) is an
 * activation of its own, whose place on the C stack is not known.
 */
static int frames_translate(struct drain *drain, const struct sample_event *event)
{
	const struct pyrec_sample *head = event->head;
	const struct code_layout *layout = processes_layout(drain->options.processes, head->layout);
	uint32_t process;
	int error;

	drain->frames_nr = 0;
	if (head->frames_nr == 0)
		return 0;
	error = code_objects_process(drain->options.codes, &head->process, &process);
	for (uint32_t i = 0; !error && i < head->frames_nr; i++) {
		const struct pyrec_frame *from = &event->frames[i];
		uint32_t code_id;

		if (from->instr == PYREC_INSTR_ENTRY) {
			frame_put(drain, PY_FRAME_ENTRY,
				  anchor_value(from->address, head->regs[REG_SP]));
			continue;
		}
		error = code_objects_get(drain->options.codes, process, head->process.tgid, from,
					 layout, &code_id);
		drain->counts.unreadable_frames_nr += code_id == PY_FRAME_UNREADABLE;
		frame_put(drain, code_id, from->instr);
		if (layout && layout->walk.is_heap_frame)
			frame_put(drain, PY_FRAME_ENTRY, PY_ANCHOR_ELSEWHERE);
	}
	return error;
}

static uint8_t stack_flags(uint32_t flags)
{
	return (uint8_t)((flags & PYREC_SAMPLE_GIL_KNOWN ? PY_STACK_GIL_KNOWN : 0) |
			 (flags & PYREC_SAMPLE_HOLDS_GIL ? PY_STACK_HOLDS_GIL : 0) |
			 (flags & PYREC_SAMPLE_STACK_CUT ? PY_STACK_USER_STACK_CUT : 0) |
			 (flags & PYREC_SAMPLE_STACK_FAULTED ? PY_STACK_USER_STACK_FAULTED : 0) |
			 (flags & PYREC_SAMPLE_KERNEL_CUT ? PY_STACK_KERNEL_STACK_CUT : 0));
}

/* Frames that do not fit the sample go before it. Return: 0 or the output's error. */
static int frames_continue(struct drain *drain, const struct pyrec_sample *head, uint32_t first)
{
	int error = 0;

	while (!error && first < drain->frames_nr) {
		struct payload payload = {.kind = PAYLOAD_FRAMES};
		uint32_t nr = drain->frames_nr - first;

		payload.frames.pid = head->process.tgid;
		payload.frames.tid = head->tid;
		payload.frames.time_ns = head->time_ns;
		payload.frames.first = first;
		payload.frames.frames_nr = nr < FRAMES_PER_CONTINUATION ? nr
									: FRAMES_PER_CONTINUATION;
		error = output_payload(drain->options.output, &payload, drain->frames + first);
		first += payload.frames.frames_nr;
	}
	return error;
}

/* Kernel part as perf writes it; without a user stack to unwind, also the user ip. */
static uint64_t chain_build(struct drain *drain, const struct sample_event *event)
{
	const struct pyrec_sample *head = event->head;
	uint64_t nr = 0;

	if (head->kernel_nr) {
		drain->chain[nr++] = PERF_CONTEXT_KERNEL;
		memcpy(drain->chain + nr, event->kernel, head->kernel_nr * sizeof(uint64_t));
		nr += head->kernel_nr;
	}
	if (head->stack_bytes == 0 && head->regs[REG_IP]) {
		drain->chain[nr++] = PERF_CONTEXT_USER;
		drain->chain[nr++] = head->regs[REG_IP];
	}
	return nr;
}

static int kernel_addresses_note(struct drain *drain, const struct sample_event *event)
{
	for (uint32_t i = 0; i < event->head->kernel_nr; i++) {
		int error = event->kernel[i]
				? address_set_add(&drain->kernel_addresses, event->kernel[i])
				: 0;

		if (error)
			return error;
	}
	return 0;
}

static int task_translate(struct drain *drain, const struct sample_event *event,
			  struct py_async_task *ret)
{
	const struct pyrec_sample *head = event->head;
	uint32_t id = 0;
	int error = 0;

	*ret = (struct py_async_task){.kind = head->task_kind};
	if (head->task_kind == PYREC_ASYNC_NUMBERED) {
		ret->value = head->task_number;
	} else if (head->task_kind == PYREC_ASYNC_NAMED) {
		error = async_names_get(&drain->names, drain->options.output, event->task_name,
					head->task_bytes, head->task_unit,
					head->flags & PYREC_SAMPLE_ASYNC_CUT, &id);
		ret->value = id;
	}
	return error;
}

static int sample_write(struct drain *drain, const struct sample_event *event)
{
	const struct pyrec_sample *head = event->head;
	struct py_stack stack = {
	    .status = head->status,
	    .flags = stack_flags(head->flags),
	    .frames_total = drain->frames_nr,
	    .frames_nr = drain->frames_nr,
	};
	size_t room = (PERF_RECORD_BYTES_MAX - SAMPLE_FIXED_BYTES - head->stack_bytes) /
		      PY_FRAME_BYTES;
	struct record record = {
	    .type = PERF_RECORD_SAMPLE,
	    .misc = head->kernel_nr ? PERF_RECORD_MISC_KERNEL : PERF_RECORD_MISC_USER,
	};
	int error;

	if (stack.frames_nr > room)
		stack.frames_nr = (uint32_t)room;
	error = frames_continue(drain, head, stack.frames_nr);
	if (!error)
		error = task_translate(drain, event, &stack.task);
	if (error)
		return error;
	strbuf_reset(&drain->raw);
	py_stack_encode(&drain->raw, &stack, drain->frames);
	record.sample = (struct record_sample){
	    .id = PERF_WRITER_EVENT_ID,
	    .ip = head->ip,
	    .pid = head->process.tgid,
	    .tid = head->tid,
	    .time_ns = head->time_ns,
	    .cpu = head->cpu,
	    .period = head->period,
	    .callchain_nr = chain_build(drain, event),
	    .callchain = drain->chain,
	    .raw = drain->raw.bytes,
	    .raw_bytes = (uint32_t)drain->raw.nr,
	    .regs_abi = head->regs[REG_SP] ? PERF_SAMPLE_REGS_ABI_64 : PERF_SAMPLE_REGS_ABI_NONE,
	    .regs = (const uint64_t *)head->regs,
	    .stack = event->stack,
	    .stack_bytes = head->stack_bytes,
	};
	return drain->raw.error ? drain->raw.error : output_record(drain->options.output, &record);
}

static int drain_sample(struct drain *drain, const void *bytes, size_t nr)
{
	struct bytes_cursor cursor = bytes_cursor_make(bytes, nr);
	struct sample_event event = {
	    .head = (const void *)bytes_take(&cursor, sizeof(*event.head))};
	int error;

	if (event.head && event.head->frames_nr <= PYREC_FRAMES_MAX &&
	    event.head->kernel_nr <= PYREC_KERNEL_FRAMES_MAX &&
	    event.head->stack_bytes <= PYREC_STACK_CAP_MAX &&
	    event.head->status <= PYREC_WALK_NOT_WALKED &&
	    event.head->task_kind <= PYREC_ASYNC_UNREADABLE) {
		event.frames = (const void *)bytes_take(&cursor, event.head->frames_nr *
								     sizeof(*event.frames));
		event.kernel = (const void *)bytes_take(&cursor, event.head->kernel_nr * 8);
		event.stack = bytes_take(&cursor, event.head->stack_bytes);
		event.task_name = bytes_take(&cursor, event.head->task_bytes);
	}
	if (!event.task_name) {
		drain->counts.damaged_nr++;
		return 0;
	}
	drain_fault_in(drain, &event);
	error = frames_translate(drain, &event);
	if (!error)
		error = kernel_addresses_note(drain, &event);
	if (!error)
		error = sample_write(drain, &event);
	if (!error) {
		drain->counts.samples_nr++;
		drain->counts.status_counts[event.head->status]++;
	}
	return error;
}

static int drain_code(struct drain *drain, const struct pyrec_code *event, size_t nr)
{
	const struct code_layout *layout =
	    nr < sizeof(*event) ? NULL : processes_layout(drain->options.processes, event->layout);
	int error = layout ? code_objects_add(drain->options.codes, event, nr, layout) : -EBADMSG;

	if (error != -EBADMSG)
		return error;
	drain->counts.damaged_nr++;
	return 0;
}

int drain_on_event(void *context, const void *event, size_t nr)
{
	struct drain *drain = context;
	uint32_t kind = 0;

	if (nr >= sizeof(kind))
		memcpy(&kind, event, sizeof(kind));
	switch (kind) {
	case PYREC_EVENT_SAMPLE:
		return drain_sample(drain, event, nr);
	case PYREC_EVENT_CODE:
		return drain_code(drain, event, nr);
	default:
		drain->counts.damaged_nr++;
		return 0;
	}
}
