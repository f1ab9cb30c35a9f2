/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of asyncio tasks as samples tell them -> ids of the file. Equal names of any tasks have one
 * id, so an object that takes another's address changes nothing. A zeroed struct is empty.
 */
#ifndef PYREC_RECORD_ASYNC_NAMES_H
#define PYREC_RECORD_ASYNC_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/intern.h"
#include "common/strbuf.h"
#include "record/output.h"

/* Kept at once. A program may name each of its tasks anew: with more than these all are forgotten,
 * and a name that comes again is written again. */
enum { ASYNC_NAMES_MAX = 65536 };

struct async_names {
	struct intern texts; /* a byte "is cut", then the name */
	uint32_t first_id;   /* of texts' first one */
	struct strbuf key;   /* scratch */
};

void async_names_deinit(struct async_names *names);

/**
 * The id of a name of @nr bytes, in code points of @unit bytes; a new one is written to @output
 * first. @is_cut: only the beginning is known. Return: 0 or -errno.
 */
must_check int async_names_get(struct async_names *names, struct output *output,
			       const uint8_t *bytes, uint32_t nr, uint32_t unit, bool is_cut,
			       uint32_t *ret);

#endif
