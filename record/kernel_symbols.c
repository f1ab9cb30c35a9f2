/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/kernel_symbols.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "common/bytes.h"
#include "common/proc_text.h"
#include "common/vec.h"
#include "format/bundle.h"
#include "format/writer.h"

VEC_DEFINE(kernel_symbol_vec, struct bundle_kernel_symbol)

/* "ffffffff81000000 T _text\t[module]"; names point into the line, which is cut up. */
static int kallsyms_parse(char *line, char *type, struct bundle_kernel_symbol *ret)
{
	char *at;
	unsigned long long address = strtoull(line, &at, 16);
	char *module;

	if (at == line || *at != ' ' || !at[1] || at[2] != ' ' || address == 0)
		return -ENOENT;
	*type = at[1];
	ret->address = address;
	ret->name = at + 3;
	ret->module = "";
	module = strchr(at + 3, '\t');
	if (module) {
		*module++ = '\0';
		if (*module == '[')
			module++;
		module[strcspn(module, "]")] = '\0';
		ret->module = module;
	}
	return 0;
}

/* Functions only, sorted. @text is cut up and must outlive @ret. */
static int kallsyms_collect(char *text, struct kernel_symbol_vec *ret)
{
	char *line;

	while ((line = strsep(&text, "\n")) != NULL) {
		struct bundle_kernel_symbol symbol;
		char type;

		if (kallsyms_parse(line, &type, &symbol) || !strchr("tTwW", type))
			continue;
		if (kernel_symbol_vec_append(ret, symbol))
			return -ENOMEM;
	}
	return 0;
}

/* At one address the global name comes first, as in the file: the sort must be stable. */
static int symbol_compare(const void *a, const void *b)
{
	const struct bundle_kernel_symbol *left = a;
	const struct bundle_kernel_symbol *right = b;

	if (left->address != right->address)
		return left->address < right->address ? -1 : 1;
	return left->name < right->name ? -1 : left->name > right->name;
}

/* Index of the last symbol at or below @address, or -1. */
static int64_t symbol_find(const struct kernel_symbol_vec *symbols, uint64_t address)
{
	size_t low = 0;
	size_t high = symbols->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbols->items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* The first of several names of one address. */
	while (low > 1 && symbols->items[low - 2].address == symbols->items[low - 1].address)
		low--;
	return (int64_t)low - 1;
}

static uint64_t symbol_end(const struct kernel_symbol_vec *symbols, size_t index)
{
	uint64_t start = symbols->items[index].address;

	while (index < symbols->nr && symbols->items[index].address == start)
		index++;
	return index < symbols->nr ? symbols->items[index].address : start + 4096;
}

static int hits_resolve(const struct kernel_symbol_vec *all, const struct address_set *hits,
			struct kernel_symbol_vec *ret, struct u64_vec *ends)
{
	auto_free uint64_t *addresses = NULL;
	int64_t latest = -1;
	int error = address_set_sorted(hits, &addresses);

	for (size_t i = 0; !error && i < hits->nr; i++) {
		int64_t index = symbol_find(all, addresses[i]);

		if (index < 0 || index == latest)
			continue;
		latest = index;
		error = kernel_symbol_vec_append(ret, all->items[index]);
		if (!error)
			error = u64_vec_append(ends, symbol_end(all, (size_t)index));
	}
	return error;
}

int kernel_symbols_bundle(const struct address_set *hits, struct strbuf *out, uint32_t *nr)
{
	auto_free char *text = NULL;
	struct kernel_symbol_vec all = {0};
	struct kernel_symbol_vec hit = {0};
	struct u64_vec ends = {0};
	size_t text_nr;
	int error;

	*nr = 0;
	if (hits->nr == 0 || proc_file_read("/proc/kallsyms", &text, &text_nr))
		return 0;
	error = kallsyms_collect(text, &all);
	if (!error && all.nr)
		qsort(all.items, all.nr, sizeof(*all.items), symbol_compare);
	if (!error)
		error = hits_resolve(&all, hits, &hit, &ends);
	if (!error && hit.nr) {
		error = bundle_add_kernel_symbols(out, hit.items, ends.items, (uint32_t)hit.nr);
		*nr = (uint32_t)hit.nr;
	}
	kernel_symbol_vec_deinit(&all);
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
		struct bundle_kernel_symbol symbol;
		char type;

		line[strcspn(line, "\n")] = '\0';
		if (kallsyms_parse(line, &type, &symbol))
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
