/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/payload_print.h"

#include <inttypes.h>

#include "common/escape.h"
#include "common/python_version.h"

void time_print(FILE *out, uint64_t time_ns)
{
	const uint64_t second_ns = 1000000000;

	fprintf(out, "%" PRIu64 ".%09" PRIu64, time_ns / second_ns, time_ns % second_ns);
}

void version_hex_print(FILE *out, uint32_t version_hex)
{
	char version[PYTHON_VERSION_TEXT_BYTES];

	python_version_format(version_hex, version);
	fputs(version, out);
}

static void text_print(FILE *out, const char *text, uint32_t nr)
{
	escape_print(out, text, nr);
	fputc('\n', out);
}

static void hex_print(FILE *out, const uint8_t *bytes, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		fprintf(out, "%02x", bytes[i]);
	fputc('\n', out);
}

/* ---- Python frames ---- */

static void py_frame_print(FILE *out, uint32_t index, struct py_frame frame)
{
	fprintf(out, "    %" PRIu32 " ", index);
	if (frame.code_id == PY_FRAME_ENTRY && frame.value == PY_ANCHOR_ELSEWHERE)
		fputs("entry elsewhere\n", out);
	else if (frame.code_id == PY_FRAME_ENTRY)
		fprintf(out, "entry sp%+" PRId32 "\n", frame.value);
	else if (frame.code_id == PY_FRAME_UNREADABLE)
		fprintf(out, "unreadable instruction %" PRId32 "\n", frame.value);
	else
		fprintf(out, "code %" PRIu32 " instruction %" PRId32 "\n", frame.code_id,
			frame.value);
}

static void py_frames_print(FILE *out, const uint8_t *frames, uint32_t nr, uint32_t first)
{
	const struct py_stack all = {.frames = frames, .frames_nr = nr};

	for (uint32_t i = 0; i < nr; i++)
		py_frame_print(out, first + i, py_stack_frame(&all, i));
}

static void py_stack_flags_print(FILE *out, uint8_t flags)
{
	if (flags & PY_STACK_GIL_KNOWN)
		fputs(flags & PY_STACK_HOLDS_GIL ? ", holds GIL" : ", without GIL", out);
	if (flags & PY_STACK_USER_STACK_CUT)
		fputs(", user stack cut", out);
	if (flags & PY_STACK_USER_STACK_FAULTED)
		fputs(", user stack faulted", out);
	if (flags & PY_STACK_KERNEL_STACK_CUT)
		fputs(", kernel stack cut", out);
}

static void async_task_print(FILE *out, const struct py_async_task *task)
{
	switch (task->kind) {
	case PY_ASYNC_NONE:
		break;
	case PY_ASYNC_NAMED:
		fprintf(out, "    task %" PRIu64 "\n", task->value);
		break;
	case PY_ASYNC_NUMBERED:
		fprintf(out, "    task without a name, number %" PRIu64 "\n", task->value);
		break;
	case PY_ASYNC_UNREADABLE:
		fputs("    task of unreadable name\n", out);
		break;
	}
}

void py_stack_print(FILE *out, const struct py_stack *stack)
{
	fprintf(out, "  python %s, %" PRIu32 " of %" PRIu32 " frames",
		py_stack_status_name(stack->status), stack->frames_nr, stack->frames_total);
	py_stack_flags_print(out, stack->flags);
	fputc('\n', out);
	py_frames_print(out, stack->frames, stack->frames_nr, 0);
	async_task_print(out, &stack->task);
}

/* ---- Envelopes ---- */

static void file_info_print(FILE *out, const struct payload *payload)
{
	const struct payload_file_info *info = &payload->file_info;

	fputs("  pyrec ", out);
	text_print(out, info->pyrec_version, info->pyrec_version_nr);
	fprintf(out, "  sample_hz %" PRIu32 " stack_cap_bytes %" PRIu32 " all_processes %u\n",
		info->sample_hz, info->stack_cap_bytes, info->all_processes);
}

static void clock_print(FILE *out, const struct payload *payload)
{
	fputs("  monotonic ", out);
	time_print(out, payload->clock.monotonic_ns);
	fputs(" realtime ", out);
	time_print(out, payload->clock.realtime_ns);
	fputc('\n', out);
}

static void interpreter_print(FILE *out, const struct payload *payload)
{
	const struct payload_interpreter *interpreter = &payload->interpreter;

	fprintf(out, "  pid %" PRIu32 " time ", interpreter->pid);
	time_print(out, interpreter->time_ns);
	fputs(" version ", out);
	version_hex_print(out, interpreter->version_hex);
	fprintf(out, " %s\n", interpreter->status == INTERPRETER_WALKED ? "walked" : "unsupported");
	fputs("  path ", out);
	text_print(out, interpreter->path, interpreter->path_nr);
	if (interpreter->message_nr) {
		fputs("  message ", out);
		text_print(out, interpreter->message, interpreter->message_nr);
	}
	if (interpreter->name_nr) {
		fputs("  name ", out);
		text_print(out, interpreter->name, interpreter->name_nr);
	}
}

static void code_flags_print(FILE *out, uint8_t flags)
{
	static const char *const names[] = {"name", "qualname", "file", "lines"};

	for (size_t i = 0; i < array_size(names); i++)
		if (flags >> i & 1)
			fprintf(out, " %s_missing", names[i]);
	fputc('\n', out);
}

static void code_print(FILE *out, const struct payload *payload)
{
	const struct payload_code *code = &payload->code;

	fprintf(out, "  code %" PRIu32 " version ", code->code_id);
	version_hex_print(out, code->version_hex);
	fprintf(out, " first_line %" PRId32, code->first_line);
	code_flags_print(out, code->flags);
	fputs("  name ", out);
	text_print(out, code->name, code->name_nr);
	fputs("  qualname ", out);
	text_print(out, code->qualname, code->qualname_nr);
	fputs("  file ", out);
	text_print(out, code->file, code->file_nr);
	fprintf(out, "  lines %" PRIu32 " of %" PRIu32 " bytes ", code->lines_nr,
		code->lines_total);
	hex_print(out, code->lines, code->lines_nr);
}

static void code_lines_print(FILE *out, const struct payload *payload)
{
	const struct payload_code_lines *lines = &payload->code_lines;

	fprintf(out, "  code %" PRIu32 " lines at %" PRIu32 ", %" PRIu32 " bytes ", lines->code_id,
		lines->offset, lines->nr);
	hex_print(out, lines->bytes, lines->nr);
}

static void frames_print(FILE *out, const struct payload *payload)
{
	const struct payload_frames *frames = &payload->frames;

	fprintf(out, "  pid %" PRIu32 " tid %" PRIu32 " time ", frames->pid, frames->tid);
	time_print(out, frames->time_ns);
	fprintf(out, " frames %" PRIu32 " from %" PRIu32 "\n", frames->frames_nr, frames->first);
	py_frames_print(out, frames->frames, frames->frames_nr, frames->first);
}

static void losses_print(FILE *out, const struct payload *payload)
{
	const struct payload_losses *losses = &payload->losses;

	fputs("  time ", out);
	time_print(out, losses->time_ns);
	fprintf(out, " samples %" PRIu64 "\n ", losses->samples_nr);
	for (uint32_t i = 0; i < losses->reasons_nr; i++)
		fprintf(out, " %s %" PRIu64, loss_reason_name(i), losses->counts[i]);
	fputs("\n ", out);
	for (unsigned int i = 0; i < array_size(losses->status_counts); i++)
		fprintf(out, " %s %" PRIu64, py_stack_status_name(i), losses->status_counts[i]);
	fputc('\n', out);
}

static void task_print(FILE *out, const struct payload *payload)
{
	const struct payload_task *task = &payload->task;

	fprintf(out, "  pid %" PRIu32 " tid %" PRIu32 " time ", task->pid, task->tid);
	time_print(out, task->time_ns);
	fputs(" numbers", out);
	for (uint32_t i = 0; i < task->numbers_nr; i++)
		fprintf(out, " %" PRIu32, task->numbers[i]);
	fputs("\n  cgroup ", out);
	text_print(out, task->cgroup, task->cgroup_nr);
}

static void payload_async_task_print(FILE *out, const struct payload *payload)
{
	const struct payload_async_task *task = &payload->async_task;

	fprintf(out, "  task %" PRIu32 "%s\n  name ", task->id,
		task->flags & ASYNC_TASK_NAME_CUT ? " name_cut" : "");
	text_print(out, task->name, task->name_nr);
}

void payload_print(FILE *out, const struct payload *payload)
{
	static void (*const prints[])(FILE *, const struct payload *) = {
	    [PAYLOAD_FILE_INFO] = file_info_print,
	    [PAYLOAD_CLOCK] = clock_print,
	    [PAYLOAD_INTERPRETER] = interpreter_print,
	    [PAYLOAD_CODE] = code_print,
	    [PAYLOAD_CODE_LINES] = code_lines_print,
	    [PAYLOAD_FRAMES] = frames_print,
	    [PAYLOAD_LOSSES] = losses_print,
	    [PAYLOAD_TASK] = task_print,
	    [PAYLOAD_ASYNC_TASK] = payload_async_task_print,
	};

	if (payload->kind < array_size(prints) && prints[payload->kind])
		prints[payload->kind](out, payload);
}
