/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* pyrec info: what a recording is, what is in it, what is missing. */
#include "report/cmd_info.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/escape.h"
#include "common/log.h"
#include "format/bundle.h"
#include "format/payload_print.h"
#include "format/reader.h"
#include "report/info_tally.h"

enum { EXIT_USAGE = 129 };

struct info_options {
	const char *path;
};

/* ---- Options ---- */

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct info_options *options = state->input;

	switch (key) {
	case 'i':
		options->path = argument;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is one word too many; name the file with -i", argument);
		return EINVAL;
	}
	return ARGP_ERR_UNKNOWN;
}

static int parse_options(int argc, char **argv, struct info_options *ret)
{
	static const struct argp_option option_table[] = {
	    {"input", 'i', "FILE", 0,
	     "Recording to read, - for standard input (default: pyrec.data)", 0},
	    {0},
	};
	static const struct argp parser = {
	    .options = option_table,
	    .parser = parse_option,
	    .doc = "Show what a recording is: machine, event, counts, losses, containers, bundled "
		   "modules.",
	};
	char name[] = "pyrec info";

	argp_err_exit_status = EXIT_USAGE;
	argv[0] = name;
	return argp_parse(&parser, argc, argv, 0, NULL, ret) ? -EINVAL : 0;
}

/* ---- Lines ---- */

static void label_print(const char *label)
{
	printf("%-16s", label);
}

static void text_print(const char *text)
{
	escape_print(stdout, text, strlen(text));
}

static void text_line_print(const char *label, const char *text)
{
	if (!text)
		return;
	label_print(label);
	text_print(text);
	putchar('\n');
}

static void count_line_print(const char *name, uint64_t count, const char *remark)
{
	printf("  %-18s%12" PRIu64 "%s%s\n", name, count, remark ? "  " : "", remark ? remark : "");
}

/* ---- Header ---- */

static void state_print(const struct perf_reader_facts *facts)
{
	label_print("file");
	printf("%s, %s format, %s", facts->is_pyrec ? "pyrec recording" : "perf recording",
	       facts->is_pipe ? "pipe" : "file",
	       facts->is_compressed ? "compressed" : "not compressed");
	if (facts->file_bytes)
		printf(", %" PRIu64 " bytes", facts->file_bytes);
	putchar('\n');
	label_print("state");
	puts(facts->is_unfinished
		 ? "unfinished: the recorder was killed, or the end of the file is missing"
		 : "complete");
}

static void machine_print(const struct perf_reader_facts *facts)
{
	text_line_print("recorded by", facts->tool_version);
	text_line_print("command", facts->command_line);
	text_line_print("host", facts->hostname);
	text_line_print("kernel", facts->os_release);
	text_line_print("architecture", facts->arch);
	text_line_print("processor", facts->cpu_description);
	label_print("cpus online");
	printf("%" PRIu32 "\n", facts->cpus_online_nr);
	label_print("memory");
	printf("%" PRIu64 " KiB\n", facts->total_memory_kib);
}

static void events_print(const struct perf_reader *reader)
{
	uint32_t nr;
	const struct perf_reader_event *events = perf_reader_events(reader, &nr);

	for (uint32_t i = 0; i < nr; i++) {
		const struct perf_event_attr *attr = &events[i].attr;

		label_print("event");
		text_print(events[i].name);
		printf(", type %" PRIu32 ", config 0x%llx, %s %llu\n", attr->type,
		       (unsigned long long)attr->config, attr->freq ? "frequency" : "period",
		       (unsigned long long)attr->sample_freq);
	}
}

/* The start on the wall clock, from the pair of clocks read at the same moment. */
static void start_print(const struct info_tally *tally)
{
	const int64_t start_ns = (int64_t)(tally->clock.realtime_ns - tally->clock.monotonic_ns +
					   tally->first_sample_ns);
	const time_t start_s = (time_t)(start_ns / 1000000000);
	struct tm calendar;
	char text[64];

	if (!tally->has_clock || !tally->samples_nr || !gmtime_r(&start_s, &calendar) ||
	    !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &calendar))
		return;
	text_line_print("first sample", text);
}

static void settings_print(const struct info_tally *tally)
{
	start_print(tally);
	label_print("sampled for");
	time_print(stdout, tally->last_sample_ns - tally->first_sample_ns);
	puts(" s");
	if (!tally->has_file_info)
		return;
	label_print("sampling");
	printf("%" PRIu32 " Hz, user stacks up to %" PRIu32 " bytes\n", tally->sample_hz,
	       tally->stack_cap_bytes);
}

/* ---- Counts ---- */

static void records_print(const struct info_tally *tally)
{
	puts("\nrecords");
	for (size_t i = 0; i < tally->types.nr; i++) {
		const struct info_type *type = &tally->types.items[i];
		const char *name = record_type_name(type->type);
		char number[32];

		snprintf(number, sizeof(number), "type %" PRIu32, type->type);
		printf("  %-18s%12" PRIu64 "%14" PRIu64 " bytes\n", name ? name : number,
		       type->records_nr, type->bytes);
	}
	if (tally->damaged_nr)
		count_line_print("damaged", tally->damaged_nr, "of them, passed over");
}

static void samples_print(const struct info_tally *tally, bool is_pyrec)
{
	puts("\nsamples");
	count_line_print("all", tally->samples_nr, NULL);
	for (unsigned int i = 0; i < INFO_STATUSES_NR; i++)
		if (tally->statuses[i])
			count_line_print(py_stack_status_name(i), tally->statuses[i],
					 "Python stacks");
	count_line_print("stack bytes", tally->user_stack_bytes, NULL);
	if (!is_pyrec)
		return;
	if (tally->without_python_nr)
		count_line_print("other", tally->without_python_nr, "without a Python stack");
	count_line_print("Python frames", tally->python_frames_nr, NULL);
	count_line_print("code objects", tally->codes_nr, NULL);
}

static void losses_print(const struct info_tally *tally)
{
	bool is_nothing = true;

	puts("\nlosses");
	for (uint32_t i = 0; tally->has_losses && i < tally->losses.reasons_nr; i++) {
		if (!tally->losses.counts[i])
			continue;
		count_line_print(loss_reason_name(i), tally->losses.counts[i], loss_reason_text(i));
		is_nothing = false;
	}
	if (!tally->has_losses && tally->lost_nr) {
		count_line_print("lost", tally->lost_nr, "records or samples");
		is_nothing = false;
	}
	if (is_nothing)
		puts("  none");
}

static void interpreters_print(const struct info_tally *tally)
{
	if (tally->interpreters.nr)
		puts("\ninterpreters");
	for (size_t i = 0; i < tally->interpreters.nr; i++) {
		const struct info_interpreter *interpreter = &tally->interpreters.items[i];

		fputs(interpreter->name[0] ? "  " : "  CPython ", stdout);
		if (interpreter->name[0])
			fputs(interpreter->name, stdout);
		else
			version_hex_print(stdout, interpreter->version_hex);
		printf(", %" PRIu64 " %s, %s\n", interpreter->processes_nr,
		       interpreter->processes_nr == 1 ? "process" : "processes", interpreter->path);
		if (interpreter->is_unsupported)
			printf("    not walked: %s\n", interpreter->message);
	}
}

static void containers_print(const struct info_tally *tally)
{
	if (tally->containers.nr)
		puts("\ncontainers");
	for (size_t i = 0; i < tally->containers.nr; i++) {
		const struct info_container *container = &tally->containers.items[i];

		printf("  %-18s  %s\n", container->name, container->cgroup);
	}
}

static void compression_print(const struct perf_reader_facts *facts)
{
	if (!facts->deflated_bytes)
		return;
	puts("\ncompression");
	count_line_print("records", facts->inflated_bytes, "bytes");
	count_line_print("compressed", facts->deflated_bytes, "bytes");
	printf("  %-18s%12.1f\n", "ratio",
	       (double)facts->inflated_bytes / (double)facts->deflated_bytes);
}

/* ---- Bundle ---- */

static void bundle_module_print(const struct bundle_entry *entry)
{
	printf("  %12" PRIu64 "  ", entry->packed_bytes);
	for (uint8_t i = 0; i < entry->build_id_nr; i++)
		printf("%02x", entry->build_id[i]);
	printf("%s", entry->build_id_nr ? "  " : "(no build id)  ");
	text_print(entry->path);
	putchar('\n');
}

static int bundle_print(struct perf_reader *reader, struct read_error *error)
{
	struct bundle *bundle;
	uint64_t nr;
	const uint8_t *bytes = perf_reader_bundle(reader, &nr);
	int ret;

	if (!bytes)
		return 0;
	ret = bundle_open(bytes, nr, &bundle);
	if (ret)
		return read_error_set(error, ret, perf_reader_facts(reader)->file_bytes - nr,
				      "damaged: the bundle of modules");
	printf("\nbundle\n  %" PRIu32 " modules, %" PRIu32 " kernel symbols, %" PRIu64 " bytes\n",
	       bundle_modules_nr(bundle), bundle_kernel_symbols_nr(bundle), nr);
	for (uint32_t i = 0; i < bundle_modules_nr(bundle); i++) {
		const struct bundle_entry entry = bundle_module_entry(bundle, i);

		bundle_module_print(&entry);
	}
	bundle_close(bundle);
	return 0;
}

/* ---- The whole ---- */

static int info_print(struct perf_reader *reader, struct read_error *error)
{
	struct info_tally tally = {0};
	struct read_error bundle_error;
	const struct perf_reader_facts *facts = perf_reader_facts(reader);
	int ret = info_tally_run(&tally, reader, error);

	state_print(facts);
	machine_print(facts);
	events_print(reader);
	settings_print(&tally);
	records_print(&tally);
	samples_print(&tally, facts->is_pyrec);
	losses_print(&tally);
	interpreters_print(&tally);
	containers_print(&tally);
	compression_print(facts);
	info_tally_deinit(&tally);
	if (bundle_print(reader, &bundle_error) && ret == 0) {
		*error = bundle_error;
		ret = error->code;
	}
	return ret;
}

int cmd_info(int argc, char **argv)
{
	struct info_options options = {.path = "pyrec.data"};
	struct perf_reader *reader;
	struct read_error error;
	int ret;

	if (parse_options(argc, argv, &options))
		return EXIT_USAGE;
	ret = perf_reader_open(options.path, &reader, &error);
	if (ret == 0) {
		ret = info_print(reader, &error);
		perf_reader_close(reader);
	}
	if (fflush(stdout) || ferror(stdout)) {
		log_error("standard output: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	if (ret) {
		read_error_log(options.path, &error);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
