/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Messages for people, on stderr only: stdout is data. A line is "pyrec: text".
 * Log once, where the pid or file is known; a function that returns an error
 * does not log it too.
 */
#ifndef PYREC_COMMON_LOG_H
#define PYREC_COMMON_LOG_H

#include "common/cleanup.h"

enum log_level {
	LOG_LEVEL_ERROR, /* the command fails, or something was lost */
	LOG_LEVEL_WARN,	 /* the command goes on with less */
	LOG_LEVEL_INFO,	 /* default: what a user wants to know once */
	LOG_LEVEL_DEBUG, /* -v */
};

/** Show messages up to and including @level; the default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);

enum log_level log_get_level(void);

void log_message(enum log_level level, const char *format, ...) printf_like(2, 3);

#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_message(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
