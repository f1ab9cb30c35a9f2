/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/location.h"

#include <errno.h>
#include <string.h>

#include "common/hash.h"
#include "common/vec.h"
#include "common/escape.h"
#include "report/demangle.h"
#include "report/module.h"

#define UNKNOWN_NAME "[unknown]"

int location_table_init(struct location_table *table, const struct location_options *options,
			struct kernel_symbols *kernel, struct code_table *codes)
{
	*table = (struct location_table){.options = *options, .kernel = kernel, .codes = codes};
	table->chunks = calloc(LOCATION_CHUNKS_NR, sizeof(*table->chunks));
	return table->chunks ? 0 : -ENOMEM;
}

void location_table_deinit(struct location_table *table)
{
	for (uint32_t id = 0; id < table->nr; id++)
		free(location_get(table, id)->line);
	for (size_t i = 0; table->chunks && i < LOCATION_CHUNKS_NR && table->chunks[i]; i++)
		free(table->chunks[i]);
	free(table->chunks);
	free(table->keys);
	id_index_deinit(&table->index);
	intern_deinit(&table->texts);
	*table = (struct location_table){0};
}

static uint32_t location_hash(const struct location_key *key)
{
	return (uint32_t)hash_mix64(hash_mix64(key->object) ^ key->address);
}

static bool key_is(const struct location_key *a, const struct location_key *b)
{
	return a->object == b->object && a->address == b->address;
}

static bool location_find_known(const struct location_table *table, const struct location_key *key,
				uint32_t *ret)
{
	uint32_t hash = location_hash(key);

	for (const struct id_slot *slot = id_index_first(&table->index, hash); slot;
	     slot = id_index_next(&table->index, slot)) {
		const struct location_key *known = &table->keys[slot->id];

		if (slot->hash == hash && key_is(known, key)) {
			*ret = slot->id;
			return true;
		}
	}
	return false;
}

static bool location_find(struct location_table *table, const struct location_key *key,
			  uint32_t *ret)
{
	uint64_t mixed = (key->object ^ key->address) * UINT64_C(0x9e3779b97f4a7c15);
	struct location_recent *recent = &table->recent[mixed >> 52];

	_Static_assert(LOCATION_RECENT_NR == 1 << 12, "the upper 12 bits choose");
	if (recent->id_plus_1 && key_is(&recent->key, key)) {
		*ret = recent->id_plus_1 - 1;
		return true;
	}
	if (!location_find_known(table, key, ret))
		return false;
	*recent = (struct location_recent){.key = *key, .id_plus_1 = *ret + 1};
	return true;
}

/* Room for the item with number @id, which is the next one. */
static int location_make_room(struct location_table *table, uint32_t id)
{
	const uint32_t chunk = id / LOCATION_CHUNK_NR;

	if (chunk >= LOCATION_CHUNKS_NR)
		return -ENOMEM;
	if (!table->chunks[chunk])
		table->chunks[chunk] = calloc(1, sizeof(**table->chunks));
	if (!table->chunks[chunk])
		return -ENOMEM;
	return vec_grow((void **)&table->keys, &table->keys_capacity, id + 1, sizeof(*table->keys));
}

static int location_add(struct location_table *table, const struct location_key *key,
			const struct location *location, uint32_t *ret)
{
	uint32_t id = (uint32_t)table->nr;
	int error;

	if (!location->symbol || !location->dso || table->nr >= ID_NONE)
		return -ENOMEM;
	error = location_make_room(table, id);
	if (error == 0)
		error = id_index_insert(&table->index, location_hash(key), id);
	if (error)
		return error;
	*location_get(table, id) = *location;
	*location_frame_id(table, id) = ID_NONE;
	table->keys[id] = *key;
	table->nr++;
	*ret = id;
	return 0;
}

static const char *location_text(struct location_table *table, const char *text)
{
	auto_strbuf struct strbuf escaped = {0};

	escape_append(&escaped, text, strlen(text));
	return escaped.error ? NULL : intern_text(&table->texts, strbuf_text(&escaped));
}

/* A function's name as it is shown. */
static const char *location_function(struct location_table *table, const char *name)
{
	auto_strbuf struct strbuf plain = {0};

	if (table->options.keep_mangled)
		return location_text(table, name);
	demangle_append(name, &plain);
	return plain.error ? NULL : location_text(table, strbuf_text(&plain));
}

/* Is @name the function @function or a part of it? GCC splits and clones: .cold, .part.0. */
static bool symbol_is_of(const char *name, const char *function)
{
	size_t nr = strlen(function);

	return strncmp(name, function, nr) == 0 && (name[nr] == '\0' || name[nr] == '.');
}

/* The evaluation loop. In 2.7 it is what has been a mere caller of the loop since. */
static bool symbol_is_eval(struct module *module, const char *name)
{
	static const char eval[] = "_PyEval_EvalFrameDefault";

	return symbol_is_of(name, eval) ||
	       (symbol_is_of(name, "PyEval_EvalFrameEx") && !module_has_symbol(module, eval));
}

/* C++ functions of greenlet 2 and 3 (src/greenlet): a method of UserGreenlet with any arguments,
 * and Greenlet::g_switchstack(). */
static enum location_role symbol_role(struct module *module, const char *name)
{
	static const char start[] = "_ZN8greenlet12UserGreenlet15inner_bootstrapE";

	if (strncmp(name, start, sizeof(start) - 1) == 0)
		return ROLE_GREENLET_START;
	if (symbol_is_of(name, "_ZN8greenlet8Greenlet13g_switchstackEv"))
		return ROLE_GREENLET_SWITCH;
	return symbol_is_eval(module, name) ? ROLE_EVAL : ROLE_NONE;
}

/*
 * A function without a name in greenlet's extension module may be one that exchanges stacks, as
 * those that save and restore them are.
 */
static enum location_role nameless_role(const struct module *module)
{
	const char *path = module_path(module);
	const char *slash = strrchr(path, '/');

	return strncmp(slash ? slash + 1 : path, "_greenlet.", 10) == 0 ? ROLE_GREENLET_SWITCH
									: ROLE_NONE;
}

/* The symbols of a file are asked for one address after the other: all of a function's say the
 * same. */
static const struct location_name *location_name(struct location_table *table,
						 struct module *module, const char *name)
{
	const uint64_t mixed = (uintptr_t)name * UINT64_C(0x9e3779b97f4a7c15);
	struct location_name *known = &table->names[mixed >> 54];

	_Static_assert(LOCATION_NAMES_NR == 1 << 10, "the upper 10 bits choose");
	if (known->name != name)
		*known = (struct location_name){.name = name,
						.shown = location_function(table, name),
						.role = symbol_role(module, name)};
	return known;
}

/* One address after the other lies in the same file. */
static const char *location_module_dso(struct location_table *table, const struct module *module)
{
	if (table->last_module != module) {
		table->last_dso = location_text(table, module_path(module));
		table->last_module = module;
	}
	return table->last_dso;
}

static void location_resolve_native(struct location_table *table, const struct mapping *mapping,
				    uint64_t file_offset, struct location *ret)
{
	const struct location_name *name;
	struct symbol symbol;
	uint64_t vaddr;

	ret->has_dso = true;
	if (!mapping->module) {
		ret->dso = "//anon";
		return;
	}
	ret->dso = location_module_dso(table, mapping->module);
	ret->role = nameless_role(mapping->module);
	if (module_vaddr(mapping->module, file_offset, &vaddr) ||
	    module_symbol(mapping->module, vaddr, &symbol))
		return;
	name = location_name(table, mapping->module, symbol.name);
	ret->has_symbol = true;
	ret->symbol = name->shown;
	ret->symbol_offset = vaddr - symbol.vaddr;
	ret->module = mapping->module;
	ret->vaddr = vaddr;
	ret->role = name->role;
}

/* Keys of different kinds differ: module addresses are even, the others are marked odd. */
static uint64_t location_object(enum location_kind kind, uint64_t number)
{
	return (number << 8) | ((uint64_t)kind << 1) | 1;
}

static int location_set_line(struct location_table *table, const struct source_frame *source,
			     struct location *location)
{
	if (!source->file || !source->line)
		return 0;
	location->position.line = (int32_t)source->line;
	location->source_file = location_text(table, source->file);
	return location->source_file ? 0 : -ENOMEM;
}

/* Add the functions inlined where @base is, the outermost first, right behind it. */
static int location_add_inlined(struct location_table *table, const struct location *base,
				uint32_t base_id, const struct source_frame *sources)
{
	int error = 0;

	for (uint8_t i = base->inlined_nr; i-- > 0 && error == 0;) {
		const struct location_key key = {
		    .object = location_object(LOCATION_NATIVE, (uint64_t)base_id + 1),
		    .address = i,
		};
		struct location location = *base;
		uint32_t id;

		location.role = ROLE_NONE;
		location.is_inlined = true;
		location.inlined_nr = 0;
		location.has_symbol = true;
		location.symbol = location_function(table, sources[i].function);
		location.source_file = NULL;
		location.position = LINE_POSITION_NONE;
		error = location_set_line(table, &sources[i], &location);
		if (error == 0)
			error = location_add(table, &key, &location, &id);
	}
	return error;
}

/* How many of @nr functions, the innermost first, are inlined. One without a name ends it: what
 * cannot be told is not shown in part. */
static uint8_t sources_inlined_nr(const struct source_frame *sources, int nr)
{
	for (int i = 0; i < nr - 1; i++)
		if (!sources[i].function)
			return 0;
	return nr > 1 ? (uint8_t)(nr - 1) : 0;
}

static int location_add_native(struct location_table *table, const struct location_key *key,
			       struct module *module, struct location *location, uint32_t *ret)
{
	const struct location_options *options = &table->options;
	const struct source_frame *sources = NULL;
	uint64_t vaddr;
	int error = 0;
	int nr = 0;

	_Static_assert(SOURCE_FRAMES_NR_MAX <= UINT8_MAX, "location.inlined_nr holds it");
	if (module && (options->with_inlines || options->with_lines) &&
	    module_vaddr(module, key->address, &vaddr) == 0)
		nr = module_source_lines(module, vaddr, options->with_lines, &sources);
	if (nr < 0)
		return nr;
	location->inlined_nr = options->with_inlines ? sources_inlined_nr(sources, nr) : 0;
	/* Not shown apart, they are part of the function: its line is theirs. */
	if (nr)
		error = location_set_line(table, &sources[location->inlined_nr], location);
	if (error == 0)
		error = location_add(table, key, location, ret);
	return error ? error : location_add_inlined(table, location, *ret, sources);
}

int location_find_native(struct location_table *table, const struct native_frame *frame,
			 uint32_t *ret)
{
	const struct mapping *mapping = frame->mapping;
	struct location location = {.kind = LOCATION_NATIVE,
				    .position = LINE_POSITION_NONE,
				    .symbol = UNKNOWN_NAME,
				    .dso = UNKNOWN_NAME};
	struct location_key key = {.object = location_object(LOCATION_NATIVE, 0)};

	if (mapping && mapping->module) {
		key.object = (uint64_t)(uintptr_t)mapping->module;
		key.address = native_frame_lookup_pc(frame) - mapping->start + mapping->file_offset;
	} else if (mapping) {
		key.address = 1;
	}
	if (location_find(table, &key, ret))
		return 0;
	if (mapping)
		location_resolve_native(table, mapping, key.address, &location);
	return location_add_native(table, &key, mapping ? mapping->module : NULL, &location, ret);
}

static int location_resolve_python(struct location_table *table, const struct py_frame *frame,
				   struct location *ret)
{
	struct code *code = code_table_find(table->codes, frame->code_id);
	int64_t offset;
	int error;

	if (!code)
		return 0;
	ret->is_shim = code->is_shim;
	ret->is_entry = code->is_entry;
	ret->first_line = code->first_line;
	if (code->symbol) {
		ret->has_symbol = true;
		ret->symbol = code->symbol;
	}
	if (code->file) {
		ret->has_dso = true;
		ret->dso = code->file;
	}
	offset = line_table_byte_offset(code->version_hex, frame->value);
	ret->symbol_offset = offset < 0 ? 0 : (uint64_t)offset;
	error = code_position(code, frame->value, &ret->position);
	return error == -ENOENT ? 0 : error;
}

int location_find_python(struct location_table *table, const struct py_frame *frame, uint32_t *ret)
{
	struct location_key key = {.object = location_object(LOCATION_PYTHON, frame->code_id),
				   .address = (uint32_t)frame->value};
	struct location location = {.kind = LOCATION_PYTHON,
				    .position = LINE_POSITION_NONE,
				    .code_id = frame->code_id,
				    .first_line = LINE_NONE,
				    .symbol = UNKNOWN_NAME,
				    .dso = UNKNOWN_NAME};
	int error;

	if (location_find(table, &key, ret))
		return 0;
	error = location_resolve_python(table, frame, &location);
	return error ? error : location_add(table, &key, &location, ret);
}

static const char *location_kernel_dso(struct location_table *table, const char *module)
{
	auto_strbuf struct strbuf name = {0};

	strbuf_append_char(&name, '[');
	escape_append(&name, module, strlen(module));
	strbuf_append_char(&name, ']');
	return name.error ? NULL : intern_text(&table->texts, strbuf_text(&name));
}

int location_find_kernel(struct location_table *table, uint64_t address, uint32_t *ret)
{
	struct location_key key = {.object = location_object(LOCATION_KERNEL, 0),
				   .address = address};
	struct location location = {.kind = LOCATION_KERNEL,
				    .position = LINE_POSITION_NONE,
				    .symbol = UNKNOWN_NAME,
				    .has_dso = true,
				    .dso = "[kernel.kallsyms]"};
	struct bundle_kernel_symbol symbol;
	int error;

	if (location_find(table, &key, ret))
		return 0;
	error = kernel_symbols_find(table->kernel, address, &symbol);
	if (error == -ENOMEM)
		return error;
	if (error == 0) {
		location.has_symbol = true;
		location.symbol = location_text(table, symbol.name);
		location.symbol_offset = address - symbol.address;
		if (symbol.module[0])
			location.dso = location_kernel_dso(table, symbol.module);
	}
	return location_add(table, &key, &location, ret);
}

int location_find_note(struct location_table *table, const char *text, uint32_t *ret)
{
	struct location location = {.kind = LOCATION_NOTE,
				    .position = LINE_POSITION_NONE,
				    .has_symbol = true,
				    .dso = UNKNOWN_NAME};
	struct location_key key = {.object = location_object(LOCATION_NOTE, 0)};
	uint32_t text_id;
	int error = intern_bytes(&table->texts, text, strlen(text), &text_id);

	if (error)
		return error;
	key.address = text_id;
	location.symbol = table->texts.items[text_id].text;
	return location_find(table, &key, ret) ? 0 : location_add(table, &key, &location, ret);
}

/* The table counts columns from 0 and ends behind the last one. An empty span has no end. */
static void columns_append(const struct line_position *position, struct strbuf *ret)
{
	if (position->column == COLUMN_NONE)
		return;
	strbuf_append_format(ret, ":%d", position->column + 1);
	if (position->end_column == COLUMN_NONE)
		return;
	if (position->end_line > position->line)
		strbuf_append_format(ret, "-%d:%d", position->end_line, position->end_column);
	else if (position->end_column > position->column)
		strbuf_append_format(ret, "-%d", position->end_column);
}

void location_append_line(const struct location *location, bool with_columns, struct strbuf *ret)
{
	if (location->kind != LOCATION_PYTHON)
		return;
	if (location->position.line == LINE_NONE) {
		strbuf_append_text(ret, location->has_dso ? ":?" : "");
		return;
	}
	strbuf_append_format(ret, ":%d", location->position.line);
	if (with_columns)
		columns_append(&location->position, ret);
}

void location_append_source(const struct location *location, bool with_columns, struct strbuf *ret)
{
	if (location->kind == LOCATION_PYTHON) {
		strbuf_append_text(ret, location->dso);
		location_append_line(location, with_columns, ret);
	} else if (location->source_file) {
		strbuf_append_format(ret, "%s:%d", location->source_file, location->position.line);
	}
}
