/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Each distinct byte string once, with a small id in order of first sight. Texts are NUL
 * terminated and stay where they are until intern_deinit(). A zeroed struct is empty.
 */
#ifndef PYREC_COMMON_INTERN_H
#define PYREC_COMMON_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/id_index.h"

struct intern_item {
	const char *text;
	size_t nr; /* bytes without the NUL; the text may hold others */
};

struct intern_chunk;

struct intern {
	struct intern_item *items; /* by id */
	size_t nr;
	size_t capacity;
	struct id_index index;
	struct intern_chunk *chunks;
};

/** The id of these bytes, new or known. Return: 0 or -ENOMEM. */
must_check int intern_bytes(struct intern *intern, const void *bytes, size_t nr, uint32_t *ret);
/** The id of these bytes if they are known. */
bool intern_find(const struct intern *intern, const void *bytes, size_t nr, uint32_t *ret);
/** The interned copy itself; NULL when memory is out. */
must_check const char *intern_text(struct intern *intern, const char *text);
must_check const char *intern_text_nr(struct intern *intern, const char *text, size_t nr);
void intern_deinit(struct intern *intern);

#endif
