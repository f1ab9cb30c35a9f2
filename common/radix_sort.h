/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Typed sort by a number. RADIX_SORT_DEFINE(sort_items, struct item, address) gives sort_items(),
 * which sorts by items[i].address and leaves equal ones in their order. Addresses of one file span
 * few bits: that takes two or three rounds over the items, where a comparison sort takes fifteen.
 */
#ifndef PYREC_COMMON_RADIX_SORT_H
#define PYREC_COMMON_RADIX_SORT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/cleanup.h"

enum { RADIX_BITS = 8, RADIX_DIGITS_NR = 1 << RADIX_BITS };

/* From how many have each digit to where the first of it goes. */
static inline void radix_counts_to_places(size_t counts[RADIX_DIGITS_NR])
{
	size_t place = 0;

	for (size_t digit = 0; digit < RADIX_DIGITS_NR; digit++) {
		const size_t count = counts[digit];

		counts[digit] = place;
		place += count;
	}
}

#define RADIX_SORT_DEFINE(name, type, key)                                                        \
	static inline void name##_by_digit(const type *from, type *to, size_t nr, uint64_t least, \
					   unsigned int shift)                                    \
	{                                                                                         \
		size_t places[RADIX_DIGITS_NR] = {0};                                             \
                                                                                                  \
		for (size_t i = 0; i < nr; i++)                                                   \
			places[(from[i].key - least) >> shift & (RADIX_DIGITS_NR - 1)]++;         \
		radix_counts_to_places(places);                                                   \
		for (size_t i = 0; i < nr; i++)                                                   \
			to[places[(from[i].key - least) >> shift & (RADIX_DIGITS_NR - 1)]++] =    \
			    from[i];                                                              \
	}                                                                                         \
	/* @items is from malloc() and may move. Return: 0 or -ENOMEM (then nothing changed). */  \
	must_check static inline int name(type **items, size_t nr)                                \
	{                                                                                         \
		type *from = *items;                                                              \
		type *to;                                                                         \
		uint64_t least = UINT64_MAX;                                                      \
		uint64_t most = 0;                                                                \
		bool is_sorted = true;                                                            \
                                                                                                  \
		for (size_t i = 0; i < nr; i++) {                                                 \
			is_sorted &= i == 0 || from[i - 1].key <= from[i].key;                    \
			least = from[i].key < least ? from[i].key : least;                        \
			most = from[i].key > most ? from[i].key : most;                           \
		}                                                                                 \
		if (is_sorted)                                                                    \
			return 0;                                                                 \
		to = calloc(nr, sizeof(type));                                                    \
		if (!to)                                                                          \
			return -ENOMEM;                                                           \
		for (unsigned int shift = 0; shift < 64 && (most - least) >> shift;               \
		     shift += RADIX_BITS) {                                                       \
			type *sorted = to;                                                        \
                                                                                                  \
			name##_by_digit(from, to, nr, least, shift);                              \
			to = from;                                                                \
			from = sorted;                                                            \
		}                                                                                 \
		free(to);                                                                         \
		*items = from;                                                                    \
		return 0;                                                                         \
	}

#endif
