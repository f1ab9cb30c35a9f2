/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/recorder.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "record/bundle_collect.h"
#include "record/child.h"
#include "record/code_objects.h"
#include "record/drain.h"
#include "record/file_head.h"
#include "record/kernel_symbols.h"
#include "record/mapped_files.h"
#include "record/output.h"
#include "record/processes.h"
#include "record/progress.h"
#include "record/sampler.h"
#include "record/sideband.h"

enum {
	ROUND_MS = 100,	      /* the rings are drained at least this often */
	CHECKPOINT_MS = 1000, /* what a killed recorder can lose */
	SIDEBAND_PAGES = 128, /* per CPU: 512 KiB */
	OPEN_FILES = 65536,
};

struct recorder {
	const struct record_options *options;
	struct perf_writer *writer;
	struct output output;
	struct proc_clock_shift clock_shift;
	struct mapped_files *files;
	struct code_objects *codes;
	struct sampler *sampler;
	struct sideband *sideband;
	struct processes *processes;
	struct drain *drain;
	struct child child;
	bool has_child;
	bool child_was_stopped; /* by us, at the end of the time */
	int signal_fd;
	int timer_fd;
	uint64_t start_ns;
	uint64_t end_ns; /* 0: none */
	uint64_t checkpoint_ns;
	uint64_t stopped_ns;
	struct sampler_cost cost;
	double cpu_start_s;
	double cpu_stopped_s;
	struct bundle_summary bundle;
	uint64_t bundle_bytes;
	bool shows_line;
	bool is_signalled;
};

static double cpu_now_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* ---- Setting up ---- */

static int emit_code(void *context, const struct payload_code *code)
{
	struct recorder *recorder = context;

	return output_code(&recorder->output, code);
}

static int recorder_open_kernel_side(struct recorder *recorder)
{
	const struct record_options *options = recorder->options;
	const struct perf_event_attr attr = file_head_event(options);
	const bool only_targets = (options->pids.nr || options->command) && !options->system_wide;
	const struct sampler_options sampler_options = {
	    .all_processes = options->all_processes && !only_targets,
	    .use_legacy = options->use_legacy,
	    .stack_cap_bytes = options->stack_cap_bytes,
	    .ring_bytes = options->ring_bytes,
	    .boottime_shift_ns = recorder->clock_shift.boottime_ns,
	    .event = &attr,
	    .on_event = drain_on_event,
	};
	const struct processes_options processes_options = {
	    .files = recorder->files,
	    .output = &recorder->output,
	    .codes = recorder->codes,
	    .all_processes = options->all_processes,
	    .only_targets = only_targets,
	};
	int error = processes_create(&processes_options, &recorder->processes);

	if (!error) {
		const struct drain_options drain_options = {
		    .output = &recorder->output,
		    .codes = recorder->codes,
		    .processes = recorder->processes,
		};

		error = drain_create(&drain_options, &recorder->drain);
	}
	if (!error) {
		struct sampler_options with_drain = sampler_options;

		with_drain.context = recorder->drain;
		error = sampler_create(&with_drain, &recorder->sampler);
	}
	if (!error) {
		processes_set_sampler(recorder->processes, recorder->sampler);
		error = sideband_create(SIDEBAND_PAGES, recorder->clock_shift.monotonic_ns,
					&recorder->sideband);
	}
	return error;
}

static int recorder_open_wakeups(struct recorder *recorder)
{
	const struct itimerspec every_round = {
	    .it_interval = {.tv_nsec = ROUND_MS * 1000000L},
	    .it_value = {.tv_nsec = ROUND_MS * 1000000L},
	};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	recorder->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	recorder->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (recorder->signal_fd < 0 || recorder->timer_fd < 0 ||
	    timerfd_settime(recorder->timer_fd, 0, &every_round, NULL))
		return -errno;
	return 0;
}

/* Each mapped file of a recorded process stays open until the end. */
static void open_files_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max < OPEN_FILES ? limit.rlim_max : OPEN_FILES;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int recorder_add_targets(struct recorder *recorder)
{
	const struct u32_vec *pids = &recorder->options->pids;
	int error = 0;

	for (size_t i = 0; !error && i < pids->nr; i++) {
		if (kill((pid_t)pids->items[i], 0) && errno == ESRCH) {
			log_error("there is no process %u", pids->items[i]);
			return -ESRCH;
		}
		error = processes_add_target(recorder->processes, pids->items[i]);
	}
	if (error || !recorder->options->command)
		return error;
	error = child_create(recorder->options->command, &recorder->child);
	if (error) {
		log_error("cannot run %s: %s", recorder->options->command[0], strerror(-error));
		return -ECANCELED;
	}
	recorder->has_child = true;
	return processes_add_target(recorder->processes, (uint32_t)recorder->child.pid);
}

int recorder_create(const struct record_options *options, int argc, char **argv,
		    struct recorder **ret)
{
	struct recorder *recorder = calloc(1, sizeof(*recorder));
	const struct code_objects_options code_options = {
	    .on_code = emit_code,
	    .context = recorder,
	};
	int error;

	if (!recorder)
		return -ENOMEM;
	recorder->options = options;
	recorder->signal_fd = recorder->timer_fd = -1;
	recorder->shows_line = !options->is_quiet && isatty(STDERR_FILENO);
	recorder->clock_shift = proc_clock_shift_read();
	error = mapped_files_create(&recorder->files);
	if (!error)
		error = code_objects_create(&code_options, &recorder->codes);
	if (!error)
		error = recorder_open_kernel_side(recorder);
	if (!error)
		error = recorder_add_targets(recorder);
	open_files_raise(); /* after the fork: the command keeps its own limit */
	if (!error)
		error = file_head_create(options, argc, argv, &recorder->writer);
	if (!error) {
		output_init(&recorder->output, recorder->writer,
			    recorder->clock_shift.monotonic_ns);
		error = recorder_open_wakeups(recorder);
	}
	if (!error)
		error = file_head_emit(options, &recorder->output);
	if (error) {
		recorder_destroy(recorder);
		return error;
	}
	*ret = recorder;
	return 0;
}

void recorder_destroy(struct recorder *recorder)
{
	if (!recorder)
		return;
	if (recorder->has_child)
		child_finish(&recorder->child);
	drain_destroy(recorder->drain);
	processes_destroy(recorder->processes);
	sampler_destroy(recorder->sampler);
	sideband_destroy(recorder->sideband);
	code_objects_destroy(recorder->codes);
	mapped_files_destroy(recorder->files);
	output_deinit(&recorder->output);
	perf_writer_destroy(recorder->writer);
	if (recorder->signal_fd >= 0)
		close(recorder->signal_fd);
	if (recorder->timer_fd >= 0)
		close(recorder->timer_fd);
	free(recorder);
}

/* ---- Running ---- */

static struct payload_losses losses_now(const struct recorder *recorder)
{
	const struct drain_counts drained = drain_get_counts(recorder->drain);
	const struct sampler *sampler = recorder->sampler;
	struct payload_losses losses = {
	    .time_ns = output_now_ns(&recorder->output),
	    .samples_nr = drained.samples_nr,
	    .reasons_nr = LOSS_REASONS_NR,
	};

	losses.counts[LOSS_RING_FULL] = sampler_count(sampler, PYREC_COUNT_RING_FULL);
	losses.counts[LOSS_SIDEBAND] = processes_get_counts(recorder->processes).sideband_lost_nr;
	losses.counts[LOSS_NO_MEMORY_MAP] = sampler_count(sampler, PYREC_COUNT_NO_MM);
	losses.counts[LOSS_SCRATCH_BUSY] = sampler_count(sampler, PYREC_COUNT_SCRATCH_BUSY);
	losses.counts[LOSS_CODE_RING_FULL] = sampler_count(sampler, PYREC_COUNT_CODE_RING_FULL);
	losses.counts[LOSS_CODE_UNREADABLE] = drained.unreadable_frames_nr;
	losses.counts[LOSS_TAIL_CALL] = sampler_count(sampler, PYREC_COUNT_TAIL_CALL);
	losses.counts[LOSS_WRITE_FAILED] = recorder->output.dropped_nr + drained.damaged_nr;
	memcpy(losses.status_counts, drained.status_counts, sizeof(losses.status_counts));
	return losses;
}

static struct progress progress_now(const struct recorder *recorder)
{
	const struct perf_writer_counts written = perf_writer_get_counts(recorder->writer);
	uint64_t end_ns = recorder->stopped_ns ? recorder->stopped_ns
					       : output_now_ns(&recorder->output);
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (struct progress){
	    .output_path = recorder->options->output_path,
	    .elapsed_s = (double)(end_ns - recorder->start_ns) / 1e9,
	    .cpu_s = cpu_now_s() - recorder->cpu_start_s,
	    .finish_cpu_s = recorder->stopped_ns ? cpu_now_s() - recorder->cpu_stopped_s : 0,
	    .samples_nr = drain_get_counts(recorder->drain).samples_nr,
	    .file_bytes = written.file_bytes,
	    .record_bytes = written.record_bytes,
	    .bundle_bytes = recorder->bundle_bytes,
	    .resident_kib = (uint64_t)usage.ru_maxrss,
	    .codes_nr = code_objects_nr(recorder->codes),
	    .processes = processes_get_counts(recorder->processes),
	    .losses = losses_now(recorder),
	    .bundle = recorder->bundle,
	    .cost = recorder->cost,
	    .is_legacy = sampler_is_legacy(recorder->sampler),
	};
}

static int on_sideband_record(void *context, const struct perf_event_header *header)
{
	struct recorder *recorder = context;

	return processes_on_record(recorder->processes, header);
}

/* Side-band first: what a sample needs to know of its process is then known. */
static int recorder_round(struct recorder *recorder)
{
	int error = sideband_drain(recorder->sideband, on_sideband_record, recorder);
	int drained;

	if (error)
		return error;
	processes_recheck(recorder->processes);
	drained = sampler_drain(recorder->sampler);
	if (drained < 0)
		return drained;
	return output_finished_round(&recorder->output);
}

static int recorder_checkpoint(struct recorder *recorder, uint64_t now_ns)
{
	struct payload losses = {.kind = PAYLOAD_LOSSES, .losses = losses_now(recorder)};
	int error = output_payload(&recorder->output, &losses, NULL);

	if (!error)
		error = perf_writer_checkpoint(recorder->writer);
	processes_sweep(recorder->processes);
	recorder->checkpoint_ns = now_ns + (uint64_t)CHECKPOINT_MS * 1000000;
	if (recorder->shows_line) {
		const struct progress progress = progress_now(recorder);

		progress_print_line(&progress);
	}
	return error;
}

/* Return: true when a signal ends the recording. */
static bool recorder_take_signals(struct recorder *recorder)
{
	struct signalfd_siginfo info;

	while (read(recorder->signal_fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			recorder->is_signalled = true;
	return recorder->is_signalled;
}

static bool recorder_is_over(struct recorder *recorder, uint64_t now_ns)
{
	if (recorder_take_signals(recorder))
		return true;
	if (recorder->has_child && child_poll(&recorder->child))
		return true;
	return recorder->end_ns && now_ns >= recorder->end_ns;
}

static int recorder_loop(struct recorder *recorder)
{
	struct pollfd polls[] = {
	    {.fd = sideband_fd(recorder->sideband), .events = POLLIN},
	    {.fd = sampler_fd(recorder->sampler), .events = POLLIN},
	    {.fd = recorder->timer_fd, .events = POLLIN},
	    {.fd = recorder->signal_fd, .events = POLLIN},
	};
	int error = 0;

	while (!error) {
		uint64_t now_ns;
		uint64_t ticks;

		if (poll(polls, array_size(polls), ROUND_MS) < 0 && errno != EINTR)
			return -errno;
		now_ns = output_now_ns(&recorder->output);
		if (read(recorder->timer_fd, &ticks, sizeof(ticks)) == sizeof(ticks) ||
		    polls[1].revents)
			error = recorder_round(recorder);
		else if (polls[0].revents)
			error = sideband_drain(recorder->sideband, on_sideband_record, recorder);
		if (!error && now_ns >= recorder->checkpoint_ns)
			error = recorder_checkpoint(recorder, now_ns);
		if (recorder_is_over(recorder, now_ns))
			break;
	}
	return error;
}

static int recorder_begin(struct recorder *recorder)
{
	int error = 0;

	if (recorder->options->is_verbose && sampler_measure(recorder->sampler))
		log_warn("cannot measure the cost of the BPF programs (needs CAP_SYS_ADMIN)");
	if (!recorder->options->command || recorder->options->system_wide)
		error = processes_scan(recorder->processes);
	recorder->cpu_start_s = cpu_now_s();
	recorder->start_ns = output_now_ns(&recorder->output);
	recorder->checkpoint_ns = recorder->start_ns + (uint64_t)CHECKPOINT_MS * 1000000;
	if (recorder->options->duration_s > 0)
		recorder->end_ns = recorder->start_ns +
				   (uint64_t)(recorder->options->duration_s * 1e9);
	if (!error)
		error = sampler_start(recorder->sampler);
	if (!error && recorder->has_child) {
		error = child_start(&recorder->child);
		if (error)
			log_error("cannot run %s: %s", recorder->options->command[0],
				  strerror(-error));
		error = error ? -ECANCELED : 0;
	}
	return error;
}

/* The output failed: what is on disk was made whole by the last checkpoint. */
static void explain_output_error(const struct recorder *recorder, int error)
{
	const struct perf_writer_counts written = perf_writer_get_counts(recorder->writer);

	if (recorder->shows_line)
		progress_clear_line();
	log_error("writing %s failed: %s; the file is readable up to the last second before that "
		  "(%llu samples)",
		  recorder->options->output_path, strerror(-error),
		  (unsigned long long)written.samples_nr);
}

int recorder_run(struct recorder *recorder)
{
	int error = recorder_begin(recorder);

	if (error)
		return error;
	error = recorder_loop(recorder);
	sampler_stop(recorder->sampler);
	if (!error)
		error = recorder_round(recorder);
	recorder->stopped_ns = output_now_ns(&recorder->output);
	recorder->cpu_stopped_s = cpu_now_s();
	if (sampler_get_cost(recorder->sampler, &recorder->cost))
		recorder->cost = (struct sampler_cost){0};
	if (error)
		explain_output_error(recorder, error);
	return error;
}

/* ---- Finishing ---- */

static int build_id_add(void *context, struct mapped_file *file)
{
	struct perf_writer *writer = context;

	if (!file->is_used || !file->build_id_nr)
		return 0;
	return perf_writer_add_build_id(writer, UINT32_MAX, PERF_RECORD_MISC_USER, file->build_id,
					file->build_id_nr, file->path);
}

static int recorder_add_build_ids(struct recorder *recorder)
{
	uint8_t kernel_id[20];
	uint8_t nr = kernel_build_id(kernel_id);
	int error = 0;

	if (nr)
		error = perf_writer_add_build_id(recorder->writer, UINT32_MAX,
						 PERF_RECORD_MISC_KERNEL, kernel_id, nr,
						 "[kernel.kallsyms]");
	return error ? error : mapped_files_visit(recorder->files, build_id_add, recorder->writer);
}

int recorder_finish(struct recorder *recorder)
{
	struct payload losses = {.kind = PAYLOAD_LOSSES, .losses = losses_now(recorder)};
	auto_strbuf struct strbuf bundle = {0};
	const bool wants_bundle = !recorder->options->no_bundle;
	int error;

	if (recorder->has_child && !child_poll(&recorder->child)) {
		recorder->child_was_stopped = !recorder->is_signalled;
		child_finish(&recorder->child);
	}
	error = output_payload(&recorder->output, &losses, NULL);
	if (!error && wants_bundle)
		error = bundle_collect(recorder->files, drain_kernel_addresses(recorder->drain),
				       &bundle, &recorder->bundle);
	if (!error)
		error = recorder_add_build_ids(recorder);
	if (!error)
		error = perf_writer_finish(recorder->writer, wants_bundle ? &bundle : NULL);
	recorder->bundle_bytes = bundle.nr;
	if (error) {
		explain_output_error(recorder, error);
		return error;
	}
	const struct progress progress = progress_now(recorder);

	if (recorder->shows_line)
		progress_clear_line();
	progress_print_summary(&progress);
	if (recorder->options->is_verbose)
		progress_print_costs(&progress);
	return 0;
}

int recorder_command_status(const struct recorder *recorder)
{
	if (!recorder->has_child || !recorder->child.is_ended || recorder->child_was_stopped)
		return 0;
	return child_exit_status(&recorder->child);
}
