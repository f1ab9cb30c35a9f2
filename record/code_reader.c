/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/code_reader.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/utf8.h"
#include "record/remote_memory.h"

/* Longer than any text or table that CPython's own compiler makes of sane source. */
enum { TEXT_BYTES_MAX = 1 << 20, LINES_BYTES_MAX = 64 << 20 };

void code_texts_reset(struct code_texts *texts)
{
	strbuf_reset(&texts->name);
	strbuf_reset(&texts->qualname);
	strbuf_reset(&texts->file);
	strbuf_reset(&texts->lines);
}

void code_texts_deinit(struct code_texts *texts)
{
	strbuf_deinit(&texts->name);
	strbuf_deinit(&texts->qualname);
	strbuf_deinit(&texts->file);
	strbuf_deinit(&texts->lines);
}

/* What is UTF-8 stays, any other byte becomes \xNN. */
static void bytes_append_utf8(struct strbuf *out, const uint8_t *bytes, size_t nr)
{
	for (size_t at = 0; at < nr;) {
		uint32_t character;
		size_t length = utf8_decode(bytes + at, nr - at, &character);

		if (length) {
			strbuf_append(out, bytes + at, length);
			at += length;
		} else {
			strbuf_append_format(out, "\\x%02x", bytes[at++]);
		}
	}
}

void text_append_utf8(struct strbuf *out, const uint8_t *bytes, size_t nr, uint32_t unit)
{
	if (unit == PYREC_TEXT_IS_BYTES)
		bytes_append_utf8(out, bytes, nr);
	if (unit != 1 && unit != 2 && unit != 4)
		return;
	for (size_t at = 0; at + unit <= nr; at += unit) {
		uint32_t c = 0;

		memcpy(&c, bytes + at, unit);
		if (c >= 0xdc80 && c < 0xdd00)
			strbuf_append_char(out, (char)(c & 0xff));
		else
			utf8_append(out, c);
	}
}

static uint64_t word_at(const uint8_t *bytes, uint16_t offset)
{
	uint64_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

static uint32_t half_at(const uint8_t *bytes, uint16_t offset)
{
	uint32_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

/* Place of a string's data. */
struct text_place {
	uint64_t address;
	uint64_t bytes;
	uint64_t hash; /* the interpreter's own; UINT64_MAX: none made */
	uint32_t unit; /* as in struct pyrec_text */
	bool is_compact;
};

static int text_find(uint32_t tgid, uint64_t unicode, const struct pyrec_layout *layout,
		     struct text_place *ret)
{
	uint8_t head[PYREC_UNICODE_HEAD_BYTES];
	int error = remote_read(tgid, unicode, head, pyrec_unicode_head_bytes(layout));
	uint64_t length;
	uint32_t state;

	if (error)
		return error;
	length = word_at(head, layout->unicode_length);
	ret->hash = word_at(head, layout->unicode_length + 8);
	if (layout->has_byte_names) {
		ret->address = unicode + layout->unicode_ascii;
		ret->bytes = length;
		ret->unit = PYREC_TEXT_IS_BYTES;
		ret->is_compact = true;
		return length > TEXT_BYTES_MAX ? -EFAULT : 0;
	}
	state = pyrec_unicode_state(layout, half_at(head, layout->unicode_state));
	ret->unit = state & 7;
	if (ret->unit != 1 && ret->unit != 2 && ret->unit != 4)
		return -EFAULT;
	if (length > TEXT_BYTES_MAX / ret->unit)
		return -EFAULT;
	ret->bytes = length * ret->unit;
	ret->is_compact = state & 1 << 3;
	if (ret->is_compact) {
		ret->address = unicode +
			       (state & 1 << 4 ? layout->unicode_ascii : layout->unicode_compact);
		return 0;
	}
	return remote_read(tgid, unicode + layout->unicode_compact, &ret->address,
			   sizeof(ret->address));
}

static int remote_append(uint32_t tgid, uint64_t address, uint64_t nr, struct strbuf *ret)
{
	int error = strbuf_reserve(ret, nr);

	if (!error)
		error = remote_read(tgid, address, ret->bytes + ret->nr, nr);
	if (!error) {
		ret->nr += nr;
		ret->bytes[ret->nr] = '\0';
	}
	return error;
}

int text_read(uint32_t tgid, uint64_t unicode, const struct pyrec_layout *layout,
	      struct strbuf *ret)
{
	auto_strbuf struct strbuf raw = {0};
	struct text_place place;
	int error = text_find(tgid, unicode, layout, &place);

	if (!error)
		error = remote_append(tgid, place.address, place.bytes, &raw);
	if (error)
		return error;
	strbuf_reset(ret);
	text_append_utf8(ret, (const uint8_t *)raw.bytes, raw.nr, place.unit);
	return ret->error;
}

static int lines_read(uint32_t tgid, uint64_t object, const struct pyrec_layout *layout,
		      struct strbuf *ret)
{
	uint64_t nr;
	int error = remote_read(tgid, object + layout->bytes_size, &nr, sizeof(nr));

	if (error)
		return error;
	if (nr > LINES_BYTES_MAX)
		return -EFAULT;
	strbuf_reset(ret);
	return remote_append(tgid, object + layout->bytes_data, nr, ret);
}

/* As walk_text_key() of bpf/py_code.h: 0 when it cannot be read. */
static uint64_t place_key(uint32_t tgid, const struct text_place *place)
{
	__u64 head[PYREC_TEXT_END_WORDS] = {0};
	__u64 tail[PYREC_TEXT_END_WORDS] = {0};
	const uint64_t nr = place->bytes < sizeof(head) ? place->bytes : sizeof(head);

	if (place->hash == UINT64_MAX) {
		if (nr && remote_read(tgid, place->address, head, nr))
			return 0;
		if (place->bytes > nr &&
		    remote_read(tgid, place->address + place->bytes - sizeof(tail), tail,
				sizeof(tail)))
			return 0;
	}
	return pyrec_text_key(place->hash, place->bytes, head, tail);
}

static uint64_t text_key(uint32_t tgid, uint64_t unicode, const struct pyrec_layout *layout,
			 struct text_place *place)
{
	if (text_find(tgid, unicode, layout, place))
		return 0;
	if (!place->is_compact)
		place->bytes = 0;
	return place_key(tgid, place);
}

/* As walk_name_key(). */
static uint64_t name_key(uint32_t tgid, const struct pyrec_code_facts *facts,
			 const struct pyrec_layout *layout)
{
	struct text_place place;
	uint64_t hash;
	uint64_t key;

	if (!layout->code_qualname)
		return text_key(tgid, facts->name, layout, &place);
	key = text_key(tgid, facts->qualname, layout, &place);
	if (!key || place.bytes <= PYREC_TEXT_END_WORDS * 8)
		return key;
	return remote_read(tgid, facts->name + layout->unicode_length + 8, &hash, sizeof(hash))
		   ? 0
		   : pyrec_fold(key, hash) | 1;
}

/* As walk_content_key(). */
static uint64_t content_key(uint32_t tgid, const struct pyrec_code_facts *facts,
			    const struct pyrec_layout *layout)
{
	struct text_place place;
	const uint64_t file = text_key(tgid, facts->file, layout, &place);
	uint64_t head[2]; /* ob_size, ob_shash */
	uint64_t lines;

	if (!file || remote_read(tgid, facts->lines + layout->bytes_size, head, sizeof(head)))
		return 0;
	lines = place_key(tgid, &(struct text_place){.address = facts->lines + layout->bytes_data,
						     .bytes = head[0],
						     .hash = head[1]});
	return lines ? pyrec_fold(file, lines) | 1 : 0;
}

/* As walk_fingerprint() of bpf/py_code.h, everything in memory. */
static int facts_read(uint32_t tgid, uint64_t address, const struct pyrec_layout *layout,
		      struct pyrec_code_facts *ret)
{
	struct pyrec_code_facts facts = {.address = address};
	uint8_t head[PYREC_CODE_HEAD_BYTES] = {0};
	/* The line table's is the last field that is read. */
	int error = remote_read(tgid, address, head, layout->code_lines + 8U);

	if (error)
		return error;
	facts.name = word_at(head, layout->code_name);
	facts.qualname = layout->code_qualname ? word_at(head, layout->code_qualname) : 0;
	facts.file = word_at(head, layout->code_file);
	facts.lines = word_at(head, layout->code_lines);
	facts.first_line = half_at(head, layout->code_first_line);
	facts.version = layout->code_version ? half_at(head, layout->code_version) : 0;
	facts.text = name_key(tgid, &facts, layout);
	facts.content = content_key(tgid, &facts, layout);
	*ret = facts;
	return 0;
}

/*
 * The fingerprint of @facts, and those of so much of it as may have been in memory when BPF looked.
 * It takes the number as 0 where numbers repeat.
 */
static void facts_fingerprints(struct pyrec_code_facts facts, uint32_t ret[CODE_FINGERPRINTS_NR])
{
	const uint64_t content = facts.content;

	ret[0] = pyrec_code_fingerprint(&facts);
	facts.version = 0;
	ret[1] = pyrec_code_fingerprint(&facts);
	facts.content = 0;
	ret[2] = pyrec_code_fingerprint(&facts);
	facts.text = 0;
	ret[3] = pyrec_code_fingerprint(&facts);
	facts.content = content;
	ret[4] = pyrec_code_fingerprint(&facts);
}

static bool facts_agree(const struct pyrec_code_facts *facts, uint32_t fingerprint)
{
	uint32_t fingerprints[CODE_FINGERPRINTS_NR];

	facts_fingerprints(*facts, fingerprints);
	for (int i = 0; i < CODE_FINGERPRINTS_NR; i++)
		if (fingerprints[i] == fingerprint)
			return true;
	return false;
}

static int parts_read(uint32_t tgid, const struct pyrec_code_facts *facts,
		      const struct pyrec_layout *layout, uint32_t wanted, struct code_texts *ret)
{
	int error = 0;

	ret->first_line = (int32_t)facts->first_line;
	if (wanted & PYREC_CODE_NAME_CUT)
		error = text_read(tgid, facts->name, layout, &ret->name);
	if (!error && wanted & PYREC_CODE_QUALNAME_CUT && facts->qualname)
		error = text_read(tgid, facts->qualname, layout, &ret->qualname);
	if (!error && wanted & PYREC_CODE_FILE_CUT)
		error = text_read(tgid, facts->file, layout, &ret->file);
	if (!error && wanted & PYREC_CODE_LINES_CUT)
		error = lines_read(tgid, facts->lines, layout, &ret->lines);
	return error;
}

int code_read(uint32_t tgid, uint64_t address, uint32_t fingerprint,
	      const struct pyrec_layout *layout, uint32_t wanted, struct code_texts *ret)
{
	struct pyrec_code_facts facts;
	int error = facts_read(tgid, address, layout, &facts);

	if (error)
		return error;
	if (!facts_agree(&facts, fingerprint))
		return -ESTALE;
	error = parts_read(tgid, &facts, layout, wanted, ret);
	if (!error)
		error = facts_read(tgid, address, layout, &facts);
	if (error)
		return error;
	return facts_agree(&facts, fingerprint) ? 0 : -ESTALE;
}

int code_fingerprints_read(uint32_t tgid, uint64_t address, const struct pyrec_layout *layout,
			   uint32_t ret[CODE_FINGERPRINTS_NR])
{
	struct pyrec_code_facts facts;
	int error = facts_read(tgid, address, layout, &facts);

	if (!error)
		facts_fingerprints(facts, ret);
	return error;
}
