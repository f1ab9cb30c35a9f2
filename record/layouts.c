/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/layouts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"

enum { RELEASE_FINAL = 0xf, DEBUG_OFFSETS_3_13_BYTES = 584, DEBUG_OFFSET_MAX = 256 };

/*
 * Offsets read from the DWARF of the pyenv builds of 3.11.7 and 3.12.1; structures:
 * Include/cpython/pystate.h, Include/internal/pycore_frame.h, Include/cpython/code.h,
 * Include/cpython/unicodeobject.h, Include/internal/pycore_runtime.h of each version.
 */
static const struct python_layout layout_3_11 = {
    .walk =
	{
	    .tstate_frame = 56, /* cframe */
	    .cframe_frame = 8,
	    .cframe_previous = 16,
	    .frame_code = 32,
	    .frame_previous = 48,
	    .frame_instr = 56, /* prev_instr */
	    .frame_owner = 68, /* is_entry */
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
	},
    .runtime_key = 592,	    /* gilstate.autoTSSkey */
    .runtime_current = 576, /* gilstate.tstate_current */
};

static const struct python_layout layout_3_12 = {
    .walk =
	{
	    .tstate_frame = 56, /* cframe */
	    .cframe_frame = 0,
	    .cframe_previous = 8,
	    .frame_code = 0,
	    .frame_previous = 8,
	    .frame_instr = 56, /* prev_instr */
	    .frame_owner = 70,
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
	},
    .runtime_key = 1544, /* autoTSSkey */
};

/*
 * 3.6 to 3.10 walk PyFrameObjects (Include/frameobject.h, 3.10: Include/cpython/frameobject.h).
 * What they share; offsets from the DWARF of the pyenv builds of 3.6.15, 3.7.16, 3.8.18, 3.9.18
 * and 3.10.13.
 */
#define HEAP_FRAME_COMMON                                                                  \
	.tstate_frame = 24, .frame_code = 32, .frame_previous = 24, .unicode_length = 16,  \
	.unicode_state = 32, .unicode_ascii = 48, .unicode_compact = 72, .bytes_size = 16, \
	.bytes_data = 32, .is_heap_frame = 1

static const struct python_layout layout_3_6 = {
    .walk =
	{
	    HEAP_FRAME_COMMON, .frame_instr = 120, .instr_shift = 1, .code_start = 32,
	    .code_first_line = 36, .code_file = 96, .code_name = 104,
	    .code_lines = 112, /* co_lnotab */
	},
    .has_plain_key = true,
};

static const struct python_layout layout_3_7 = {
    .walk =
	{
	    HEAP_FRAME_COMMON,
	    .frame_instr = 104,
	    .instr_shift = 1,
	    .code_start = 32,
	    .code_first_line = 36,
	    .code_file = 96,
	    .code_name = 104,
	    .code_lines = 112,
	},
    .runtime_key = 1504,
    .runtime_current = 1480,
};

static const struct python_layout layout_3_8 = {
    .walk =
	{
	    HEAP_FRAME_COMMON,
	    .frame_instr = 104,
	    .instr_shift = 1,
	    .code_start = 40,
	    .code_first_line = 40,
	    .code_file = 104,
	    .code_name = 112,
	    .code_lines = 120,
	},
    .runtime_key = 1392,
    .runtime_current = 1368,
};

static const struct python_layout layout_3_9 = {
    .walk =
	{
	    HEAP_FRAME_COMMON,
	    .frame_instr = 104,
	    .instr_shift = 1,
	    .code_start = 40,
	    .code_first_line = 40,
	    .code_file = 104,
	    .code_name = 112,
	    .code_lines = 120,
	},
    .runtime_key = 584,
    .runtime_current = 568,
};

static const struct python_layout layout_3_10 = {
    .walk =
	{
	    HEAP_FRAME_COMMON, .frame_instr = 96, /* in code units already */
	    .instr_shift = 0, .code_start = 40, .code_first_line = 40, .code_file = 104,
	    .code_name = 112, .code_lines = 120, /* co_linetable */
	},
    .runtime_key = 584,
    .runtime_current = 568,
};

/* What _Py_DebugOffsets of 3.13 (Include/internal/pycore_runtime.h) does not tell. */
static const struct python_layout layout_3_13_rest = {
    .walk =
	{
	    .code_version = 92, /* co_version */
	    .has_cframe = 0,
	    .entry_value = 3, /* FRAME_OWNED_BY_CSTACK */
	    .entry_is_frame = 0,
	},
    .runtime_key = 2160, /* autoTSSkey */
};

/*
 * Position in _Py_DebugOffsets of 3.13 -> field of the walk's layout. A field that is taken from a
 * head read at once must lie inside it and be aligned; the others are only added to an address.
 */
static const struct {
	uint16_t at;
	uint16_t field;
	uint16_t end; /* no byte of the field from here on */
	uint16_t bytes;
} debug_fields_3_13[] = {
    {184, offsetof(struct pyrec_layout, tstate_frame), DEBUG_OFFSET_MAX,
     1}, /* thread_state.current_frame */
    {232, offsetof(struct pyrec_layout, frame_previous), PYREC_FRAME_HEAD_BYTES,
     8}, /* interpreter_frame.previous */
    {240, offsetof(struct pyrec_layout, frame_code), PYREC_FRAME_HEAD_BYTES,
     8}, /* interpreter_frame.executable */
    {248, offsetof(struct pyrec_layout, frame_instr), PYREC_FRAME_HEAD_BYTES,
     8}, /* interpreter_frame.instr_ptr */
    {264, offsetof(struct pyrec_layout, frame_owner), PYREC_FRAME_HEAD_BYTES,
     1}, /* interpreter_frame.owner */
    {280, offsetof(struct pyrec_layout, code_file), PYREC_CODE_HEAD_BYTES,
     8}, /* code_object.filename */
    {288, offsetof(struct pyrec_layout, code_name), PYREC_CODE_HEAD_BYTES,
     8}, /* code_object.name */
    {296, offsetof(struct pyrec_layout, code_qualname), PYREC_CODE_HEAD_BYTES,
     8}, /* code_object.qualname */
    {304, offsetof(struct pyrec_layout, code_lines), PYREC_CODE_HEAD_BYTES,
     8}, /* code_object.linetable */
    {312, offsetof(struct pyrec_layout, code_first_line), PYREC_CODE_HEAD_BYTES,
     4}, /* code_object.firstlineno */
    {344, offsetof(struct pyrec_layout, code_instrs), DEBUG_OFFSET_MAX,
     1}, /* code_object.co_code_adaptive */
    {520, offsetof(struct pyrec_layout, bytes_size), DEBUG_OFFSET_MAX,
     1}, /* bytes_object.ob_size */
    {528, offsetof(struct pyrec_layout, bytes_data), DEBUG_OFFSET_MAX,
     1}, /* bytes_object.ob_sval */
    {544, offsetof(struct pyrec_layout, unicode_state), PYREC_UNICODE_HEAD_BYTES,
     4}, /* unicode_object.state */
    {552, offsetof(struct pyrec_layout, unicode_length), PYREC_UNICODE_HEAD_BYTES,
     8}, /* unicode_object.length */
    {560, offsetof(struct pyrec_layout, unicode_ascii), DEBUG_OFFSET_MAX,
     1}, /* unicode_object.asciiobject_size */
};

/* PyCompactUnicodeObject is PyASCIIObject and two words: utf8_length, utf8. */
enum { COMPACT_UNICODE_EXTRA_BYTES = 16 };

static uint64_t debug_offset(const uint8_t *debug_offsets, size_t at)
{
	struct bytes_cursor cursor = bytes_cursor_make(debug_offsets + at, 8);

	return bytes_get_u64(&cursor);
}

static int layout_from_3_13(uint32_t version_hex, const uint8_t *debug_offsets, size_t nr,
			    struct python_layout *ret)
{
	struct python_layout layout = layout_3_13_rest;

	if (!debug_offsets || nr < DEBUG_OFFSETS_3_13_BYTES ||
	    memcmp(debug_offsets, "xdebugpy", 8) != 0 ||
	    debug_offset(debug_offsets, 8) != version_hex)
		return -EBADMSG;
	if (debug_offset(debug_offsets, 16)) /* free-threaded: other string and code heads */
		return -ENOENT;
	for (size_t i = 0; i < array_size(debug_fields_3_13); i++) {
		uint64_t offset = debug_offset(debug_offsets, debug_fields_3_13[i].at);
		uint16_t value = (uint16_t)offset;

		const uint64_t bytes = debug_fields_3_13[i].bytes;

		if (offset > debug_fields_3_13[i].end - bytes || offset % bytes)
			return -EBADMSG;
		memcpy((char *)&layout.walk + debug_fields_3_13[i].field, &value, sizeof(value));
	}
	layout.walk.unicode_compact = layout.walk.unicode_ascii + COMPACT_UNICODE_EXTRA_BYTES;
	layout.walk.code_start = layout.walk.code_first_line & ~7;
	*ret = layout;
	return 0;
}

int python_layout_find(uint32_t version_hex, const uint8_t *debug_offsets, size_t nr,
		       struct python_layout *ret)
{
	if ((version_hex >> 4 & 0xf) != RELEASE_FINAL)
		return -ENOENT;
	switch (version_hex >> 16) {
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
		return layout_from_3_13(version_hex, debug_offsets, nr, ret);
	default:
		return -ENOENT;
	}
}

void python_version_format(uint32_t version_hex, char *text, size_t nr)
{
	unsigned int level = version_hex >> 4 & 0xf;
	int used = snprintf(text, nr, "%u.%u", version_hex >> 24, version_hex >> 16 & 0xff);
	const char *mark = level == 0xa ? "a" : level == 0xb ? "b" : level == 0xc ? "rc" : NULL;

	if (!level) /* no PY_VERSION_HEX has that: only the minor version is known */
		return;
	used += snprintf(text + used, nr - (size_t)used, ".%u", version_hex >> 8 & 0xff);

	if (mark && used > 0 && (size_t)used < nr)
		snprintf(text + used, nr - (size_t)used, "%s%u", mark, version_hex & 0xf);
}
