/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/filter.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "common/vec.h"

static int filter_add_pattern(struct filter *filter, const char *text, size_t nr)
{
	int ret = vec_grow((void **)&filter->patterns, &filter->capacity, filter->nr + 1,
			   sizeof(*filter->patterns));
	char *pattern = ret ? NULL : strndup(text, nr);

	if (!pattern)
		return -ENOMEM;
	filter->patterns[filter->nr++] = pattern;
	return 0;
}

int filter_add(struct filter *filter, const char *list)
{
	for (;;) {
		size_t nr = strcspn(list, ",");
		int ret = nr ? filter_add_pattern(filter, list, nr) : 0;

		if (ret)
			return ret;
		if (list[nr] == '\0')
			return 0;
		list += nr + 1;
	}
}

void filter_deinit(struct filter *filter)
{
	for (size_t i = 0; i < filter->nr; i++)
		free(filter->patterns[i]);
	free(filter->patterns);
	*filter = (struct filter){0};
}

/* The text itself first: names such as "[unknown]" are wildcards too. */
static bool filter_matches(const struct filter *filter, const char *text)
{
	for (size_t i = 0; i < filter->nr; i++)
		if (strcmp(filter->patterns[i], text) == 0 ||
		    fnmatch(filter->patterns[i], text, 0) == 0)
			return true;
	return false;
}

bool filter_accepts(const struct filter *filter, const char *text)
{
	return filter->nr == 0 || filter_matches(filter, text);
}

bool filter_accepts_path(const struct filter *filter, const char *path)
{
	const char *slash = strrchr(path, '/');

	return filter_accepts(filter, path) || (slash && filter_matches(filter, slash + 1));
}

bool filter_accepts_number(const struct filter *filter, uint32_t number)
{
	char text[16];

	if (!filter_is_set(filter))
		return true;
	snprintf(text, sizeof(text), "%u", number);
	return filter_matches(filter, text);
}
