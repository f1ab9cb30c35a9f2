/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/kernel_symbols.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "common/bytes.h"
#include "common/kallsyms.h"
#include "common/proc_text.h"
#include "common/vec.h"
#include "format/bundle.h"
#include "format/writer.h"

VEC_DEFINE(kernel_symbol_vec, struct bundle_kernel_symbol)

static int hits_resolve(const struct kallsyms *all, const struct address_set *hits,
			struct kernel_symbol_vec *ret, struct u64_vec *ends)
{
	auto_free uint64_t *addresses = NULL;
	const struct kallsym *latest = NULL;
	int error = address_set_sorted(hits, &addresses);

	for (size_t i = 0; !error && i < hits->nr; i++) {
		uint64_t end;
		const struct kallsym *found = kallsyms_find(all, addresses[i], &end);

		if (!found || found == latest)
			continue;
		latest = found;
		error = kernel_symbol_vec_append(
		    ret, (struct bundle_kernel_symbol){.address = found->address,
						       .name = found->name,
						       .module = found->module});
		if (!error)
			error = u64_vec_append(ends, end);
	}
	return error;
}

int kernel_symbols_bundle(const struct address_set *hits, struct strbuf *out, uint32_t *nr)
{
	auto_free char *text = NULL;
	struct kallsyms all = {0};
	struct kernel_symbol_vec hit = {0};
	struct u64_vec ends = {0};
	size_t text_nr;
	int error;

	*nr = 0;
	if (hits->nr == 0 || proc_file_read("/proc/kallsyms", &text, &text_nr))
		return 0;
	error = kallsyms_parse(text, &all);
	if (!error)
		error = hits_resolve(&all, hits, &hit, &ends);
	if (!error && hit.nr) {
		error = bundle_add_kernel_symbols(out, hit.items, ends.items, (uint32_t)hit.nr);
		*nr = (uint32_t)hit.nr;
	}
	kallsyms_deinit(&all);
	kernel_symbol_vec_deinit(&hit);
	u64_vec_deinit(&ends);
	return error;
}

int kernel_map_record(struct record *ret)
{
	auto_close_file FILE *file = fopen("/proc/kallsyms", "re");
	uint64_t start = 0, end = 0;
	char line[512];

	while (file && fgets(line, sizeof(line), file) && (!start || !end)) {
		struct kallsym symbol;

		line[strcspn(line, "\n")] = '\0';
		if (kallsyms_parse_line(line, &symbol))
			continue;
		if (!start && strcmp(symbol.name, "_text") == 0)
			start = symbol.address;
		else if (strcmp(symbol.name, "_etext") == 0)
			end = symbol.address;
	}
	if (!start || end <= start)
		return -ENOENT;
	*ret = (struct record){
	    .type = PERF_RECORD_MMAP2,
	    .misc = PERF_RECORD_MISC_KERNEL,
	    .id = {.pid = UINT32_MAX, .tid = 0, .id = PERF_WRITER_EVENT_ID},
	    .mmap = {.pid = UINT32_MAX,
		     .start = start,
		     .bytes = end - start,
		     .file_offset = start,
		     .prot = PROT_READ | PROT_EXEC,
		     .path = "[kernel.kallsyms]_text"},
	};
	return 0;
}

uint8_t kernel_build_id(uint8_t build_id[20])
{
	auto_free char *notes = NULL;
	struct bytes_cursor cursor;
	size_t nr;

	if (proc_file_read("/sys/kernel/notes", &notes, &nr))
		return 0;
	cursor = bytes_cursor_make(notes, nr);
	while (bytes_left(&cursor) >= sizeof(Elf64_Nhdr)) {
		uint32_t name_nr = bytes_get_u32(&cursor);
		uint32_t note_nr = bytes_get_u32(&cursor);
		uint32_t type = bytes_get_u32(&cursor);
		const uint8_t *name = bytes_take(&cursor, (name_nr + 3) & ~3U);
		const uint8_t *note = bytes_take(&cursor, (note_nr + 3) & ~3U);

		if (!name || !note)
			break;
		if (type == NT_GNU_BUILD_ID && name_nr == 4 && memcmp(name, "GNU", 4) == 0 &&
		    note_nr <= 20) {
			memset(build_id, 0, 20);
			memcpy(build_id, note, note_nr);
			return (uint8_t)note_nr;
		}
	}
	return 0;
}
