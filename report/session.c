/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/escape.h"
#include "report/pipeline.h"
#include "report/session_payload.h"

/* Below this threads cost more than they bring. */
enum { PIPELINE_FILE_BYTES_MIN = 1 << 20 };

void session_set_error(struct session *session, int code, uint64_t offset, const char *what)
{
	if (!session->error.code)
		read_error_set(&session->error, code, offset, "%s", what);
}

/* A damaged bundle costs names, not samples. */
static int session_open_bundle(struct session *session)
{
	uint64_t nr;
	const uint8_t *bytes = perf_reader_bundle(session->reader, &nr);
	int ret = bytes ? bundle_open(bytes, nr, &session->bundle) : 0;

	if (ret != -EBADMSG)
		return ret;
	session->bundle = NULL;
	session_set_error(session, ret, perf_reader_facts(session->reader)->file_bytes - nr,
			  "the bundle of symbols and unwind tables is damaged");
	return 0;
}

/*
 * In pipe format they come with later records. A recording of pyrec tells them with each mapping;
 * one without may be of another file at the same path.
 */
static int session_update_build_ids(struct session *session)
{
	uint32_t nr;
	const struct perf_build_id *build_ids = perf_reader_build_ids(session->reader, &nr);
	int ret = 0;

	if (nr > session->build_ids_nr && !perf_reader_facts(session->reader)->is_pyrec)
		ret = timeline_add_build_ids(&session->timeline, build_ids + session->build_ids_nr,
					     nr - session->build_ids_nr);
	session->build_ids_nr = nr;
	return ret;
}

int session_open(struct session *session, const struct session_options *options, const char *input)
{
	struct modules_options modules = {.use_local_files = options->use_local_files,
					  .symfs = options->symfs,
					  .use_debuginfod = options->use_debuginfod};
	struct location_options names = options->names;
	int ret;

	*session = (struct session){.options = options, .times.is_enabled = options->with_stats};
	ret = perf_reader_open(input, &session->reader, &session->error);
	if (ret)
		return ret;
	ret = session_open_bundle(session);
	modules.bundle = session->bundle;
	modules.os_release = perf_reader_facts(session->reader)->os_release;
	if (ret == 0)
		ret = modules_create(&modules, &session->modules);
	if (ret)
		return ret;
	timeline_init(&session->timeline, session->modules);
	ret = session_update_build_ids(session);
	names.with_inlines &= !options->stack.python_only;
	kernel_symbols_init(&session->kernel, session->bundle,
			    perf_reader_facts(session->reader)->os_release,
			    options->use_local_files);
	if (ret == 0)
		ret = location_table_init(&session->locations, &names, &session->kernel,
					  &session->codes);
	if (ret == 0)
		ret = stack_builder_init(&session->builder, &options->stack, &session->locations,
					 &session->times);
	intake_init(&session->intake, session->reader, options->with_stats);
	return ret;
}

void session_close(struct session *session)
{
	intake_deinit(&session->intake);
	stack_builder_deinit(&session->builder);
	location_table_deinit(&session->locations);
	kernel_symbols_deinit(&session->kernel);
	timeline_deinit(&session->timeline);
	code_table_deinit(&session->codes);
	async_table_deinit(&session->tasks);
	modules_destroy(session->modules);
	bundle_close(session->bundle);
	perf_reader_close(session->reader);
	u32_vec_deinit(&session->accepted_locations);
	session_interpreters_deinit(&session->interpreters);
	intern_deinit(&session->texts);
}

uint64_t session_realtime_ns(const struct session *session, uint64_t time_ns)
{
	if (!session->has_clock)
		return 0;
	return session->clock.realtime_ns + time_ns - session->clock.monotonic_ns;
}

static const char *session_comm(struct session *session, const struct process *process,
				uint32_t tid)
{
	const char *comm = process_comm(process, tid);
	char text[16];

	if (comm && comm[0])
		return comm;
	if (process->pid == 0)
		return "swapper";
	snprintf(text, sizeof(text), ":%u", tid);
	return intern_text(&session->texts, text);
}

/* In pipe format the name comes with the records. */
static const char *session_host(struct session *session)
{
	const char *name = perf_reader_facts(session->reader)->hostname;
	auto_strbuf struct strbuf escaped = {0};

	if (session->host)
		return session->host;
	if (!name)
		return "-";
	escape_append(&escaped, name, strlen(name));
	session->host = escaped.error ? NULL : intern_text(&session->texts, strbuf_text(&escaped));
	return session->host ? session->host : "-";
}

static bool session_accepts_location(const struct session *session, uint32_t id)
{
	const struct location *location = location_get(&session->locations, id);
	const struct session_options *options = session->options;

	return location->kind != LOCATION_NOTE &&
	       filter_accepts_path(&options->dso, location->dso) &&
	       filter_accepts(&options->symbol, location->symbol);
}

/* Answers of the filters are kept: they are asked once for each location. */
static int session_accepts_stack(struct session *session, const struct sample_stack *stack,
				 bool *ret)
{
	struct u32_vec *accepted = &session->accepted_locations;
	const struct session_options *options = session->options;
	int error = 0;

	*ret = true;
	if (!options->filter_frames ||
	    !(filter_is_set(&options->dso) || filter_is_set(&options->symbol)))
		return 0;
	while (accepted->nr < session->locations.nr && error == 0)
		error = u32_vec_append(accepted, 0);
	for (size_t i = 0; i < stack->nr && error == 0; i++) {
		uint32_t *answer = &accepted->items[stack->frames[i].location];

		if (*answer == 0)
			*answer = 1 + session_accepts_location(session, stack->frames[i].location);
		if (*answer == 2)
			return 0;
	}
	*ret = false;
	return error;
}

static void session_count_stack(struct session *session, const struct sample_stack *stack)
{
	struct session_counts *counts = &session->counts;

	counts->gaps[stack->gap]++;
	counts->kernel_cut_nr += stack->is_kernel_cut;
	counts->guessed_frames_nr += stack->guessed_frames_nr;
	counts->unplaced_runs_nr += stack->merge.unplaced_nr;
	if (stack->has_python_record && stack->status < array_size(counts->status_counts))
		counts->status_counts[stack->status]++;
}

/* With a pipeline this runs on its showing thread. */
static int session_show(struct session *session, struct output *output,
			const struct sample_info *info)
{
	struct session_counts *counts = &session->counts;

	if (counts->samples_nr == 0)
		counts->first_ns = info->time_ns;
	counts->last_ns = info->time_ns > counts->last_ns ? info->time_ns : counts->last_ns;
	counts->samples_nr++;
	if (__builtin_add_overflow(counts->period, info->period, &counts->period))
		counts->period = UINT64_MAX;
	return output->ops->sample ? output->ops->sample(output, session, info)
				   : tally_add(session->tally, &session->locations, output, info);
}

static int session_show_timed(struct session *session, struct output *output,
			      const struct sample_info *info)
{
	uint64_t begin_ns = stage_begin(&session->times);
	int ret = session_show(session, output, info);

	stage_end(&session->times, STAGE_SHOW, begin_ns);
	return ret;
}

/* Notes are no frames: a stack of which only they are left says nothing. */
static bool session_has_frames(const struct session *session, const struct sample_stack *stack)
{
	for (size_t i = 0; i < stack->nr; i++)
		if (location_get(&session->locations, stack->frames[i].location)->kind !=
		    LOCATION_NOTE)
			return true;
	return false;
}

static const struct perf_reader_event *session_event(const struct session *session, uint32_t index)
{
	uint32_t nr;

	return &perf_reader_events(session->reader, &nr)[index];
}

static bool session_wants_event(struct session *session, const struct perf_reader_event *event)
{
	if (!session->event_name &&
	    (!session->options->event || strcmp(session->options->event, event->name) == 0))
		session->event_name = intern_text(&session->texts, event->name);
	return session->event_name && strcmp(session->event_name, event->name) == 0;
}

static bool session_wants_thread(const struct session *session, const struct sample_info *info)
{
	const struct session_options *options = session->options;

	return filter_accepts(&options->comm, info->comm) &&
	       (filter_accepts_path(&options->cgroup, info->cgroup) ||
		filter_accepts(&options->cgroup, info->container)) &&
	       filter_accepts_number(&options->pid, info->pid) &&
	       filter_accepts_number(&options->tid, info->tid);
}

/* The task that the thread ran, and whether the sample is wanted for it. */
static int session_find_task(struct session *session, const struct sample_stack *stack,
			     struct sample_info *info, bool *is_accepted)
{
	const struct filter *wanted = &session->options->task;
	int ret = 0;

	if (session->options->with_tasks)
		ret = async_table_name(&session->tasks, &stack->task, &info->task);
	if (filter_is_set(wanted))
		*is_accepted &= info->task && filter_accepts(wanted, info->task);
	return ret;
}

static uint64_t session_time_ns(const struct session *session, const struct session_time *time)
{
	uint64_t ns;

	if (!time->is_relative)
		return time->ns;
	return __builtin_add_overflow(session->first_sample_ns, time->ns, &ns) ? UINT64_MAX : ns;
}

static bool session_wants_time(struct session *session, uint64_t time_ns)
{
	const struct session_time *time = session->options->time;

	if (!session->has_sampled)
		session->first_sample_ns = time_ns;
	session->has_sampled = true;
	return (!time[0].is_set || time_ns >= session_time_ns(session, &time[0])) &&
	       (!time[1].is_set || time_ns < session_time_ns(session, &time[1]));
}

static int session_sample(struct session *session, struct output *output,
			  const struct record *record, const struct intake_item *item)
{
	const struct record_sample *sample = &record->sample;
	const struct continuation *continuation = item->more;
	struct process *process = timeline_get(&session->timeline, sample->pid);
	const struct perf_reader_event *event = session_event(session, item->event);
	struct stack_input input = {.record = record,
				    .layout = &event->layout,
				    .more = continuation ? &continuation->more : NULL};
	struct sample_info info = {.pid = sample->pid,
				   .tid = sample->tid,
				   .cpu = sample->cpu,
				   .time_ns = sample->time_ns,
				   .period = sample->period};
	struct sample_stack stack;
	bool is_accepted;
	int ret;

	if (!session_wants_event(session, event)) {
		session->counts.other_events_nr++;
		return 0;
	}
	if (!session_wants_time(session, sample->time_ns)) {
		session->counts.filtered_nr++;
		return 0;
	}
	info.event = session->event_name;
	info.comm = process ? session_comm(session, process, sample->tid) : NULL;
	if (!info.comm)
		return -ENOMEM;
	info.host = session_host(session);
	info.cgroup = process->cgroup ? process->cgroup : "-";
	info.container = process->cgroup ? process->container : "-";
	if (session->options->ns_pid) {
		info.pid = process->ns_pid;
		info.tid = process_ns_tid(process, sample->tid);
	}
	if (!session_wants_thread(session, &info)) {
		session->counts.filtered_nr++;
		return 0;
	}
	input.space = &process->space;
	ret = stack_builder_run(&session->builder, &input, &stack);
	if (ret == 0)
		ret = session_accepts_stack(session, &stack, &is_accepted);
	if (ret == 0)
		ret = session_find_task(session, &stack, &info, &is_accepted);
	if (ret)
		return ret;
	if (!is_accepted || !session_has_frames(session, &stack)) {
		if (is_accepted)
			session->counts.frameless_nr++;
		else
			session->counts.filtered_nr++;
		return 0;
	}
	session_count_stack(session, &stack);
	info.frames = stack.frames;
	info.frames_nr = stack.nr;
	output_begin(output, session);
	return session->pipeline ? pipeline_show(session->pipeline, &info)
				 : session_show_timed(session, output, &info);
}

static int session_apply_record(struct session *session, struct output *output,
				const struct intake_item *item)
{
	const struct perf_reader_event *event = session_event(session, item->event);
	struct record record;

	if (record_decode(item->header, item->header->size, &event->layout, &record))
		return 0; /* the intake has decoded it before */
	if (item->time_ns < session->applied_ns)
		session->counts.late_records_nr += !item->is_untimed;
	else
		session->applied_ns = item->time_ns;
	if (record.type == PERF_RECORD_SAMPLE)
		return session_sample(session, output, &record, item);
	if (record.type == PERF_RECORD_MMAP || record.type == PERF_RECORD_MMAP2) {
		int ret = kernel_symbols_take_map(&session->kernel, &record.mmap);

		if (ret)
			return ret;
	}
	return timeline_apply(&session->timeline, &record);
}

static int session_apply(struct session *session, struct output *output,
			 const struct intake_item *item)
{
	switch (item->kind) {
	case INTAKE_RECORD:
		return session_apply_record(session, output, item);
	case INTAKE_PAYLOAD:
		return session_take_payload(session, item);
	case INTAKE_FRONT:
		return session_update_build_ids(session);
	}
	return 0;
}

static int session_next(struct session *session, struct intake_item *ret)
{
	return session->pipeline ? pipeline_next(session->pipeline, ret)
				 : intake_next(&session->intake, ret);
}

/* What the reader and the stacks do not measure themselves. */
static void session_take_times(struct session *session, bool had_pipeline)
{
	struct stage_times *times = &session->times;
	uint64_t inflate_ns = perf_reader_facts(session->reader)->inflate_ns;
	uint64_t stacks_ns = times->ns[STAGE_UNWIND] + times->ns[STAGE_PYTHON] +
			     times->ns[STAGE_MERGE] + times->ns[STAGE_SYMBOLS];

	if (!had_pipeline)
		stacks_ns += times->ns[STAGE_SHOW];
	times->ns[STAGE_DECOMPRESS] = inflate_ns;
	times->ns[STAGE_READ] = session->intake.times.ns[STAGE_READ] - inflate_ns;
	times->ns[STAGE_APPLY] = session->apply_ns - stacks_ns;
	times->samples_nr = session->counts.samples_nr;
}

static int session_apply_all(struct session *session, struct output *output)
{
	struct intake_item item;
	uint64_t apply_ns = 0;
	int ret;

	while ((ret = session_next(session, &item)) > 0) {
		uint64_t begin_ns = stage_begin(&session->times);

		ret = session_apply(session, output, &item);
		intake_item_release(&item);
		apply_ns += stage_begin(&session->times) - begin_ns;
		if (ret || (!session->pipeline && output->out->error))
			break;
	}
	session->apply_ns = apply_ns;
	return ret;
}

/* What the intake has found out of itself. */
static void session_take_findings(struct session *session)
{
	const struct intake *intake = &session->intake;

	session->counts.lost_records_nr = intake->lost_records_nr;
	session->counts.lost_samples_nr = intake->lost_samples_nr;
	session->counts.damaged_records_nr += intake->damaged_records_nr;
	if (intake->error.code &&
	    (!session->error.code || intake->error.offset < session->error.offset))
		session->error = intake->error;
}

/* In pipe format the reader learns of events as it goes along, while others ask it for them. */
static bool session_wants_pipeline(const struct session *session)
{
	const struct perf_reader_facts *facts = perf_reader_facts(session->reader);

	return session->options->jobs_nr > 1 && !facts->is_pipe &&
	       facts->file_bytes >= PIPELINE_FILE_BYTES_MIN;
}

/* Everything up to the last sample. */
static int session_run_stages(struct session *session, struct output *output)
{
	bool has_pipeline = session_wants_pipeline(session);
	int finished;
	int ret = 0;

	if (has_pipeline)
		ret = pipeline_start(session, &session->intake, output, session_show_timed,
				     &session->pipeline);
	if (ret)
		return ret;
	ret = session_apply_all(session, output);
	if (has_pipeline) {
		finished = pipeline_finish(session->pipeline);
		session->pipeline = NULL;
		if (finished || ret == -ECANCELED)
			ret = finished;
	}
	session_take_times(session, has_pipeline);
	return ret;
}

int session_run(struct session *session, struct output *output, struct tally *tally)
{
	int ret;

	session->tally = tally;
	output->has_begun = false;
	ret = session_run_stages(session, output);
	if (ret < 0)
		return ret;
	progress_finish(&session->intake.progress);
	session_take_findings(session);
	output_begin(output, session);
	return 0;
}
