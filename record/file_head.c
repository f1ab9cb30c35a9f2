/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/file_head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "record/host_facts.h"
#include "record/kernel_symbols.h"

enum { ZSTD_LEVEL = 3 }; /* facts: level 1's cost, 15 to 60 % less bytes */

struct perf_event_attr file_head_event(const struct record_options *options)
{
	return (struct perf_event_attr){
	    .type = options->event_type,
	    .size = sizeof(struct perf_event_attr),
	    .config = options->event_config,
	    .freq = 1,
	    .sample_freq = options->sample_hz,
	    .disabled = 1,
	    .use_clockid = 1,
	    .clockid = CLOCK_MONOTONIC,
	};
}

/* The event as the file describes it: what its samples and side-band records look like. */
static struct perf_event_attr file_attr(const struct record_options *options)
{
	struct perf_event_attr attr = file_head_event(options);

	attr.sample_type = PYREC_SAMPLE_TYPE;
	attr.sample_regs_user = PYREC_REGS_USER;
	attr.sample_stack_user = options->stack_cap_bytes;
	attr.sample_id_all = 1;
	attr.exclude_callchain_user = 1;
	attr.mmap = 1;
	attr.mmap2 = 1;
	attr.comm = 1;
	attr.comm_exec = 1;
	attr.task = 1;
	attr.build_id = 1;
	return attr;
}

int file_head_create(const struct record_options *options, int argc, char **argv,
		     struct perf_writer **ret)
{
	const struct perf_writer_options writer_options = {
	    .path = options->output_path,
	    .compress = !options->no_compress,
	    .zstd_level = ZSTD_LEVEL,
	};
	auto_free const char **words = calloc((size_t)argc + 2, sizeof(*words));
	struct perf_file_facts facts = {
	    .attr = file_attr(options),
	    .event_name = options->event_name,
	    .tool_version = "pyrec " PYREC_VERSION,
	    .argv = words,
	};
	struct host_facts host;
	int error;

	if (!words)
		return -ENOMEM;
	words[0] = "pyrec";
	words[1] = "record";
	for (int i = 1; i < argc; i++)
		words[i + 1] = argv[i];
	host_facts_read(&host);
	host_facts_describe(&host, &facts);
	error = perf_writer_create(&writer_options, &facts, ret);
	if (error)
		log_error("cannot write %s: %s", options->output_path, strerror(-error));
	return error;
}

int file_head_emit(const struct record_options *options, struct output *output)
{
	struct payload info = {.kind = PAYLOAD_FILE_INFO};
	struct payload clock = {.kind = PAYLOAD_CLOCK};
	struct timespec real;
	struct record kernel;

	info.file_info = (struct payload_file_info){
	    .pyrec_version = PYREC_VERSION,
	    .pyrec_version_nr = sizeof(PYREC_VERSION) - 1,
	    .sample_hz = options->sample_hz,
	    .stack_cap_bytes = options->stack_cap_bytes,
	    .all_processes = options->all_processes,
	};
	clock_gettime(CLOCK_REALTIME, &real);
	clock.clock = (struct payload_clock){
	    .monotonic_ns = output_now_ns(output),
	    .realtime_ns = (uint64_t)real.tv_sec * 1000000000 + (uint64_t)real.tv_nsec,
	};
	(void)output_payload(output, &info, NULL);
	(void)output_payload(output, &clock, NULL);
	if (kernel_map_record(&kernel) == 0)
		(void)output_record(output, &kernel);
	return output->error;
}
