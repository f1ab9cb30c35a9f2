/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads any perf.data file (file or pipe format, compressed or not), pyrec's or perf's own, from
 * untrusted bytes: bounded, no allocation larger than the input justifies, errors with an offset.
 */
#ifndef PYREC_FORMAT_READER_H
#define PYREC_FORMAT_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "format/record.h"
#include "format/record_block.h"

struct perf_reader;

/* What is wrong, where. */
struct read_error {
	int code;	 /* -errno */
	uint64_t offset; /* in the file; READ_ERROR_NO_OFFSET: the file could not be opened */
	char what[160];	 /* a clause: "not a perf.data file" */
};

#define READ_ERROR_NO_OFFSET UINT64_MAX

/** Fill @error. Return: @code. */
int read_error_set(struct read_error *error, int code, uint64_t offset, const char *format, ...)
    printf_like(4, 5);
/** Log "PATH: at offset N: what" on one line; "-" is called "standard input". */
void read_error_log(const char *path, const struct read_error *error);

struct perf_reader_event {
	struct perf_event_attr attr;
	struct record_layout layout;
	const uint64_t *ids;
	uint32_t ids_nr;
	const char *name; /* from EVENT_DESC, or made from the attr; never NULL */
};

/* Feature texts; NULL or 0 when the file has none. Borrowed from the reader. */
struct perf_reader_facts {
	const char *hostname;
	const char *os_release;
	const char *tool_version;
	const char *arch;
	const char *cpu_description;
	const char *command_line; /* words joined with spaces */
	uint32_t cpus_online_nr;
	uint64_t total_memory_kib;
	uint64_t first_sample_ns;
	uint64_t last_sample_ns;
	uint64_t file_bytes;
	uint64_t data_offset;
	uint64_t data_bytes;
	bool is_pipe;
	bool is_compressed;
	bool is_pyrec;	    /* has a pyrec bundle footer, or its first record is a pyrec envelope */
	bool is_unfinished; /* the recorder was killed, or the end of the file is missing */
	uint32_t compression_ratio; /* as the file states it; 0: it does not */
	uint64_t inflated_bytes;    /* unpacked so far from compressed records */
	uint64_t inflate_ns;	    /* CLOCK_MONOTONIC spent on that */
	uint64_t deflated_bytes;    /* and what they took */
};

struct perf_build_id {
	uint32_t pid;
	uint16_t misc;
	uint8_t build_id[20];
	uint8_t build_id_nr;
	const char *path;
};

/**
 * Open @path ("-": stdin; either format when it is a file, else the pipe format). A missing file,
 * an empty one, a directory, a foreign or big-endian one each give their own sentence in @error.
 * Return: 0 or @error->code.
 */
must_check int perf_reader_open(const char *path, struct perf_reader **ret,
				struct read_error *error);
void perf_reader_close(struct perf_reader *reader);

/** Never none. In pipe format more may come with later records: ask again after each. */
const struct perf_reader_event *perf_reader_events(const struct perf_reader *reader, uint32_t *nr);
const struct perf_reader_facts *perf_reader_facts(const struct perf_reader *reader);
const struct perf_build_id *perf_reader_build_ids(const struct perf_reader *reader, uint32_t *nr);

/*
 * One record as it stands in the (decompressed) stream; borrowed until the next call, longer by who
 * takes a reference of its block. All are put before the reader is closed.
 */
struct raw_record {
	const struct perf_event_header *header; /* 8-aligned; header->size bytes are there */
	struct record_block *block;
	const struct perf_reader_event *event; /* by id, else the first */
	uint64_t file_offset;		       /* of it or of the compressed record that held it */
};

/**
 * Next record in file order; compressed ones are unpacked and not themselves returned.
 * Return: 1; 0 at the end; @error->code when the rest cannot be read (what came before is sound).
 */
must_check int perf_reader_next(struct perf_reader *reader, struct raw_record *ret,
				struct read_error *error);

/** The bundle's bytes, read at the first call and borrowed from the reader; NULL when there is none
 *  or it cannot be read. */
const uint8_t *perf_reader_bundle(struct perf_reader *reader, uint64_t *nr);

#endif
