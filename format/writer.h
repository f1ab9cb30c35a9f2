/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writes a perf.data file: header, ids, feature sections, attr, data, feature table,
 * bundle, footer (Documentation/pyrec.data.5.adoc). Records go through one zstd stream into
 * PERF_RECORD_COMPRESSED records. perf_writer_checkpoint() makes the file whole as it is, so
 * that a killed recorder loses only what came after it. "-" writes perf's pipe format to stdout.
 *
 * Not here: what the records mean (record.h, payload.h) and whose modules are bundled (bundle.h).
 */
#ifndef PYREC_FORMAT_WRITER_H
#define PYREC_FORMAT_WRITER_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/strbuf.h"
#include "format/record.h"

struct perf_writer;

struct perf_writer_options {
	const char *path; /* "-": pipe format on stdout */
	bool compress;
	int zstd_level;
};

/* The HEADER_* feature sections. Texts are borrowed during perf_writer_create() only. */
struct perf_file_facts {
	struct perf_event_attr attr; /* of the one event */
	const char *event_name;	     /* "cpu-clock" */
	const char *hostname;
	const char *os_release;
	const char *tool_version;
	const char *arch;
	uint32_t cpus_online_nr;
	uint32_t cpus_available_nr;
	const char *cpu_description;
	uint64_t total_memory_kib;
	const char *const *argv; /* NULL terminated */
};

/* The id that every sample and trailer of a pyrec file bears. */
enum { PERF_WRITER_EVENT_ID = 1 };

struct perf_writer_counts {
	uint64_t file_bytes;   /* written so far */
	uint64_t record_bytes; /* before compression */
	uint64_t records_nr;
	uint64_t samples_nr;
};

/**
 * Create the file with mode 0600. Logs nothing.
 * Return: 0 or -errno of open or write; *@ret is set on 0 only.
 */
must_check int perf_writer_create(const struct perf_writer_options *options,
				  const struct perf_file_facts *facts, struct perf_writer **ret);

/**
 * Append encoded records (whole, 8-aligned sizes, any number of them). SAMPLE records are counted
 * and their first and last time kept for HEADER_SAMPLE_TIME.
 * Return: 0 or -errno. After an error the file stays as the last checkpoint left it, and
 * every later call returns the same error.
 */
must_check int perf_writer_append(struct perf_writer *writer, const void *records, size_t nr);

/** Flush the compressor and make the file readable up to here. Return: 0 or -errno. */
must_check int perf_writer_checkpoint(struct perf_writer *writer);

/** Remember a module for HEADER_BUILD_ID (perf buildid-list). Return: 0 or -ENOMEM. */
must_check int perf_writer_add_build_id(struct perf_writer *writer, uint32_t pid, uint16_t misc,
					const uint8_t build_id[20], uint8_t build_id_nr,
					const char *path);

/** Last step: checkpoint with all features, then the bundle bytes (may be NULL) and the footer. */
must_check int perf_writer_finish(struct perf_writer *writer, const struct strbuf *bundle);

struct perf_writer_counts perf_writer_get_counts(const struct perf_writer *writer);

/** Close; NULL is fine. Does not finish. */
void perf_writer_destroy(struct perf_writer *writer);

#endif
