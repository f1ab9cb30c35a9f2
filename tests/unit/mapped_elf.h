/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An ELF file of elf_writer.h in a temporary folder, mapped executable into this process. */
#ifndef PYREC_TESTS_MAPPED_ELF_H
#define PYREC_TESTS_MAPPED_ELF_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "common/proc_text.h"
#include "tests/unit/debug_offsets.h"
#include "tests/unit/elf_writer.h"

struct mapped_elf {
	char folder[32];
	char path[64];
	void *start;
	size_t nr;
};

/** Finish @writer (and release it) and save it as @name. Not mapped yet. */
static inline void mapped_elf_save(struct mapped_elf *elf, struct elf_writer *writer,
				   const char *name)
{
	*elf = (struct mapped_elf){.folder = "/tmp/pyrec-elf-XXXXXX"};
	assert_non_null(mkdtemp(elf->folder));
	snprintf(elf->path, sizeof(elf->path), "%s/%s", elf->folder, name);
	elf_writer_finish(writer, SHT_DYNSYM);
	assert_int_equal(elf_writer_save(writer, elf->path), 0);
	elf->nr = (writer->body.nr + 4095) & ~UINT64_C(4095);
	elf_writer_deinit(writer);
}

static inline void mapped_elf_map(struct mapped_elf *elf)
{
	int fd = open(elf->path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	elf->start = mmap(NULL, elf->nr, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_true(elf->start != MAP_FAILED);
	close(fd);
}

static inline void mapped_elf_unmap(struct mapped_elf *elf)
{
	if (elf->start)
		munmap(elf->start, elf->nr);
	elf->start = NULL;
}

static inline void mapped_elf_remove(struct mapped_elf *elf)
{
	mapped_elf_unmap(elf);
	unlink(elf->path);
	rmdir(elf->folder);
}

/** This process's /proc/self/maps line at @elf's place; its path lives in @line (free it). */
static inline struct proc_map mapped_elf_line(const struct mapped_elf *elf, char **line)
{
	auto_free char *text = NULL;
	struct proc_map map = {0};
	char *at, *rest;
	size_t nr;

	*line = NULL;
	assert_int_equal(proc_file_read("/proc/self/maps", &text, &nr), 0);
	for (rest = text; !*line && (at = strsep(&rest, "\n")) != NULL;)
		if (strtoull(at, NULL, 16) == (uint64_t)(uintptr_t)elf->start)
			*line = strdup(at);
	assert_non_null(*line);
	assert_int_equal(proc_map_parse(*line, &map), 0);
	return map;
}

/** Something that passes for libpython of the version @version_hex (3.13 to be walkable). */
static inline void elf_writer_python(struct elf_writer *writer, uint32_t version_hex,
				     uint8_t build_id)
{
	uint8_t runtime[1024] = {0};

	elf_writer_init(writer, ET_DYN);
	elf_writer_build_id(writer, build_id);
	debug_offsets_3_13(runtime, version_hex);
	elf_writer_section(writer, ".PyRuntime", SHT_PROGBITS, runtime, sizeof(runtime));
	elf_writer_function(writer, "_PyEval_EvalFrameDefault", 0x123, 64);
}

#endif
