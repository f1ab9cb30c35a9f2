/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * _Py_DebugOffsets of CPython 3.13 (Include/internal/pycore_runtime.h), with the values of a
 * default build as the DWARF of 3.13.0 has them.
 */
#ifndef PYREC_TESTS_DEBUG_OFFSETS_H
#define PYREC_TESTS_DEBUG_OFFSETS_H

#include <stdint.h>
#include <string.h>

enum {
	DEBUG_OFFSETS_BYTES = 584,
	DEBUG_OFFSETS_3_14_BYTES = 760,
	DEBUG_OFFSETS_3_15_BYTES = 888,
};

static inline void debug_offsets_set(uint8_t *bytes, size_t at, uint64_t value)
{
	memcpy(bytes + at, &value, sizeof(value));
}

static inline void debug_offsets_fill(uint8_t *bytes, size_t nr, uint64_t version_hex,
				      const uint16_t rows[][2], size_t rows_nr)
{
	memset(bytes, 0, nr);
	memcpy(bytes, "xdebugpy", 8);
	debug_offsets_set(bytes, 8, version_hex);
	for (size_t i = 0; i < rows_nr; i++)
		debug_offsets_set(bytes, rows[i][0], rows[i][1]);
}

static inline void debug_offsets_3_13(uint8_t bytes[DEBUG_OFFSETS_BYTES], uint64_t version_hex)
{
	static const uint16_t rows[][2] = {
	    {40, 632},	/* runtime_state.interpreters_head */
	    {64, 7264}, /* interpreter_state.next */
	    {72, 7344}, /* interpreter_state.threads_head */
	    {168, 8},	/* thread_state.next */
	    {176, 16},	/* thread_state.interp */
	    {184, 72},	/* thread_state.current_frame */
	    {192, 152}, /* thread_state.thread_id */
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

	debug_offsets_fill(bytes, DEBUG_OFFSETS_BYTES, version_hex, rows,
			   sizeof(rows) / sizeof(rows[0]));
}

/* As the headers of Debian's 3.14.10 and 3.15.2 compile (Include/internal/pycore_debug_offsets.h).
 */
static inline void debug_offsets_3_14(uint8_t bytes[DEBUG_OFFSETS_3_14_BYTES], uint64_t version_hex)
{
	static const uint16_t rows[][2] = {
	    {40, 808},	{64, 7272}, {72, 7344}, {192, 8},  {200, 16},  {216, 152}, {208, 72},
	    {256, 8},	{264, 0},   {272, 56},	{288, 74}, {320, 112}, {328, 120}, {336, 128},
	    {344, 136}, {352, 68},  {384, 208}, {600, 16}, {608, 32},  {624, 32},  {632, 16},
	    {640, 40},	{440, 168}, {576, 16},	{584, 24}, {408, 8},
	};

	debug_offsets_fill(bytes, DEBUG_OFFSETS_3_14_BYTES, version_hex, rows,
			   sizeof(rows) / sizeof(rows[0]));
}

static inline void debug_offsets_3_15(uint8_t bytes[DEBUG_OFFSETS_3_15_BYTES], uint64_t version_hex)
{
	static const uint16_t rows[][2] = {
	    {40, 936},	{64, 7264}, {72, 7336}, {192, 8},   {200, 16}, {240, 176}, {208, 72},
	    {216, 80},	{320, 8},   {328, 0},	{336, 56},  {352, 74}, {384, 112}, {392, 120},
	    {400, 128}, {408, 136}, {416, 68},	{448, 208}, {696, 16}, {704, 32},  {720, 32},
	    {728, 16},	{736, 40},  {504, 168}, {672, 16},  {680, 24}, {472, 8},
	};

	debug_offsets_fill(bytes, DEBUG_OFFSETS_3_15_BYTES, version_hex, rows,
			   sizeof(rows) / sizeof(rows[0]));
}

/* Free-threaded: the same of a --disable-gil build of 3.13.5, and of the same headers with
 * Py_GIL_DISABLED. */
static inline void debug_offsets_3_13t(uint8_t bytes[DEBUG_OFFSETS_BYTES], uint64_t version_hex)
{
	static const uint16_t rows[][2] = {
	    {16, 1},	{184, 72},  {232, 8},	{240, 0},   {248, 56}, {264, 70},
	    {280, 128}, {288, 136}, {296, 144}, {304, 152}, {312, 84}, {344, 216},
	    {520, 32},	{528, 48},  {544, 48},	{552, 32},  {560, 56},
	};

	debug_offsets_fill(bytes, DEBUG_OFFSETS_BYTES, version_hex, rows,
			   sizeof(rows) / sizeof(rows[0]));
}

static inline void debug_offsets_3_14t(uint8_t bytes[DEBUG_OFFSETS_3_14_BYTES],
				       uint64_t version_hex)
{
	static const uint16_t rows[][2] = {
	    {16, 1},	{64, 7272}, {72, 7344}, {192, 8},   {200, 16},	{216, 152}, {208, 72},
	    {256, 8},	{264, 0},   {272, 56},	{288, 78},  {304, 72},	{320, 128}, {328, 136},
	    {336, 144}, {344, 152}, {352, 84},	{384, 232}, {392, 224}, {600, 32},  {608, 48},
	    {624, 48},	{632, 32},  {640, 56},	{408, 24},  {440, 184}, {576, 32},  {584, 40},
	};

	debug_offsets_fill(bytes, DEBUG_OFFSETS_3_14_BYTES, version_hex, rows,
			   sizeof(rows) / sizeof(rows[0]));
}

static inline void debug_offsets_3_15t(uint8_t bytes[DEBUG_OFFSETS_3_15_BYTES],
				       uint64_t version_hex)
{
	static const uint16_t rows[][2] = {
	    {16, 1},   {208, 72},  {216, 80},  {320, 8},   {328, 0},   {336, 56},
	    {352, 78}, {368, 72},  {384, 128}, {392, 136}, {400, 144}, {408, 152},
	    {416, 84}, {448, 232}, {456, 224}, {696, 32},  {704, 48},  {720, 48},
	    {728, 32}, {736, 56},  {472, 24},  {504, 184}, {672, 32},  {680, 40},
	};

	debug_offsets_fill(bytes, DEBUG_OFFSETS_3_15_BYTES, version_hex, rows,
			   sizeof(rows) / sizeof(rows[0]));
}

#endif
