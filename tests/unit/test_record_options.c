/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <linux/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "bpf/pyrec_bpf.h"
#include "record/options.h"
#include "tests/unit/stderr_capture.h"

enum { ARGUMENTS_MAX = 32 };

/* Split at spaces. @line must outlive @ret's use. */
static int line_parse(char *line, struct record_options *ret)
{
	static char *argv[ARGUMENTS_MAX + 1];
	int argc = 1;
	char *word;

	argv[0] = "record";
	while ((word = strsep(&line, " ")) != NULL)
		if (*word && argc < ARGUMENTS_MAX)
			argv[argc++] = word;
	argv[argc] = NULL;
	return record_options_parse(argc, argv, ret);
}

static void test_defaults(void **state)
{
	struct record_options options;
	char line[] = "";

	(void)state;
	assert_int_equal(line_parse(line, &options), 0);
	assert_int_equal(options.pids.nr, 0);
	assert_null(options.command);
	assert_string_equal(options.output_path, "pyrec.data");
	assert_string_equal(options.event_name, "cpu-clock");
	assert_int_equal(options.event_type, PERF_TYPE_SOFTWARE);
	assert_int_equal(options.event_config, PERF_COUNT_SW_CPU_CLOCK);
	assert_int_equal(options.sample_hz, 99);
	assert_true(options.duration_s == 0);
	assert_int_equal(options.ring_bytes, 16 << 20);
	assert_int_equal(options.stack_cap_bytes, PYREC_STACK_CAP_MAX);
	assert_false(options.system_wide || options.all_processes || options.is_verbose ||
		     options.is_quiet || options.no_bundle || options.no_compress ||
		     options.use_legacy);
	record_options_deinit(&options);
}

static void test_all(void **state)
{
	struct record_options options;
	char line[] = "-a -p 1,22 -p 4194304 -F 999 -d 2.5 -e r01c2 -o x.data --all-processes "
		      "-m 1024 --stack-size=8195 -v";
	char flags[] = "-q --no-bundle --no-compress --legacy -F 100000 -d 1e9 -m 1";

	(void)state;
	assert_int_equal(line_parse(line, &options), 0);
	assert_true(options.system_wide && options.all_processes && options.is_verbose);
	assert_false(options.is_quiet || options.no_bundle || options.no_compress);
	assert_int_equal(options.pids.nr, 3);
	assert_int_equal(options.pids.items[0], 1);
	assert_int_equal(options.pids.items[1], 22);
	assert_int_equal(options.pids.items[2], 4194304);
	assert_int_equal(options.sample_hz, 999);
	assert_true(options.duration_s == 2.5);
	assert_string_equal(options.event_name, "r01c2");
	assert_int_equal(options.event_type, PERF_TYPE_RAW);
	assert_int_equal(options.event_config, 0x1c2);
	assert_string_equal(options.output_path, "x.data");
	assert_int_equal(options.ring_bytes, UINT64_C(1) << 30);
	assert_int_equal(options.stack_cap_bytes, 8192); /* whole words */
	record_options_deinit(&options);
	assert_int_equal(line_parse(flags, &options), 0);
	assert_true(options.is_quiet && options.no_bundle && options.no_compress &&
		    options.use_legacy);
	assert_int_equal(options.sample_hz, 100000);
	assert_true(options.duration_s == 1e9);
	assert_int_equal(options.ring_bytes, 1 << 20);
	record_options_deinit(&options);
}

static void test_events(void **state)
{
	static const struct {
		const char *name;
		uint32_t type;
		uint64_t config;
	} rows[] = {
	    {"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
	    {"cpu-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
	    {"task-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK},
	    {"page-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS},
	    {"ref-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_REF_CPU_CYCLES},
	    {"rffffffffffffffff", PERF_TYPE_RAW, UINT64_MAX},
	    {"r0", PERF_TYPE_RAW, 0},
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct record_options options;
		char line[64];

		snprintf(line, sizeof(line), "-e %s", rows[i].name);
		assert_int_equal(line_parse(line, &options), 0);
		assert_string_equal(options.event_name, rows[i].name);
		assert_int_equal(options.event_type, rows[i].type);
		assert_true(options.event_config == rows[i].config);
		record_options_deinit(&options);
	}
}

/* What stands behind the command's name is the command's, options too. */
static void test_command(void **state)
{
	static const char *const lines[] = {"-F 50 -- python3 -F 7 -- x",
					    "-F 50 python3 -F 7 -- x"};

	(void)state;
	for (size_t i = 0; i < array_size(lines); i++) {
		static const char *const words[] = {"python3", "-F", "7", "--", "x"};
		auto_free char *line = strdup(lines[i]);
		struct record_options options;

		assert_int_equal(line_parse(line, &options), 0);
		assert_int_equal(options.sample_hz, 50);
		for (size_t word = 0; word < array_size(words); word++)
			assert_string_equal(options.command[word], words[word]);
		assert_null(options.command[array_size(words)]);
		record_options_deinit(&options);
	}
}

/* Parse in a child, which argp ends. Return: its exit status; what it said in @text. */
static int refusal(const char *arguments, char **text)
{
	struct stderr_capture capture;
	int status;
	pid_t pid;

	stderr_capture_begin(&capture);
	pid = fork();
	if (pid == 0) {
		struct record_options options;
		char *line = strdup(arguments);

		dup2(STDERR_FILENO, STDOUT_FILENO);
		_exit(line_parse(line, &options) ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	*text = stderr_capture_end(&capture);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_refused(void **state)
{
	static const char *const rows[][2] = {
	    {"-F 0", "'0'"},
	    {"-F -5", "'-5'"},
	    {"-F 100001", "'100001'"},
	    {"-F 99x", "'99x'"},
	    {"-F 18446744073709551617", "'18446744073709551617'"},
	    {"-F", "argument"},
	    {"-d 0", "'0'"},
	    {"-d -1", "'-1'"},
	    {"-d nan", "'nan'"},
	    {"-d inf", "'inf'"},
	    {"-d 1e10", "'1e10'"},
	    {"-d 5s", "'5s'"},
	    {"-m 3", "'3'"},
	    {"-m 0", "'0'"},
	    {"-m 2048", "'2048'"},
	    {"--stack-size 61441", "'61441'"},
	    {"-p 0", "-p"},
	    {"-p 1,", "-p"},
	    {"-p 1,x", "-p"},
	    {"-p 2147483648", "-p"},
	    {"-e wall-clock", "'wall-clock'"},
	    {"-e r", "'r'"},
	    {"-e r-1", "'r-1'"},
	    {"-e r1z", "'r1z'"},
	    {"-e r0x10", "'r0x10'"},
	    {"-e r10000000000000000", "'r10000000000000000'"},
	    {"--no-such-option", "no-such-option"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		auto_free char *text = NULL;

		assert_int_equal(refusal(rows[i][0], &text), 129);
		assert_non_null(strstr(text, "pyrec record: "));
		assert_non_null(strstr(text, rows[i][1]));
	}
}

static void test_help(void **state)
{
	auto_free char *text = NULL;

	(void)state;
	assert_int_equal(refusal("--help", &text), 0);
	assert_non_null(strstr(text, "Usage: pyrec record [OPTION"));
	assert_non_null(strstr(text, "--stack-size"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults), cmocka_unit_test(test_all),
	    cmocka_unit_test(test_events),   cmocka_unit_test(test_command),
	    cmocka_unit_test(test_refused),  cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
