/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/report_header.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/escape.h"
#include "common/python_version.h"
#include "report/session.h"

static void header_line(struct out_stream *out, const char *label, const char *text)
{
	auto_strbuf struct strbuf escaped = {0};

	if (!text || !text[0])
		return;
	escape_append(&escaped, text, strlen(text));
	out_format(out, "# %-14s%s\n", label, strbuf_text(&escaped));
}

static void strbuf_append_time(struct strbuf *text, uint64_t realtime_ns)
{
	time_t seconds = (time_t)(realtime_ns / 1000000000);
	struct tm parts;
	char date[40];

	if (gmtime_r(&seconds, &parts) &&
	    strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &parts))
		strbuf_append_text(text, date);
}

/* Where and when: "2026-11-23 01:50:46 UTC on web7, Linux 6.1.0 x86_64, 2 CPUs" */
static void header_recorded(struct out_stream *out, const struct session *session)
{
	const struct perf_reader_facts *facts = perf_reader_facts(session->reader);
	auto_strbuf struct strbuf text = {0};

	if (session->has_clock)
		strbuf_append_time(&text, session->clock.realtime_ns);
	if (facts->hostname)
		strbuf_append_format(&text, "%son %s", text.nr ? " " : "", facts->hostname);
	if (facts->os_release)
		strbuf_append_format(&text, ", Linux %s", facts->os_release);
	if (facts->arch)
		strbuf_append_format(&text, " %s", facts->arch);
	if (facts->cpus_online_nr)
		strbuf_append_format(&text, ", %u CPU%s", facts->cpus_online_nr,
				     facts->cpus_online_nr == 1 ? "" : "s");
	header_line(out, "Recorded:", strbuf_text(&text));
	header_line(out, "Command:", facts->command_line);
}

static void header_interpreters(struct out_stream *out, const struct session *session)
{
	for (size_t i = 0; i < session->interpreters.nr; i++) {
		const struct session_interpreter *it = &session->interpreters.items[i];
		auto_strbuf struct strbuf text = {0};
		char version[PYTHON_VERSION_TEXT_BYTES];

		python_version_format(it->version_hex, version);
		strbuf_append_text(&text, it->name[0] ? it->name : "Python ");
		if (!it->name[0])
			strbuf_append_text(&text, version);
		strbuf_append_format(&text, " %s, %u process%s", it->path, it->processes_nr,
				     it->processes_nr == 1 ? "" : "es");
		if (it->is_unsupported)
			strbuf_append_format(&text, ": %s",
					     it->message[0] ? it->message : "native frames only");
		out_format(out, "# %-14s%s\n", i ? "" : "Interpreter:", strbuf_text(&text));
	}
}

static void header_duration(struct out_stream *out, const struct session *session)
{
	const struct session_counts *counts = &session->counts;

	if (counts->samples_nr < 2)
		return;
	out_format(out, "# %-14s%.3f s from the first sample to the last\n",
		   "Duration:", (double)(counts->last_ns - counts->first_ns) / 1e9);
}

static void header_samples(struct out_stream *out, const struct session *session)
{
	const struct session_counts *counts = &session->counts;

	out_format(out, "# %-14s%s",
		   "Event:", session->event_name ? session->event_name : "none: no samples");
	if (session->has_file_info)
		out_format(out, ", %u Hz", session->file_info.sample_hz);
	out_format(out, "\n# %-14s%" PRIu64, "Samples:", counts->samples_nr);
	if (counts->filtered_nr)
		out_format(out, ", %" PRIu64 " left out by filters", counts->filtered_nr);
	if (counts->frameless_nr)
		out_format(out, ", %" PRIu64 " left out without such frames", counts->frameless_nr);
	if (counts->other_events_nr)
		out_format(out, ", %" PRIu64 " of other events left out", counts->other_events_nr);
	out_format(out, "\n# %-14s%" PRIu64 " (approx.)\n", "Event count:", counts->period);
}

/* Reasons whose unit is not a sample are told in their own words by loss_reason_text(). */
static uint64_t header_print_reasons(struct out_stream *out, const struct session *session,
				     const char *prefix)
{
	const struct payload_losses *losses = &session->losses;
	uint64_t printed_nr = 0;

	for (uint32_t i = 0; session->has_losses && i < losses->reasons_nr && i < LOSS_REASONS_NR;
	     i++) {
		if (!losses->counts[i])
			continue;
		out_format(out, "%s%" PRIu64 " %s\n", prefix, losses->counts[i],
			   loss_reason_text(i));
		printed_nr++;
	}
	return printed_nr;
}

static void header_print_count(struct out_stream *out, const char *prefix, uint64_t count,
			       const char *text)
{
	if (count)
		out_format(out, "%s%" PRIu64 " %s\n", prefix, count, text);
}

static void header_print_gaps(struct out_stream *out, const struct session_counts *counts,
			      const char *prefix)
{
	for (int gap = STACK_GAP_NONE + 1; gap < STACK_GAPS_NR; gap++)
		if (counts->gaps[gap])
			out_format(out, "%sstacks incomplete: %" PRIu64 " %s\n", prefix,
				   counts->gaps[gap], stack_gap_text((enum stack_gap)gap));
	header_print_count(out, prefix, counts->kernel_cut_nr, "stacks whose kernel part was cut");
	header_print_count(out, prefix, counts->status_counts[PY_STACK_NO_THREAD_STATE],
			   "samples of threads without Python state, shown as native");
	header_print_count(out, prefix, counts->status_counts[PY_STACK_NOT_WALKED],
			   "samples of processes without a known interpreter, shown as native");
	header_print_count(out, prefix, counts->guessed_frames_nr,
			   "native frames found by frame pointer for want of unwind tables");
	header_print_count(out, prefix, counts->unplaced_runs_nr,
			   "runs of Python frames whose native frame was not found");
}

void report_header_print_losses(struct out_stream *out, const struct session *session,
				const char *prefix)
{
	const struct session_counts *counts = &session->counts;

	if (!header_print_reasons(out, session, prefix)) {
		header_print_count(out, prefix, counts->lost_records_nr,
				   "records lost by the kernel");
		header_print_count(out, prefix, counts->lost_samples_nr,
				   "samples lost by the kernel");
	}
	header_print_gaps(out, counts, prefix);
	header_print_count(out, prefix, counts->late_records_nr,
			   "records out of order by more than a round");
	header_print_count(out, prefix, counts->damaged_records_nr, "damaged records left out");
	if (perf_reader_facts(session->reader)->is_unfinished)
		out_format(out, "%sthe recorder was killed: the end and the bundle are missing\n",
			   prefix);
}

static uint64_t session_lost_nr(const struct session *session)
{
	const uint64_t *counts = session->losses.counts;

	if (!session->has_losses)
		return session->counts.lost_samples_nr + session->counts.lost_records_nr;
	return counts[LOSS_RING_FULL] + counts[LOSS_SCRATCH_BUSY] + counts[LOSS_TAIL_CALL];
}

void report_header_print_text(struct out_stream *out, const struct session *session,
			      const struct output_options *options)
{
	header_recorded(out, session);
	header_interpreters(out, session);
	header_samples(out, session);
	header_duration(out, session);
	out_format(out, "# %-14s%" PRIu64 " samples\n", "Lost:", session_lost_nr(session));
	report_header_print_losses(out, session, "#               ");
	if (options->python_only)
		out_text(out, "# Python frames only: native and kernel frames are left out\n");
	else if (options->no_kernel)
		out_text(out, "# Without kernel frames\n");
	out_text(out, "#\n");
}

static void script_line(struct out_stream *out, const char *label, const char *text)
{
	auto_strbuf struct strbuf escaped = {0};

	if (!text)
		return;
	escape_append(&escaped, text, strlen(text));
	out_format(out, "# %s : %s\n", label, strbuf_text(&escaped));
}

void report_header_print_script(struct out_stream *out, const struct session *session)
{
	const struct perf_reader_facts *facts = perf_reader_facts(session->reader);
	auto_strbuf struct strbuf captured = {0};

	out_text(out, "# ========\n");
	if (session->has_clock) {
		strbuf_append_time(&captured, session->clock.realtime_ns);
		script_line(out, "captured on   ", strbuf_text(&captured));
	}
	script_line(out, "hostname", facts->hostname);
	script_line(out, "os release", facts->os_release);
	script_line(out, "perf version", facts->tool_version);
	script_line(out, "arch", facts->arch);
	if (facts->cpus_online_nr)
		out_format(out, "# nrcpus online : %u\n", facts->cpus_online_nr);
	script_line(out, "cpudesc", facts->cpu_description);
	script_line(out, "cmdline", facts->command_line);
	out_text(out, "# ========\n#\n");
}
