/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "common/bytes.h"
#include "common/vec.h"
#include "format/bundle.h"
#include "format/bundle_layout.h"
#include "format/compressor.h"

enum {
	SEGMENT_BYTES_MIN = 5,
	SYMBOL_BYTES_MIN = 4,
	IDENTITY_BYTES = 16,
};

struct bundle_slot { /* one module */
	struct bundle_entry entry;
	const uint8_t *packed;
	size_t packed_nr;
	size_t unpacked_nr;
	uint8_t *unpacked; /* NULL until loaded */
	struct bundle_module module;
};
VEC_DEFINE(slot_vec, struct bundle_slot)

struct kernel_range {
	struct bundle_kernel_symbol symbol;
	uint64_t end;
};

struct bundle {
	struct slot_vec slots;
	uint8_t *kernel_unpacked;
	struct kernel_range *kernel_ranges;
	uint32_t kernel_ranges_nr;
};

/* ---- Entries ---- */

static int slot_add(struct bundle *bundle, struct bytes_cursor *head,
		    const struct bundle_slot *found)
{
	struct bundle_slot slot = *found;
	const uint8_t *build_id;
	const char *path;
	uint32_t path_nr;
	int ret;

	slot.entry.build_id_nr = bytes_get_u8(head);
	build_id = bytes_take(head, sizeof(slot.entry.build_id));
	path = bytes_get_string(head, &path_nr);
	if (bytes_left(head) >= IDENTITY_BYTES) { /* older files have none */
		slot.entry.identity.device_major = bytes_get_u32(head);
		slot.entry.identity.device_minor = bytes_get_u32(head);
		slot.entry.identity.inode = bytes_get_u64(head);
	}
	if (head->failed || slot.entry.build_id_nr > sizeof(slot.entry.build_id))
		return -EBADMSG;
	memcpy(slot.entry.build_id, build_id, slot.entry.build_id_nr);
	slot.entry.packed_bytes = slot.packed_nr;
	slot.entry.path = strndup(path, path_nr);
	ret = slot.entry.path ? slot_vec_append(&bundle->slots, slot) : -ENOMEM;
	if (ret)
		free((char *)slot.entry.path);
	return ret;
}

/* Text up to its NUL, borrowed. */
static const char *text_take(struct bytes_cursor *cursor)
{
	const size_t left = bytes_left(cursor);
	const uint8_t *end = left ? memchr(cursor->at, '\0', left) : NULL;
	const size_t nr = end ? (size_t)(end - cursor->at) + 1 : left + 1;
	const uint8_t *text = bytes_take(cursor, nr);

	return text ? (const char *)text : "";
}

static int kernel_symbols_decode(struct bundle *bundle, struct bytes_cursor *cursor)
{
	const uint64_t nr = bytes_get_uleb128(cursor);
	uint64_t end = 0;

	if (cursor->failed || nr > bytes_left(cursor) / SYMBOL_BYTES_MIN)
		return -EBADMSG;
	bundle->kernel_ranges = calloc(nr + 1, sizeof(*bundle->kernel_ranges));
	if (!bundle->kernel_ranges)
		return -ENOMEM;
	for (uint64_t i = 0; i < nr; i++) {
		struct kernel_range *range = &bundle->kernel_ranges[i];

		range->symbol.address = end + bytes_get_uleb128(cursor);
		range->end = range->symbol.address + bytes_get_uleb128(cursor);
		if (range->symbol.address < end || range->end < range->symbol.address)
			return -EBADMSG;
		end = range->end;
	}
	for (uint64_t i = 0; i < nr; i++)
		bundle->kernel_ranges[i].symbol.name = text_take(cursor);
	for (uint64_t i = 0; i < nr; i++)
		bundle->kernel_ranges[i].symbol.module = text_take(cursor);
	bundle->kernel_ranges_nr = (uint32_t)nr;
	return cursor->failed ? -EBADMSG : 0;
}

static int kernel_symbols_add(struct bundle *bundle, const struct bundle_slot *slot)
{
	struct bytes_cursor cursor;
	int ret;

	if (bundle->kernel_unpacked)
		return -EBADMSG;
	ret = frame_decompress(slot->packed, slot->packed_nr, slot->unpacked_nr,
			       &bundle->kernel_unpacked);
	if (ret)
		return ret;
	cursor = bytes_cursor_make(bundle->kernel_unpacked, slot->unpacked_nr);
	return kernel_symbols_decode(bundle, &cursor);
}

/* Return: 1, 0 at the end entry, -EBADMSG, -ENOMEM. */
static int entry_next(struct bundle *bundle, struct bytes_cursor *cursor)
{
	const uint32_t kind = bytes_get_u32(cursor);
	const uint32_t head_nr = bytes_get_u32(cursor);
	const uint64_t packed_nr = bytes_get_u64(cursor);
	const uint64_t unpacked_nr = bytes_get_u64(cursor);
	struct bytes_cursor head = bytes_cursor_make(bytes_take(cursor, head_nr), head_nr);
	struct bundle_slot slot = {.packed = bytes_take(cursor, packed_nr),
				   .packed_nr = packed_nr,
				   .unpacked_nr = unpacked_nr};
	int ret = 0;

	if (cursor->failed)
		return -EBADMSG;
	if (kind == BUNDLE_ENTRY_END)
		return 0;
	bytes_take(cursor, -bytes_offset(cursor) & 7);
	if (cursor->failed || !bundle_size_is_believable(packed_nr, unpacked_nr))
		return -EBADMSG;
	if (kind == BUNDLE_ENTRY_MODULE)
		ret = slot_add(bundle, &head, &slot);
	if (kind == BUNDLE_ENTRY_KERNEL_SYMBOLS)
		ret = kernel_symbols_add(bundle, &slot);
	return ret ? ret : 1;
}

int bundle_open(const uint8_t *bytes, uint64_t nr, struct bundle **ret)
{
	struct bytes_cursor cursor = bytes_cursor_make(bytes, nr);
	const uint8_t *magic = bytes_take(&cursor, BUNDLE_MAGIC_BYTES);
	const uint32_t version = bytes_get_u32(&cursor);
	struct bundle *bundle;
	int error;

	bytes_get_u32(&cursor);
	if (cursor.failed || memcmp(magic, BUNDLE_MAGIC, BUNDLE_MAGIC_BYTES) != 0 ||
	    version != BUNDLE_VERSION)
		return -EBADMSG;
	bundle = calloc(1, sizeof(*bundle));
	if (!bundle)
		return -ENOMEM;
	do {
		error = entry_next(bundle, &cursor);
	} while (error > 0);
	if (error) {
		bundle_close(bundle);
		return error;
	}
	*ret = bundle;
	return 0;
}

static void slot_deinit(struct bundle_slot *slot)
{
	free((char *)slot->entry.path);
	free(slot->unpacked);
	free((void *)slot->module.segments);
	free((void *)slot->module.symbols);
}

void bundle_close(struct bundle *bundle)
{
	if (!bundle)
		return;
	for (size_t i = 0; i < bundle->slots.nr; i++)
		slot_deinit(&bundle->slots.items[i]);
	slot_vec_deinit(&bundle->slots);
	free(bundle->kernel_unpacked);
	free(bundle->kernel_ranges);
	free(bundle);
}

/* ---- Look-ups ---- */

uint32_t bundle_modules_nr(const struct bundle *bundle)
{
	return (uint32_t)bundle->slots.nr;
}

struct bundle_entry bundle_module_entry(const struct bundle *bundle, uint32_t index)
{
	return bundle->slots.items[index].entry;
}

int64_t bundle_find(const struct bundle *bundle, const uint8_t *build_id, uint8_t build_id_nr,
		    const char *path)
{
	if (!build_id_nr)
		return bundle_find_file(bundle, path, &(struct file_identity){0});
	for (size_t i = 0; i < bundle->slots.nr; i++) {
		const struct bundle_entry *entry = &bundle->slots.items[i].entry;

		if (entry->build_id_nr == build_id_nr &&
		    memcmp(entry->build_id, build_id, build_id_nr) == 0)
			return (int64_t)i;
	}
	return -ENOENT;
}

int64_t bundle_find_file(const struct bundle *bundle, const char *path,
			 const struct file_identity *identity)
{
	for (size_t i = 0; i < bundle->slots.nr; i++) {
		const struct bundle_entry *entry = &bundle->slots.items[i].entry;

		/* Nobody tells the build id of a mapped vdso, and a recording has only one. */
		if ((!entry->build_id_nr || path[0] == '[') && strcmp(entry->path, path) == 0 &&
		    (!entry->identity.inode || !identity->inode ||
		     file_identity_is_same(&entry->identity, identity)))
			return (int64_t)i;
	}
	return -ENOENT;
}

uint32_t bundle_kernel_symbols_nr(const struct bundle *bundle)
{
	return bundle->kernel_ranges_nr;
}

int bundle_kernel_symbol(const struct bundle *bundle, uint64_t address,
			 struct bundle_kernel_symbol *ret)
{
	uint32_t low = 0;
	uint32_t high = bundle->kernel_ranges_nr;

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;

		if (bundle->kernel_ranges[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == bundle->kernel_ranges_nr || bundle->kernel_ranges[low].symbol.address > address)
		return -ENOENT;
	*ret = bundle->kernel_ranges[low].symbol;
	return 0;
}

/* ---- One module ---- */

static int segments_decode(struct bytes_cursor *cursor, struct bundle_module *module)
{
	const uint64_t nr = bytes_get_uleb128(cursor);
	struct bundle_segment *segments;

	if (cursor->failed || nr > bytes_left(cursor) / SEGMENT_BYTES_MIN)
		return -EBADMSG;
	segments = calloc(nr + 1, sizeof(*segments));
	if (!segments)
		return -ENOMEM;
	module->segments = segments;
	module->segments_nr = (uint32_t)nr;
	for (uint64_t i = 0; i < nr; i++) {
		segments[i].file_offset = bytes_get_uleb128(cursor);
		segments[i].file_bytes = bytes_get_uleb128(cursor);
		segments[i].vaddr = bytes_get_uleb128(cursor);
		segments[i].memory_bytes = bytes_get_uleb128(cursor);
		segments[i].flags = (uint32_t)bytes_get_uleb128(cursor);
	}
	return cursor->failed ? -EBADMSG : 0;
}

static void section_decode(struct bytes_cursor *cursor, struct bundle_section *section)
{
	if (!bytes_get_u8(cursor))
		return;
	section->vaddr = bytes_get_uleb128(cursor);
	section->file_offset = bytes_get_uleb128(cursor);
	section->nr = bytes_get_uleb128(cursor);
	section->bytes = bytes_take(cursor, section->nr);
}

static void symbol_names_decode(struct bytes_cursor *cursor, struct bundle_module *module,
				struct bundle_symbol *symbols)
{
	const uint8_t *names = cursor->at;

	for (uint32_t i = 0; i < module->symbols_nr; i++) {
		symbols[i].name = (uint32_t)(cursor->at - names);
		text_take(cursor);
	}
	module->names = (const char *)names;
	module->names_nr = (uint32_t)(cursor->at - names);
}

static int symbols_decode(struct bytes_cursor *cursor, struct bundle_module *module)
{
	const uint64_t nr = bytes_get_uleb128(cursor);
	struct bundle_symbol *symbols;
	uint64_t end = 0;
	struct bytes_cursor sizes;

	if (cursor->failed || nr > bytes_left(cursor) / SYMBOL_BYTES_MIN)
		return -EBADMSG;
	symbols = calloc(nr + 1, sizeof(*symbols));
	if (!symbols)
		return -ENOMEM;
	module->symbols = symbols;
	module->symbols_nr = (uint32_t)nr;
	/* The address column needs the sizes, which stand behind it. */
	sizes = *cursor;
	for (uint64_t i = 0; i < nr; i++)
		bytes_get_sleb128(&sizes);
	for (uint64_t i = 0; i < nr; i++) {
		symbols[i].vaddr = end + (uint64_t)bytes_get_sleb128(cursor);
		symbols[i].bytes = bytes_get_uleb128(&sizes);
		end = symbols[i].vaddr + symbols[i].bytes;
		if (i && symbols[i].vaddr < symbols[i - 1].vaddr)
			return -EBADMSG;
	}
	*cursor = sizes;
	for (uint64_t i = 0; i < nr; i++)
		symbols[i].bind = bytes_get_u8(cursor);
	if (cursor->failed)
		return -EBADMSG;
	symbol_names_decode(cursor, module, symbols);
	return cursor->failed ? -EBADMSG : 0;
}

static int module_decode(struct bytes_cursor *cursor, struct bundle_module *module)
{
	int ret;

	module->is_executable_type = bytes_get_u8(cursor);
	ret = segments_decode(cursor, module);
	if (ret)
		return ret;
	section_decode(cursor, &module->eh_frame);
	section_decode(cursor, &module->eh_frame_hdr);
	return symbols_decode(cursor, module);
}

int bundle_load(struct bundle *bundle, uint32_t index, const struct bundle_module **ret)
{
	struct bundle_slot *slot = &bundle->slots.items[index];
	struct bundle_slot loaded = {0};
	struct bytes_cursor cursor;
	int error;

	if (slot->unpacked) {
		*ret = &slot->module;
		return 0;
	}
	error = frame_decompress(slot->packed, slot->packed_nr, slot->unpacked_nr,
				 &loaded.unpacked);
	if (error)
		return error;
	loaded.module = (struct bundle_module){.build_id_nr = slot->entry.build_id_nr,
					       .path = slot->entry.path};
	memcpy(loaded.module.build_id, slot->entry.build_id, slot->entry.build_id_nr);
	cursor = bytes_cursor_make(loaded.unpacked, slot->unpacked_nr);
	error = module_decode(&cursor, &loaded.module);
	if (error) {
		slot_deinit(&loaded);
		return error;
	}
	slot->unpacked = loaded.unpacked;
	slot->module = loaded.module;
	*ret = &slot->module;
	return 0;
}
