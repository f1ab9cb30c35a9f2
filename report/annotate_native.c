/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/annotate_native.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/escape.h"
#include "common/intern.h"
#include "report/annotate_disassembly.h"
#include "report/demangle.h"
#include "report/module.h"

enum {
	FUNCTION_BYTES_MAX = 16 << 20,
	SOURCE_FILES_MAX = 64, /* that are read for one function */
	ADDRESS_WIDTH = 12,
};

VEC_DEFINE(source_texts, struct source_text *)

struct native_function {
	struct annotate_table *table;
	uint32_t index; /* of the counts' functions */
	struct module *module;
	struct symbol symbol;
	const uint8_t *code; /* NULL: not at hand */
	uint16_t machine;
	const struct source_places *sources;
	struct intern source_names; /* ids: source_texts */
	struct source_texts source_texts;
	/* The source line shown last. */
	uint32_t shown_name;
	uint32_t shown_line;
};

/* ---- Source lines ---- */

static bool accepts_any(const void *context, const struct source_text *text)
{
	(void)context;
	(void)text;
	return true;
}

/* The text of a source file, from the second time on as it was found at the first; NULL: none. */
static int find_source(struct native_function *native, const char *file, uint32_t *id)
{
	struct source_text *text = NULL;
	int ret = intern_bytes(&native->source_names, file, strlen(file), id);

	if (ret || *id < native->source_texts.nr)
		return ret;
	if (native->source_texts.nr < SOURCE_FILES_MAX)
		ret = source_find(native->sources, file, accepts_any, NULL, &text);
	if (ret == -ENOMEM)
		return ret;
	ret = source_texts_append(&native->source_texts, text);
	if (ret)
		source_text_destroy(text);
	return ret;
}

static int print_source_line(struct native_function *native, uint64_t vaddr)
{
	struct out_stream *out = native->table->out;
	auto_strbuf struct strbuf text = {0};
	const struct source_frame *frames;
	int nr = module_source_lines(native->module, vaddr, true, &frames);
	uint32_t name;
	int ret;

	if (nr <= 0 || !frames[0].file || !frames[0].line)
		return nr < 0 ? nr : 0;
	ret = find_source(native, frames[0].file, &name);
	if (ret || (name == native->shown_name && frames[0].line == native->shown_line))
		return ret;
	native->shown_name = name;
	native->shown_line = frames[0].line;
	escape_append(&text, frames[0].file, strlen(frames[0].file));
	strbuf_append_format(&text, ":%" PRIu32, frames[0].line);
	if (native->source_texts.items[name]) {
		strbuf_append_text(&text, "  ");
		source_text_append(native->source_texts.items[name], frames[0].line, &text);
	}
	if (text.error)
		return text.error;
	annotate_print_shares(native->table, NULL);
	out_spaces(out, native->table->place_width);
	out_format(out, "  %s\n", strbuf_text(&text));
	return 0;
}

/* ---- Instructions ---- */

/* " <function+0x12>" */
static int print_target(struct native_function *native, uint64_t target)
{
	auto_strbuf struct strbuf plain = {0};
	auto_strbuf struct strbuf text = {0};
	struct symbol symbol;
	int error = module_symbol(native->module, target, &symbol);

	if (error)
		return error == -ENOENT ? 0 : error;
	demangle_append(symbol.name, &plain);
	escape_append(&text, strbuf_text(&plain), plain.nr);
	if (plain.error || text.error)
		return -ENOMEM;
	out_format(native->table->out, " <%s", strbuf_text(&text));
	if (target != symbol.vaddr)
		out_format(native->table->out, "+0x%" PRIx64, target - symbol.vaddr);
	out_char(native->table->out, '>');
	return 0;
}

static int print_instruction(struct native_function *native, const struct instruction *instruction)
{
	struct annotate_table *table = native->table;
	struct annotate_weight weight;
	bool has_samples;
	int ret;

	annotate_counts_sum(table->counts, native->index, instruction->vaddr,
			    instruction->vaddr + instruction->bytes, &weight);
	has_samples = weight.total.samples_nr > 0;
	if (!annotate_begin_row(table, has_samples ? &weight : NULL))
		return 0;
	ret = print_source_line(native, instruction->vaddr);
	annotate_print_shares(table, has_samples ? &weight : NULL);
	out_format(table->out, "%*" PRIx64 "  %s%s%s", (int)table->place_width, instruction->vaddr,
		   instruction->mnemonic, instruction->operands[0] ? " " : "",
		   instruction->operands);
	if (ret == 0 && instruction->has_target)
		ret = print_target(native, instruction->target);
	out_char(table->out, '\n');
	return ret;
}

static int print_code(struct native_function *native)
{
	struct instruction instruction;
	struct disassembly *disassembly;
	int ret = disassembly_create(native->machine, native->code, native->symbol.bytes,
				     native->symbol.vaddr, &disassembly);

	if (ret)
		return ret;
	while (ret == 0 && !native->table->out->error &&
	       disassembly_next(disassembly, &instruction))
		ret = print_instruction(native, &instruction);
	disassembly_destroy(disassembly);
	return ret;
}

/* Where samples are, without what is there. */
static void print_places(struct annotate_table *table)
{
	const struct annotate_function *function = table->function;
	const struct annotate_place *places = &table->counts->places.items[function->first_place];

	for (uint32_t i = 0; i < function->places_nr; i++) {
		if (!annotate_begin_row(table, &places[i].weight))
			continue;
		annotate_print_shares(table, &places[i].weight);
		out_format(table->out, "%*" PRIx64 "\n", (int)table->place_width,
			   (uint64_t)places[i].at);
	}
}

/* ---- The function ---- */

static int find_code(struct native_function *native, const struct location *location)
{
	int ret;

	if (location->kind != LOCATION_NATIVE)
		return 0;
	native->module = location->module;
	ret = module_symbol(location->module, location->vaddr, &native->symbol);
	if (ret == 0 && native->symbol.bytes && native->symbol.bytes <= FUNCTION_BYTES_MAX)
		native->code = module_local_code(native->module, native->symbol.vaddr,
						 native->symbol.bytes, &native->machine);
	return ret == -ENOENT ? 0 : ret;
}

static void print_code_state(const struct native_function *native)
{
	const struct location *location = native->table->function->location;
	auto_strbuf struct strbuf build_id = {0};
	const uint8_t *bytes;
	uint8_t nr;

	if (native->code)
		return;
	if (location->kind == LOCATION_KERNEL) {
		annotate_print_head(native->table->out, "Code:", "the kernel's is not read");
		return;
	}
	bytes = module_build_id(location->module, &nr);
	for (uint8_t i = 0; i < nr; i++)
		strbuf_append_format(&build_id, "%02x", bytes[i]);
	annotate_print_head(native->table->out, "Code:",
			    "not at hand: recordings hold none; with %s%s%s below DIR use "
			    "--symfs=DIR",
			    location->dso, nr ? " of build id " : "", strbuf_text(&build_id));
}

int annotate_native(struct annotate_table *table, const struct source_places *sources)
{
	struct native_function native = {
	    .table = table,
	    .index = (uint32_t)(table->function - table->counts->functions.items),
	    .sources = sources,
	    .shown_name = ID_NONE};
	int ret = find_code(&native, table->function->location);

	table->place_width = ADDRESS_WIDTH;
	annotate_print_function(table);
	print_code_state(&native);
	annotate_print_titles(
	    table, table->function->location->kind == LOCATION_KERNEL ? "Offset" : "Address",
	    native.code ? "Instruction" : "");
	if (ret == 0 && native.code)
		ret = print_code(&native);
	else
		print_places(table);
	for (size_t i = 0; i < native.source_texts.nr; i++)
		source_text_destroy(native.source_texts.items[i]);
	source_texts_deinit(&native.source_texts);
	intern_deinit(&native.source_names);
	return ret;
}
