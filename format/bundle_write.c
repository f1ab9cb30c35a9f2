/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Symbols and kernel symbols are written as columns of differences: addresses from the
 * end of the symbol before, so that most numbers take one byte and like stands beside like.
 */
#include <errno.h>
#include <string.h>

#include "format/bundle.h"
#include "format/bundle_layout.h"
#include "format/compressor.h"

static void uleb_append(struct strbuf *out, uint64_t value)
{
	do {
		const uint8_t low = value & 0x7f;

		value >>= 7;
		strbuf_append_u8(out, (uint8_t)(low | (value ? 0x80 : 0)));
	} while (value);
}

static void sleb_append(struct strbuf *out, int64_t value)
{
	bool is_more;

	do {
		const uint8_t low = value & 0x7f;

		value >>= 7;
		is_more = !((value == 0 && !(low & 0x40)) || (value == -1 && (low & 0x40)));
		strbuf_append_u8(out, (uint8_t)(low | (is_more ? 0x80 : 0)));
	} while (is_more);
}

/* ---- Entries ---- */

static int entry_append(struct strbuf *out, enum bundle_entry_kind kind, const struct strbuf *head,
			const struct strbuf *body)
{
	const size_t start = out->nr;
	size_t packed_at;
	size_t packed_nr;
	int ret;

	strbuf_append_u32(out, kind);
	strbuf_append_u32(out, (uint32_t)head->nr);
	packed_at = out->nr;
	strbuf_append_u64(out, 0);
	strbuf_append_u64(out, body->nr);
	strbuf_append(out, head->bytes, head->nr);
	packed_nr = out->nr;
	ret = frame_compress(out, body->bytes, body->nr, BUNDLE_ZSTD_LEVEL);
	if (ret) {
		strbuf_truncate(out, start);
		return ret;
	}
	packed_nr = out->nr - packed_nr;
	if (!bundle_size_is_believable(packed_nr, body->nr)) {
		strbuf_truncate(out, start);
		return -EINVAL;
	}
	strbuf_align(out, 8);
	if (out->error)
		return out->error;
	for (size_t i = 0; i < 8; i++)
		out->bytes[packed_at + i] = (char)((uint64_t)packed_nr >> (8 * i));
	return 0;
}

int bundle_begin(struct strbuf *out)
{
	if (out->nr)
		return -EINVAL;
	strbuf_append(out, BUNDLE_MAGIC, BUNDLE_MAGIC_BYTES);
	strbuf_append_u32(out, BUNDLE_VERSION);
	strbuf_append_u32(out, 0);
	return out->error;
}

int bundle_end(struct strbuf *out)
{
	strbuf_append_zeros(out, BUNDLE_ENTRY_BYTES);
	return out->error;
}

/* ---- One module ---- */

static void segments_append(struct strbuf *body, const struct bundle_module *module)
{
	uleb_append(body, module->segments_nr);
	for (uint32_t i = 0; i < module->segments_nr; i++) {
		const struct bundle_segment *segment = &module->segments[i];

		uleb_append(body, segment->file_offset);
		uleb_append(body, segment->file_bytes);
		uleb_append(body, segment->vaddr);
		uleb_append(body, segment->memory_bytes);
		uleb_append(body, segment->flags);
	}
}

static void section_append(struct strbuf *body, const struct bundle_section *section)
{
	strbuf_append_u8(body, section->bytes != NULL);
	if (!section->bytes)
		return;
	uleb_append(body, section->vaddr);
	uleb_append(body, section->file_offset);
	uleb_append(body, section->nr);
	strbuf_append(body, section->bytes, section->nr);
}

static void symbols_append(struct strbuf *body, const struct bundle_module *module)
{
	const struct bundle_symbol *symbols = module->symbols;
	uint64_t end = 0;

	uleb_append(body, module->symbols_nr);
	for (uint32_t i = 0; i < module->symbols_nr; i++) {
		sleb_append(body, (int64_t)(symbols[i].vaddr - end));
		end = symbols[i].vaddr + symbols[i].bytes;
	}
	for (uint32_t i = 0; i < module->symbols_nr; i++)
		uleb_append(body, symbols[i].bytes);
	for (uint32_t i = 0; i < module->symbols_nr; i++)
		strbuf_append_u8(body, symbols[i].bind);
	for (uint32_t i = 0; i < module->symbols_nr; i++) {
		const char *name = module->names + symbols[i].name;

		strbuf_append(body, name, strlen(name) + 1);
	}
}

static bool module_is_sound(const struct bundle_module *module)
{
	if (module->build_id_nr > sizeof(module->build_id))
		return false;
	if (module->symbols_nr && (!module->names_nr || module->names[module->names_nr - 1]))
		return false;
	for (uint32_t i = 0; i < module->symbols_nr; i++) {
		if (module->symbols[i].name >= module->names_nr)
			return false;
		if (i && module->symbols[i].vaddr < module->symbols[i - 1].vaddr)
			return false;
	}
	return true;
}

int bundle_add_module(struct strbuf *out, const struct bundle_module *module)
{
	auto_strbuf struct strbuf head = {0};
	auto_strbuf struct strbuf body = {0};

	if (!module_is_sound(module))
		return -EINVAL;
	strbuf_append_u8(&head, module->build_id_nr);
	strbuf_append(&head, module->build_id, module->build_id_nr);
	strbuf_append_zeros(&head, sizeof(module->build_id) - module->build_id_nr);
	strbuf_append_string(&head, module->path, strlen(module->path));
	strbuf_append_u32(&head, module->identity.device_major);
	strbuf_append_u32(&head, module->identity.device_minor);
	strbuf_append_u64(&head, module->identity.inode);
	strbuf_append_u8(&body, module->is_executable_type);
	segments_append(&body, module);
	section_append(&body, &module->eh_frame);
	section_append(&body, &module->eh_frame_hdr);
	symbols_append(&body, module);
	if (head.error || body.error)
		return -ENOMEM;
	return entry_append(out, BUNDLE_ENTRY_MODULE, &head, &body);
}

/* ---- Kernel symbols ---- */

int bundle_add_kernel_symbols(struct strbuf *out, const struct bundle_kernel_symbol *symbols,
			      const uint64_t *ends, uint32_t nr)
{
	auto_strbuf struct strbuf head = {0};
	auto_strbuf struct strbuf body = {0};
	uint64_t end = 0;

	uleb_append(&body, nr);
	for (uint32_t i = 0; i < nr; i++) {
		if (symbols[i].address < end || ends[i] < symbols[i].address)
			return -EINVAL;
		uleb_append(&body, symbols[i].address - end);
		uleb_append(&body, ends[i] - symbols[i].address);
		end = ends[i];
	}
	for (uint32_t i = 0; i < nr; i++)
		strbuf_append(&body, symbols[i].name, strlen(symbols[i].name) + 1);
	for (uint32_t i = 0; i < nr; i++)
		strbuf_append(&body, symbols[i].module, strlen(symbols[i].module) + 1);
	if (body.error)
		return -ENOMEM;
	return entry_append(out, BUNDLE_ENTRY_KERNEL_SYMBOLS, &head, &body);
}
