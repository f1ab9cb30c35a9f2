/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The feature sections of a perf.data file: one row in the table of feature.c for each (bit,
 * encode, decode). Features without a row are neither written nor read.
 */
#ifndef PYREC_FORMAT_FEATURE_H
#define PYREC_FORMAT_FEATURE_H

#include <stdint.h>

#include "common/bytes.h"
#include "common/strbuf.h"
#include "common/vec.h"
#include "format/perf_file.h"
#include "format/reader.h"
#include "format/writer.h"

/* -- writing -- */

/* What changes while a file is written; the sections keep their sizes. */
struct feature_state {
	uint64_t first_sample_ns;
	uint64_t last_sample_ns;
	uint32_t zstd_level;
	uint32_t compression_ratio;
};

/** Append the section of @feature. Return: 0 or -ENOENT when it has no row or is not written. */
must_check int feature_encode(unsigned int feature, struct strbuf *out,
			      const struct perf_file_facts *facts,
			      const struct feature_state *state);
/** Append the attr as a file holds it: PERF_FILE_ATTR_BYTES. */
void attr_encode(struct strbuf *out, const struct perf_event_attr *attr);
/** Append one entry of the BUILD_ID section. */
void build_id_encode(struct strbuf *out, uint32_t pid, uint16_t misc, const uint8_t *build_id,
		     uint8_t build_id_nr, const char *path);

/* -- reading -- */

struct feature_event { /* of EVENT_DESC */
	struct perf_event_attr attr;
	char *name;
	uint64_t first_id; /* 0: no ids */
};
VEC_DEFINE(feature_event_vec, struct feature_event)
VEC_DEFINE(build_id_vec, struct perf_build_id)

/* Owned; NULL, 0 or empty when the file does not say. */
struct feature_values {
	char *hostname;
	char *os_release;
	char *tool_version;
	char *arch;
	char *cpu_description;
	char *command_line;
	uint32_t cpus_online_nr;
	uint64_t total_memory_kib;
	uint64_t first_sample_ns;
	uint64_t last_sample_ns;
	uint32_t compressed_mmap_bytes;
	uint32_t compression_ratio;
	struct feature_event_vec events;
	struct build_id_vec build_ids; /* paths owned */
};

/** Take in one section. Unknown features are passed over, of damaged ones the sound part is
 *  kept. Return: 0, -EBADMSG, -ENOMEM. */
must_check int feature_decode(unsigned int feature, const void *bytes, size_t nr,
			      struct feature_values *values);
/** Read an attr of @attr_bytes as any perf's file holds it. Missing fields are 0. */
void attr_decode(struct bytes_cursor *cursor, uint32_t attr_bytes, struct perf_event_attr *ret);
void feature_values_deinit(struct feature_values *values);

#endif
