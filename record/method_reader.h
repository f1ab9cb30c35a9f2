/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * "Class.method" of a code object before 3.11, which has no qualified name of its own: from the
 * memory of a live process, by way of the first local of a frame that ran it.
 */
#ifndef PYREC_RECORD_METHOD_READER_H
#define PYREC_RECORD_METHOD_READER_H

#include <linux/types.h>
#include <stdint.h>

#include "common/strbuf.h"
#include "record/code_objects.h"

/* A code object, and what was in the first local of a frame of it. */
struct method_question {
	uint32_t tgid;
	uint64_t code;
	uint64_t owner;
	uint64_t owner_type; /* its ob_type */
	const char *name;    /* co_name */
};

/**
 * Append to @ret what the function's __qualname__ is (2.7: what 3.x would make of it, without outer
 * classes), if a class of the owner, or the owner as a class, has a function of this very code
 * object under its name. Only what is sure: see Documentation/internals.adoc, "Class.method".
 * Return: 0; -ENOENT: not found or not sure; -ESRCH, -EPERM, -EFAULT, -E2BIG: gave up.
 */
must_check int method_read_qualname(const struct method_question *question,
				    const struct code_layout *layout, struct strbuf *ret);

#endif
