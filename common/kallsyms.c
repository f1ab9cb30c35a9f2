/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "common/kallsyms.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* kallsyms has no sizes: the last function is taken to be a page at most. */
enum { LAST_SYMBOL_BYTES = 4096 };

/*
 * Global before local before weak, then the fewer underscores, as perf means to choose (perf 6.1
 * takes the last listed one after all, for the others seem to be empty to it). Last the aliases for
 * code that runs before the kernel is mapped (SYM_PI_ALIAS): __pi_memset is memset.
 */
static uint8_t name_rank(char type, const char *name)
{
	enum { UNDERSCORES_MAX = 30 };
	const bool is_early_alias = strncmp(name, "__pi_", 5) == 0;
	const size_t underscores = strspn(name, "_");
	uint8_t rank = type == 'T' ? 128 : type == 't' ? 64 : 0;

	if (!is_early_alias)
		rank |= 32;
	if (underscores < UNDERSCORES_MAX)
		rank |= (uint8_t)(UNDERSCORES_MAX - underscores);
	return rank;
}

int kallsyms_parse_line(char *line, struct kallsym *ret)
{
	char *at;
	const unsigned long long address = strtoull(line, &at, 16);
	char *name, *module;

	if (at == line || *at != ' ' || !at[1] || at[2] != ' ' || address == 0)
		return -ENOENT;
	name = at + 3;
	module = name + strcspn(name, "\t ");
	if (*module)
		*module++ = '\0';
	module += strspn(module, "\t [");
	module[strcspn(module, "] \t")] = '\0';
	*ret = (struct kallsym){.address = address,
				.name = name,
				.module = module,
				.type = at[1],
				.rank = name_rank(at[1], name)};
	return 0;
}

static int compare(const void *left, const void *right)
{
	const struct kallsym *a = left;
	const struct kallsym *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank > b->rank ? -1 : 1;
	return strcmp(a->name, b->name);
}

static void sort_and_keep_one_name_each(struct kallsyms *symbols)
{
	size_t kept_nr = 0;

	if (symbols->nr)
		qsort(symbols->items, symbols->nr, sizeof(*symbols->items), compare);
	for (size_t i = 0; i < symbols->nr; i++)
		if (i == 0 || symbols->items[i].address != symbols->items[kept_nr - 1].address)
			symbols->items[kept_nr++] = symbols->items[i];
	symbols->nr = kept_nr;
}

int kallsyms_parse(char *text, struct kallsyms *ret)
{
	char *line;

	*ret = (struct kallsyms){0};
	while ((line = strsep(&text, "\n")) != NULL) {
		struct kallsym symbol;

		if (kallsyms_parse_line(line, &symbol) || !strchr("TtWw", symbol.type))
			continue;
		if (kallsyms_append(ret, symbol)) {
			kallsyms_deinit(ret);
			return -ENOMEM;
		}
	}
	sort_and_keep_one_name_each(ret);
	return 0;
}

const struct kallsym *kallsyms_find(const struct kallsyms *symbols, uint64_t address, uint64_t *end)
{
	size_t low = 0;
	size_t high = symbols->nr;
	const struct kallsym *found;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (symbols->items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	found = &symbols->items[low - 1];
	*end = low < symbols->nr ? symbols->items[low].address : found->address + LAST_SYMBOL_BYTES;
	return address < *end ? found : NULL;
}
