/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is mapped where in one process: disjoint mappings sorted by address. A new mapping cuts
 * whatever it covers, as mmap(2) does. Copied on fork, emptied on exec.
 */
#ifndef PYREC_REPORT_ADDRESS_SPACE_H
#define PYREC_REPORT_ADDRESS_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"

struct module;

struct mapping {
	uint64_t start;
	uint64_t end;
	uint64_t file_offset; /* of start */
	bool is_executable;
	struct module *module; /* NULL: anonymous memory */
};

struct address_space {
	struct mapping *mappings;
	size_t nr;
	size_t capacity;
	/*
	 * Set by the owner to a number that no other space and no other content has, so that what
	 * was looked up can be kept (unwind.c).
	 */
	uint64_t generation;
};

must_check int address_space_insert(struct address_space *space, const struct mapping *mapping);
/** Borrowed until the next insert; NULL when nothing is mapped there. */
const struct mapping *address_space_find(const struct address_space *space, uint64_t address);
must_check int address_space_copy(const struct address_space *from, struct address_space *ret);
void address_space_deinit(struct address_space *space);

#endif
