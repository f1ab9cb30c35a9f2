/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/cfi_frames.h"

#include <dwarf.h>
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "common/radix_sort.h"
#include "common/vec.h"

enum { RETURN_ADDRESS_REGISTER = 16 }; /* x86-64 psABI 1.0, figure 3.36 */

static struct bytes_cursor section_cursor(const struct cfi_frames *frames, size_t offset,
					  size_t end)
{
	struct bytes_cursor cursor = bytes_cursor_make(frames->section, end);

	cursor.at += offset;
	return cursor;
}

struct bytes_cursor cfi_frames_cursor(const struct cfi_frames *frames, struct cfi_span span)
{
	return section_cursor(frames, span.offset, (size_t)span.offset + span.nr);
}

static uint64_t get_pointer_value(struct bytes_cursor *at, uint8_t format)
{
	switch (format) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return bytes_get_u64(at);
	case DW_EH_PE_udata2:
		return bytes_get_u16(at);
	case DW_EH_PE_udata4:
		return bytes_get_u32(at);
	case DW_EH_PE_sdata2:
		return (uint64_t)(int16_t)bytes_get_u16(at);
	case DW_EH_PE_sdata4:
		return (uint64_t)(int32_t)bytes_get_u32(at);
	case DW_EH_PE_uleb128:
		return bytes_get_uleb128(at);
	case DW_EH_PE_sleb128:
		return (uint64_t)bytes_get_sleb128(at);
	default:
		at->failed = true;
		return 0;
	}
}

int cfi_frames_pointer(const struct cfi_frames *frames, struct bytes_cursor *at, uint8_t encoding,
		       uint64_t *ret)
{
	uint64_t here = frames->section_vaddr + bytes_offset(at);
	uint64_t value = get_pointer_value(at, encoding & 0x0f);

	if (at->failed)
		return -EBADMSG;
	switch (encoding & 0xf0) {
	case DW_EH_PE_absptr:
		break;
	case DW_EH_PE_pcrel:
		value += here;
		break;
	default:
		return -EBADMSG;
	}
	*ret = value;
	return 0;
}

/* What the letters of the augmentation say; @at stands at the augmentation data. */
static void cie_decode_augmentation(struct cfi_cie *cie, const char *letters,
				    struct bytes_cursor *at)
{
	for (; *letters; letters++) {
		switch (*letters) {
		case 'R':
			cie->pointer_encoding = bytes_get_u8(at);
			break;
		case 'L':
			bytes_get_u8(at);
			break;
		case 'P':
			(void)get_pointer_value(at, bytes_get_u8(at) & 0x0f);
			break;
		case 'S':
			cie->is_signal = true;
			break;
		default: /* the length says where the instructions are; the rest is unknown */
			return;
		}
	}
}

static void cie_decode(const struct cfi_frames *frames, struct cfi_cie *cie,
		       struct bytes_cursor *at)
{
	uint8_t version = bytes_get_u8(at);
	const char *letters = (const char *)at->at;
	size_t letters_nr = strnlen(letters, bytes_left(at));
	uint64_t return_register;

	if (!bytes_take(at, letters_nr + 1) || (version != 1 && version != 3 && version != 4)) {
		at->failed = true;
		return;
	}
	if (version == 4 && (bytes_get_u8(at) != 8 || bytes_get_u8(at) != 0))
		at->failed = true;
	if (strncmp(letters, "eh", 2) == 0)
		bytes_get_u64(at);
	cie->code_alignment = bytes_get_uleb128(at);
	cie->data_alignment = bytes_get_sleb128(at);
	return_register = version == 1 ? bytes_get_u8(at) : bytes_get_uleb128(at);
	if (return_register != RETURN_ADDRESS_REGISTER)
		at->failed = true;

	if (letters[0] == 'z') {
		uint64_t nr = bytes_get_uleb128(at);
		const uint8_t *data = bytes_take(at, nr);

		if (data) {
			struct bytes_cursor inner = section_cursor(
			    frames, (size_t)(data - frames->section), bytes_offset(at));

			cie_decode_augmentation(cie, letters + 1, &inner);
			at->failed |= inner.failed;
		}
		cie->has_augmentation_data = true;
	} else if (letters[0] && strcmp(letters, "eh") != 0) {
		at->failed = true;
	}
	cie->instructions = (struct cfi_span){(uint32_t)bytes_offset(at), (uint32_t)bytes_left(at)};
}

static int cfi_frames_add_cie(struct cfi_frames *frames, uint32_t offset, struct bytes_cursor *at)
{
	struct cfi_cie cie = {.offset = offset, .pointer_encoding = DW_EH_PE_absptr};
	int error = vec_grow((void **)&frames->cies, &frames->cies_capacity, frames->cies_nr + 1,
			     sizeof(cie));

	if (error)
		return error;
	cie_decode(frames, &cie, at);
	cie.is_damaged = at->failed;
	frames->damaged_nr += cie.is_damaged;
	frames->cies[frames->cies_nr++] = cie;
	return 0;
}

/* An FDE's CIE stands before it, nearly always the last one met. Index, or -ENOENT. */
static int64_t cfi_frames_find_cie(const struct cfi_frames *frames, uint64_t offset)
{
	size_t low = 0;
	size_t high = frames->cies_nr;

	if (high && frames->cies[high - 1].offset == offset)
		return (int64_t)high - 1;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (frames->cies[middle].offset == offset)
			return (int64_t)middle;
		if (frames->cies[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return -ENOENT;
}

static bool range_is_code(const struct bundle_module *module, uint64_t start, uint64_t end)
{
	if (start >= end)
		return false;
	for (uint32_t i = 0; i < module->segments_nr; i++) {
		const struct bundle_segment *segment = &module->segments[i];

		if ((segment->flags & PF_X) && start >= segment->vaddr &&
		    end - segment->vaddr <= segment->memory_bytes)
			return true;
	}
	return module->segments_nr == 0;
}

/* Return: 1 when the linker has dropped the function: a zero start or length. */
static int fde_decode(const struct cfi_frames *frames, struct cfi_fde *fde, struct bytes_cursor *at)
{
	const struct cfi_cie *cie = &frames->cies[fde->cie];
	uint64_t bytes;

	if (cfi_frames_pointer(frames, at, cie->pointer_encoding, &fde->start))
		return -EBADMSG;
	bytes = get_pointer_value(at, cie->pointer_encoding & 0x0f);
	if (cie->has_augmentation_data)
		bytes_take(at, bytes_get_uleb128(at));
	if (at->failed)
		return -EBADMSG;
	if (bytes == 0)
		return 1;
	fde->end = fde->start + bytes;
	fde->instructions = (struct cfi_span){(uint32_t)bytes_offset(at), (uint32_t)bytes_left(at)};
	return 0;
}

static int cfi_frames_add_fde(struct cfi_frames *frames, const struct bundle_module *module,
			      uint32_t offset, uint64_t cie_offset, struct bytes_cursor *at)
{
	struct cfi_fde fde;
	int64_t cie = cfi_frames_find_cie(frames, cie_offset);
	int error;

	if (cie < 0 || frames->cies[cie].is_damaged) {
		frames->damaged_nr++;
		return 0;
	}
	fde.cie = (uint32_t)cie;
	error = fde_decode(frames, &fde, at);
	if (error == 1)
		return 0;
	if (error || !range_is_code(module, fde.start, fde.end)) {
		frames->damaged_nr++;
		return 0;
	}
	error = vec_grow((void **)&frames->fdes, &frames->fdes_capacity, frames->fdes_nr + 1,
			 sizeof(*frames->fdes));
	if (!error)
		frames->fdes[frames->fdes_nr++] = (struct cfi_entry){fde.start, offset, fde.cie};
	return error;
}

/* From the id on; @at goes behind the entry. Empty for a terminator, which has no id. */
static struct bytes_cursor entry_take(const struct cfi_frames *frames, struct bytes_cursor *at)
{
	uint64_t nr = bytes_get_u32(at);
	size_t start;

	if (nr == UINT32_MAX)
		nr = bytes_get_u64(at);
	start = bytes_offset(at);
	bytes_take(at, nr);
	return section_cursor(frames, start, bytes_offset(at));
}

/* One entry; @at goes behind it. Return: 0, -EBADMSG (no way to go on), -ENOMEM. */
static int cfi_frames_add_entry(struct cfi_frames *frames, const struct bundle_module *module,
				struct bytes_cursor *at)
{
	uint32_t offset = (uint32_t)bytes_offset(at);
	struct bytes_cursor body = entry_take(frames, at);
	size_t id_offset = bytes_offset(&body);
	uint32_t id;

	if (at->failed)
		return -EBADMSG;
	/* A terminator; where linkers have joined files another part may follow it. */
	if (bytes_offset(at) - offset == sizeof(uint32_t))
		return 0;
	id = bytes_get_u32(&body);
	if (body.failed) {
		frames->damaged_nr++;
		return 0;
	}
	if (id == 0)
		return cfi_frames_add_cie(frames, offset, &body);
	return cfi_frames_add_fde(frames, module, offset, id_offset - id, &body);
}

/* They come by offset: those of one start stay so. */
RADIX_SORT_DEFINE(sort_fdes, struct cfi_entry, start)

static void shrink_fdes(struct cfi_frames *frames)
{
	struct cfi_entry *fdes = reallocarray(frames->fdes, frames->fdes_nr + 1, sizeof(*fdes));

	if (fdes)
		frames->fdes = fdes;
}

int cfi_frames_scan(const struct bundle_module *module, struct cfi_frames *ret)
{
	struct cfi_frames frames = {
	    .section = module->eh_frame.bytes,
	    .section_nr = (uint32_t)module->eh_frame.nr,
	    .section_vaddr = module->eh_frame.vaddr,
	};
	struct bytes_cursor at;
	int error = 0;

	if (!frames.section || module->eh_frame.nr == 0 || module->eh_frame.nr >= UINT32_MAX)
		return -ENOENT;
	at = bytes_cursor_make(frames.section, frames.section_nr);
	while (!error && bytes_left(&at))
		error = cfi_frames_add_entry(&frames, module, &at);
	if (error == -EBADMSG) {
		frames.damaged_nr++;
		error = 0;
	}
	if (!error)
		error = sort_fdes(&frames.fdes, frames.fdes_nr);
	if (error) {
		cfi_frames_deinit(&frames);
		return error;
	}
	shrink_fdes(&frames);
	*ret = frames;
	return 0;
}

void cfi_frames_deinit(struct cfi_frames *frames)
{
	free(frames->cies);
	free(frames->fdes);
	*frames = (struct cfi_frames){0};
}

/* Number of FDEs that start at or below @vaddr. */
static size_t cfi_frames_count_up_to(const struct cfi_frames *frames, uint64_t vaddr)
{
	size_t low = 0;
	size_t high = frames->fdes_nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (frames->fdes[middle].start <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int cfi_frames_fde(const struct cfi_frames *frames, size_t index, struct cfi_fde *ret)
{
	const struct cfi_entry *entry = &frames->fdes[index];
	struct bytes_cursor at = section_cursor(frames, entry->offset, frames->section_nr);
	struct bytes_cursor body = entry_take(frames, &at);

	bytes_get_u32(&body);
	ret->offset = entry->offset;
	ret->cie = entry->cie;
	/* A local file may have been written to since. */
	if (at.failed || fde_decode(frames, ret, &body) || ret->start != entry->start)
		return -EBADMSG;
	return 0;
}

int cfi_frames_find(const struct cfi_frames *frames, uint64_t vaddr, struct cfi_fde *ret)
{
	size_t count = cfi_frames_count_up_to(frames, vaddr);

	if (count == 0 || cfi_frames_fde(frames, count - 1, ret) || vaddr >= ret->end)
		return -ENOENT;
	return 0;
}

uint64_t cfi_frames_next_start(const struct cfi_frames *frames, uint64_t vaddr)
{
	size_t count = cfi_frames_count_up_to(frames, vaddr);

	return count < frames->fdes_nr ? frames->fdes[count].start : UINT64_MAX;
}
