/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/progress.h"

#include <stdio.h>

#include "common/log.h"
#include "common/strbuf.h"

/* "1.2 MB" */
static void bytes_format(uint64_t bytes, char *text, size_t nr)
{
	static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1000 && unit + 1 < array_size(units)) {
		value /= 1000;
		unit++;
	}
	snprintf(text, nr, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

uint64_t progress_lost_nr(const struct payload_losses *losses)
{
	return losses->counts[LOSS_RING_FULL] + losses->counts[LOSS_SIDEBAND] +
	       losses->counts[LOSS_SCRATCH_BUSY] + losses->counts[LOSS_TAIL_CALL] +
	       losses->counts[LOSS_WRITE_FAILED];
}

void progress_print_line(const struct progress *progress)
{
	char size[32];

	bytes_format(progress->file_bytes, size, sizeof(size));
	fprintf(stderr, "\r%.0f s  %u processes  %llu samples  %llu lost  %s\033[K",
		progress->elapsed_s, progress->processes.python_nr,
		(unsigned long long)progress->samples_nr,
		(unsigned long long)progress_lost_nr(&progress->losses), size);
	fflush(stderr);
}

void progress_clear_line(void)
{
	fputs("\r\033[K", stderr);
}

static void print_losses(const struct payload_losses *losses)
{
	bool has_any = false;

	for (unsigned int i = 0; i < LOSS_REASONS_NR; i++) {
		if (!losses->counts[i])
			continue;
		has_any = true;
		log_info("lost: %llu %s (%s)", (unsigned long long)losses->counts[i],
			 loss_reason_name(i), loss_reason_text(i));
	}
	if (!has_any)
		log_info("lost: nothing");
}

static void print_incomplete(const struct payload_losses *losses)
{
	const uint64_t *counts = losses->status_counts;
	uint64_t incomplete_nr = counts[PY_STACK_TRUNCATED] + counts[PY_STACK_TORN] +
				 counts[PY_STACK_FAULTED];

	if (incomplete_nr)
		log_info(
		    "incomplete Python stacks, marked as such: %llu truncated, %llu torn, %llu "
		    "faulted",
		    (unsigned long long)counts[PY_STACK_TRUNCATED],
		    (unsigned long long)counts[PY_STACK_TORN],
		    (unsigned long long)counts[PY_STACK_FAULTED]);
}

void progress_print_summary(const struct progress *progress)
{
	char size[32];

	bytes_format(progress->file_bytes, size, sizeof(size));
	log_info("%llu samples of %u Python process%s in %.1f s, written to %s (%s)",
		 (unsigned long long)progress->samples_nr, progress->processes.python_nr,
		 progress->processes.python_nr == 1 ? "" : "es", progress->elapsed_s,
		 progress->output_path, size);
	if (progress->processes.unsupported_nr)
		log_info("%u process%s a Python whose layout is not known: native frames only",
			 progress->processes.unsupported_nr,
			 progress->processes.unsupported_nr == 1 ? " runs" : "es run");
	if (progress->processes.denied_nr)
		log_warn("%u process%s could not be looked at: not recorded, that needs %s",
			 progress->processes.denied_nr,
			 progress->processes.denied_nr == 1 ? "" : "es",
			 geteuid() == 0 ? "privileges that this root does not have"
					: "root, or CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
	print_losses(&progress->losses);
	print_incomplete(&progress->losses);
}

void progress_print_costs(const struct progress *progress)
{
	double samples_nr = progress->samples_nr ? (double)progress->samples_nr : 1;
	double sampling_cpu_s = progress->cpu_s - progress->finish_cpu_s;

	if (progress->cost.run_count)
		log_info("cost: BPF %.2f us per sample (%llu ns in %llu runs), %s object",
			 (double)progress->cost.run_time_ns / samples_nr / 1000,
			 (unsigned long long)progress->cost.run_time_ns,
			 (unsigned long long)progress->cost.run_count,
			 progress->is_legacy ? "legacy" : "loop");
	log_info("cost: recorder %.2f us user+sys per sample (%.3f s), then %.3f s for the bundle",
		 sampling_cpu_s * 1e6 / samples_nr, sampling_cpu_s, progress->finish_cpu_s);
	log_info("cost: %.0f bytes per sample in the file, %.0f before compression; bundle %llu "
		 "bytes, %u modules, %u kernel symbols, %u code objects",
		 (double)(progress->file_bytes - progress->bundle_bytes) / samples_nr,
		 (double)progress->record_bytes / samples_nr,
		 (unsigned long long)progress->bundle_bytes, progress->bundle.modules_nr,
		 progress->bundle.kernel_symbols_nr, progress->codes_nr);
	log_info("cost: %llu kB of memory at the most", (unsigned long long)progress->resident_kib);
}
