/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/async_table.h"

#include <inttypes.h>

#include "common/escape.h"
#include "common/hash.h"
#include "common/vec.h"

void async_table_deinit(struct async_table *table)
{
	free(table->rows);
	id_index_deinit(&table->index);
	intern_deinit(&table->texts);
	strbuf_deinit(&table->text);
	*table = (struct async_table){0};
}

static const char *async_table_find(const struct async_table *table, uint32_t id)
{
	const uint32_t hash = (uint32_t)hash_mix64(id);

	for (const struct id_slot *slot = id_index_first(&table->index, hash); slot;
	     slot = id_index_next(&table->index, slot))
		if (table->rows[slot->id].id == id)
			return table->rows[slot->id].name;
	return NULL;
}

static int async_table_intern(struct async_table *table, const char **ret)
{
	if (table->text.error)
		return table->text.error;
	*ret = intern_text(&table->texts, strbuf_text(&table->text));
	return *ret ? 0 : -ENOMEM;
}

int async_table_add(struct async_table *table, const struct payload_async_task *payload)
{
	struct async_row row = {.id = payload->id};
	int ret;

	if (async_table_find(table, payload->id))
		return 0;
	strbuf_reset(&table->text);
	escape_append(&table->text, payload->name, payload->name_nr);
	if (payload->flags & ASYNC_TASK_NAME_CUT)
		strbuf_append_text(&table->text, "…");
	ret = async_table_intern(table, &row.name);
	if (ret == 0)
		ret = vec_grow((void **)&table->rows, &table->capacity, table->nr + 1, sizeof(row));
	if (ret == 0)
		ret = id_index_insert(&table->index, (uint32_t)hash_mix64(row.id),
				      (uint32_t)table->nr);
	if (ret == 0)
		table->rows[table->nr++] = row;
	return ret;
}

int async_table_name(struct async_table *table, const struct py_async_task *task, const char **ret)
{
	*ret = NULL;
	if (task->kind == PY_ASYNC_NONE)
		return 0;
	if (task->kind == PY_ASYNC_NAMED && task->value <= UINT32_MAX)
		*ret = async_table_find(table, (uint32_t)task->value);
	if (*ret)
		return 0;
	strbuf_reset(&table->text);
	if (task->kind == PY_ASYNC_NUMBERED)
		strbuf_append_format(&table->text, "Task-%" PRIu64, task->value);
	else
		strbuf_append_text(&table->text, "[unknown]");
	return async_table_intern(table, ret);
}
