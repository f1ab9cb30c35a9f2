/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/fault_in.h"

#include <string.h>

#include "record/remote_memory.h"

/* Part of a name that the walk looks at. */
enum { NAME_BYTES = 96 };

static uint64_t word_at(const uint8_t *bytes, uint16_t offset)
{
	uint64_t word;

	memcpy(&word, bytes + offset, sizeof(word));
	return word;
}

void fault_in_word(uint32_t tgid, uint64_t address)
{
	uint64_t word;

	(void)!remote_read(tgid, address, &word, sizeof(word));
}

void fault_in_code(uint32_t tgid, const struct pyrec_layout *layout, uint64_t code)
{
	const uint16_t name = layout->code_qualname ? layout->code_qualname : layout->code_name;
	uint8_t head[PYREC_CODE_HEAD_BYTES];
	uint8_t text[NAME_BYTES];

	if (remote_read(tgid, code, head, sizeof(head)) == 0)
		(void)!remote_read(tgid, word_at(head, name), text, sizeof(text));
}

void fault_in_chain(uint32_t tgid, const struct pyrec_layout *layout, uint64_t frame)
{
	uint8_t head[PYREC_HEAP_FRAME_HEAD_BYTES];
	const size_t nr = layout->is_heap_frame ? PYREC_HEAP_FRAME_HEAD_BYTES
						: PYREC_FRAME_HEAD_BYTES;

	for (uint32_t i = 0; i < PYREC_FRAMES_MAX && frame; i++) {
		if (remote_read(tgid, frame, head, nr))
			return;
		fault_in_code(tgid, layout, word_at(head, layout->frame_code) & ~UINT64_C(3));
		frame = word_at(head, layout->frame_previous);
	}
}
