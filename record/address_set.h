/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A set of distinct 64-bit addresses; adding one that is there already allocates nothing. */
#ifndef PYREC_RECORD_ADDRESS_SET_H
#define PYREC_RECORD_ADDRESS_SET_H

#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"

struct address_set {
	uint64_t *slots; /* 0: empty */
	size_t slots_nr; /* a power of two */
	size_t nr;
};

/** @address is not 0. Return: 0 or -ENOMEM. */
must_check int address_set_add(struct address_set *set, uint64_t address);
/** Members in ascending order, malloc'd: the caller frees. Return: 0 or -ENOMEM. */
must_check int address_set_sorted(const struct address_set *set, uint64_t **ret);
void address_set_deinit(struct address_set *set);

#endif
