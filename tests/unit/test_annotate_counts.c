/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Samples counted by the lines of functions: each once, however often a line is in its stack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/annotate_counts.h"
#include "report/module.h"

enum { VERSION = 0x030c0000 };

struct fixture {
	struct code_table codes;
	struct location_table locations;
	struct filter dso;
	struct filter symbol;
	struct output_options options;
	struct annotate_counts counts;
};

static struct fixture *fixture_create(const char *symbol)
{
	const struct location_options names = {0};
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	assert_int_equal(location_table_init(&fixture->locations, &names, NULL, &fixture->codes),
			 0);
	fixture->options.dso = &fixture->dso;
	fixture->options.symbol = &fixture->symbol;
	assert_int_equal(annotate_counts_init(&fixture->counts, symbol, &fixture->options), 0);
	return fixture;
}

static void fixture_destroy(struct fixture *fixture)
{
	annotate_counts_deinit(&fixture->counts);
	location_table_deinit(&fixture->locations);
	code_table_deinit(&fixture->codes);
	filter_deinit(&fixture->dso);
	filter_deinit(&fixture->symbol);
	free(fixture);
}

/* Two instructions on the first line, two on the one after it, two of no line. 3.11+, see
 * Objects/locations.md: code 13, a delta of lines and no columns, of n instructions; code 15. */
static void code_add(struct fixture *fixture, uint32_t id, const char *name, const char *file,
		     int32_t first_line)
{
	static const uint8_t lines[] = {0x80 | 13 << 3 | 1, 0, 0x80 | 13 << 3 | 1, 2,
					0x80 | 15 << 3 | 1};
	const struct payload_code code = {.code_id = id,
					  .version_hex = VERSION,
					  .first_line = first_line,
					  .qualname = name,
					  .qualname_nr = (uint32_t)strlen(name),
					  .file = file,
					  .file_nr = (uint32_t)strlen(file),
					  .lines = lines,
					  .lines_nr = sizeof(lines),
					  .lines_total = sizeof(lines)};

	assert_int_equal(code_table_add(&fixture->codes, &code), 0);
}

struct at {
	uint32_t code_id;
	int32_t instruction;
};

static void sample_add(struct fixture *fixture, uint64_t period, const struct at *stack, size_t nr)
{
	struct stack_frame frames[8] = {0};
	struct sample_info sample = {.period = period, .frames = frames, .frames_nr = nr};

	for (size_t i = 0; i < nr; i++) {
		const struct py_frame frame = {.code_id = stack[i].code_id,
					       .value = stack[i].instruction};

		assert_int_equal(
		    location_find_python(&fixture->locations, &frame, &frames[i].location), 0);
	}
	assert_int_equal(annotate_counts_add(&fixture->counts, &fixture->locations, &sample), 0);
}

#define SAMPLE(fixture, period, ...)                                  \
	sample_add(fixture, period, (const struct at[]){__VA_ARGS__}, \
		   sizeof((const struct at[]){__VA_ARGS__}) / sizeof(struct at))

static void finish(struct fixture *fixture)
{
	assert_int_equal(annotate_counts_find_ends(&fixture->counts, &fixture->locations), 0);
	annotate_counts_sort(&fixture->counts);
}

static void check_place(const struct fixture *fixture, const struct annotate_function *function,
			uint32_t index, int64_t at, uint64_t total_nr, uint64_t self_nr)
{
	const struct annotate_place *place =
	    &fixture->counts.places.items[function->first_place + index];

	assert_true(index < function->places_nr);
	assert_int_equal(place->at, at);
	assert_int_equal(place->weight.total.samples_nr, total_nr);
	assert_int_equal(place->weight.self.samples_nr, self_nr);
}

static void test_lines(void **state)
{
	struct fixture *fixture = fixture_create("f");
	const struct annotate_function *function;

	(void)state;
	code_add(fixture, 1, "f", "/a.py", 10);
	code_add(fixture, 2, "g", "/a.py", 20);
	/* Two instructions of one line, the function in itself, and by itself. */
	SAMPLE(fixture, 5, {1, 0}, {1, 1}, {2, 0}, {1, 2});
	SAMPLE(fixture, 5, {2, 0}, {1, 1});
	SAMPLE(fixture, 5, {1, 4}, {1, 4});
	SAMPLE(fixture, 5, {2, 0});
	finish(fixture);
	assert_int_equal(fixture->counts.samples_nr, 4);
	assert_int_equal(fixture->counts.all.period, 20);
	assert_int_equal(fixture->counts.functions.nr, 1);
	function = &fixture->counts.functions.items[0];
	assert_int_equal(function->weight.total.samples_nr, 3);
	assert_int_equal(function->weight.self.samples_nr, 2);
	assert_int_equal(function->weight.total.period, 15);
	assert_int_equal(function->last_line, 11);
	assert_int_equal(function->places_nr, 3);
	check_place(fixture, function, 0, LINE_NONE, 1, 1);
	check_place(fixture, function, 1, 10, 2, 1);
	check_place(fixture, function, 2, 11, 1, 0);
	fixture_destroy(fixture);
}

/* Code objects of one function are one, as in each process that runs it; others are not. */
static void test_functions(void **state)
{
	struct fixture *fixture = fixture_create("f");

	(void)state;
	code_add(fixture, 1, "f", "/a.py", 10);
	code_add(fixture, 2, "f", "/a.py", 10);
	code_add(fixture, 3, "f", "/a.py", 11);
	code_add(fixture, 4, "f", "/b.py", 10);
	code_add(fixture, 5, "ff", "/a.py", 10);
	for (uint32_t id = 1; id <= 5; id++)
		SAMPLE(fixture, 1, {id, 0});
	finish(fixture);
	assert_int_equal(fixture->counts.functions.nr, 3);
	assert_int_equal(fixture->counts.functions.items[0].weight.self.samples_nr, 2);
	fixture_destroy(fixture);
}

static void check_order(const char *symbol, bool children, double percent_limit, int64_t nr,
			const char *const *names)
{
	struct fixture *fixture = fixture_create(symbol);
	uint32_t *order;

	code_add(fixture, 1, "few", "/a.py", 1);
	code_add(fixture, 2, "most", "/a.py", 1);
	code_add(fixture, 3, "f*", "/a.py", 1);
	code_add(fixture, 4, "a, b", "/a.py", 1);
	SAMPLE(fixture, 1, {1, 0}, {2, 0}, {3, 0});
	SAMPLE(fixture, 1, {4, 0}, {2, 0}, {3, 0});
	SAMPLE(fixture, 1, {2, 0}, {2, 0}, {2, 0});
	SAMPLE(fixture, 1, {2, 0}, {2, 0}, {1, 0});
	finish(fixture);
	assert_int_equal(annotate_counts_order(&fixture->counts, children, percent_limit, &order),
			 nr);
	for (int64_t i = 0; i < nr; i++)
		assert_string_equal(fixture->counts.functions.items[order[i]].location->symbol,
				    names[i]);
	free(order);
	fixture_destroy(fixture);
}

static void test_order(void **state)
{
	(void)state;
	check_order("*", true, 0, 4, (const char *const[]){"most", "f*", "few", "a, b"});
	check_order("*", false, 0, 3, (const char *const[]){"most", "a, b", "few"});
	check_order("*", true, 50, 3, (const char *const[]){"most", "f*", "few"});
	check_order("f*", true, 0, 1, (const char *const[]){"f*"});
	check_order("f*", false, 0, 0, NULL);
	check_order("few,mos?", true, 0, 2, (const char *const[]){"most", "few"});
	check_order("a, b", true, 0, 1, (const char *const[]){"a, b"});
	check_order("none", true, 0, 0, NULL);
}

/* ---- Machine code: of this very program ---- */

static struct mapping own_mapping(struct modules *modules, uint64_t address)
{
	static const struct file_identity any;
	struct mapping mapping = {.is_executable = true};
	unsigned long start;
	unsigned long end;
	unsigned long offset;
	char line[512];
	char path[256];
	FILE *maps = fopen("/proc/self/maps", "r");

	assert_non_null(maps);
	while (!mapping.module && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %255s", &start, &end, &offset, path) !=
			4 ||
		    address < start || address >= end)
			continue;
		mapping.start = start;
		mapping.end = end;
		mapping.file_offset = offset;
		mapping.module = modules_get_file(modules, path, &any);
	}
	fclose(maps);
	assert_non_null(mapping.module);
	return mapping;
}

static void native_sample_add(struct fixture *fixture, const struct mapping *mapping,
			      const uint64_t *pcs, size_t nr)
{
	struct stack_frame frames[4] = {0};
	struct sample_info sample = {.period = 10, .frames = frames, .frames_nr = nr};

	for (size_t i = 0; i < nr; i++) {
		const struct native_frame frame = {
		    .pc = pcs[i], .mapping = mapping, .flags = i ? 0 : NATIVE_FRAME_INTERRUPTED};

		assert_int_equal(
		    location_find_native(&fixture->locations, &frame, &frames[i].location), 0);
	}
	assert_int_equal(annotate_counts_add(&fixture->counts, &fixture->locations, &sample), 0);
}

static void check_sum(const struct fixture *fixture, uint64_t begin, uint64_t end,
		      uint64_t total_nr, uint64_t self_nr)
{
	struct annotate_weight weight;

	annotate_counts_sum(&fixture->counts, 0, begin, end, &weight);
	assert_int_equal(weight.total.samples_nr, total_nr);
	assert_int_equal(weight.total.period, total_nr * 10);
	assert_int_equal(weight.self.samples_nr, self_nr);
}

/* A call of five bytes at its begin, from which it calls itself: a sample that is both at the call
 * and below it is one sample of that instruction. */
static void test_instructions(void **state)
{
	const struct modules_options options = {.use_local_files = true};
	const uint64_t begin = (uintptr_t)native_sample_add;
	struct fixture *fixture = fixture_create("native_sample_add");
	struct modules *modules;
	struct mapping mapping;
	uint64_t vaddr;

	(void)state;
	assert_int_equal(modules_create(&options, &modules), 0);
	mapping = own_mapping(modules, begin);
	native_sample_add(fixture, &mapping, (const uint64_t[]){begin, begin + 5, begin + 5}, 3);
	native_sample_add(fixture, &mapping, (const uint64_t[]){begin, begin + 5}, 2);
	native_sample_add(fixture, &mapping, (const uint64_t[]){begin + 5, begin + 5}, 2);
	native_sample_add(fixture, &mapping, (const uint64_t[]){begin + 30, begin + 5}, 2);
	native_sample_add(fixture, &mapping, (const uint64_t[]){begin}, 1);
	finish(fixture);
	assert_int_equal(fixture->counts.functions.nr, 1);
	vaddr = fixture->counts.functions.items[0].location->vaddr -
		fixture->counts.functions.items[0].location->symbol_offset;
	check_sum(fixture, vaddr, vaddr + 5, 5, 3);
	check_sum(fixture, vaddr, vaddr + 1, 3, 3);
	check_sum(fixture, vaddr + 1, vaddr + 5, 4, 0);
	check_sum(fixture, vaddr + 5, vaddr + 10, 1, 1);
	check_sum(fixture, vaddr + 30, vaddr + 31, 1, 1);
	check_sum(fixture, vaddr + 6, vaddr + 30, 0, 0);
	fixture_destroy(fixture);
	modules_destroy(modules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_functions),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_instructions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
