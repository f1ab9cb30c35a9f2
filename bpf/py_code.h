/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What tells a code object from another one that was made later at the same address: its texts and
 * its fingerprint. Like bpf/py_walk.h, which the including file includes before, compiled into the
 * BPF programs and as plain C: calls nothing but read_user().
 */
#ifndef PYREC_PY_CODE_H
#define PYREC_PY_CODE_H

/* Bytes of a code point of the string whose head was read; PYREC_TEXT_IS_BYTES. */
walk_inline __u32 walk_text_unit(const struct walk *walk, const struct pyrec_layout *layout)
{
	return layout->has_byte_names
		   ? PYREC_TEXT_IS_BYTES
		   : pyrec_unicode_state(layout, walk_half(walk, layout->unicode_state)) & 7;
}

/* Where a compact string's text begins and how many bytes it has; 0 bytes when not compact. */
walk_inline __u64 walk_text_place(const struct walk *walk, const struct pyrec_layout *layout,
				  __u16 *start)
{
	__u32 state = pyrec_unicode_state(layout, walk_half(walk, layout->unicode_state));
	__u64 unit = state & 7;

	if (layout->has_byte_names) {
		*start = layout->unicode_ascii;
		return walk_word(walk, layout->unicode_length);
	}
	*start = (state & (1 << 4)) ? layout->unicode_ascii : layout->unicode_compact;
	if (!(state & (1 << 3)) || (unit != 1 && unit != 2 && unit != 4))
		return 0;
	return walk_word(walk, layout->unicode_length) * unit;
}

/* Eight bytes at any offset of the object read last. */
walk_inline __u64 walk_unaligned(const struct walk *walk, __u16 offset)
{
	__u32 shift = (offset & 7) * 8;
	__u64 word = walk_word(walk, offset) >> shift;

	return shift ? word | walk_word(walk, offset + 8) << (64 - shift) : word;
}

/* The last WALK_END_BYTES of a longer text, of which @read_bytes were read with its head. */
walk_inline long walk_read_tail(struct walk *walk, __u64 object, __u16 start, __u64 bytes,
				__u64 read_bytes)
{
	const __u64 at = start + bytes - WALK_END_BYTES;

	if (bytes > read_bytes)
		return read_user(walk->tail, WALK_END_BYTES, object + at);
	for (int i = 0; i < PYREC_TEXT_END_WORDS; i++)
		walk->tail[i] = walk_unaligned(walk, (__u16)at + i * 8);
	return 0;
}

/*
 * Both ends of a text of @bytes bytes at offset @start of @object, 0 padded: what lies behind a
 * short one belongs to the allocator. @read_bytes of it were read with its head, if its first ones
 * were.
 */
walk_inline long walk_read_ends(struct walk *walk, __u64 object, __u16 start, __u64 bytes,
				__u64 read_bytes)
{
	__u64 nr = bytes < WALK_END_BYTES ? bytes : WALK_END_BYTES;
	int is_whole = read_bytes >= WALK_END_BYTES;

	for (int i = 0; i < PYREC_TEXT_END_WORDS; i++) {
		__u64 left = nr > (__u64)i * 8 ? nr - i * 8 : 0;
		__u64 word = is_whole ? walk_unaligned(walk, start + i * 8) : 0;

		walk->head[i] = left >= 8 ? word : word & ((1ULL << left * 8) - 1);
	}
	if (!is_whole && nr && read_user(walk->head, (__u32)nr, object + start))
		return -1;
	return bytes > WALK_END_BYTES ? walk_read_tail(walk, object, start, bytes, read_bytes) : 0;
}

/*
 * pyrec_text_key() of a string or, with @is_bytes, a bytes object. Nearly every text is short and
 * ASCII, so head and text are read in one go; near the end of a mapping, and for others, in two.
 * Return: 0 when it cannot be read.
 */
walk_inline __u64 walk_text_key(struct walk *walk, const struct pyrec_layout *layout, __u64 object,
				int is_bytes)
{
	const __u16 size_at = is_bytes ? layout->bytes_size : layout->unicode_length;
	__u16 start = is_bytes ? layout->bytes_data : layout->unicode_ascii;
	int is_whole = !read_user(walk->object, WALK_TEXT_BYTES, object);
	__u64 bytes;
	__u64 hash;

	if (!is_whole && read_user(walk->object, pyrec_unicode_head_bytes(layout), object))
		return 0;
	hash = walk_word(walk, size_at + 8); /* behind the length in both */
	bytes = is_bytes ? walk_word(walk, size_at) : walk_text_place(walk, layout, &start);
	if (hash == ~0ULL &&
	    walk_read_ends(walk, object, start, bytes,
			   is_whole && start < WALK_TEXT_BYTES ? WALK_TEXT_BYTES - start : 0))
		return 0;
	return pyrec_text_key(hash, bytes, walk->head, walk->tail);
}

/*
 * 3.11 has a hash of co_name, but mostly none of co_qualname: of a long one both ends are looked
 * at, and the last of its names in whole. Return: 0 when one of them cannot be read.
 */
walk_inline __u64 walk_name_key(struct walk *walk, const struct pyrec_layout *layout)
{
	__u64 hash = 0;
	__u16 start;
	__u64 key;

	if (!layout->code_qualname)
		return walk_text_key(walk, layout, walk->facts.name, 0);
	key = walk_text_key(walk, layout, walk->facts.qualname, 0);
	if (!key || walk_text_place(walk, layout, &start) <= WALK_END_BYTES)
		return key;
	return read_user(&hash, 8, walk->facts.name + layout->unicode_length + 8)
		   ? 0
		   : pyrec_fold(key, hash) | 1;
}

/* Of file and line table; 0 when one of them cannot be read. */
walk_inline __u64 walk_content_key(struct walk *walk, const struct pyrec_layout *layout)
{
	__u64 lines;

	if (!walk->file_key || walk->file != walk->facts.file) {
		walk->file = walk->facts.file;
		walk->file_key = walk_text_key(walk, layout, walk->facts.file, 0);
	}
	lines = walk_text_key(walk, layout, walk->facts.lines, 1);
	return walk->file_key && lines ? pyrec_fold(walk->file_key, lines) | 1 : 0;
}

/**
 * Read what identifies the code object at @code. Where the version keeps a number for each code
 * object (co_version, 3.12 and newer), that and the first line do, unless numbers repeat in the
 * process (@needs_facts): then, and once their counter has overflowed, it is taken as 0. With 0 it
 * is all that is shown of it: name, file and line table, and the pointers to them. Those too are
 * noted for sending it (@all).
 * Return: fingerprint, 0 when unreadable; of texts that cannot be read only the pointers count.
 */
walk_inline __u32 walk_fingerprint(struct walk *walk, const struct pyrec_layout *layout, __u64 code,
				   int needs_facts, int all)
{
	const __u16 start = layout->code_start;

	walk->facts.address = code;
	walk->facts.version = 0;
	walk->facts.text = 0;
	walk->facts.content = 0;
	if (layout->code_version && !needs_facts && !all) {
		/* co_firstlineno and co_version lie in these 32 bytes (one cache line). */
		if (read_user(walk->object, 32, code + start))
			return 0;
		walk->facts.first_line = walk_half(walk, layout->code_first_line - start);
		walk->facts.version = walk_half(walk, layout->code_version - start);
		if (walk->facts.version)
			return pyrec_code_fingerprint(&walk->facts);
	}
	if (read_user(walk->object, PYREC_CODE_WALK_BYTES, code + start))
		return 0;
	walk->facts.name = walk_word(walk, layout->code_name - start);
	walk->facts.qualname = layout->code_qualname
				   ? walk_word(walk, layout->code_qualname - start)
				   : 0;
	walk->facts.file = walk_word(walk, layout->code_file - start);
	walk->facts.lines = walk_word(walk, layout->code_lines - start);
	walk->facts.first_line = walk_half(walk, layout->code_first_line - start);
	if (layout->code_version && !needs_facts)
		walk->facts.version = walk_half(walk, layout->code_version - start);
	if (!walk->facts.version) {
		walk->facts.text = walk_name_key(walk, layout);
		walk->facts.content = walk_content_key(walk, layout);
	}
	return pyrec_code_fingerprint(&walk->facts);
}

#endif
