/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/layouts.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/bytes.h"

enum {
	RELEASE_FINAL = 0xf,
	DEBUG_OFFSET_MAX = 256,
	INTERP_OFFSET_MAX = 16384,
	RUNTIME_OFFSET_MAX = 65536
};

/*
 * Offsets read from the DWARF of the pyenv builds of 3.11.7 and 3.12.1; structures:
 * Include/cpython/pystate.h, Include/internal/pycore_frame.h, Include/cpython/code.h,
 * Include/cpython/unicodeobject.h, Include/internal/pycore_runtime.h of each version.
 */
static const struct python_layout layout_3_11 = {
    .walk =
	{
	    .tstate_frame = 56, /* cframe */
	    .tstate_next = 8,
	    .tstate_interp = 16,
	    .tstate_cframe = 56,
	    .tstate_thread = 152,
	    .interp_next = 0,
	    .interp_threads = 16,
	    .cframe_frame = 8,
	    .cframe_previous = 16,
	    .frame_code = 32,
	    .frame_previous = 48,
	    .frame_instr = 56, /* prev_instr */
	    .frame_owner = 68, /* is_entry */
	    .frame_kind = 69,  /* owner */
	    .code_instrs = 184,
	    .code_start = 72,
	    .code_first_line = 72,
	    .code_version = 0,
	    .code_file = 112,
	    .code_name = 120,
	    .code_qualname = 128,
	    .code_lines = 136,
	    .unicode_length = 16,
	    .unicode_state = 32,
	    .unicode_ascii = 48,
	    .unicode_compact = 72,
	    .bytes_size = 16,
	    .bytes_data = 32,
	    .has_cframe = 1,
	    .entry_value = 1,
	    .entry_is_frame = 1,
	    .generator_state = 5,
	},
    .runtime_key = 592,	    /* gilstate.autoTSSkey */
    .runtime_current = 576, /* gilstate.tstate_current */
    .runtime_interpreters = 40,
};

static const struct python_layout layout_3_12 = {
    .walk =
	{
	    .tstate_frame = 56, /* cframe */
	    .tstate_next = 8,
	    .tstate_interp = 16,
	    .tstate_cframe = 56,
	    .tstate_thread = 136,
	    .interp_next = 0,
	    .interp_threads = 72,
	    .cframe_frame = 0,
	    .cframe_previous = 8,
	    .frame_code = 0,
	    .frame_previous = 8,
	    .frame_instr = 56, /* prev_instr */
	    .frame_owner = 70,
	    .frame_kind = 70,
	    .code_instrs = 192,
	    .code_start = 64,
	    .code_first_line = 68,
	    .code_version = 92,
	    .code_file = 112,
	    .code_name = 120,
	    .code_qualname = 128,
	    .code_lines = 136,
	    .unicode_length = 16,
	    .unicode_state = 32,
	    .unicode_ascii = 40,
	    .unicode_compact = 56,
	    .bytes_size = 16,
	    .bytes_data = 32,
	    .has_cframe = 1,
	    .entry_value = 3, /* FRAME_OWNED_BY_CSTACK */
	    .entry_is_frame = 0,
	    .generator_state = 5,
	},
    .runtime_key = 1544, /* autoTSSkey */
    .runtime_interpreters = 40,
};

/*
 * Offsets from the DWARF of the pyenv build of 2.7.18; Include/pystate.h, frameobject.h, code.h,
 * stringobject.h.
 */
static const struct python_layout layout_2_7 = {
    .walk =
	{
	    .tstate_frame = 16,
	    .tstate_next = 0,
	    .tstate_interp = 8,
	    .tstate_thread = 144,
	    .interp_next = 0,
	    .interp_threads = 8,
	    .frame_code = 32,
	    .frame_previous = 24,
	    .frame_instr = 120, /* f_lasti, in bytes: that is its unit */
	    .code_start = 16,
	    .code_first_line = 96,
	    .code_file = 80,
	    .code_name = 88,
	    .code_lines = 104,	  /* co_lnotab */
	    .unicode_length = 16, /* PyStringObject.ob_size */
	    .unicode_ascii = 36,  /* ob_sval */
	    .bytes_size = 16,	  /* the same structure */
	    .bytes_data = 36,
	    .is_heap_frame = 1,
	    .is_listed = 1,
	    .has_byte_names = 1,
	    .frame_locals = 376,
	    .code_locals_nr = 20,
	},
    .methods = {.function_code = 16,
		.function_globals = 24,
		.function_dict = 64,
		.class_name = 856,
		.code_flags = 28},
    .has_thread_list = true,
};

/*
 * 3.6 to 3.10 walk PyFrameObjects (Include/frameobject.h, 3.10: Include/cpython/frameobject.h).
 * Offsets from the DWARF of the pyenv builds of 3.6.15, 3.7.16, 3.8.18, 3.9.18 and 3.10.13. What
 * several versions share is told once, below the number of the first one that has it.
 */
#define HEAP_FRAME_3_6                                                                     \
	.tstate_frame = 24, .frame_code = 32, .frame_previous = 24, .unicode_length = 16,  \
	.unicode_state = 32, .unicode_ascii = 48, .unicode_compact = 72, .bytes_size = 16, \
	.bytes_data = 32, .is_heap_frame = 1, .tstate_next = 8, .tstate_interp = 16,       \
	.interp_next = 0, .interp_threads = 8

/* 3.7 to 3.9; f_lasti in bytes. */
#define HEAP_FRAME_3_7                                                              \
	HEAP_FRAME_3_6, .tstate_thread = 176, .frame_instr = 104, .instr_shift = 1, \
			.frame_locals = 360

/* PyCodeObject (Include/code.h) of 3.6 and 3.7, and of 3.8 to 3.10. The lines are co_lnotab, from
 * 3.10 on co_linetable. */
#define CODE_3_6                                                                    \
	.code_start = 32, .code_first_line = 36, .code_file = 96, .code_name = 104, \
	.code_lines = 112, .code_locals_nr = 24
#define CODE_3_8                                                                     \
	.code_start = 40, .code_first_line = 40, .code_file = 104, .code_name = 112, \
	.code_lines = 120, .code_locals_nr = 28

/* PyFunctionObject of 3.6 to 3.9, and of 3.10. */
#define FUNCTION_3_6 \
	.function_code = 16, .function_globals = 24, .function_dict = 72, .function_qualname = 104
#define FUNCTION_3_10 \
	.function_code = 48, .function_globals = 16, .function_dict = 88, .function_qualname = 40

/* _PyRuntime of 3.9 and 3.10. */
#define RUNTIME_3_9 .runtime_interpreters = 32, .runtime_key = 584, .runtime_current = 568

static const struct python_layout layout_3_6 = {
    .walk =
	{
	    HEAP_FRAME_3_6,
	    CODE_3_6,
	    .tstate_thread = 152,
	    .frame_instr = 120,
	    .instr_shift = 1,
	    .frame_locals = 376,
	},
    .methods = {FUNCTION_3_6, .code_flags = 32},
    .has_plain_key = true,
};

static const struct python_layout layout_3_7 = {
    .walk = {HEAP_FRAME_3_7, CODE_3_6},
    .methods = {FUNCTION_3_6, .code_flags = 32},
    .runtime_interpreters = 24,
    .runtime_key = 1504,
    .runtime_current = 1480,
};

static const struct python_layout layout_3_8 = {
    .walk = {HEAP_FRAME_3_7, CODE_3_8},
    .methods = {FUNCTION_3_6, .code_flags = 36},
    .runtime_interpreters = 32,
    .runtime_key = 1392,
    .runtime_current = 1368,
};

static const struct python_layout layout_3_9 = {
    .walk = {HEAP_FRAME_3_7, CODE_3_8},
    .methods = {FUNCTION_3_6, .code_flags = 36},
    RUNTIME_3_9,
};

static const struct python_layout layout_3_10 = {
    .walk =
	{
	    HEAP_FRAME_3_6,
	    CODE_3_8,
	    .tstate_thread = 176,
	    .tstate_cframe = 48,
	    .frame_instr = 96, /* in code units already */
	    .instr_shift = 0,
	    .frame_locals = 352,
	},
    .methods = {FUNCTION_3_10, .code_flags = 36},
    RUNTIME_3_9,
};

/*
 * 3.13 and newer tell their layout in _Py_DebugOffsets
 * (Include/internal/pycore_debug_offsets.h, 3.13: pycore_runtime.h). Each minor version inserts
 * entries in the middle: one form each.
 */
enum debug_form { FORM_3_13, FORM_3_14, FORM_3_15, DEBUG_FORMS_NR };

static const struct {
	uint16_t bytes;		   /* of _Py_DebugOffsets */
	struct python_layout rest; /* what it does not tell */
} debug_forms[DEBUG_FORMS_NR] = {
    [FORM_3_13] = {584,
		   {
		       .walk =
			   {
			       .code_version = 92, /* co_version */
			       .entry_value = 3,   /* FRAME_OWNED_BY_CSTACK */
			   },
		       .runtime_key = 2160, /* autoTSSkey */
		   }},
    [FORM_3_14] = {760,
		   {
		       .walk =
			   {
			       .code_version = 92,
			       .entry_value = 3,   /* FRAME_OWNED_BY_INTERPRETER */
			       .skipped_owner = 4, /* FRAME_OWNED_BY_CSTACK */
			   },
		       .runtime_key = 2336,
		   }},
    [FORM_3_15] = {888,
		   {
		       .walk =
			   {
			       .code_version = 92,
			       .entry_value = 3,
			   },
		       .needs_bound = true,
		   }},
};

/* Free-threaded: also not told, but different. Each object's head is 16 bytes longer. */
static const struct {
	uint16_t code_version; /* co_version */
	uint8_t unicode_kind; /* struct unicode state of 3.14 and newer: interned is a whole byte */
} free_threaded[DEBUG_FORMS_NR] = {
    [FORM_3_13] = {108, 0},
    [FORM_3_14] = {108, 6},
    [FORM_3_15] = {108, 6},
};

#define FIELD(name) offsetof(struct pyrec_layout, name)

/*
 * Position in _Py_DebugOffsets of each form -> field of the walk's layout. A field that is taken
 * from a head read at once must lie inside it and be aligned; the others are only added to an
 * address.
 */
static const struct debug_field {
	uint16_t at[DEBUG_FORMS_NR]; /* 0: not told by this version */
	uint16_t field;
	uint16_t end; /* no byte of the field from here on */
	uint16_t bytes;
} debug_fields[] = {
    /* thread_state.current_frame */
    {{184, 208, 208}, FIELD(tstate_frame), PYREC_TSTATE_HEAD_BYTES, 8},
    /* thread_state.next */
    {{168, 192, 192}, FIELD(tstate_next), DEBUG_OFFSET_MAX, 8},
    /* thread_state.interp */
    {{176, 200, 200}, FIELD(tstate_interp), PYREC_TSTATE_HEAD_BYTES, 8},
    /* thread_state.thread_id */
    {{192, 216, 240}, FIELD(tstate_thread), DEBUG_OFFSET_MAX, 8},
    /* interpreter_state.next */
    {{64, 64, 64}, FIELD(interp_next), INTERP_OFFSET_MAX, 8},
    /* interpreter_state.threads_head */
    {{72, 72, 72}, FIELD(interp_threads), INTERP_OFFSET_MAX, 8},
    /* thread_state.base_frame */
    {{0, 0, 216}, FIELD(tstate_base_frame), PYREC_TSTATE_HEAD_BYTES, 8},
    /* interpreter_frame.previous */
    {{232, 256, 320}, FIELD(frame_previous), PYREC_FRAME_HEAD_BYTES, 8},
    /* interpreter_frame.executable */
    {{240, 264, 328}, FIELD(frame_code), PYREC_FRAME_HEAD_BYTES, 8},
    /* interpreter_frame.instr_ptr */
    {{248, 272, 336}, FIELD(frame_instr), PYREC_FRAME_HEAD_BYTES, 8},
    /* interpreter_frame.owner */
    {{264, 288, 352}, FIELD(frame_owner), PYREC_FRAME_HEAD_BYTES, 1},
    /* code_object.filename */
    {{280, 320, 384}, FIELD(code_file), PYREC_CODE_HEAD_BYTES, 8},
    /* code_object.name */
    {{288, 328, 392}, FIELD(code_name), PYREC_CODE_HEAD_BYTES, 8},
    /* code_object.qualname */
    {{296, 336, 400}, FIELD(code_qualname), PYREC_CODE_HEAD_BYTES, 8},
    /* code_object.linetable */
    {{304, 344, 408}, FIELD(code_lines), PYREC_CODE_HEAD_BYTES, 8},
    /* code_object.firstlineno */
    {{312, 352, 416}, FIELD(code_first_line), PYREC_CODE_HEAD_BYTES, 4},
    /* code_object.co_code_adaptive */
    {{344, 384, 448}, FIELD(code_instrs), DEBUG_OFFSET_MAX, 1},
    /* code_object.co_tlbc: 0 but in free-threaded builds */
    {{0, 392, 456}, FIELD(code_copies), DEBUG_OFFSET_MAX, 8},
    /* interpreter_frame.tlbc_index */
    {{0, 304, 368}, FIELD(frame_copy), PYREC_FRAME_HEAD_BYTES, 4},
    /* pyobject.ob_type */
    {{0, 408, 472}, FIELD(object_type), PYREC_UNICODE_HEAD_BYTES, 8},
    /* type_object.tp_flags */
    {{0, 440, 504}, FIELD(type_flags), DEBUG_OFFSET_MAX, 8},
    /* long_object.lv_tag */
    {{0, 576, 672}, FIELD(long_tag), PYREC_UNICODE_HEAD_BYTES, 8},
    /* long_object.ob_digit */
    {{0, 584, 680}, FIELD(long_digits), PYREC_UNICODE_HEAD_BYTES, 8},
    /* bytes_object.ob_size */
    {{520, 600, 696}, FIELD(bytes_size), DEBUG_OFFSET_MAX, 1},
    /* bytes_object.ob_sval */
    {{528, 608, 704}, FIELD(bytes_data), DEBUG_OFFSET_MAX, 1},
    /* unicode_object.state */
    {{544, 624, 720}, FIELD(unicode_state), PYREC_UNICODE_HEAD_BYTES, 4},
    /* unicode_object.length */
    {{552, 632, 728}, FIELD(unicode_length), PYREC_UNICODE_HEAD_BYTES, 8},
    /* unicode_object.asciiobject_size */
    {{560, 640, 736}, FIELD(unicode_ascii), DEBUG_OFFSET_MAX, 1},
};

/* PyCompactUnicodeObject is PyASCIIObject and two words: utf8_length, utf8. */
enum { COMPACT_UNICODE_EXTRA_BYTES = 16 };

static uint64_t debug_offset(const uint8_t *debug_offsets, size_t at)
{
	struct bytes_cursor cursor = bytes_cursor_make(debug_offsets + at, 8);

	return bytes_get_u64(&cursor);
}

static int debug_field_take(const struct debug_field *field, uint64_t offset,
			    struct pyrec_layout *ret)
{
	const uint16_t value = (uint16_t)offset;

	if (offset > (uint64_t)field->end - field->bytes || offset % field->bytes)
		return -EBADMSG;
	memcpy((char *)ret + field->field, &value, sizeof(value));
	return 0;
}

/* What is read of a code object at once lies in one piece, the line table last; of a string, before
 * the end of its state. */
static bool heads_are_in_order(const struct pyrec_layout *layout)
{
	const uint16_t fields[] = {layout->code_file, layout->code_name, layout->code_qualname};

	for (size_t i = 0; i < array_size(fields); i++)
		if (fields[i] < layout->code_start || fields[i] >= layout->code_lines)
			return false;
	return layout->unicode_length + 8U <= pyrec_unicode_head_bytes(layout) &&
	       layout->long_digits + 8U <= pyrec_unicode_head_bytes(layout) &&
	       layout->code_lines + 8 <= layout->code_start + PYREC_CODE_WALK_BYTES &&
	       layout->code_version >= layout->code_start &&
	       layout->code_version + 4 <= layout->code_start + 32;
}

static int layout_from_debug_offsets(enum debug_form form, uint32_t version_hex,
				     const uint8_t *debug_offsets, size_t nr,
				     struct python_layout *ret)
{
	struct python_layout layout = debug_forms[form].rest;
	uint64_t interpreters;

	if (!debug_offsets || nr < debug_forms[form].bytes ||
	    memcmp(debug_offsets, "xdebugpy", 8) != 0 ||
	    debug_offset(debug_offsets, 8) != version_hex)
		return -EBADMSG;
	layout.is_free_threaded = debug_offset(debug_offsets, 16) != 0;
	if (layout.is_free_threaded) {
		layout.walk.code_version = free_threaded[form].code_version;
		layout.walk.unicode_kind = free_threaded[form].unicode_kind;
	}
	for (size_t i = 0; i < array_size(debug_fields); i++) {
		const uint16_t at = debug_fields[i].at[form];

		if (at && debug_field_take(&debug_fields[i], debug_offset(debug_offsets, at),
					   &layout.walk))
			return -EBADMSG;
	}
	/* runtime_state.interpreters_head */
	interpreters = debug_offset(debug_offsets, 40);
	if (interpreters > RUNTIME_OFFSET_MAX || interpreters % 8)
		return -EBADMSG;
	layout.runtime_interpreters = (uint32_t)interpreters;
	layout.walk.unicode_compact = layout.walk.unicode_ascii + COMPACT_UNICODE_EXTRA_BYTES;
	layout.walk.code_start = layout.walk.code_first_line & ~7;
	if (!heads_are_in_order(&layout.walk))
		return -EBADMSG;
	*ret = layout;
	return 0;
}

int python_layout_find(uint32_t version_hex, const uint8_t *debug_offsets, size_t nr,
		       struct python_layout *ret)
{
	if ((version_hex >> 4 & 0xf) != RELEASE_FINAL)
		return -ENOENT;
	switch (version_hex >> 16) {
	case 0x0207:
		*ret = layout_2_7;
		return 0;
	case 0x0306:
		*ret = layout_3_6;
		return 0;
	case 0x0307:
		*ret = layout_3_7;
		return 0;
	case 0x0308:
		*ret = layout_3_8;
		return 0;
	case 0x0309:
		*ret = layout_3_9;
		return 0;
	case 0x030a:
		*ret = layout_3_10;
		return 0;
	case 0x030b:
		*ret = layout_3_11;
		return 0;
	case 0x030c:
		*ret = layout_3_12;
		return 0;
	case 0x030d:
		return layout_from_debug_offsets(FORM_3_13, version_hex, debug_offsets, nr, ret);
	case 0x030e:
		return layout_from_debug_offsets(FORM_3_14, version_hex, debug_offsets, nr, ret);
	case 0x030f:
		return layout_from_debug_offsets(FORM_3_15, version_hex, debug_offsets, nr, ret);
	default:
		return -ENOENT;
	}
}
