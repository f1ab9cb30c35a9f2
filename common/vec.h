/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Typed growable arrays. VEC_DEFINE(u32_vec, uint32_t) gives struct u32_vec
 * {items, nr, capacity} and u32_vec_reserve(), u32_vec_append(), u32_vec_deinit().
 * A zeroed struct is an empty array. Pointers into items die at the next append.
 */
#ifndef PYREC_COMMON_VEC_H
#define PYREC_COMMON_VEC_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/cleanup.h"

/** Make room for @nr items of @item_bytes. Return: 0 or -ENOMEM (then nothing changed). */
must_check static inline int vec_grow(void **items, size_t *capacity, size_t nr, size_t item_bytes)
{
	size_t wanted;
	void *grown;

	if (nr <= *capacity)
		return 0;
	wanted = *capacity ? *capacity : 8;
	while (wanted < nr) {
		if (wanted > SIZE_MAX / 2)
			return -ENOMEM;
		wanted *= 2;
	}
	grown = reallocarray(*items, wanted, item_bytes);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*capacity = wanted;
	return 0;
}

#define VEC_DEFINE(name, type)                                                                    \
	struct name {                                                                             \
		type *items;                                                                      \
		size_t nr;                                                                        \
		size_t capacity;                                                                  \
	};                                                                                        \
	must_check                                                                                \
	    __attribute__((unused)) static inline int name##_reserve(struct name *vec, size_t nr) \
	{                                                                                         \
		return vec_grow((void **)&vec->items, &vec->capacity, nr, sizeof(type));          \
	}                                                                                         \
	must_check                                                                                \
	    __attribute__((unused)) static inline int name##_append(struct name *vec, type item)  \
	{                                                                                         \
		int ret = name##_reserve(vec, vec->nr + 1);                                       \
		if (ret == 0)                                                                     \
			vec->items[vec->nr++] = item;                                             \
		return ret;                                                                       \
	}                                                                                         \
	__attribute__((unused)) static inline void name##_deinit(struct name *vec)                \
	{                                                                                         \
		free(vec->items);                                                                 \
		*vec = (struct name){0};                                                          \
	}

VEC_DEFINE(u64_vec, uint64_t)
VEC_DEFINE(u32_vec, uint32_t)

#endif
