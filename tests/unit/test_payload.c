/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "format/payload.h"

enum { RECORD_HEADER_BYTES = 8 };

static const struct py_frame frames[] = {
    {7, 12}, {PY_FRAME_UNREADABLE, -1}, {PY_FRAME_ENTRY, PY_ANCHOR_ELSEWHERE}};

/* ---- Python stack ---- */

/* As Documentation/pyrec.data.5.adoc has it, written by hand. */
static const uint8_t stack_image[] = {'P',  'Y',  'F',	'R',  1,    0,	  3,	0x03, 9,    0,
				      0,    0,	  3,	0,    0,    0,	  7,	0,    0,    0,
				      12,   0,	  0,	0,    0xfe, 0xff, 0xff, 0xff, 0xff, 0xff,
				      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,	0,    0,    0x80};

static void test_stack_encode(void **state)
{
	const struct py_stack stack = {.status = PY_STACK_FAULTED,
				       .flags = PY_STACK_GIL_KNOWN | PY_STACK_HOLDS_GIL,
				       .frames_total = 9,
				       .frames_nr = 3};
	auto_strbuf struct strbuf out = {0};

	(void)state;
	py_stack_encode(&out, &stack, frames);
	assert_int_equal(out.nr, sizeof(stack_image));
	assert_memory_equal(out.bytes, stack_image, sizeof(stack_image));
}

static void test_stack_decode(void **state)
{
	struct py_stack stack;

	(void)state;
	assert_int_equal(py_stack_decode(stack_image, sizeof(stack_image), &stack), 0);
	assert_int_equal(stack.status, PY_STACK_FAULTED);
	assert_int_equal(stack.flags, 3);
	assert_int_equal(stack.frames_total, 9);
	assert_int_equal(stack.frames_nr, 3);
	for (uint32_t i = 0; i < 3; i++) {
		const struct py_frame frame = py_stack_frame(&stack, i);

		assert_true(frame.code_id == frames[i].code_id);
		assert_int_equal(frame.value, frames[i].value);
	}
}

static void test_stack_padding_is_allowed(void **state)
{
	uint8_t padded[sizeof(stack_image) + 4] = {0};
	struct py_stack stack;

	(void)state;
	memcpy(padded, stack_image, sizeof(stack_image));
	assert_int_equal(py_stack_decode(padded, sizeof(padded), &stack), 0);
	assert_int_equal(stack.frames_nr, 3);
}

static int decode_changed(size_t at, uint8_t value)
{
	uint8_t image[sizeof(stack_image)];
	struct py_stack stack;

	memcpy(image, stack_image, sizeof(image));
	image[at] = value;
	return py_stack_decode(image, sizeof(image), &stack);
}

static void test_stack_damaged(void **state)
{
	(void)state;
	assert_int_equal(decode_changed(0, 'Q'), -ENOENT);
	assert_int_equal(decode_changed(4, 2), -EBADMSG);     /* version */
	assert_int_equal(decode_changed(6, 6), -EBADMSG);     /* status */
	assert_int_equal(decode_changed(8, 2), -EBADMSG);     /* fewer in all than here */
	assert_int_equal(decode_changed(12, 4), -EBADMSG);    /* more than there are bytes */
	assert_int_equal(decode_changed(15, 0x20), -EBADMSG); /* 8 times it overflows 32 bits */
}

/* A task behind the frames, by hand as the page has it: kind 2, number 0x0102030405060708. */
static const uint8_t task_image[] = {'P', 'Y', 'F', 'R', 1, 0, 0, 0x20, 0, 0, 0, 0, 0, 0,
				     0,	  0,   2,   0,	 0, 0, 8, 7,	6, 5, 4, 3, 2, 1};

static void test_stack_task(void **state)
{
	const struct py_stack stack = {
	    .task = {.kind = PY_ASYNC_NUMBERED, .value = UINT64_C(0x0102030405060708)}};
	auto_strbuf struct strbuf out = {0};
	struct py_stack got;

	(void)state;
	py_stack_encode(&out, &stack, NULL);
	assert_int_equal(out.nr, sizeof(task_image));
	assert_memory_equal(out.bytes, task_image, sizeof(task_image));
	assert_int_equal(py_stack_decode(task_image, sizeof(task_image), &got), 0);
	assert_int_equal(got.task.kind, PY_ASYNC_NUMBERED);
	assert_true(got.task.value == UINT64_C(0x0102030405060708));
	for (size_t nr = PY_STACK_HEADER_BYTES; nr < sizeof(task_image); nr++)
		assert_int_equal(py_stack_decode(task_image, nr, &got), -EBADMSG);
	assert_int_equal(py_stack_decode(stack_image, sizeof(stack_image), &got), 0);
	assert_int_equal(got.task.kind, PY_ASYNC_NONE);
}

/* Of a newer writer: a task, but not one that can be named. */
static void test_task_of_unknown_kind(void **state)
{
	static const uint8_t kinds[] = {0, 3, 4, 255};
	uint8_t image[sizeof(task_image)];
	struct py_stack got;

	(void)state;
	memcpy(image, task_image, sizeof(image));
	for (size_t i = 0; i < array_size(kinds); i++) {
		image[PY_STACK_HEADER_BYTES] = kinds[i];
		assert_int_equal(py_stack_decode(image, sizeof(image), &got), 0);
		assert_int_equal(got.task.kind, PY_ASYNC_UNREADABLE);
	}
}

static void test_stack_cut_anywhere(void **state)
{
	(void)state;
	for (size_t nr = 0; nr < sizeof(stack_image); nr++) {
		uint8_t *cut = malloc(nr + 1);
		struct py_stack stack;

		assert_non_null(cut);
		memcpy(cut + 1, stack_image, nr);
		assert_int_equal(py_stack_decode(cut + 1, nr, &stack), nr < 4 ? -ENOENT : -EBADMSG);
		free(cut);
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(py_stack_status_name(PY_STACK_TORN), "torn");
	assert_null(py_stack_status_name(6));
	assert_string_equal(payload_kind_name(PAYLOAD_LOSSES), "LOSSES");
	assert_null(payload_kind_name(0));
	assert_null(payload_kind_name(10));
	for (unsigned int i = 0; i < LOSS_REASONS_NR; i++) {
		assert_non_null(loss_reason_name(i));
		assert_non_null(loss_reason_text(i));
	}
	assert_null(loss_reason_name(LOSS_REASONS_NR));
	assert_null(loss_reason_text(LOSS_REASONS_NR));
}

/* ---- Envelopes ---- */

static const uint8_t lines[] = {0xf0, 0x03, 0x01};

static const struct payload examples[] = {
    {.kind = PAYLOAD_FILE_INFO, .file_info = {"0.1", 3, 99, 61440, 1}},
    {.kind = PAYLOAD_CLOCK, .clock = {5, 1700000000000000000}},
    {.kind = PAYLOAD_INTERPRETER,
     .interpreter = {6, 100, 0x030b07f0, INTERPRETER_UNSUPPORTED, "/p", 2, "no", 2, "PyPy 7.3.11",
		     11}},
    {.kind = PAYLOAD_CODE,
     .code = {7, 0x030b07f0, -3, CODE_LINES_MISSING, "n", 1, "q.n", 3, "f.py", 4, 9, lines, 3}},
    {.kind = PAYLOAD_CODE_LINES, .code_lines = {7, 3, lines, 3}},
    {.kind = PAYLOAD_FRAMES, .frames = {100, 101, 8, 500, 3, NULL}},
    {.kind = PAYLOAD_LOSSES, .losses = {9, 10, 0, {1, 2, 3, 4, 5, 6, 7, 8}, {6, 5, 4, 3, 2, 1}}},
    {.kind = PAYLOAD_TASK, .task = {11, 100, 101, "/a", 2, 3, {101, 7, 1}}},
    {.kind = PAYLOAD_ASYNC_TASK, .async_task = {12, ASYNC_TASK_NAME_CUT, "worker", 6}},
};

static void encode(struct strbuf *out, const struct payload *payload)
{
	strbuf_reset(out);
	assert_int_equal(payload_encode(out, payload, frames), 0);
}

static int decode(const struct strbuf *out, struct payload *ret)
{
	return payload_decode(out->bytes + RECORD_HEADER_BYTES, out->nr - RECORD_HEADER_BYTES, ret);
}

/* What stock perf 6.1 to 7.2 accepts as a record of the dead type. */
static void test_envelope_form(void **state)
{
	auto_strbuf struct strbuf out = {0};

	(void)state;
	for (size_t i = 0; i < array_size(examples); i++) {
		encode(&out, &examples[i]);
		assert_memory_equal(out.bytes, "\x41\0\0\0\0\0", 6);
		assert_int_equal((uint8_t)out.bytes[6] | (uint8_t)out.bytes[7] << 8, out.nr);
		assert_memory_equal(out.bytes + 8, "PYREC\0\0\1", 8);
		assert_int_equal((uint8_t)out.bytes[16], examples[i].kind);
		assert_true(out.nr >= 80);
		assert_int_equal(out.nr % 8, 0);
	}
}

static void decode_example(size_t index, struct strbuf *out, struct payload *ret)
{
	encode(out, &examples[index]);
	assert_int_equal(decode(out, ret), 0);
	assert_int_equal(ret->kind, examples[index].kind);
}

static void test_small_kinds(void **state)
{
	auto_strbuf struct strbuf out = {0};
	struct payload got;

	(void)state;
	decode_example(0, &out, &got);
	assert_int_equal(got.file_info.pyrec_version_nr, 3);
	assert_memory_equal(got.file_info.pyrec_version, "0.1", 3);
	assert_int_equal(got.file_info.sample_hz, 99);
	assert_int_equal(got.file_info.stack_cap_bytes, 61440);
	assert_int_equal(got.file_info.all_processes, 1);
	decode_example(1, &out, &got);
	assert_true(got.clock.monotonic_ns == 5);
	assert_true(got.clock.realtime_ns == 1700000000000000000);
	decode_example(2, &out, &got);
	assert_true(got.interpreter.time_ns == 6);
	assert_int_equal(got.interpreter.pid, 100);
	assert_int_equal(got.interpreter.version_hex, 0x030b07f0);
	assert_int_equal(got.interpreter.status, INTERPRETER_UNSUPPORTED);
	assert_memory_equal(got.interpreter.path, "/p", 2);
	assert_memory_equal(got.interpreter.message, "no", 2);
	assert_int_equal(got.version, 2);
	assert_int_equal(got.interpreter.name_nr, 11);
	assert_memory_equal(got.interpreter.name, "PyPy 7.3.11", 11);
}

static void test_code_kinds(void **state)
{
	auto_strbuf struct strbuf out = {0};
	struct payload got;

	(void)state;
	decode_example(3, &out, &got);
	assert_int_equal(got.code.code_id, 7);
	assert_int_equal(got.code.first_line, -3);
	assert_int_equal(got.code.flags, CODE_LINES_MISSING);
	assert_int_equal(got.code.name_nr, 1);
	assert_memory_equal(got.code.qualname, "q.n", 3);
	assert_memory_equal(got.code.file, "f.py", 4);
	assert_int_equal(got.code.lines_total, 9);
	assert_int_equal(got.code.lines_nr, 3);
	assert_memory_equal(got.code.lines, lines, 3);
	decode_example(4, &out, &got);
	assert_int_equal(got.code_lines.offset, 3);
	assert_memory_equal(got.code_lines.bytes, lines, 3);
	decode_example(5, &out, &got);
	assert_int_equal(got.frames.tid, 101);
	assert_int_equal(got.frames.first, 500);
	assert_int_equal(got.frames.frames_nr, 3);
	assert_memory_equal(got.frames.frames, stack_image + PY_STACK_HEADER_BYTES, 24);
}

static void test_async_task(void **state)
{
	const size_t last = array_size(examples) - 1;
	auto_strbuf struct strbuf out = {0};
	struct payload got;

	(void)state;
	decode_example(last, &out, &got);
	assert_int_equal(got.kind, PAYLOAD_ASYNC_TASK);
	assert_int_equal(got.async_task.id, 12);
	assert_int_equal(got.async_task.flags, ASYNC_TASK_NAME_CUT);
	assert_int_equal(got.async_task.name_nr, 6);
	assert_memory_equal(got.async_task.name, "worker", 6);
}

static void test_losses(void **state)
{
	auto_strbuf struct strbuf out = {0};
	struct payload got;

	(void)state;
	decode_example(6, &out, &got);
	assert_int_equal(got.losses.reasons_nr, LOSS_REASONS_NR);
	assert_memory_equal(got.losses.counts, examples[6].losses.counts,
			    sizeof(got.losses.counts));
	assert_memory_equal(got.losses.status_counts, examples[6].losses.status_counts,
			    sizeof(got.losses.status_counts));
}

static void test_task(void **state)
{
	auto_strbuf struct strbuf out = {0};
	struct payload got;

	(void)state;
	decode_example(7, &out, &got);
	assert_true(got.task.time_ns == 11);
	assert_int_equal(got.task.pid, 100);
	assert_int_equal(got.task.tid, 101);
	assert_int_equal(got.task.cgroup_nr, 2);
	assert_memory_equal(got.task.cgroup, "/a", 2);
	assert_int_equal(got.task.numbers_nr, 3);
	assert_memory_equal(got.task.numbers, examples[7].task.numbers, 3 * sizeof(uint32_t));
}

/* A newer writer knows more reasons; those known here are still read. */
static void test_losses_of_a_newer_writer(void **state)
{
	auto_strbuf struct strbuf out = {0};
	struct payload got;

	(void)state;
	strbuf_append(&out, PAYLOAD_MAGIC, 8);
	strbuf_append_u16(&out, PAYLOAD_LOSSES);
	strbuf_append_u16(&out, 2);
	strbuf_append_u32(&out, 24 + 10 * 8 + 8);
	strbuf_append_u64(&out, 9);
	strbuf_append_u64(&out, 10);
	strbuf_append_u32(&out, 10);
	strbuf_append_u32(&out, 1);
	for (uint64_t i = 0; i < 10; i++)
		strbuf_append_u64(&out, i);
	strbuf_append_u64(&out, 77);
	assert_int_equal(payload_decode(out.bytes, out.nr, &got), 0);
	assert_int_equal(got.losses.reasons_nr, LOSS_REASONS_NR);
	assert_true(got.losses.counts[7] == 7);
	assert_true(got.losses.status_counts[0] == 77);
	assert_true(got.losses.status_counts[1] == 0);
}

static void test_foreign_and_unknown(void **state)
{
	auto_strbuf struct strbuf out = {0};
	struct payload got;

	(void)state;
	encode(&out, &examples[1]);
	out.bytes[16] = 99;
	assert_int_equal(decode(&out, &got), -ENOENT);
	assert_int_equal(got.kind, 99);
	out.bytes[15] = 2; /* another major version */
	assert_int_equal(decode(&out, &got), -ENOENT);
	assert_int_equal(got.kind, 0);
	encode(&out, &examples[1]);
	out.bytes[18] = 0; /* no such version */
	assert_int_equal(decode(&out, &got), -EBADMSG);
}

/* The length says how much belongs to the kind; one byte less is damage, never a wild read. */
static void test_length_cut_anywhere(void **state)
{
	auto_strbuf struct strbuf out = {0};
	struct payload got;

	(void)state;
	for (size_t i = 0; i < array_size(examples); i++) {
		uint32_t length;

		encode(&out, &examples[i]);
		memcpy(&length, out.bytes + 20, sizeof(length));
		for (uint32_t cut = 0; cut < length; cut++) {
			memcpy(out.bytes + 20, &cut, sizeof(cut));
			assert_int_equal(decode(&out, &got), -EBADMSG);
		}
		memcpy(out.bytes + 20, &(uint32_t){UINT32_MAX}, 4);
		assert_int_equal(decode(&out, &got), -EBADMSG);
	}
}

static void test_contradictions(void **state)
{
	auto_strbuf struct strbuf out = {0};
	struct payload payload = examples[3];
	struct payload got;

	(void)state;
	payload.code.code_id = PY_FRAME_UNREADABLE;
	encode(&out, &payload);
	assert_int_equal(decode(&out, &got), -EBADMSG);
	payload = examples[3];
	payload.code.lines_total = 2;
	encode(&out, &payload);
	assert_int_equal(decode(&out, &got), -EBADMSG);
	payload = examples[2];
	payload.interpreter.status = 2;
	encode(&out, &payload);
	assert_int_equal(decode(&out, &got), -EBADMSG);
	encode(&out, &examples[7]);
	out.bytes[24 + 16 + 6] = TASK_NUMBERS_MAX + 1; /* behind time, ids and cgroup */
	assert_int_equal(decode(&out, &got), -EBADMSG);
}

static void test_too_big(void **state)
{
	auto_strbuf struct strbuf out = {0};
	struct payload payload = examples[4];
	uint8_t *many = calloc(65528, 1);

	(void)state;
	assert_non_null(many);
	payload.code_lines.bytes = many;
	payload.code_lines.nr = 65528 - 36; /* header 8, envelope 16, fields 12 */
	strbuf_append_text(&out, "before");
	assert_int_equal(payload_encode(&out, &payload, NULL), 0);
	assert_int_equal(out.nr, 6 + 65528);
	payload.code_lines.nr++;
	strbuf_truncate(&out, 6);
	assert_int_equal(payload_encode(&out, &payload, NULL), -E2BIG);
	assert_string_equal(strbuf_text(&out), "before");
	payload.kind = 99;
	assert_int_equal(payload_encode(&out, &payload, NULL), -EINVAL);
	free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stack_encode),
	    cmocka_unit_test(test_stack_decode),
	    cmocka_unit_test(test_stack_padding_is_allowed),
	    cmocka_unit_test(test_stack_damaged),
	    cmocka_unit_test(test_stack_cut_anywhere),
	    cmocka_unit_test(test_stack_task),
	    cmocka_unit_test(test_task_of_unknown_kind),
	    cmocka_unit_test(test_async_task),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_envelope_form),
	    cmocka_unit_test(test_small_kinds),
	    cmocka_unit_test(test_code_kinds),
	    cmocka_unit_test(test_losses),
	    cmocka_unit_test(test_task),
	    cmocka_unit_test(test_losses_of_a_newer_writer),
	    cmocka_unit_test(test_foreign_and_unknown),
	    cmocka_unit_test(test_length_cut_anywhere),
	    cmocka_unit_test(test_contradictions),
	    cmocka_unit_test(test_too_big),
	};

	return cmocka_run_group_tests_name("payload", tests, NULL, NULL);
}
