/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Against /proc/kallsyms as this user sees it: without privilege all its addresses are 0, and then
 * no symbol may come out.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/proc_text.h"
#include "format/bundle.h"
#include "record/kernel_symbols.h"

/* A function of the kernel. */
struct known {
	uint64_t address;
	char name[128];
};

enum { KNOWN_NR = 50 };

/* Some functions, spread over the list. Return: how many, 0 where they are hidden. */
static size_t known_read(struct known known[KNOWN_NR])
{
	FILE *file = fopen("/proc/kallsyms", "r");
	char line[1024];
	size_t functions_nr = 0;
	size_t nr = 0;

	assert_non_null(file);
	while (nr < KNOWN_NR && fgets(line, sizeof(line), file)) {
		unsigned long long address;
		char type;
		struct known *at = &known[nr];

		if (sscanf(line, "%llx %c %127s", &address, &type, at->name) != 3 || !address ||
		    type != 'T' || functions_nr++ % 997)
			continue;
		at->address = address;
		nr++;
	}
	fclose(file);
	return nr;
}

/* Does /proc/kallsyms have this name at this address? Aliases are many. */
static bool is_listed(const char *text, uint64_t address, const char *name)
{
	char wanted[256];
	const char *at;

	snprintf(wanted, sizeof(wanted), "%016llx ", (unsigned long long)address);
	for (at = strstr(text, wanted); at; at = strstr(at + 1, wanted)) {
		const char *found = at + strlen(wanted) + 2;
		const size_t nr = strcspn(found, "\t\n");

		if (nr == strlen(name) && memcmp(found, name, nr) == 0)
			return true;
	}
	return false;
}

static void bundle_check(const struct strbuf *bytes, const struct known *known, size_t nr)
{
	struct bundle_kernel_symbol symbol;
	auto_free char *text = NULL;
	struct bundle *bundle;
	size_t text_nr;

	assert_int_equal(proc_file_read("/proc/kallsyms", &text, &text_nr), 0);
	assert_int_equal(bundle_open((const uint8_t *)bytes->bytes, bytes->nr, &bundle), 0);
	for (size_t i = 0; i < nr; i++) {
		assert_int_equal(bundle_kernel_symbol(bundle, known[i].address, &symbol), 0);
		assert_true(symbol.address == known[i].address);
		assert_true(is_listed(text, symbol.address, symbol.name));
		assert_string_equal(symbol.module, "");
	}
	assert_int_equal(bundle_kernel_symbol(bundle, 1, &symbol), -ENOENT);
	bundle_close(bundle);
}

static void test_bundle(void **state)
{
	struct known known[KNOWN_NR];
	const size_t known_nr = known_read(known);
	auto_strbuf struct strbuf out = {0};
	struct address_set hits = {0};
	uint32_t nr = 99;

	(void)state;
	assert_int_equal(bundle_begin(&out), 0);
	for (size_t i = 0; i < known_nr; i++) { /* inside them, twice */
		assert_int_equal(address_set_add(&hits, known[i].address), 0);
		assert_int_equal(address_set_add(&hits, known[i].address + 1), 0);
	}
	assert_int_equal(address_set_add(&hits, 1), 0); /* below all */
	assert_int_equal(kernel_symbols_bundle(&hits, &out, &nr), 0);
	assert_int_equal(nr, known_nr);
	assert_int_equal(bundle_end(&out), 0);
	bundle_check(&out, known, known_nr);
	address_set_deinit(&hits);
}

static void test_no_hits(void **state)
{
	const struct address_set hits = {0};
	auto_strbuf struct strbuf out = {0};
	uint32_t nr = 99;

	(void)state;
	assert_int_equal(kernel_symbols_bundle(&hits, &out, &nr), 0);
	assert_int_equal(nr, 0);
	assert_int_equal(out.nr, 0);
}

static void test_map_record(void **state)
{
	auto_free char *text = NULL;
	struct known known[KNOWN_NR];
	const size_t known_nr = known_read(known);
	struct record record;
	size_t nr;

	(void)state;
	if (known_nr == 0) {
		assert_int_equal(kernel_map_record(&record), -ENOENT);
		return;
	}
	assert_int_equal(proc_file_read("/proc/kallsyms", &text, &nr), 0);
	assert_int_equal(kernel_map_record(&record), 0);
	assert_int_equal(record.type, PERF_RECORD_MMAP2);
	assert_int_equal(record.misc & PERF_RECORD_MISC_CPUMODE_MASK, PERF_RECORD_MISC_KERNEL);
	assert_int_equal(record.mmap.pid, UINT32_MAX);
	assert_true(is_listed(text, record.mmap.start, "_text"));
	assert_true(is_listed(text, record.mmap.start + record.mmap.bytes, "_etext"));
	assert_string_equal(record.mmap.path, "[kernel.kallsyms]_text");
}

/* The note stands in /sys/kernel/notes behind its head. */
static void test_build_id(void **state)
{
	static const char head[16] = "\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU";
	auto_free char *notes = NULL;
	uint8_t build_id[20] = {0};
	const char *found;
	size_t nr;

	(void)state;
	if (proc_file_read("/sys/kernel/notes", &notes, &nr)) {
		assert_int_equal(kernel_build_id(build_id), 0);
		return;
	}
	found = memmem(notes, nr, head, sizeof(head));
	assert_int_equal(kernel_build_id(build_id), found ? 20 : 0);
	if (found)
		assert_memory_equal(build_id, found + sizeof(head), 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bundle),
	    cmocka_unit_test(test_no_hits),
	    cmocka_unit_test(test_map_record),
	    cmocka_unit_test(test_build_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
