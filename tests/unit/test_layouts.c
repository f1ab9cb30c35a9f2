/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rows against offsets written down apart (from DWARF); tests/e2e/test_layout_oracle.py compares
 * with the DWARF of interpreters that are there. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "record/layouts.h"
#include "tests/unit/debug_offsets.h"

/* That of a version that is known, by its @nr bytes of debug offsets where it has them. */
static void layout_get(uint32_t version_hex, const uint8_t *offsets, size_t nr,
		       struct python_layout *ret)
{
	assert_int_equal(python_layout_find(version_hex, offsets, nr, ret), 0);
}

/* Objects with the head that a build with the GIL gives them. */
static void assert_plain_objects(const struct pyrec_layout *walk)
{
	assert_int_equal(walk->code_file, 112);
	assert_int_equal(walk->code_name, 120);
	assert_int_equal(walk->code_qualname, 128);
	assert_int_equal(walk->code_lines, 136);
	assert_int_equal(walk->unicode_length, 16);
	assert_int_equal(walk->unicode_state, 32);
	assert_int_equal(walk->bytes_size, 16);
	assert_int_equal(walk->bytes_data, 32);
}

static void test_3_11(void **state)
{
	struct python_layout layout;

	(void)state;
	layout_get(0x030b07f0, NULL, 0, &layout);
	assert_int_equal(layout.walk.tstate_frame, 56);
	assert_int_equal(layout.walk.cframe_frame, 8);
	assert_int_equal(layout.walk.cframe_previous, 16);
	assert_int_equal(layout.walk.frame_code, 32);
	assert_int_equal(layout.walk.frame_previous, 48);
	assert_int_equal(layout.walk.frame_instr, 56);
	assert_int_equal(layout.walk.frame_owner, 68);
	assert_int_equal(layout.walk.code_instrs, 184);
	assert_int_equal(layout.walk.code_version, 0);
	assert_plain_objects(&layout.walk);
	assert_int_equal(layout.walk.unicode_ascii, 48);
	assert_int_equal(layout.walk.unicode_compact, 72);
	assert_true(layout.walk.has_cframe && layout.walk.entry_is_frame);
	assert_int_equal(layout.walk.entry_value, 1);
	assert_int_equal(layout.runtime_key, 592);
}

/* What 3.12 and 3.13 share. */
static void assert_frames_3_12(const struct pyrec_layout *walk)
{
	assert_int_equal(walk->frame_code, 0);
	assert_int_equal(walk->frame_previous, 8);
	assert_int_equal(walk->frame_instr, 56);
	assert_int_equal(walk->frame_owner, 70);
	assert_int_equal(walk->code_first_line, 68);
	assert_int_equal(walk->code_version, 92);
	assert_plain_objects(walk);
	assert_int_equal(walk->unicode_ascii, 40);
	assert_int_equal(walk->unicode_compact, 56);
	assert_false(walk->entry_is_frame);
	assert_int_equal(walk->entry_value, 3);
}

static void test_3_12(void **state)
{
	struct python_layout layout;

	(void)state;
	layout_get(0x030c01f0, NULL, 0, &layout);
	assert_frames_3_12(&layout.walk);
	assert_int_equal(layout.walk.cframe_frame, 0);
	assert_int_equal(layout.walk.cframe_previous, 8);
	assert_int_equal(layout.walk.code_instrs, 192);
	assert_true(layout.walk.has_cframe);
	assert_int_equal(layout.runtime_key, 1544);
}

/* 3.6 to 3.10; each offset is compared with DWARF in tests/e2e/test_layout_oracle.py. */
static void test_heap_frames(void **state)
{
	static const struct {
		uint32_t version_hex;
		uint16_t frame_instr;
		uint16_t code_lines;
		uint32_t runtime_key;
		uint8_t instr_shift;
		bool has_plain_key;
	} rows[] = {
	    {0x03060ff0, 120, 112, 0, 1, true},	    {0x030710f0, 104, 112, 1504, 1, false},
	    {0x030812f0, 104, 120, 1392, 1, false}, {0x030912f0, 104, 120, 584, 1, false},
	    {0x030a0df0, 96, 120, 584, 0, false},
	};
	struct python_layout layout;

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		layout_get(rows[i].version_hex, NULL, 0, &layout);
		assert_true(layout.walk.is_heap_frame && !layout.walk.has_cframe);
		assert_int_equal(layout.walk.frame_instr, rows[i].frame_instr);
		assert_int_equal(layout.walk.code_lines, rows[i].code_lines);
		assert_int_equal(layout.walk.code_qualname, 0);
		assert_int_equal(layout.walk.instr_shift, rows[i].instr_shift);
		assert_int_equal(layout.runtime_key, rows[i].runtime_key);
		assert_int_equal(layout.has_plain_key, rows[i].has_plain_key);
		/* All that is read of a code object lies in what the walk reads at once. */
		assert_true(layout.walk.code_lines + 8 <= layout.walk.code_start + 96);
	}
}

static void test_2_7(void **state)
{
	struct python_layout layout;

	(void)state;
	layout_get(0x020712f0, NULL, 0, &layout);
	assert_true(layout.walk.is_heap_frame && layout.walk.has_byte_names);
	assert_true(layout.has_thread_list && !layout.has_plain_key);
	assert_int_equal(layout.walk.frame_instr, 120);
	assert_int_equal(layout.walk.instr_shift, 0);
	assert_int_equal(layout.walk.code_qualname, 0);
	/* Not a byte behind the object, which has 128. */
	assert_true(layout.walk.code_lines + 8 <= layout.walk.code_start + 96);
	assert_true(layout.walk.code_start + 96 <= 128);
}

static void test_3_13(void **state)
{
	uint8_t offsets[DEBUG_OFFSETS_BYTES];
	struct python_layout layout;

	(void)state;
	debug_offsets_3_13(offsets, 0x030d12f0);
	layout_get(0x030d12f0, offsets, sizeof(offsets), &layout);
	assert_frames_3_12(&layout.walk);
	assert_int_equal(layout.walk.tstate_frame, 72);
	assert_int_equal(layout.walk.code_instrs, 200);
	assert_false(layout.walk.has_cframe);
	assert_int_equal(layout.runtime_key, 2160);
}

static void assert_same_as_3_13(const struct pyrec_layout *walk)
{
	uint8_t offsets[DEBUG_OFFSETS_BYTES];
	struct python_layout layout;

	debug_offsets_3_13(offsets, 0x030d12f0);
	layout_get(0x030d12f0, offsets, sizeof(offsets), &layout);
	layout.walk.frame_owner = 74;
	layout.walk.code_instrs = 208;
	layout.walk.skipped_owner = walk->skipped_owner;
	layout.walk.tstate_base_frame = walk->tstate_base_frame;
	layout.walk.object_type = 8;
	layout.walk.type_flags = 168; /* 3.13 does not tell of tasks: they are not asked for */
	layout.walk.long_tag = 16;
	layout.walk.long_digits = 24;
	layout.walk.tstate_thread = walk->tstate_thread;
	layout.walk.interp_next = walk->interp_next;
	layout.walk.interp_threads = walk->interp_threads;
	assert_memory_equal(&layout.walk, walk, sizeof(*walk));
}

static void test_3_14(void **state)
{
	uint8_t offsets[DEBUG_OFFSETS_3_14_BYTES];
	struct python_layout layout;

	(void)state;
	debug_offsets_3_14(offsets, 0x030e0af0);
	layout_get(0x030e0af0, offsets, sizeof(offsets), &layout);
	assert_same_as_3_13(&layout.walk);
	assert_int_equal(layout.walk.skipped_owner, 4);
	assert_int_equal(layout.walk.tstate_base_frame, 0);
	assert_int_equal(layout.walk.tstate_thread, 152);
	assert_int_equal(layout.walk.interp_next, 7272);
	assert_int_equal(layout.walk.interp_threads, 7344);
	assert_int_equal(layout.runtime_key, 2336);
	assert_false(layout.needs_bound);
}

static void test_3_15(void **state)
{
	uint8_t offsets[DEBUG_OFFSETS_3_15_BYTES];
	struct python_layout layout;

	(void)state;
	debug_offsets_3_15(offsets, 0x030f02f0);
	layout_get(0x030f02f0, offsets, sizeof(offsets), &layout);
	assert_same_as_3_13(&layout.walk);
	assert_int_equal(layout.walk.skipped_owner, 0);
	assert_int_equal(layout.walk.tstate_base_frame, 80);
	assert_int_equal(layout.walk.tstate_thread, 176);
	assert_int_equal(layout.walk.interp_next, 7264);
	assert_int_equal(layout.walk.interp_threads, 7336);
	assert_int_equal(layout.runtime_key, 0);
	assert_true(layout.needs_bound);
	debug_offsets_set(offsets, 216, 84); /* not aligned */
	assert_int_equal(python_layout_find(0x030f02f0, offsets, sizeof(offsets), &layout),
			 -EBADMSG);
}

/* Each minor version has a form of its own: another's and pre-releases are refused. */
static void test_forms_differ(void **state)
{
	uint8_t offsets[DEBUG_OFFSETS_3_15_BYTES];
	struct python_layout layout;

	(void)state;
	debug_offsets_3_15(offsets, 0x030f00c1);
	assert_int_equal(python_layout_find(0x030f00c1, offsets, sizeof(offsets), &layout),
			 -ENOENT);
	debug_offsets_3_15(offsets, 0x031000f0);
	assert_int_equal(python_layout_find(0x031000f0, offsets, sizeof(offsets), &layout),
			 -ENOENT);
	debug_offsets_3_15(offsets, 0x030f00f0);
	assert_int_equal(python_layout_find(0x030e00f0, offsets, sizeof(offsets), &layout),
			 -EBADMSG);
	assert_int_equal(python_layout_find(0x030f00f0, offsets, sizeof(offsets) - 1, &layout),
			 -EBADMSG);
	debug_offsets_3_14(offsets, 0x030e00f0);
	assert_int_equal(
	    python_layout_find(0x030e00f0, offsets, DEBUG_OFFSETS_3_14_BYTES - 1, &layout),
	    -EBADMSG);
}

/* The entries decide, not what we know of the version. */
static void test_3_13_is_told(void **state)
{
	uint8_t offsets[DEBUG_OFFSETS_BYTES];
	struct python_layout layout;

	(void)state;
	debug_offsets_3_13(offsets, 0x030d00f0);
	debug_offsets_set(offsets, 184, 80);
	debug_offsets_set(offsets, 280, 96);
	layout_get(0x030d00f0, offsets, sizeof(offsets), &layout);
	assert_int_equal(layout.walk.tstate_frame, 80);
	assert_int_equal(layout.walk.code_file, 96);
	assert_int_equal(layout.walk.interp_next, 7264);
	assert_int_equal(layout.walk.interp_threads, 7344);
	assert_int_equal(layout.runtime_interpreters, 632);
}

static void test_unknown(void **state)
{
	static const uint32_t versions[] = {
	    0x020612f0, 0x020710c1,		/* 2.6.18, 2.7.16rc1 */
	    0x030a00c1,				/* 3.10.0rc1 */
	    0x031000f0,				/* 3.16.0 */
	    0x040b00f0, 0,	    0x030b00a7, /* 3.11.0a7 */
	    0x030b00b1, 0x030b00c2, 0x030b0000, /* from a name: level 0 */
	    0x030c0000, 0x030d00a1, 0x030d00b4, 0x030d00c3, 0xffffffff,
	};
	uint8_t offsets[DEBUG_OFFSETS_BYTES];
	struct python_layout layout;

	(void)state;
	for (size_t i = 0; i < array_size(versions); i++) {
		debug_offsets_3_13(offsets, versions[i]);
		assert_int_equal(python_layout_find(versions[i], offsets, sizeof(offsets), &layout),
				 -ENOENT);
	}
}

static void assert_free_threaded(const struct python_layout *layout)
{
	const struct pyrec_layout *walk = &layout->walk;

	assert_true(layout->is_free_threaded);
	assert_int_equal(walk->code_start, 80);
	assert_int_equal(walk->code_first_line, 84);
	assert_int_equal(walk->code_version, 108);
	assert_int_equal(walk->code_file, 128);
	assert_int_equal(walk->code_name, 136);
	assert_int_equal(walk->code_qualname, 144);
	assert_int_equal(walk->code_lines, 152);
	assert_int_equal(walk->unicode_length, 32);
	assert_int_equal(walk->unicode_state, 48);
	assert_int_equal(walk->unicode_ascii, 56);
	assert_int_equal(walk->unicode_compact, 72);
	assert_int_equal(pyrec_unicode_head_bytes(walk), 56);
	assert_int_equal(walk->bytes_size, 32);
	assert_int_equal(walk->bytes_data, 48);
}

/* state of a compact ASCII string of kind 1: interned has 2 bits, or 8. */
static void test_free_threaded(void **state)
{
	uint8_t offsets[DEBUG_OFFSETS_3_15_BYTES];
	struct python_layout layout;

	(void)state;
	debug_offsets_3_13t(offsets, 0x030d05f0);
	layout_get(0x030d05f0, offsets, sizeof(offsets), &layout);
	assert_free_threaded(&layout);
	assert_int_equal(layout.walk.code_instrs, 216);
	assert_int_equal(layout.walk.code_copies, 0);
	assert_int_equal(pyrec_unicode_state(&layout.walk, 3 | 1 << 2 | 1 << 5 | 1 << 6), 25);
	debug_offsets_3_14t(offsets, 0x030e0af0);
	layout_get(0x030e0af0, offsets, sizeof(offsets), &layout);
	assert_free_threaded(&layout);
	assert_int_equal(layout.walk.code_instrs, 232);
	assert_int_equal(layout.walk.code_copies, 224);
	assert_int_equal(layout.walk.frame_copy, 72);
	assert_int_equal(pyrec_unicode_state(&layout.walk, 255 | 1 << 8 | 1 << 11 | 1 << 12), 25);
	assert_int_equal(layout.walk.object_type, 24);
	assert_int_equal(layout.walk.type_flags, 184);
	assert_int_equal(layout.walk.long_digits, 40);
	debug_offsets_3_15t(offsets, 0x030f02f0);
	layout_get(0x030f02f0, offsets, sizeof(offsets), &layout);
	assert_free_threaded(&layout);
	assert_int_equal(layout.walk.code_copies, 224);
	assert_int_equal(layout.walk.frame_copy, 72);
	assert_int_equal(layout.walk.tstate_base_frame, 80);
	assert_int_equal(layout.walk.unicode_kind, 6);
	/* The heads of a build with the GIL cannot be. */
	debug_offsets_3_14(offsets, 0x030e0af0);
	debug_offsets_set(offsets, 16, 1);
	assert_int_equal(python_layout_find(0x030e0af0, offsets, sizeof(offsets), &layout),
			 -EBADMSG);
}

/* One damaged entry; the rest stays sound. */
static const struct {
	uint16_t at;
	uint64_t value;
} damages[] = {
    {0, 0x7970677562656479}, /* cookie */
    {8, 0x030d01f0},	     /* another version than the file's */
    {8, UINT64_C(0x1030d00f0)},
    {184, 256}, /* beyond what any head has */
    {184, UINT64_C(0x100000048)},
    {264, UINT64_MAX},
    {264, 80}, /* the frame's head is read up to 80 */
    {232, 80},
    {248, 60},	/* not aligned */
    {296, 144}, /* the line table is the last that is read of the code's head */
    {280, 56},	/* what is read begins at 64 */
    {296, 255},
    {304, 140},
    {312, 142},
    {552, 40}, /* the string's head is read up to 40 */
    {544, 37},
    {344, 1000},
    {528, 256},
};

static void test_damaged(void **state)
{
	uint8_t offsets[DEBUG_OFFSETS_BYTES];
	struct python_layout layout;

	(void)state;
	for (size_t i = 0; i < array_size(damages); i++) {
		debug_offsets_3_13(offsets, 0x030d00f0);
		debug_offsets_set(offsets, damages[i].at, damages[i].value);
		assert_int_equal(python_layout_find(0x030d00f0, offsets, sizeof(offsets), &layout),
				 -EBADMSG);
	}
}

static void test_short(void **state)
{
	struct python_layout layout;

	(void)state;
	assert_int_equal(python_layout_find(0x030d00f0, NULL, 0, &layout), -EBADMSG);
	for (size_t nr = 0; nr < DEBUG_OFFSETS_BYTES; nr++) {
		uint8_t whole[DEBUG_OFFSETS_BYTES];
		auto_free uint8_t *part = malloc(nr + 1); /* the sanitizer watches its end */

		debug_offsets_3_13(whole, 0x030d00f0);
		part = realloc(part, nr ? nr : 1);
		assert_non_null(part);
		memcpy(part, whole, nr);
		assert_int_equal(python_layout_find(0x030d00f0, part, nr, &layout), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_heap_frames),	  cmocka_unit_test(test_2_7),
	    cmocka_unit_test(test_3_11),	  cmocka_unit_test(test_3_12),
	    cmocka_unit_test(test_3_13),	  cmocka_unit_test(test_3_14),
	    cmocka_unit_test(test_3_15),	  cmocka_unit_test(test_forms_differ),
	    cmocka_unit_test(test_3_13_is_told),  cmocka_unit_test(test_unknown),
	    cmocka_unit_test(test_free_threaded), cmocka_unit_test(test_damaged),
	    cmocka_unit_test(test_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
