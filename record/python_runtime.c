/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/python_runtime.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"

enum { DECODE_BYTES = 48, PROLOGUE_BYTES = 0xc0, VERSION_3_12 = 0x030c };

/* "…python3.9…" in the last path component: only for the message about a version we refuse. */
static uint32_t version_from_name(const char *path)
{
	const char *name = strrchr(path, '/');
	unsigned int major, minor;

	name = strstr(name ? name : path, "python");
	if (!name || sscanf(name, "python%u.%u", &major, &minor) != 2 || major > 255 || minor > 255)
		return 0;
	return major << 24 | minor << 16;
}

/* Py_Version (3.11 and newer) is a constant in read-only data. */
static uint32_t version_from_symbol(const struct elf_file *elf)
{
	struct elf_symbol symbol;
	const uint8_t *bytes;
	uint64_t value = 0;

	if (elf_file_find_symbol(elf, "Py_Version", &symbol))
		return 0;
	bytes = elf_file_at(elf, symbol.vaddr, sizeof(value));
	if (!bytes)
		return 0;
	memcpy(&value, bytes, sizeof(value));
	return (uint32_t)value;
}

/* "3.9.18" or "3.9.0rc1", a whole string of @nr bytes with its NUL. Return: PY_VERSION_HEX or 0. */
static uint32_t version_parse(const char *text, size_t nr)
{
	unsigned int major, minor, micro, serial = 0;
	unsigned int level = 0xf;
	char mark[3] = "";
	int used = 0;

	if (nr > 24 || sscanf(text, "%2u.%2u.%3u%n", &major, &minor, &micro, &used) != 3)
		return 0;
	text += used;
	if (sscanf(text, "%2[abrc]%2u%n", mark, &serial, &used) == 2) {
		level = strcmp(mark, "a") == 0 ? 0xa : strcmp(mark, "b") == 0 ? 0xb : 0xc;
		text += used;
	}
	if (*text && strcmp(text, "+") != 0)
		return 0;
	if (!(major == 3 && minor >= 6 && minor <= 10) && !(major == 2 && minor == 7))
		return 0;
	return major << 24 | minor << 16 | micro << 8 | level << 4 | serial;
}

/* Where a version may begin in a string: linkers let a string be the tail of a longer one. */
static size_t version_tail(const char *text, size_t nr)
{
	while (nr && strchr("0123456789.abcr+", text[nr - 1]))
		nr--;
	return nr;
}

/*
 * Before Py_Version the version is only in PY_VERSION, the string that Py_GetVersion() formats.
 * Where read-only data holds several that look like it, the one that the file's name agrees with.
 */
static uint32_t version_from_text(const struct elf_file *elf, uint32_t named)
{
	struct elf_section section;
	uint32_t found = 0;
	size_t at = 0;

	if (elf_file_section(elf, ".rodata", &section) || !section.bytes)
		return 0;
	while (at < section.nr) {
		const char *text = (const char *)section.bytes + at;
		size_t nr = strnlen(text, section.nr - at);
		size_t tail = at + nr < section.nr ? version_tail(text, nr) : nr;
		uint32_t version = nr - tail >= 5 ? version_parse(text + tail, nr - tail) : 0;

		if (version && (!found || version >> 16 == named >> 16))
			found = version;
		at += nr + 1;
	}
	return found;
}

static uint64_t symbol_vaddr(const struct elf_file *elf, const char *name)
{
	struct elf_symbol symbol;

	return elf_file_find_symbol(elf, name, &symbol) ? 0 : symbol.vaddr;
}

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

/* Where a variable of each thread is: as in struct pyrec_process. */
struct tls_place {
	uint32_t kind; /* enum pyrec_tls_kind */
	int64_t offset;
	uint64_t module_vaddr;
};

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

/* @function does nothing but load the variable. */
static void tls_decode(const struct elf_file *elf, const char *function, struct tls_place *place)
{
	struct elf_symbol symbol;
	struct code_range code;

	if (elf_file_find_symbol(elf, function, &symbol))
		return;
	code.vaddr = symbol.vaddr;
	/* Not beyond its end: what the next function loads is something else. */
	code.nr = symbol.bytes < DECODE_BYTES ? symbol.bytes : DECODE_BYTES;
	code.bytes = elf_file_at(elf, symbol.vaddr, code.nr);
	if (!code.bytes)
		return;
	if (is_main_program(elf))
		tls_decode_static(&code, place);
	else
		tls_decode_dynamic(elf, &code, place);
}

/* Where @variable of a thread is; a stripped file keeps no name for it, but exports @function,
 * which loads it. */
static struct tls_place tls_find(const struct elf_file *elf, const char *variable,
				 const char *function)
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

/*
 * The thread-local variables of 3.12 and newer. Without that of the attached state the pthread key
 * serves; 3.15 has no key, both of its variables must be found. Return: 0 or -ENOENT.
 */
static int tls_find_states(const struct elf_file *elf, struct python_runtime *runtime)
{
	struct tls_place attached;
	struct tls_place bound;

	if (runtime->version_hex >> 16 < VERSION_3_12)
		return 0;
	attached = tls_find(elf, "_Py_tss_tstate", "_PyThreadState_GetCurrent");
	runtime->tls_kind = attached.kind;
	runtime->tls_offset = attached.offset;
	runtime->tls_module_vaddr = attached.module_vaddr;
	if (!runtime->layout.needs_bound)
		return 0;
	bound = tls_find(elf, "_Py_tss_gilstate", "PyGILState_GetThisThreadState");
	runtime->has_bound = bound.kind != PYREC_TLS_NONE && bound.kind == attached.kind;
	runtime->bound_offset = bound.offset;
	return runtime->has_bound ? 0 : -ENOENT;
}

/*
 * Behind the first `mov %reg, disp8(%base)` of the evaluation function whose displacement is that
 * of PyThreadState.cframe and whose base is not the stack pointer: the store that links a new
 * _PyCFrame before it is filled in. Return: its offset in the function, 0 when there is none.
 */
static uint32_t cframe_link_find(const struct elf_file *elf, const struct python_runtime *runtime,
				 uint64_t eval_vaddr)
{
	const uint8_t *code = elf_file_at(elf, eval_vaddr, PROLOGUE_BYTES);
	const uint8_t displacement = (uint8_t)runtime->layout.walk.tstate_frame;

	for (uint32_t i = 0; code && i + 5 <= PROLOGUE_BYTES; i++) {
		const uint8_t rex = code[i];
		const uint8_t modrm = code[i + 2];
		const bool has_sib = (modrm & 7) == 4;

		/* REX.W, mov r/m64 <- r64, base + disp8 */
		if ((rex & 0xf8) != 0x48 || code[i + 1] != 0x89 || modrm >> 6 != 1)
			continue;
		if (has_sib && (code[i + 3] != 0x24 || !(rex & 1))) /* only r12 */
			continue;
		if (code[i + 3 + has_sib] == displacement)
			return i + 4 + has_sib;
	}
	return 0;
}

static void eval_find(const struct elf_file *elf, struct python_runtime *runtime)
{
	uint64_t vaddr = symbol_vaddr(elf, "_PyEval_EvalFrameDefault");
	uint32_t linked = vaddr && runtime->layout.walk.has_cframe
			      ? cframe_link_find(elf, runtime, vaddr)
			      : 0;

	runtime->eval_linked_vaddr = linked ? vaddr + linked : 0;
}

/* Where the process keeps its threads' states: in _PyRuntime, in 3.6 in variables of their own, of
 * which a stripped file names only the second. */
static void state_find(const struct elf_file *elf, struct python_runtime *runtime)
{
	const struct python_layout *layout = &runtime->layout;

	if (layout->has_plain_key) {
		runtime->key_vaddr = symbol_vaddr(elf, "autoTLSkey");
		runtime->current_vaddr = symbol_vaddr(elf, "_PyThreadState_Current");
		return;
	}
	if (layout->runtime_key)
		runtime->key_vaddr = runtime->runtime_vaddr + layout->runtime_key;
	if (layout->runtime_current)
		runtime->current_vaddr = runtime->runtime_vaddr + layout->runtime_current;
}

int python_runtime_detect(const struct elf_file *elf, const char *path, struct python_runtime *ret)
{
	struct elf_section section = {0};
	bool has_section = elf_file_section(elf, ".PyRuntime", &section) == 0;
	uint64_t vaddr = has_section ? section.vaddr : symbol_vaddr(elf, "_PyRuntime");

	*ret = (struct python_runtime){.runtime_vaddr = vaddr};
	if (elf_file_machine(elf) != EM_X86_64)
		return -ENOENT;
	/* 2.7 and 3.6 have no _PyRuntime. */
	if (!vaddr && (!symbol_vaddr(elf, "_PyThreadState_Current") ||
		       !symbol_vaddr(elf, "PyEval_EvalFrameEx")))
		return -ENOENT;
	ret->version_hex = version_from_symbol(elf);
	if (!ret->version_hex && section.bytes && section.nr >= 16 &&
	    memcmp(section.bytes, "xdebugpy", 8) == 0)
		memcpy(&ret->version_hex, section.bytes + 8, 4);
	if (!ret->version_hex)
		ret->version_hex = version_from_text(elf, version_from_name(path));
	if (!ret->version_hex)
		ret->version_hex = version_from_name(path);
	if (python_layout_find(ret->version_hex, section.bytes, section.bytes ? section.nr : 0,
			       &ret->layout) == 0) {
		state_find(elf, ret);
		eval_find(elf, ret);
		ret->is_walkable = tls_find_states(elf, ret) == 0;
	}
	return 0;
}
