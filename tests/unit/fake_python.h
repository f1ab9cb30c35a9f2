/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Code objects, strings and bytes objects of CPython in this process's own memory, laid out as a
 * struct pyrec_layout says. What BPF would take their fingerprint to be is asked of BPF's own code.
 */
#ifndef PYREC_TESTS_FAKE_PYTHON_H
#define PYREC_TESTS_FAKE_PYTHON_H

#include <linux/types.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/pyrec_bpf.h"

/* Room behind every object, for reads of a whole head. */
enum { FAKE_OBJECT_BYTES = 256 };

/* An object that BPF cannot read; NULL: none. */
static const char *fake_absent;

static inline long read_user(void *to, __u32 nr, __u64 from)
{
	const char *at = (const char *)(uintptr_t)from;

	if (fake_absent && at >= fake_absent && at < fake_absent + FAKE_OBJECT_BYTES)
		return -1;
	memcpy(to, (const void *)(uintptr_t)from, nr);
	return 0;
}

#define walk_inline static inline __attribute__((unused))
#include "bpf/py_walk.h"
#include "bpf/py_code.h"

/* Behind the length of strings and bytes objects: no hash made yet. */
#define FAKE_NO_HASH UINT64_MAX

enum fake_text_form { FAKE_ASCII, FAKE_COMPACT, FAKE_NOT_COMPACT };

static inline void *fake_object(size_t nr)
{
	void *object = calloc(1, FAKE_OBJECT_BYTES + nr);

	if (!object)
		abort();
	memset(object, 0xa5, FAKE_OBJECT_BYTES + nr); /* what nobody set must not matter */
	return object;
}

static inline void fake_set(void *object, size_t offset, uint64_t value)
{
	memcpy((char *)object + offset, &value, sizeof(value));
}

static inline void fake_set_half(void *object, size_t offset, uint32_t value)
{
	memcpy((char *)object + offset, &value, sizeof(value));
}

/** A PyUnicodeObject of @length code points of @unit bytes. */
static inline void *fake_unicode(const struct pyrec_layout *layout, enum fake_text_form form,
				 const void *points, uint64_t length, uint32_t unit)
{
	char *object = fake_object(length * unit);
	/* kind, compact, ascii; below them interned 1, above a bit and garbage */
	const uint32_t kind = unit | (form != FAKE_NOT_COMPACT) << 3 | (form == FAKE_ASCII) << 4 |
			      1u << 5 | 0xabc0;
	const uint32_t state = 1 | kind << (2 + layout->unicode_kind);

	fake_set(object, layout->unicode_length, length);
	fake_set(object, layout->unicode_length + 8, FAKE_NO_HASH);
	fake_set_half(object, layout->unicode_state, state);
	if (form == FAKE_NOT_COMPACT)
		fake_set(object, layout->unicode_compact, (uint64_t)(uintptr_t)points);
	else
		memcpy(object +
			   (form == FAKE_ASCII ? layout->unicode_ascii : layout->unicode_compact),
		       points, length * unit);
	return object;
}

static inline void *fake_ascii(const struct pyrec_layout *layout, const char *text)
{
	return fake_unicode(layout, FAKE_ASCII, text, strlen(text), 1);
}

static inline void *fake_bytes(const struct pyrec_layout *layout, const void *bytes, uint64_t nr)
{
	char *object = fake_object(nr);

	fake_set(object, layout->bytes_size, nr);
	fake_set(object, layout->bytes_size + 8, FAKE_NO_HASH);
	memcpy(object + layout->bytes_data, bytes, nr);
	return object;
}

struct fake_code {
	void *object;
	void *name;
	void *qualname;
	void *file;
	void *lines;
	int32_t first_line;
	uint32_t version; /* co_version where the layout has it */
};

/** Fill code->object (allocated when NULL) from the other members. */
static inline void fake_code_write(const struct pyrec_layout *layout, struct fake_code *code)
{
	if (!code->object)
		code->object = fake_object(0);
	fake_set_half(code->object, layout->code_first_line, (uint32_t)code->first_line);
	if (layout->code_version)
		fake_set_half(code->object, layout->code_version, code->version);
	fake_set(code->object, layout->code_name, (uint64_t)(uintptr_t)code->name);
	fake_set(code->object, layout->code_qualname, (uint64_t)(uintptr_t)code->qualname);
	fake_set(code->object, layout->code_file, (uint64_t)(uintptr_t)code->file);
	fake_set(code->object, layout->code_lines, (uint64_t)(uintptr_t)code->lines);
}

static inline uint64_t fake_code_address(const struct fake_code *code)
{
	return (uint64_t)(uintptr_t)code->object;
}

static inline uint32_t fake_code_fingerprint(const struct pyrec_layout *layout,
					     const struct fake_code *code)
{
	struct walk walk = {0};

	return walk_fingerprint(&walk, layout, fake_code_address(code), 0, 1);
}

static inline void fake_code_free(struct fake_code *code)
{
	free(code->object);
	free(code->name);
	free(code->qualname);
	free(code->file);
	free(code->lines);
}

#endif
