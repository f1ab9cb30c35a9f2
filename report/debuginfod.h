/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Debug files from debuginfod servers, by libdebuginfod, which keeps what it fetched in the user's
 * cache. Only for who asked for it: every question is told on stderr. The library is loaded when
 * the first file is wanted: it brings a web client along.
 */
#ifndef PYREC_REPORT_DEBUGINFOD_H
#define PYREC_REPORT_DEBUGINFOD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"

struct debuginfod;

/** Does the environment name servers, in $DEBUGINFOD_URLS? */
bool debuginfod_is_configured(void);
/**
 * Ask @urls (blanks between; NULL: those of the environment), wait 20 s for a server that sends
 * nothing and 60 s for a file, if $DEBUGINFOD_TIMEOUT and $DEBUGINFOD_MAXTIME do not say
 * otherwise. Sets the environment: before there are threads. Return: 0 or -ENOMEM.
 */
must_check int debuginfod_configure(const char *urls);

must_check int debuginfod_create(struct debuginfod **ret);
void debuginfod_destroy(struct debuginfod *debuginfod);

/**
 * The debug file of @build_id, open; @path is for the message alone. Servers that do not answer
 * are told of once, and nothing is asked any more. The file is not checked. Return: 0, -ENOENT.
 */
must_check int debuginfod_fetch(struct debuginfod *debuginfod, const uint8_t *build_id,
				uint8_t build_id_nr, const char *path, int *ret);

#endif
