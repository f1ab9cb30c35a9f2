/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A list of names on the command line, "name,name*,…": which texts it lets through. */
#ifndef PYREC_REPORT_FILTER_H
#define PYREC_REPORT_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"

/* A zeroed filter lets everything through. */
struct filter {
	char **patterns; /* shell wildcards: * ? [] */
	size_t nr;
	size_t capacity;
};

/** Add a comma-separated list; called again, it adds more. Return: 0 or -ENOMEM. */
must_check int filter_add(struct filter *filter, const char *list);
void filter_deinit(struct filter *filter);

static inline bool filter_is_set(const struct filter *filter)
{
	return filter->nr > 0;
}

bool filter_accepts(const struct filter *filter, const char *text);
/** A path is accepted by its whole or by its last part. */
bool filter_accepts_path(const struct filter *filter, const char *path);
bool filter_accepts_number(const struct filter *filter, uint32_t number);

#endif
