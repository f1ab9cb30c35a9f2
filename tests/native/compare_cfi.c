/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* compare_cfi FILE…: the compiled tables of whole files held against libdw; exit 1 when any rule
 * differs. */
#include <inttypes.h>
#include <time.h>

#include "tests/native/cfi_oracle.h"

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare_file(const char *path)
{
	struct elf_module file;
	struct cfi_table *table;
	struct cfi_oracle_counts counts;
	struct cfi_table_stats stats;
	double begin_ms;

	if (elf_module_open(&file, path)) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return 1;
	}
	begin_ms = now_ms();
	if (cfi_table_create(&file.module, &table)) {
		fprintf(stderr, "%s: has no .eh_frame\n", path);
		elf_module_close(&file);
		return 1;
	}
	if (cfi_table_compile_all(table)) {
		fprintf(stderr, "%s: no memory\n", path);
		cfi_table_destroy(table);
		elf_module_close(&file);
		return 1;
	}
	begin_ms = now_ms() - begin_ms;
	stats = cfi_table_get_stats(table);
	if (cfi_oracle_compare(&file, table, 1, 10, &counts))
		counts.differences = 1;
	printf("%s: eh_frame %" PRIu64 ", FDEs %u (%u damaged), rows %u, rules %u, %" PRIu64
	       " bytes, built in %.1f ms; libdw rows %" PRIu64 ", left to the evaluator %" PRIu64
	       ", different %" PRIu64 "\n",
	       path, file.module.eh_frame.nr, stats.fdes_nr, stats.fdes_damaged_nr, stats.rows_nr,
	       stats.rules_nr, stats.bytes, begin_ms, counts.rows, counts.expressions,
	       counts.differences);
	cfi_table_destroy(table);
	elf_module_close(&file);
	return counts.differences != 0;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed |= compare_file(argv[i]);
	return failed;
}
