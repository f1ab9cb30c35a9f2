/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers shared by bundle_write.c and bundle_read.c; the layout is in pyrec.data(5). */
#ifndef PYREC_FORMAT_BUNDLE_LAYOUT_H
#define PYREC_FORMAT_BUNDLE_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#define BUNDLE_MAGIC "PYRECBND"

enum {
	BUNDLE_MAGIC_BYTES = 8,
	BUNDLE_VERSION = 1,
	BUNDLE_ENTRY_BYTES = 24, /* u32 kind, u32 head bytes, u64 packed, u64 unpacked bytes */
	BUNDLE_ZSTD_LEVEL = 6,	 /* 9 takes twice the time for 2 % less */
	BUNDLE_UNPACKED_BYTES_MAX = 1 << 30,
	BUNDLE_UNPACKED_RATIO_MAX = 1024, /* beyond: not unwind tables and names but a trap */
	BUNDLE_UNPACKED_SMALL_BYTES = 64 << 10,
};

enum bundle_entry_kind {
	BUNDLE_ENTRY_END = 0,
	BUNDLE_ENTRY_MODULE = 1,
	BUNDLE_ENTRY_KERNEL_SYMBOLS = 2,
};

/** A reader unpacks no other entry, so a writer writes none. */
static inline bool bundle_size_is_believable(uint64_t packed_nr, uint64_t unpacked_nr)
{
	if (unpacked_nr > BUNDLE_UNPACKED_BYTES_MAX)
		return false;
	return unpacked_nr <= BUNDLE_UNPACKED_SMALL_BYTES ||
	       unpacked_nr / BUNDLE_UNPACKED_RATIO_MAX <= packed_nr;
}

#endif
