/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The short name of a cgroup for people: of the container that it belongs to, else of the service.
 * pyrec-report(1) lists the rules.
 */
#ifndef PYREC_REPORT_CONTAINER_NAME_H
#define PYREC_REPORT_CONTAINER_NAME_H

#include <stddef.h>

#include "common/strbuf.h"

/** Append the name of the cgroup @path, as /proc/PID/cgroup has it, not NUL terminated. */
void container_name_append(struct strbuf *out, const char *path, size_t nr);

#endif
