/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names come from the recorded machine and are shown on terminals and parsed by scripts: control
 * characters (C0, DEL, C1) and bytes that are not UTF-8 are shown as \xNN.
 */
#ifndef PYREC_REPORT_ESCAPE_H
#define PYREC_REPORT_ESCAPE_H

#include <stddef.h>

#include "common/strbuf.h"

/** Append @nr bytes of @text, escaped. */
void escape_append(struct strbuf *out, const char *text, size_t nr);

/** How many columns of a terminal an escaped text takes: its code points. */
size_t escape_columns(const char *text);

#endif
