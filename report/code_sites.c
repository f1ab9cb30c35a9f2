/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/code_sites.h"

#include <errno.h>
#include <stdlib.h>

#include "common/hash.h"
#include "report/cfi_rule.h"
#include "report/cfi_table.h"
#include "report/module.h"
#include "report/unwind_state.h"

static const struct cfi_rule no_rule = {.kind = CFI_RULE_NONE};

int code_sites_init(struct code_sites *code)
{
	const size_t align = _Alignof(struct code_site);

	*code = (struct code_sites){0};
	/* As large as it is, it comes as zeros that are not there until they are written to. */
	code->sites_memory = calloc(CODE_SITES_NR + 1, sizeof(*code->sites));
	if (!code->sites_memory)
		return -ENOMEM;
	code->sites = (struct code_site *)(((uintptr_t)code->sites_memory + align - 1) &
					   -(uintptr_t)align);
	return 0;
}

void code_sites_deinit(struct code_sites *code)
{
	free(code->sites_memory);
	*code = (struct code_sites){0};
}

const struct mapping *code_mapping_find(struct code_sites *code, uint64_t address)
{
	const struct mapping *mapping = code->last_mapping;

	if (!mapping || address < mapping->start || address >= mapping->end)
		mapping = address_space_find(code->space, address);
	if (!mapping || !mapping->is_executable)
		return NULL;
	code->last_mapping = mapping;
	return mapping;
}

const struct code_place *code_place_find(struct code_sites *code, const struct mapping *mapping,
					 uint64_t address)
{
	uint64_t shift = mapping->start - mapping->file_offset;
	uint64_t hash = hash_mix64((uintptr_t)mapping->module ^ shift);
	struct code_place *place = &code->places[hash % CODE_PLACES_NR];
	uint64_t vaddr;

	if (place->module == mapping->module && place->shift == shift)
		return place;
	*place = (struct code_place){.module = mapping->module, .shift = shift};
	if (module_vaddr(mapping->module, address - shift, &vaddr) == 0) {
		place->bias = address - vaddr;
		place->cfi = module_cfi(mapping->module);
	}
	return place;
}

const struct cfi_rule *code_rule_find(struct code_sites *code, const struct mapping *mapping,
				      uint64_t address)
{
	const struct code_place *place;

	if (!mapping || !mapping->module)
		return &no_rule;
	place = code_place_find(code, mapping, address);
	return place->cfi ? cfi_table_find(place->cfi, address - place->bias) : &no_rule;
}

/* Only with rsp and rbp the way down the stack is followed as far as it goes. */
static void site_set_plain(struct code_site *site, const struct cfi_rule *rule)
{
	site->plain_bytes_less_1 = UINT64_MAX;
	if (!rule->plain_offset || rule->is_signal ||
	    (rule->cfa_register != DWARF_RSP && rule->cfa_register != DWARF_RBP))
		return;
	site->plain_bytes_less_1 = -(uint64_t)(int64_t)rule->plain_offset - 1;
	site->cfa_offset = rule->cfa_offset;
	site->is_cfa_by_rbp = rule->cfa_register == DWARF_RBP;
	if (rule->saved_mask >> CFI_SAVED_RBP & 1)
		site->rbp_offset = rule->saved[CFI_SAVED_RBP].offset;
}

void code_site_ask(struct code_sites *code, struct code_site *site, uint64_t address)
{
	*site = (struct code_site){.address = address,
				   .generation_plus_1 = code->space->generation + 1};
	site->mapping = code_mapping_find(code, address);
	site->rule = code_rule_find(code, site->mapping, address);
	site_set_plain(site, site->rule);
}
