/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opening: whose file it is, its header, attrs, features and footer. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "format/payload.h"
#include "format/reader_state.h"

enum {
	RECORD_HEADER_BYTES = 8,
	ATTR_BYTES_MIN = 64, /* PERF_ATTR_SIZE_VER0 */
	ATTR_BYTES_MAX = 4096,
	FEATURE_BYTES_MAX = 64 << 20,
	TEXT_LOOK_BYTES = 512,
};

int reader_update_facts(struct perf_reader *reader)
{
	struct perf_reader_facts *facts = &reader->facts;
	const struct feature_values *values = &reader->values;

	facts->hostname = values->hostname;
	facts->os_release = values->os_release;
	facts->tool_version = values->tool_version;
	facts->arch = values->arch;
	facts->cpu_description = values->cpu_description;
	facts->command_line = values->command_line;
	facts->cpus_online_nr = values->cpus_online_nr;
	facts->total_memory_kib = values->total_memory_kib;
	facts->first_sample_ns = values->first_sample_ns;
	facts->last_sample_ns = values->last_sample_ns;
	facts->compression_ratio = values->compression_ratio;
	return reader_update_event_names(reader);
}

/* ---- File format ---- */

struct file_header {
	uint64_t attr_bytes;
	struct perf_file_section attrs;
	struct perf_file_section data;
	uint64_t features[PERF_FILE_FEATURES_BYTES / 8];
};

static struct perf_file_section section_decode(struct bytes_cursor *cursor)
{
	struct perf_file_section section;

	section.offset = bytes_get_u64(cursor);
	section.bytes = bytes_get_u64(cursor);
	return section;
}

static bool section_is_inside(const struct perf_reader *reader,
			      const struct perf_file_section *section)
{
	return section->offset <= reader->facts.file_bytes &&
	       section->bytes <= reader->facts.file_bytes - section->offset;
}

/* @ret is the caller's to free(). */
static int section_read(const struct perf_reader *reader, const struct perf_file_section *section,
			uint8_t **ret)
{
	auto_free uint8_t *bytes = NULL;
	int error;

	if (!section_is_inside(reader, section))
		return -ENODATA;
	bytes = malloc(section->bytes + 1);
	if (!bytes)
		return -ENOMEM;
	error = fd_read_at(reader->fd, bytes, section->bytes, section->offset);
	if (error)
		return error;
	*ret = no_free_ptr(bytes);
	return 0;
}

static int attr_read(struct perf_reader *reader, struct bytes_cursor *cursor, uint32_t attr_bytes,
		     uint64_t *ids_left)
{
	auto_free uint8_t *ids = NULL;
	struct perf_event_attr attr;
	struct perf_file_section section;
	int ret;

	attr_decode(cursor, attr_bytes, &attr);
	section = section_decode(cursor);
	if (cursor->failed || section.bytes > *ids_left)
		return -EBADMSG;
	*ids_left -= section.bytes;
	ret = section_read(reader, &section, &ids);
	return ret ? ret : reader_add_event(reader, &attr, ids, section.bytes / 8);
}

static int attrs_read(struct perf_reader *reader, const struct file_header *header,
		      struct read_error *error)
{
	const uint64_t offset = header->attrs.offset;
	auto_free uint8_t *bytes = NULL;
	uint64_t ids_left = reader->facts.file_bytes; /* ids of two attrs are not the same bytes */
	struct bytes_cursor cursor;
	int ret = 0;

	if (header->attr_bytes < ATTR_BYTES_MIN + PERF_FILE_SECTION_BYTES ||
	    header->attr_bytes > ATTR_BYTES_MAX || header->attrs.bytes < header->attr_bytes)
		return read_error_set(error, -EBADMSG, offset, "damaged: no event is described");
	ret = section_read(reader, &header->attrs, &bytes);
	if (ret)
		return read_error_set(error, ret, offset,
				      "truncated or damaged: no event descriptions");
	cursor = bytes_cursor_make(bytes, header->attrs.bytes);
	while (ret == 0 && bytes_left(&cursor) >= header->attr_bytes)
		ret = attr_read(reader, &cursor,
				(uint32_t)header->attr_bytes - PERF_FILE_SECTION_BYTES, &ids_left);
	if (ret)
		return read_error_set(error, ret, offset, "damaged: an event description");
	return 0;
}

/* A damaged or missing section only costs what it would have told. */
static int feature_read(struct perf_reader *reader, unsigned int feature,
			const struct perf_file_section *section)
{
	auto_free uint8_t *bytes = NULL;
	int ret;

	if (section->bytes > FEATURE_BYTES_MAX)
		return 0;
	ret = section_read(reader, section, &bytes);
	if (ret == 0)
		ret = feature_decode(feature, bytes, section->bytes, &reader->values);
	return ret == -ENOMEM ? ret : 0;
}

static int features_read(struct perf_reader *reader, const struct file_header *header)
{
	uint64_t offset = header->data.offset + header->data.bytes;

	for (unsigned int feature = 0; feature < PERF_FEATURES_NR; feature++) {
		uint8_t bytes[PERF_FILE_SECTION_BYTES] = {0};
		struct bytes_cursor cursor = bytes_cursor_make(bytes, sizeof(bytes));
		struct perf_file_section section;
		int ret;

		if (!(header->features[feature / 64] >> (feature % 64) & 1))
			continue;
		if (offset >= reader->facts.file_bytes ||
		    fd_read_at(reader->fd, bytes, sizeof(bytes), offset))
			return 0;
		section = section_decode(&cursor);
		ret = feature_read(reader, feature, &section);
		if (ret)
			return ret;
		offset += PERF_FILE_SECTION_BYTES;
	}
	return 0;
}

static bool footer_read(struct perf_reader *reader, uint64_t data_end)
{
	const uint64_t file_bytes = reader->facts.file_bytes;
	uint8_t bytes[PYREC_FOOTER_BYTES] = {0};
	struct bytes_cursor cursor = bytes_cursor_make(bytes, sizeof(bytes));
	uint64_t footer_offset;
	uint64_t bundle_offset;

	if (file_bytes < sizeof(bytes))
		return false;
	footer_offset = file_bytes - sizeof(bytes);
	if (footer_offset < data_end ||
	    fd_read_at(reader->fd, bytes, sizeof(bytes), footer_offset) ||
	    memcmp(bytes_take(&cursor, 8), PYREC_FOOTER_MAGIC, 8) != 0)
		return false;
	bundle_offset = bytes_get_u64(&cursor);
	if (bundle_offset >= data_end && bundle_offset < footer_offset && data_end) {
		reader->bundle_offset = bundle_offset;
		reader->bundle_nr = footer_offset - bundle_offset;
	}
	return true;
}

static int file_header_read(struct perf_reader *reader, struct file_header *header,
			    struct read_error *error)
{
	uint8_t bytes[PERF_FILE_HEADER_BYTES] = {0};
	struct bytes_cursor cursor = bytes_cursor_make(bytes, sizeof(bytes));
	uint64_t header_bytes;

	if (fd_read_at(reader->fd, bytes, sizeof(bytes), 0))
		return read_error_set(error, -ENODATA, reader->facts.file_bytes,
				      "truncated: the file ends within its header");
	bytes_take(&cursor, 8);
	header_bytes = bytes_get_u64(&cursor);
	if (header_bytes != PERF_FILE_HEADER_BYTES)
		return read_error_set(error, -EBADMSG, 8, "damaged: a header of %llu bytes, not %u",
				      (unsigned long long)header_bytes, PERF_FILE_HEADER_BYTES);
	header->attr_bytes = bytes_get_u64(&cursor);
	header->attrs = section_decode(&cursor);
	header->data = section_decode(&cursor);
	section_decode(&cursor);
	for (size_t i = 0; i < array_size(header->features); i++)
		header->features[i] = bytes_get_u64(&cursor);
	return 0;
}

/* A perf record that was killed leaves size 0 and plain records up to the end of the file. */
static bool header_is_unfinished(const struct file_header *header)
{
	return header->data.bytes == 0 && !header->features[0] && !header->features[1];
}

static int file_data_open(struct perf_reader *reader, struct file_header *header,
			  struct read_error *error)
{
	const uint64_t file_bytes = reader->facts.file_bytes;

	if (header->data.offset > file_bytes)
		return read_error_set(error, -ENODATA, file_bytes,
				      "truncated: the file ends before its data");
	if (header_is_unfinished(header)) {
		header->data.bytes = file_bytes - header->data.offset;
		reader->facts.is_unfinished = true;
	}
	if (header->data.bytes > UINT64_MAX - header->data.offset)
		return read_error_set(error, -EBADMSG, 48, "damaged: the size of the data");
	reader->stated_end = header->data.offset + header->data.bytes;
	reader->facts.data_offset = header->data.offset;
	reader->facts.data_bytes = header->data.bytes;
	if (byte_source_init(&reader->source, reader->fd, true, header->data.offset,
			     reader->stated_end < file_bytes ? reader->stated_end : file_bytes))
		return read_error_set(error, -ENOMEM, 0, "no memory to read it");
	return 0;
}

/* Whose file it is shows in the first record, which may have to be unpacked. */
static void reader_look_ahead(struct perf_reader *reader, bool has_footer)
{
	reader->first_ret = reader_read(reader, &reader->first, &reader->first_error);
	reader->has_first = true;
	reader->facts.is_pyrec = has_footer ||
				 (reader->first_ret > 0 && record_is_ours(reader->first.header));
	if (reader->facts.is_pyrec && !has_footer && reader->stated_end <= reader->facts.file_bytes)
		reader->facts.is_unfinished = true;
}

static int file_open(struct perf_reader *reader, struct read_error *error)
{
	struct file_header header;
	bool has_footer;
	int ret = file_header_read(reader, &header, error);

	if (ret == 0)
		ret = attrs_read(reader, &header, error);
	if (ret == 0)
		ret = file_data_open(reader, &header, error);
	if (ret)
		return ret;
	has_footer = footer_read(reader, reader->stated_end);
	if (features_read(reader, &header) || reader_update_facts(reader))
		return read_error_set(error, -ENOMEM, 0, "no memory to read it");
	reader_look_ahead(reader, has_footer);
	return 0;
}

/* ---- Pipe format ---- */

static int front_attr_take(struct perf_reader *reader, struct bytes_cursor *cursor)
{
	struct bytes_cursor peek = *cursor;
	struct perf_event_attr attr;
	uint32_t attr_bytes;
	size_t ids_nr;

	bytes_get_u32(&peek);
	attr_bytes = bytes_get_u32(&peek);
	if (attr_bytes < ATTR_BYTES_MIN || attr_bytes > ATTR_BYTES_MAX)
		return -EBADMSG;
	attr_decode(cursor, attr_bytes, &attr);
	ids_nr = bytes_left(cursor) / 8;
	return cursor->failed
		   ? -EBADMSG
		   : reader_add_event(reader, &attr, bytes_take(cursor, ids_nr * 8), ids_nr);
}

int reader_take_front(struct perf_reader *reader, const uint8_t *record, size_t nr)
{
	struct bytes_cursor cursor = bytes_cursor_make(record, nr);
	const uint32_t type = bytes_get_u32(&cursor);
	uint64_t feature;
	int ret;

	bytes_get_u32(&cursor);
	if (type == PERF_RECORD_HEADER_ATTR_TYPE)
		return front_attr_take(reader, &cursor);
	if (type != PERF_RECORD_HEADER_FEATURE_TYPE)
		return 0;
	feature = bytes_get_u64(&cursor);
	if (cursor.failed)
		return -EBADMSG;
	ret = feature < PERF_FEATURES_NR ? feature_decode((unsigned int)feature, cursor.at,
							  bytes_left(&cursor), &reader->values)
					 : 0;
	if (ret == -ENOMEM)
		return ret;
	return reader_update_facts(reader);
}

static bool type_is_front(uint32_t type)
{
	return type == PERF_RECORD_HEADER_ATTR_TYPE || type == PERF_RECORD_HEADER_FEATURE_TYPE ||
	       type == PERF_RECORD_EVENT_UPDATE_TYPE || type == PAYLOAD_RECORD_TYPE;
}

/* Take in the header records at the start without moving the source: they are records too. */
static int pipe_front_read(struct perf_reader *reader)
{
	size_t at = 0;

	while (at + UINT16_MAX + RECORD_HEADER_BYTES <= BYTE_SOURCE_WINDOW_BYTES) {
		struct perf_event_header header;
		size_t available;
		int ret = byte_source_need(&reader->source, at + RECORD_HEADER_BYTES, &available);

		if (ret || available < at + RECORD_HEADER_BYTES)
			break;
		memcpy(&header, byte_source_at(&reader->source) + at, sizeof(header));
		if (!type_is_front(header.type) || header.size < RECORD_HEADER_BYTES)
			break;
		ret = byte_source_need(&reader->source, at + header.size, &available);
		if (ret || available < at + header.size)
			break;
		ret = reader_take_front(reader, byte_source_at(&reader->source) + at, header.size);
		if (ret)
			return ret;
		at += header.size;
	}
	reader->front_end = reader->source.offset + at;
	return 0;
}

static int pipe_open(struct perf_reader *reader, struct read_error *error)
{
	const uint64_t offset = PERF_FILE_PIPE_HEADER_BYTES;
	int ret;

	reader->facts.is_pipe = true;
	reader->facts.data_offset = offset;
	ret = byte_source_init(&reader->source, reader->fd, reader->is_regular, offset,
			       reader->is_regular ? reader->facts.file_bytes : UINT64_MAX);
	if (ret == 0)
		ret = pipe_front_read(reader);
	if (ret)
		return read_error_set(error, ret, offset,
				      ret == -ENOMEM ? "no memory to read it"
						     : "damaged: an event description");
	if (reader->events.nr == 0)
		return read_error_set(error, -EBADMSG, offset, "damaged: no event is described");
	return 0;
}

/* ---- Whose file ---- */

static bool bytes_are_text(const uint8_t *bytes, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (bytes[i] < ' ' && !strchr("\t\n\r\f\b\033", bytes[i]))
			return false;
	return nr && !memchr(bytes, '\0', nr);
}

static int foreign_error_set(struct read_error *error, const uint8_t *bytes, size_t nr)
{
	if (nr == 0)
		return read_error_set(error, -ENODATA, 0, "empty: nothing was recorded into it");
	if (nr >= 8 && memcmp(bytes, PERF_FILE_MAGIC_SWAPPED, 8) == 0)
		return read_error_set(error, -ENOTSUP, 0,
				      "recorded on a big-endian machine, which pyrec cannot read");
	if (nr >= 8 && memcmp(bytes, PERF_FILE_MAGIC_V1, 8) == 0)
		return read_error_set(error, -ENOTSUP, 0,
				      "a perf.data file of version 1, which pyrec cannot read");
	if (nr < PERF_FILE_PIPE_HEADER_BYTES &&
	    memcmp(bytes, PERF_FILE_MAGIC, nr < 8 ? nr : 8) == 0)
		return read_error_set(error, -ENODATA, nr,
				      "truncated: the file ends within its header");
	if (bytes_are_text(bytes, nr))
		return read_error_set(error, -EBADMSG, 0, "a text file, not a perf.data file");
	return read_error_set(error, -EBADMSG, 0, "not a perf.data file");
}

/* Sixteen bytes say which format it is. A pipe cannot be gone back over: take no more. */
static int format_read(struct perf_reader *reader, uint8_t *bytes, size_t room, size_t *ret)
{
	size_t nr = 0;

	if (!reader->is_regular)
		room = PERF_FILE_PIPE_HEADER_BYTES;
	while (nr < room) {
		const ssize_t got = reader->is_regular
					? pread(reader->fd, bytes + nr, room - nr, (off_t)nr)
					: read(reader->fd, bytes + nr, room - nr);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		nr += (size_t)got;
	}
	*ret = nr;
	return 0;
}

static int format_open(struct perf_reader *reader, struct read_error *error)
{
	uint8_t bytes[TEXT_LOOK_BYTES];
	uint64_t header_bytes;
	size_t nr = 0;
	const int ret = format_read(reader, bytes, sizeof(bytes), &nr);

	if (ret)
		return read_error_set(error, ret, 0, "cannot be read: %s", strerror(-ret));
	if (nr < PERF_FILE_PIPE_HEADER_BYTES || memcmp(bytes, PERF_FILE_MAGIC, 8) != 0)
		return foreign_error_set(error, bytes, nr);
	memcpy(&header_bytes, bytes + 8, sizeof(header_bytes));
	if (header_bytes == PERF_FILE_PIPE_HEADER_BYTES)
		return pipe_open(reader, error);
	if (!reader->is_regular)
		return read_error_set(error, -ESPIPE, 0,
				      "in perf's file format, which cannot be read from a pipe");
	return file_open(reader, error);
}

static int path_open(struct perf_reader *reader, const char *path, struct read_error *error)
{
	struct stat status;

	reader->fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
					    : open(path, O_RDONLY | O_CLOEXEC);
	if (reader->fd < 0 || fstat(reader->fd, &status))
		return read_error_set(error, -errno, READ_ERROR_NO_OFFSET, "%s", strerror(errno));
	if (S_ISDIR(status.st_mode))
		return read_error_set(error, -EISDIR, READ_ERROR_NO_OFFSET,
				      "a directory, not a perf.data file");
	reader->is_regular = S_ISREG(status.st_mode);
	reader->facts.file_bytes = reader->is_regular ? (uint64_t)status.st_size : 0;
	return 0;
}

int perf_reader_open(const char *path, struct perf_reader **ret, struct read_error *error)
{
	struct perf_reader *reader = calloc(1, sizeof(*reader));
	int code;

	if (!reader)
		return read_error_set(error, -ENOMEM, READ_ERROR_NO_OFFSET, "no memory to read it");
	record_pool_init(&reader->pool);
	reader->fd = -1;
	code = path_open(reader, path, error);
	if (code == 0)
		code = format_open(reader, error);
	if (code) {
		perf_reader_close(reader);
		return code;
	}
	*ret = reader;
	return 0;
}

void perf_reader_close(struct perf_reader *reader)
{
	struct event_id *id;
	struct event_id *next;

	if (!reader)
		return;
	HASH_ITER (hh, reader->event_ids, id, next) {
		HASH_DEL(reader->event_ids, id);
		free(id);
	}
	for (size_t i = 0; i < reader->events.nr; i++) {
		free((char *)reader->events.items[i].name);
		free((uint64_t *)reader->events.items[i].ids);
	}
	event_vec_deinit(&reader->events);
	feature_values_deinit(&reader->values);
	byte_source_deinit(&reader->source);
	decompressor_destroy(reader->decompressor);
	record_block_put(reader->inflated);
	record_block_put(reader->copies);
	record_pool_deinit(&reader->pool);
	free(reader->bundle);
	if (reader->fd >= 0)
		close(reader->fd);
	free(reader);
}
