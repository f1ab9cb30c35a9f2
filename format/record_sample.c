/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sample record: its fields stand in the order of perf_output_sample()
 * (kernel/events/core.c of Linux 6.1), each only when its bit of sample_type is set.
 * Fields behind STACK_USER are not needed and not read.
 */
#include <errno.h>

#include "format/record_row.h"

#define SAMPLE_FIELDS_WRITTEN                                                                   \
	(PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |         \
	 PERF_SAMPLE_ADDR | PERF_SAMPLE_ID | PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_CPU |          \
	 PERF_SAMPLE_PERIOD | PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_RAW | PERF_SAMPLE_REGS_USER | \
	 PERF_SAMPLE_STACK_USER)

static uint64_t aligned8(uint64_t value)
{
	return (value + 7) & ~UINT64_C(7);
}

/* ---- Encode ---- */

static void identity_encode(struct strbuf *out, uint64_t fields, const struct record_sample *sample)
{
	if (fields & PERF_SAMPLE_IDENTIFIER)
		strbuf_append_u64(out, sample->id);
	if (fields & PERF_SAMPLE_IP)
		strbuf_append_u64(out, sample->ip);
	if (fields & PERF_SAMPLE_TID) {
		strbuf_append_u32(out, sample->pid);
		strbuf_append_u32(out, sample->tid);
	}
	if (fields & PERF_SAMPLE_TIME)
		strbuf_append_u64(out, sample->time_ns);
	if (fields & PERF_SAMPLE_ADDR)
		strbuf_append_u64(out, 0);
	if (fields & PERF_SAMPLE_ID)
		strbuf_append_u64(out, sample->id);
	if (fields & PERF_SAMPLE_STREAM_ID)
		strbuf_append_u64(out, 0);
	if (fields & PERF_SAMPLE_CPU) {
		strbuf_append_u32(out, sample->cpu);
		strbuf_append_u32(out, 0);
	}
	if (fields & PERF_SAMPLE_PERIOD)
		strbuf_append_u64(out, sample->period);
}

/* The u32 size makes the data end 8-aligned: what comes after it must be. */
static void raw_encode(struct strbuf *out, const struct record_sample *sample)
{
	const uint32_t size = (uint32_t)aligned8(sample->raw_bytes + UINT64_C(4)) - 4;

	strbuf_append_u32(out, size);
	strbuf_append(out, sample->raw, sample->raw_bytes);
	strbuf_append_zeros(out, size - sample->raw_bytes);
}

static void user_encode(struct strbuf *out, const struct record_layout *layout,
			const struct record_sample *sample)
{
	const uint64_t dump_bytes = aligned8(sample->stack_bytes);

	if (layout->sample_type & PERF_SAMPLE_REGS_USER) {
		strbuf_append_u64(out, sample->regs_abi);
		if (sample->regs_abi)
			strbuf_append(out, sample->regs,
				      8 * (size_t)__builtin_popcountll(layout->sample_regs_user));
	}
	if (!(layout->sample_type & PERF_SAMPLE_STACK_USER))
		return;
	strbuf_append_u64(out, dump_bytes);
	if (!dump_bytes)
		return;
	strbuf_append(out, sample->stack, sample->stack_bytes);
	strbuf_append_zeros(out, dump_bytes - sample->stack_bytes);
	strbuf_append_u64(out, sample->stack_bytes);
}

int record_sample_encode(struct strbuf *out, const struct record_layout *layout,
			 const struct record *record)
{
	const uint64_t fields = layout->sample_type;
	const struct record_sample *sample = &record->sample;

	if (fields & ~(uint64_t)SAMPLE_FIELDS_WRITTEN)
		return -EINVAL;
	if (sample->callchain_nr > PERF_RECORD_BYTES_MAX / 8 ||
	    sample->raw_bytes > PERF_RECORD_BYTES_MAX ||
	    sample->stack_bytes > PERF_RECORD_BYTES_MAX)
		return -E2BIG;
	identity_encode(out, fields, sample);
	if (fields & PERF_SAMPLE_CALLCHAIN) {
		strbuf_append_u64(out, sample->callchain_nr);
		strbuf_append(out, sample->callchain, 8 * sample->callchain_nr);
	}
	if (fields & PERF_SAMPLE_RAW)
		raw_encode(out, sample);
	user_encode(out, layout, sample);
	return 0;
}

/* ---- Decode ---- */

static void identity_decode(struct bytes_cursor *cursor, uint64_t fields,
			    struct record_sample *sample)
{
	if (fields & PERF_SAMPLE_IDENTIFIER)
		sample->id = bytes_get_u64(cursor);
	if (fields & PERF_SAMPLE_IP)
		sample->ip = bytes_get_u64(cursor);
	if (fields & PERF_SAMPLE_TID) {
		sample->pid = bytes_get_u32(cursor);
		sample->tid = bytes_get_u32(cursor);
	}
	if (fields & PERF_SAMPLE_TIME)
		sample->time_ns = bytes_get_u64(cursor);
	if (fields & PERF_SAMPLE_ADDR)
		bytes_get_u64(cursor);
	if (fields & PERF_SAMPLE_ID)
		sample->id = bytes_get_u64(cursor);
	if (fields & PERF_SAMPLE_STREAM_ID)
		bytes_get_u64(cursor);
	if (fields & PERF_SAMPLE_CPU) {
		sample->cpu = bytes_get_u32(cursor);
		bytes_get_u32(cursor);
	}
	if (fields & PERF_SAMPLE_PERIOD)
		sample->period = bytes_get_u64(cursor);
}

/* @nr things of @unit_bytes; a count beyond the record fails without overflow. */
static const void *array_take(struct bytes_cursor *cursor, uint64_t nr, size_t unit_bytes)
{
	if (nr > bytes_left(cursor) / unit_bytes) {
		cursor->failed = true;
		return NULL;
	}
	return bytes_take(cursor, (size_t)nr * unit_bytes);
}

static void read_skip(struct bytes_cursor *cursor, uint64_t read_format)
{
	const uint64_t times = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
	const uint64_t per_value = PERF_FORMAT_ID | PERF_FORMAT_LOST;
	const size_t value_bytes = 8 * (1 + (size_t)__builtin_popcountll(read_format & per_value));
	const uint64_t nr = read_format & PERF_FORMAT_GROUP ? bytes_get_u64(cursor) : 1;

	array_take(cursor, (uint64_t)__builtin_popcountll(read_format & times), 8);
	array_take(cursor, nr, value_bytes);
}

static void branch_stack_skip(struct bytes_cursor *cursor, uint64_t branch_sample_type)
{
	const uint64_t nr = bytes_get_u64(cursor);

	if (branch_sample_type & PERF_SAMPLE_BRANCH_HW_INDEX)
		bytes_get_u64(cursor);
	array_take(cursor, nr, sizeof(struct perf_branch_entry));
	/* PERF_SAMPLE_BRANCH_COUNTERS of Linux 6.8 */
	if (branch_sample_type & (UINT64_C(1) << 19))
		array_take(cursor, nr, 8);
}

static void callchain_decode(struct bytes_cursor *cursor, struct record_sample *sample)
{
	sample->callchain_nr = bytes_get_u64(cursor);
	sample->callchain = array_take(cursor, sample->callchain_nr, 8);
}

static void raw_decode(struct bytes_cursor *cursor, struct record_sample *sample)
{
	sample->raw_bytes = bytes_get_u32(cursor);
	sample->raw = bytes_take(cursor, sample->raw_bytes);
}

static void regs_decode(struct bytes_cursor *cursor, const struct record_layout *layout,
			struct record_sample *sample)
{
	sample->regs_abi = bytes_get_u64(cursor);
	if (sample->regs_abi == PERF_SAMPLE_REGS_ABI_NONE)
		return;
	sample->regs = array_take(cursor, (uint64_t)__builtin_popcountll(layout->sample_regs_user),
				  8);
}

static void stack_decode(struct bytes_cursor *cursor, struct record_sample *sample)
{
	const uint64_t dump_bytes = bytes_get_u64(cursor);

	if (!dump_bytes)
		return;
	sample->stack = array_take(cursor, dump_bytes, 1);
	sample->stack_bytes = bytes_get_u64(cursor);
	if (sample->stack_bytes > dump_bytes)
		cursor->failed = true;
}

/* Words are handed out as uint64_t *: a raw part of odd size before them must not tear them. */
static void alignment_check(struct bytes_cursor *cursor)
{
	if (bytes_offset(cursor) & 7)
		cursor->failed = true;
}

void record_sample_decode(struct bytes_cursor *cursor, const struct record_layout *layout,
			  struct record *ret)
{
	const uint64_t fields = layout->sample_type;
	struct record_sample *sample = &ret->sample;

	sample->cpu = UINT32_MAX;
	identity_decode(cursor, fields, sample);
	if (fields & PERF_SAMPLE_READ)
		read_skip(cursor, layout->read_format);
	if (fields & PERF_SAMPLE_CALLCHAIN)
		callchain_decode(cursor, sample);
	if (fields & PERF_SAMPLE_RAW) {
		raw_decode(cursor, sample);
		alignment_check(cursor);
	}
	if (fields & PERF_SAMPLE_BRANCH_STACK)
		branch_stack_skip(cursor, layout->branch_sample_type);
	if (fields & PERF_SAMPLE_REGS_USER)
		regs_decode(cursor, layout, sample);
	if (fields & PERF_SAMPLE_STACK_USER)
		stack_decode(cursor, sample);
	ret->id = (struct record_id){.pid = sample->pid,
				     .tid = sample->tid,
				     .time_ns = sample->time_ns,
				     .id = sample->id,
				     .cpu = sample->cpu};
}
