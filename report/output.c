/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/output.h"

#include <string.h>

const struct output_ops *output_find(const char *name)
{
	static const struct output_ops *const all[] = {&output_text, &output_folded,
						       &output_script};

	for (size_t i = 0; i < array_size(all); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

const char *location_mark(enum location_kind kind)
{
	switch (kind) {
	case LOCATION_PYTHON:
		return "[p]";
	case LOCATION_NATIVE:
		return "[.]";
	case LOCATION_KERNEL:
		return "[k]";
	case LOCATION_NOTE:
		break;
	}
	return "[-]";
}

const char *location_inlined_mark(const struct location *location)
{
	return location->is_inlined ? " (inlined)" : "";
}
