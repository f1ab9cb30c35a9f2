/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "common/log.h"

#include <stdarg.h>

static enum log_level shown_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	shown_level = level;
}

enum log_level log_get_level(void)
{
	return shown_level;
}

void log_message(enum log_level level, const char *format, ...)
{
	va_list arguments;

	if (level > shown_level)
		return;
	flockfile(stderr);
	fputs(level == LOG_LEVEL_WARN ? "pyrec: warning: " : "pyrec: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	funlockfile(stderr);
}
