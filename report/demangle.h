/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of C++ and Rust functions as their sources spell them; by libiberty, as perf and c++filt.
 */
#ifndef PYREC_REPORT_DEMANGLE_H
#define PYREC_REPORT_DEMANGLE_H

#include "common/strbuf.h"

/**
 * Append @name without its parameters, as perf prints it; "@plt" at its end stays. What is not
 * mangled, or comes to more than 16 KiB (names can be made that grow without end), stays as it is.
 */
void demangle_append(const char *name, struct strbuf *ret);

#endif
