/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/kernel_symbols.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "common/proc_text.h"
#include "common/vec.h"

#define KERNEL_MAP_PREFIX "[kernel.kallsyms]"

/* Further from the last symbol than this an address has no name: kallsyms has no sizes. */
enum { LAST_SYMBOL_BYTES = 4096 };

void kernel_symbols_init(struct kernel_symbols *symbols, const struct bundle *bundle,
			 const char *os_release, bool use_local_files)
{
	*symbols = (struct kernel_symbols){
	    .bundle = bundle, .os_release = os_release, .use_local_files = use_local_files};
}

void kernel_symbols_deinit(struct kernel_symbols *symbols)
{
	free(symbols->items);
	intern_deinit(&symbols->texts);
	*symbols = (struct kernel_symbols){0};
}

int kernel_symbols_take_map(struct kernel_symbols *symbols, const struct record_mmap *mmap)
{
	size_t nr = sizeof(KERNEL_MAP_PREFIX) - 1;

	if (mmap->pid != UINT32_MAX || strncmp(mmap->path, KERNEL_MAP_PREFIX, nr) != 0 ||
	    mmap->path[nr] == '\0')
		return 0;
	symbols->reference_name = intern_text(&symbols->texts, mmap->path + nr);
	/* perf's start may be rounded down; its offset field holds the symbol's own address. */
	symbols->reference_address = mmap->file_offset;
	return symbols->reference_name ? 0 : -ENOMEM;
}

/* As perf chooses among aliases: global, strong, fewer underscores. */
static uint8_t symbol_rank(char type, const char *name)
{
	uint8_t underscores = (uint8_t)strspn(name, "_");

	return (uint8_t)((type == 'T'	? 128
			  : type == 't' ? 64
					: 0) +
			 (underscores < 32 ? 32 - underscores : 0));
}

static bool type_is_function(char type)
{
	return type == 'T' || type == 't' || type == 'W' || type == 'w';
}

/* "ffffffff81000000 T _text" or "… t nf_hook\t[nf_tables]". */
static int kernel_symbols_take_line(struct kernel_symbols *symbols, char *line, bool *is_same_boot)
{
	struct local_kernel_symbol item = {0};
	char *name;
	char *module;
	char *end;
	int ret;

	item.symbol.address = strtoull(line, &end, 16);
	if (end == line || end[0] != ' ' || !end[1] || end[2] != ' ')
		return 0;
	name = end + 3;
	module = name + strcspn(name, "\t ");
	if (*module)
		*module++ = '\0';
	if (strcmp(name, symbols->reference_name) == 0)
		*is_same_boot = item.symbol.address == symbols->reference_address;
	if (!type_is_function(end[1]) || item.symbol.address == 0)
		return 0;
	module += strspn(module, "\t [");
	item.rank = symbol_rank(end[1], name);
	item.symbol.name = intern_text(&symbols->texts, name);
	item.symbol.module = intern_text_nr(&symbols->texts, module, strcspn(module, "] \t"));
	if (!item.symbol.name || !item.symbol.module)
		return -ENOMEM;
	ret = vec_grow((void **)&symbols->items, &symbols->capacity, symbols->nr + 1, sizeof(item));
	if (ret == 0)
		symbols->items[symbols->nr++] = item;
	return ret;
}

static int compare_symbols(const void *left, const void *right)
{
	const struct local_kernel_symbol *a = left;
	const struct local_kernel_symbol *b = right;

	if (a->symbol.address != b->symbol.address)
		return a->symbol.address < b->symbol.address ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank > b->rank ? -1 : 1;
	return strcmp(a->symbol.name, b->symbol.name);
}

static void kernel_symbols_sort(struct kernel_symbols *symbols)
{
	size_t kept_nr = 0;

	if (symbols->nr)
		qsort(symbols->items, symbols->nr, sizeof(*symbols->items), compare_symbols);
	for (size_t i = 0; i < symbols->nr; i++)
		if (i == 0 ||
		    symbols->items[i].symbol.address != symbols->items[kept_nr - 1].symbol.address)
			symbols->items[kept_nr++] = symbols->items[i];
	symbols->nr = kept_nr;
}

int kernel_symbols_load(struct kernel_symbols *symbols, char *text)
{
	bool is_same_boot = false;
	char *line;
	int ret = 0;

	while (ret == 0 && (line = strsep(&text, "\n")) != NULL)
		ret = kernel_symbols_take_line(symbols, line, &is_same_boot);
	if (ret || !is_same_boot)
		symbols->nr = 0;
	kernel_symbols_sort(symbols);
	return ret ? ret : is_same_boot ? 0 : -ENOENT;
}

static int kernel_symbols_load_local(struct kernel_symbols *symbols)
{
	auto_free char *text = NULL;
	struct utsname here;
	size_t nr;
	int ret;

	symbols->is_loaded = true;
	if (symbols->bundle || !symbols->use_local_files || !symbols->reference_address ||
	    !symbols->os_release || uname(&here) || strcmp(here.release, symbols->os_release) != 0)
		return 0;
	if (proc_file_read("/proc/kallsyms", &text, &nr))
		return 0;
	ret = kernel_symbols_load(symbols, text);
	return ret == -ENOMEM ? ret : 0;
}

static int kernel_symbols_find_local(const struct kernel_symbols *symbols, uint64_t address,
				     struct bundle_kernel_symbol *ret)
{
	size_t low = 0;
	size_t high = symbols->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbols->items[middle].symbol.address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return -ENOENT;
	if (low == symbols->nr &&
	    address - symbols->items[low - 1].symbol.address >= LAST_SYMBOL_BYTES)
		return -ENOENT;
	*ret = symbols->items[low - 1].symbol;
	return 0;
}

int kernel_symbols_find(struct kernel_symbols *symbols, uint64_t address,
			struct bundle_kernel_symbol *ret)
{
	if (symbols->bundle)
		return bundle_kernel_symbol(symbols->bundle, address, ret);
	if (!symbols->is_loaded) {
		int error = kernel_symbols_load_local(symbols);

		if (error)
			return error;
	}
	return kernel_symbols_find_local(symbols, address, ret);
}
