/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/options.h"

#include <argp.h>
#include <errno.h>
#include <linux/types.h>
#include <string.h>

#include "bpf/pyrec_bpf.h"

enum {
	OPTION_ALL_PROCESSES = 0x100,
	OPTION_NO_BUNDLE,
	OPTION_NO_COMPRESS,
	OPTION_STACK_SIZE,
	OPTION_LEGACY,
};

enum { HZ_DEFAULT = 99, RING_MIB_DEFAULT = 16, RING_MIB_MAX = 1024, HZ_MAX = 100000 };

enum { DURATION_S_MAX = 1000000000 };

static const struct argp_option option_table[] = {
    {"all-cpus", 'a', NULL, 0, "Record the whole machine, also with -p or a command", 0},
    {"pid", 'p', "PID,…", 0, "Record these processes and what they fork", 0},
    {"freq", 'F', "HZ", 0, "Samples per second and CPU (default: 99)", 0},
    {"duration", 'd', "SECONDS", 0, "Stop after this time (default: Ctrl-C, or the command's end)",
     0},
    {"event", 'e', "EVENT", 0, "What to sample on: cpu-clock (default), cycles, …", 0},
    {"output", 'o', "FILE", 0, "Write to FILE (default: pyrec.data); - writes perf's pipe format",
     0},
    {"all-processes", OPTION_ALL_PROCESSES, NULL, 0,
     "Record programs without Python too, as native stacks", 0},
    {"no-bundle", OPTION_NO_BUNDLE, NULL, 0,
     "Leave out unwind tables and symbols: report then needs the binaries", 0},
    {"no-compress", OPTION_NO_COMPRESS, NULL, 0, "Write plain records, for tools without zstd", 0},
    {"mmap-size", 'm', "MIB", 0, "Size of the ring between BPF and pyrec (default: 16)", 0},
    {"stack-size", OPTION_STACK_SIZE, "BYTES", 0,
     "Copy at most this much of the user stack (default: 61440, the most)", 0},
    {"legacy", OPTION_LEGACY, NULL, 0,
     "Use the BPF programs for kernels before 5.17 also on newer ones", 0},
    {"verbose", 'v', NULL, 0, "Say more: what each sample cost", 0},
    {"quiet", 'q', NULL, 0, "Say nothing but errors and warnings", 0},
    {0},
};

struct event_row {
	const char *name;
	uint32_t type;
	uint64_t config;
};

static const struct event_row event_rows[] = {
    {"cpu-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK},
    {"task-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK},
    {"page-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS},
    {"faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS},
    {"minor-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MIN},
    {"major-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MAJ},
    {"cpu-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
    {"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
    {"instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
    {"cache-references", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_REFERENCES},
    {"cache-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
    {"branches", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS},
    {"branch-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES},
    {"bus-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BUS_CYCLES},
    {"ref-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_REF_CPU_CYCLES},
};

static int event_parse(const char *name, struct record_options *options)
{
	for (size_t i = 0; i < array_size(event_rows); i++) {
		if (strcmp(name, event_rows[i].name) != 0)
			continue;
		options->event_name = event_rows[i].name;
		options->event_type = event_rows[i].type;
		options->event_config = event_rows[i].config;
		return 0;
	}
	if (name[0] != 'r' || !name[1] || strlen(name) > 1 + 16 ||
	    name[1 + strspn(name + 1, "0123456789abcdefABCDEF")])
		return -EINVAL;
	options->event_name = name; /* rHEX: a raw event of this CPU, as perf spells it */
	options->event_type = PERF_TYPE_RAW;
	options->event_config = strtoull(name + 1, NULL, 16);
	return 0;
}

/* A whole number in [@least, @most]. */
static int number_parse(const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || value < least || value > most)
		return -EINVAL;
	*ret = value;
	return 0;
}

static int pids_parse(char *text, struct u32_vec *pids)
{
	char *word;

	while ((word = strsep(&text, ",")) != NULL) {
		uint64_t pid;
		int error = number_parse(word, 1, INT32_MAX, &pid);

		if (!error)
			error = u32_vec_append(pids, (uint32_t)pid);
		if (error)
			return error;
	}
	return 0;
}

static error_t parse_numbers(int key, char *argument, struct argp_state *state,
			     struct record_options *options)
{
	uint64_t value;
	char *end;

	switch (key) {
	case 'F':
		if (number_parse(argument, 1, HZ_MAX, &value))
			argp_error(state, "-F wants a rate from 1 to %d, not '%s'", HZ_MAX,
				   argument);
		else
			options->sample_hz = (uint32_t)value;
		return 0;
	case 'd':
		options->duration_s = strtod(argument, &end);
		if (end == argument || *end || !(options->duration_s > 0) ||
		    options->duration_s > DURATION_S_MAX)
			argp_error(state, "-d wants a time in seconds, not '%s'", argument);
		return 0;
	case 'm':
		if (number_parse(argument, 1, RING_MIB_MAX, &value) || value & (value - 1))
			argp_error(state, "-m wants a power of two up to %d (MiB), not '%s'",
				   RING_MIB_MAX, argument);
		else
			options->ring_bytes = value << 20;
		return 0;
	case OPTION_STACK_SIZE:
		if (number_parse(argument, 0, PYREC_STACK_CAP_MAX, &value))
			argp_error(state, "--stack-size wants up to %d bytes, not '%s'",
				   PYREC_STACK_CAP_MAX, argument);
		else
			options->stack_cap_bytes = (uint32_t)value & ~7U;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct record_options *options = state->input;

	switch (key) {
	case 'a':
		options->system_wide = true;
		return 0;
	case 'p':
		if (pids_parse(argument, &options->pids))
			argp_error(state, "-p wants process numbers with commas between them");
		return 0;
	case 'e':
		if (event_parse(argument, options))
			argp_error(state, "'%s' is not an event that pyrec knows", argument);
		return 0;
	case 'o':
		options->output_path = argument;
		return 0;
	case 'v':
		options->is_verbose = true;
		return 0;
	case 'q':
		options->is_quiet = true;
		return 0;
	case OPTION_ALL_PROCESSES:
		options->all_processes = true;
		return 0;
	case OPTION_NO_BUNDLE:
		options->no_bundle = true;
		return 0;
	case OPTION_NO_COMPRESS:
		options->no_compress = true;
		return 0;
	case OPTION_LEGACY:
		options->use_legacy = true;
		return 0;
	case ARGP_KEY_ARGS:
		options->command = state->argv + state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
	case ARGP_KEY_INIT:
	case ARGP_KEY_END:
	case ARGP_KEY_SUCCESS:
	case ARGP_KEY_FINI:
		return 0;
	default:
		return parse_numbers(key, argument, state, options);
	}
}

int record_options_parse(int argc, char **argv, struct record_options *ret)
{
	static const struct argp parser = {
	    .options = option_table,
	    .parser = parse_option,
	    .args_doc = "[-- COMMAND [ARGUMENT…]]",
	    .doc = "Sample the Python programs of this machine into a file.\v"
		   "Without -p and without a command the whole machine is recorded. Needs root, or "
		   "CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE. The file is read by pyrec report, on "
		   "any machine, and by perf.",
	};
	static char name[] = "pyrec record";

	*ret = (struct record_options){
	    .output_path = "pyrec.data",
	    .sample_hz = HZ_DEFAULT,
	    .ring_bytes = (uint64_t)RING_MIB_DEFAULT << 20,
	    .stack_cap_bytes = PYREC_STACK_CAP_MAX,
	};
	if (event_parse("cpu-clock", ret))
		return -EINVAL;
	argp_err_exit_status = 129;
	argv[0] = name;
	/* ARGP_IN_ORDER: what follows the command's name is the command's. */
	return argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, ret) ? -EINVAL : 0;
}

void record_options_deinit(struct record_options *options)
{
	u32_vec_deinit(&options->pids);
}
