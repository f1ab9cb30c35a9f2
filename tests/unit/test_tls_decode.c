/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* musl as its machine code tells it; thread-local variables are tested with what they are found
 * for, in test_python_runtime.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/vec.h"
#include "record/tls_decode.h"
#include "tests/unit/elf_writer.h"

/* pthread_getspecific() of musl 1.2.3 as Debian 12 has it. */
static const uint8_t musl_1_2_3[] = {
    0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, /* mov %fs:0x0,%rax */
    0x48, 0x8b, 0x80, 0x80, 0,	  0, 0,	      /* mov 0x80(%rax),%rax */
    0x89, 0xff,				      /* mov %edi,%edi */
    0x48, 0x8b, 0x04, 0xf8,		      /* mov (%rax,%rdi,8),%rax */
    0xc3,
};

/* A file that exports @code as @name, the first @nr bytes of it. */
static bool find(const char *name, const uint8_t *code, size_t nr, uint32_t *specific)
{
	struct elf_writer writer;
	struct elf_file *elf;
	bool is_musl;

	elf_writer_init(&writer, ET_DYN);
	elf_writer_function(&writer, name,
			    elf_writer_section(&writer, ".text", SHT_PROGBITS, code, nr), nr);
	elf_writer_finish(&writer, SHT_DYNSYM);
	assert_int_equal(elf_file_open_memory(writer.body.bytes, writer.body.nr, &elf), 0);
	is_musl = musl_find(elf, specific);
	elf_file_close(elf);
	elf_writer_deinit(&writer);
	return is_musl;
}

static void test_musl(void **state)
{
	uint32_t specific = 1;

	(void)state;
	assert_true(find("pthread_getspecific", musl_1_2_3, sizeof(musl_1_2_3), &specific));
	assert_int_equal(specific, 0x80);
	assert_false(find("pthread_setspecific", musl_1_2_3, sizeof(musl_1_2_3), &specific));
	assert_int_equal(specific, 0);
}

/* Short displacement, other order, and what a build for CET begins with. */
static void test_musl_of_other_compilers(void **state)
{
	static const uint8_t code[] = {
	    0xf3, 0x0f, 0x1e, 0xfa, 0x89, 0xff, /* endbr64; mov %edi,%edi */
	    0x64, 0x48, 0x8b, 0x04, 0x25, 0,	0,    0,    0,
	    0x48, 0x8b, 0x40, 0x78, 0x48, 0x8b, 0x04, 0xf8, 0xc3,
	};
	uint32_t specific = 0;

	(void)state;
	assert_true(find("pthread_getspecific", code, sizeof(code), &specific));
	assert_int_equal(specific, 0x78);
}

/* Each instruction is needed, and no shorter code is read beyond its end. */
static void test_not_musl(void **state)
{
	/* glibc: cmp $0x1f,%edi; ja; ...; mov %fs:0x10,%rdx */
	static const uint8_t glibc[] = {0x83, 0xff, 0x1f, 0x77, 0x3b, 0x89, 0xf8, 0x64, 0x48, 0x8b,
					0x14, 0x25, 0x10, 0,	0,    0,    0x48, 0xc1, 0xe0, 0x04};
	uint32_t specific;

	(void)state;
	assert_false(find("pthread_getspecific", glibc, sizeof(glibc), &specific));
	for (size_t nr = 1; nr < sizeof(musl_1_2_3); nr++) {
		assert_false(find("pthread_getspecific", musl_1_2_3, nr, &specific));
		assert_int_equal(specific, 0);
	}
	for (size_t i = 0; i < sizeof(musl_1_2_3); i++) {
		uint8_t code[sizeof(musl_1_2_3)];

		memcpy(code, musl_1_2_3, sizeof(code));
		code[i] ^= 0x90;
		if (i >= 12 && i < 18) /* the displacement, and an instruction that may differ */
			continue;
		assert_false(find("pthread_getspecific", code, sizeof(code), &specific));
	}
}

/* It is musl, but where it keeps the data is not known. */
static void test_unknown_musl(void **state)
{
	uint32_t specific = 1;

	(void)state;
	assert_true(find("__dls3", musl_1_2_3, sizeof(musl_1_2_3), &specific));
	assert_int_equal(specific, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_musl),
	    cmocka_unit_test(test_musl_of_other_compilers),
	    cmocka_unit_test(test_not_musl),
	    cmocka_unit_test(test_unknown_musl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
