/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A code object's names and line table, from the memory of a live process. */
#ifndef PYREC_RECORD_CODE_READER_H
#define PYREC_RECORD_CODE_READER_H

#include <linux/types.h>
#include <stdint.h>

#include "bpf/pyrec_bpf.h"
#include "common/strbuf.h"

/*
 * Text is UTF-8. U+DC80 to U+DCFF, by which CPython stands for bytes of a path that are no UTF-8
 * (PEP 383), are those bytes again; other lone surrogates are the three bytes of their code point.
 */
struct code_texts {
	int32_t first_line;
	struct strbuf name;
	struct strbuf qualname;
	struct strbuf file;
	struct strbuf lines; /* the line table's bytes */
};

void code_texts_reset(struct code_texts *texts);
void code_texts_deinit(struct code_texts *texts);

/**
 * Append @nr bytes of code points of @unit bytes (1, 2, 4) as UTF-8; of PYREC_TEXT_IS_BYTES what is
 * no UTF-8 as \xNN.
 */
void text_append_utf8(struct strbuf *out, const uint8_t *bytes, size_t nr, uint32_t unit);

/** Text of the string object at @object into @ret, which is reset. Return: as code_read(). */
must_check int text_read(uint32_t tgid, uint64_t object, const struct pyrec_layout *layout,
			 struct strbuf *ret);

/**
 * Read the code object at @address of process @tgid into the texts that @wanted (enum
 * pyrec_code_flags) names. Its fingerprint must be @fingerprint before and after, so that the parts
 * belong together. Return: 0, -ESRCH, -EPERM, -EFAULT; -ESTALE: another object is there now.
 */
must_check int code_read(uint32_t tgid, uint64_t address, uint32_t fingerprint,
			 const struct pyrec_layout *layout, uint32_t wanted,
			 struct code_texts *ret);

/* As BPF gives them to one code object: by its number or without, with its name or its contents in
 * memory, both or neither. */
enum { CODE_FINGERPRINTS_NR = 5 };

/** The fingerprints that the code object at @address may have had, all of it first. Return: as
 * code_read(). */
must_check int code_fingerprints_read(uint32_t tgid, uint64_t address,
				      const struct pyrec_layout *layout,
				      uint32_t ret[CODE_FINGERPRINTS_NR]);

#endif
