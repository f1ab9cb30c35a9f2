/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The asyncio tasks of a recording: from what a sample says of the one that ran to its name. A
 * zeroed table is empty.
 */
#ifndef PYREC_REPORT_ASYNC_TABLE_H
#define PYREC_REPORT_ASYNC_TABLE_H

#include <stdint.h>

#include "common/intern.h"
#include "common/strbuf.h"
#include "format/payload.h"

struct async_row {
	uint32_t id;
	const char *name;
};

struct async_table {
	struct async_row *rows;
	size_t nr;
	size_t capacity;
	struct id_index index;
	struct intern texts;
	struct strbuf text; /* scratch */
};

void async_table_deinit(struct async_table *table);

/** The first one with an id counts. Return: 0 or -ENOMEM. */
must_check int async_table_add(struct async_table *table, const struct payload_async_task *payload);

/**
 * What @task is called, escaped: as its get_name() has it, with "…" behind one that was cut;
 * "[unknown]" where it was not readable. NULL: no task. Equal names are the same pointer, which is
 * borrowed until async_table_deinit(). Return: 0 or -ENOMEM.
 */
must_check int async_table_name(struct async_table *table, const struct py_async_task *task,
				const char **ret);

#endif
