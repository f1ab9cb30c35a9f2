/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Part of bpf/pyrec.bpf.c: fingerprints of a sample's frames, and code objects not sent before into
 * the ring (other end: record/code_objects.c). */
#ifndef PYREC_CODE_EVENTS_H
#define PYREC_CODE_EVENTS_H

static inline __u64 process_tag(const struct pyrec_identity *process)
{
	__u64 hash = process->start_boottime_ns + ((__u64)process->tgid << 32);

	return pyrec_mix64(hash + process->exec_id * 0x9e3779b97f4a7c15ULL);
}

static inline __u64 code_tag(const struct scratch *s, __u64 address, __u32 fingerprint)
{
	__u64 hash = s->process_tag ^ address;

	return pyrec_mix64(hash + (__u64)fingerprint * 0x9e3779b97f4a7c15ULL) | 1;
}

static inline __u64 *code_slot(__u64 tag)
{
	return &code_seen[tag >> 40 & (PYREC_CODE_SEEN_SLOTS - 1)];
}

/* Is the @at-th frame's code object known to user space? Else it is noted for sending. */
static inline void code_check(struct scratch *s, __u32 at, __u32 fingerprint)
{
	struct walk *walk = &s->walk;
	__u64 *previous = &s->previous[(walk->nr - at) & (PREVIOUS_FRAMES - 1)];
	__u64 tag = code_tag(s, walk->facts.address, fingerprint);

	if (*previous == tag)
		return;
	if (*code_slot(tag) == tag) {
		*previous = tag;
	} else if (walk->misses_nr < PYREC_MISSES_MAX) {
		walk->misses[walk->misses_nr] = at;
		walk->misses_nr++;
	}
}

/* Fingerprint one frame; note it when its code object was not sent yet. Return: 1 at the end. */
static inline long code_step(struct scratch *s)
{
	struct walk *walk = &s->walk;
	__u32 at = walk->next_code;
	struct pyrec_frame *frame;

	if (at >= walk->nr || at >= PYREC_FRAMES_MAX)
		return 1;
	walk->next_code = at + 1;
	frame = &s->sample.tail.frames[at];
	if (frame->instr == PYREC_INSTR_ENTRY)
		return 0;
	if (walk->facts.address == frame->address && walk->facts_fingerprint) {
		frame->fingerprint = walk->facts_fingerprint; /* recursion: same as the last */
		return 0;
	}
	frame->fingerprint = walk_fingerprint(walk, &s->layout, frame->address, walk->needs_facts,
					      0);
	walk->facts_fingerprint = frame->fingerprint;
	if (frame->fingerprint)
		code_check(s, at, frame->fingerprint);
	return 0;
}

/* Append a string's text to the code event. */
static inline __u32 code_add_text(struct scratch *s, struct pyrec_text *text, __u64 unicode,
				  __u32 at, __u32 cut_flag)
{
	struct walk *walk = &s->walk;
	__u16 start = 0;
	__u64 bytes;

	text->bytes = 0;
	text->unit = 1;
	if (read_user(walk->object, pyrec_unicode_head_bytes(&s->layout), unicode)) {
		s->code.head.flags |= cut_flag;
		return at;
	}
	bytes = walk_text_place(walk, &s->layout, &start);
	text->unit = walk_text_unit(walk, &s->layout);
	if (at > CODE_TAIL_BYTES_MAX - PYREC_NAME_BYTES_MAX || bytes > PYREC_NAME_BYTES_MAX ||
	    (bytes == 0 && walk_word(walk, s->layout.unicode_length) != 0) ||
	    read_user(s->code.tail + at, (__u32)bytes, unicode + start)) {
		s->code.head.flags |= cut_flag;
		return at;
	}
	text->bytes = (__u32)bytes;
	return at + (__u32)bytes;
}

static inline __u32 code_add_lines(struct scratch *s, __u64 object, __u32 at)
{
	__u64 bytes = 0;

	if (at > CODE_TAIL_BYTES_MAX - PYREC_LINES_BYTES_MAX ||
	    read_user(&bytes, 8, object + s->layout.bytes_size) || bytes > PYREC_LINES_BYTES_MAX ||
	    read_user(s->code.tail + at, (__u32)bytes, object + s->layout.bytes_data)) {
		s->code.head.flags |= PYREC_CODE_LINES_CUT;
		return at;
	}
	s->code.head.lines_bytes = (__u32)bytes;
	return at + (__u32)bytes;
}

/*
 * Up to 3.10: what stands in the first local of @frame, and its type. An argument that inner
 * functions use is in a cell, behind the locals (PyCellObject.ob_ref is at 16), and its local
 * empty.
 */
static inline void code_add_owner(struct scratch *s, __u64 frame, __u64 code)
{
	const __u64 locals = frame + s->layout.frame_locals;
	struct pyrec_code *head = &s->code.head;
	__u64 cell = 0;
	__u32 nr = 0;

	head->owner = 0;
	head->owner_type = 0;
	if (!s->layout.frame_locals || read_user(&head->owner, 8, locals))
		return;
	if (!head->owner && !read_user(&nr, 4, code + s->layout.code_locals_nr) && nr < 1024 &&
	    !read_user(&cell, 8, locals + nr * 8) && cell)
		read_user(&head->owner, 8, cell + 16);
	if (head->owner)
		read_user(&head->owner_type, 8, head->owner + 8);
}

/* Send the code object of one noted frame (other end: record/code_objects.c). Return: 1 at the end.
 */
static inline long code_emit_step(struct scratch *s)
{
	struct walk *walk = &s->walk;
	struct pyrec_code *head = &s->code.head;
	struct pyrec_frame *frame;
	__u32 at = walk->next_miss;
	__u32 bytes = 0;
	__u32 index;
	__u64 tag;

	if (at >= walk->misses_nr || at >= PYREC_MISSES_MAX)
		return 1;
	walk->next_miss = at + 1;
	index = walk->misses[at];
	if (index >= PYREC_FRAMES_MAX)
		return 1;
	frame = &s->sample.tail.frames[index];
	if (walk_fingerprint(walk, &s->layout, frame->address, walk->needs_facts, 1) !=
	    frame->fingerprint)
		return 0;
	tag = code_tag(s, frame->address, frame->fingerprint);
	if (*code_slot(tag) == tag)
		return 0;  /* twice in this stack */
	s->code_tag = tag; /* held in no register: Linux 6.1 forgets the bounds of spilled ones */
	head->kind = PYREC_EVENT_CODE;
	head->layout = s->process.layout;
	head->process = s->sample.head.process;
	head->address = frame->address;
	head->fingerprint = frame->fingerprint;
	head->first_line = (__s32)walk->facts.first_line;
	head->flags = 0;
	head->lines_bytes = 0;
	code_add_owner(s, walk->frame_objects[index], frame->address);
	bytes = code_add_text(s, &head->name, walk->facts.name, bytes, PYREC_CODE_NAME_CUT);
	if (walk->facts.qualname)
		bytes = code_add_text(s, &head->qualname, walk->facts.qualname, bytes,
				      PYREC_CODE_QUALNAME_CUT);
	else
		head->qualname.bytes = 0;
	bytes = code_add_text(s, &head->file, walk->facts.file, bytes, PYREC_CODE_FILE_CUT);
	bytes = code_add_lines(s, walk->facts.lines, bytes);
	if (bpf_ringbuf_output(&ring, &s->code, sizeof(*head) + at_most(bytes, CODE_TAIL_BYTES_MAX),
			       BPF_RB_NO_WAKEUP)) {
		count(PYREC_COUNT_CODE_RING_FULL);
		return 1;
	}
	*code_slot(s->code_tag) = s->code_tag;
	return 0;
}

#endif
