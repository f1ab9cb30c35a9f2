/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "common/escape.h"
#include "common/log.h"
#include "format/payload.h"
#include "format/reader_state.h"

enum {
	RECORD_HEADER_BYTES = 8,
	COMPRESSED2_HEADER_BYTES = 16,	/* header, u64 size of the data */
	INFLATE_LIMIT_BYTES = 64 << 20, /* of one record, when the file states nothing */
	INFLATE_LIMIT_BYTES_MAX = 256 << 20,
};

/* ---- Errors ---- */

int read_error_set(struct read_error *error, int code, uint64_t offset, const char *format, ...)
{
	va_list arguments;

	error->code = code;
	error->offset = offset;
	va_start(arguments, format);
	vsnprintf(error->what, sizeof(error->what), format, arguments);
	va_end(arguments);
	return code;
}

void read_error_log(const char *path, const struct read_error *error)
{
	auto_strbuf struct strbuf name = {0};

	if (strcmp(path, "-") == 0)
		path = "standard input";
	escape_append(&name, path, strlen(path));
	if (error->offset == READ_ERROR_NO_OFFSET)
		log_error("%s: %s", strbuf_text(&name), error->what);
	else
		log_error("%s: at offset %llu: %s", strbuf_text(&name),
			  (unsigned long long)error->offset, error->what);
}

static int io_error_set(struct read_error *error, int code, uint64_t offset)
{
	return read_error_set(error, code, offset, "cannot be read: %s", strerror(-code));
}

/* ---- Records ---- */

bool record_is_ours(const struct perf_event_header *header)
{
	return header->type == PAYLOAD_RECORD_TYPE && header->size >= RECORD_HEADER_BYTES + 8 &&
	       memcmp(header + 1, PAYLOAD_MAGIC, 8) == 0;
}

static uint16_t record_size(const uint8_t *record)
{
	return (uint16_t)(record[6] | record[7] << 8);
}

/* A copy of the record at @bytes, in the block of copies. NULL: no memory. */
static const uint8_t *record_copy(struct perf_reader *reader, const uint8_t *bytes, size_t nr)
{
	const size_t room = (nr + 7) & ~(size_t)7;
	uint8_t *copy;

	if (!reader->copies || reader->copies_nr + room > sizeof(reader->copies->bytes)) {
		record_block_put(reader->copies);
		reader->copies = record_pool_take(&reader->pool);
		reader->copies_nr = 0;
	}
	if (!reader->copies)
		return NULL;
	copy = reader->copies->bytes + reader->copies_nr;
	memcpy(copy, bytes, nr);
	reader->copies_nr += room;
	return copy;
}

/* Hand out the record at @bytes of @block; copied when it lies in no block (NULL), or at an odd
 * address. */
static int record_hand_out(struct perf_reader *reader, struct record_block *block,
			   const uint8_t *bytes, uint64_t file_offset, struct raw_record *ret,
			   struct read_error *error)
{
	if (!block || (uintptr_t)bytes & 7) {
		bytes = record_copy(reader, bytes, record_size(bytes));
		block = reader->copies;
	}
	if (!bytes)
		return read_error_set(error, -ENOMEM, file_offset, "no memory to read it");
	ret->header = (const struct perf_event_header *)(const void *)bytes;
	ret->block = block;
	ret->event = reader_event_find(reader, ret->header);
	ret->file_offset = file_offset;
	if (reader->facts.is_pipe && record_is_ours(ret->header))
		reader->facts.is_pyrec = true;
	return 1;
}

static uint32_t record_type(const uint8_t *record)
{
	uint32_t type;

	memcpy(&type, record, sizeof(type));
	return type;
}

static int size_error_set(struct read_error *error, uint64_t offset, uint16_t size)
{
	return read_error_set(error, -EBADMSG, offset,
			      "damaged: a record of %u bytes, less than its own header", size);
}

/* Return: 1, 0 when no whole record is unpacked, -EBADMSG. */
static int inflated_next(struct perf_reader *reader, struct raw_record *ret,
			 struct read_error *error)
{
	const size_t left = reader->inflated_nr - reader->inflated_at;
	const uint8_t *record;
	uint16_t size;

	if (left < RECORD_HEADER_BYTES)
		return 0;
	record = reader->inflated->bytes + reader->inflated_at;
	size = record_size(record);
	if (size < RECORD_HEADER_BYTES)
		return size_error_set(error, reader->packed_offset, size);
	if (left < size)
		return 0;
	reader->inflated_at += size;
	return record_hand_out(reader, reader->inflated, record, reader->packed_offset, ret, error);
}

static uint64_t inflate_limit(const struct perf_reader *reader)
{
	const uint64_t stated = reader->values.compressed_mmap_bytes;

	if (stated < PERF_RECORD_BYTES_MAX)
		return INFLATE_LIMIT_BYTES;
	return stated < INFLATE_LIMIT_BYTES_MAX ? stated : INFLATE_LIMIT_BYTES_MAX;
}

/* Room for at least one more record behind what is unpacked; what is left of one moves along. */
static int inflate_make_room(struct perf_reader *reader)
{
	const size_t left = reader->inflated_nr - reader->inflated_at;
	struct record_block *block = reader->inflated;

	if (block && sizeof(block->bytes) - reader->inflated_nr > UINT16_MAX)
		return 0;
	block = record_pool_take(&reader->pool);
	if (!block)
		return -ENOMEM;
	if (left)
		memcpy(block->bytes, reader->inflated->bytes + reader->inflated_at, left);
	record_block_put(reader->inflated);
	reader->inflated = block;
	reader->inflated_at = 0;
	reader->inflated_nr = left;
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int inflate_more(struct perf_reader *reader, struct read_error *error)
{
	const size_t packed_before = bytes_left(&reader->packed);
	uint64_t begin_ns = now_ns();
	size_t room;
	size_t nr;

	if (inflate_make_room(reader))
		return read_error_set(error, -ENOMEM, reader->packed_offset,
				      "no memory to unpack it");
	room = sizeof(reader->inflated->bytes) - reader->inflated_nr;
	if (decompressor_run(reader->decompressor, &reader->packed,
			     reader->inflated->bytes + reader->inflated_nr, room, &nr))
		return read_error_set(error, -EBADMSG, reader->packed_offset,
				      "damaged: the compressed record does not unpack");
	reader->inflated_nr += nr;
	reader->is_output_full = nr == room;
	reader->packed_inflated += nr;
	reader->facts.inflated_bytes += nr;
	reader->facts.inflate_ns += now_ns() - begin_ns;
	reader->facts.deflated_bytes += packed_before - bytes_left(&reader->packed);
	if (reader->packed_inflated > inflate_limit(reader))
		return read_error_set(
		    error, -EBADMSG, reader->packed_offset,
		    "damaged: the compressed record unpacks to more than %llu bytes",
		    (unsigned long long)inflate_limit(reader));
	return 0;
}

static int reader_prepare_inflate(struct perf_reader *reader)
{
	reader->facts.is_compressed = true;
	return reader->decompressor ? 0 : decompressor_create(&reader->decompressor);
}

static int packed_begin(struct perf_reader *reader, const uint8_t *record, size_t size,
			uint64_t file_offset, struct read_error *error)
{
	const bool is_padded = record_type(record) == PERF_RECORD_COMPRESSED2_TYPE;
	struct bytes_cursor cursor = bytes_cursor_make(record, size);
	uint64_t nr = size - RECORD_HEADER_BYTES;
	const int ret = reader_prepare_inflate(reader);

	if (ret)
		return read_error_set(error, ret, file_offset, "no memory to unpack it");
	bytes_take(&cursor, RECORD_HEADER_BYTES);
	if (is_padded)
		nr = bytes_get_u64(&cursor);
	if (cursor.failed || nr > bytes_left(&cursor))
		return read_error_set(error, -EBADMSG, file_offset,
				      "damaged: a compressed record smaller than its data");
	cursor.end = cursor.at + nr;
	reader->packed = cursor;
	reader->packed_offset = file_offset;
	reader->packed_inflated = 0;
	return 0;
}

/* perf puts bytes behind these two which their size does not count. */
static uint64_t appendix_bytes(const struct perf_reader *reader, const uint8_t *record, size_t size)
{
	struct bytes_cursor cursor = bytes_cursor_make(record, size);
	const uint32_t type = bytes_get_u32(&cursor);

	bytes_get_u32(&cursor);
	if (type == PERF_RECORD_AUXTRACE_TYPE)
		return bytes_get_u64(&cursor);
	if (type == PERF_RECORD_HEADER_TRACING_DATA_TYPE && reader->facts.is_pipe)
		return ((uint64_t)bytes_get_u32(&cursor) + 7) & ~UINT64_C(7);
	return 0;
}

static int end_error_set(const struct perf_reader *reader, struct read_error *error,
			 uint64_t offset)
{
	if (reader->stated_end > reader->facts.file_bytes && !reader->facts.is_pipe)
		return read_error_set(
		    error, -ENODATA, reader->facts.file_bytes,
		    "truncated: the file ends %llu bytes before the end of its data",
		    (unsigned long long)(reader->stated_end - reader->facts.file_bytes));
	return read_error_set(error, -ENODATA, offset, "truncated: the data ends within a record");
}

/* Return: 1 with the record at the source's place and its size in @size, 0 at the end, <0. */
static int source_record(struct perf_reader *reader, size_t *size, struct read_error *error)
{
	uint64_t offset;
	size_t available = 0;
	int ret = byte_source_skip(&reader->source, reader->appendix_bytes);

	reader->appendix_bytes = 0;
	offset = reader->source.offset;
	if (ret == 0)
		ret = byte_source_need(&reader->source, RECORD_HEADER_BYTES, &available);
	if (ret)
		return io_error_set(error, ret, offset);
	if (available == 0 && reader->inflated_at == reader->inflated_nr &&
	    reader->stated_end <= offset)
		return 0;
	if (available < RECORD_HEADER_BYTES)
		return end_error_set(reader, error, offset);
	*size = record_size(byte_source_at(&reader->source));
	if (*size < RECORD_HEADER_BYTES)
		return size_error_set(error, offset, (uint16_t)*size);
	ret = byte_source_need(&reader->source, *size, &available);
	if (ret)
		return io_error_set(error, ret, offset);
	return available < *size ? end_error_set(reader, error, offset) : 1;
}

/* Return: 1 with a record to hand out, 0 when it was a compressed one, <0. */
static int source_take(struct perf_reader *reader, size_t size, struct raw_record *ret,
		       struct read_error *error)
{
	const uint8_t *record = byte_source_at(&reader->source);
	const uint32_t type = record_type(record);
	const uint64_t offset = reader->source.offset;
	int code = 0;

	if (reader->facts.is_pipe && offset >= reader->front_end)
		code = reader_take_front(reader, record, size);
	if (code)
		return read_error_set(error, code, offset, "damaged: a header record of the pipe");
	reader->appendix_bytes = appendix_bytes(reader, record, size);
	code = byte_source_skip(&reader->source, size);
	if (code)
		return io_error_set(error, code, offset);
	if (type == PERF_RECORD_COMPRESSED_TYPE || type == PERF_RECORD_COMPRESSED2_TYPE)
		return packed_begin(reader, record, size, offset, error);
	return record_hand_out(reader, NULL, record, offset, ret, error);
}

int reader_read(struct perf_reader *reader, struct raw_record *ret, struct read_error *error)
{
	for (;;) {
		size_t size = 0;
		int step = inflated_next(reader, ret, error);

		if (step)
			return step;
		if (bytes_left(&reader->packed) || reader->is_output_full) {
			step = inflate_more(reader, error);
			if (step)
				return step;
			continue;
		}
		step = source_record(reader, &size, error);
		if (step <= 0)
			return step;
		step = source_take(reader, size, ret, error);
		if (step)
			return step;
	}
}

int perf_reader_next(struct perf_reader *reader, struct raw_record *ret, struct read_error *error)
{
	if (!reader->has_first)
		return reader_read(reader, ret, error);
	reader->has_first = false;
	*ret = reader->first;
	*error = reader->first_error;
	return reader->first_ret;
}

/* ---- What else there is ---- */

const struct perf_reader_event *perf_reader_events(const struct perf_reader *reader, uint32_t *nr)
{
	*nr = (uint32_t)reader->events.nr;
	return reader->events.items;
}

const struct perf_reader_facts *perf_reader_facts(const struct perf_reader *reader)
{
	return &reader->facts;
}

const struct perf_build_id *perf_reader_build_ids(const struct perf_reader *reader, uint32_t *nr)
{
	*nr = (uint32_t)reader->values.build_ids.nr;
	return reader->values.build_ids.items;
}

const uint8_t *perf_reader_bundle(struct perf_reader *reader, uint64_t *nr)
{
	auto_free uint8_t *bundle = NULL;

	if (!reader->bundle && reader->bundle_offset) {
		bundle = malloc(reader->bundle_nr);
		if (bundle &&
		    fd_read_at(reader->fd, bundle, reader->bundle_nr, reader->bundle_offset) == 0)
			reader->bundle = no_free_ptr(bundle);
	}
	*nr = reader->bundle ? reader->bundle_nr : 0;
	return reader->bundle;
}
