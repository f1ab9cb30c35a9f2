/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What code addresses come to: mapping, module, unwind rule, and what is shown for them. Samples
 * come back to the same addresses over and over, so the answers are kept. One struct code_sites is
 * for one thread, and must not outlive the modules that it has met.
 */
#ifndef PYREC_REPORT_CODE_SITES_H
#define PYREC_REPORT_CODE_SITES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "report/address_space.h"

struct cfi_rule;
struct cfi_table;
struct module;

/* What is shown for an address: for who names frames (sample_stack.c). */
struct native_place {
	uint32_t location_plus_1; /* 0: not asked yet */
	uint8_t role;		  /* enum location_role of that location */
	uint8_t inlined_nr;	  /* of that location */
	bool is_simple;		  /* no evaluation loop, nothing inlined */
};

/*
 * What one address comes to in one state of one address space, kept by a hash: another address may
 * have taken its place since.
 */
struct code_site {
	uint64_t address;
	uint64_t generation_plus_1; /* of the address space; 0: empty */
	const struct mapping *mapping;
	const struct cfi_rule *rule;
	struct native_place place;
	/* Of a plain rule, so that nearly every step needs no more memory than this site. */
	uint64_t plain_bytes_less_1; /* -plain_offset - 1; UINT64_MAX: the rule is no such one */
	int32_t cfa_offset;	     /* from rsp, or from rbp */
	int32_t rbp_offset;	     /* from the CFA to the caller's rbp; 0: it is unchanged */
	bool is_cfa_by_rbp;	     /* else by rsp */
} __attribute__((aligned(64)));

static inline bool code_site_is(const struct code_site *site, uint64_t address, uint64_t generation)
{
	return site->address == address && site->generation_plus_1 == generation + 1;
}

enum { CODE_PLACES_NR = 128, CODE_SITES_NR = 1 << 15 };

/* What a mapping's code is looked up in; found once for each place where a module is mapped. */
struct code_place {
	struct module *module;
	uint64_t shift; /* mapping's start less its file offset */
	uint64_t bias;	/* address less vaddr */
	const struct cfi_table *cfi;
};

struct code_sites {
	struct code_place places[CODE_PLACES_NR];
	struct code_site *sites; /* CODE_SITES_NR, in their own cache lines */
	void *sites_memory;

	/* Of the sample in work: set by the caller. */
	const struct address_space *space;
	const struct mapping *last_mapping;
};

/** Return: 0 or -ENOMEM. */
must_check int code_sites_init(struct code_sites *code);
void code_sites_deinit(struct code_sites *code);

/** The executable mapping around @address; NULL: none. */
const struct mapping *code_mapping_find(struct code_sites *code, uint64_t address);
/** Of @mapping, which has a module and holds @address. */
const struct code_place *code_place_find(struct code_sites *code, const struct mapping *mapping,
					 uint64_t address);
/** The rule at @address; of kind CFI_RULE_NONE where there is none. @mapping may be NULL. */
const struct cfi_rule *code_rule_find(struct code_sites *code, const struct mapping *mapping,
				      uint64_t address);

/** Ask anew. */
void code_site_ask(struct code_sites *code, struct code_site *site, uint64_t address);

/** Mapping and rule of the code at @address, until the next call. */
static inline struct code_site *code_site_find(struct code_sites *code, uint64_t address)
{
	const uint64_t generation = code->space->generation;
	const uint64_t mixed = (address + (generation << 32)) * UINT64_C(0x9e3779b97f4a7c15);
	struct code_site *site = &code->sites[mixed >> 49];

	_Static_assert(CODE_SITES_NR == 1 << 15, "the upper 15 bits choose");
	if (!code_site_is(site, address, generation))
		code_site_ask(code, site, address);
	return site;
}

#endif
