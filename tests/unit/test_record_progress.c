/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "record/progress.h"
#include "tests/unit/stderr_capture.h"

static char *print(void (*printer)(const struct progress *progress),
		   const struct progress *progress)
{
	struct stderr_capture capture;

	stderr_capture_begin(&capture);
	printer(progress);
	return stderr_capture_end(&capture);
}

static struct progress progress_make(void)
{
	return (struct progress){
	    .output_path = "a.data",
	    .elapsed_s = 12.34,
	    .samples_nr = 4000,
	    .file_bytes = 1234567,
	    .processes = {.python_nr = 3},
	};
}

/* Lost is what should be in the file and is not; a task without memory is no loss of ours. */
static void test_lost(void **state)
{
	struct payload_losses losses = {0};

	(void)state;
	assert_int_equal(progress_lost_nr(&losses), 0);
	for (unsigned int i = 0; i < LOSS_REASONS_NR; i++)
		losses.counts[i] = UINT64_C(1) << (4 * i);
	assert_true(progress_lost_nr(&losses) == UINT64_C(0x11001011));
}

static void test_line(void **state)
{
	struct progress progress = progress_make();
	auto_free char *text = NULL;

	(void)state;
	progress.losses.counts[LOSS_RING_FULL] = 5;
	progress.losses.counts[LOSS_SIDEBAND] = 2;
	text = print(progress_print_line, &progress);
	assert_string_equal(text, "\r12 s  3 processes  4000 samples  7 lost  1.2 MB\033[K");
}

static void test_sizes(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {
	    {0, "  0 bytes\033"},
	    {999, "  999 bytes\033"},
	    {1000, "  1.0 kB\033"},
	    {2500000000, "  2.5 GB\033"},
	    {1000000000000, "  1.0 TB\033"},
	    {UINT64_MAX, "  18446744.1 TB\033"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct progress progress = progress_make();
		auto_free char *text = NULL;

		progress.file_bytes = rows[i].bytes;
		text = print(progress_print_line, &progress);
		assert_non_null(strstr(text, rows[i].text));
	}
}

static void test_summary(void **state)
{
	const struct progress progress = progress_make();
	auto_free char *text = print(progress_print_summary, &progress);

	(void)state;
	assert_string_equal(text, "pyrec: 4000 samples of 3 Python processes in 12.3 s, written to "
				  "a.data (1.2 MB)\npyrec: lost: nothing\n");
}

/* Whatever was lost is named, with its number, once. */
static void test_summary_of_losses(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < LOSS_REASONS_NR; i++) {
		struct progress progress = progress_make();
		auto_free char *text = NULL;
		const char *found;
		char wanted[64];

		progress.losses.counts[i] = 17 + i;
		text = print(progress_print_summary, &progress);
		snprintf(wanted, sizeof(wanted), "pyrec: lost: %u %s (", 17 + i,
			 loss_reason_name(i));
		found = strstr(text, wanted);
		assert_non_null(found);
		assert_null(strstr(text, "lost: nothing"));
		assert_null(strstr(found + strlen(wanted), "lost: "));
	}
}

static void test_summary_of_incomplete(void **state)
{
	struct progress progress = progress_make();
	auto_free char *text = NULL;

	(void)state;
	progress.losses.status_counts[PY_STACK_COMPLETE] = 3990;
	progress.losses.status_counts[PY_STACK_TRUNCATED] = 1;
	progress.losses.status_counts[PY_STACK_TORN] = 2;
	progress.losses.status_counts[PY_STACK_FAULTED] = 3;
	progress.losses.status_counts[PY_STACK_NO_THREAD_STATE] = 4;
	progress.processes.unsupported_nr = 6;
	progress.processes.denied_nr = 4;
	text = print(progress_print_summary, &progress);
	assert_non_null(strstr(text, "1 truncated, 2 torn, 3 faulted\n"));
	assert_non_null(strstr(text, "6 processes run a Python whose layout is not known"));
	assert_non_null(strstr(text, "warning: 4 processes could not be looked at"));
}

static void test_costs(void **state)
{
	struct progress progress = progress_make();
	auto_free char *text = NULL;

	(void)state;
	progress.cost = (struct sampler_cost){.run_time_ns = 20000000, .run_count = 5000};
	progress.cpu_s = 0.5;
	progress.finish_cpu_s = 0.1;
	progress.bundle_bytes = 234567;
	progress.record_bytes = 8000000;
	progress.codes_nr = 12;
	text = print(progress_print_costs, &progress);
	assert_non_null(strstr(text, "BPF 5.00 us per sample")); /* 20 ms / 4,000 */
	assert_non_null(strstr(text, "loop object"));
	assert_non_null(strstr(text, "recorder 100.00 us user+sys per sample (0.400 s)"));
	assert_non_null(strstr(text, "250 bytes per sample in the file, 2000 before"));
	assert_non_null(strstr(text, "12 code objects"));
}

/* Without a sample, or where the kernel does not measure. */
static void test_costs_of_nothing(void **state)
{
	const struct progress progress = {.output_path = "a.data"};
	auto_free char *text = print(progress_print_costs, &progress);

	(void)state;
	assert_null(strstr(text, "BPF"));
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "inf"));
}

static void test_clear(void **state)
{
	struct stderr_capture capture;
	auto_free char *text = NULL;

	(void)state;
	stderr_capture_begin(&capture);
	progress_clear_line();
	text = stderr_capture_end(&capture);
	assert_string_equal(text, "\r\033[K");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lost),
	    cmocka_unit_test(test_line),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_summary),
	    cmocka_unit_test(test_summary_of_losses),
	    cmocka_unit_test(test_summary_of_incomplete),
	    cmocka_unit_test(test_costs),
	    cmocka_unit_test(test_costs_of_nothing),
	    cmocka_unit_test(test_clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
