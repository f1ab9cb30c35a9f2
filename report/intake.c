/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/intake.h"

#include <errno.h>

#include "format/payload.h"

/* Files without rounds are put in order within this much of them. */
enum { QUEUE_BYTES_MAX = 64 * 1024 * 1024 };

void intake_init(struct intake *intake, struct perf_reader *reader, bool is_timed)
{
	*intake = (struct intake){.reader = reader, .times.is_enabled = is_timed};
	record_queue_init(&intake->queue, QUEUE_BYTES_MAX);
	progress_init(&intake->progress);
}

void intake_item_release(struct intake_item *item)
{
	continuation_destroy(item->more);
	record_block_put(item->block);
	*item = (struct intake_item){0};
}

void intake_deinit(struct intake *intake)
{
	struct queued_record held;

	progress_finish(&intake->progress);
	record_queue_end(&intake->queue);
	while (record_queue_pop(&intake->queue, &held)) {
		continuation_destroy(held.extra);
		record_block_put(held.block);
	}
	record_queue_deinit(&intake->queue);
	continuations_deinit(&intake->continuations);
}

static void intake_damaged(struct intake *intake, const struct raw_record *raw, const char *what)
{
	intake->damaged_records_nr++;
	if (!intake->error.code)
		read_error_set(&intake->error, -EBADMSG, raw->file_offset, "%s", what);
}

/* Return: 1 while there is more; 0 at the end or at damage, which ends the file. */
static int intake_read(struct intake *intake, struct raw_record *raw)
{
	const struct perf_reader_facts *facts = perf_reader_facts(intake->reader);
	struct read_error error;
	int ret = perf_reader_next(intake->reader, raw, &error);

	if (ret >= 0) {
		progress_update(&intake->progress, raw->file_offset,
				facts->is_pipe ? 0 : facts->file_bytes);
		return ret;
	}
	if (!intake->error.code)
		intake->error = error;
	return ret == -ENOMEM ? ret : 0;
}

static void intake_count_lost(struct intake *intake, const struct record *record)
{
	uint64_t *count = record->type == PERF_RECORD_LOST ? &intake->lost_records_nr
							   : &intake->lost_samples_nr;

	if (__builtin_add_overflow(*count, record->lost.lost_nr, count))
		*count = UINT64_MAX;
}

static uint32_t intake_event_index(const struct intake *intake, const struct raw_record *raw)
{
	uint32_t nr;

	return (uint32_t)(raw->event - perf_reader_events(intake->reader, &nr));
}

/* Records that tell no time (0, or all ones in old perfs) hold from the place where they stand. */
static bool time_is_told(uint64_t time_ns)
{
	return time_ns != 0 && time_ns != UINT64_MAX;
}

static enum intake_kind kind_of(const struct perf_event_header *header)
{
	return header->type == PAYLOAD_RECORD_TYPE ? INTAKE_PAYLOAD : INTAKE_RECORD;
}

/* Let the record wait for its time, or hand it on at once. Takes over @more. */
static int intake_hold(struct intake *intake, const struct raw_record *raw, uint64_t time_ns,
		       struct continuation *more, struct intake_item *item)
{
	struct queued_record held = {.time_ns = time_ns,
				     .event = intake_event_index(intake, raw),
				     .file_offset = raw->file_offset,
				     .extra = more,
				     .header = raw->header,
				     .block = raw->block};

	if (time_is_told(time_ns))
		return record_queue_push(&intake->queue, &held);
	*item = (struct intake_item){.kind = kind_of(raw->header),
				     .is_untimed = true,
				     .event = held.event,
				     .file_offset = raw->file_offset,
				     .header = raw->header,
				     .block = record_block_get(raw->block),
				     .more = more};
	return 1;
}

/* What holds from a time on; 0: from its place in the file. */
static uint64_t payload_time_ns(const struct payload *payload)
{
	return payload->kind == PAYLOAD_TASK ? payload->task.time_ns : 0;
}

/* Frames of a sample wait for it, what has a time waits for that; other tables are handed on. */
static int intake_take_payload(struct intake *intake, const struct raw_record *raw,
			       struct intake_item *item)
{
	struct payload payload;
	int ret = payload_decode(raw->header + 1, raw->header->size - sizeof(*raw->header),
				 &payload);

	if (ret == -ENOENT)
		return 0;
	if (ret == 0 && payload.kind == PAYLOAD_FRAMES)
		ret = continuations_add(&intake->continuations, &payload.frames);
	else if (ret == 0)
		return intake_hold(intake, raw, payload_time_ns(&payload), NULL, item);
	if (ret == -EBADMSG)
		intake_damaged(intake, raw, "one of pyrec's own records is damaged");
	return ret == -ENOMEM ? ret : 0;
}

static int intake_order(struct intake *intake, const struct raw_record *raw,
			struct intake_item *item)
{
	struct record record;

	if (record_decode(raw->header, raw->header->size, &raw->event->layout, &record)) {
		intake_damaged(intake, raw, "a record contradicts its own size");
		return 0;
	}
	if (record.type == PERF_RECORD_LOST || record.type == PERF_RECORD_LOST_SAMPLES) {
		intake_count_lost(intake, &record);
		return 0;
	}
	if (record.type != PERF_RECORD_SAMPLE)
		return intake_hold(intake, raw, record.id.time_ns, NULL, item);
	return intake_hold(intake, raw, record.sample.time_ns,
			   continuations_take(&intake->continuations, &record.sample), item);
}

static int intake_take_front(const struct intake *intake, const struct raw_record *raw,
			     struct intake_item *item)
{
	if (!perf_reader_facts(intake->reader)->is_pipe)
		return 0;
	*item = (struct intake_item){
	    .kind = INTAKE_FRONT, .header = raw->header, .block = record_block_get(raw->block)};
	return 1;
}

/* Return: 1 with @item to be applied at once, 0, -ENOMEM. */
static int intake_take(struct intake *intake, const struct raw_record *raw,
		       struct intake_item *item)
{
	switch (raw->header->type) {
	case PAYLOAD_RECORD_TYPE:
		return intake_take_payload(intake, raw, item);
	case PERF_RECORD_FINISHED_ROUND_TYPE:
		record_queue_end_round(&intake->queue);
		return 0;
	case PERF_RECORD_MMAP:
	case PERF_RECORD_MMAP2:
	case PERF_RECORD_COMM:
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
	case PERF_RECORD_LOST:
	case PERF_RECORD_LOST_SAMPLES:
	case PERF_RECORD_SAMPLE:
		return intake_order(intake, raw, item);
	default:
		return intake_take_front(intake, raw, item);
	}
}

static bool intake_pop(struct intake *intake, struct intake_item *ret)
{
	struct queued_record held;

	if (!record_queue_pop(&intake->queue, &held))
		return false;
	*ret = (struct intake_item){.kind = kind_of(held.header),
				    .event = held.event,
				    .time_ns = held.time_ns,
				    .file_offset = held.file_offset,
				    .header = held.header,
				    .block = held.block,
				    .more = held.extra};
	return true;
}

static int intake_find(struct intake *intake, struct intake_item *ret)
{
	struct raw_record raw;
	int step = 0;

	while (step == 0) {
		if (intake_pop(intake, ret))
			return 1;
		if (intake->is_at_end)
			return 0;
		step = intake_read(intake, &raw);
		if (step > 0)
			step = intake_take(intake, &raw, ret);
		else if (step == 0) {
			intake->is_at_end = true;
			record_queue_end(&intake->queue);
		}
	}
	return step;
}

int intake_next(struct intake *intake, struct intake_item *ret)
{
	uint64_t begin_ns = stage_begin(&intake->times);
	int step = intake_find(intake, ret);

	stage_end(&intake->times, STAGE_READ, begin_ns);
	return step;
}
