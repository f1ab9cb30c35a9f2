/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ELF files that are a Python, part by part, and the detection of what they are. */
#ifndef PYREC_TESTS_PYTHON_ELF_H
#define PYREC_TESTS_PYTHON_ELF_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "record/python_runtime.h"
#include "tests/unit/debug_offsets.h"
#include "tests/unit/elf_writer.h"

enum { RUNTIME_BYTES = 4096 };

/* What a test looks at, and the answer. Finishes and releases @writer. */
static inline int detect(struct elf_writer *writer, uint32_t symbols_type, const char *path,
			 struct python_runtime *ret)
{
	struct elf_file *elf;
	int error;

	elf_writer_finish(writer, symbols_type);
	assert_int_equal(elf_file_open_memory(writer->body.bytes, writer->body.nr, &elf), 0);
	error = python_runtime_detect(elf, path, ret);
	elf_file_close(elf);
	elf_writer_deinit(writer);
	return error;
}

static inline uint64_t add_py_version(struct elf_writer *writer, uint64_t version_hex)
{
	const uint64_t vaddr = elf_writer_section(writer, ".rodata", SHT_PROGBITS, &version_hex,
						  sizeof(version_hex));

	elf_writer_object(writer, "Py_Version", vaddr, sizeof(version_hex));
	return vaddr;
}

static inline uint64_t add_runtime(struct elf_writer *writer)
{
	static const uint8_t zeros[RUNTIME_BYTES];

	return elf_writer_section(writer, ".PyRuntime", SHT_PROGBITS, zeros, sizeof(zeros));
}

static inline uint64_t add_runtime_3_13(struct elf_writer *writer, uint32_t version_hex)
{
	uint8_t runtime[RUNTIME_BYTES] = {0};

	debug_offsets_3_13(runtime, version_hex);
	return elf_writer_section(writer, ".PyRuntime", SHT_PROGBITS, runtime, sizeof(runtime));
}

#endif
