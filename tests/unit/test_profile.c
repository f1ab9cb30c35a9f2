/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The tree of stacks, the rows of the text report and its call trees. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/call_tree.h"
#include "report/histogram.h"
#include "report/output.h"
#include "report/tally.h"

static const struct filter no_filter;

struct fixture {
	struct code_table codes;
	struct location_table locations;
	struct tally tally;
	struct output_options options;
	struct output output;
};

static void setup(struct fixture *fixture)
{
	*fixture = (struct fixture){.options = {.sort = {SORT_SYMBOL},
						.sort_nr = 1,
						.children = true,
						.dso = &no_filter,
						.symbol = &no_filter}};
	assert_int_equal(location_table_init(&fixture->locations, &(struct location_options){0},
					     NULL, &fixture->codes),
			 0);
	tally_init(&fixture->tally);
	fixture->output = (struct output){.ops = &output_text, .options = &fixture->options};
}

static void teardown(struct fixture *fixture)
{
	tally_deinit(&fixture->tally);
	location_table_deinit(&fixture->locations);
	code_table_deinit(&fixture->codes);
}

/* A Python frame of function @name; code ids are the names' letters. */
static uint32_t frame_of(struct fixture *fixture, char name)
{
	struct py_frame frame = {.code_id = (uint32_t)name};
	struct payload_code code = {.code_id = (uint32_t)name,
				    .version_hex = 0x030c0000,
				    .first_line = name,
				    .flags = CODE_QUALNAME_MISSING | CODE_LINES_MISSING,
				    .name = &name,
				    .name_nr = 1,
				    .file = "x.py",
				    .file_nr = 4};
	uint32_t location;

	assert_int_equal(code_table_add(&fixture->codes, &code), 0);
	assert_int_equal(location_find_python(&fixture->locations, &frame, &location), 0);
	return location;
}

/* @count samples of a stack written root first, one letter a frame. */
static void add(struct fixture *fixture, uint32_t pid, const char *stack, int count)
{
	struct stack_frame frames[64];
	size_t nr = strlen(stack);
	struct sample_info sample = {
	    .pid = pid, .tid = pid, .period = 10, .comm = "x", .frames = frames, .frames_nr = nr};

	for (size_t i = 0; i < nr; i++)
		frames[nr - 1 - i].location = frame_of(fixture, stack[i]);
	while (count--)
		assert_int_equal(
		    tally_add(&fixture->tally, &fixture->locations, &fixture->output, &sample), 0);
}

static const struct histogram_row *find_row(const struct histogram *histogram, char name)
{
	for (size_t i = 0; i < histogram->rows_nr; i++) {
		const struct histogram_row *row = &histogram->rows[i];

		if (tally_location(histogram->tally, row->frame)->symbol[0] == name)
			return row;
	}
	fail_msg("no row %c", name);
	return NULL;
}

static void check_row(const struct histogram *histogram, char name, uint64_t total, uint64_t self)
{
	const struct histogram_row *row = find_row(histogram, name);

	assert_int_equal(row->total.samples_nr, total);
	assert_int_equal(row->self.samples_nr, self);
	assert_int_equal(row->total.period, total * 10);
}

static void test_same_stacks_are_one_path(void **state)
{
	struct fixture fixture;

	(void)state;
	setup(&fixture);
	add(&fixture, 1, "abc", 1000);
	add(&fixture, 2, "abc", 1000);
	add(&fixture, 1, "abd", 1);
	/* Groups differ by sort keys only: pids are not among them. */
	assert_int_equal(fixture.tally.profile.nr, 5);
	teardown(&fixture);
}

static void test_groups(void **state)
{
	struct fixture fixture;

	(void)state;
	setup(&fixture);
	fixture.options.sort[0] = SORT_PID;
	add(&fixture, 1, "ab", 1);
	add(&fixture, 2, "ab", 1);
	add(&fixture, 1, "ab", 1);
	assert_int_equal(fixture.tally.profile.nr, 6);
	assert_int_equal(fixture.tally.groups.nr, 2);
	teardown(&fixture);
}

static void test_recursion_counts_once(void **state)
{
	struct fixture fixture;
	struct histogram histogram;

	(void)state;
	setup(&fixture);
	add(&fixture, 1, "abab", 3);
	add(&fixture, 1, "ab", 2);
	add(&fixture, 1, "c", 5);
	assert_int_equal(histogram_init(&histogram, &fixture.tally, &fixture.options), 0);
	check_row(&histogram, 'a', 5, 0);
	check_row(&histogram, 'b', 5, 5);
	check_row(&histogram, 'c', 5, 5);
	assert_int_equal(histogram.all.samples_nr, 10);
	assert_true(histogram_percent(&histogram, &find_row(&histogram, 'a')->total) == 50.0);
	histogram_deinit(&histogram);
	teardown(&fixture);
}

static void test_filters_choose_rows_not_shares(void **state)
{
	struct fixture fixture;
	struct histogram histogram;
	struct filter filter = {0};

	(void)state;
	setup(&fixture);
	assert_int_equal(filter_add(&filter, "b,z*"), 0);
	fixture.options.symbol = &filter;
	add(&fixture, 1, "ab", 1);
	add(&fixture, 1, "ac", 3);
	assert_int_equal(histogram_init(&histogram, &fixture.tally, &fixture.options), 0);
	assert_int_equal(histogram.rows_nr, 1);
	assert_true(histogram_percent(&histogram, &find_row(&histogram, 'b')->total) == 25.0);
	histogram_deinit(&histogram);
	filter_deinit(&filter);
	teardown(&fixture);
}

/* The tree of row @name as text; the caller frees it. */
static char *tree_of(struct fixture *fixture, char name)
{
	static struct out_stream out;
	struct histogram histogram;
	FILE *file = tmpfile();
	char *text = calloc(1, 8192);

	assert_non_null(file);
	assert_non_null(text);
	out_stream_init(&out, fileno(file));
	assert_int_equal(histogram_init(&histogram, &fixture->tally, &fixture->options), 0);
	assert_int_equal(call_tree_print(&out, &histogram, find_row(&histogram, name)), 0);
	assert_int_equal(out_stream_finish(&out), 0);
	histogram_deinit(&histogram);
	rewind(file);
	assert_true(fread(text, 1, 8191, file) > 0);
	fclose(file);
	return text;
}

static void check_tree(struct fixture *fixture, char name, const char *expected)
{
	char *text = tree_of(fixture, name);

	assert_string_equal(text, expected);
	free(text);
}

static void test_caller_tree(void **state)
{
	struct fixture fixture;

	(void)state;
	setup(&fixture);
	fixture.options.tree = TREE_CALLER;
	add(&fixture, 1, "mabx", 6);
	add(&fixture, 1, "mac", 3);
	add(&fixture, 1, "ma", 1);
	check_tree(&fixture, 'a',
		   "            |\n"
		   "            ---[p] a\n"
		   "               |\n"
		   "               |--60.00%--[p] b\n"
		   "               |          [p] x\n"
		   "               |\n"
		   "                --30.00%--[p] c\n"
		   "\n");
	fixture.options.tree_percent_limit = 50;
	check_tree(&fixture, 'm',
		   "            |\n"
		   "            ---[p] m\n"
		   "               [p] a\n"
		   "               |\n"
		   "                --60.00%--[p] b\n"
		   "                          [p] x\n"
		   "\n");
	teardown(&fixture);
}

static void test_callee_tree(void **state)
{
	struct fixture fixture;

	(void)state;
	setup(&fixture);
	fixture.options.tree = TREE_CALLEE;
	add(&fixture, 1, "maz", 6);
	add(&fixture, 1, "mbz", 3);
	add(&fixture, 1, "mbzq", 1);
	/* Of recursion the innermost call counts. */
	check_tree(&fixture, 'z',
		   "            |\n"
		   "            ---[p] z\n"
		   "               |\n"
		   "               |--60.00%--[p] a\n"
		   "               |          [p] m\n"
		   "               |\n"
		   "                --40.00%--[p] b\n"
		   "                          [p] m\n"
		   "\n");
	fixture.options.children = false;
	check_tree(&fixture, 'q',
		   "            |\n"
		   "            ---[p] q\n"
		   "               [p] z\n"
		   "               [p] b\n"
		   "               [p] m\n"
		   "\n");
	teardown(&fixture);
}

static void test_deep_stacks(void **state)
{
	struct fixture fixture;
	struct histogram histogram;
	struct stack_frame *frames = calloc(20000, sizeof(*frames));
	struct sample_info sample = {.comm = "x", .frames = frames, .frames_nr = 20000};
	static struct out_stream out;
	FILE *file = tmpfile();

	(void)state;
	setup(&fixture);
	fixture.options.tree = TREE_CALLER;
	for (size_t i = 0; i < 20000; i++)
		frames[i].location = frame_of(&fixture, i % 2 ? 'a' : 'b');
	assert_int_equal(tally_add(&fixture.tally, &fixture.locations, &fixture.output, &sample),
			 0);
	assert_int_equal(histogram_init(&histogram, &fixture.tally, &fixture.options), 0);
	out_stream_init(&out, fileno(file));
	assert_int_equal(call_tree_print(&out, &histogram, find_row(&histogram, 'a')), 0);
	assert_int_equal(out_stream_finish(&out), 0);
	assert_int_equal(find_row(&histogram, 'b')->total.samples_nr, 1);
	histogram_deinit(&histogram);
	fclose(file);
	free(frames);
	teardown(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_same_stacks_are_one_path),
	    cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_recursion_counts_once),
	    cmocka_unit_test(test_filters_choose_rows_not_shares),
	    cmocka_unit_test(test_caller_tree),
	    cmocka_unit_test(test_callee_tree),
	    cmocka_unit_test(test_deep_stacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
