/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Places and numbers of a version-2 perf.data file, shared by writer and reader.
 * Source: tools/perf/util/header.[ch] and
 * tools/perf/Documentation/perf.data-file-format.txt of Linux 6.1.
 */
#ifndef PYREC_FORMAT_PERF_FILE_H
#define PYREC_FORMAT_PERF_FILE_H

#include <stdint.h>

#define PERF_FILE_MAGIC		"PERFILE2" /* little-endian files */
#define PERF_FILE_MAGIC_SWAPPED "2ELIFREP" /* big-endian ones */
#define PERF_FILE_MAGIC_V1	"PERFFILE" /* before Linux 3.2 */

enum {
	PERF_FILE_HEADER_BYTES = 104,
	PERF_FILE_DATA_BYTES_OFFSET = 48, /* u64 size of the data */
	PERF_FILE_FEATURES_OFFSET = 72,	  /* 256 feature bits */
	PERF_FILE_FEATURES_BYTES = 32,
	PERF_FILE_SECTION_BYTES = 16,	  /* u64 offset, u64 size */
	PERF_FILE_ATTR_BYTES = 128,	  /* PERF_ATTR_SIZE_VER7 */
	PERF_FILE_PIPE_HEADER_BYTES = 16, /* magic, u64 16 */
	PERF_FILE_MMAP_BYTES = 8 << 20,	  /* what a compressed record of ours may unpack to */
};

/* A range of the file. */
struct perf_file_section {
	uint64_t offset;
	uint64_t bytes;
};

/* HEADER_* bits */
enum perf_feature {
	PERF_FEATURE_BUILD_ID = 2,
	PERF_FEATURE_HOSTNAME = 3,
	PERF_FEATURE_OS_RELEASE = 4,
	PERF_FEATURE_VERSION = 5,
	PERF_FEATURE_ARCH = 6,
	PERF_FEATURE_CPUS_NR = 7,
	PERF_FEATURE_CPU_DESCRIPTION = 8,
	PERF_FEATURE_TOTAL_MEMORY = 10,
	PERF_FEATURE_COMMAND_LINE = 11,
	PERF_FEATURE_EVENT_DESCRIPTION = 12,
	PERF_FEATURE_SAMPLE_TIME = 21,
	PERF_FEATURE_COMPRESSED = 27,
	PERF_FEATURES_NR = 256,
};

/* pyrec's own tail: u64 offset of the bundle (0: none) after 8 bytes of magic. */
#define PYREC_FOOTER_MAGIC "PYRECEND"
enum { PYREC_FOOTER_BYTES = 16 };

#endif
