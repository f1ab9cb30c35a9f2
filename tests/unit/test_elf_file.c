/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The oracle is the dynamic loader: this program and the vdso as they are mapped. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/elf_file.h"

int test_elf_file_landmark(int value);
_Thread_local int test_elf_file_thread_local = 7;

__attribute__((noinline)) int test_elf_file_landmark(int value)
{
	return value * 3 + test_elf_file_thread_local;
}

static struct elf_file *self_open(void)
{
	struct elf_file *elf = NULL;
	const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(elf_file_open(fd, &elf), 0);
	close(fd); /* the file no longer needs it */
	return elf;
}

/* ---- What the loader knows ---- */

struct loaded {
	uint64_t bias;
	const ElfW(Phdr) * programs;
	size_t programs_nr;
};

static int loaded_take_first(struct dl_phdr_info *info, size_t size, void *context)
{
	struct loaded *loaded = context;

	(void)size;
	*loaded = (struct loaded){info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum};
	return 1; /* the program itself comes first */
}

static struct loaded self_loaded(void)
{
	struct loaded loaded = {0};

	dl_iterate_phdr(loaded_take_first, &loaded);
	return loaded;
}

static void test_segments(void **state)
{
	const struct loaded loaded = self_loaded();
	struct elf_file *elf = self_open();
	uint32_t nr;
	const struct elf_segment *segments = elf_file_segments(elf, &nr);
	uint32_t at = 0;

	(void)state;
	for (size_t i = 0; i < loaded.programs_nr; i++) {
		if (loaded.programs[i].p_type != PT_LOAD)
			continue;
		assert_true(at < nr);
		assert_true(segments[at].vaddr == loaded.programs[i].p_vaddr);
		assert_true(segments[at].file_offset == loaded.programs[i].p_offset);
		assert_true(segments[at].file_bytes == loaded.programs[i].p_filesz);
		assert_true(segments[at].memory_bytes == loaded.programs[i].p_memsz);
		assert_int_equal(segments[at].flags, loaded.programs[i].p_flags);
		at++;
	}
	assert_int_equal(at, nr);
	elf_file_close(elf);
}

static void test_header(void **state)
{
	struct elf_file *elf = self_open();
	struct elf_segment tls;

	(void)state;
	assert_int_equal(elf_file_machine(elf), EM_X86_64);
	assert_int_equal(elf_file_is_executable_type(elf), self_loaded().bias == 0);
	assert_int_equal(elf_file_tls(elf, &tls), 0);
	assert_true(tls.memory_bytes >= sizeof(int));
	elf_file_close(elf);
}

static void test_symbol(void **state)
{
	const uint64_t bias = self_loaded().bias;
	struct elf_file *elf = self_open();
	struct elf_symbol symbol;

	(void)state;
	assert_int_equal(test_elf_file_landmark(1), 10);
	assert_int_equal(elf_file_find_symbol(elf, "test_elf_file_landmark", &symbol), 0);
	assert_true(symbol.vaddr + bias == (uint64_t)(uintptr_t)test_elf_file_landmark);
	assert_true(symbol.bytes > 0);
	assert_int_equal(symbol.type, STT_FUNC);
	assert_int_equal(symbol.bind, STB_GLOBAL);
	assert_int_equal(elf_file_find_symbol(elf, "no_such_symbol_here", &symbol), -ENOENT);
	elf_file_close(elf);
}

static void test_bytes_at_an_address(void **state)
{
	const uint64_t bias = self_loaded().bias;
	const uint64_t vaddr = (uint64_t)(uintptr_t)test_elf_file_landmark - bias;
	struct elf_file *elf = self_open();
	const uint8_t *bytes = elf_file_at(elf, vaddr, 8);
	uint64_t back;

	(void)state;
	assert_non_null(bytes);
	assert_memory_equal(bytes, (const void *)(uintptr_t)test_elf_file_landmark, 8);
	assert_null(elf_file_at(elf, vaddr, SIZE_MAX));
	assert_null(elf_file_at(elf, UINT64_MAX - 3, 8));
	assert_int_equal(elf_file_offset_to_vaddr(elf, UINT64_MAX, &back), -ENOENT);
	for (size_t i = 0; i < self_loaded().programs_nr; i++) {
		const ElfW(Phdr) *program = &self_loaded().programs[i];

		if (program->p_type != PT_LOAD || !(program->p_flags & PF_X))
			continue;
		assert_int_equal(elf_file_offset_to_vaddr(elf, program->p_offset + 1, &back), 0);
		assert_true(back == program->p_vaddr + 1);
	}
	elf_file_close(elf);
}

static void test_sections(void **state)
{
	const uint64_t bias = self_loaded().bias;
	struct elf_file *elf = self_open();
	struct elf_section section;

	(void)state;
	assert_int_equal(elf_file_section(elf, ".eh_frame", &section), 0);
	assert_memory_equal(section.bytes, (const void *)(uintptr_t)(section.vaddr + bias),
			    section.nr);
	assert_int_equal(elf_file_section(elf, ".bss", &section), 0);
	assert_null(section.bytes);
	assert_int_equal(elf_file_section(elf, ".nothing", &section), -ENOENT);
	elf_file_close(elf);
}

/* The note as the loader mapped it. */
static void test_build_id(void **state)
{
	const struct loaded loaded = self_loaded();
	struct elf_file *elf = self_open();
	uint8_t build_id[20];
	const uint8_t nr = elf_file_build_id(elf, build_id);
	bool is_found = false;

	(void)state;
	for (size_t i = 0; nr && i < loaded.programs_nr; i++) {
		const ElfW(Phdr) *program = &loaded.programs[i];
		const void *mapped = (const void *)(uintptr_t)(program->p_vaddr + loaded.bias);

		if (program->p_type == PT_NOTE && memmem(mapped, program->p_memsz, build_id, nr))
			is_found = true;
	}
	assert_true(nr == 0 || is_found);
	elf_file_close(elf);
}

static size_t vdso_bytes(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start = 0;
	unsigned long end = 0;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[vdso]"))
			assert_int_equal(sscanf(line, "%lx-%lx", &start, &end), 2);
	fclose(maps);
	return end - start;
}

static void test_vdso_from_memory(void **state)
{
	const void *vdso = (const void *)(uintptr_t)getauxval(AT_SYSINFO_EHDR);
	struct elf_symbol symbol;
	struct elf_section section;
	struct elf_file *elf;
	uint8_t build_id[20];

	(void)state;
	assert_non_null(vdso);
	assert_int_equal(elf_file_open_memory(vdso, vdso_bytes(), &elf), 0);
	assert_int_equal(elf_file_find_symbol(elf, "__vdso_clock_gettime", &symbol), 0);
	assert_int_equal(elf_file_build_id(elf, build_id), 20);
	assert_int_equal(elf_file_section(elf, ".eh_frame", &section), 0);
	assert_non_null(section.bytes);
	elf_file_close(elf);
}

/* ---- What is no ELF file, or a broken one ---- */

static void test_foreign(void **state)
{
	const int null = open("/dev/null", O_RDONLY);
	const int folder = open("/", O_RDONLY);
	struct elf_file *elf = NULL;
	char header[64] = ELFMAG;

	(void)state;
	assert_int_equal(elf_file_open(null, &elf), -ENOEXEC);
	assert_int_equal(elf_file_open(folder, &elf), -ENOEXEC);
	assert_int_equal(elf_file_open(-1, &elf), -EBADF);
	assert_int_equal(elf_file_open_memory("just some text", 14, &elf), -ENOEXEC);
	header[EI_CLASS] = ELFCLASS32;
	header[EI_DATA] = ELFDATA2LSB;
	header[EI_VERSION] = EV_CURRENT;
	assert_int_equal(elf_file_open_memory(header, sizeof(header), &elf), -ENOEXEC);
	header[EI_CLASS] = ELFCLASS64;
	header[EI_DATA] = ELFDATA2MSB;
	assert_int_equal(elf_file_open_memory(header, sizeof(header), &elf), -ENOEXEC);
	assert_null(elf);
	elf_file_close(NULL);
	close(null);
	close(folder);
}

static int symbol_touch(void *context, const struct elf_symbol *symbol)
{
	size_t *nr = context;

	*nr += strlen(symbol->name) + 1;
	return 0;
}

/* Everything that can be asked; only the sanitizer and the clock judge. */
static void ask_everything(const uint8_t *bytes, size_t nr)
{
	uint8_t *copy = malloc(nr + 1);
	struct elf_file *elf;
	struct elf_section section;
	struct elf_segment tls;
	uint8_t build_id[20];
	size_t touched = 0;

	assert_non_null(copy);
	memcpy(copy, bytes, nr);
	if (elf_file_open_memory(copy, nr, &elf) == 0) {
		elf_file_visit_symbols(elf, symbol_touch, &touched);
		elf_file_build_id(elf, build_id);
		if (elf_file_section(elf, ".eh_frame", &section) == 0 && section.bytes)
			for (uint64_t i = 0; i < section.nr; i++)
				touched += section.bytes[i];
		if (elf_file_tls(elf, &tls) == 0)
			elf_file_at(elf, tls.vaddr, 4);
		elf_file_at(elf, 0x1000, 64);
		elf_file_close(elf);
	}
	free(copy);
}

static void test_damaged(void **state)
{
	const uint8_t *vdso = (const uint8_t *)(uintptr_t)getauxval(AT_SYSINFO_EHDR);
	const size_t bytes_nr = vdso_bytes();
	auto_free uint8_t *bytes = malloc(bytes_nr);

	(void)state;
	assert_non_null(bytes);
	for (size_t nr = 0; nr < bytes_nr; nr += 7)
		ask_everything(vdso, nr);
	for (size_t at = 0; at < bytes_nr; at++) {
		memcpy(bytes, vdso, bytes_nr);
		bytes[at] ^= 0xff;
		ask_everything(bytes, bytes_nr);
	}
}

/* A file cut short while it is open must answer with less, not with SIGBUS. */
static void test_truncated_while_open(void **state)
{
	char path[] = "/tmp/test_elf_file.XXXXXX";
	const int copy = mkstemp(path);
	const int self = open("/proc/self/exe", O_RDONLY);
	struct elf_section section;
	struct elf_file *elf;
	char block[4096];
	ssize_t got;

	(void)state;
	assert_true(copy >= 0 && self >= 0);
	while ((got = read(self, block, sizeof(block))) > 0)
		assert_int_equal(write(copy, block, (size_t)got), got);
	assert_int_equal(elf_file_open(copy, &elf), 0);
	assert_int_equal(ftruncate(copy, 4096), 0);
	assert_int_equal(elf_file_section(elf, ".eh_frame", &section), -ENOENT);
	elf_file_close(elf);
	close(copy);
	close(self);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_segments),	     cmocka_unit_test(test_header),
	    cmocka_unit_test(test_symbol),	     cmocka_unit_test(test_bytes_at_an_address),
	    cmocka_unit_test(test_sections),	     cmocka_unit_test(test_build_id),
	    cmocka_unit_test(test_vdso_from_memory), cmocka_unit_test(test_foreign),
	    cmocka_unit_test(test_damaged),	     cmocka_unit_test(test_truncated_while_open),
	};

	return cmocka_run_group_tests_name("elf_file", tests, NULL, NULL);
}
