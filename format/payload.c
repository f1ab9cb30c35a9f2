/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/payload.h"

#include <errno.h>

#include "format/record.h"

enum {
	PAYLOAD_VERSION = 1,
	RECORD_HEADER_BYTES = 8,
	PAYLOAD_MAGIC_BYTES = 8,
	PAYLOAD_LENGTH_OFFSET = 20, /* of the u32 length from the start of the record */
};

/* ---- Python stack ---- */

static void py_frames_encode(struct strbuf *out, const struct py_frame *frames, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		strbuf_append_u32(out, frames[i].code_id);
		strbuf_append_u32(out, (uint32_t)frames[i].value);
	}
}

void py_stack_encode(struct strbuf *out, const struct py_stack *stack,
		     const struct py_frame *frames)
{
	strbuf_append_u32(out, PY_STACK_MAGIC);
	strbuf_append_u16(out, PY_STACK_VERSION);
	strbuf_append_u8(out, (uint8_t)stack->status);
	strbuf_append_u8(out, stack->flags | (stack->task.kind ? PY_STACK_HAS_TASK : 0));
	strbuf_append_u32(out, stack->frames_total);
	strbuf_append_u32(out, stack->frames_nr);
	py_frames_encode(out, frames, stack->frames_nr);
	if (stack->task.kind) {
		strbuf_append_u32(out, stack->task.kind);
		strbuf_append_u64(out, stack->task.value);
	}
}

static struct py_async_task async_task_take(struct bytes_cursor *cursor)
{
	uint32_t kind = bytes_get_u32(cursor);
	uint64_t value = bytes_get_u64(cursor);

	if (kind == PY_ASYNC_NAMED || kind == PY_ASYNC_NUMBERED)
		return (struct py_async_task){.kind = kind, .value = value};
	return (struct py_async_task){.kind = PY_ASYNC_UNREADABLE}; /* or of a newer writer */
}

static const uint8_t *py_frames_take(struct bytes_cursor *cursor, uint32_t nr)
{
	return bytes_take(cursor, (size_t)nr * PY_FRAME_BYTES);
}

int py_stack_decode(const void *bytes, size_t nr, struct py_stack *ret)
{
	struct bytes_cursor cursor = bytes_cursor_make(bytes, nr);
	struct py_stack stack = {0};
	uint16_t version;
	uint8_t status;

	if (bytes_get_u32(&cursor) != PY_STACK_MAGIC)
		return -ENOENT;
	version = bytes_get_u16(&cursor);
	status = bytes_get_u8(&cursor);
	stack.status = status;
	stack.flags = bytes_get_u8(&cursor);
	stack.frames_total = bytes_get_u32(&cursor);
	stack.frames_nr = bytes_get_u32(&cursor);
	stack.frames = py_frames_take(&cursor, stack.frames_nr);
	if (stack.flags & PY_STACK_HAS_TASK)
		stack.task = async_task_take(&cursor);
	if (cursor.failed || version != PY_STACK_VERSION || status > PY_STACK_NOT_WALKED ||
	    stack.frames_nr > stack.frames_total)
		return -EBADMSG;
	*ret = stack;
	return 0;
}

struct py_frame py_stack_frame(const struct py_stack *stack, uint32_t index)
{
	struct bytes_cursor cursor = bytes_cursor_make(
	    stack->frames + (size_t)index * PY_FRAME_BYTES, PY_FRAME_BYTES);
	struct py_frame frame;

	frame.code_id = bytes_get_u32(&cursor);
	frame.value = (int32_t)bytes_get_u32(&cursor);
	return frame;
}

void py_stack_frames(const struct py_stack *stack, struct py_frame *ret)
{
	_Static_assert(sizeof(*ret) == PY_FRAME_BYTES, "in memory as in the file");
	if (stack->frames_nr)
		memcpy(ret, stack->frames, (size_t)stack->frames_nr * PY_FRAME_BYTES);
}

const char *py_stack_status_name(unsigned int status)
{
	static const char *const names[] = {
	    [PY_STACK_COMPLETE] = "complete",
	    [PY_STACK_TRUNCATED] = "truncated",
	    [PY_STACK_TORN] = "torn",
	    [PY_STACK_FAULTED] = "faulted",
	    [PY_STACK_NO_THREAD_STATE] = "no_thread_state",
	    [PY_STACK_NOT_WALKED] = "not_walked",
	};

	return status < array_size(names) ? names[status] : NULL;
}

/* ---- Losses ---- */

struct loss_row {
	const char *name;
	const char *text;
};

static const struct loss_row loss_rows[LOSS_REASONS_NR] = {
    [LOSS_RING_FULL] = {"ring_full", "samples: the ring buffer was full"},
    [LOSS_SIDEBAND] = {"sideband", "records of maps, forks, names and exits lost by the kernel"},
    [LOSS_NO_MEMORY_MAP] = {"no_memory_map", "samples of tasks that were exiting"},
    [LOSS_SCRATCH_BUSY] = {"scratch_busy", "samples: the tick hit another sample being taken"},
    [LOSS_CODE_RING_FULL] = {"code_ring_full", "code objects put off: their ring was full"},
    [LOSS_CODE_UNREADABLE] = {"code_unreadable", "frames whose code object was unreadable"},
    [LOSS_TAIL_CALL] = {"tail_call", "samples: a part of the BPF program was not entered"},
    [LOSS_WRITE_FAILED] = {"write_failed", "records that could not be written"},
};

const char *loss_reason_name(unsigned int reason)
{
	return reason < LOSS_REASONS_NR ? loss_rows[reason].name : NULL;
}

const char *loss_reason_text(unsigned int reason)
{
	return reason < LOSS_REASONS_NR ? loss_rows[reason].text : NULL;
}

/* ---- One encoder and one decoder for each kind ---- */

static void file_info_encode(struct strbuf *out, const struct payload *payload,
			     const struct py_frame *frames __attribute__((unused)))
{
	const struct payload_file_info *info = &payload->file_info;

	strbuf_append_u32(out, info->sample_hz);
	strbuf_append_u32(out, info->stack_cap_bytes);
	strbuf_append_u32(out, info->all_processes);
	strbuf_append_string(out, info->pyrec_version, info->pyrec_version_nr);
}

static void file_info_decode(struct bytes_cursor *cursor, struct payload *ret)
{
	struct payload_file_info *info = &ret->file_info;

	info->sample_hz = bytes_get_u32(cursor);
	info->stack_cap_bytes = bytes_get_u32(cursor);
	info->all_processes = bytes_get_u32(cursor) != 0;
	info->pyrec_version = bytes_get_string(cursor, &info->pyrec_version_nr);
}

static void clock_encode(struct strbuf *out, const struct payload *payload,
			 const struct py_frame *frames __attribute__((unused)))
{
	strbuf_append_u64(out, payload->clock.monotonic_ns);
	strbuf_append_u64(out, payload->clock.realtime_ns);
}

static void clock_decode(struct bytes_cursor *cursor, struct payload *ret)
{
	ret->clock.monotonic_ns = bytes_get_u64(cursor);
	ret->clock.realtime_ns = bytes_get_u64(cursor);
}

static void interpreter_encode(struct strbuf *out, const struct payload *payload,
			       const struct py_frame *frames __attribute__((unused)))
{
	const struct payload_interpreter *interpreter = &payload->interpreter;

	strbuf_append_u64(out, interpreter->time_ns);
	strbuf_append_u32(out, interpreter->pid);
	strbuf_append_u32(out, interpreter->version_hex);
	strbuf_append_u32(out, interpreter->status);
	strbuf_append_string(out, interpreter->path, interpreter->path_nr);
	strbuf_append_string(out, interpreter->message, interpreter->message_nr);
	strbuf_append_string(out, interpreter->name, interpreter->name_nr);
}

static void interpreter_decode(struct bytes_cursor *cursor, struct payload *ret)
{
	struct payload_interpreter *interpreter = &ret->interpreter;
	uint32_t status;

	interpreter->time_ns = bytes_get_u64(cursor);
	interpreter->pid = bytes_get_u32(cursor);
	interpreter->version_hex = bytes_get_u32(cursor);
	status = bytes_get_u32(cursor);
	if (status > INTERPRETER_UNSUPPORTED)
		cursor->failed = true;
	interpreter->status = (uint8_t)status;
	interpreter->path = bytes_get_string(cursor, &interpreter->path_nr);
	interpreter->message = bytes_get_string(cursor, &interpreter->message_nr);
	interpreter->name = "";
	if (ret->version > PAYLOAD_VERSION)
		interpreter->name = bytes_get_string(cursor, &interpreter->name_nr);
}

static void code_encode(struct strbuf *out, const struct payload *payload,
			const struct py_frame *frames __attribute__((unused)))
{
	const struct payload_code *code = &payload->code;

	strbuf_append_u32(out, code->code_id);
	strbuf_append_u32(out, code->version_hex);
	strbuf_append_u32(out, (uint32_t)code->first_line);
	strbuf_append_u32(out, code->flags);
	strbuf_append_u32(out, code->lines_total);
	strbuf_append_string(out, code->name, code->name_nr);
	strbuf_append_string(out, code->qualname, code->qualname_nr);
	strbuf_append_string(out, code->file, code->file_nr);
	strbuf_append_string(out, (const char *)code->lines, code->lines_nr);
}

static void code_decode(struct bytes_cursor *cursor, struct payload *ret)
{
	struct payload_code *code = &ret->code;

	code->code_id = bytes_get_u32(cursor);
	code->version_hex = bytes_get_u32(cursor);
	code->first_line = (int32_t)bytes_get_u32(cursor);
	code->flags = (uint8_t)bytes_get_u32(cursor);
	code->lines_total = bytes_get_u32(cursor);
	code->name = bytes_get_string(cursor, &code->name_nr);
	code->qualname = bytes_get_string(cursor, &code->qualname_nr);
	code->file = bytes_get_string(cursor, &code->file_nr);
	code->lines = (const uint8_t *)bytes_get_string(cursor, &code->lines_nr);
	if (code->code_id >= PY_FRAME_UNREADABLE || code->lines_nr > code->lines_total)
		cursor->failed = true;
}

static void code_lines_encode(struct strbuf *out, const struct payload *payload,
			      const struct py_frame *frames __attribute__((unused)))
{
	const struct payload_code_lines *lines = &payload->code_lines;

	strbuf_append_u32(out, lines->code_id);
	strbuf_append_u32(out, lines->offset);
	strbuf_append_string(out, (const char *)lines->bytes, lines->nr);
}

static void code_lines_decode(struct bytes_cursor *cursor, struct payload *ret)
{
	struct payload_code_lines *lines = &ret->code_lines;

	lines->code_id = bytes_get_u32(cursor);
	lines->offset = bytes_get_u32(cursor);
	lines->bytes = (const uint8_t *)bytes_get_string(cursor, &lines->nr);
	if (lines->nr > UINT32_MAX - lines->offset)
		cursor->failed = true;
}

static void frames_encode(struct strbuf *out, const struct payload *payload,
			  const struct py_frame *frames)
{
	const struct payload_frames *continuation = &payload->frames;

	strbuf_append_u32(out, continuation->pid);
	strbuf_append_u32(out, continuation->tid);
	strbuf_append_u64(out, continuation->time_ns);
	strbuf_append_u32(out, continuation->first);
	strbuf_append_u32(out, continuation->frames_nr);
	py_frames_encode(out, frames, continuation->frames_nr);
}

static void frames_decode(struct bytes_cursor *cursor, struct payload *ret)
{
	struct payload_frames *continuation = &ret->frames;

	continuation->pid = bytes_get_u32(cursor);
	continuation->tid = bytes_get_u32(cursor);
	continuation->time_ns = bytes_get_u64(cursor);
	continuation->first = bytes_get_u32(cursor);
	continuation->frames_nr = bytes_get_u32(cursor);
	continuation->frames = py_frames_take(cursor, continuation->frames_nr);
}

static void losses_encode(struct strbuf *out, const struct payload *payload,
			  const struct py_frame *frames __attribute__((unused)))
{
	const struct payload_losses *losses = &payload->losses;

	strbuf_append_u64(out, losses->time_ns);
	strbuf_append_u64(out, losses->samples_nr);
	strbuf_append_u32(out, LOSS_REASONS_NR);
	strbuf_append_u32(out, array_size(losses->status_counts));
	for (size_t i = 0; i < LOSS_REASONS_NR; i++)
		strbuf_append_u64(out, losses->counts[i]);
	for (size_t i = 0; i < array_size(losses->status_counts); i++)
		strbuf_append_u64(out, losses->status_counts[i]);
}

/* Counters of a newer writer beyond those known here are passed over. */
static uint32_t counters_decode(struct bytes_cursor *cursor, uint32_t nr, uint64_t *counts,
				uint32_t known_nr)
{
	struct bytes_cursor counters = bytes_cursor_make(bytes_take(cursor, (size_t)nr * 8),
							 (size_t)nr * 8);

	if (nr > known_nr)
		nr = known_nr;
	for (uint32_t i = 0; i < nr; i++)
		counts[i] = bytes_get_u64(&counters);
	return nr;
}

static void losses_decode(struct bytes_cursor *cursor, struct payload *ret)
{
	struct payload_losses *losses = &ret->losses;
	uint32_t reasons_nr;
	uint32_t statuses_nr;

	losses->time_ns = bytes_get_u64(cursor);
	losses->samples_nr = bytes_get_u64(cursor);
	reasons_nr = bytes_get_u32(cursor);
	statuses_nr = bytes_get_u32(cursor);
	losses->reasons_nr = counters_decode(cursor, reasons_nr, losses->counts, LOSS_REASONS_NR);
	counters_decode(cursor, statuses_nr, losses->status_counts,
			array_size(losses->status_counts));
}

static void task_encode(struct strbuf *out, const struct payload *payload,
			const struct py_frame *frames __attribute__((unused)))
{
	const struct payload_task *task = &payload->task;

	strbuf_append_u64(out, task->time_ns);
	strbuf_append_u32(out, task->pid);
	strbuf_append_u32(out, task->tid);
	strbuf_append_string(out, task->cgroup, task->cgroup_nr);
	strbuf_append_u32(out, task->numbers_nr);
	for (uint32_t i = 0; i < task->numbers_nr; i++)
		strbuf_append_u32(out, task->numbers[i]);
}

static void task_decode(struct bytes_cursor *cursor, struct payload *ret)
{
	struct payload_task *task = &ret->task;

	task->time_ns = bytes_get_u64(cursor);
	task->pid = bytes_get_u32(cursor);
	task->tid = bytes_get_u32(cursor);
	task->cgroup = bytes_get_string(cursor, &task->cgroup_nr);
	task->numbers_nr = bytes_get_u32(cursor);
	if (task->numbers_nr > TASK_NUMBERS_MAX) {
		cursor->failed = true;
		return;
	}
	for (uint32_t i = 0; i < task->numbers_nr; i++)
		task->numbers[i] = bytes_get_u32(cursor);
}

static void async_task_encode(struct strbuf *out, const struct payload *payload,
			      const struct py_frame *frames __attribute__((unused)))
{
	const struct payload_async_task *task = &payload->async_task;

	strbuf_append_u32(out, task->id);
	strbuf_append_u32(out, task->flags);
	strbuf_append_string(out, task->name, task->name_nr);
}

static void async_task_decode(struct bytes_cursor *cursor, struct payload *ret)
{
	struct payload_async_task *task = &ret->async_task;

	task->id = bytes_get_u32(cursor);
	task->flags = bytes_get_u32(cursor);
	task->name = bytes_get_string(cursor, &task->name_nr);
}

struct payload_row {
	const char *name;
	void (*encode)(struct strbuf *out, const struct payload *payload,
		       const struct py_frame *frames);
	void (*decode)(struct bytes_cursor *cursor, struct payload *ret);
	uint16_t additions_nr; /* times that fields were added at the end */
};

static const struct payload_row payload_rows[] = {
    [PAYLOAD_FILE_INFO] = {"FILE_INFO", file_info_encode, file_info_decode},
    [PAYLOAD_CLOCK] = {"CLOCK", clock_encode, clock_decode},
    [PAYLOAD_INTERPRETER] = {"INTERPRETER", interpreter_encode, interpreter_decode, 1},
    [PAYLOAD_CODE] = {"CODE", code_encode, code_decode},
    [PAYLOAD_CODE_LINES] = {"CODE_LINES", code_lines_encode, code_lines_decode},
    [PAYLOAD_FRAMES] = {"FRAMES", frames_encode, frames_decode},
    [PAYLOAD_LOSSES] = {"LOSSES", losses_encode, losses_decode},
    [PAYLOAD_TASK] = {"TASK", task_encode, task_decode},
    [PAYLOAD_ASYNC_TASK] = {"ASYNC_TASK", async_task_encode, async_task_decode},
};

static const struct payload_row *payload_row_find(unsigned int kind)
{
	if (kind >= array_size(payload_rows) || !payload_rows[kind].name)
		return NULL;
	return &payload_rows[kind];
}

const char *payload_kind_name(unsigned int kind)
{
	const struct payload_row *row = payload_row_find(kind);

	return row ? row->name : NULL;
}

/* ---- Envelope ---- */

static void strbuf_store_little_endian(struct strbuf *out, size_t at, uint32_t value, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		out->bytes[at + i] = (char)(value >> (8 * i));
}

static int payload_seal(struct strbuf *out, size_t start)
{
	size_t length = out->nr - start - PAYLOAD_LENGTH_OFFSET - 4;
	size_t bytes;

	if (out->nr - start < PAYLOAD_RECORD_BYTES_MIN)
		strbuf_append_zeros(out, PAYLOAD_RECORD_BYTES_MIN - (out->nr - start));
	strbuf_append_zeros(out, -(out->nr - start) & 7);
	if (out->error)
		return out->error;
	bytes = out->nr - start;
	if (bytes > PERF_RECORD_BYTES_MAX)
		return -E2BIG;
	strbuf_store_little_endian(out, start + 6, (uint32_t)bytes, 2);
	strbuf_store_little_endian(out, start + PAYLOAD_LENGTH_OFFSET, (uint32_t)length, 4);
	return 0;
}

int payload_encode(struct strbuf *out, const struct payload *payload, const struct py_frame *frames)
{
	const struct payload_row *row = payload_row_find(payload->kind);
	size_t start = out->nr;
	int ret;

	if (!row)
		return -EINVAL;
	strbuf_append_u32(out, PAYLOAD_RECORD_TYPE);
	strbuf_append_u32(out, 0); /* misc, size */
	strbuf_append(out, PAYLOAD_MAGIC, PAYLOAD_MAGIC_BYTES);
	strbuf_append_u16(out, (uint16_t)payload->kind);
	strbuf_append_u16(out, (uint16_t)(PAYLOAD_VERSION + row->additions_nr));
	strbuf_append_u32(out, 0); /* length */
	row->encode(out, payload, frames);
	ret = payload_seal(out, start);
	if (ret == -E2BIG)
		strbuf_truncate(out, start);
	return ret;
}

int payload_decode(const void *bytes, size_t nr, struct payload *ret)
{
	struct bytes_cursor envelope = bytes_cursor_make(bytes, nr);
	const uint8_t *magic = bytes_take(&envelope, PAYLOAD_MAGIC_BYTES);
	const struct payload_row *row;
	struct bytes_cursor cursor;
	uint16_t version;
	uint32_t length;

	*ret = (struct payload){0};
	if (!magic || memcmp(magic, PAYLOAD_MAGIC, PAYLOAD_MAGIC_BYTES) != 0)
		return -ENOENT;
	ret->kind = bytes_get_u16(&envelope);
	version = bytes_get_u16(&envelope);
	length = bytes_get_u32(&envelope);
	cursor = bytes_cursor_make(bytes_take(&envelope, length), length);
	ret->version = version;
	if (envelope.failed || version < PAYLOAD_VERSION)
		return -EBADMSG;
	row = payload_row_find(ret->kind);
	if (!row)
		return -ENOENT;
	row->decode(&cursor, ret);
	return cursor.failed ? -EBADMSG : 0;
}
