/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "common/python_version.h"

#include <stdio.h>

static const char *level_mark(unsigned int level)
{
	switch (level) {
	case 0xa:
		return "a";
	case 0xb:
		return "b";
	case 0xc:
		return "rc";
	default: /* 0xf is a release; there are no others */
		return NULL;
	}
}

void python_version_format(uint32_t version_hex, char text[PYTHON_VERSION_TEXT_BYTES])
{
	const unsigned int major = version_hex >> 24;
	const unsigned int minor = version_hex >> 16 & 0xff;
	const unsigned int micro = version_hex >> 8 & 0xff;
	const unsigned int level = version_hex >> 4 & 0xf;
	const char *mark = level_mark(level);

	if (!level)
		snprintf(text, PYTHON_VERSION_TEXT_BYTES, "%u.%u", major, minor);
	else if (mark)
		snprintf(text, PYTHON_VERSION_TEXT_BYTES, "%u.%u.%u%s%u", major, minor, micro, mark,
			 version_hex & 0xf);
	else
		snprintf(text, PYTHON_VERSION_TEXT_BYTES, "%u.%u.%u", major, minor, micro);
}
