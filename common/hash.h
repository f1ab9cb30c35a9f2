/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hash tables (uthash) that report lack of memory instead of exiting, and one
 * byte hash. After HASH_ADD*() look at the hh.tbl of the added item: NULL means
 * -ENOMEM and the item was not added.
 */
#ifndef PYREC_COMMON_HASH_H
#define PYREC_COMMON_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/** Finalizer of MurmurHash3 (Austin Appleby, public domain): mixes all 64 bits. */
static inline uint64_t hash_mix64(uint64_t value)
{
	value ^= value >> 33;
	value *= UINT64_C(0xff51afd7ed558ccd);
	value ^= value >> 33;
	value *= UINT64_C(0xc4ceb9fe1a85ec53);
	value ^= value >> 33;
	return value;
}

/** Cheap for each word; all bits are mixed at the end. */
static inline uint64_t hash_bytes(const void *bytes, size_t nr, uint64_t seed)
{
	const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
	const uint8_t *at = bytes;
	uint64_t hash = seed ^ (nr * odd);
	uint64_t word = 0;

	for (; nr >= 8; nr -= 8, at += 8) {
		memcpy(&word, at, 8);
		hash = ((hash << 23 | hash >> 41) ^ word) * odd;
	}
	word = 0;
	if (nr)
		memcpy(&word, at, nr);
	return hash_mix64((hash << 23 | hash >> 41) ^ word);
}

#endif
