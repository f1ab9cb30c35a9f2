/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/cfi_table.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "common/hash.h"
#include "common/vec.h"
#include "report/cfi_rule.h"

enum {
	PAGE_SHIFT_MIN = 8, /* 256 bytes of code: about five rows */
	RULES_MAX = UINT16_MAX,
	RULE_NONE = 0,
	RULE_EXPRESSION = 1, /* without a state: what goes beyond RULES_MAX or STATES_MAX */
	STATES_MAX = 4096,
	SLOTS_NR_MIN = 1024,
};

/* Packed: a look-up touches one cache line of rows. */
struct cfi_row {
	uint32_t start; /* above base */
	uint16_t rule;
} __attribute__((packed));

_Static_assert(sizeof(struct cfi_row) == 6, "rows are counted in hundreds of thousands");

struct cfi_table {
	uint64_t base;	 /* vaddr */
	uint64_t bytes;	 /* of code from base to the last row, which is no rule's */
	uint32_t *pages; /* last row that starts at or below the page's first byte */
	struct cfi_row *rows;
	struct cfi_rule *rules;
	struct cfi_state *states; /* of rules that need an evaluator */
	const uint8_t *section;
	unsigned int page_shift;
	size_t pages_nr;
	size_t rows_nr;
	size_t rows_capacity;
	size_t rules_nr;
	size_t rules_capacity;
	size_t states_nr;
	size_t states_capacity;
	struct cfi_table_stats stats;
};

struct cfi_builder {
	struct cfi_table *table;
	struct cfi_frames frames;
	const struct cfi_cie *cie;  /* of the FDE in work */
	struct cfi_state *initials; /* by CIE */
	uint16_t *slots;	    /* hash of rule -> its id; 0: free */
	size_t slots_nr;
};

/* -- distinct rules -- */

static size_t builder_slot(const struct cfi_builder *builder, const struct cfi_rule *rule)
{
	size_t mask = builder->slots_nr - 1;
	size_t slot = hash_bytes(rule, sizeof(*rule), 0) & mask;

	while (builder->slots[slot] &&
	       memcmp(&builder->table->rules[builder->slots[slot]], rule, sizeof(*rule)) != 0)
		slot = (slot + 1) & mask;
	return slot;
}

static int builder_grow_slots(struct cfi_builder *builder)
{
	struct cfi_table *table = builder->table;
	size_t nr = builder->slots_nr ? builder->slots_nr * 4 : SLOTS_NR_MIN;
	uint16_t *slots = calloc(nr, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	free(builder->slots);
	builder->slots = slots;
	builder->slots_nr = nr;
	for (size_t i = 1; i < table->rules_nr; i++)
		slots[builder_slot(builder, &table->rules[i])] = (uint16_t)i;
	return 0;
}

static int builder_append_rule(struct cfi_builder *builder, const struct cfi_rule *rule)
{
	struct cfi_table *table = builder->table;
	int error = vec_grow((void **)&table->rules, &table->rules_capacity, table->rules_nr + 1,
			     sizeof(*rule));

	if (!error)
		table->rules[table->rules_nr++] = *rule;
	return error;
}

static int builder_intern(struct cfi_builder *builder, const struct cfi_rule *rule, uint16_t *ret)
{
	size_t slot = builder_slot(builder, rule);
	int error;

	if (builder->slots[slot]) {
		*ret = builder->slots[slot];
		return 0;
	}
	if (builder->table->rules_nr == RULES_MAX) {
		*ret = RULE_EXPRESSION;
		return 0;
	}
	if (builder->table->rules_nr * 2 >= builder->slots_nr) {
		error = builder_grow_slots(builder);
		if (error)
			return error;
		slot = builder_slot(builder, rule);
	}
	*ret = (uint16_t)builder->table->rules_nr;
	error = builder_append_rule(builder, rule);
	if (!error)
		builder->slots[slot] = *ret;
	return error;
}

/* -- rows -- */

static int builder_append_row(struct cfi_builder *builder, uint64_t vaddr, uint16_t rule)
{
	struct cfi_table *table = builder->table;
	struct cfi_row row = {(uint32_t)(vaddr - table->base), rule};
	int error;

	/* Takes the place of the gap that the FDE before was ended with. */
	if (table->rows_nr && table->rows[table->rows_nr - 1].start == row.start)
		table->rows_nr--;
	if (table->rows_nr && table->rows[table->rows_nr - 1].rule == rule)
		return 0;
	error = vec_grow((void **)&table->rows, &table->rows_capacity, table->rows_nr + 1,
			 sizeof(row));
	if (!error)
		table->rows[table->rows_nr++] = row;
	return error;
}

static int builder_add_state(struct cfi_builder *builder, const struct cfi_state *state,
			     struct cfi_rule *rule)
{
	struct cfi_table *table = builder->table;
	int error;

	rule->cfa_offset = -1;
	if (table->states_nr == STATES_MAX)
		return 0;
	error = vec_grow((void **)&table->states, &table->states_capacity, table->states_nr + 1,
			 sizeof(*state));
	if (error)
		return error;
	rule->cfa_offset = (int32_t)table->states_nr;
	table->states[table->states_nr++] = *state;
	return 0;
}

static int builder_visit_row(void *context, uint64_t start, const struct cfi_state *state)
{
	struct cfi_builder *builder = context;
	struct cfi_rule rule;
	uint16_t id;
	int error = cfi_rule_compile(&builder->frames, builder->cie, state, &rule);

	if (!error && rule.kind == CFI_RULE_EXPRESSION)
		error = builder_add_state(builder, state, &rule);
	if (!error)
		error = builder_intern(builder, &rule, &id);
	if (!error)
		error = builder_append_row(builder, start, id);
	return error;
}

/* End of what @fde says: where the next one begins, if that is before its own end. */
static uint64_t fde_end(const struct cfi_frames *frames, size_t index)
{
	const struct cfi_fde *fde = &frames->fdes[index];

	if (index + 1 < frames->fdes_nr && fde[1].start < fde->end)
		return fde[1].start;
	return fde->end;
}

static int builder_add_fde(struct cfi_builder *builder, size_t index)
{
	struct cfi_table *table = builder->table;
	const struct cfi_fde *fde = &builder->frames.fdes[index];
	uint64_t end = fde_end(&builder->frames, index);
	size_t rows_nr = table->rows_nr;
	struct cfi_row last = rows_nr ? table->rows[rows_nr - 1] : (struct cfi_row){0};
	int error;

	if (end == fde->start)
		return 0;
	if (end - table->base > UINT32_MAX) {
		table->stats.fdes_damaged_nr++;
		return 0;
	}
	builder->cie = &builder->frames.cies[fde->cie];
	error = cfi_program_run(&builder->frames, fde, &builder->initials[fde->cie], end,
				builder_visit_row, builder);
	if (error == -EBADMSG) {
		table->stats.fdes_damaged_nr++;
		table->rows_nr = rows_nr;
		if (rows_nr)
			table->rows[rows_nr - 1] = last;
		return builder_append_row(builder, fde->start, RULE_NONE);
	}
	return error ? error : builder_append_row(builder, end, RULE_NONE);
}

static int builder_run_cies(struct cfi_builder *builder)
{
	struct cfi_frames *frames = &builder->frames;

	builder->initials = calloc(frames->cies_nr + 1, sizeof(*builder->initials));
	if (!builder->initials)
		return -ENOMEM;
	for (size_t i = 0; i < frames->cies_nr; i++) {
		struct cfi_cie *cie = &frames->cies[i];

		if (!cie->is_damaged && cfi_program_initial(frames, cie, &builder->initials[i]))
			builder->initials[i].cfa_register =
			    CFI_CFA_UNSET; /* then no FDE compiles */
	}
	return 0;
}

static int builder_add_fixed_rules(struct cfi_builder *builder)
{
	static const struct cfi_rule none = {.kind = CFI_RULE_NONE};
	static const struct cfi_rule expression = {.kind = CFI_RULE_EXPRESSION, .cfa_offset = -1};
	int error = builder_append_rule(builder, &none);

	if (!error)
		error = builder_append_rule(builder, &expression);
	if (!error)
		error = builder_grow_slots(builder);
	return error;
}

static int builder_add_rows(struct cfi_builder *builder)
{
	int error = builder_add_fixed_rules(builder);

	if (!error)
		error = builder_run_cies(builder);
	if (builder->frames.fdes_nr)
		builder->table->base = builder->frames.fdes[0].start;
	for (size_t i = 0; !error && i < builder->frames.fdes_nr; i++)
		error = builder_add_fde(builder, i);
	return error;
}

/* -- index of pages -- */

/* Sparse code gets larger pages, so the index never outgrows the rows. */
static unsigned int choose_page_shift(const struct cfi_table *table)
{
	unsigned int shift = PAGE_SHIFT_MIN;

	while ((table->bytes >> shift) > table->rows_nr + 64)
		shift++;
	return shift;
}

static int table_index_pages(struct cfi_table *table)
{
	size_t row = 0;

	table->bytes = table->rows_nr ? table->rows[table->rows_nr - 1].start : 0;
	table->page_shift = choose_page_shift(table);
	table->pages_nr = (table->bytes >> table->page_shift) + 2;
	table->pages = calloc(table->pages_nr, sizeof(*table->pages));
	if (!table->pages)
		return -ENOMEM;
	for (size_t page = 0; page < table->pages_nr; page++) {
		uint64_t start = (uint64_t)page << table->page_shift;

		while (row + 1 < table->rows_nr && table->rows[row + 1].start <= start)
			row++;
		table->pages[page] = (uint32_t)row;
	}
	return 0;
}

static void table_shrink(struct cfi_table *table)
{
	struct cfi_row *rows = reallocarray(table->rows, table->rows_nr + 1, sizeof(*rows));
	struct cfi_rule *rules = reallocarray(table->rules, table->rules_nr, sizeof(*rules));

	if (rows)
		table->rows = rows;
	if (rules)
		table->rules = rules;
}

static void table_count(struct cfi_table *table, const struct cfi_frames *frames)
{
	struct cfi_table_stats *stats = &table->stats;

	stats->fdes_nr = (uint32_t)frames->fdes_nr;
	stats->fdes_damaged_nr += frames->damaged_nr;
	stats->rows_nr = (uint32_t)table->rows_nr;
	stats->rules_nr = (uint32_t)table->rules_nr;
	for (size_t i = 0; i < table->rows_nr; i++)
		stats->expression_rows_nr += table->rules[table->rows[i].rule].kind ==
					     CFI_RULE_EXPRESSION;
	stats->bytes = sizeof(*table) + table->rows_nr * sizeof(*table->rows) +
		       table->rules_nr * sizeof(*table->rules) +
		       table->pages_nr * sizeof(*table->pages) +
		       table->states_nr * sizeof(*table->states);
}

int cfi_table_create(const struct bundle_module *module, struct cfi_table **ret)
{
	struct cfi_builder builder = {0};
	int error = cfi_frames_scan(module, &builder.frames);

	if (error)
		return error;
	builder.table = calloc(1, sizeof(*builder.table));
	if (builder.table)
		builder.table->section = builder.frames.section;
	error = builder.table ? builder_add_rows(&builder) : -ENOMEM;
	if (!error)
		error = table_index_pages(builder.table);
	if (!error) {
		table_shrink(builder.table);
		table_count(builder.table, &builder.frames);
		*ret = no_free_ptr(builder.table);
	}
	cfi_table_destroy(builder.table);
	free(builder.initials);
	free(builder.slots);
	cfi_frames_deinit(&builder.frames);
	return error;
}

void cfi_table_destroy(struct cfi_table *table)
{
	if (!table)
		return;
	free(table->pages);
	free(table->rows);
	free(table->rules);
	free(table->states);
	free(table);
}

static size_t table_find_row(const struct cfi_table *table, uint32_t offset)
{
	size_t page = offset >> table->page_shift;
	size_t low = table->pages[page];
	size_t high = table->pages[page + 1];

	while (low < high) {
		size_t middle = low + (high - low + 1) / 2;

		if (table->rows[middle].start <= offset)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

const struct cfi_rule *cfi_table_find(const struct cfi_table *table, uint64_t vaddr)
{
	uint64_t offset = vaddr - table->base;

	if (offset >= table->bytes)
		return &table->rules[RULE_NONE];
	return &table->rules[table->rows[table_find_row(table, (uint32_t)offset)].rule];
}

const struct cfi_state *cfi_table_state(const struct cfi_table *table, const struct cfi_rule *rule,
					const uint8_t **section)
{
	*section = table->section;
	return rule->cfa_offset < 0 ? NULL : &table->states[rule->cfa_offset];
}

struct cfi_table_stats cfi_table_get_stats(const struct cfi_table *table)
{
	return table->stats;
}
