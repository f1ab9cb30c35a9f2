/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's functions by address, from the text of /proc/kallsyms. */
#ifndef PYREC_COMMON_KALLSYMS_H
#define PYREC_COMMON_KALLSYMS_H

#include <stdint.h>

#include "common/cleanup.h"
#include "common/vec.h"

struct kallsym {
	uint64_t address;
	const char *name;   /* points into the text */
	const char *module; /* likewise, without its brackets; "": the kernel itself */
	char type;	    /* as nm(1) has it */
	uint8_t rank;	    /* of several names of one address the highest is shown */
};

/* By address, one name for each. */
VEC_DEFINE(kallsyms, struct kallsym)

/** One line, "ffffffff81000000 T _text" or "… t nf_hook\t[nf_tables]", which is cut up.
 *  Return: 0; -ENOENT: no such line, or the address is hidden (kptr_restrict). */
must_check int kallsyms_parse_line(char *line, struct kallsym *ret);

/** Functions of a whole text, which is cut up and must outlive @ret. Return: 0 or -ENOMEM. */
must_check int kallsyms_parse(char *text, struct kallsyms *ret);

/** The function around @address; it ends at *@end. Return: NULL: there is none. */
const struct kallsym *kallsyms_find(const struct kallsyms *symbols, uint64_t address,
				    uint64_t *end);

#endif
