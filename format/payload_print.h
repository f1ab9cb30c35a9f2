/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* pyrec's own payload in readable form, for dump and info. All text is escaped. */
#ifndef PYREC_FORMAT_PAYLOAD_PRINT_H
#define PYREC_FORMAT_PAYLOAD_PRINT_H

#include <stdio.h>

#include "format/payload.h"

/** As common/python_version.h words it. */
void version_hex_print(FILE *out, uint32_t version_hex);
/** Seconds with nine digits behind the point. */
void time_print(FILE *out, uint64_t time_ns);

/** Indented lines that end with a newline each. */
void payload_print(FILE *out, const struct payload *payload);
void py_stack_print(FILE *out, const struct py_stack *stack);

#endif
