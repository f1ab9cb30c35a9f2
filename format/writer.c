/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/writer.h"

#include <errno.h>
#include <string.h>

#include "common/bytes.h"
#include "format/compressor.h"
#include "format/feature.h"
#include "format/perf_output.h"

enum {
	RECORD_HEADER_BYTES = 8,
	FLUSH_BYTES = 256 << 10, /* records gathered before one run of the compressor */
	PACKED_BYTES_MAX = PERF_RECORD_BYTES_MAX - RECORD_HEADER_BYTES,
	FEATURES_WRITTEN_NR_MAX = PERF_OUTPUT_TABLE_BYTES_MAX / PERF_FILE_SECTION_BYTES,
};

/* In ascending order, as the feature table wants them. BUILD_ID comes before all, at the end. */
static const uint8_t features_in_front[] = {
    PERF_FEATURE_HOSTNAME,     PERF_FEATURE_OS_RELEASE,	  PERF_FEATURE_VERSION,
    PERF_FEATURE_ARCH,	       PERF_FEATURE_CPUS_NR,	  PERF_FEATURE_CPU_DESCRIPTION,
    PERF_FEATURE_TOTAL_MEMORY, PERF_FEATURE_COMMAND_LINE, PERF_FEATURE_EVENT_DESCRIPTION,
    PERF_FEATURE_SAMPLE_TIME,  PERF_FEATURE_COMPRESSED,
};

struct written_feature {
	unsigned int feature;
	struct perf_file_section section;
};

struct perf_writer {
	struct perf_output output;
	int error; /* first one; sticky */

	uint64_t data_offset;
	uint64_t data_end; /* where the next byte of the data goes */
	struct perf_file_section attr_section;
	struct written_feature features[FEATURES_WRITTEN_NR_MAX];
	size_t features_nr;

	struct compressor *compressor; /* NULL: plain records */
	struct strbuf pending;	       /* whole records, not yet compressed or written */
	struct strbuf packed;
	struct strbuf framed;
	struct strbuf build_ids;

	size_t time_offset; /* of a sample's time; 0: samples have none */
	struct feature_state state;
	uint64_t unpacked_bytes; /* given to the compressor */
	uint64_t packed_bytes;	 /* and what it made of it */
	struct perf_writer_counts counts;
};

/* ---- Records ---- */

static int writer_fail(struct perf_writer *writer, int error)
{
	perf_output_revert(&writer->output);
	writer->error = error;
	return error;
}

static int writer_put_data(struct perf_writer *writer, const void *bytes, size_t nr)
{
	const int ret = perf_output_put(&writer->output, bytes, nr, writer->data_end);

	if (ret)
		return writer_fail(writer, ret);
	writer->data_end += nr;
	writer->counts.file_bytes += nr;
	return 0;
}

/* Cut the compressor's output into COMPRESSED records. */
static void packed_frame(struct strbuf *framed, const struct strbuf *packed)
{
	for (size_t at = 0; at < packed->nr;) {
		const size_t left = packed->nr - at;
		const size_t nr = left < PACKED_BYTES_MAX ? left : PACKED_BYTES_MAX;

		strbuf_append_u32(framed, PERF_RECORD_COMPRESSED_TYPE);
		strbuf_append_u16(framed, 0);
		strbuf_append_u16(framed, (uint16_t)(RECORD_HEADER_BYTES + nr));
		strbuf_append(framed, packed->bytes + at, nr);
		at += nr;
	}
}

static int writer_compress(struct perf_writer *writer)
{
	int ret;

	strbuf_reset(&writer->packed);
	strbuf_reset(&writer->framed);
	ret = compressor_run(writer->compressor, writer->pending.bytes, writer->pending.nr,
			     &writer->packed);
	if (ret == 0) {
		packed_frame(&writer->framed, &writer->packed);
		ret = writer->framed.error;
	}
	if (ret)
		return writer_fail(writer, ret);
	writer->unpacked_bytes += writer->pending.nr;
	writer->packed_bytes += writer->packed.nr;
	return writer_put_data(writer, writer->framed.bytes, writer->framed.nr);
}

static int writer_flush(struct perf_writer *writer)
{
	int ret;

	if (!writer->pending.nr)
		return 0;
	ret = writer->compressor
		  ? writer_compress(writer)
		  : writer_put_data(writer, writer->pending.bytes, writer->pending.nr);
	strbuf_reset(&writer->pending);
	return ret;
}

static void writer_count(struct perf_writer *writer, const uint8_t *record, uint32_t type,
			 size_t size)
{
	uint64_t time_ns;

	writer->counts.records_nr++;
	writer->counts.record_bytes += size;
	if (type != PERF_RECORD_SAMPLE)
		return;
	writer->counts.samples_nr++;
	if (!writer->time_offset || size < writer->time_offset + sizeof(time_ns))
		return;
	memcpy(&time_ns, record + writer->time_offset, sizeof(time_ns));
	if (!writer->state.first_sample_ns || time_ns < writer->state.first_sample_ns)
		writer->state.first_sample_ns = time_ns;
	if (time_ns > writer->state.last_sample_ns)
		writer->state.last_sample_ns = time_ns;
}

int perf_writer_append(struct perf_writer *writer, const void *records, size_t nr)
{
	struct bytes_cursor cursor = bytes_cursor_make(records, nr);

	while (!writer->error && bytes_left(&cursor)) {
		struct bytes_cursor header = cursor;
		const uint32_t type = bytes_get_u32(&header);
		const uint16_t size = (uint16_t)(bytes_get_u32(&header) >> 16); /* after misc */
		const uint8_t *record = bytes_take(&cursor, size);

		if (header.failed || !record || size < RECORD_HEADER_BYTES)
			return -EINVAL;
		if (writer->pending.nr + size > FLUSH_BYTES && writer_flush(writer))
			break;
		strbuf_append(&writer->pending, record, size);
		if (writer->pending.error)
			return writer_fail(writer, writer->pending.error);
		writer_count(writer, record, type, size);
	}
	return writer->error;
}

/* ---- Header, features, table ---- */

static void section_encode(struct strbuf *out, const struct perf_file_section *section)
{
	strbuf_append_u64(out, section->offset);
	strbuf_append_u64(out, section->bytes);
}

static void header_encode(struct strbuf *out, const struct perf_writer *writer)
{
	const struct perf_file_section data = {writer->data_offset,
					       writer->data_end - writer->data_offset};
	uint64_t bits[PERF_FILE_FEATURES_BYTES / 8] = {0};

	for (size_t i = 0; i < writer->features_nr; i++)
		bits[writer->features[i].feature / 64] |= UINT64_C(1)
							  << (writer->features[i].feature % 64);
	strbuf_append(out, PERF_FILE_MAGIC, 8);
	strbuf_append_u64(out, PERF_FILE_HEADER_BYTES);
	strbuf_append_u64(out, PERF_FILE_ATTR_BYTES + PERF_FILE_SECTION_BYTES);
	section_encode(out, &writer->attr_section);
	section_encode(out, &data);
	section_encode(out, &(struct perf_file_section){0}); /* event types: long dead */
	for (size_t i = 0; i < array_size(bits); i++)
		strbuf_append_u64(out, bits[i]);
}

static void table_encode(struct strbuf *out, const struct perf_writer *writer)
{
	for (size_t i = 0; i < writer->features_nr; i++)
		section_encode(out, &writer->features[i].section);
}

static void writer_ratio_update(struct perf_writer *writer)
{
	if (writer->packed_bytes)
		writer->state.compression_ratio = (uint32_t)((writer->unpacked_bytes +
							      writer->packed_bytes / 2) /
							     writer->packed_bytes);
}

/* Sections whose numbers move while recording; their sizes do not. */
static int writer_update_sections(struct perf_writer *writer)
{
	static const struct perf_file_facts no_facts;

	writer_ratio_update(writer);
	for (size_t i = 0; i < writer->features_nr; i++) {
		const struct written_feature *written = &writer->features[i];
		auto_strbuf struct strbuf section = {0};
		int ret;

		if (written->feature != PERF_FEATURE_SAMPLE_TIME &&
		    written->feature != PERF_FEATURE_COMPRESSED)
			continue;
		ret = feature_encode(written->feature, &section, &no_facts, &writer->state);
		if (ret == 0)
			ret = section.error;
		if (ret == 0)
			ret = perf_output_patch(&writer->output, section.bytes, section.nr,
						written->section.offset);
		if (ret)
			return ret;
	}
	return 0;
}

/* Make the file whole; @tail (may be NULL) goes behind the feature table. */
static int writer_commit(struct perf_writer *writer, const struct strbuf *tail)
{
	auto_strbuf struct strbuf header = {0};
	auto_strbuf struct strbuf table = {0};
	uint64_t end;
	int ret;

	header_encode(&header, writer);
	table_encode(&table, writer);
	if (header.error || table.error)
		return writer_fail(writer, -ENOMEM);
	end = writer->data_end + table.nr;
	ret = perf_output_put(&writer->output, table.bytes, table.nr, writer->data_end);
	if (ret == 0 && tail) {
		ret = perf_output_put(&writer->output, tail->bytes, tail->nr, end);
		end += tail->nr;
	}
	if (ret == 0)
		ret = writer_update_sections(writer);
	if (ret == 0)
		ret = perf_output_switch(&writer->output, &header, &table, writer->data_end);
	if (ret)
		return writer_fail(writer, ret);
	writer->counts.file_bytes = end;
	return 0;
}

int perf_writer_checkpoint(struct perf_writer *writer)
{
	if (writer->error)
		return writer->error;
	if (writer_flush(writer))
		return writer->error;
	if (writer->output.is_pipe || writer->data_end == writer->output.table_offset)
		return 0;
	return writer_commit(writer, NULL);
}

/* ---- Create ---- */

static int writer_add_section(struct perf_writer *writer, struct strbuf *front,
			      unsigned int feature, const struct perf_file_facts *facts)
{
	struct written_feature *written = &writer->features[writer->features_nr];
	int ret;

	strbuf_align(front, 8);
	written->feature = feature;
	written->section.offset = front->nr;
	ret = feature_encode(feature, front, facts, &writer->state);
	if (ret)
		return ret;
	written->section.bytes = front->nr - written->section.offset;
	writer->features_nr++;
	return 0;
}

/* All that stands before the data: header, id, feature sections, attr. */
static int writer_front(struct perf_writer *writer, const struct perf_file_facts *facts)
{
	const struct perf_file_section ids = {PERF_FILE_HEADER_BYTES, 8};
	auto_strbuf struct strbuf header = {0};
	auto_strbuf struct strbuf front = {0};

	strbuf_append_zeros(&front, PERF_FILE_HEADER_BYTES);
	strbuf_append_u64(&front, PERF_WRITER_EVENT_ID);
	for (size_t i = 0; i < array_size(features_in_front); i++) {
		int ret;

		if (features_in_front[i] == PERF_FEATURE_COMPRESSED && !writer->compressor)
			continue;
		ret = writer_add_section(writer, &front, features_in_front[i], facts);
		if (ret)
			return ret;
	}
	strbuf_align(&front, 8);
	writer->attr_section.offset = front.nr;
	attr_encode(&front, &facts->attr);
	section_encode(&front, &ids);
	writer->attr_section.bytes = front.nr - writer->attr_section.offset;
	writer->data_offset = front.nr;
	writer->data_end = front.nr;
	table_encode(&front, writer);
	header_encode(&header, writer);
	if (front.error || header.error)
		return -ENOMEM;
	memcpy(front.bytes, header.bytes, header.nr);
	writer->counts.file_bytes = front.nr;
	return perf_output_begin(&writer->output, &front, front.nr - writer->data_offset);
}

static void pipe_record_encode(struct strbuf *out, uint32_t type, const struct strbuf *body)
{
	const size_t padding = -body->nr & 7;

	strbuf_append_u32(out, type);
	strbuf_append_u16(out, 0);
	strbuf_append_u16(out, (uint16_t)(RECORD_HEADER_BYTES + body->nr + padding));
	strbuf_append(out, body->bytes, body->nr);
	strbuf_append_zeros(out, padding);
}

/* A stream cannot be gone back over: the times of the samples are not told. */
static int writer_pipe_features(const struct perf_writer *writer, struct strbuf *out,
				const struct perf_file_facts *facts)
{
	for (size_t i = 0; i < array_size(features_in_front); i++) {
		const unsigned int feature = features_in_front[i];
		auto_strbuf struct strbuf body = {0};
		int ret;

		if (feature == PERF_FEATURE_SAMPLE_TIME ||
		    (feature == PERF_FEATURE_COMPRESSED && !writer->compressor))
			continue;
		strbuf_append_u64(&body, feature);
		ret = feature_encode(feature, &body, facts, &writer->state);
		if (ret || body.error)
			return ret ? ret : body.error;
		if (body.nr + RECORD_HEADER_BYTES > PERF_RECORD_BYTES_MAX)
			continue;
		pipe_record_encode(out, PERF_RECORD_HEADER_FEATURE_TYPE, &body);
	}
	return 0;
}

static int writer_pipe_front(struct perf_writer *writer, const struct perf_file_facts *facts)
{
	auto_strbuf struct strbuf front = {0};
	auto_strbuf struct strbuf attr = {0};
	int ret;

	strbuf_append(&front, PERF_FILE_MAGIC, 8);
	strbuf_append_u64(&front, PERF_FILE_PIPE_HEADER_BYTES);
	attr_encode(&attr, &facts->attr);
	strbuf_append_u64(&attr, PERF_WRITER_EVENT_ID);
	pipe_record_encode(&front, PERF_RECORD_HEADER_ATTR_TYPE, &attr);
	ret = writer_pipe_features(writer, &front, facts);
	if (ret)
		return ret;
	if (front.error || attr.error)
		return -ENOMEM;
	writer->data_end = front.nr;
	writer->counts.file_bytes = front.nr;
	return perf_output_begin(&writer->output, &front, 0);
}

static size_t sample_time_offset(uint64_t sample_type)
{
	const uint64_t before = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID;

	if (!(sample_type & PERF_SAMPLE_TIME))
		return 0;
	return RECORD_HEADER_BYTES + 8 * (size_t)__builtin_popcountll(sample_type & before);
}

static int writer_init(struct perf_writer *writer, const struct perf_writer_options *options,
		       const struct perf_file_facts *facts)
{
	int ret = 0;

	writer->time_offset = sample_time_offset(facts->attr.sample_type);
	if (options->compress) {
		writer->state.zstd_level = (uint32_t)options->zstd_level;
		ret = compressor_create(options->zstd_level, &writer->compressor);
	}
	if (ret == 0)
		ret = strbuf_reserve(&writer->pending, FLUSH_BYTES);
	if (ret)
		return ret;
	ret = perf_output_open(&writer->output, options->path);
	if (ret)
		return ret;
	return writer->output.is_pipe ? writer_pipe_front(writer, facts)
				      : writer_front(writer, facts);
}

int perf_writer_create(const struct perf_writer_options *options,
		       const struct perf_file_facts *facts, struct perf_writer **ret)
{
	struct perf_writer *writer = calloc(1, sizeof(*writer));
	int error;

	if (!writer)
		return -ENOMEM;
	writer->output.fd = -1;
	error = writer_init(writer, options, facts);
	if (error) {
		perf_writer_destroy(writer);
		return error;
	}
	*ret = writer;
	return 0;
}

void perf_writer_destroy(struct perf_writer *writer)
{
	if (!writer)
		return;
	perf_output_close(&writer->output);
	compressor_destroy(writer->compressor);
	strbuf_deinit(&writer->pending);
	strbuf_deinit(&writer->packed);
	strbuf_deinit(&writer->framed);
	strbuf_deinit(&writer->build_ids);
	free(writer);
}

/* ---- Finish ---- */

int perf_writer_add_build_id(struct perf_writer *writer, uint32_t pid, uint16_t misc,
			     const uint8_t build_id[20], uint8_t build_id_nr, const char *path)
{
	if (build_id_nr > 20 || strlen(path) >= PERF_RECORD_BYTES_MAX / 2)
		return -EINVAL;
	build_id_encode(&writer->build_ids, pid, misc, build_id, build_id_nr, path);
	return writer->build_ids.error;
}

/* BUILD_ID has the lowest number of all features written: its row stands first. */
static void writer_add_build_id_section(struct perf_writer *writer, struct strbuf *tail,
					uint64_t tail_offset)
{
	struct written_feature *first = &writer->features[0];

	memmove(first + 1, first, writer->features_nr * sizeof(*first));
	writer->features_nr++;
	first->feature = PERF_FEATURE_BUILD_ID;
	first->section = (struct perf_file_section){tail_offset, writer->build_ids.nr};
	strbuf_append(tail, writer->build_ids.bytes, writer->build_ids.nr);
}

/* Behind the feature table: build ids, bundle, footer. */
static void writer_tail(struct perf_writer *writer, const struct strbuf *bundle,
			struct strbuf *tail)
{
	const bool has_build_ids = writer->build_ids.nr > 0;
	const uint64_t tail_offset = writer->data_end + (writer->features_nr + has_build_ids) *
							    PERF_FILE_SECTION_BYTES;
	uint64_t bundle_offset = 0;

	if (has_build_ids)
		writer_add_build_id_section(writer, tail, tail_offset);
	strbuf_append_zeros(tail, -(tail_offset + tail->nr) & 7);
	if (bundle && bundle->nr) {
		bundle_offset = tail_offset + tail->nr;
		strbuf_append(tail, bundle->bytes, bundle->nr);
		strbuf_append_zeros(tail, -(tail_offset + tail->nr) & 7);
	}
	strbuf_append(tail, PYREC_FOOTER_MAGIC, 8);
	strbuf_append_u64(tail, bundle_offset);
}

int perf_writer_finish(struct perf_writer *writer, const struct strbuf *bundle)
{
	auto_strbuf struct strbuf tail = {0};

	if (writer->error)
		return writer->error;
	if (writer_flush(writer))
		return writer->error;
	if (writer->output.is_pipe)
		return 0;
	writer_tail(writer, bundle, &tail);
	if (tail.error)
		return writer_fail(writer, tail.error);
	return writer_commit(writer, &tail);
}

struct perf_writer_counts perf_writer_get_counts(const struct perf_writer *writer)
{
	return writer->counts;
}
