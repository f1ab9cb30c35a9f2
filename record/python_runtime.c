/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/python_runtime.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "record/static_variable.h"
#include "record/tls_decode.h"

enum { PROLOGUE_BYTES = 0xc0, VERSION_3_12 = 0x030c, VERSION_3_13 = 0x030d };

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

/*
 * Where the process keeps its threads' states: in _PyRuntime; in 2.7 and 3.6 in variables of their
 * own, some of them static. A stripped file has no names for those, but exports functions that use
 * them: PyGILState_GetThisThreadState() loads the key, PyThread_ReInitTLS() goes through the list
 * by a pointer to its pointers, so it takes the address of the first.
 */
static void state_find(const struct elf_file *elf, struct python_runtime *runtime)
{
	const struct python_layout *layout = &runtime->layout;

	if (layout->has_plain_key || layout->has_thread_list)
		runtime->current_vaddr = symbol_vaddr(elf, "_PyThreadState_Current");
	if (layout->has_plain_key) {
		runtime->key_vaddr = symbol_vaddr(elf, "autoTLSkey");
		if (!runtime->key_vaddr)
			runtime->key_vaddr = static_variable_decode(
			    elf, "PyGILState_GetThisThreadState", STATIC_VARIABLE_LOAD);
	}
	if (layout->has_plain_key) {
		runtime->interpreters_vaddr = symbol_vaddr(elf, "interp_head");
		if (!runtime->interpreters_vaddr)
			runtime->interpreters_vaddr = static_variable_decode(
			    elf, "PyInterpreterState_Head", STATIC_VARIABLE_LOAD_64);
	}
	if (layout->has_thread_list) {
		runtime->thread_list_vaddr = symbol_vaddr(elf, "keyhead");
		if (!runtime->thread_list_vaddr)
			runtime->thread_list_vaddr = static_variable_decode(
			    elf, "PyThread_ReInitTLS", STATIC_VARIABLE_ADDRESS);
	}
	if (layout->runtime_key)
		runtime->key_vaddr = runtime->runtime_vaddr + layout->runtime_key;
	if (layout->runtime_interpreters)
		runtime->interpreters_vaddr = runtime->runtime_vaddr + layout->runtime_interpreters;
	if (layout->runtime_current)
		runtime->current_vaddr = runtime->runtime_vaddr + layout->runtime_current;
}

/*
 * PyPy: the entry points of its library (rpython/translator/c/src/entrypoint.c). Its version is
 * told by the text that sys.version ends in. Return: is it one?
 */
static bool pypy_find(const struct elf_file *elf, struct python_runtime *ret)
{
	static const char mark[] = "[PyPy ";
	struct elf_section section = {0};
	const uint8_t *end, *text = NULL;
	unsigned int major, minor, micro;
	char version[16] = "";

	if (!symbol_vaddr(elf, "pypy_main_startup") || !symbol_vaddr(elf, "rpython_startup_code"))
		return false;
	if (elf_file_section(elf, ".data", &section) == 0 && section.bytes)
		text = memmem(section.bytes, section.nr, mark, sizeof(mark) - 1);
	if (text) {
		end = section.bytes + section.nr;
		text += sizeof(mark) - 1;
		memcpy(version, text,
		       (size_t)(end - text) < sizeof(version) ? (size_t)(end - text)
							      : sizeof(version) - 1);
	}
	if (sscanf(version, "%3u.%3u.%3u", &major, &minor, &micro) == 3)
		snprintf(ret->other, sizeof(ret->other), "PyPy %u.%u.%u", major, minor, micro);
	else
		snprintf(ret->other, sizeof(ret->other), "PyPy");
	return true;
}

/*
 * GraalPy as machine code: the library that its launcher loads and enters as a Java machine
 * (mx.graalpython/suite.py, "libpythonvm"; sdk/src/org.graalvm.launcher.native/src/launcher.cc of
 * Graal). On a JVM nothing of the process tells that it runs Python.
 */
static bool graalpy_find(const struct elf_file *elf, const char *path, struct python_runtime *ret)
{
	const char *slash = strrchr(path, '/');

	if (strcmp(slash ? slash + 1 : path, "libpythonvm.so") != 0 ||
	    !symbol_vaddr(elf, "JNI_CreateJavaVM"))
		return false;
	snprintf(ret->other, sizeof(ret->other), "GraalPy");
	return true;
}

/*
 * Py_TRACE_REFS (all debug builds up to 3.7) puts two more pointers before each object, up to 3.12.
 * The function is defined only then (Include/object.h, 3.9 to 3.12: Include/cpython/object.h).
 */
static bool is_trace_refs(const struct elf_file *elf, uint32_t version_hex)
{
	return version_hex >> 16 < VERSION_3_13 && symbol_vaddr(elf, "_Py_ForgetReference");
}

int python_runtime_detect(const struct elf_file *elf, const char *path, struct python_runtime *ret)
{
	struct elf_section section = {0};
	bool has_section = elf_file_section(elf, ".PyRuntime", &section) == 0;
	struct elf_symbol symbol = {0};
	uint64_t vaddr;

	if (!has_section && elf_file_find_symbol(elf, "_PyRuntime", &symbol))
		symbol = (struct elf_symbol){0};
	vaddr = has_section ? section.vaddr : symbol.vaddr;
	*ret = (struct python_runtime){
	    .runtime_vaddr = vaddr,
	    .runtime_bytes = has_section ? section.nr : symbol.bytes,
	};
	if (elf_file_machine(elf) != EM_X86_64)
		return -ENOENT;
	if (pypy_find(elf, ret) || graalpy_find(elf, path, ret))
		return 0;
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
	ret->is_trace_refs = is_trace_refs(elf, ret->version_hex);
	if (!ret->is_trace_refs &&
	    python_layout_find(ret->version_hex, section.bytes, section.bytes ? section.nr : 0,
			       &ret->layout) == 0) {
		state_find(elf, ret);
		eval_find(elf, ret);
		ret->is_walkable = tls_find_states(elf, ret) == 0;
	}
	return 0;
}
