/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a thread-local variable lies, from its symbol or, in a stripped file, from the machine code
 * of an exported function that loads it; and where musl keeps thread-specific data. x86-64.
 */
#ifndef PYREC_RECORD_TLS_DECODE_H
#define PYREC_RECORD_TLS_DECODE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "bpf/pyrec_bpf.h"
#include "common/elf_file.h"

/** As the fields of struct pyrec_process; the address is the file's own (vaddr). */
struct tls_place {
	uint32_t kind; /* enum pyrec_tls_kind */
	int64_t offset;
	uint64_t module_vaddr; /* PYREC_TLS_DYNAMIC: the DTPMOD64 word */
};

/**
 * @variable: its name, gone when the file is stripped.
 * @function: exported, does nothing but load it.
 * Return: kind PYREC_TLS_NONE when neither tells.
 */
struct tls_place tls_find(const struct elf_file *elf, const char *variable, const char *function);

/**
 * Is the file musl's C library, or does it contain it? @specific: offset in musl's struct pthread
 * of the pointer to the thread's specific data; it differs between releases (1.2.3: 0x80) and is
 * decoded from pthread_getspecific(); 0 when that looks otherwise.
 */
bool musl_find(const struct elf_file *elf, uint32_t *specific);

#endif
