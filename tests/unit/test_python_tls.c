/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where a Python of 3.12 and newer has its thread-local variables. */
#include "tests/unit/python_elf.h"

/* The relocation that fills a shared object's own TLS module number, after others. Return: the
 * word. */
static uint64_t add_tls_module(struct elf_writer *writer)
{
	static const Elf64_Rela relocations[] = {
	    {0x10, ELF64_R_INFO(0, R_X86_64_RELATIVE), 0},
	    {0x20, ELF64_R_INFO(3, R_X86_64_DTPMOD64), 0}, /* of another file's variable */
	    {0x7f30, ELF64_R_INFO(0, R_X86_64_DTPMOD64), 0},
	};

	elf_writer_section(writer, ".rela.dyn", SHT_RELA, relocations, sizeof(relocations));
	return relocations[2].r_offset;
}

static void add_interpreter(struct elf_writer *writer)
{
	elf_writer_section(writer, ".interp", SHT_PROGBITS, "/lib64/ld.so", 13);
}

static void add_tls_symbol(struct elf_writer *writer, uint64_t in_block)
{
	elf_writer_add_symbol(writer, "_Py_tss_tstate", ELF64_ST_INFO(STB_LOCAL, STT_TLS), in_block,
			      8);
}

static void add_get_current(struct elf_writer *writer, const uint8_t *code, size_t nr,
			    size_t function_bytes)
{
	const uint64_t vaddr = elf_writer_section(writer, ".text", SHT_PROGBITS, code, nr);

	elf_writer_function(writer, "_PyThreadState_GetCurrent", vaddr, function_bytes);
}

static void add_runtime_3_15(struct elf_writer *writer)
{
	uint8_t runtime[RUNTIME_BYTES] = {0};

	debug_offsets_3_15(runtime, 0x030f02f0);
	elf_writer_section(writer, ".PyRuntime", SHT_PROGBITS, runtime, sizeof(runtime));
}

/* ---- By symbol ---- */

static void test_tls_static_symbol(void **state)
{
	/* psABI variant II: the block ends, aligned up, at the thread pointer. */
	static const struct {
		uint64_t in_block, memory_bytes, alignment;
		int64_t offset;
	} rows[] = {
	    {8, 32, 8, -24}, {0, 0x18, 0x10, -0x20}, {16, 100, 64, -112},
	    {0, 8, 0, -8},   {0, 8, 1, -8},
	};

	(void)state;
	for (size_t i = 0; i < 2 * array_size(rows); i++) {
		const bool is_pie = i >= array_size(rows);
		struct elf_writer writer;
		struct python_runtime runtime;

		elf_writer_init(&writer, is_pie ? ET_DYN : ET_EXEC);
		if (is_pie)
			add_interpreter(&writer);
		add_runtime(&writer);
		add_py_version(&writer, 0x030c01f0);
		add_tls_symbol(&writer, rows[i % array_size(rows)].in_block);
		elf_writer_tls(&writer, rows[i % array_size(rows)].memory_bytes,
			       rows[i % array_size(rows)].alignment);
		assert_int_equal(detect(&writer, SHT_SYMTAB, "/usr/bin/python3.12", &runtime), 0);
		assert_int_equal(runtime.tls_kind, PYREC_TLS_STATIC);
		assert_true(runtime.tls_offset == rows[i % array_size(rows)].offset);
	}
}

static void test_tls_static_damaged(void **state)
{
	static const uint64_t sizes[] = {0, UINT64_C(0x100000000), UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < array_size(sizes); i++) {
		struct elf_writer writer;
		struct python_runtime runtime;

		elf_writer_init(&writer, ET_EXEC);
		add_runtime(&writer);
		add_py_version(&writer, 0x030c01f0);
		add_tls_symbol(&writer, 8);
		if (sizes[i])
			elf_writer_tls(&writer, sizes[i], UINT64_MAX);
		assert_int_equal(detect(&writer, SHT_SYMTAB, "/usr/bin/python3.12", &runtime), 0);
		assert_true(runtime.is_walkable);
		assert_int_equal(runtime.tls_kind, PYREC_TLS_NONE);
	}
}

static void test_tls_dynamic_symbol(void **state)
{
	struct elf_writer writer;
	struct python_runtime runtime;
	uint64_t word;

	(void)state;
	elf_writer_init(&writer, ET_DYN);
	add_runtime_3_13(&writer, 0x030d00f0);
	word = add_tls_module(&writer);
	add_tls_symbol(&writer, 8);
	elf_writer_tls(&writer, 16, 8);
	assert_int_equal(detect(&writer, SHT_SYMTAB, "libpython3.13.so.1.0", &runtime), 0);
	assert_int_equal(runtime.tls_kind, PYREC_TLS_DYNAMIC);
	assert_int_equal(runtime.tls_offset, 8);
	assert_int_equal(runtime.tls_module_vaddr, word);
}

static void test_tls_dynamic_without_module(void **state)
{
	struct elf_writer writer;
	struct python_runtime runtime;

	(void)state;
	elf_writer_init(&writer, ET_DYN);
	add_runtime_3_13(&writer, 0x030d00f0);
	add_tls_symbol(&writer, 8);
	assert_int_equal(detect(&writer, SHT_SYMTAB, "libpython3.13.so.1.0", &runtime), 0);
	assert_int_equal(runtime.tls_kind, PYREC_TLS_NONE);
}

static void test_bound_symbol(void **state)
{
	struct elf_writer writer;
	struct python_runtime runtime;

	(void)state;
	elf_writer_init(&writer, ET_DYN);
	add_runtime_3_15(&writer);
	add_tls_module(&writer);
	add_tls_symbol(&writer, 8);
	elf_writer_add_symbol(&writer, "_Py_tss_gilstate", ELF64_ST_INFO(STB_LOCAL, STT_TLS), 0x28,
			      8);
	elf_writer_tls(&writer, 0x30, 8);
	assert_int_equal(detect(&writer, SHT_SYMTAB, "libpython3.15.so.1.0", &runtime), 0);
	assert_true(runtime.is_walkable && runtime.has_bound);
	assert_int_equal(runtime.tls_kind, PYREC_TLS_DYNAMIC);
	assert_int_equal(runtime.tls_offset, 8);
	assert_int_equal(runtime.bound_offset, 0x28);
}

/* ---- By code, of stripped files ---- */

/* mov %fs:-24,%rax; ret: _PyThreadState_GetCurrent() of Debian's static 3.13. */
static const uint8_t code_static[] = {0xf3, 0x0f, 0x1e, 0xfa, 0x64, 0x48, 0x8b,
				      0x04, 0x25, 0xe8, 0xff, 0xff, 0xff, 0xc3};

/* push %rbp; mov %rsp,%rbp; lea GOT(%rip),%rdi; call __tls_get_addr; mov …(%rax),%rax; pop; ret */
static const uint8_t code_dynamic[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0x8d, 0x3d, 0x00, 0x00,
				       0x00, 0x00, 0xe8, 0x01, 0x02, 0x03, 0x04, 0x48, 0x8b};

enum { LEA_DISPLACEMENT_AT = 7 };

static void test_tls_stripped_static(void **state)
{
	struct elf_writer writer;
	struct python_runtime runtime;

	(void)state;
	elf_writer_init(&writer, ET_EXEC);
	add_runtime_3_13(&writer, 0x030d00f0);
	add_get_current(&writer, code_static, sizeof(code_static), sizeof(code_static));
	assert_int_equal(detect(&writer, SHT_DYNSYM, "/usr/bin/python3.13", &runtime), 0);
	assert_int_equal(runtime.tls_kind, PYREC_TLS_STATIC);
	assert_true(runtime.tls_offset == -24);
}

/* 3.15 has no pthread key: the bound state is a second variable, without which it is refused. */
static void test_bound_stripped_static(void **state)
{
	static const uint8_t bound[] = {0x64, 0x48, 0x8b, 0x04, 0x25, 0xd8, 0xff, 0xff, 0xff, 0xc3};

	(void)state;
	for (int has_bound = 0; has_bound < 2; has_bound++) {
		struct elf_writer writer;
		struct python_runtime runtime;

		elf_writer_init(&writer, ET_EXEC);
		add_runtime_3_15(&writer);
		add_get_current(&writer, code_static, sizeof(code_static), sizeof(code_static));
		if (has_bound)
			elf_writer_function(&writer, "PyGILState_GetThisThreadState",
					    elf_writer_section(&writer, ".text.2", SHT_PROGBITS,
							       bound, sizeof(bound)),
					    sizeof(bound));
		assert_int_equal(detect(&writer, SHT_DYNSYM, "/usr/bin/python3.15", &runtime), 0);
		assert_int_equal(runtime.is_walkable, has_bound);
		assert_int_equal(runtime.has_bound, has_bound);
		assert_int_equal(runtime.key_vaddr, 0);
		if (has_bound)
			assert_true(runtime.tls_offset == -24 && runtime.bound_offset == -40);
	}
}

/* A stripped shared object with a GOT pair {module, @in_block}; @load ends the function. Return:
 * the pair's address. */
static uint64_t add_dynamic(struct elf_writer *writer, uint64_t in_block, const char *load,
			    size_t load_nr)
{
	const uint64_t pair[2] = {0, in_block};
	const uint64_t vaddr = elf_writer_section(writer, ".got", SHT_PROGBITS, pair, sizeof(pair));
	const Elf64_Rela relocation = {vaddr, ELF64_R_INFO(0, R_X86_64_DTPMOD64), 0};
	uint8_t code[64] = {0};
	int32_t displacement;
	uint64_t at;

	elf_writer_section(writer, ".rela.dyn", SHT_RELA, &relocation, sizeof(relocation));
	strbuf_align(&writer->body, 16);
	at = writer->body.nr; /* where the function will be */
	memcpy(code, code_dynamic, sizeof(code_dynamic));
	memcpy(code + sizeof(code_dynamic), load, load_nr);
	displacement = (int32_t)(vaddr - (at + LEA_DISPLACEMENT_AT + 4));
	memcpy(code + LEA_DISPLACEMENT_AT, &displacement, sizeof(displacement));
	add_get_current(writer, code, sizeof(code), sizeof(code_dynamic) + load_nr + 2);
	return vaddr;
}

static void test_tls_stripped_dynamic(void **state)
{
	static const struct {
		uint64_t in_block;
		const char *load; /* behind REX.W mov: ModRM and displacement */
		size_t nr;
		int64_t offset;
	} rows[] = {
	    {0, "\x40\x08", 2, 8},		   /* local dynamic: Debian's 3.13 */
	    {24, "\x00", 1, 24},		   /* general dynamic: the GOT has the offset */
	    {24, "\x40\xf8", 2, 16},		   /* a member before it */
	    {0, "\x80\x00\x02\x00\x00", 5, 0x200}, /* far into a large block */
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct elf_writer writer;
		struct python_runtime runtime;
		uint64_t word;

		elf_writer_init(&writer, ET_DYN);
		add_runtime_3_13(&writer, 0x030d00f0);
		word = add_dynamic(&writer, rows[i].in_block, rows[i].load, rows[i].nr);
		assert_int_equal(detect(&writer, SHT_DYNSYM, "libpython3.13.so.1.0", &runtime), 0);
		assert_int_equal(runtime.tls_kind, PYREC_TLS_DYNAMIC);
		assert_true(runtime.tls_offset == rows[i].offset);
		assert_int_equal(runtime.tls_module_vaddr, word);
	}
}

/* The pair must be one that the dynamic linker fills with this object's own number. */
static void test_tls_stripped_foreign(void **state)
{
	struct elf_writer writer;
	struct python_runtime runtime;

	(void)state;
	elf_writer_init(&writer, ET_DYN);
	add_runtime_3_13(&writer, 0x030d00f0);
	add_tls_module(&writer);
	add_get_current(&writer, code_dynamic, sizeof(code_dynamic), sizeof(code_dynamic));
	assert_int_equal(detect(&writer, SHT_DYNSYM, "libpython3.13.so.1.0", &runtime), 0);
	assert_int_equal(runtime.tls_kind, PYREC_TLS_NONE);
}

/* What stands behind the function's end is another one's: here another variable and a field. */
static void test_tls_stripped_ends(void **state)
{
	static const uint8_t code[] = {0x64, 0x48, 0x8b, 0x00, 0xc3, 0x90, /* another form; ret */
				       0x64, 0x48, 0x8b, 0x04, 0x25, 0xf0, 0xff,
				       0xff, 0xff, 0x48, 0x8b, 0x40, 0x10, 0xc3};
	static const struct {
		uint16_t type;
		size_t function_bytes;
		uint32_t tls_kind;
	} rows[] = {
	    {ET_EXEC, 0, PYREC_TLS_NONE},  {ET_EXEC, 5, PYREC_TLS_NONE},
	    {ET_EXEC, 14, PYREC_TLS_NONE}, {ET_EXEC, 15, PYREC_TLS_STATIC},
	    {ET_DYN, 5, PYREC_TLS_NONE},   {ET_DYN, sizeof(code), PYREC_TLS_NONE},
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct elf_writer writer;
		struct python_runtime runtime;

		elf_writer_init(&writer, rows[i].type);
		add_runtime_3_13(&writer, 0x030d00f0);
		add_tls_module(&writer);
		add_get_current(&writer, code, sizeof(code), rows[i].function_bytes);
		assert_int_equal(detect(&writer, SHT_DYNSYM, "python3.13", &runtime), 0);
		assert_true(runtime.is_walkable);
		assert_int_equal(runtime.tls_kind, rows[i].tls_kind);
	}
}

/* mov %fs:0x28,%rax: the stack canary, not a variable of the program. */
static void test_tls_stripped_canary(void **state)
{
	static const uint8_t code[] = {0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0x00, 0x00, 0x00, 0xc3};
	struct elf_writer writer;
	struct python_runtime runtime;

	(void)state;
	elf_writer_init(&writer, ET_EXEC);
	add_runtime_3_13(&writer, 0x030d00f0);
	add_get_current(&writer, code, sizeof(code), sizeof(code));
	assert_int_equal(detect(&writer, SHT_DYNSYM, "python3.13", &runtime), 0);
	assert_int_equal(runtime.tls_kind, PYREC_TLS_NONE);
}

/* A function that reaches to the file's very end. */
static void test_tls_stripped_at_the_end(void **state)
{
	struct elf_writer writer;
	struct python_runtime runtime;

	(void)state;
	elf_writer_init(&writer, ET_EXEC);
	add_runtime_3_13(&writer, 0x030d00f0);
	elf_writer_function(&writer, "_PyThreadState_GetCurrent", UINT64_C(0x7ffffff0), UINT64_MAX);
	assert_int_equal(detect(&writer, SHT_DYNSYM, "python3.13", &runtime), 0);
	assert_int_equal(runtime.tls_kind, PYREC_TLS_NONE);
}

/* Every truncation of a real-looking file is answered without a read outside it. */
static void test_truncated(void **state)
{
	struct elf_writer writer;

	(void)state;
	elf_writer_init(&writer, ET_DYN);
	add_runtime_3_13(&writer, 0x030d00f0);
	add_dynamic(&writer, 0, "\x40\x08", 2);
	elf_writer_finish(&writer, SHT_DYNSYM);
	for (size_t nr = 0; nr < writer.body.nr; nr += 13) {
		auto_free uint8_t *part = malloc(nr ? nr : 1);
		struct python_runtime runtime;
		struct elf_file *elf;

		memcpy(part, writer.body.bytes, nr);
		if (elf_file_open_memory(part, nr, &elf))
			continue;
		(void)!python_runtime_detect(elf, "python3.13", &runtime);
		elf_file_close(elf);
	}
	elf_writer_deinit(&writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tls_static_symbol),
	    cmocka_unit_test(test_tls_static_damaged),
	    cmocka_unit_test(test_tls_dynamic_symbol),
	    cmocka_unit_test(test_tls_dynamic_without_module),
	    cmocka_unit_test(test_bound_symbol),
	    cmocka_unit_test(test_tls_stripped_static),
	    cmocka_unit_test(test_bound_stripped_static),
	    cmocka_unit_test(test_tls_stripped_dynamic),
	    cmocka_unit_test(test_tls_stripped_foreign),
	    cmocka_unit_test(test_tls_stripped_ends),
	    cmocka_unit_test(test_tls_stripped_canary),
	    cmocka_unit_test(test_tls_stripped_at_the_end),
	    cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
