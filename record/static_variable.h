/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a static variable of a stripped file is: told by the x86-64 machine code of an exported
 * function that uses it.
 */
#ifndef PYREC_RECORD_STATIC_VARIABLE_H
#define PYREC_RECORD_STATIC_VARIABLE_H

#include <stdint.h>

#include "common/elf_file.h"

enum static_variable_use {
	STATIC_VARIABLE_LOAD,	 /* its 32 bits: mov disp32(%rip),%r32 */
	STATIC_VARIABLE_LOAD_64, /* its 64 bits: mov disp32(%rip),%r64 */
	STATIC_VARIABLE_ADDRESS, /* lea disp32(%rip),%r64 */
};

/** The first variable that @function uses so. Return: its vaddr; 0: none. */
uint64_t static_variable_decode(const struct elf_file *elf, const char *function,
				enum static_variable_use use);

#endif
