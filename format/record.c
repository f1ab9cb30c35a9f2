/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/record.h"

#include <errno.h>
#include <string.h>

#include "format/record_row.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "recordings are little-endian");

#define TRAILER_FIELDS                                                                 \
	(PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ID | PERF_SAMPLE_STREAM_ID | \
	 PERF_SAMPLE_CPU | PERF_SAMPLE_IDENTIFIER)

enum {
	RECORD_TYPES_OF_THE_TOOL = 64, /* PERF_RECORD_USER_TYPE_START: no trailer from here on */
	RECORD_SIZE_OFFSET = 6,
	BUILD_ID_BYTES = 20,
	MMAP_FILE_BYTES = 24, /* of MMAP2: device, inode and generation, or size and build id */
};

/* ---- Trailer ---- */

size_t record_trailer_bytes(uint32_t type, const struct record_layout *layout)
{
	if (!layout->sample_id_all || type == PERF_RECORD_SAMPLE ||
	    type >= RECORD_TYPES_OF_THE_TOOL)
		return 0;
	return 8 * (size_t)__builtin_popcountll(layout->sample_type & TRAILER_FIELDS);
}

static void trailer_encode(struct strbuf *out, const struct record_layout *layout,
			   const struct record_id *id)
{
	const uint64_t fields = layout->sample_type;

	if (fields & PERF_SAMPLE_TID) {
		strbuf_append_u32(out, id->pid);
		strbuf_append_u32(out, id->tid);
	}
	if (fields & PERF_SAMPLE_TIME)
		strbuf_append_u64(out, id->time_ns);
	if (fields & PERF_SAMPLE_ID)
		strbuf_append_u64(out, id->id);
	if (fields & PERF_SAMPLE_STREAM_ID)
		strbuf_append_u64(out, 0);
	if (fields & PERF_SAMPLE_CPU) {
		strbuf_append_u32(out, id->cpu);
		strbuf_append_u32(out, 0);
	}
	if (fields & PERF_SAMPLE_IDENTIFIER)
		strbuf_append_u64(out, id->id);
}

static void trailer_decode(struct bytes_cursor *cursor, const struct record_layout *layout,
			   struct record_id *ret)
{
	const uint64_t fields = layout->sample_type;

	if (fields & PERF_SAMPLE_TID) {
		ret->pid = bytes_get_u32(cursor);
		ret->tid = bytes_get_u32(cursor);
	}
	if (fields & PERF_SAMPLE_TIME)
		ret->time_ns = bytes_get_u64(cursor);
	if (fields & PERF_SAMPLE_ID)
		ret->id = bytes_get_u64(cursor);
	if (fields & PERF_SAMPLE_STREAM_ID)
		bytes_get_u64(cursor);
	if (fields & PERF_SAMPLE_CPU) {
		ret->cpu = bytes_get_u32(cursor);
		bytes_get_u32(cursor);
	}
	if (fields & PERF_SAMPLE_IDENTIFIER)
		ret->id = bytes_get_u64(cursor);
}

/* ---- Bodies ---- */

/* Text with its NUL, padded so that the record stays 8-aligned. */
static void text_encode(struct strbuf *out, const char *text)
{
	const size_t nr = strlen(text) + 1;

	strbuf_append(out, text, nr);
	strbuf_append_zeros(out, -nr & 7);
}

/* The rest of the body is NUL terminated text. */
static const char *text_decode(struct bytes_cursor *cursor)
{
	const size_t nr = bytes_left(cursor);
	const uint8_t *text = bytes_take(cursor, nr);

	if (text && memchr(text, '\0', nr))
		return (const char *)text;
	cursor->failed = true;
	return "";
}

static int mmap2_encode(struct strbuf *out,
			const struct record_layout *layout __attribute__((unused)),
			const struct record *record)
{
	const struct record_mmap *mmap = &record->mmap;

	if (mmap->build_id_nr > BUILD_ID_BYTES)
		return -EINVAL;
	strbuf_append_u32(out, mmap->pid);
	strbuf_append_u32(out, mmap->tid);
	strbuf_append_u64(out, mmap->start);
	strbuf_append_u64(out, mmap->bytes);
	strbuf_append_u64(out, mmap->file_offset);
	if (mmap->build_id_nr) {
		strbuf_append_u32(out, mmap->build_id_nr);
		strbuf_append(out, mmap->build_id, mmap->build_id_nr);
		strbuf_append_zeros(out, BUILD_ID_BYTES - mmap->build_id_nr);
	} else {
		strbuf_append_u32(out, mmap->device_major);
		strbuf_append_u32(out, mmap->device_minor);
		strbuf_append_u64(out, mmap->inode);
		strbuf_append_u64(out, mmap->inode_generation);
	}
	strbuf_append_u32(out, mmap->prot);
	strbuf_append_u32(out, mmap->flags);
	text_encode(out, mmap->path);
	return 0;
}

/*
 * Linux (seen in 6.18) leaves PERF_RECORD_MISC_MMAP_BUILD_ID set for listeners that did not ask for
 * build ids while another one on the machine does, and then sends them device and inode. A true
 * build id says its size and is padded with zeros; a device number of a disk does not look so.
 */
static bool is_mmap_build_id(const uint8_t field[MMAP_FILE_BYTES])
{
	const uint8_t nr = field[0];

	if (nr == 0 || nr > BUILD_ID_BYTES || field[1] || field[2] || field[3])
		return false;
	for (size_t i = 4 + nr; i < MMAP_FILE_BYTES; i++)
		if (field[i])
			return false;
	return true;
}

/* What tells the file: its build id, or device, inode and generation. */
static void mmap_file_decode(struct bytes_cursor *cursor, bool may_be_build_id,
			     struct record_mmap *ret)
{
	const uint8_t *field = bytes_take(cursor, MMAP_FILE_BYTES);
	struct bytes_cursor numbers = bytes_cursor_make(field, field ? MMAP_FILE_BYTES : 0);

	if (field && may_be_build_id && is_mmap_build_id(field)) {
		ret->build_id_nr = field[0];
		memcpy(ret->build_id, field + 4, ret->build_id_nr);
		return;
	}
	ret->device_major = bytes_get_u32(&numbers);
	ret->device_minor = bytes_get_u32(&numbers);
	ret->inode = bytes_get_u64(&numbers);
	ret->inode_generation = bytes_get_u64(&numbers);
}

static void mmap2_decode(struct bytes_cursor *cursor,
			 const struct record_layout *layout __attribute__((unused)),
			 struct record *ret)
{
	struct record_mmap *mmap = &ret->mmap;

	mmap->pid = bytes_get_u32(cursor);
	mmap->tid = bytes_get_u32(cursor);
	mmap->start = bytes_get_u64(cursor);
	mmap->bytes = bytes_get_u64(cursor);
	mmap->file_offset = bytes_get_u64(cursor);
	mmap_file_decode(cursor, ret->misc & PERF_RECORD_MISC_MMAP_BUILD_ID, mmap);
	mmap->prot = bytes_get_u32(cursor);
	mmap->flags = bytes_get_u32(cursor);
	mmap->path = text_decode(cursor);
}

static void mmap_decode(struct bytes_cursor *cursor,
			const struct record_layout *layout __attribute__((unused)),
			struct record *ret)
{
	struct record_mmap *mmap = &ret->mmap;

	mmap->pid = bytes_get_u32(cursor);
	mmap->tid = bytes_get_u32(cursor);
	mmap->start = bytes_get_u64(cursor);
	mmap->bytes = bytes_get_u64(cursor);
	mmap->file_offset = bytes_get_u64(cursor);
	mmap->path = text_decode(cursor);
}

static int comm_encode(struct strbuf *out,
		       const struct record_layout *layout __attribute__((unused)),
		       const struct record *record)
{
	strbuf_append_u32(out, record->comm.pid);
	strbuf_append_u32(out, record->comm.tid);
	text_encode(out, record->comm.comm);
	return 0;
}

static void comm_decode(struct bytes_cursor *cursor,
			const struct record_layout *layout __attribute__((unused)),
			struct record *ret)
{
	ret->comm.pid = bytes_get_u32(cursor);
	ret->comm.tid = bytes_get_u32(cursor);
	ret->comm.is_exec = ret->misc & PERF_RECORD_MISC_COMM_EXEC;
	ret->comm.comm = text_decode(cursor);
}

static int task_encode(struct strbuf *out,
		       const struct record_layout *layout __attribute__((unused)),
		       const struct record *record)
{
	strbuf_append_u32(out, record->task.pid);
	strbuf_append_u32(out, record->task.parent_pid);
	strbuf_append_u32(out, record->task.tid);
	strbuf_append_u32(out, record->task.parent_tid);
	strbuf_append_u64(out, record->task.time_ns);
	return 0;
}

static void task_decode(struct bytes_cursor *cursor,
			const struct record_layout *layout __attribute__((unused)),
			struct record *ret)
{
	ret->task.pid = bytes_get_u32(cursor);
	ret->task.parent_pid = bytes_get_u32(cursor);
	ret->task.tid = bytes_get_u32(cursor);
	ret->task.parent_tid = bytes_get_u32(cursor);
	ret->task.time_ns = bytes_get_u64(cursor);
}

static int lost_encode(struct strbuf *out,
		       const struct record_layout *layout __attribute__((unused)),
		       const struct record *record)
{
	if (record->type == PERF_RECORD_LOST)
		strbuf_append_u64(out, record->lost.id);
	strbuf_append_u64(out, record->lost.lost_nr);
	return 0;
}

static void lost_decode(struct bytes_cursor *cursor,
			const struct record_layout *layout __attribute__((unused)),
			struct record *ret)
{
	if (ret->type == PERF_RECORD_LOST)
		ret->lost.id = bytes_get_u64(cursor);
	ret->lost.lost_nr = bytes_get_u64(cursor);
}

static int nothing_encode(struct strbuf *out __attribute__((unused)),
			  const struct record_layout *layout __attribute__((unused)),
			  const struct record *record __attribute__((unused)))
{
	return 0;
}

/* ---- The table ---- */

static const struct record_row record_rows[] = {
    {PERF_RECORD_MMAP, "MMAP", NULL, mmap_decode, record_mmap_print},
    {PERF_RECORD_LOST, "LOST", lost_encode, lost_decode, record_lost_print},
    {PERF_RECORD_COMM, "COMM", comm_encode, comm_decode, record_comm_print},
    {PERF_RECORD_EXIT, "EXIT", task_encode, task_decode, record_task_print},
    {PERF_RECORD_THROTTLE, "THROTTLE", NULL, NULL, NULL},
    {PERF_RECORD_UNTHROTTLE, "UNTHROTTLE", NULL, NULL, NULL},
    {PERF_RECORD_FORK, "FORK", task_encode, task_decode, record_task_print},
    {PERF_RECORD_READ, "READ", NULL, NULL, NULL},
    {PERF_RECORD_SAMPLE, "SAMPLE", record_sample_encode, record_sample_decode, record_sample_print},
    {PERF_RECORD_MMAP2, "MMAP2", mmap2_encode, mmap2_decode, record_mmap_print},
    {PERF_RECORD_AUX, "AUX", NULL, NULL, NULL},
    {PERF_RECORD_ITRACE_START, "ITRACE_START", NULL, NULL, NULL},
    {PERF_RECORD_LOST_SAMPLES, "LOST_SAMPLES", lost_encode, lost_decode, record_lost_print},
    {PERF_RECORD_SWITCH, "SWITCH", NULL, NULL, NULL},
    {PERF_RECORD_SWITCH_CPU_WIDE, "SWITCH_CPU_WIDE", NULL, NULL, NULL},
    {PERF_RECORD_NAMESPACES, "NAMESPACES", NULL, NULL, NULL},
    {PERF_RECORD_KSYMBOL, "KSYMBOL", NULL, NULL, NULL},
    {PERF_RECORD_BPF_EVENT, "BPF_EVENT", NULL, NULL, NULL},
    {PERF_RECORD_CGROUP, "CGROUP", NULL, NULL, NULL},
    {PERF_RECORD_TEXT_POKE, "TEXT_POKE", NULL, NULL, NULL},
    {PERF_RECORD_HEADER_ATTR_TYPE, "HEADER_ATTR", NULL, NULL, NULL},
    {PERF_RECORD_HEADER_EVENT_TYPE_TYPE, "ENVELOPE", NULL, NULL, NULL},
    {PERF_RECORD_HEADER_TRACING_DATA_TYPE, "HEADER_TRACING_DATA", NULL, NULL, NULL},
    {PERF_RECORD_HEADER_BUILD_ID_TYPE, "HEADER_BUILD_ID", NULL, NULL, NULL},
    {PERF_RECORD_FINISHED_ROUND_TYPE, "FINISHED_ROUND", nothing_encode, NULL, NULL},
    {PERF_RECORD_ID_INDEX_TYPE, "ID_INDEX", NULL, NULL, NULL},
    {PERF_RECORD_AUXTRACE_INFO_TYPE, "AUXTRACE_INFO", NULL, NULL, NULL},
    {PERF_RECORD_AUXTRACE_TYPE, "AUXTRACE", NULL, NULL, NULL},
    {PERF_RECORD_THREAD_MAP_TYPE, "THREAD_MAP", NULL, NULL, NULL},
    {PERF_RECORD_CPU_MAP_TYPE, "CPU_MAP", NULL, NULL, NULL},
    {PERF_RECORD_EVENT_UPDATE_TYPE, "EVENT_UPDATE", NULL, NULL, NULL},
    {PERF_RECORD_TIME_CONV_TYPE, "TIME_CONV", NULL, NULL, NULL},
    {PERF_RECORD_HEADER_FEATURE_TYPE, "HEADER_FEATURE", NULL, NULL, NULL},
    {PERF_RECORD_COMPRESSED_TYPE, "COMPRESSED", NULL, NULL, NULL},
    {PERF_RECORD_FINISHED_INIT_TYPE, "FINISHED_INIT", NULL, NULL, NULL},
    {PERF_RECORD_COMPRESSED2_TYPE, "COMPRESSED2", NULL, NULL, NULL},
};

const struct record_row *record_row_find(uint32_t type)
{
	for (size_t i = 0; i < array_size(record_rows); i++)
		if (record_rows[i].type == type)
			return &record_rows[i];
	return NULL;
}

const char *record_type_name(uint32_t type)
{
	const struct record_row *row = record_row_find(type);

	return row ? row->name : NULL;
}

struct record_layout record_layout_make(const struct perf_event_attr *attr)
{
	return (struct record_layout){
	    .sample_type = attr->sample_type,
	    .sample_regs_user = attr->sample_regs_user,
	    .branch_sample_type = attr->branch_sample_type,
	    .read_format = attr->read_format,
	    .sample_id_all = attr->sample_id_all,
	};
}

/* ---- Encode, decode ---- */

static uint16_t record_misc(const struct record *record)
{
	uint16_t misc = record->misc;

	if (record->type == PERF_RECORD_MMAP2) {
		misc &= (uint16_t)~PERF_RECORD_MISC_MMAP_BUILD_ID;
		misc |= record->mmap.build_id_nr ? PERF_RECORD_MISC_MMAP_BUILD_ID : 0;
	}
	if (record->type == PERF_RECORD_COMM && record->comm.is_exec)
		misc |= PERF_RECORD_MISC_COMM_EXEC;
	return misc;
}

int record_encode(struct strbuf *out, const struct record_layout *layout,
		  const struct record *record)
{
	const struct record_row *row = record_row_find(record->type);
	const size_t start = out->nr;
	size_t bytes;
	int ret;

	if (!row || !row->encode)
		return -EINVAL;
	strbuf_append_u32(out, record->type);
	strbuf_append_u16(out, record_misc(record));
	strbuf_append_u16(out, 0);
	ret = row->encode(out, layout, record);
	if (record_trailer_bytes(record->type, layout))
		trailer_encode(out, layout, &record->id);
	if (out->error)
		return out->error;
	bytes = out->nr - start;
	if (ret == 0 && bytes > PERF_RECORD_BYTES_MAX)
		ret = -E2BIG;
	if (ret) {
		strbuf_truncate(out, start);
		return ret;
	}
	out->bytes[start + RECORD_SIZE_OFFSET] = (char)bytes;
	out->bytes[start + RECORD_SIZE_OFFSET + 1] = (char)(bytes >> 8);
	return 0;
}

int record_decode(const void *bytes, size_t nr, const struct record_layout *layout,
		  struct record *ret)
{
	struct bytes_cursor cursor = bytes_cursor_make(bytes, nr);
	const struct record_row *row;
	struct bytes_cursor trailer;
	size_t trailer_bytes;
	uint16_t size;

	*ret = (struct record){.type = bytes_get_u32(&cursor), .id = {.cpu = UINT32_MAX}};
	ret->misc = bytes_get_u16(&cursor);
	size = bytes_get_u16(&cursor);
	trailer_bytes = record_trailer_bytes(ret->type, layout);
	if (cursor.failed || size > nr || size < RECORD_HEADER_BYTES + trailer_bytes)
		return -EBADMSG;
	cursor.end = cursor.start + size - trailer_bytes;
	trailer = bytes_cursor_make(cursor.end, trailer_bytes);
	if (trailer_bytes)
		trailer_decode(&trailer, layout, &ret->id);
	row = record_row_find(ret->type);
	if (row && row->decode)
		row->decode(&cursor, layout, ret);
	return cursor.failed || trailer.failed ? -EBADMSG : 0;
}
