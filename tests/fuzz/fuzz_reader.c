/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Any bytes as a recording: read, decode, print and unpack all that is in them. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/bundle.h"
#include "format/reader.h"

/* A bomb within its limits takes the machine seconds: enough is enough. */
enum { RECORDS_MAX = 20000 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t nr);

static void bundle_take_apart(const uint8_t *bytes, uint64_t nr)
{
	struct bundle_kernel_symbol symbol;
	struct bundle *bundle;

	if (!bytes || bundle_open(bytes, nr, &bundle))
		return;
	for (uint32_t i = 0; i < bundle_modules_nr(bundle) && i < 100; i++) {
		const struct bundle_module *module;
		const struct bundle_entry entry = bundle_module_entry(bundle, i);

		if (bundle_find(bundle, entry.build_id, entry.build_id_nr, entry.path) < 0)
			abort();
		if (bundle_load(bundle, i, &module))
			continue;
		for (uint32_t k = 0; k < module->symbols_nr; k++)
			if (module->symbols[k].name >= module->names_nr)
				abort();
	}
	if (bundle_kernel_symbol(bundle, 0xffffffff81000000, &symbol) == 0 && !symbol.name)
		abort();
	bundle_close(bundle);
}

static void records_take_apart(struct perf_reader *reader, FILE *out)
{
	struct raw_record raw;
	struct read_error error;

	for (int i = 0; i < RECORDS_MAX && perf_reader_next(reader, &raw, &error) > 0; i++) {
		rewind(out);
		record_print(out, raw.header, raw.header->size, &raw.event->layout,
			     raw.file_offset);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t nr)
{
	struct perf_reader *reader;
	struct read_error error;
	char path[64];
	const int fd = memfd_create("recording", MFD_CLOEXEC);
	FILE *out = fopen("/dev/null", "we");
	uint64_t bundle_nr;

	if (fd < 0 || !out || write(fd, bytes, nr) != (ssize_t)nr)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (perf_reader_open(path, &reader, &error) == 0) {
		records_take_apart(reader, out);
		bundle_take_apart(perf_reader_bundle(reader, &bundle_nr), bundle_nr);
		perf_reader_close(reader);
	}
	bundle_take_apart(bytes, nr);
	fclose(out);
	close(fd);
	return 0;
}
