/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/strbuf.h"
#include "record/code_objects.h"
#include "record/layouts.h"
#include "tests/unit/fake_python.h"

enum { VERSION_3_11 = 0x030b07f0, VERSION_3_12 = 0x030c01f0, NO_PROCESS = 0x7ffffffe };

/* What on_code was told. */
struct told {
	uint32_t nr;
	int error; /* to answer with */
	struct payload_code latest;
	char name[64];
	char qualname[64];
	char file[64];
};

static void text_keep(char to[64], const char *from, uint32_t nr)
{
	assert_true(nr < 64);
	memcpy(to, from, nr);
	to[nr] = '\0';
}

static int on_code(void *context, const struct payload_code *code)
{
	struct told *told = context;

	if (told->error)
		return told->error;
	assert_int_equal(code->code_id, told->nr++); /* dense, in order of first sight */
	told->latest = *code;
	text_keep(told->name, code->name, code->name_nr);
	text_keep(told->qualname, code->qualname, code->qualname_nr);
	text_keep(told->file, code->file, code->file_nr);
	return 0;
}

static struct code_objects *objects_make(struct told *told)
{
	const struct code_objects_options options = {.on_code = on_code, .context = told};
	struct code_objects *objects;

	assert_int_equal(code_objects_create(&options, &objects), 0);
	return objects;
}

static struct code_layout layout_of(uint32_t version_hex)
{
	struct python_layout layout;

	assert_int_equal(python_layout_find(version_hex, NULL, 0, &layout), 0);
	return (struct code_layout){.walk = layout.walk, .version_hex = version_hex};
}

static struct pyrec_identity identity_of(uint32_t tgid, uint64_t incarnation)
{
	return (struct pyrec_identity){
	    .tgid = tgid, .start_boottime_ns = incarnation, .exec_id = 1};
}

/* ---- Events as BPF makes them ---- */

static void event_text(struct strbuf *tail, struct pyrec_text *text, const char *from)
{
	*text = (struct pyrec_text){.bytes = (uint32_t)strlen(from), .unit = 1};
	strbuf_append_text(tail, from);
}

static struct pyrec_code event_head(struct pyrec_identity process, uint64_t address,
				    uint32_t fingerprint)
{
	return (struct pyrec_code){.kind = PYREC_EVENT_CODE,
				   .process = process,
				   .address = address,
				   .fingerprint = fingerprint,
				   .first_line = 10};
}

static int event_add(struct code_objects *objects, const struct pyrec_code *head,
		     const char *qualname, const struct code_layout *layout)
{
	auto_strbuf struct strbuf event = {0};
	auto_strbuf struct strbuf tail = {0};
	struct pyrec_code copy = *head;

	event_text(&tail, &copy.name, "f");
	event_text(&tail, &copy.qualname, qualname);
	event_text(&tail, &copy.file, "/a.py");
	copy.lines_bytes = 2;
	strbuf_append(&tail, "\x80\x00", 2);
	strbuf_append(&event, &copy, sizeof(copy));
	strbuf_append(&event, tail.bytes, tail.nr);
	return code_objects_add(objects, (const void *)event.bytes, event.nr, layout);
}

/* Id of a frame; no reading from the process. */
static uint32_t id_get(struct code_objects *objects, struct pyrec_identity process,
		       uint64_t address, uint32_t fingerprint)
{
	const struct pyrec_frame frame = {.address = address, .fingerprint = fingerprint};
	uint32_t number, id;

	assert_int_equal(code_objects_process(objects, &process, &number), 0);
	assert_int_equal(code_objects_get(objects, number, process.tgid, &frame, NULL, &id), 0);
	return id;
}

static void test_event(void **state)
{
	const struct pyrec_identity process = identity_of(NO_PROCESS, 5);
	const struct pyrec_code head = event_head(process, 0x1000, 77);
	const struct code_layout layout = layout_of(VERSION_3_12);
	struct told told = {0};
	struct code_objects *objects = objects_make(&told);

	(void)state;
	assert_int_equal(id_get(objects, process, 0x1000, 77), PY_FRAME_UNREADABLE);
	assert_int_equal(event_add(objects, &head, "C.f", &layout), 0);
	assert_int_equal(told.nr, 1);
	assert_string_equal(told.name, "f");
	assert_string_equal(told.qualname, "C.f");
	assert_string_equal(told.file, "/a.py");
	assert_int_equal(told.latest.version_hex, VERSION_3_12);
	assert_int_equal(told.latest.first_line, 10);
	assert_int_equal(told.latest.flags, 0);
	assert_int_equal(told.latest.lines_nr, 2);
	assert_int_equal(told.latest.lines_total, 2);
	assert_int_equal(id_get(objects, process, 0x1000, 77), 0);
	assert_int_equal(code_objects_nr(objects), 1);
	code_objects_destroy(objects);
}

/* Another object at the address of a freed one is another object; so is another process's. */
static void test_address_reuse(void **state)
{
	const struct pyrec_identity first = identity_of(NO_PROCESS, 5);
	const struct pyrec_identity again = identity_of(NO_PROCESS, 6); /* the pid came back */
	const struct code_layout layout = layout_of(VERSION_3_12);
	const struct pyrec_code old = event_head(first, 0x1000, 77);
	const struct pyrec_code new = event_head(first, 0x1000, 79);
	const struct pyrec_code other = event_head(again, 0x1000, 77);
	struct told told = {0};
	struct code_objects *objects = objects_make(&told);

	(void)state;
	assert_int_equal(event_add(objects, &old, "old", &layout), 0);
	assert_int_equal(id_get(objects, first, 0x1000, 79), PY_FRAME_UNREADABLE);
	assert_int_equal(id_get(objects, again, 0x1000, 77), PY_FRAME_UNREADABLE);
	assert_int_equal(event_add(objects, &new, "new", &layout), 0);
	assert_int_equal(event_add(objects, &other, "other", &layout), 0);
	assert_int_equal(id_get(objects, first, 0x1000, 77), 0);
	assert_int_equal(id_get(objects, first, 0x1000, 79), 1);
	assert_int_equal(id_get(objects, again, 0x1000, 77), 2);
	code_objects_destroy(objects);
}

/* Every object that ever stood at one address stays told apart, in a table that fills up. */
static void test_much_reuse(void **state)
{
	const struct pyrec_identity process = identity_of(NO_PROCESS, 5);
	const struct code_layout layout = layout_of(VERSION_3_12);
	struct told told = {0};
	struct code_objects *objects = objects_make(&told);

	(void)state;
	for (uint32_t i = 0; i < 2000; i++) {
		const struct pyrec_code head = event_head(process, 0x1000, 2 * i + 1);
		char name[32];

		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(id_get(objects, process, 0x1000, 2 * i + 1), PY_FRAME_UNREADABLE);
		assert_int_equal(event_add(objects, &head, name, &layout), 0);
	}
	for (uint32_t i = 0; i < 2000; i++)
		assert_int_equal(id_get(objects, process, 0x1000, 2 * i + 1), i);
	code_objects_destroy(objects);
}

static void test_same_content(void **state)
{
	const struct code_layout layout = layout_of(VERSION_3_12);
	struct told told = {0};
	struct code_objects *objects = objects_make(&told);

	(void)state;
	for (uint32_t i = 1; i <= 50; i++) {
		const struct pyrec_identity process = identity_of(i, 5);
		const struct pyrec_code head = event_head(process, 0x1000 * i, 77 + 2 * i);

		assert_int_equal(event_add(objects, &head, "f", &layout), 0);
		assert_int_equal(id_get(objects, process, 0x1000 * i, 77 + 2 * i), 0);
	}
	assert_int_equal(told.nr, 1);
	assert_int_equal(code_objects_nr(objects), 1);
	code_objects_destroy(objects);
}

/* Whatever report tells apart must have its own id. */
static void test_other_content(void **state)
{
	const struct code_layout layout = layout_of(VERSION_3_12);
	const struct code_layout older = layout_of(VERSION_3_11);
	struct pyrec_code head = event_head(identity_of(NO_PROCESS, 5), 0x1000, 77);
	struct told told = {0};
	struct code_objects *objects = objects_make(&told);

	(void)state;
	assert_int_equal(event_add(objects, &head, "f", &layout), 0);
	assert_int_equal(event_add(objects, &head, "g", &layout), 0);
	assert_int_equal(event_add(objects, &head, "f", &older), 0);
	head.first_line = 11;
	assert_int_equal(event_add(objects, &head, "f", &layout), 0);
	head.flags = PYREC_CODE_LINES_CUT; /* cannot be completed: the process is gone */
	assert_int_equal(event_add(objects, &head, "f", &layout), 0);
	assert_int_equal(told.nr, 5);
	code_objects_destroy(objects);
}

static void event_is_damaged(const struct pyrec_code *head, size_t tail_nr)
{
	const struct code_layout layout = layout_of(VERSION_3_12);
	const size_t nr = sizeof(*head) + tail_nr;
	auto_free char *event = calloc(1, nr);
	struct told told = {0};
	struct code_objects *objects = objects_make(&told);

	memcpy(event, head, sizeof(*head));
	assert_int_equal(code_objects_add(objects, (const void *)event, nr, &layout), -EBADMSG);
	assert_int_equal(told.nr, 0);
	code_objects_destroy(objects);
}

static void test_damaged_event(void **state)
{
	const struct pyrec_code sound = event_head(identity_of(NO_PROCESS, 5), 0x1000, 77);
	struct pyrec_code head = sound;

	(void)state;
	head.name = (struct pyrec_text){.bytes = 9, .unit = 1};
	event_is_damaged(&head, 8);
	head = sound;
	head.file = (struct pyrec_text){.bytes = UINT32_MAX, .unit = 4};
	event_is_damaged(&head, 100);
	head = sound;
	head.lines_bytes = 101;
	event_is_damaged(&head, 100);
	head = sound;
	head.name.bytes = head.qualname.bytes = head.file.bytes = 0x80000000; /* their sum wraps */
	event_is_damaged(&head, 100);
}

static void test_damaged_unit(void **state)
{
	static const uint32_t units[] = {0, 3, 5, 7, 64};
	const struct code_layout layout = layout_of(VERSION_3_12);
	struct told told = {0};
	struct code_objects *objects = objects_make(&told);

	(void)state;
	for (size_t i = 0; i < array_size(units); i++) {
		struct {
			struct pyrec_code head;
			char tail[64];
		} event = {.head = event_head(identity_of(NO_PROCESS, 5), 0x1000, 77)};

		event.head.qualname = (struct pyrec_text){.bytes = 64, .unit = units[i]};
		assert_int_equal(
		    code_objects_add(objects, &event.head, sizeof(event.head) + 64, &layout), 0);
		assert_string_equal(told.qualname, "");
	}
	code_objects_destroy(objects);
}

/* ---- From memory ---- */

static struct fake_code code_make(const struct pyrec_layout *layout)
{
	struct fake_code code = {
	    .name = fake_ascii(layout, "f"),
	    .qualname = fake_unicode(layout, FAKE_COMPACT, "\x0d\x54", 1, 2),
	    .file = fake_ascii(layout, "/b.py"),
	    .lines = fake_bytes(layout, "\x80\x01", 2),
	    .first_line = 3,
	    .version = 99,
	};

	fake_code_write(layout, &code);
	return code;
}

static void test_event_is_completed(void **state)
{
	const struct code_layout layout = layout_of(VERSION_3_11);
	struct fake_code code = code_make(&layout.walk);
	const struct pyrec_identity process = identity_of((uint32_t)getpid(), 5);
	struct pyrec_code head = event_head(process, fake_code_address(&code),
					    fake_code_fingerprint(&layout.walk, &code));
	struct told told = {0};
	struct code_objects *objects = objects_make(&told);

	(void)state;
	head.flags = PYREC_CODE_QUALNAME_CUT | PYREC_CODE_LINES_CUT;
	assert_int_equal(event_add(objects, &head, "cu", &layout), 0);
	assert_string_equal(told.qualname, "\xe5\x90\x8d");
	assert_string_equal(told.file, "/a.py"); /* as sent */
	assert_int_equal(told.latest.flags, 0);
	code_objects_destroy(objects);
	fake_code_free(&code);
}

static void test_event_cannot_be_completed(void **state)
{
	const struct code_layout layout = layout_of(VERSION_3_11);
	struct pyrec_code head = event_head(identity_of(NO_PROCESS, 5), 0x1000, 77);
	struct told told = {0};
	struct code_objects *objects = objects_make(&told);

	(void)state;
	head.flags = PYREC_CODE_QUALNAME_CUT | PYREC_CODE_LINES_CUT;
	assert_int_equal(event_add(objects, &head, "cu", &layout), 0);
	assert_int_equal(told.latest.flags, CODE_QUALNAME_MISSING | CODE_LINES_MISSING);
	head.flags = PYREC_CODE_NAME_CUT | PYREC_CODE_FILE_CUT;
	assert_int_equal(event_add(objects, &head, "whole", &layout), 0);
	assert_int_equal(told.latest.flags, CODE_NAME_MISSING | CODE_FILE_MISSING);
	code_objects_destroy(objects);
}

/* Id of a frame; what no event told is read from this process. */
static uint32_t get_read(struct code_objects *objects, struct pyrec_identity process,
			 const struct pyrec_frame *frame, const struct code_layout *layout)
{
	uint32_t number, id;

	assert_int_equal(code_objects_process(objects, &process, &number), 0);
	assert_int_equal(code_objects_get(objects, number, process.tgid, frame, layout, &id), 0);
	return id;
}

/* No event came: the frame's code object is read from the process, once. */
static void test_get_reads(void **state)
{
	const struct code_layout layout = layout_of(VERSION_3_12);
	struct fake_code code = code_make(&layout.walk);
	const struct pyrec_frame frame = {
	    .address = fake_code_address(&code),
	    .fingerprint = fake_code_fingerprint(&layout.walk, &code),
	};
	struct told told = {0};
	struct code_objects *objects = objects_make(&told);
	uint32_t id = 7;

	(void)state;
	assert_int_equal(code_objects_get(objects, 1, (uint32_t)getpid(), &frame, NULL, &id), 0);
	assert_int_equal(id, PY_FRAME_UNREADABLE); /* not asked, so not remembered either */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    code_objects_get(objects, 1, (uint32_t)getpid(), &frame, &layout, &id), 0);
		assert_int_equal(id, 0);
		assert_int_equal(told.nr, 1);
	}
	assert_string_equal(told.qualname, "\xe5\x90\x8d");
	assert_int_equal(told.latest.first_line, 3);
	assert_int_equal(told.latest.version_hex, VERSION_3_12);
	code_objects_destroy(objects);
	fake_code_free(&code);
}

/* BPF could not read it: what it was when the sample was taken is known only where the same was
 * there before and is there now. */
static void test_get_without_fingerprint(void **state)
{
	const uint32_t versions[] = {VERSION_3_11, VERSION_3_12};

	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		const struct code_layout layout = layout_of(versions[i]);
		const struct pyrec_identity process = identity_of((uint32_t)getpid(), 5);
		struct fake_code code = code_make(&layout.walk);
		const struct pyrec_frame frame = {.address = fake_code_address(&code)};
		const struct pyrec_code head = event_head(
		    process, frame.address, fake_code_fingerprint(&layout.walk, &code));
		struct told told = {0};
		struct code_objects *objects = objects_make(&told);

		assert_int_equal(get_read(objects, process, &frame, &layout), PY_FRAME_UNREADABLE);
		assert_int_equal(told.nr, 0);
		assert_int_equal(event_add(objects, &head, "f", &layout), 0);
		assert_int_equal(get_read(objects, process, &frame, &layout), 0);
		/* Another process has none of it. */
		assert_int_equal(
		    get_read(objects, identity_of((uint32_t)getpid(), 6), &frame, &layout),
		    PY_FRAME_UNREADABLE);
		fake_set_half(code.object, layout.walk.code_first_line, 4);
		assert_int_equal(get_read(objects, process, &frame, &layout), PY_FRAME_UNREADABLE);
		assert_int_equal(told.nr, 1);
		code_objects_destroy(objects);
		fake_code_free(&code);
	}
}

static void test_unreadable_is_asked_once(void **state)
{
	const struct code_layout layout = layout_of(VERSION_3_12);
	const struct pyrec_identity process = identity_of((uint32_t)getpid(), 5);
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct fake_code code = code_make(&layout.walk);
	struct told told = {0};
	struct code_objects *objects = objects_make(&told);
	struct pyrec_frame frame = {.address = (uint64_t)(uintptr_t)page};
	uint32_t number, id;
	struct pyrec_code head;

	(void)state;
	memcpy(page, code.object, FAKE_OBJECT_BYTES);
	free(code.object);
	code.object = page;
	frame.fingerprint = fake_code_fingerprint(&layout.walk, &code);
	head = event_head(process, frame.address, frame.fingerprint);
	assert_int_equal(code_objects_process(objects, &process, &number), 0);
	assert_int_equal(mprotect(page, 4096, PROT_NONE), 0);
	assert_int_equal(
	    code_objects_get(objects, number, (uint32_t)getpid(), &frame, &layout, &id), 0);
	assert_int_equal(id, PY_FRAME_UNREADABLE);
	assert_int_equal(mprotect(page, 4096, PROT_READ), 0);
	assert_int_equal(
	    code_objects_get(objects, number, (uint32_t)getpid(), &frame, &layout, &id), 0);
	assert_int_equal(id, PY_FRAME_UNREADABLE);
	/* An event tells it after all. */
	assert_int_equal(event_add(objects, &head, "f", &layout), 0);
	assert_int_equal(
	    code_objects_get(objects, number, (uint32_t)getpid(), &frame, &layout, &id), 0);
	assert_int_equal(id, 0);
	code_objects_destroy(objects);
	code.object = NULL;
	fake_code_free(&code);
	munmap(page, 4096);
}

static void test_error_of_on_code(void **state)
{
	const struct code_layout layout = layout_of(VERSION_3_12);
	const struct pyrec_identity process = identity_of(NO_PROCESS, 5);
	const struct pyrec_code head = event_head(process, 0x1000, 77);
	struct fake_code code = code_make(&layout.walk);
	const struct pyrec_frame frame = {
	    .address = fake_code_address(&code),
	    .fingerprint = fake_code_fingerprint(&layout.walk, &code),
	};
	struct told told = {.error = -EFBIG};
	struct code_objects *objects = objects_make(&told);
	uint32_t id;

	(void)state;
	assert_int_equal(event_add(objects, &head, "f", &layout), -EFBIG);
	assert_int_equal(code_objects_get(objects, 1, (uint32_t)getpid(), &frame, &layout, &id),
			 -EFBIG);
	assert_int_equal(code_objects_nr(objects), 0);
	/* An id that the file does not have was not given to anyone. */
	assert_int_equal(id_get(objects, process, 0x1000, 77), PY_FRAME_UNREADABLE);
	told.error = 0;
	assert_int_equal(event_add(objects, &head, "f", &layout), 0);
	assert_int_equal(id_get(objects, process, 0x1000, 77), 0);
	code_objects_destroy(objects);
	fake_code_free(&code);
}

/* ---- Many ---- */

enum { CODES_PER_PROCESS = 1000, PROCESSES_NR = 40 };

static void process_fill(struct code_objects *objects, struct pyrec_identity process,
			 const struct code_layout *layout)
{
	for (uint32_t i = 0; i < CODES_PER_PROCESS; i++) {
		const struct pyrec_code head = event_head(process, 0x7f0000000000 + i * 192,
							  2 * i + 1);
		char name[32];

		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(event_add(objects, &head, name, layout), 0);
	}
}

/* Each of them known by its own id, or none. */
static void process_check(struct code_objects *objects, struct pyrec_identity process,
			  bool is_known)
{
	for (uint32_t i = 0; i < CODES_PER_PROCESS; i++)
		assert_int_equal(id_get(objects, process, 0x7f0000000000 + i * 192, 2 * i + 1),
				 is_known ? i : PY_FRAME_UNREADABLE);
}

static void test_growth(void **state)
{
	const struct code_layout layout = layout_of(VERSION_3_12);
	struct told told = {0};
	struct code_objects *objects = objects_make(&told);

	(void)state;
	for (uint32_t i = 1; i <= PROCESSES_NR; i++)
		process_fill(objects, identity_of(i, 5), &layout);
	assert_int_equal(told.nr, CODES_PER_PROCESS);
	for (uint32_t i = 1; i <= PROCESSES_NR; i++)
		process_check(objects, identity_of(i, 5), true);
	code_objects_destroy(objects);
}

/* Short processes come and go while one stays: it keeps its ids, they are forgotten. */
static void test_forget(void **state)
{
	const struct pyrec_identity stays = identity_of(1, 5);
	const struct code_layout layout = layout_of(VERSION_3_12);
	struct told told = {0};
	struct code_objects *objects = objects_make(&told);
	uint32_t number, again;

	(void)state;
	process_fill(objects, stays, &layout);
	assert_int_equal(code_objects_process(objects, &stays, &number), 0);
	for (uint32_t i = 2; i <= PROCESSES_NR; i++) {
		process_fill(objects, identity_of(i, 5), &layout);
		code_objects_forget(objects, i);
	}
	process_check(objects, stays, true);
	assert_int_equal(code_objects_process(objects, &stays, &again), 0);
	assert_int_equal(again, number);
	process_check(objects, identity_of(2, 5), false);
	process_fill(objects, identity_of(2, 6), &layout); /* its pid again */
	process_check(objects, identity_of(2, 6), true);
	process_check(objects, identity_of(2, 5), false);
	assert_int_equal(told.nr, CODES_PER_PROCESS);
	code_objects_destroy(objects);
}

static void test_process_numbers(void **state)
{
	struct told told = {0};
	struct code_objects *objects = objects_make(&told);
	uint32_t numbers[4];

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		const struct pyrec_identity process = {
		    .tgid = 1 + (i & 1), .start_boottime_ns = 5, .exec_id = i >> 1};

		assert_int_equal(code_objects_process(objects, &process, &numbers[i]), 0);
		for (uint32_t before = 0; before < i; before++)
			assert_int_not_equal(numbers[before], numbers[i]);
	}
	for (uint32_t i = 4; i-- > 0;) {
		const struct pyrec_identity process = {
		    .tgid = 1 + (i & 1), .start_boottime_ns = 5, .exec_id = i >> 1};
		uint32_t number;

		assert_int_equal(code_objects_process(objects, &process, &number), 0);
		assert_int_equal(number, numbers[i]);
	}
	code_objects_destroy(objects);
	code_objects_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_event),
	    cmocka_unit_test(test_address_reuse),
	    cmocka_unit_test(test_much_reuse),
	    cmocka_unit_test(test_same_content),
	    cmocka_unit_test(test_other_content),
	    cmocka_unit_test(test_damaged_event),
	    cmocka_unit_test(test_damaged_unit),
	    cmocka_unit_test(test_event_is_completed),
	    cmocka_unit_test(test_event_cannot_be_completed),
	    cmocka_unit_test(test_get_reads),
	    cmocka_unit_test(test_get_without_fingerprint),
	    cmocka_unit_test(test_unreadable_is_asked_once),
	    cmocka_unit_test(test_error_of_on_code),
	    cmocka_unit_test(test_growth),
	    cmocka_unit_test(test_forget),
	    cmocka_unit_test(test_process_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
