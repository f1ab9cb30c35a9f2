/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the asyncio task is called that the walk found in the thread's state (walk->task). As steps
 * of bpf/py_walk.h, which the including file includes before: calls nothing but read_user().
 */
#ifndef PYREC_ASYNC_WALK_H
#define PYREC_ASYNC_WALK_H

/* Py_TPFLAGS_READY, _LONG_SUBCLASS, _UNICODE_SUBCLASS, Include/object.h of 3.14 and 3.15. */
enum { TYPE_READY = 1 << 12, TYPE_LONG = 1 << 24, TYPE_UNICODE = 1 << 28 };

/* What the running task is called. */
struct walk_async_name {
	__u32 kind; /* enum pyrec_async_kind */
	__u32 unit; /* PYREC_ASYNC_NAMED: of its text, which is not read yet */
	__u64 bytes;
	__u64 address;
	__u64 number; /* PYREC_ASYNC_NUMBERED */
};

/* A name that is an int, up to 60 bits of it: lv_tag is digits << 3 and sign, 0 for positive ones,
 * digits have 30 bits. */
walk_inline void walk_async_number(const struct walk *walk, const struct pyrec_layout *layout,
				   struct walk_async_name *ret)
{
	__u64 tag = walk_word(walk, layout->long_tag);
	__u64 digits = walk_word(walk, layout->long_digits);
	__u64 nr = tag >> 3;

	if ((tag & 3) || (nr != 1 && nr != 2))
		return;
	ret->number = digits & 0x3fffffff;
	if (nr == 2)
		ret->number |= digits >> 32 << 30;
	ret->kind = PYREC_ASYNC_NUMBERED;
}

/**
 * The name of walk->task. Only what is a task of asyncio's C module by its state and has a name
 * that is a str or an int is believed: other objects may stand in the thread's place for the task
 * too (asyncio's Task in Python, those of other libraries).
 */
walk_inline void walk_async_find(struct walk *walk, const struct pyrec_layout *layout,
				 const struct pyrec_process *process, struct walk_async_name *ret)
{
	__u16 start = 0;
	__u64 state;
	__u64 name;
	__u64 flags = 0;

	*ret = (struct walk_async_name){.kind = PYREC_ASYNC_NONE, .unit = 1};
	if (!walk->task)
		return;
	ret->kind = PYREC_ASYNC_UNREADABLE;
	if (read_user(walk->object, PYREC_ASYNC_HEAD_BYTES, walk->task))
		return;
	/* fut_state 0 to 2 (32 bits), task_is_task 1, task_awaited_by_is_set 0 or 1. */
	state = walk_word(walk, process->task_state);
	name = walk_word(walk, process->task_name);
	if ((__u32)state > 2 || (state >> 32 & 0xfeff) != 1)
		return;
	if (read_user(walk->object, pyrec_unicode_head_bytes(layout), name))
		return;
	if (read_user(&flags, 8, walk_word(walk, layout->object_type) + layout->type_flags))
		return;
	flags &= TYPE_READY | TYPE_LONG | TYPE_UNICODE;
	if (flags == (TYPE_READY | TYPE_LONG)) {
		walk_async_number(walk, layout, ret);
	} else if (flags == (TYPE_READY | TYPE_UNICODE)) {
		ret->bytes = walk_text_place(walk, layout, &start);
		ret->address = name + start;
		ret->unit = walk_text_unit(walk, layout);
		if (ret->bytes || !walk_word(walk, layout->unicode_length))
			ret->kind = PYREC_ASYNC_NAMED;
	}
}

#endif
