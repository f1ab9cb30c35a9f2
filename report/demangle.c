/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

enum {
	MANGLED_BYTES_MAX = 8192, /* libiberty keeps some bytes for each of them on the stack */
	DEMANGLED_BYTES_MAX = 1 << 14,
};

static const char plt_suffix[] = "@plt";

struct demangling {
	struct strbuf *out;
	size_t begin;
	jmp_buf too_long;
};

/* libiberty cannot be told to stop, and may go on for ever. It keeps nothing but on the stack; of
 * a Rust name in Punycode some bytes of the heap are lost. */
static void take_part(const char *text, size_t nr, void *context)
{
	struct demangling *demangling = context;

	if (demangling->out->nr - demangling->begin + nr > DEMANGLED_BYTES_MAX)
		longjmp(demangling->too_long, 1);
	strbuf_append(demangling->out, text, nr);
}

static bool demangle(const char *name, struct strbuf *out)
{
	struct demangling demangling = {.out = out, .begin = out->nr};

	if (setjmp(demangling.too_long))
		return false;
	if (rust_demangle_callback(name, DMGL_NO_OPTS, take_part, &demangling))
		return true;
	strbuf_truncate(out, demangling.begin);
	return cplus_demangle_v3_callback(name, DMGL_NO_OPTS, take_part, &demangling) != 0;
}

static bool is_mangled(const char *name)
{
	return strncmp(name, "_Z", 2) == 0 || strncmp(name, "_R", 2) == 0 ||
	       strncmp(name, "_GLOBAL_", 8) == 0;
}

void demangle_append(const char *name, struct strbuf *ret)
{
	const size_t begin = ret->nr;
	const char *suffix = strstr(name, plt_suffix);
	size_t nr = strlen(name);
	auto_strbuf struct strbuf plain = {0};

	if (!is_mangled(name) || nr > MANGLED_BYTES_MAX) {
		strbuf_append_text(ret, name);
		return;
	}
	if (suffix && suffix[sizeof(plt_suffix) - 1] == '\0')
		nr = (size_t)(suffix - name);
	strbuf_append(&plain, name, nr);
	if (demangle(strbuf_text(&plain), ret)) {
		strbuf_append_text(ret, name + nr);
		return;
	}
	strbuf_truncate(ret, begin);
	strbuf_append_text(ret, name);
}
