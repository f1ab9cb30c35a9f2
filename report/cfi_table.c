/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/cfi_table.h"

#include <errno.h>
#include <string.h>

#include "common/chunks.h"
#include "common/hash.h"
#include "common/vec.h"
#include "report/cfi_rule.h"

enum {
	PAGE_SHIFT_MIN = 8, /* 256 bytes of code: one or two functions */
	RULES_MAX = UINT16_MAX,
	RULE_NONE = 0,
	RULE_EXPRESSION = 1, /* without a state: what goes beyond RULES_MAX or STATES_MAX */
	STATES_MAX = 4096,
	SLOTS_NR_MIN = 256,
};

/* Packed: a look-up touches one cache line of rows. */
struct cfi_row {
	uint32_t start; /* above base */
	uint16_t rule;
} __attribute__((packed));

_Static_assert(sizeof(struct cfi_row) == 6, "rows are counted in hundreds of thousands");

struct cfi_row_span { /* rows of one FDE */
	uint32_t first;
	uint32_t nr; /* 0: not compiled yet */
};

/* What grows with the look-ups. */
struct cfi_compiler {
	const struct cfi_table *table;
	struct cfi_row *rows; /* FDE by FDE, in the order of the look-ups */
	size_t rows_nr;
	size_t rows_capacity;
	struct chunks rules;	    /* handed out, and states too: neither may move */
	struct chunks states;	    /* of rules that need an evaluator */
	struct cfi_state *initials; /* by CIE */
	uint16_t *slots;	    /* hash of rule -> its id; 0: free */
	size_t slots_nr;
	uint32_t fdes_damaged_nr;
	bool is_out_of_memory;

	/* The FDE in work. */
	const struct cfi_cie *cie;
	uint32_t first_row;
};

struct cfi_table {
	uint64_t base;	 /* vaddr */
	uint64_t bytes;	 /* of code from base to the end of the last FDE */
	uint32_t *pages; /* last FDE that starts at or below the page's first byte */
	unsigned int page_shift;
	size_t pages_nr;
	struct cfi_frames frames;
	size_t fdes_nr;		    /* those within reach of 32 bits */
	struct cfi_row_span *spans; /* by FDE */
	struct cfi_compiler *compiler;
};

/* -- distinct rules -- */

static struct cfi_rule *compiler_rule(const struct cfi_compiler *compiler, uint16_t id)
{
	return chunks_at(&compiler->rules, id, sizeof(struct cfi_rule));
}

static size_t compiler_slot(const struct cfi_compiler *compiler, const struct cfi_rule *rule)
{
	size_t mask = compiler->slots_nr - 1;
	size_t slot = hash_bytes(rule, sizeof(*rule), 0) & mask;

	while (compiler->slots[slot] &&
	       memcmp(compiler_rule(compiler, compiler->slots[slot]), rule, sizeof(*rule)) != 0)
		slot = (slot + 1) & mask;
	return slot;
}

static int compiler_grow_slots(struct cfi_compiler *compiler)
{
	size_t nr = compiler->slots_nr ? compiler->slots_nr * 4 : SLOTS_NR_MIN;
	uint16_t *slots = calloc(nr, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	free(compiler->slots);
	compiler->slots = slots;
	compiler->slots_nr = nr;
	for (uint32_t i = 1; i < compiler->rules.nr; i++)
		slots[compiler_slot(compiler, compiler_rule(compiler, (uint16_t)i))] = (uint16_t)i;
	return 0;
}

static int compiler_intern(struct cfi_compiler *compiler, const struct cfi_rule *rule,
			   uint16_t *ret)
{
	size_t slot = compiler_slot(compiler, rule);
	int error;

	if (compiler->slots[slot]) {
		*ret = compiler->slots[slot];
		return 0;
	}
	if (compiler->rules.nr == RULES_MAX) {
		*ret = RULE_EXPRESSION;
		return 0;
	}
	if (compiler->rules.nr * 2 >= compiler->slots_nr) {
		error = compiler_grow_slots(compiler);
		if (error)
			return error;
		slot = compiler_slot(compiler, rule);
	}
	*ret = (uint16_t)compiler->rules.nr;
	error = chunks_append(&compiler->rules, rule, sizeof(*rule));
	if (!error)
		compiler->slots[slot] = *ret;
	return error;
}

/* -- rows -- */

static int compiler_append_row(struct cfi_compiler *compiler, uint64_t vaddr, uint16_t rule)
{
	struct cfi_row row = {(uint32_t)(vaddr - compiler->table->base), rule};
	int error;

	if (compiler->rows_nr > compiler->first_row &&
	    compiler->rows[compiler->rows_nr - 1].rule == rule)
		return 0;
	error = vec_grow((void **)&compiler->rows, &compiler->rows_capacity, compiler->rows_nr + 1,
			 sizeof(row));
	if (!error)
		compiler->rows[compiler->rows_nr++] = row;
	return error;
}

static int compiler_add_state(struct cfi_compiler *compiler, const struct cfi_state *state,
			      struct cfi_rule *rule)
{
	int error;

	rule->cfa_offset = -1;
	if (compiler->states.nr == STATES_MAX)
		return 0;
	error = chunks_append(&compiler->states, state, sizeof(*state));
	if (!error)
		rule->cfa_offset = (int32_t)compiler->states.nr - 1;
	return error;
}

static int compiler_visit_row(void *context, uint64_t start, const struct cfi_state *state)
{
	struct cfi_compiler *compiler = context;
	struct cfi_rule rule;
	uint16_t id;
	int error = cfi_rule_compile(&compiler->table->frames, compiler->cie, state, &rule);

	if (!error && rule.kind == CFI_RULE_EXPRESSION)
		error = compiler_add_state(compiler, state, &rule);
	if (!error)
		error = compiler_intern(compiler, &rule, &id);
	if (!error)
		error = compiler_append_row(compiler, start, id);
	return error;
}

/* Where no FDE is any more, or the next one begins. */
static uint64_t next_start(const struct cfi_frames *frames, size_t index)
{
	return index + 1 < frames->fdes_nr ? frames->fdes[index + 1].start : UINT64_MAX;
}

/* Return: 0, -EBADMSG, -ENOMEM. */
static int compiler_run_fde(struct cfi_compiler *compiler, size_t index)
{
	const struct cfi_frames *frames = &compiler->table->frames;
	const uint64_t next = next_start(frames, index);
	struct cfi_fde fde;
	uint64_t end;
	int error = cfi_frames_fde(frames, index, &fde);

	if (error)
		return error;
	end = next < fde.end ? next : fde.end;
	if (end <= fde.start || end - compiler->table->base > UINT32_MAX)
		return -EBADMSG;
	compiler->cie = &frames->cies[fde.cie];
	error = cfi_program_run(frames, &fde, &compiler->initials[fde.cie], end, compiler_visit_row,
				compiler);
	/* A look-up from the next one's start on does not come here. */
	if (!error && end < next)
		error = compiler_append_row(compiler, end, RULE_NONE);
	return error;
}

static int compiler_add_fde(struct cfi_compiler *compiler, size_t index)
{
	struct cfi_row_span *span = &compiler->table->spans[index];
	int error;

	if (compiler->is_out_of_memory)
		return -ENOMEM;
	compiler->first_row = (uint32_t)compiler->rows_nr;
	error = compiler_run_fde(compiler, index);
	if (error == -EBADMSG) {
		compiler->fdes_damaged_nr++;
		compiler->rows_nr = compiler->first_row;
		error = compiler_append_row(compiler, compiler->table->base, RULE_NONE);
	}
	if (error) {
		compiler->rows_nr = compiler->first_row;
		compiler->is_out_of_memory = true;
		return -ENOMEM;
	}
	*span = (struct cfi_row_span){
	    .first = compiler->first_row,
	    .nr = (uint32_t)compiler->rows_nr - compiler->first_row,
	};
	return 0;
}

static int compiler_run_cies(struct cfi_compiler *compiler, const struct cfi_frames *frames)
{
	compiler->initials = calloc(frames->cies_nr + 1, sizeof(*compiler->initials));
	if (!compiler->initials)
		return -ENOMEM;
	for (size_t i = 0; i < frames->cies_nr; i++) {
		struct cfi_cie *cie = &frames->cies[i];

		if (!cie->is_damaged && cfi_program_initial(frames, cie, &compiler->initials[i]))
			compiler->initials[i].cfa_register =
			    CFI_CFA_UNSET; /* then no FDE compiles */
	}
	return 0;
}

static int compiler_add_fixed_rules(struct cfi_compiler *compiler)
{
	static const struct cfi_rule none = {.kind = CFI_RULE_NONE};
	static const struct cfi_rule expression = {.kind = CFI_RULE_EXPRESSION, .cfa_offset = -1};
	int error = chunks_append(&compiler->rules, &none, sizeof(none));

	if (!error)
		error = chunks_append(&compiler->rules, &expression, sizeof(expression));
	if (!error)
		error = compiler_grow_slots(compiler);
	return error;
}

static void compiler_destroy(struct cfi_compiler *compiler)
{
	if (!compiler)
		return;
	free(compiler->rows);
	chunks_deinit(&compiler->rules);
	chunks_deinit(&compiler->states);
	free(compiler->initials);
	free(compiler->slots);
	free(compiler);
}

static int table_add_compiler(struct cfi_table *table)
{
	int error;

	table->compiler = calloc(1, sizeof(*table->compiler));
	if (!table->compiler)
		return -ENOMEM;
	table->compiler->table = table;
	error = compiler_add_fixed_rules(table->compiler);
	return error ? error : compiler_run_cies(table->compiler, &table->frames);
}

/* -- index of pages -- */

/* Rows have 32 bits for their address: the FDEs beyond are damaged; of one start one counts. */
static void table_cut_distant(struct cfi_table *table)
{
	struct cfi_frames *frames = &table->frames;
	uint64_t above = UINT64_MAX;

	for (table->fdes_nr = frames->fdes_nr; table->fdes_nr; table->fdes_nr--) {
		const uint64_t start = frames->fdes[table->fdes_nr - 1].start;

		if (start - table->base <= UINT32_MAX)
			break;
		frames->damaged_nr += start != above;
		above = start;
	}
}

/* Sparse code gets larger pages, so the index never outgrows the FDEs. */
static unsigned int choose_page_shift(const struct cfi_table *table)
{
	unsigned int shift = PAGE_SHIFT_MIN;

	while ((table->bytes >> shift) > table->fdes_nr + 64)
		shift++;
	return shift;
}

static int table_index_fdes(struct cfi_table *table)
{
	const struct cfi_frames *frames = &table->frames;
	size_t fde = 0;

	table->page_shift = choose_page_shift(table);
	table->pages_nr = (table->bytes >> table->page_shift) + 2;
	table->pages = calloc(table->pages_nr, sizeof(*table->pages));
	/* Only the pages of memory that are written to count, those of code that is met. */
	table->spans = calloc(table->fdes_nr + 1, sizeof(*table->spans));
	if (!table->pages || !table->spans)
		return -ENOMEM;
	for (size_t page = 0; page < table->pages_nr; page++) {
		uint64_t start = table->base + ((uint64_t)page << table->page_shift);

		while (fde + 1 < table->fdes_nr && frames->fdes[fde + 1].start <= start)
			fde++;
		table->pages[page] = (uint32_t)fde;
	}
	return 0;
}

static void table_set_bounds(struct cfi_table *table)
{
	const struct cfi_frames *frames = &table->frames;
	struct cfi_fde last;

	if (frames->fdes_nr == 0)
		return;
	table->base = frames->fdes[0].start;
	table_cut_distant(table);
	if (cfi_frames_fde(frames, table->fdes_nr - 1, &last) == 0 && last.end > table->base)
		table->bytes = last.end - table->base;
	if (table->bytes > UINT32_MAX)
		table->bytes = UINT32_MAX;
}

int cfi_table_create(const struct bundle_module *module, struct cfi_table **ret)
{
	struct cfi_table *table = calloc(1, sizeof(*table));
	int error = table ? cfi_frames_scan(module, &table->frames) : -ENOMEM;

	if (!error) {
		table_set_bounds(table);
		error = table_index_fdes(table);
	}
	if (!error)
		error = table_add_compiler(table);
	if (error) {
		cfi_table_destroy(table);
		return error;
	}
	*ret = table;
	return 0;
}

void cfi_table_destroy(struct cfi_table *table)
{
	if (!table)
		return;
	compiler_destroy(table->compiler);
	cfi_frames_deinit(&table->frames);
	free(table->pages);
	free(table->spans);
	free(table);
}

/* -- look-ups -- */

static size_t table_find_fde(const struct cfi_table *table, uint64_t vaddr)
{
	size_t page = (vaddr - table->base) >> table->page_shift;
	size_t low = table->pages[page];
	size_t high = table->pages[page + 1];

	while (low < high) {
		size_t middle = low + (high - low + 1) / 2;

		if (table->frames.fdes[middle].start <= vaddr)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static const struct cfi_row *find_row(const struct cfi_row *rows, uint32_t nr, uint32_t offset)
{
	while (nr > 1) {
		uint32_t half = nr / 2;

		rows += rows[half].start <= offset ? half : 0;
		nr -= half;
	}
	return rows;
}

const struct cfi_rule *cfi_table_find(const struct cfi_table *table, uint64_t vaddr)
{
	static const struct cfi_rule no_memory = {.kind = CFI_RULE_NO_MEMORY};
	struct cfi_compiler *compiler = table->compiler;
	const struct cfi_row_span *span;
	const struct cfi_row *row;
	size_t fde;

	if (vaddr - table->base >= table->bytes)
		return compiler_rule(compiler, RULE_NONE);
	fde = table_find_fde(table, vaddr);
	span = &table->spans[fde];
	if (!span->nr && compiler_add_fde(compiler, fde))
		return &no_memory;
	row = find_row(compiler->rows + span->first, span->nr, (uint32_t)(vaddr - table->base));
	return compiler_rule(compiler, row->rule);
}

int cfi_table_compile_all(const struct cfi_table *table)
{
	const struct cfi_frames *frames = &table->frames;
	int error = 0;

	for (size_t i = 0; !error && i < table->fdes_nr; i++) {
		if (!table->spans[i].nr && frames->fdes[i].start != next_start(frames, i))
			error = compiler_add_fde(table->compiler, i);
	}
	return error;
}

const struct cfi_frames *cfi_table_frames(const struct cfi_table *table)
{
	return &table->frames;
}

const struct cfi_state *cfi_table_state(const struct cfi_table *table, const struct cfi_rule *rule,
					const uint8_t **section)
{
	*section = table->frames.section;
	if (rule->cfa_offset < 0)
		return NULL;
	return chunks_at(&table->compiler->states, (uint32_t)rule->cfa_offset,
			 sizeof(struct cfi_state));
}

struct cfi_table_stats cfi_table_get_stats(const struct cfi_table *table)
{
	const struct cfi_frames *frames = &table->frames;
	const struct cfi_compiler *compiler = table->compiler;
	struct cfi_table_stats stats = {
	    .fdes_nr = (uint32_t)frames->fdes_nr,
	    .fdes_damaged_nr = frames->damaged_nr + compiler->fdes_damaged_nr,
	    .rows_nr = (uint32_t)compiler->rows_nr,
	    .rules_nr = compiler->rules.nr,
	};

	for (size_t i = 0; i < compiler->rows_nr; i++)
		stats.expression_rows_nr += compiler_rule(compiler, compiler->rows[i].rule)->kind ==
					    CFI_RULE_EXPRESSION;
	stats.bytes = sizeof(*table) + sizeof(*compiler) + frames->fdes_nr * sizeof(*frames->fdes) +
		      table->fdes_nr * sizeof(*table->spans) +
		      frames->cies_nr * (sizeof(*frames->cies) + sizeof(*compiler->initials)) +
		      table->pages_nr * sizeof(*table->pages) +
		      compiler->rows_capacity * sizeof(*compiler->rows) +
		      chunks_bytes(&compiler->rules, sizeof(struct cfi_rule)) +
		      chunks_bytes(&compiler->states, sizeof(struct cfi_state)) +
		      compiler->slots_nr * sizeof(*compiler->slots);
	return stats;
}
