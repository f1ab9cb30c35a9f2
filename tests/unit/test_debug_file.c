/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What true files lead to is in tests/e2e/test_debug_files.py; here are files that mislead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <lzma.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/debug_file.h"
#include "tests/unit/elf_writer.h"

static char folder[] = "/tmp/pyrec-debug-XXXXXX";

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "cd / && rm -rf %s", folder);
	return system(command);
}

/* An ELF file with one section; @writer holds its bytes. */
static struct elf_file *file_with(struct elf_writer *writer, const char *name, const void *bytes,
				  size_t nr)
{
	struct elf_file *elf;

	elf_writer_init(writer, ET_DYN);
	if (name)
		elf_writer_section(writer, name, SHT_PROGBITS, bytes, nr);
	elf_writer_finish(writer, SHT_SYMTAB);
	assert_int_equal(elf_file_open_memory(writer->body.bytes, writer->body.nr, &elf), 0);
	return elf;
}

/* ---- .gnu_debuglink ---- */

static int open_link(const void *bytes, size_t nr)
{
	char path[64];
	struct elf_writer writer;
	struct elf_file *elf = file_with(&writer, ".gnu_debuglink", bytes, nr);
	struct elf_file *found;
	const struct debug_file_of of = {.path = path, .elf = elf};
	int ret;

	snprintf(path, sizeof(path), "%s/program", folder);
	ret = debug_file_open(&of, &found);
	if (ret == 0)
		elf_file_close(found);
	elf_file_close(elf);
	elf_writer_deinit(&writer);
	return ret;
}

struct debug_link {
	char name[8];
	uint32_t crc;
};

static uint32_t save_debug(const char *path)
{
	struct elf_writer writer;
	uint32_t crc;

	elf_writer_init(&writer, ET_DYN);
	elf_writer_finish(&writer, SHT_SYMTAB);
	assert_int_equal(elf_writer_save(&writer, path), 0);
	crc = lzma_crc32((const uint8_t *)writer.body.bytes, writer.body.nr, 0);
	elf_writer_deinit(&writer);
	return crc;
}

static void test_links(void **state)
{
	struct debug_link link = {.name = "x.debug", .crc = save_debug("x.debug")};

	(void)state;
	assert_int_equal(open_link(&link, sizeof(link)), 0);
	assert_int_equal(open_link(&link, sizeof(link) - 1), -ENOENT);
	assert_int_equal(open_link(&link, 7), -ENOENT);
	assert_int_equal(open_link(&link, 0), -ENOENT);
	assert_int_equal(open_link("", 1), -ENOENT);
	link.crc++;
	assert_int_equal(open_link(&link, sizeof(link)), -ENOENT);
}

/* A path would lead anywhere; a FIFO would wait for a writer. */
static void test_links_astray(void **state)
{
	struct debug_link link = {.name = "d/debug"};

	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	link.crc = save_debug("d/debug");
	assert_int_equal(open_link(&link, sizeof(link)), -ENOENT);
	strcpy(link.name, "fifo");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(open_link(&link, sizeof(link)), -ENOENT);
	strcpy(link.name, "d");
	assert_int_equal(open_link(&link, sizeof(link)), -ENOENT);
}

/* ---- .gnu_debugdata ---- */

static int unpack(const void *bytes, size_t nr, struct strbuf *ret)
{
	struct elf_writer writer;
	struct elf_file *elf = file_with(&writer, ".gnu_debugdata", bytes, nr);
	int error;

	strbuf_reset(ret);
	error = debug_data_unpack(elf, ret);
	elf_file_close(elf);
	elf_writer_deinit(&writer);
	return error;
}

static void pack(const void *bytes, size_t nr, uint32_t preset, struct strbuf *ret)
{
	size_t packed_nr = 0;

	strbuf_reset(ret);
	assert_int_equal(strbuf_reserve(ret, lzma_stream_buffer_bound(nr)), 0);
	assert_int_equal(lzma_easy_buffer_encode(preset, LZMA_CHECK_CRC32, NULL, bytes, nr,
						 (uint8_t *)ret->bytes, &packed_nr,
						 lzma_stream_buffer_bound(nr)),
			 LZMA_OK);
	ret->nr = packed_nr;
}

static void test_packed(void **state)
{
	static uint8_t zeros[1 << 24];
	struct strbuf packed = {0};
	struct strbuf plain = {0};
	struct elf_writer writer;
	struct elf_file *none = file_with(&writer, NULL, NULL, 0);
	char text[300000];

	(void)state;
	assert_int_equal(debug_data_unpack(none, &plain), -ENOENT);
	elf_file_close(none);
	elf_writer_deinit(&writer);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)((i * i) >> 5);
	pack(text, sizeof(text), 6, &packed);
	assert_int_equal(unpack(packed.bytes, packed.nr, &plain), 0);
	assert_int_equal(plain.nr, sizeof(text));
	assert_memory_equal(plain.bytes, text, sizeof(text));
	for (size_t nr = 1; nr < packed.nr; nr += 1 + packed.nr / 50)
		assert_int_equal(unpack(packed.bytes, nr, &plain), -EBADMSG);
	for (size_t at = 0; at < packed.nr; at += 1 + packed.nr / 50) {
		packed.bytes[at] ^= 0x55;
		assert_int_not_equal(unpack(packed.bytes, packed.nr, &plain), 0);
		packed.bytes[at] ^= 0x55;
	}
	/* 16 MiB out of 2 KiB, and what needs 64 MiB to unpack. */
	pack(zeros, sizeof(zeros), 6, &packed);
	assert_int_equal(unpack(packed.bytes, packed.nr, &plain), -EBADMSG);
	assert_true(plain.capacity < sizeof(zeros));
	pack(text, sizeof(text), 9, &packed);
	assert_int_equal(unpack(packed.bytes, packed.nr, &plain), -EBADMSG);
	strbuf_deinit(&packed);
	strbuf_deinit(&plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_links),
	    cmocka_unit_test(test_links_astray),
	    cmocka_unit_test(test_packed),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
