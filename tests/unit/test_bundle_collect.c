/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/hash.h"
#include "format/bundle.h"
#include "record/bundle_collect.h"
#include "tests/unit/mapped_elf.h"

struct collected {
	struct mapped_files *files;
	struct strbuf bytes;
	struct bundle_summary summary;
	struct bundle *bundle;
};

static void collected_init(struct collected *collected)
{
	*collected = (struct collected){0};
	assert_int_equal(mapped_files_create(&collected->files), 0);
}

/* Map @elf's file and have it looked at; @is_used: by a recorded process. */
static void collected_add(struct collected *collected, struct mapped_elf *elf, bool is_used)
{
	auto_free char *line = NULL;
	struct mapped_file *file;
	struct proc_map map;

	mapped_elf_map(elf);
	map = mapped_elf_line(elf, &line);
	assert_int_equal(mapped_files_get(collected->files, (uint32_t)getpid(), &map, &file), 0);
	if (is_used)
		mapped_file_use(file, (uint32_t)getpid(), map.start, map.end);
	mapped_elf_remove(elf); /* the file is gone before the end */
}

static void collected_run(struct collected *collected)
{
	const struct address_set hits = {0};

	assert_int_equal(
	    bundle_collect(collected->files, &hits, &collected->bytes, &collected->summary), 0);
	assert_int_equal(bundle_open((const uint8_t *)collected->bytes.bytes, collected->bytes.nr,
				     &collected->bundle),
			 0);
}

static void collected_deinit(struct collected *collected)
{
	bundle_close(collected->bundle);
	strbuf_deinit(&collected->bytes);
	mapped_files_destroy(collected->files);
}

static const struct bundle_module *module_get(const struct collected *collected, const char *path)
{
	const struct bundle_module *module = NULL;

	for (uint32_t i = 0; i < bundle_modules_nr(collected->bundle); i++)
		if (strcmp(bundle_module_entry(collected->bundle, i).path, path) == 0)
			assert_int_equal(bundle_load(collected->bundle, i, &module), 0);
	assert_non_null(module);
	return module;
}

static const struct bundle_symbol *symbol_get(const struct bundle_module *module, const char *name,
					      uint32_t *nr)
{
	const struct bundle_symbol *found = NULL;

	*nr = 0;
	for (uint32_t i = 0; i < module->symbols_nr; i++)
		if (strcmp(module->names + module->symbols[i].name, name) == 0) {
			found = &module->symbols[i];
			++*nr;
		}
	return found;
}

/* ---- A module ---- */

static const struct {
	const char *name;
	uint8_t bind, type;
	uint64_t vaddr;
	uint32_t kept_nr;
	uint8_t kept_bind;
} symbol_rows[] = {
    {"main", STB_GLOBAL, STT_FUNC, 0x300, 1, BUNDLE_SYMBOL_GLOBAL},
    {"helper", STB_LOCAL, STT_FUNC, 0x100, 1, BUNDLE_SYMBOL_LOCAL},
    {"weak", STB_WEAK, STT_FUNC, 0x200, 1, BUNDLE_SYMBOL_WEAK},
    {"memcpy", STB_GLOBAL, STT_GNU_IFUNC, 0x180, 1, BUNDLE_SYMBOL_GLOBAL},
    {"main", STB_GLOBAL, STT_FUNC, 0x300, 1, BUNDLE_SYMBOL_GLOBAL}, /* .dynsym has it again */
    {"alias", STB_WEAK, STT_FUNC, 0x300, 1, BUNDLE_SYMBOL_WEAK},
    {"same_name", STB_LOCAL, STT_FUNC, 0x310, 2, BUNDLE_SYMBOL_LOCAL},
    {"same_name", STB_LOCAL, STT_FUNC, 0x320, 2, BUNDLE_SYMBOL_LOCAL},
    {"_start", STB_GLOBAL, STT_NOTYPE, 0x10, 1, BUNDLE_SYMBOL_GLOBAL}, /* assembly */
    {"_end", STB_GLOBAL, STT_NOTYPE, 0x70000000, 0, 0},		       /* not code */
    {"local_label", STB_LOCAL, STT_NOTYPE, 0x20, 0, 0},
    {"data", STB_GLOBAL, STT_OBJECT, 0x400, 0, 0},
    {"variable", STB_GLOBAL, STT_TLS, 0x8, 0, 0},
    {"", STB_GLOBAL, STT_FUNC, 0x500, 0, 0},
};

static void symbols_check(const struct bundle_module *module)
{
	for (uint32_t i = 1; i < module->symbols_nr; i++)
		assert_true(module->symbols[i - 1].vaddr <= module->symbols[i].vaddr);
	for (size_t i = 0; i < array_size(symbol_rows); i++) {
		uint32_t nr;
		const struct bundle_symbol *symbol = symbol_get(module, symbol_rows[i].name, &nr);

		assert_int_equal(nr, symbol_rows[i].kept_nr);
		if (nr != 1)
			continue;
		assert_int_equal(symbol->vaddr, symbol_rows[i].vaddr);
		assert_int_equal(symbol->bytes, 16);
		assert_int_equal(symbol->bind, symbol_rows[i].kept_bind);
	}
}

static void test_module(void **state)
{
	static const uint8_t eh_frame[] = "eh_frame bytes";
	static const uint8_t eh_frame_hdr[] = "eh_frame_hdr bytes";
	const struct bundle_module *module;
	struct collected collected;
	struct elf_writer writer;
	struct mapped_elf elf;
	uint64_t vaddr;

	(void)state;
	elf_writer_init(&writer, ET_DYN);
	elf_writer_build_id(&writer, 0x5a);
	vaddr = elf_writer_section(&writer, ".eh_frame", SHT_PROGBITS, eh_frame, sizeof(eh_frame));
	elf_writer_section(&writer, ".eh_frame_hdr", SHT_PROGBITS, eh_frame_hdr,
			   sizeof(eh_frame_hdr));
	for (size_t i = 0; i < array_size(symbol_rows); i++)
		elf_writer_add_symbol(&writer, symbol_rows[i].name,
				      ELF64_ST_INFO(symbol_rows[i].bind, symbol_rows[i].type),
				      symbol_rows[i].vaddr, 16);
	elf_writer_function(&writer, "imported", 0, 0);
	((Elf64_Sym *)writer.symbols.bytes)[1 + array_size(symbol_rows)].st_shndx = SHN_UNDEF;
	mapped_elf_save(&elf, &writer, "program");
	collected_init(&collected);
	collected_add(&collected, &elf, true);
	collected_run(&collected);
	assert_int_equal(collected.summary.modules_nr, 2); /* and the vdso */
	assert_int_equal(collected.summary.unreadable_nr, 0);
	module = module_get(&collected, elf.path);
	assert_string_equal(module->path, elf.path);
	assert_false(module->is_executable_type);
	assert_int_equal(module->segments_nr, 1);
	assert_int_equal(module->segments[0].flags, PF_R | PF_X);
	assert_int_equal(module->eh_frame.vaddr, vaddr);
	assert_int_equal(module->eh_frame.file_offset, vaddr);
	assert_int_equal(module->eh_frame.nr, sizeof(eh_frame));
	assert_memory_equal(module->eh_frame.bytes, eh_frame, sizeof(eh_frame));
	assert_int_equal(module->eh_frame_hdr.nr, sizeof(eh_frame_hdr));
	assert_memory_equal(module->eh_frame_hdr.bytes, eh_frame_hdr, sizeof(eh_frame_hdr));
	symbols_check(module);
	collected_deinit(&collected);
}

/* Two containers have the same library, each its own file: its contents are needed once. */
static void test_once(void **state)
{
	struct collected collected;

	(void)state;
	collected_init(&collected);
	for (uint8_t i = 0; i < 3; i++) {
		struct elf_writer writer;
		struct mapped_elf elf;

		elf_writer_python(&writer, 0x030d00f0, i < 2 ? 0x61 : 0x62);
		mapped_elf_save(&elf, &writer, "x");
		collected_add(&collected, &elf, true);
	}
	collected_run(&collected);
	assert_int_equal(collected.summary.modules_nr, 3); /* two builds and the vdso */
	assert_int_equal(collected.summary.unreadable_nr, 0);
	collected_deinit(&collected);
}

/* Not mapped by a recorded process, or not to be read any more. */
static void test_left_out(void **state)
{
	const struct record_mmap gone = {
	    .pid = (uint32_t)getpid(), .path = "/nowhere/x", .inode = 7, .start = 4096};
	struct collected collected;
	struct elf_writer writer;
	struct mapped_file *file;
	struct mapped_elf elf;
	uint8_t build_id[20];

	(void)state;
	memset(build_id, 0x5b, sizeof(build_id));
	elf_writer_python(&writer, 0x030d00f0, 0x5b);
	mapped_elf_save(&elf, &writer, "x");
	collected_init(&collected);
	collected_add(&collected, &elf, false);
	assert_int_equal(mapped_files_get_by_record(collected.files, &gone, &file), 0);
	mapped_file_use(file, (uint32_t)getpid(), 0, 0);
	collected_run(&collected);
	assert_int_equal(collected.summary.modules_nr, 1);
	assert_int_equal(collected.summary.unreadable_nr, 1);
	assert_int_equal(bundle_find(collected.bundle, build_id, 20, NULL), -ENOENT);
	collected_deinit(&collected);
}

/* The vdso of this process, against what the dynamic linker finds in it. */
static void test_vdso(void **state)
{
	const struct bundle_module *module;
	struct collected collected;
	void *vdso = dlopen("linux-vdso.so.1", RTLD_LAZY | RTLD_NOLOAD);
	uint64_t wanted;
	uint32_t nr;

	(void)state;
	collected_init(&collected);
	collected_run(&collected);
	if (!getauxval(AT_SYSINFO_EHDR) || !vdso) { /* booted with vdso=0 */
		assert_int_equal(collected.summary.modules_nr, 0);
		collected_deinit(&collected);
		return;
	}
	wanted = (uint64_t)(uintptr_t)dlsym(vdso, "__vdso_clock_gettime") -
		 getauxval(AT_SYSINFO_EHDR);
	module = module_get(&collected, "[vdso]");
	assert_int_equal(symbol_get(module, "__vdso_clock_gettime", &nr)->vaddr, wanted);
	assert_int_equal(nr, 1);
	assert_true(module->eh_frame.nr > 0 && module->eh_frame_hdr.nr > 0);
	assert_int_equal(module->build_id_nr, 20);
	dlclose(vdso);
	collected_deinit(&collected);
}

/* ---- Crafted files ---- */

/* Symbols whose names are tails of one long string: together more than a gigabyte. */
static void overlapping_names(struct mapped_elf *elf, char (*letter)(uint32_t at))
{
	enum { NAME_NR = 60000, SYMBOLS_NR = 50000 };
	struct elf_writer writer;

	elf_writer_init(&writer, ET_DYN);
	for (uint32_t i = 0; i < SYMBOLS_NR; i++) {
		const Elf64_Sym symbol = {.st_name = 1 + i,
					  .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
					  .st_shndx = 1,
					  .st_value = i};

		strbuf_append(&writer.symbols, &symbol, sizeof(symbol));
	}
	for (uint32_t i = 0; i < NAME_NR; i++)
		strbuf_append_char(&writer.names, letter(i));
	strbuf_append_zeros(&writer.names, 1);
	mapped_elf_save(elf, &writer, "x");
}

static char letter_random(uint32_t at)
{
	return (char)('a' + hash_mix64(at + 1) % 26);
}

static char letter_same(uint32_t at)
{
	(void)at;
	return 'a';
}

static void test_overlapping_names(void **state)
{
	const struct bundle_module *module;
	struct collected collected;
	struct mapped_elf elf;

	(void)state;
	overlapping_names(&elf, letter_random);
	collected_init(&collected);
	collected_add(&collected, &elf, true);
	collected_run(&collected);
	module = module_get(&collected, elf.path);
	assert_in_range(module->names_nr, 60000, 4 * 60002);
	assert_true(module->symbols_nr > 0);
	collected_deinit(&collected);
}

/* What a reader would take for a trap is not written: the other modules stay readable. */
static void test_trap(void **state)
{
	struct collected collected;
	struct elf_writer writer;
	struct mapped_elf good, bad;
	uint32_t nr;

	(void)state;
	overlapping_names(&bad, letter_same);
	elf_writer_init(&writer, ET_DYN);
	elf_writer_function(&writer, "main", 0x100, 16);
	mapped_elf_save(&good, &writer, "x");
	collected_init(&collected);
	collected_add(&collected, &bad, true);
	collected_add(&collected, &good, true);
	collected_run(&collected);
	assert_int_equal(collected.summary.unreadable_nr, 1);
	assert_non_null(symbol_get(module_get(&collected, good.path), "main", &nr));
	collected_deinit(&collected);
}

/* All at one address: not compared each with each. */
static void test_many_aliases(void **state)
{
	enum { SYMBOLS_NR = 60000 };
	struct collected collected;
	struct elf_writer writer;
	struct mapped_elf elf;

	(void)state;
	elf_writer_init(&writer, ET_DYN);
	elf_writer_build_id(&writer, 0x5d);
	for (uint32_t i = 0; i < SYMBOLS_NR; i++) {
		char name[32];

		snprintf(name, sizeof(name), "alias_of_one_address_%u", i);
		elf_writer_function(&writer, name, 0x100, 8);
	}
	mapped_elf_save(&elf, &writer, "x");
	collected_init(&collected);
	collected_add(&collected, &elf, true);
	collected_run(&collected);
	assert_int_equal(module_get(&collected, elf.path)->symbols_nr, SYMBOLS_NR);
	collected_deinit(&collected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_module),
	    cmocka_unit_test(test_once),
	    cmocka_unit_test(test_left_out),
	    cmocka_unit_test(test_vdso),
	    cmocka_unit_test(test_overlapping_names),
	    cmocka_unit_test(test_trap),
	    cmocka_unit_test(test_many_aliases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
