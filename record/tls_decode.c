/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/tls_decode.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/bytes.h"

enum { DECODE_BYTES = 48 };

/*
 * A shared object's dynamic TLS: a word without a symbol that is filled with the object's own
 * module number (R_X86_64_DTPMOD64). @wanted: that word only; 0: the first one. Return: 0 when
 * there is none.
 */
static uint64_t tls_module_word(const struct elf_file *elf, uint64_t wanted)
{
	struct elf_section relocations;
	struct bytes_cursor cursor;

	if (elf_file_section(elf, ".rela.dyn", &relocations) || !relocations.bytes)
		return 0;
	cursor = bytes_cursor_make(relocations.bytes, relocations.nr);
	while (bytes_left(&cursor) >= sizeof(Elf64_Rela)) {
		uint64_t vaddr = bytes_get_u64(&cursor);
		uint64_t info = bytes_get_u64(&cursor);

		(void)bytes_get_u64(&cursor);
		if (ELF64_R_TYPE(info) == R_X86_64_DTPMOD64 && ELF64_R_SYM(info) == 0 &&
		    (!wanted || vaddr == wanted))
			return vaddr;
	}
	return 0;
}

static bool is_main_program(const struct elf_file *elf)
{
	struct elf_section interpreter;

	return elf_file_is_executable_type(elf) ||
	       elf_file_section(elf, ".interp", &interpreter) == 0;
}

struct tls_search {
	const char *name;
	uint64_t offset; /* in the TLS block */
	bool is_found;
};

static int tls_symbol_visit(void *context, const struct elf_symbol *symbol)
{
	struct tls_search *search = context;

	if (symbol->type != STT_TLS || !symbol->is_defined ||
	    strcmp(symbol->name, search->name) != 0)
		return 0;
	search->offset = symbol->vaddr;
	search->is_found = true;
	return 1;
}

/* The thread pointer stands at the aligned end of the main program's block (x86-64 psABI,
 * "variant II"). */
static int tls_static_offset(const struct elf_file *elf, uint64_t in_block, int64_t *ret)
{
	struct elf_segment tls;
	uint64_t alignment;

	if (elf_file_tls(elf, &tls) || tls.memory_bytes > UINT32_MAX)
		return -ENOENT;
	alignment = tls.alignment ? tls.alignment : 1;
	*ret = (int64_t)in_block -
	       (int64_t)((tls.memory_bytes + alignment - 1) / alignment * alignment);
	return 0;
}

/* Machine code of one function. */
struct code_range {
	uint64_t vaddr;
	const uint8_t *bytes;
	size_t nr;
};

static bool code_is(const struct code_range *code, size_t at, const char *pattern, size_t nr)
{
	return at + nr <= code->nr && memcmp(code->bytes + at, pattern, nr) == 0;
}

static int32_t code_displacement(const struct code_range *code, size_t at)
{
	int32_t value;

	memcpy(&value, code->bytes + at, sizeof(value));
	return value;
}

/* mov %fs:disp32,%rax */
static void tls_decode_static(const struct code_range *code, struct tls_place *place)
{
	for (size_t i = 0; i + 9 <= code->nr; i++) {
		if (!code_is(code, i, "\x64\x48\x8b\x04\x25", 5))
			continue;
		place->offset = code_displacement(code, i + 5);
		if (place->offset < 0) /* else the thread's own head, such as the canary */
			place->kind = PYREC_TLS_STATIC;
		return;
	}
}

/* The displacement of mov disp(%rax),%rax at @at or behind. */
static int tls_decode_load(const struct code_range *code, size_t at, int32_t *ret)
{
	for (; at < code->nr; at++) {
		if (code_is(code, at, "\x48\x8b\x00", 3)) {
			*ret = 0;
			return 0;
		}
		if (code_is(code, at, "\x48\x8b\x40", 3) && at + 4 <= code->nr) {
			*ret = (int8_t)code->bytes[at + 3];
			return 0;
		}
		if (code_is(code, at, "\x48\x8b\x80", 3) && at + 7 <= code->nr) {
			*ret = code_displacement(code, at + 3);
			return 0;
		}
	}
	return -ENOENT;
}

/*
 * lea GOT(%rip),%rdi; call __tls_get_addr; mov disp(%rax),%rax. The GOT has the module number and
 * the offset of the variable, or 0 when the displacement alone tells that.
 */
static void tls_decode_dynamic(const struct elf_file *elf, const struct code_range *code,
			       struct tls_place *place)
{
	for (size_t i = 0; i + 7 <= code->nr; i++) {
		const uint8_t *in_block;
		int32_t displacement;
		uint64_t offset;
		uint64_t word;

		if (!code_is(code, i, "\x48\x8d\x3d", 3))
			continue;
		word = code->vaddr + i + 7 + (uint64_t)(int64_t)code_displacement(code, i + 3);
		in_block = elf_file_at(elf, word + 8, 8);
		if (!word || !in_block || !tls_module_word(elf, word) ||
		    tls_decode_load(code, i + 7, &displacement))
			return;
		memcpy(&offset, in_block, sizeof(offset));
		place->kind = PYREC_TLS_DYNAMIC;
		place->offset = (int64_t)(offset + (uint64_t)(int64_t)displacement);
		place->module_vaddr = word;
		return;
	}
}

/* The beginning of @function, not beyond its end: what the next one loads is something else. */
static bool code_find(const struct elf_file *elf, const char *function, struct code_range *ret)
{
	struct elf_symbol symbol;

	if (elf_file_find_symbol(elf, function, &symbol))
		return false;
	ret->vaddr = symbol.vaddr;
	ret->nr = symbol.bytes < DECODE_BYTES ? symbol.bytes : DECODE_BYTES;
	ret->bytes = elf_file_at(elf, symbol.vaddr, ret->nr);
	return ret->bytes != NULL;
}

/* @function does nothing but load the variable. */
static void tls_decode(const struct elf_file *elf, const char *function, struct tls_place *place)
{
	struct code_range code;

	if (!code_find(elf, function, &code))
		return;
	if (is_main_program(elf))
		tls_decode_static(&code, place);
	else
		tls_decode_dynamic(elf, &code, place);
}

struct tls_place tls_find(const struct elf_file *elf, const char *variable, const char *function)
{
	struct tls_search search = {.name = variable};
	struct tls_place place = {.kind = PYREC_TLS_NONE};

	elf_file_visit_symbols(elf, tls_symbol_visit, &search);
	if (!search.is_found) {
		tls_decode(elf, function, &place);
	} else if (is_main_program(elf)) {
		if (tls_static_offset(elf, search.offset, &place.offset) == 0)
			place.kind = PYREC_TLS_STATIC;
	} else {
		place.module_vaddr = tls_module_word(elf, 0);
		place.offset = (int64_t)search.offset;
		if (place.module_vaddr)
			place.kind = PYREC_TLS_DYNAMIC;
	}
	return place;
}

/* Loads %fs:0, the thread's struct pthread; a pointer in it; the element %rdi of what that points
 * at. */
static uint32_t musl_decode(const struct code_range *code)
{
	int32_t displacement;
	size_t at = 0;

	while (!code_is(code, at, "\x64\x48\x8b\x04\x25\0\0\0\0", 9))
		if (at++ == code->nr)
			return 0;
	if (tls_decode_load(code, at + 9, &displacement) || displacement <= 0)
		return 0;
	for (; at < code->nr; at++)
		if (code_is(code, at, "\x48\x8b\x04\xf8\xc3", 5))
			return (uint32_t)displacement;
	return 0;
}

bool musl_find(const struct elf_file *elf, uint32_t *specific)
{
	struct elf_symbol loader;
	struct code_range code;

	*specific = code_find(elf, "pthread_getspecific", &code) ? musl_decode(&code) : 0;
	/* The last step of musl's loader (ldso/dynlink.c), exported for debuggers. */
	return *specific || elf_file_find_symbol(elf, "__dls3", &loader) == 0;
}
