/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Is an ELF file a CPython runtime, of which version, and where in it is what the walk starts
 * from? Told from the file's contents, never from its name: embedded and renamed ones count too.
 */
#ifndef PYREC_RECORD_PYTHON_RUNTIME_H
#define PYREC_RECORD_PYTHON_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "common/elf_file.h"
#include "record/layouts.h"

/* Addresses are the file's own (vaddr): add the load bias of a process. */
struct python_runtime {
	uint32_t version_hex; /* micro and level are 0 where only the minor version is known */
	bool is_walkable;     /* layout is set */
	bool is_trace_refs; /* built with Py_TRACE_REFS; not told of 3.13 and newer, same layout */
	/* "PyPy 7.3.11", "GraalPy": an interpreter that is not CPython; else empty. */
	char other[24];
	struct python_layout layout;
	uint64_t runtime_vaddr; /* _PyRuntime; 0 in 2.7 and 3.6 */
	uint64_t runtime_bytes;
	uint64_t interpreters_vaddr; /* of the newest interpreter's address; 0: not found */
	uint64_t key_vaddr;	/* of the pthread key (Py_tss_t; 3.6: the key itself); 0: none */
	uint64_t current_vaddr; /* of the attached thread's state (up to 3.11); 0: none */
	uint64_t thread_list_vaddr; /* keyhead (2.7); 0: not found */
	/* In the evaluation function, behind the store to tstate->cframe; 0: none found. */
	uint64_t eval_linked_vaddr;
	uint32_t tls_kind; /* enum pyrec_tls_kind of _Py_tss_tstate (3.12 and newer) */
	int64_t tls_offset;
	bool has_bound; /* bound_offset is that of _Py_tss_gilstate (3.15), in the same block */
	int64_t bound_offset;
	uint64_t tls_module_vaddr; /* PYREC_TLS_DYNAMIC: the DTPMOD64 word */
};

/** Return: 0; -ENOENT: not a CPython runtime. */
must_check int python_runtime_detect(const struct elf_file *elf, const char *path,
				     struct python_runtime *ret);

#endif
