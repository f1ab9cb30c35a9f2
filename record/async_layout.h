/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the running asyncio task and its name are. CPython 3.14 and newer tell it in the section
 * .AsyncioDebug (struct _Py_AsyncioModuleDebugOffsets, Modules/_asynciomodule.c): 13 numbers of 64
 * bits, of the file that holds asyncio's C module: a library of its own, or the interpreter.
 */
#ifndef PYREC_RECORD_ASYNC_LAYOUT_H
#define PYREC_RECORD_ASYNC_LAYOUT_H

#include <stdint.h>

#include "common/elf_file.h"

/* Byte offsets, as in struct pyrec_process. */
struct async_layout {
	uint16_t tstate_task; /* 0: the file has no such section */
	uint16_t task_state;
	uint16_t task_name;
};

/** Return: 0; -ENOENT: no such section; -EBADMSG: one that cannot be of this form. */
must_check int async_layout_find(const struct elf_file *elf, struct async_layout *ret);

#endif
