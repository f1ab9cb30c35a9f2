/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/escape.h"
#include "report/session_payload.h"

/* Files without rounds are put in order within this much of them. */
enum { QUEUE_BYTES_MAX = 64 * 1024 * 1024 };

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

int session_open(struct session *session, const struct session_options *options)
{
	struct modules_options modules = {.use_local_files = options->use_local_files,
					  .symfs = options->symfs};
	int ret;

	*session = (struct session){.options = options};
	ret = perf_reader_open(options->input, &session->reader, &session->error);
	if (ret)
		return ret;
	ret = session_open_bundle(session);
	modules.bundle = session->bundle;
	if (ret == 0)
		ret = modules_create(&modules, &session->modules);
	if (ret)
		return ret;
	timeline_init(&session->timeline, session->modules);
	ret = session_update_build_ids(session);
	kernel_symbols_init(&session->kernel, session->bundle,
			    perf_reader_facts(session->reader)->os_release,
			    options->use_local_files);
	location_table_init(&session->locations, &session->kernel, &session->codes);
	tally_init(&session->tally, &session->locations);
	record_queue_init(&session->queue, QUEUE_BYTES_MAX);
	if (ret == 0)
		ret = stack_builder_init(&session->builder, &options->stack, &session->locations);
	progress_init(&session->progress);
	return ret;
}

static void session_discard_queue(struct session *session)
{
	struct queued_record item;

	record_queue_end(&session->queue);
	while (record_queue_pop(&session->queue, &item)) {
		continuation_destroy(item.extra);
		queued_record_release(&item);
	}
	record_queue_deinit(&session->queue);
}

void session_close(struct session *session)
{
	progress_finish(&session->progress);
	session_discard_queue(session);
	continuations_deinit(&session->continuations);
	stack_builder_deinit(&session->builder);
	tally_deinit(&session->tally);
	location_table_deinit(&session->locations);
	kernel_symbols_deinit(&session->kernel);
	timeline_deinit(&session->timeline);
	code_table_deinit(&session->codes);
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
	if (output->ops->sample)
		return output->ops->sample(output, session, info);
	return tally_add(&session->tally, output, info);
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

static int session_sample(struct session *session, struct output *output,
			  const struct record *record, const struct queued_record *item)
{
	const struct record_sample *sample = &record->sample;
	const struct continuation *continuation = item->extra;
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
	info.event = session->event_name;
	info.comm = process ? session_comm(session, process, sample->tid) : NULL;
	if (!info.comm)
		return -ENOMEM;
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
	return session_show(session, output, &info);
}

/* It was sound when it was put into the queue. */
static int session_apply_task(struct session *session, const struct perf_event_header *header)
{
	struct payload payload;
	int ret = payload_decode(header + 1, header->size - sizeof(*header), &payload);

	return ret ? 0 : timeline_apply_task(&session->timeline, &payload.task);
}

static int session_apply(struct session *session, struct output *output,
			 const struct queued_record *item)
{
	const struct perf_reader_event *event = session_event(session, item->event);
	struct record record;

	if (record_decode(item->header, item->header->size, &event->layout, &record)) {
		session->counts.damaged_records_nr++;
		session_set_error(session, -EBADMSG, item->file_offset,
				  "a record contradicts its own size");
		return 0;
	}
	if (item->time_ns < session->applied_ns)
		session->counts.late_records_nr++;
	else
		session->applied_ns = item->time_ns;
	if (record.type == PERF_RECORD_SAMPLE)
		return session_sample(session, output, &record, item);
	if (record.type == PAYLOAD_RECORD_TYPE)
		return session_apply_task(session, item->header);
	if (record.type == PERF_RECORD_MMAP || record.type == PERF_RECORD_MMAP2) {
		int ret = kernel_symbols_take_map(&session->kernel, &record.mmap);

		if (ret)
			return ret;
	}
	return timeline_apply(&session->timeline, &record);
}

static int session_drain(struct session *session, struct output *output)
{
	struct queued_record item;
	int ret = 0;

	while (ret == 0 && !output->out->error && record_queue_pop(&session->queue, &item)) {
		ret = session_apply(session, output, &item);
		continuation_destroy(item.extra);
		queued_record_release(&item);
	}
	return ret;
}

static void session_count_lost(struct session *session, const struct record *record)
{
	uint64_t *count = record->type == PERF_RECORD_LOST ? &session->counts.lost_records_nr
							   : &session->counts.lost_samples_nr;

	if (__builtin_add_overflow(*count, record->lost.lost_nr, count))
		*count = UINT64_MAX;
}

/* Records that tell no time (0, or all ones in old perfs) hold from the place where they stand. */
static int session_queue(struct session *session, struct output *output,
			 const struct raw_record *raw, struct queued_record *item)
{
	uint32_t events_nr;
	int ret;

	item->event = (uint32_t)(raw->event - perf_reader_events(session->reader, &events_nr));
	item->file_offset = raw->file_offset;
	if (item->time_ns != 0 && item->time_ns != UINT64_MAX)
		return record_queue_push(&session->queue, item, raw->header);
	item->header = raw->header;
	item->time_ns = session->applied_ns;
	ret = session_apply(session, output, item);
	continuation_destroy(item->extra);
	return ret;
}

static int session_order(struct session *session, struct output *output,
			 const struct raw_record *raw)
{
	struct queued_record item = {0};
	struct record record;

	if (record_decode(raw->header, raw->header->size, &raw->event->layout, &record)) {
		session->counts.damaged_records_nr++;
		session_set_error(session, -EBADMSG, raw->file_offset,
				  "a record contradicts its own size");
		return 0;
	}
	if (record.type == PERF_RECORD_LOST || record.type == PERF_RECORD_LOST_SAMPLES) {
		session_count_lost(session, &record);
		return 0;
	}
	if (record.type == PERF_RECORD_SAMPLE) {
		item.time_ns = record.sample.time_ns;
		item.extra = continuations_take(&session->continuations, &record.sample);
	} else {
		item.time_ns = record.id.time_ns;
	}
	return session_queue(session, output, raw, &item);
}

static int session_take_own(struct session *session, struct output *output,
			    const struct raw_record *raw)
{
	struct queued_record item = {0};
	int ret = session_take_payload(session, raw, &item.time_ns);

	return ret == 1 ? session_queue(session, output, raw, &item) : ret;
}

static int session_take(struct session *session, struct output *output,
			const struct raw_record *raw)
{
	switch (raw->header->type) {
	case PAYLOAD_RECORD_TYPE:
		return session_take_own(session, output, raw);
	case PERF_RECORD_FINISHED_ROUND_TYPE:
		record_queue_end_round(&session->queue);
		return 0;
	case PERF_RECORD_MMAP:
	case PERF_RECORD_MMAP2:
	case PERF_RECORD_COMM:
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
	case PERF_RECORD_LOST:
	case PERF_RECORD_LOST_SAMPLES:
	case PERF_RECORD_SAMPLE:
		return session_order(session, output, raw);
	default:
		return session_update_build_ids(session);
	}
}

/* Return: 1 while there is more; 0 at the end or at damage, which ends the file. */
static int session_next(struct session *session, struct raw_record *raw)
{
	struct read_error error;
	int ret = perf_reader_next(session->reader, raw, &error);

	if (ret >= 0)
		return ret;
	session_set_error(session, error.code, error.offset, error.what);
	return ret == -ENOMEM ? ret : 0;
}

int session_run(struct session *session, struct output *output)
{
	const struct perf_reader_facts *facts = perf_reader_facts(session->reader);
	struct raw_record raw;
	int ret;

	while ((ret = session_next(session, &raw)) > 0 && !output->out->error) {
		progress_update(&session->progress, raw.file_offset,
				facts->is_pipe ? 0 : facts->file_bytes);
		ret = session_take(session, output, &raw);
		if (ret == 0)
			ret = session_drain(session, output);
		if (ret)
			return ret;
	}
	if (ret < 0)
		return ret;
	record_queue_end(&session->queue);
	ret = session_drain(session, output);
	progress_finish(&session->progress);
	return ret ? ret : output->ops->end(output, session, &session->tally);
}
