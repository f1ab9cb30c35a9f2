/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which files are a Python, of which version, and which of them can be walked. */
#include <errno.h>

#include "tests/unit/python_elf.h"

static void test_not_python(void **state)
{
	struct elf_writer writer;
	struct python_runtime runtime;

	(void)state;
	elf_writer_init(&writer, ET_DYN);
	elf_writer_function(&writer, "main", 0x100, 16);
	elf_writer_function(&writer, "PyEval_EvalFrameEx", 0x110, 16); /* an extension may */
	assert_int_equal(detect(&writer, SHT_DYNSYM, "/usr/lib/libpython3.12.so.1.0", &runtime),
			 -ENOENT);
}

static void test_other_machine(void **state)
{
	struct elf_writer writer;
	struct python_runtime runtime;

	(void)state;
	elf_writer_init(&writer, ET_DYN);
	writer.machine = EM_AARCH64;
	add_runtime_3_13(&writer, 0x030d00f0);
	assert_int_equal(detect(&writer, SHT_DYNSYM, "/usr/bin/python3.13", &runtime), -ENOENT);
}

static void test_undefined_symbol(void **state)
{
	struct elf_writer writer;
	struct python_runtime runtime;

	(void)state;
	elf_writer_init(&writer, ET_DYN);
	elf_writer_object(&writer, "_PyRuntime", 0, 0);
	/* Imported, as extension modules do. */
	((Elf64_Sym *)writer.symbols.bytes)[1].st_shndx = SHN_UNDEF;
	assert_int_equal(detect(&writer, SHT_DYNSYM, "/usr/bin/x", &runtime), -ENOENT);
}

static void test_cookie(void **state)
{
	struct elf_writer writer;
	struct python_runtime runtime;
	uint64_t vaddr;

	(void)state;
	elf_writer_init(&writer, ET_EXEC);
	vaddr = add_runtime_3_13(&writer, 0x030d05f0);
	elf_writer_function(&writer, "_PyEval_EvalFrameDefault", 0x400123, 77);
	assert_int_equal(detect(&writer, SHT_DYNSYM, "/opt/app/renamed", &runtime), 0);
	assert_true(runtime.is_walkable);
	assert_int_equal(runtime.version_hex, 0x030d05f0);
	assert_int_equal(runtime.runtime_vaddr, vaddr);
	assert_int_equal(runtime.eval_linked_vaddr, 0); /* 3.13 has no cframes */
	assert_int_equal(runtime.layout.runtime_key, 2160);
}

static void test_version_symbol(void **state)
{
	struct elf_writer writer;
	struct python_runtime runtime;
	uint64_t vaddr;

	(void)state;
	elf_writer_init(&writer, ET_DYN);
	vaddr = add_runtime(&writer);
	add_py_version(&writer, 0x030b07f0);
	/* The name does not tell what the content does. */
	assert_int_equal(detect(&writer, SHT_DYNSYM, "/usr/lib/libpython3.8.so", &runtime), 0);
	assert_true(runtime.is_walkable);
	assert_int_equal(runtime.version_hex, 0x030b07f0);
	assert_int_equal(runtime.runtime_vaddr, vaddr);
	assert_int_equal(runtime.layout.runtime_key, 592);
	assert_int_equal(runtime.tls_kind, PYREC_TLS_NONE); /* 3.11 has none */
}

static void test_prerelease(void **state)
{
	struct elf_writer writer;
	struct python_runtime runtime;

	(void)state;
	elf_writer_init(&writer, ET_DYN);
	add_runtime_3_13(&writer, 0x030d00b4);
	assert_int_equal(detect(&writer, SHT_DYNSYM, "/usr/bin/python3.13", &runtime), 0);
	assert_false(runtime.is_walkable);
	assert_int_equal(runtime.version_hex, 0x030d00b4);
}

static void test_contradiction(void **state)
{
	struct elf_writer writer;
	struct python_runtime runtime;

	(void)state;
	elf_writer_init(&writer, ET_DYN);
	add_py_version(&writer, 0x030d00f0);
	add_runtime_3_13(&writer, 0x030d01f0);
	assert_int_equal(detect(&writer, SHT_DYNSYM, "/usr/bin/python3.13", &runtime), 0);
	assert_false(runtime.is_walkable);
}

/* A version constant outside the file, or a section without bytes: nothing to go by but the name.
 */
static void test_no_bytes(void **state)
{
	struct elf_writer writer;
	struct python_runtime runtime;

	(void)state;
	elf_writer_init(&writer, ET_DYN);
	elf_writer_section(&writer, ".PyRuntime", SHT_NOBITS, NULL, 300000);
	elf_writer_object(&writer, "Py_Version", 0x7fffffff0000, 8);
	assert_int_equal(detect(&writer, SHT_DYNSYM, "/x/y", &runtime), 0);
	assert_false(runtime.is_walkable);
	assert_int_equal(runtime.version_hex, 0);
}

static void test_old_versions(void **state)
{
	struct elf_writer writer;
	struct python_runtime runtime;

	(void)state;
	elf_writer_init(&writer, ET_DYN); /* 3.7 to 3.9: no section, the symbol survives strip */
	elf_writer_object(&writer, "_PyRuntime", 0x180, 1464);
	assert_int_equal(detect(&writer, SHT_DYNSYM, "/usr/lib/libpython3.8.so.1.0", &runtime), 0);
	assert_int_equal(runtime.version_hex, 0x03080000);
	assert_int_equal(runtime.runtime_vaddr, 0x180);
	assert_false(runtime.is_walkable);

	elf_writer_init(&writer, ET_EXEC); /* 2.7, 3.6 */
	elf_writer_object(&writer, "_PyThreadState_Current", 0x400180, 8);
	elf_writer_function(&writer, "PyEval_EvalFrameEx", 0x400100, 16);
	assert_int_equal(detect(&writer, SHT_SYMTAB, "python/bin/python2.7", &runtime), 0);
	assert_int_equal(runtime.version_hex, 0x02070000);
	assert_false(runtime.is_walkable);
}

/* From 3.13 on objects stay as they are. */
static void test_trace_refs_3_13(void **state)
{
	struct elf_writer writer;
	struct python_runtime runtime;

	(void)state;
	elf_writer_init(&writer, ET_DYN);
	add_runtime_3_13(&writer, 0x030d00f0);
	elf_writer_function(&writer, "_Py_ForgetReference", 0x110, 16);
	assert_int_equal(detect(&writer, SHT_DYNSYM, "libpython3.13.so", &runtime), 0);
	assert_true(runtime.is_walkable && !runtime.is_trace_refs);
}

/* sys.version's text may stand at the end of what the file has. */
static void test_pypy(void **state)
{
	static const struct {
		const char *text;
		const char *expected;
	} rows[] = {
	    {"3.9.16 (x)\n[PyPy 7.3.11 with GCC 12.2.0]", "PyPy 7.3.11"},
	    {"[PyPy 7.3.1", "PyPy 7.3.1"},
	    {"[PyPy 7", "PyPy"},
	    {"[PyPy 123456789.1.1", "PyPy"},
	    {"[PyPi 7.3.11", "PyPy"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct elf_writer writer;
		struct python_runtime runtime;

		elf_writer_init(&writer, ET_DYN);
		elf_writer_section(&writer, ".data", SHT_PROGBITS, rows[i].text,
				   strlen(rows[i].text));
		elf_writer_function(&writer, "pypy_main_startup", 0x100, 16);
		elf_writer_function(&writer, "rpython_startup_code", 0x110, 16);
		assert_int_equal(detect(&writer, SHT_DYNSYM, "libx.so", &runtime), 0);
		assert_string_equal(runtime.other, rows[i].expected);
		assert_int_equal(runtime.version_hex, 0);
		assert_false(runtime.is_walkable);
	}
}

/* By the library's name and its entry point, both: the one is anybody's, the other any JVM's. */
static void test_graalpy(void **state)
{
	static const struct {
		const char *path;
		const char *symbol;
		int expected;
	} rows[] = {
	    {"/opt/graalpy/lib/libpythonvm.so", "JNI_CreateJavaVM", 0},
	    {"libpythonvm.so", "JNI_CreateJavaVM", 0},
	    {"/usr/lib/libjvm.so", "JNI_CreateJavaVM", -ENOENT},
	    {"/usr/lib/notlibpythonvm.so", "JNI_CreateJavaVM", -ENOENT},
	    {"/usr/lib/libpythonvm.so", "JNI_CreateJavaVMs", -ENOENT},
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct elf_writer writer;
		struct python_runtime runtime;

		elf_writer_init(&writer, ET_DYN);
		elf_writer_function(&writer, rows[i].symbol, 0x100, 16);
		assert_int_equal(detect(&writer, SHT_DYNSYM, rows[i].path, &runtime),
				 rows[i].expected);
		assert_string_equal(runtime.other, rows[i].expected ? "" : "GraalPy");
		assert_false(runtime.is_walkable);
	}
}

/* Py_TRACE_REFS changes every object; such a build is named but not walked. */
static void test_trace_refs(void **state)
{
	for (int has_symbol = 0; has_symbol < 2; has_symbol++) {
		struct elf_writer writer;
		struct python_runtime runtime;

		elf_writer_init(&writer, ET_DYN);
		elf_writer_section(&writer, ".rodata", SHT_PROGBITS, "2.7.18", 7);
		elf_writer_object(&writer, "_PyThreadState_Current", 0x180, 8);
		elf_writer_function(&writer, "PyEval_EvalFrameEx", 0x100, 16);
		if (has_symbol)
			elf_writer_function(&writer, "_Py_ForgetReference", 0x110, 16);
		assert_int_equal(detect(&writer, SHT_DYNSYM, "python2.7-dbg", &runtime), 0);
		assert_int_equal(runtime.version_hex, 0x020712f0);
		assert_int_equal(runtime.is_walkable, !has_symbol);
		assert_int_equal(runtime.is_trace_refs, has_symbol);
	}
	(void)state;
}

/* Static variables of 2.7 and 3.6, as machine code tells them where their names are gone. */
static const struct {
	const char *version;
	const char *function;
	const char *code;
	size_t nr;
	uint32_t load_flags;
	int64_t from_code; /* of the variable; 0: not found */
} static_rows[] = {
    /* cmpq $0,x(%rip); je; mov 0x1000(%rip),%edi; jmp */
    {"3.6.15", "PyGILState_GetThisThreadState",
     "\x48\x83\x3d\x10\x00\x00\x00\x00\x74\x0b\x8b\x3d\x40\x00\x00\x00\xe9", 17, PF_W, 16 + 0x40},
    /* -O0: mov x(%rip),%rax; test; jne; mov 0x40(%rip),%eax */
    {"3.6.15", "PyGILState_GetThisThreadState",
     "\x48\x8b\x05\x10\x00\x00\x00\x48\x85\xc0\x75\x07\x8b\x05\x40\x00\x00\x00\x89\xc7", 20, PF_W,
     18 + 0x40},
    {"3.6.15", "PyGILState_GetThisThreadState", "\x31\xc0\xc3", 3, PF_W, 0},
    /* push; push; sub; lea 0x40(%rip),%rbx */
    {"2.7.18", "PyThread_ReInitTLS", "\x55\x53\x48\x83\xec\x08\x48\x8d\x1d\x40\x00\x00\x00", 13,
     PF_W, 13 + 0x40},
    /* lea 0x40(%rip),%r12 */
    {"2.7.18", "PyThread_ReInitTLS", "\x55\x4c\x8d\x25\x40\x00\x00\x00", 8, PF_W, 8 + 0x40},
    /* of what cannot be written; cut off */
    {"2.7.18", "PyThread_ReInitTLS", "\x55\x4c\x8d\x25\x40\x00\x00\x00", 8, 0, 0},
    {"2.7.18", "PyThread_ReInitTLS", "\x55\x4c\x8d\x25\x40\x00\x00", 7, PF_W, 0},
    /* beyond the segment */
    {"2.7.18", "PyThread_ReInitTLS", "\x55\x4c\x8d\x25\x00\x00\x00\x40", 8, PF_W, 0},
};

static void test_static_variables(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(static_rows); i++) {
		struct elf_writer writer;
		struct python_runtime runtime;
		uint64_t code;
		uint64_t found;

		elf_writer_init(&writer, ET_DYN);
		writer.load_flags |= static_rows[i].load_flags;
		code = elf_writer_section(&writer, ".text", SHT_PROGBITS, static_rows[i].code,
					  static_rows[i].nr);
		elf_writer_section(&writer, ".rodata", SHT_PROGBITS, static_rows[i].version, 7);
		elf_writer_object(&writer, "_PyThreadState_Current", 0x180, 8);
		elf_writer_function(&writer, "PyEval_EvalFrameEx", 0x100, 16);
		elf_writer_function(&writer, static_rows[i].function, code, static_rows[i].nr);
		assert_int_equal(detect(&writer, SHT_DYNSYM, "uwsgi", &runtime), 0);
		assert_true(runtime.is_walkable);
		assert_int_equal(runtime.current_vaddr, 0x180);
		found = runtime.layout.has_thread_list ? runtime.thread_list_vaddr
						       : runtime.key_vaddr;
		assert_int_equal(found, static_rows[i].from_code
					    ? code + (uint64_t)static_rows[i].from_code
					    : 0);
	}
}

static void test_names(void **state)
{
	static const struct {
		const char *path;
		uint32_t version_hex;
	} rows[] = {
	    {"/usr/bin/python3.9", 0x03090000},
	    {"/usr/lib/libpython3.10.so.1.0", 0x030a0000},
	    {"/python3.8/uwsgi", 0}, /* only the last component is the file's own name */
	    {"/usr/bin/python3", 0},
	    {"/usr/bin/python300.1", 0},
	    {"python3.7m", 0x03070000},
	    {"", 0},
	    {"/", 0},
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct elf_writer writer;
		struct python_runtime runtime;

		elf_writer_init(&writer, ET_DYN);
		elf_writer_object(&writer, "_PyRuntime", 0x180, 1464);
		assert_int_equal(detect(&writer, SHT_DYNSYM, rows[i].path, &runtime), 0);
		assert_int_equal(runtime.version_hex, rows[i].version_hex);
		assert_false(runtime.is_walkable); /* never by name */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_not_python),
	    cmocka_unit_test(test_other_machine),
	    cmocka_unit_test(test_undefined_symbol),
	    cmocka_unit_test(test_cookie),
	    cmocka_unit_test(test_version_symbol),
	    cmocka_unit_test(test_prerelease),
	    cmocka_unit_test(test_contradiction),
	    cmocka_unit_test(test_no_bytes),
	    cmocka_unit_test(test_old_versions),
	    cmocka_unit_test(test_trace_refs_3_13),
	    cmocka_unit_test(test_pypy),
	    cmocka_unit_test(test_graalpy),
	    cmocka_unit_test(test_trace_refs),
	    cmocka_unit_test(test_static_variables),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
