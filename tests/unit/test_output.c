/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What folded and perf-script do to names that would break their grammars. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/output.h"
#include "report/session.h"
#include "report/tally.h"

struct fixture {
	struct session session; /* locations and codes only */
	struct output_options options;
	struct output output;
	struct out_stream out;
	FILE *file;
};

static struct fixture *fixture_create(const struct output_ops *ops)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->file = tmpfile();
	assert_non_null(fixture->file);
	out_stream_init(&fixture->out, fileno(fixture->file));
	assert_int_equal(location_table_init(&fixture->session.locations,
					     &(struct location_options){0}, NULL,
					     &fixture->session.codes),
			 0);
	fixture->output = (struct output){
	    .ops = ops, .options = &fixture->options, .out = &fixture->out, .has_begun = true};
	return fixture;
}

static void fixture_destroy(struct fixture *fixture)
{
	location_table_deinit(&fixture->session.locations);
	code_table_deinit(&fixture->session.codes);
	intern_deinit(&fixture->output.texts);
	fclose(fixture->file);
	free(fixture);
}

static void check_text(struct fixture *fixture, const char *expected)
{
	static char text[16384];
	size_t nr;

	assert_int_equal(out_stream_finish(&fixture->out), 0);
	rewind(fixture->file);
	nr = fread(text, 1, sizeof(text) - 1, fixture->file);
	text[nr] = '\0';
	assert_string_equal(text, expected);
}

static uint32_t python(struct fixture *fixture, uint32_t id, const char *name, const char *file)
{
	struct py_frame frame = {.code_id = id, .value = 3};
	struct payload_code code = {.code_id = id,
				    .version_hex = 0x030c0000,
				    .first_line = 5,
				    .qualname = name,
				    .qualname_nr = (uint32_t)strlen(name),
				    .file = file,
				    .file_nr = (uint32_t)strlen(file),
				    .lines = (const uint8_t *)"\x87\x00",
				    .lines_nr = 2,
				    .lines_total = 2};
	uint32_t location;

	assert_int_equal(code_table_add(&fixture->session.codes, &code), 0);
	assert_int_equal(location_find_python(&fixture->session.locations, &frame, &location), 0);
	return location;
}

static uint32_t unknown_native(struct fixture *fixture)
{
	struct native_frame frame = {.pc = 0x1234};
	uint32_t location;

	assert_int_equal(location_find_native(&fixture->session.locations, &frame, &location), 0);
	return location;
}

static uint32_t anonymous_native(struct fixture *fixture)
{
	struct mapping mapping = {.start = 0x1000, .end = 0x2000, .is_executable = true};
	struct native_frame frame = {.pc = 0x1234, .mapping = &mapping};
	uint32_t location;

	assert_int_equal(location_find_native(&fixture->session.locations, &frame, &location), 0);
	return location;
}

static void script_sample(struct fixture *fixture, const char *comm, uint32_t location)
{
	struct stack_frame frame = {.location = location, .address = 0x6};
	struct sample_info sample = {.pid = 12,
				     .tid = 13,
				     .cpu = 1,
				     .time_ns = UINT64_C(5000001999),
				     .period = 77,
				     .comm = comm,
				     .event = "cpu-clock",
				     .frames = &frame,
				     .frames_nr = 1};

	assert_int_equal(output_script.sample(&fixture->output, &fixture->session, &sample), 0);
}

static void check_script(const char *comm, const char *name, const char *file, const char *expected)
{
	struct fixture *fixture = fixture_create(&output_script);

	script_sample(fixture, comm, python(fixture, 1, name, file));
	check_text(fixture, expected);
	fixture_destroy(fixture);
}

#define BLOCK(comm, frame) \
	comm " 12/13 [001]     5.000001:         77 cpu-clock:\n\t               6 " frame "\n\n"

static void test_script_frames(void **state)
{
	(void)state;
	check_script("x", "Handler.get", "/srv/app.py",
		     BLOCK("x ", "py::Handler.get (/srv/app.py)"));
	check_script("web", "f.<locals>.<lambda>", "<frozen importlib._bootstrap>",
		     BLOCK("web", "py::f.<locals>.<lambda> (_frozen_importlib._bootstrap_)"));
	check_script("web", "a (b);'c'->\"d\"", "/my dir/x y.py",
		     BLOCK("web", "py::a__b___c___d_ (/my%20dir/x%20y.py)"));
	check_script("web", "f+0x12", "[kernel]", BLOCK("web", "py::f_0x12 (_kernel])"));
	check_script("web", "f+0xg", "é\n.py", BLOCK("web", "py::f+0xg (é\\x0a.py)"));
}

static void test_script_commands(void **state)
{
	(void)state;
	check_script("my app 2", "f", "x", BLOCK("my app _", "py::f (x)"));
	check_script("42", "f", "x", BLOCK("_", "py::f (x)"));
	check_script("#x", "f", "x", BLOCK("_x", "py::f (x)"));
	check_script(" x", "f", "x", BLOCK("_ x", "py::f (x)"));
	check_script("kworker/0:1", "f", "x", BLOCK("kworker/0:1", "py::f (x)"));
}

static void test_script_lines(void **state)
{
	struct fixture *fixture = fixture_create(&output_script);

	(void)state;
	fixture->options.lines = true;
	script_sample(fixture, "web", python(fixture, 1, "f", "/x.py"));
	check_text(fixture, BLOCK("web", "py::f (/x.py:5)"));
	fixture_destroy(fixture);
}

static void script_python_at(struct fixture *fixture, const char *lines, size_t nr, int32_t unit)
{
	struct py_frame frame = {.code_id = 9, .value = unit};
	struct payload_code code = {.code_id = 9,
				    .version_hex = 0x030c0000,
				    .first_line = 5,
				    .qualname = "f",
				    .qualname_nr = 1,
				    .file = "/x.py",
				    .file_nr = 5,
				    .lines = (const uint8_t *)lines,
				    .lines_nr = (uint32_t)nr,
				    .lines_total = (uint32_t)nr};
	uint32_t location;

	assert_int_equal(code_table_add(&fixture->session.codes, &code), 0);
	assert_int_equal(location_find_python(&fixture->session.locations, &frame, &location), 0);
	script_sample(fixture, "web", location);
}

static void test_script_columns(void **state)
{
	static const char lines[] =
	    "\x80\x00"		   /* line 5, an empty span at its begin */
	    "\xd0\x0b\x0c"	   /* same line, bytes 11 up to 12 */
	    "\xf0\x02\x02\x0c\x12" /* line 6, byte 11, up to line 8, byte 17 */
	    "\xf0\x00\x00\x0c\x00" /* line 6, byte 11, no end column */
	    "\xe8\x00"		   /* line 6, no columns */
	    "\xf8";		   /* no line */
	static const char *const expected[] = {"5:1", "5:12-12", "6:12-8:17", "6:12",
					       "6",   "?",	 "?"};

	(void)state;
	for (int32_t unit = -1; unit < (int32_t)array_size(expected); unit++) {
		struct fixture *fixture = fixture_create(&output_script);
		char block[200];

		fixture->options.lines = true;
		fixture->options.columns = true;
		script_python_at(fixture, lines, sizeof(lines) - 1, unit);
		snprintf(block, sizeof(block), BLOCK("web", "py::f (/x.py:%s)"),
			 unit < 0 ? "5" : expected[unit]);
		check_text(fixture, block);
		fixture_destroy(fixture);
	}
}

static void test_script_without_names(void **state)
{
	struct fixture *fixture = fixture_create(&output_script);
	uint32_t note;

	(void)state;
	assert_int_equal(
	    location_find_note(&fixture->session.locations, "[incomplete stack: torn]", &note), 0);
	script_sample(fixture, "web", unknown_native(fixture));
	script_sample(fixture, "web", anonymous_native(fixture));
	script_sample(fixture, "web", note);
	check_text(fixture, BLOCK("web", "[unknown] ([unknown])") BLOCK("web", "[unknown] (//anon)")
				BLOCK("web", "[incomplete stack: torn] ([unknown])"));
	fixture_destroy(fixture);
}

static void check_folded(struct fixture *fixture, const char *comm, const char *expected)
{
	struct stack_frame frames[] = {
	    {.location = python(fixture, 1, "a;b", "/x.py")},
	    {.location = anonymous_native(fixture)},
	    {.location = unknown_native(fixture)},
	    {.location = python(fixture, 2, "<module>", "/x.py")},
	};
	struct sample_info sample = {
	    .pid = 12, .tid = 13, .period = 77, .comm = comm, .frames = frames, .frames_nr = 4};
	struct tally tally;

	tally_init(&tally);
	assert_int_equal(tally_add(&tally, &fixture->session.locations, &fixture->output, &sample),
			 0);
	sample.pid = 14;
	sample.frames_nr = 1;
	assert_int_equal(tally_add(&tally, &fixture->session.locations, &fixture->output, &sample),
			 0);
	assert_int_equal(tally_add(&tally, &fixture->session.locations, &fixture->output, &sample),
			 0);
	assert_int_equal(output_folded.end(&fixture->output, &tally), 0);
	check_text(fixture, expected);
	tally_deinit(&tally);
	fixture_destroy(fixture);
}

static void test_folded(void **state)
{
	struct fixture *fixture = fixture_create(&output_folded);

	(void)state;
	check_folded(fixture, "my;app",
		     "my:app-12;<module>;[unknown];[anon];a:b 1\n"
		     "my:app-14;a:b 2\n");
	fixture = fixture_create(&output_folded);
	fixture->options.no_pid = true;
	fixture->options.annotate_kinds = true;
	fixture->options.weigh_by_period = true;
	check_folded(fixture, "my app",
		     "my_app;<module>_[p];[unknown]_[n];[anon]_[n];a:b_[p] 77\n"
		     "my_app;a:b_[p] 154\n");
}

static void test_forms_by_name(void **state)
{
	(void)state;
	assert_ptr_equal(output_find("text"), &output_text);
	assert_ptr_equal(output_find("folded"), &output_folded);
	assert_ptr_equal(output_find("perf-script"), &output_script);
	assert_null(output_find("svg"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_script_frames),	 cmocka_unit_test(test_script_commands),
	    cmocka_unit_test(test_script_lines),	 cmocka_unit_test(test_script_columns),
	    cmocka_unit_test(test_script_without_names), cmocka_unit_test(test_folded),
	    cmocka_unit_test(test_forms_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
