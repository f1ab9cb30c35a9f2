/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/code_table.h"

#include <errno.h>
#include <string.h>

#include "common/hash.h"
#include "common/vec.h"
#include "common/escape.h"

static uint32_t code_hash(uint32_t code_id)
{
	return (uint32_t)hash_mix64(code_id);
}

void code_table_deinit(struct code_table *table)
{
	for (size_t i = 0; i < table->nr; i++) {
		strbuf_deinit(&table->items[i].lines);
		line_ranges_deinit(&table->items[i].ranges);
	}
	free(table->items);
	id_index_deinit(&table->index);
	intern_deinit(&table->texts);
	*table = (struct code_table){0};
}

static int code_table_intern(struct code_table *table, const char *text, uint32_t nr,
			     const char **ret)
{
	auto_strbuf struct strbuf escaped = {0};

	escape_append(&escaped, text, nr);
	if (escaped.error)
		return escaped.error;
	*ret = intern_text(&table->texts, strbuf_text(&escaped));
	return *ret ? 0 : -ENOMEM;
}

static int code_fill(struct code_table *table, const struct payload_code *payload,
		     struct code *code)
{
	int ret = 0;

	if (!(payload->flags & CODE_QUALNAME_MISSING))
		ret = code_table_intern(table, payload->qualname, payload->qualname_nr,
					&code->symbol);
	else if (!(payload->flags & CODE_NAME_MISSING))
		ret = code_table_intern(table, payload->name, payload->name_nr, &code->symbol);
	if (ret == 0 && !(payload->flags & CODE_FILE_MISSING))
		ret = code_table_intern(table, payload->file, payload->file_nr, &code->file);
	if (ret)
		return ret;
	if (payload->lines_nr > payload->lines_total)
		code->flags |= CODE_LINES_MISSING;
	else
		strbuf_append(&code->lines, payload->lines, payload->lines_nr);
	return code->lines.error;
}

/*
 * _Py_InitCleanup (Python/specialize.c of 3.13): runs below an __init__ that a specialized call
 * entered directly. sys._getframe() and tracebacks pass over it.
 */
static bool code_is_shim(const struct code *code)
{
	return code->first_line == 0 && code->symbol && code->file &&
	       strcmp(code->symbol, "__init__") == 0 && strcmp(code->file, "__init__") == 0;
}

/*
 * What entry frames of 3.12 bear (_Py_MakeShimCode, Python/ceval.c). The walk knows those by their
 * owner; one that it took for a function was hit half made.
 */
static bool code_is_entry(const struct code *code)
{
	return code->symbol && code->file && strcmp(code->file, "<shim>") == 0 &&
	       strcmp(code->symbol, "<interpreter trampoline>") == 0;
}

int code_table_add(struct code_table *table, const struct payload_code *payload)
{
	struct code code = {.code_id = payload->code_id,
			    .version_hex = payload->version_hex,
			    .first_line = payload->first_line,
			    .flags = payload->flags,
			    .lines_total = payload->lines_total};
	int ret;

	if (code_table_find(table, payload->code_id))
		return 0;
	ret = vec_grow((void **)&table->items, &table->capacity, table->nr + 1, sizeof(code));
	if (ret == 0)
		ret = code_fill(table, payload, &code);
	if (ret == 0)
		ret = id_index_insert(&table->index, code_hash(code.code_id), (uint32_t)table->nr);
	if (ret) {
		strbuf_deinit(&code.lines);
		return ret;
	}
	code.is_shim = code_is_shim(&code);
	code.is_entry = code_is_entry(&code);
	table->items[table->nr++] = code;
	return 0;
}

int code_table_add_lines(struct code_table *table, const struct payload_code_lines *payload)
{
	struct code *code = code_table_find(table, payload->code_id);

	if (!code)
		return -ENOENT;
	if (code->is_decoded || payload->offset != code->lines.nr ||
	    payload->nr > code->lines_total - code->lines.nr)
		return -EBADMSG;
	strbuf_append(&code->lines, payload->bytes, payload->nr);
	return code->lines.error;
}

struct code *code_table_find(const struct code_table *table, uint32_t code_id)
{
	uint32_t hash = code_hash(code_id);

	for (const struct id_slot *slot = id_index_first(&table->index, hash); slot;
	     slot = id_index_next(&table->index, slot))
		if (table->items[slot->id].code_id == code_id)
			return &table->items[slot->id];
	return NULL;
}

/* Half a table would give wrong lines for the rest of it, so it gives none at all. */
static int code_decode_lines(struct code *code)
{
	int ret = 0;

	code->is_decoded = true;
	if ((code->flags & CODE_LINES_MISSING) || code->lines.nr != code->lines_total)
		return 0;
	ret = line_table_decode(code->version_hex, code->first_line,
				(const uint8_t *)strbuf_text(&code->lines),
				(uint32_t)code->lines.nr, &code->ranges);
	strbuf_deinit(&code->lines);
	if (ret == 0 || ret == -ENOMEM)
		return ret;
	line_ranges_deinit(&code->ranges);
	return 0;
}

int code_last_line(struct code *code, int32_t *ret)
{
	int error = code->is_decoded ? 0 : code_decode_lines(code);

	*ret = LINE_NONE;
	for (size_t i = 0; i < code->ranges.nr && error == 0; i++) {
		const struct line_position *position = &code->ranges.items[i].position;
		const int32_t end_line = position->line == LINE_NONE ? LINE_NONE
								     : position->end_line;

		if (end_line > *ret)
			*ret = end_line;
	}
	return error;
}

static struct line_position code_first_position(const struct code *code)
{
	return (struct line_position){.line = code->first_line,
				      .end_line = code->first_line,
				      .column = COLUMN_NONE,
				      .end_column = COLUMN_NONE};
}

int code_position(struct code *code, int32_t lasti, struct line_position *ret)
{
	int64_t offset = line_table_byte_offset(code->version_hex, lasti);
	int error = 0;

	if (offset < 0) {
		*ret = code_first_position(code);
	} else {
		if (!code->is_decoded)
			error = code_decode_lines(code);
		if (error == 0)
			error = line_ranges_find(&code->ranges, offset, ret);
	}
	return error ? error : ret->line == LINE_NONE ? -ENOENT : 0;
}
