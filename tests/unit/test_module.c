/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

#include "common/elf_file.h"
#include "report/cfi_table.h"
#include "report/module.h"
#include "tests/unit/cfi_bytes.h"

#define LINKER "/lib64/ld-linux-x86-64.so.2"

static struct modules *modules_make(struct bundle *bundle, bool use_local_files, const char *symfs)
{
	struct utsname here;
	const struct modules_options options = {.bundle = bundle,
						.use_local_files = use_local_files,
						.symfs = symfs,
						.os_release = here.release};
	struct modules *modules = NULL;

	assert_int_equal(uname(&here), 0);
	assert_int_equal(modules_create(&options, &modules), 0);
	return modules;
}

static void test_one_for_each_file(void **state)
{
	static const uint8_t id[20] = {1, 2, 3};
	static const uint8_t other[20] = {1, 2, 4};
	struct modules *modules = modules_make(NULL, false, NULL);
	struct module *module = modules_get(modules, id, 20, "/a");
	uint8_t nr;

	(void)state;
	assert_non_null(module);
	assert_ptr_equal(modules_get(modules, id, 20, "/a"), module);
	assert_ptr_not_equal(modules_get(modules, other, 20, "/a"), module);
	assert_ptr_not_equal(modules_get(modules, id, 20, "/b"), module);
	assert_ptr_not_equal(modules_get(modules, NULL, 0, "/a"), module);
	assert_ptr_equal(modules_get(modules, NULL, 0, "/a"), modules_get(modules, NULL, 0, "/a"));
	assert_string_equal(module_path(module), "/a");
	assert_memory_equal(module_build_id(module, &nr), id, 20);
	assert_int_equal(nr, 20);
	modules_destroy(modules);
}

static void test_nothing_known(void **state)
{
	struct modules *modules = modules_make(NULL, false, NULL);
	struct module *module = modules_get(modules, NULL, 0, LINKER);
	struct symbol symbol;
	uint64_t vaddr;

	(void)state;
	assert_null(module_contents(module));
	assert_null(module_cfi(module));
	assert_null(module_code(module, 0, 1));
	assert_int_equal(module_vaddr(module, 0, &vaddr), -ENOENT);
	assert_int_equal(module_symbol(module, 0x1000, &symbol), -ENOENT);
	modules_destroy(modules);
}

static struct bundle *bundle_make(struct strbuf *out, const char *path)
{
	static const struct bundle_segment segments[] = {
	    {.file_offset = 0,
	     .file_bytes = 0x1a40,
	     .vaddr = 0,
	     .memory_bytes = 0x1a40,
	     .flags = PF_R},
	    {.file_offset = 0x1a40,
	     .file_bytes = 0x2000,
	     .vaddr = 0x2a40,
	     .memory_bytes = 0x2000,
	     .flags = PF_R | PF_X},
	};
	static const struct bundle_symbol symbols[] = {{0x2b00, 0x10, 0, BUNDLE_SYMBOL_GLOBAL}};
	struct strbuf eh_frame = {0};
	uint32_t cie = cfi_bytes_cie(&eh_frame, "zR", ABI_PROGRAM);
	struct bundle_module module;
	struct bundle *bundle;

	cfi_bytes_fde(&eh_frame, cie, 0x2b00, 0x10, PROGRAM(DW_CFA_nop));
	module = cfi_bytes_module(&eh_frame);
	module.path = path;
	module.build_id_nr = 20;
	module.build_id[0] = 7;
	module.segments = segments;
	module.segments_nr = array_size(segments);
	module.symbols = symbols;
	module.symbols_nr = 1;
	module.names = "bundled_function";
	module.names_nr = sizeof("bundled_function");
	assert_int_equal(bundle_begin(out), 0);
	assert_int_equal(bundle_add_module(out, &module), 0);
	assert_int_equal(bundle_end(out), 0);
	assert_int_equal(bundle_open((const uint8_t *)out->bytes, out->nr, &bundle), 0);
	strbuf_deinit(&eh_frame);
	return bundle;
}

static void test_bundle(void **state)
{
	static const uint8_t id[20] = {7};
	static const uint8_t other[20] = {8};
	struct strbuf bytes = {0};
	struct bundle *bundle = bundle_make(&bytes, "/bundled");
	struct modules *modules = modules_make(bundle, true, NULL);
	struct module *module = modules_get(modules, id, 20, "/elsewhere");
	struct symbol symbol;
	uint64_t vaddr;

	(void)state;
	assert_non_null(module_contents(module));
	assert_int_equal(module_symbol(module, 0x2b0f, &symbol), 0);
	assert_string_equal(symbol.name, "bundled_function");
	assert_int_equal(module_symbol(module, 0x2b10, &symbol), -ENOENT);
	assert_int_equal(cfi_table_find(module_cfi(module), 0x2b00)->kind, CFI_RULE_OFFSET);
	assert_null(module_code(module, 0x2b00, 1));
	/* One page of the file belongs to two segments. */
	assert_int_equal(module_vaddr(module, 0x100, &vaddr), 0);
	assert_int_equal(vaddr, 0x100);
	assert_int_equal(module_vaddr(module, 0x1a40, &vaddr), 0);
	assert_int_equal(vaddr, 0x2a40);
	assert_int_equal(module_vaddr(module, 0x1a3f, &vaddr), 0);
	assert_int_equal(vaddr, 0x1a3f);
	assert_int_equal(module_vaddr(module, 0x3fff, &vaddr), 0);
	assert_int_equal(vaddr, 0x4fff);
	assert_int_equal(module_vaddr(module, 0x4000, &vaddr), -ENOENT);
	assert_null(module_contents(modules_get(modules, other, 20, "/bundled")));
	modules_destroy(modules);
	bundle_close(bundle);
	strbuf_deinit(&bytes);
}

/* This machine's own may be another kernel's. Mappings do not tell its build id. */
static void test_bundled_vdso(void **state)
{
	struct strbuf bytes = {0};
	struct bundle *bundle = bundle_make(&bytes, "[vdso]");
	struct modules *modules = modules_make(bundle, true, NULL);
	struct symbol symbol;

	(void)state;
	assert_int_equal(module_symbol(modules_get(modules, NULL, 0, "[vdso]"), 0x2b00, &symbol),
			 0);
	assert_string_equal(symbol.name, "bundled_function");
	modules_destroy(modules);
	bundle_close(bundle);
	strbuf_deinit(&bytes);
}

static void test_vdso_of_another_kernel(void **state)
{
	const struct modules_options options = {.use_local_files = true, .os_release = "5.10.0-1"};
	struct modules *modules;

	(void)state;
	assert_int_equal(modules_create(&options, &modules), 0);
	assert_null(module_contents(modules_get(modules, NULL, 0, "[vdso]")));
	modules_destroy(modules);
}

struct name_check {
	struct module *module;
	unsigned int checked_nr;
	unsigned int other_names_nr;
};

/* Every sized function is found at its first and its last byte, as itself or one around it. */
static int check_symbol(void *context, const struct elf_symbol *wanted)
{
	struct name_check *check = context;
	struct symbol symbol;

	if (!wanted->is_defined || wanted->type != STT_FUNC || wanted->bytes == 0)
		return 0;
	assert_int_equal(module_symbol(check->module, wanted->vaddr, &symbol), 0);
	assert_int_equal(symbol.vaddr, wanted->vaddr);
	check->other_names_nr += strcmp(symbol.name, wanted->name) != 0;
	assert_int_equal(module_symbol(check->module, wanted->vaddr + wanted->bytes - 1, &symbol),
			 0);
	check->checked_nr++;
	return 0;
}

static struct elf_file *open_linker(void)
{
	FILE *file = fopen(LINKER, "rb");
	struct elf_file *elf = NULL;

	assert_non_null(file);
	assert_int_equal(elf_file_open(fileno(file), &elf), 0);
	fclose(file);
	return elf;
}

static void test_local_file(void **state)
{
	struct elf_file *elf = open_linker();
	uint8_t build_id[20];
	uint8_t build_id_nr = elf_file_build_id(elf, build_id);
	struct modules *modules = modules_make(NULL, true, NULL);
	struct name_check check = {.module = modules_get(modules, build_id, build_id_nr, LINKER)};

	(void)state;
	assert_int_equal(elf_file_visit_symbols(elf, check_symbol, &check), 0);
	assert_true(check.checked_nr > 10);
	assert_true(check.other_names_nr < check.checked_nr / 2);
	assert_non_null(module_cfi(check.module));
	assert_memory_equal(module_code(check.module, 0, 4), "\177ELF", 4);
	build_id[0] ^= 1;
	assert_null(module_contents(modules_get(modules, build_id, build_id_nr, LINKER)));
	assert_non_null(module_contents(modules_get(modules, NULL, 0, LINKER)));
	modules_destroy(modules);
	elf_file_close(elf);
}

/* Without a build id a path alone does not tell what was mapped. */
static void test_local_file_by_identity(void **state)
{
	struct modules *modules = modules_make(NULL, true, NULL);
	struct modules *elsewhere = modules_make(NULL, true, "/");
	struct file_identity identity = {0};
	struct module *module;
	struct stat status;

	(void)state;
	assert_int_equal(stat(LINKER, &status), 0);
	identity.device_major = major(status.st_dev);
	identity.device_minor = minor(status.st_dev);
	identity.inode = status.st_ino;
	module = modules_get_file(modules, LINKER, &identity);
	assert_ptr_equal(modules_get_file(modules, LINKER, &identity), module);
	assert_non_null(module_contents(module));
	identity.inode++;
	assert_ptr_not_equal(modules_get_file(modules, LINKER, &identity), module);
	assert_null(module_contents(modules_get_file(modules, LINKER, &identity)));
	identity.inode--;
	identity.device_minor++;
	assert_null(module_contents(modules_get_file(modules, LINKER, &identity)));
	/* Whoever names a root says that it is the recorded machine's. */
	assert_non_null(module_contents(modules_get_file(elsewhere, LINKER, &identity)));
	modules_destroy(elsewhere);
	modules_destroy(modules);
}

static void test_own_vdso(void **state)
{
	struct modules *modules = modules_make(NULL, true, NULL);
	struct module *vdso = modules_get(modules, NULL, 0, "[vdso]");
	struct symbol symbol = {0};
	bool is_found = false;

	(void)state;
	assert_non_null(module_contents(vdso));
	assert_non_null(module_cfi(vdso));
	for (uint64_t vaddr = 0; vaddr < 0x4000 && !is_found; vaddr++)
		is_found = module_symbol(vdso, vaddr, &symbol) == 0 &&
			   strstr(symbol.name, "clock_gettime") != NULL;
	assert_true(is_found);
	modules_destroy(modules);
}

/* What a recording may name and report must not touch, wait for or believe. */
static void test_paths_that_are_no_file(void **state)
{
	char folder[] = "/tmp/pyrec-test-module-XXXXXX";
	char fifo[64];
	struct modules *modules;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	modules = modules_make(NULL, true, NULL);
	assert_null(module_contents(modules_get(modules, NULL, 0, fifo)));
	assert_null(module_contents(modules_get(modules, NULL, 0, folder)));
	assert_null(module_contents(modules_get(modules, NULL, 0, "/dev/zero")));
	assert_null(module_contents(modules_get(modules, NULL, 0, "/etc/passwd")));
	assert_null(module_contents(modules_get(modules, NULL, 0, "/usr/lib/none (deleted)")));
	assert_null(module_contents(modules_get(modules, NULL, 0, "//anon")));
	assert_null(module_contents(modules_get(modules, NULL, 0, "[heap]")));
	assert_null(module_contents(modules_get(modules, NULL, 0, "")));
	modules_destroy(modules);
	/* Below another root neither the linker nor this machine's vdso is there. */
	modules = modules_make(NULL, true, folder);
	assert_null(module_contents(modules_get(modules, NULL, 0, LINKER)));
	assert_null(module_contents(modules_get(modules, NULL, 0, "[vdso]")));
	modules_destroy(modules);
	remove(fifo);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_for_each_file),
	    cmocka_unit_test(test_nothing_known),
	    cmocka_unit_test(test_bundle),
	    cmocka_unit_test(test_local_file),
	    cmocka_unit_test(test_local_file_by_identity),
	    cmocka_unit_test(test_bundled_vdso),
	    cmocka_unit_test(test_own_vdso),
	    cmocka_unit_test(test_vdso_of_another_kernel),
	    cmocka_unit_test(test_paths_that_are_no_file),
	};

	return cmocka_run_group_tests_name("module", tests, NULL, NULL);
}
