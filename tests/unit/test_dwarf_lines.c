/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Held against binutils' addr2line, which has a DWARF reader of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/elf_file.h"
#include "common/strbuf.h"
#include "report/dwarf_lines.h"

/* Functions inlined into one another, in a loop, twice at one place, by recursion; a cold part. */
static const char source[] =
    "#include <stdlib.h>\n"
    "volatile int sink;\n"
    "#define INLINE static inline __attribute__((always_inline))\n"
    "INLINE int leaf(int x) { for (int i = 0; i < x; i++) sink += i * x; return sink; }\n"
    "INLINE int twig(int x) { int a = leaf(x); return a + leaf(a + 1); }\n"
    "INLINE int branch(int x)\n"
    "{\n"
    "	if (__builtin_expect(x == 77, 0)) { sink = 5; abort(); }\n"
    "	return twig(x) * twig(x + 2);\n"
    "}\n"
    "__attribute__((noinline)) int root(int x) { return branch(x) + leaf(3); }\n"
    "int odd(int x);\n"
    "int even(int x) { return x == 0 ? leaf(1) : odd(x - 1); }\n"
    "int odd(int x) { return x == 0 ? 0 : even(x - 1); }\n"
    "int main(int argc, char **argv) { (void)argv; return root(argc) + even(argc) > 5; }\n";

/* Functions whose entries are inside other functions', or inside types. */
static const char nested_source[] =
    "volatile int sink;\n"
    "int outer(int x)\n"
    "{\n"
    "	__attribute__((noinline)) int inner(int y) { sink += y; return x * y + sink; }\n"
    "	return inner(x) + inner(2);\n"
    "}\n"
    "int main(int argc, char **argv) { (void)argv; return outer(argc); }\n";
static const char types_source[] =
    "volatile int sink;\n"
    "namespace space {\n"
    "struct shape {\n"
    "	__attribute__((noinline)) int area(int x) { sink += x; return sink * x; }\n"
    "};\n"
    "}\n"
    "__attribute__((noinline)) int outer(int x)\n"
    "{\n"
    "	struct local { __attribute__((noinline)) int method(int y) { return sink += y; } };\n"
    "	local one;\n"
    "	return one.method(x);\n"
    "}\n"
    "int main(int argc, char **) { space::shape s; return s.area(argc) + outer(argc); }\n";

static char folder[] = "/tmp/pyrec-dwarf-XXXXXX";

static int run(const char *format, ...) printf_like(1, 2);

static int run(const char *format, ...)
{
	char command[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	return system(command);
}

static int make_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file || fputs(text, file) < 0)
		return -1;
	return fclose(file);
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder) || chdir(folder) || make_file("source.c", source) ||
	    make_file("nested.c", nested_source))
		return -1;
	return make_file("types.cpp", types_source);
}

static int remove_folder(void **state)
{
	(void)state;
	return run("cd / && rm -rf %s", folder);
}

static struct dwarf_lines *lines_open(const char *path)
{
	struct dwarf_lines *lines = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(dwarf_lines_open(fd, -1, &lines), 0);
	close(fd);
	return lines;
}

/* In the form of addr2line -a -f -i. */
static void print_ours(struct dwarf_lines *lines, uint64_t vaddr, struct strbuf *out)
{
	const struct source_frame *frames;
	int nr = dwarf_lines_find(lines, vaddr, true, &frames);

	assert_true(nr >= 0);
	strbuf_append_format(out, "0x%llx\n", (unsigned long long)vaddr);
	for (int i = 0; i < nr; i++) {
		const char *function = frames[i].function;

		strbuf_append_format(out, "%s\n", function ? function : "??");
		if (frames[i].line)
			strbuf_append_format(out, "%s:%u\n", frames[i].file, frames[i].line);
		else
			strbuf_append_text(out, "??:0\n");
	}
}

static struct elf_section text_of(const char *path)
{
	struct elf_section text = {0};
	struct elf_file *elf;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(elf_file_open(fd, &elf), 0);
	assert_int_equal(elf_file_section(elf, ".text", &text), 0);
	elf_file_close(elf);
	close(fd);
	return text;
}

/* What addr2line says but for discriminators; a file without a line is no answer. */
static void print_theirs(const char *tool, const char *path, struct strbuf *out)
{
	char line[4096];
	FILE *theirs;

	snprintf(line, sizeof(line), "%s -a -f -i -e %s <addresses", tool, path);
	theirs = popen(line, "r");
	assert_non_null(theirs);
	while (fgets(line, sizeof(line), theirs)) {
		char *extra = strstr(line, " (discriminator");
		size_t nr = extra ? (size_t)(extra - line) : strcspn(line, "\n");

		line[nr] = '\0';
		if (nr > 2 &&
		    (strcmp(line + nr - 2, ":?") == 0 || strcmp(line + nr - 2, ":0") == 0))
			strcpy(line, "??:0");
		if (strncmp(line, "0x", 2) == 0)
			strbuf_append_format(out, "0x%llx\n", strtoull(line, NULL, 16));
		else
			strbuf_append_format(out, "%s\n", line);
	}
	assert_int_equal(pclose(theirs), 0);
}

/* Both print the address, then what they found: the next address ends it. */
static size_t block_nr(const char *text)
{
	const char *end = strstr(text + 2, "\n0x");

	return end ? (size_t)(end + 1 - text) : strlen(text);
}

static unsigned int count_differences(const char *ours, const char *theirs)
{
	unsigned int nr = 0;

	while (*ours && *theirs) {
		size_t ours_nr = block_nr(ours);
		size_t theirs_nr = block_nr(theirs);

		if (ours_nr != theirs_nr || memcmp(ours, theirs, ours_nr) != 0) {
			nr++;
			print_message("ours:\n%.*stheirs:\n%.*s", (int)ours_nr, ours,
				      (int)theirs_nr, theirs);
		}
		ours += ours_nr;
		theirs += theirs_nr;
	}
	assert_true(!*ours && !*theirs);
	return nr;
}

static void compare_file(const char *tool, const char *path, uint64_t step)
{
	struct dwarf_lines *lines = lines_open(path);
	const struct elf_section text = text_of(path);
	struct strbuf ours = {0};
	struct strbuf theirs = {0};
	FILE *addresses = fopen("addresses", "w");

	assert_non_null(addresses);
	for (uint64_t at = 0; at < text.nr; at += step) {
		const struct source_frame *frames;

		/* Outside of DWARF's functions addr2line names the symbol before. */
		if (dwarf_lines_find(lines, text.vaddr + at, true, &frames) == 0 ||
		    !frames[0].function)
			continue;
		fprintf(addresses, "0x%llx\n", (unsigned long long)(text.vaddr + at));
		print_ours(lines, text.vaddr + at, &ours);
	}
	assert_int_equal(fclose(addresses), 0);
	print_theirs(tool, path, &theirs);
	assert_int_equal(ours.error, 0);
	assert_true(ours.nr > 100);
	assert_int_equal(count_differences(strbuf_text(&ours), strbuf_text(&theirs)), 0);
	strbuf_deinit(&ours);
	strbuf_deinit(&theirs);
	dwarf_lines_close(lines);
}

static void test_versions(void **state)
{
	(void)state;
	for (int version = 2; version <= 5; version++) {
		assert_int_equal(run("gcc -O2 -gdwarf-%d source.c -o program", version), 0);
		compare_file("addr2line", "program", 1);
	}
}

/*
 * clang writes no .debug_aranges, and its DWARF 5 has indexed addresses and range lists, of which
 * binutils 2.40 misses some; of gcc -flto it misses file names. LLVM's own names cold parts by
 * symbol.
 */
static void test_other_writers(void **state)
{
	(void)state;
	for (int version = 4; version <= 5; version++) {
		assert_int_equal(run("clang -O2 -gdwarf-%d source.c -o program", version), 0);
		compare_file("llvm-addr2line", "program", 1);
	}
	assert_int_equal(
	    run("gcc -O2 -g -flto -fno-reorder-blocks-and-partition source.c -o program"), 0);
	compare_file("llvm-addr2line", "program", 1);
	assert_int_equal(run("gcc -O3 -g -gz -ffunction-sections source.c -o program"), 0);
	compare_file("addr2line", "program", 1);
}

static void test_own_program(void **state)
{
	(void)state;
	assert_int_equal(run("cp /proc/%d/exe own", getpid()), 0);
	compare_file("addr2line", "own", 101);
}

/* At how many addresses of @path a function runs whose name has @name in it. */
static unsigned int count_function(const char *path, const char *name)
{
	struct dwarf_lines *lines = lines_open(path);
	const struct elf_section text = text_of(path);
	const struct source_frame *frames;
	unsigned int nr = 0;

	for (uint64_t at = 0; at < text.nr; at++) {
		const int found = dwarf_lines_find(lines, text.vaddr + at, false, &frames);

		nr += found > 0 && frames[0].function && strstr(frames[0].function, name);
	}
	dwarf_lines_close(lines);
	return nr;
}

static void test_functions_inside(void **state)
{
	(void)state;
	assert_int_equal(run("gcc -O1 -g -w nested.c -o nested"), 0);
	assert_in_range(count_function("nested", "inner"), 10, 200);
	assert_in_range(count_function("nested", "outer"), 10, 200);
	compare_file("addr2line", "nested", 1);
	assert_int_equal(run("g++ -O1 -g types.cpp -o types"), 0);
	assert_in_range(count_function("types", "method"), 10, 200);
	assert_in_range(count_function("types", "area"), 10, 200);
	assert_int_equal(run("clang++ -O1 -g types.cpp -o types"), 0);
	assert_in_range(count_function("types", "method"), 10, 200);
	assert_in_range(count_function("types", "area"), 10, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_functions_inside),
	    cmocka_unit_test(test_versions),
	    cmocka_unit_test(test_other_writers),
	    cmocka_unit_test(test_own_program),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
