/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A version of CPython for people to read. */
#ifndef PYREC_COMMON_PYTHON_VERSION_H
#define PYREC_COMMON_PYTHON_VERSION_H

#include <stdint.h>

/* The longest, "255.255.255rc15", with its NUL. */
enum { PYTHON_VERSION_TEXT_BYTES = 16 };

/** "3.12.1", "3.16.0a2" from PY_VERSION_HEX (CPython, Include/patchlevel.h: major, minor, micro,
 * level and serial); "3.9" when its level is 0 (micro not known), which no PY_VERSION_HEX has. */
void python_version_format(uint32_t version_hex, char text[PYTHON_VERSION_TEXT_BYTES]);

#endif
