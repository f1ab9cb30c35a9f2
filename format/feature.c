/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/feature.h"

#include <errno.h>
#include <string.h>

#include "common/bytes.h"

enum {
	TEXT_ALIGNMENT = 64, /* NAME_ALIGN: perf pads its texts to this */
	BUILD_ID_ENTRY_BYTES = 36,
	BUILD_ID_BYTES = 20,
	MISC_BUILD_ID_SIZE = 1 << 15, /* PERF_RECORD_MISC_BUILD_ID_SIZE: the size byte is valid */
	FEATURE_EVENTS_MAX = 65536,
};

/* ---- Parts ---- */

/* u32 padded length, text, NUL and padding. */
static void text_encode(struct strbuf *out, const char *text)
{
	const size_t nr = strlen(text) + 1;
	const size_t padding = -nr & (TEXT_ALIGNMENT - 1);

	strbuf_append_u32(out, (uint32_t)(nr + padding));
	strbuf_append(out, text, nr);
	strbuf_append_zeros(out, padding);
}

/* Replaces *@value. */
static int text_decode(struct bytes_cursor *cursor, char **value)
{
	uint32_t nr;
	const char *text = bytes_get_string(cursor, &nr);
	char *copy;

	if (cursor->failed)
		return -EBADMSG;
	copy = strndup(text, nr);
	if (!copy)
		return -ENOMEM;
	free(*value);
	*value = copy;
	return 0;
}

void attr_encode(struct strbuf *out, const struct perf_event_attr *attr)
{
	struct perf_event_attr stored = *attr;
	const size_t nr = sizeof(stored) < PERF_FILE_ATTR_BYTES ? sizeof(stored)
								: PERF_FILE_ATTR_BYTES;

	stored.size = PERF_FILE_ATTR_BYTES;
	strbuf_append(out, &stored, nr);
	strbuf_append_zeros(out, PERF_FILE_ATTR_BYTES - nr);
}

void attr_decode(struct bytes_cursor *cursor, uint32_t attr_bytes, struct perf_event_attr *ret)
{
	const uint8_t *bytes = bytes_take(cursor, attr_bytes);

	*ret = (struct perf_event_attr){0};
	if (bytes)
		memcpy(ret, bytes, attr_bytes < sizeof(*ret) ? attr_bytes : sizeof(*ret));
}

/* ---- Texts ---- */

#define TEXT_FEATURE(noun, fact, value)                                                      \
	static void noun##_encode(struct strbuf *out, const struct perf_file_facts *facts,   \
				  const struct feature_state *state __attribute__((unused))) \
	{                                                                                    \
		text_encode(out, facts->fact ? facts->fact : "");                            \
	}                                                                                    \
	static int noun##_decode(struct bytes_cursor *cursor, struct feature_values *values) \
	{                                                                                    \
		return text_decode(cursor, &values->value);                                  \
	}

TEXT_FEATURE(hostname, hostname, hostname)
TEXT_FEATURE(os_release, os_release, os_release)
TEXT_FEATURE(version, tool_version, tool_version)
TEXT_FEATURE(arch, arch, arch)
TEXT_FEATURE(cpu_description, cpu_description, cpu_description)

/* ---- Numbers ---- */

/* perf writes the available ones first, against its own format description. */
static void cpus_nr_encode(struct strbuf *out, const struct perf_file_facts *facts,
			   const struct feature_state *state __attribute__((unused)))
{
	strbuf_append_u32(out, facts->cpus_available_nr);
	strbuf_append_u32(out, facts->cpus_online_nr);
}

static int cpus_nr_decode(struct bytes_cursor *cursor, struct feature_values *values)
{
	bytes_get_u32(cursor);
	values->cpus_online_nr = bytes_get_u32(cursor);
	return 0;
}

static void total_memory_encode(struct strbuf *out, const struct perf_file_facts *facts,
				const struct feature_state *state __attribute__((unused)))
{
	strbuf_append_u64(out, facts->total_memory_kib);
}

static int total_memory_decode(struct bytes_cursor *cursor, struct feature_values *values)
{
	values->total_memory_kib = bytes_get_u64(cursor);
	return 0;
}

static void sample_time_encode(struct strbuf *out,
			       const struct perf_file_facts *facts __attribute__((unused)),
			       const struct feature_state *state)
{
	strbuf_append_u64(out, state->first_sample_ns);
	strbuf_append_u64(out, state->last_sample_ns);
}

static int sample_time_decode(struct bytes_cursor *cursor, struct feature_values *values)
{
	values->first_sample_ns = bytes_get_u64(cursor);
	values->last_sample_ns = bytes_get_u64(cursor);
	return 0;
}

static void compressed_encode(struct strbuf *out,
			      const struct perf_file_facts *facts __attribute__((unused)),
			      const struct feature_state *state)
{
	strbuf_append_u32(out, 0); /* version */
	strbuf_append_u32(out, 1); /* PERF_COMP_ZSTD */
	strbuf_append_u32(out, state->zstd_level);
	strbuf_append_u32(out, state->compression_ratio);
	strbuf_append_u32(out, PERF_FILE_MMAP_BYTES);
}

static int compressed_decode(struct bytes_cursor *cursor, struct feature_values *values)
{
	bytes_take(cursor, 12);
	values->compression_ratio = bytes_get_u32(cursor);
	values->compressed_mmap_bytes = bytes_get_u32(cursor);
	return 0;
}

/* ---- Command line ---- */

static void command_line_encode(struct strbuf *out, const struct perf_file_facts *facts,
				const struct feature_state *state __attribute__((unused)))
{
	uint32_t nr = 0;

	while (facts->argv && facts->argv[nr])
		nr++;
	strbuf_append_u32(out, nr);
	for (uint32_t i = 0; i < nr; i++)
		text_encode(out, facts->argv[i]);
}

static int command_line_decode(struct bytes_cursor *cursor, struct feature_values *values)
{
	auto_strbuf struct strbuf line = {0};
	const uint32_t nr = bytes_get_u32(cursor);

	for (uint32_t i = 0; i < nr && !cursor->failed; i++) {
		uint32_t word_nr;
		const char *word = bytes_get_string(cursor, &word_nr);

		if (i)
			strbuf_append_char(&line, ' ');
		strbuf_append(&line, word, strnlen(word, word_nr));
	}
	if (line.error)
		return line.error;
	free(values->command_line);
	values->command_line = strdup(strbuf_text(&line));
	return values->command_line ? 0 : -ENOMEM;
}

/* ---- Events ---- */

static void event_description_encode(struct strbuf *out, const struct perf_file_facts *facts,
				     const struct feature_state *state __attribute__((unused)))
{
	strbuf_append_u32(out, 1);
	strbuf_append_u32(out, PERF_FILE_ATTR_BYTES);
	attr_encode(out, &facts->attr);
	strbuf_append_u32(out, 1); /* ids */
	text_encode(out, facts->event_name ? facts->event_name : "");
	strbuf_append_u64(out, PERF_WRITER_EVENT_ID);
}

static int event_description_decode_one(struct bytes_cursor *cursor, uint32_t attr_bytes,
					struct feature_values *values)
{
	struct feature_event event = {0};
	uint32_t ids_nr;
	const uint8_t *ids;
	int ret;

	attr_decode(cursor, attr_bytes, &event.attr);
	ids_nr = bytes_get_u32(cursor);
	ret = text_decode(cursor, &event.name);
	ids = bytes_take(cursor, (size_t)ids_nr * 8);
	if (ids && ids_nr)
		memcpy(&event.first_id, ids, 8);
	if (ret == 0)
		ret = feature_event_vec_append(&values->events, event);
	if (ret)
		free(event.name);
	return ret;
}

static int event_description_decode(struct bytes_cursor *cursor, struct feature_values *values)
{
	const uint32_t nr = bytes_get_u32(cursor);
	const uint32_t attr_bytes = bytes_get_u32(cursor);
	int ret = 0;

	for (uint32_t i = 0; i < nr && i < FEATURE_EVENTS_MAX && ret == 0; i++)
		ret = event_description_decode_one(cursor, attr_bytes, values);
	return ret;
}

/* ---- Build ids ---- */

void build_id_encode(struct strbuf *out, uint32_t pid, uint16_t misc, const uint8_t *build_id,
		     uint8_t build_id_nr, const char *path)
{
	const size_t path_nr = strlen(path) + 1;
	const size_t padding = -path_nr & (TEXT_ALIGNMENT - 1);

	strbuf_append_u32(out, 0);
	strbuf_append_u16(out, misc | MISC_BUILD_ID_SIZE);
	strbuf_append_u16(out, (uint16_t)(BUILD_ID_ENTRY_BYTES + path_nr + padding));
	strbuf_append_u32(out, pid);
	strbuf_append(out, build_id, build_id_nr);
	strbuf_append_zeros(out, BUILD_ID_BYTES - build_id_nr);
	strbuf_append_u32(out, build_id_nr); /* and three reserved bytes */
	strbuf_append(out, path, path_nr);
	strbuf_append_zeros(out, padding);
}

static int build_id_decode_one(struct bytes_cursor *cursor, struct feature_values *values)
{
	struct bytes_cursor entry = *cursor;
	struct perf_build_id found = {0};
	const uint8_t *build_id;
	const uint8_t *path;
	uint32_t size;
	uint32_t build_id_nr;
	int ret;

	bytes_get_u32(&entry);
	found.misc = bytes_get_u16(&entry);
	size = bytes_get_u16(&entry);
	found.pid = bytes_get_u32(&entry);
	build_id = bytes_take(&entry, BUILD_ID_BYTES);
	build_id_nr = bytes_get_u32(&entry) & 0xff;
	if (entry.failed || size <= BUILD_ID_ENTRY_BYTES)
		return -EBADMSG;
	if (!(found.misc & MISC_BUILD_ID_SIZE))
		build_id_nr = BUILD_ID_BYTES;
	path = bytes_take(&entry, size - BUILD_ID_ENTRY_BYTES);
	if (!path || build_id_nr > BUILD_ID_BYTES)
		return -EBADMSG;
	found.misc &= (uint16_t)~MISC_BUILD_ID_SIZE;
	found.build_id_nr = (uint8_t)build_id_nr;
	memcpy(found.build_id, build_id, build_id_nr);
	found.path = strndup((const char *)path, size - BUILD_ID_ENTRY_BYTES);
	ret = found.path ? build_id_vec_append(&values->build_ids, found) : -ENOMEM;
	if (ret) {
		free((char *)found.path);
		return ret;
	}
	bytes_take(cursor, size);
	return 0;
}

static int build_ids_decode(struct bytes_cursor *cursor, struct feature_values *values)
{
	int ret = 0;

	while (ret == 0 && bytes_left(cursor))
		ret = build_id_decode_one(cursor, values);
	return ret;
}

/* ---- The table ---- */

struct feature_row {
	uint8_t feature;
	void (*encode)(struct strbuf *out, const struct perf_file_facts *facts,
		       const struct feature_state *state); /* NULL: the writer's own business */
	int (*decode)(struct bytes_cursor *cursor, struct feature_values *values);
};

static const struct feature_row feature_rows[] = {
    {PERF_FEATURE_BUILD_ID, NULL, build_ids_decode},
    {PERF_FEATURE_HOSTNAME, hostname_encode, hostname_decode},
    {PERF_FEATURE_OS_RELEASE, os_release_encode, os_release_decode},
    {PERF_FEATURE_VERSION, version_encode, version_decode},
    {PERF_FEATURE_ARCH, arch_encode, arch_decode},
    {PERF_FEATURE_CPUS_NR, cpus_nr_encode, cpus_nr_decode},
    {PERF_FEATURE_CPU_DESCRIPTION, cpu_description_encode, cpu_description_decode},
    {PERF_FEATURE_TOTAL_MEMORY, total_memory_encode, total_memory_decode},
    {PERF_FEATURE_COMMAND_LINE, command_line_encode, command_line_decode},
    {PERF_FEATURE_EVENT_DESCRIPTION, event_description_encode, event_description_decode},
    {PERF_FEATURE_SAMPLE_TIME, sample_time_encode, sample_time_decode},
    {PERF_FEATURE_COMPRESSED, compressed_encode, compressed_decode},
};

static const struct feature_row *feature_row_find(unsigned int feature)
{
	for (size_t i = 0; i < array_size(feature_rows); i++)
		if (feature_rows[i].feature == feature)
			return &feature_rows[i];
	return NULL;
}

int feature_encode(unsigned int feature, struct strbuf *out, const struct perf_file_facts *facts,
		   const struct feature_state *state)
{
	const struct feature_row *row = feature_row_find(feature);

	if (!row || !row->encode)
		return -ENOENT;
	row->encode(out, facts, state);
	return 0;
}

int feature_decode(unsigned int feature, const void *bytes, size_t nr,
		   struct feature_values *values)
{
	const struct feature_row *row = feature_row_find(feature);
	struct bytes_cursor cursor = bytes_cursor_make(bytes, nr);
	int ret;

	if (!row)
		return 0;
	ret = row->decode(&cursor, values);
	return ret == 0 && cursor.failed ? -EBADMSG : ret;
}

void feature_values_deinit(struct feature_values *values)
{
	free(values->hostname);
	free(values->os_release);
	free(values->tool_version);
	free(values->arch);
	free(values->cpu_description);
	free(values->command_line);
	for (size_t i = 0; i < values->events.nr; i++)
		free(values->events.items[i].name);
	feature_event_vec_deinit(&values->events);
	for (size_t i = 0; i < values->build_ids.nr; i++)
		free((char *)values->build_ids.items[i].path);
	build_id_vec_deinit(&values->build_ids);
	*values = (struct feature_values){0};
}
