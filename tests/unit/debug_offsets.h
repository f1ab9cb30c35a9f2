/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * _Py_DebugOffsets of CPython 3.13 (Include/internal/pycore_runtime.h), with the values of a
 * default build as the DWARF of 3.13.0 has them.
 */
#ifndef PYREC_TESTS_DEBUG_OFFSETS_H
#define PYREC_TESTS_DEBUG_OFFSETS_H

#include <stdint.h>
#include <string.h>

enum { DEBUG_OFFSETS_BYTES = 584 };

static inline void debug_offsets_set(uint8_t *bytes, size_t at, uint64_t value)
{
	memcpy(bytes + at, &value, sizeof(value));
}

static inline void debug_offsets_3_13(uint8_t bytes[DEBUG_OFFSETS_BYTES], uint64_t version_hex)
{
	static const uint16_t rows[][2] = {
	    {184, 72},	/* thread_state.current_frame */
	    {232, 8},	/* interpreter_frame.previous */
	    {240, 0},	/* interpreter_frame.executable */
	    {248, 56},	/* interpreter_frame.instr_ptr */
	    {264, 70},	/* interpreter_frame.owner */
	    {280, 112}, /* code_object.filename */
	    {288, 120}, /* code_object.name */
	    {296, 128}, /* code_object.qualname */
	    {304, 136}, /* code_object.linetable */
	    {312, 68},	/* code_object.firstlineno */
	    {344, 200}, /* code_object.co_code_adaptive */
	    {520, 16},	/* bytes_object.ob_size */
	    {528, 32},	/* bytes_object.ob_sval */
	    {544, 32},	/* unicode_object.state */
	    {552, 16},	/* unicode_object.length */
	    {560, 40},	/* unicode_object.asciiobject_size */
	};

	memset(bytes, 0, DEBUG_OFFSETS_BYTES);
	memcpy(bytes, "xdebugpy", 8);
	debug_offsets_set(bytes, 8, version_hex);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		debug_offsets_set(bytes, rows[i][0], rows[i][1]);
}

#endif
