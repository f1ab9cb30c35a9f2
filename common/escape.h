/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names from a recording were chosen by strangers: printed as they are, they could drive the
 * reader's terminal. Escaped text holds printable characters only: ASCII controls and invalid
 * UTF-8 become \xNN; C1 controls and the marks that reorder or hide text become \u{NNNN}.
 */
#ifndef PYREC_COMMON_ESCAPE_H
#define PYREC_COMMON_ESCAPE_H

#include <stddef.h>
#include <stdio.h>

#include "common/strbuf.h"

/** Append @nr bytes of @text (a NUL is a character like others), escaped. */
void escape_append(struct strbuf *out, const char *text, size_t nr);
/** The same to a stream. */
void escape_print(FILE *out, const char *text, size_t nr);

/** How many columns of a terminal an escaped text takes: its code points. */
size_t escape_columns(const char *text);

#endif
