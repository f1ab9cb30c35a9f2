/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/symbol_table.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "common/vec.h"
#include "report/cfi_frames.h"

enum { UNSIZED_BYTES_MAX = 4096 }; /* as far as perf stretches a file's last symbol */

#define NO_SYMBOL UINT32_MAX

struct symbol_stretch {
	uint64_t start;	 /* up to the next one's start */
	uint32_t symbol; /* index; NO_SYMBOL: a gap */
};

VEC_DEFINE(stretch_vec, struct symbol_stretch)

struct symbol_table {
	const struct bundle_module *module;
	struct stretch_vec stretches;
};

struct open_symbol { /* a bundle_symbol with its range settled */
	uint64_t start;
	uint64_t end;
	uint32_t symbol;
	bool is_sized;
};

VEC_DEFINE(open_symbol_vec, struct open_symbol)

static const char *symbol_name(const struct bundle_module *module, uint32_t index)
{
	uint32_t name = module->symbols[index].name;

	return name < module->names_nr ? module->names + name : "";
}

/* -- which of several names -- */

static unsigned int underscores(const char *name)
{
	return (unsigned int)strspn(name, "_");
}

static unsigned int bind_rank(uint8_t bind)
{
	switch (bind) {
	case BUNDLE_SYMBOL_GLOBAL:
		return 0;
	case BUNDLE_SYMBOL_LOCAL:
		return 1;
	default:
		return 2;
	}
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Negative: @a is the better name for the address where both begin. */
static int compare_names(const struct bundle_module *module, const struct open_symbol *a,
			 const struct open_symbol *b)
{
	const char *a_name = symbol_name(module, a->symbol);
	const char *b_name = symbol_name(module, b->symbol);
	int order = compare_numbers(!a->is_sized, !b->is_sized);

	if (!order)
		order = compare_numbers(bind_rank(module->symbols[a->symbol].bind),
					bind_rank(module->symbols[b->symbol].bind));
	if (!order)
		order = compare_numbers(strchr(a_name, '.') != NULL, strchr(b_name, '.') != NULL);
	if (!order)
		order = compare_numbers(b->end, a->end);
	if (!order)
		order = compare_numbers(underscores(a_name), underscores(b_name));
	if (!order)
		order = compare_numbers(strlen(b_name), strlen(a_name));
	if (!order)
		order = compare_numbers(a->symbol, b->symbol);
	return order;
}

/* By start; of one start the best name last, so that it comes to lie on top. */
static int compare_open_symbols(const void *a, const void *b, void *module)
{
	const struct open_symbol *left = a;
	const struct open_symbol *right = b;
	int order = compare_numbers(left->start, right->start);

	return order ? order : compare_names(module, right, left);
}

static bool are_by_start(const struct open_symbol_vec *symbols)
{
	for (size_t i = 1; i < symbols->nr; i++) {
		if (symbols->items[i - 1].start > symbols->items[i].start)
			return false;
	}
	return true;
}

static void sort_range(const struct bundle_module *module, struct open_symbol_vec *symbols,
		       size_t first, size_t end)
{
	if (end - first > 1)
		qsort_r(&symbols->items[first], end - first, sizeof(*symbols->items),
			compare_open_symbols, (void *)module);
}

/* Bundles have them by address: only those of one start are left to put in order. */
static void sort_open_symbols(const struct bundle_module *module, struct open_symbol_vec *symbols)
{
	size_t first = 0;

	if (!are_by_start(symbols)) {
		sort_range(module, symbols, 0, symbols->nr);
		return;
	}
	for (size_t i = 1; i <= symbols->nr; i++) {
		if (i < symbols->nr && symbols->items[i].start == symbols->items[first].start)
			continue;
		sort_range(module, symbols, first, i);
		first = i;
	}
}

/* -- how far a symbol reaches -- */

/* End of the code segment around @vaddr, 0 outside of all. */
static uint64_t code_end(const struct bundle_module *module, uint64_t vaddr)
{
	for (uint32_t i = 0; i < module->segments_nr; i++) {
		const struct bundle_segment *segment = &module->segments[i];

		if ((segment->flags & PF_X) && vaddr >= segment->vaddr &&
		    vaddr - segment->vaddr < segment->memory_bytes)
			return segment->vaddr + segment->memory_bytes;
	}
	return module->segments_nr ? 0 : UINT64_MAX;
}

/* Hand-written assembly often has no size: up to the next symbol, but not out of its FDE. */
static void settle_unsized(const struct cfi_frames *frames, struct open_symbol *symbol,
			   uint64_t next_start)
{
	struct cfi_fde fde;
	uint64_t end = cfi_frames_find(frames, symbol->start, &fde) == 0
			   ? fde.end
			   : cfi_frames_next_start(frames, symbol->start);

	if (next_start < end)
		end = next_start;
	if (end < symbol->end)
		symbol->end = end;
}

static void settle_all_unsized(const struct cfi_frames *frames, struct open_symbol_vec *symbols)
{
	uint64_t next_start = UINT64_MAX;

	for (size_t i = symbols->nr; i-- > 0;) {
		struct open_symbol *symbol = &symbols->items[i];

		if (i + 1 < symbols->nr && symbol[1].start > symbol->start)
			next_start = symbol[1].start;
		if (!symbol->is_sized)
			settle_unsized(frames, symbol, next_start);
	}
}

static void scan_and_settle(const struct bundle_module *module, struct open_symbol_vec *symbols)
{
	struct cfi_frames frames = {0};

	/* Without FDEs, or memory for them, only the next symbol bounds it. */
	if (cfi_frames_scan(module, &frames))
		frames = (struct cfi_frames){0};
	settle_all_unsized(&frames, symbols);
	cfi_frames_deinit(&frames);
}

static int collect(const struct bundle_module *module, const struct cfi_frames *frames,
		   struct open_symbol_vec *ret)
{
	bool has_unsized = false;
	int error = 0;

	for (uint32_t i = 0; !error && i < module->symbols_nr; i++) {
		const struct bundle_symbol *symbol = &module->symbols[i];
		uint64_t end = code_end(module, symbol->vaddr);
		uint64_t bytes = symbol->bytes ? symbol->bytes : UNSIZED_BYTES_MAX;

		if (end <= symbol->vaddr || symbol_name(module, i)[0] == '\0')
			continue;
		if (bytes < end - symbol->vaddr)
			end = symbol->vaddr + bytes;
		has_unsized |= symbol->bytes == 0;
		error = open_symbol_vec_append(
		    ret, (struct open_symbol){symbol->vaddr, end, i, symbol->bytes != 0});
	}
	if (error)
		return error;
	sort_open_symbols(module, ret);
	if (has_unsized && frames)
		settle_all_unsized(frames, ret);
	else if (has_unsized)
		scan_and_settle(module, ret);
	return 0;
}

/* -- stretches -- */

static int table_begin_stretch(struct symbol_table *table, uint64_t start, uint32_t symbol)
{
	struct stretch_vec *stretches = &table->stretches;

	if (stretches->nr && stretches->items[stretches->nr - 1].start == start)
		stretches->nr--;
	if (stretches->nr && stretches->items[stretches->nr - 1].symbol == symbol)
		return 0;
	return stretch_vec_append(stretches, (struct symbol_stretch){start, symbol});
}

/* Symbols that end at or below @limit give way to those they lay in. */
static int table_close_up_to(struct symbol_table *table, struct open_symbol_vec *open,
			     uint64_t limit)
{
	int error = 0;

	while (!error && open->nr && open->items[open->nr - 1].end <= limit) {
		uint64_t end = open->items[open->nr - 1].end;

		while (open->nr && open->items[open->nr - 1].end <= end)
			open->nr--;
		error = table_begin_stretch(
		    table, end, open->nr ? open->items[open->nr - 1].symbol : NO_SYMBOL);
	}
	return error;
}

static int table_flatten(struct symbol_table *table, const struct open_symbol_vec *symbols)
{
	struct open_symbol_vec open = {0};
	int error = 0;

	for (size_t i = 0; !error && i < symbols->nr; i++) {
		const struct open_symbol *symbol = &symbols->items[i];

		error = table_close_up_to(table, &open, symbol->start);
		if (!error)
			error = open_symbol_vec_append(&open, *symbol);
		if (!error)
			error = table_begin_stretch(table, symbol->start, symbol->symbol);
	}
	if (!error)
		error = table_close_up_to(table, &open, UINT64_MAX);
	open_symbol_vec_deinit(&open);
	return error;
}

int symbol_table_create_with(const struct bundle_module *module, const struct cfi_frames *frames,
			     struct symbol_table **ret)
{
	struct symbol_table *table = calloc(1, sizeof(*table));
	struct open_symbol_vec symbols = {0};
	int error;

	if (!table)
		return -ENOMEM;
	table->module = module;
	error = collect(module, frames, &symbols);
	if (!error)
		error = table_flatten(table, &symbols);
	open_symbol_vec_deinit(&symbols);
	if (error) {
		symbol_table_destroy(table);
		return error;
	}
	*ret = table;
	return 0;
}

int symbol_table_create(const struct bundle_module *module, struct symbol_table **ret)
{
	return symbol_table_create_with(module, NULL, ret);
}

void symbol_table_destroy(struct symbol_table *table)
{
	if (!table)
		return;
	stretch_vec_deinit(&table->stretches);
	free(table);
}

/* Stretch around @vaddr; -1 below all. */
static int64_t table_find_stretch(const struct symbol_table *table, uint64_t vaddr)
{
	const struct symbol_stretch *items = table->stretches.items;
	size_t low = 0;
	size_t nr = table->stretches.nr;

	if (nr == 0 || vaddr < items[0].start)
		return -1;
	/* Without a branch to guess wrong: addresses come in no order. */
	while (nr > 1) {
		size_t half = nr / 2;

		low += items[low + half].start <= vaddr ? half : 0;
		nr -= half;
	}
	return (int64_t)low;
}

int symbol_table_find(const struct symbol_table *table, uint64_t vaddr, struct symbol *ret)
{
	int64_t stretch = table_find_stretch(table, vaddr);
	uint32_t index = stretch < 0 ? NO_SYMBOL : table->stretches.items[stretch].symbol;

	if (index == NO_SYMBOL)
		return -ENOENT;
	*ret = (struct symbol){
	    .name = symbol_name(table->module, index),
	    .vaddr = table->module->symbols[index].vaddr,
	    .bytes = table->module->symbols[index].bytes,
	};
	return 0;
}
