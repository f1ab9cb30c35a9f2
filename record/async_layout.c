/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/async_layout.h"

#include <errno.h>
#include <linux/types.h>

#include "bpf/pyrec_bpf.h"
#include "common/bytes.h"

enum { SECTION_BYTES = 104, TSTATE_BYTES_MAX = 32768 };

/* Places of the numbers in the section. */
enum {
	AT_TASK_BYTES = 0,
	AT_TASK_NAME = 8,
	AT_TASK_IS_TASK = 24,
	AT_TASK_AWAITED_BY_IS_SET = 32,
	AT_TSTATE_BYTES = 72,
	AT_TSTATE_TASK = 88,
};

static uint64_t number_at(const struct elf_section *section, size_t at)
{
	struct bytes_cursor cursor = bytes_cursor_make(section->bytes + at, 8);

	return bytes_get_u64(&cursor);
}

int async_layout_find(const struct elf_file *elf, struct async_layout *ret)
{
	struct elf_section section;
	uint64_t is_task;
	uint64_t tstate_bytes;
	uint64_t tstate_task;
	uint64_t name;

	if (elf_file_section(elf, ".AsyncioDebug", &section))
		return -ENOENT;
	if (!section.bytes || section.nr < SECTION_BYTES)
		return -EBADMSG;
	is_task = number_at(&section, AT_TASK_IS_TASK);
	name = number_at(&section, AT_TASK_NAME);
	tstate_bytes = number_at(&section, AT_TSTATE_BYTES);
	tstate_task = number_at(&section, AT_TSTATE_TASK);
	/* The word before task_is_task is its task's state, which the walk checks with it. */
	if (number_at(&section, AT_TASK_BYTES) < PYREC_ASYNC_HEAD_BYTES || is_task % 8 != 4 ||
	    number_at(&section, AT_TASK_AWAITED_BY_IS_SET) != is_task + 1 ||
	    is_task > PYREC_ASYNC_HEAD_BYTES - 4 || name % 8 || name > PYREC_ASYNC_HEAD_BYTES - 8)
		return -EBADMSG;
	if (tstate_bytes > TSTATE_BYTES_MAX || tstate_task % 8 || tstate_task == 0 ||
	    tstate_task > tstate_bytes - 8)
		return -EBADMSG;
	*ret = (struct async_layout){
	    .tstate_task = (uint16_t)tstate_task,
	    .task_state = (uint16_t)(is_task - 4),
	    .task_name = (uint16_t)name,
	};
	return 0;
}
