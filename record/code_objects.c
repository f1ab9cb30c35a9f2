/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/code_objects.h"

#include <errno.h>
#include <string.h>

#include "common/hash.h"
#include "common/vec.h"
#include "record/code_reader.h"
#include "record/method_reader.h"

enum { SLOTS_MIN = 4096 };

/* One seen code object of one process; open addressing, linear probing, no deletion but a rebuild.
 */
struct code_slot {
	uint64_t address; /* 0: empty */
	uint32_t fingerprint;
	uint32_t process;
	uint32_t code_id;
};

/* Distinct contents of the file, told apart by 128 bits of hash. */
struct code_content {
	uint64_t hash[2];
	uint32_t code_id;
	UT_hash_handle hh;
};

struct code_process {
	struct pyrec_identity identity;
	uint32_t number;
	bool is_gone;
	UT_hash_handle hh;
};

struct code_objects {
	struct code_objects_options options;
	struct code_slot *slots;
	size_t slots_nr; /* a power of two */
	size_t used_nr;
	struct code_content *contents;
	struct code_process *processes;
	struct code_process *latest; /* of the last look-up: most samples come in runs */
	uint32_t processes_nr;
	uint32_t codes_nr;
	struct code_texts texts; /* scratch */
};

int code_objects_create(const struct code_objects_options *options, struct code_objects **ret)
{
	struct code_objects *objects = calloc(1, sizeof(*objects));

	if (!objects)
		return -ENOMEM;
	objects->options = *options;
	objects->slots_nr = SLOTS_MIN;
	objects->slots = calloc(objects->slots_nr, sizeof(*objects->slots));
	if (!objects->slots) {
		free(objects);
		return -ENOMEM;
	}
	*ret = objects;
	return 0;
}

void code_objects_destroy(struct code_objects *objects)
{
	struct code_content *content, *next_content;
	struct code_process *process, *next_process;

	if (!objects)
		return;
	HASH_ITER (hh, objects->contents, content, next_content) {
		HASH_DEL(objects->contents, content);
		free(content);
	}
	HASH_ITER (hh, objects->processes, process, next_process) {
		HASH_DEL(objects->processes, process);
		free(process);
	}
	code_texts_deinit(&objects->texts);
	free(objects->slots);
	free(objects);
}

uint32_t code_objects_nr(const struct code_objects *objects)
{
	return objects->codes_nr;
}

int code_objects_process(struct code_objects *objects, const struct pyrec_identity *identity,
			 uint32_t *ret)
{
	struct code_process *process = objects->latest;

	if (process && memcmp(&process->identity, identity, sizeof(*identity)) == 0) {
		*ret = process->number;
		return 0;
	}
	HASH_FIND(hh, objects->processes, identity, sizeof(*identity), process);
	if (!process) {
		process = calloc(1, sizeof(*process));
		if (!process)
			return -ENOMEM;
		process->identity = *identity;
		process->number = ++objects->processes_nr;
		HASH_ADD(hh, objects->processes, identity, sizeof(process->identity), process);
		if (!process->hh.tbl) {
			free(process);
			return -ENOMEM;
		}
	}
	objects->latest = process;
	*ret = process->number;
	return 0;
}

void code_objects_forget(struct code_objects *objects, uint32_t tgid)
{
	for (struct code_process *process = objects->processes; process; process = process->hh.next)
		if (process->identity.tgid == tgid)
			process->is_gone = true;
}

static struct code_slot *slot_find(struct code_slot *slots, size_t slots_nr, uint32_t process,
				   uint64_t address, uint32_t fingerprint)
{
	uint64_t hash = hash_mix64(address ^ (uint64_t)process << 44) + fingerprint;
	size_t at = hash_mix64(hash) & (slots_nr - 1);

	while (slots[at].address &&
	       (slots[at].address != address || slots[at].fingerprint != fingerprint ||
		slots[at].process != process))
		at = (at + 1) & (slots_nr - 1);
	return &slots[at];
}

static int number_compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a;
	uint32_t right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

/* Drop the processes that are gone. Return: their numbers, sorted. */
static int processes_purge(struct code_objects *objects, struct u32_vec *gone)
{
	struct code_process *process, *next;

	objects->latest = NULL;
	HASH_ITER (hh, objects->processes, process, next) {
		int error;

		if (!process->is_gone)
			continue;
		error = u32_vec_append(gone, process->number);
		if (error)
			return error;
		HASH_DEL(objects->processes, process);
		free(process);
	}
	if (gone->nr)
		qsort(gone->items, gone->nr, sizeof(*gone->items), number_compare);
	return 0;
}

static bool slot_is_kept(const struct code_slot *slot, const struct u32_vec *gone)
{
	return slot->address && (!gone->nr || !bsearch(&slot->process, gone->items, gone->nr,
						       sizeof(uint32_t), number_compare));
}

/* Forget what belongs to processes that are gone; room for four times what is left, so that the
 * next time is far. */
static int slots_rebuild(struct code_objects *objects, const struct u32_vec *gone)
{
	size_t kept_nr = 0;
	size_t slots_nr = SLOTS_MIN;
	struct code_slot *slots;

	for (size_t i = 0; i < objects->slots_nr; i++)
		kept_nr += slot_is_kept(&objects->slots[i], gone);
	while (slots_nr < kept_nr * 4)
		slots_nr *= 2;
	slots = calloc(slots_nr, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < objects->slots_nr; i++) {
		const struct code_slot *slot = &objects->slots[i];

		if (slot_is_kept(slot, gone))
			*slot_find(slots, slots_nr, slot->process, slot->address,
				   slot->fingerprint) = *slot;
	}
	free(objects->slots);
	objects->slots = slots;
	objects->slots_nr = slots_nr;
	objects->used_nr = kept_nr;
	return 0;
}

static int slots_make_room(struct code_objects *objects)
{
	struct u32_vec gone = {0};
	int error = processes_purge(objects, &gone);

	if (!error)
		error = slots_rebuild(objects, &gone);
	u32_vec_deinit(&gone);
	return error;
}

static int slot_set(struct code_objects *objects, uint32_t process, uint64_t address,
		    uint32_t fingerprint, uint32_t code_id)
{
	struct code_slot *slot;

	if (objects->used_nr * 2 >= objects->slots_nr) {
		int error = slots_make_room(objects);

		if (error)
			return error;
	}
	slot = slot_find(objects->slots, objects->slots_nr, process, address, fingerprint);
	objects->used_nr += !slot->address;
	*slot = (struct code_slot){
	    .address = address,
	    .fingerprint = fingerprint,
	    .process = process,
	    .code_id = code_id,
	};
	return 0;
}

static void content_hash(const struct payload_code *code, uint64_t hash[2])
{
	for (uint64_t i = 0; i < 2; i++) {
		uint64_t seed = i * UINT64_C(0x9e3779b97f4a7c15) + code->version_hex +
				((uint64_t)(uint32_t)code->first_line << 32) + code->flags;

		seed = hash_bytes(code->name, code->name_nr, seed);
		seed = hash_bytes(code->qualname, code->qualname_nr, seed);
		seed = hash_bytes(code->file, code->file_nr, seed);
		hash[i] = hash_bytes(code->lines, code->lines_nr, seed);
	}
}

/* The id of this content; told to on_code when it is new. */
static int content_intern(struct code_objects *objects, struct payload_code *code, uint32_t *ret)
{
	struct code_content *content;
	uint64_t hash[2];
	int error;

	content_hash(code, hash);
	HASH_FIND(hh, objects->contents, hash, sizeof(hash), content);
	if (content) {
		*ret = content->code_id;
		return 0;
	}
	code->code_id = objects->codes_nr;
	error = objects->options.on_code(objects->options.context, code);
	if (error)
		return error;
	content = calloc(1, sizeof(*content));
	if (!content)
		return -ENOMEM;
	memcpy(content->hash, hash, sizeof(hash));
	content->code_id = objects->codes_nr++;
	HASH_ADD(hh, objects->contents, hash, sizeof(content->hash), content);
	if (!content->hh.tbl) {
		free(content);
		return -ENOMEM;
	}
	*ret = content->code_id;
	return 0;
}

/* From texts to the payload; @missing names what could not be had (enum pyrec_code_flags). */
static int texts_intern(struct code_objects *objects, const struct code_layout *layout,
			uint32_t missing, uint32_t *ret)
{
	const struct code_texts *texts = &objects->texts;
	const bool has_qualname = layout->walk.code_qualname ? !(missing & PYREC_CODE_QUALNAME_CUT)
							     : texts->qualname.nr > 0;
	struct payload_code code = {
	    .version_hex = layout->version_hex,
	    .first_line = texts->first_line,
	    .flags = (missing & PYREC_CODE_NAME_CUT ? CODE_NAME_MISSING : 0) |
		     (has_qualname ? 0 : CODE_QUALNAME_MISSING) |
		     (missing & PYREC_CODE_FILE_CUT ? CODE_FILE_MISSING : 0) |
		     (missing & PYREC_CODE_LINES_CUT ? CODE_LINES_MISSING : 0),
	    .name = strbuf_text(&texts->name),
	    .name_nr = (uint32_t)texts->name.nr,
	    .qualname = strbuf_text(&texts->qualname),
	    .qualname_nr = (uint32_t)texts->qualname.nr,
	    .file = strbuf_text(&texts->file),
	    .file_nr = (uint32_t)texts->file.nr,
	    .lines_total = (uint32_t)texts->lines.nr,
	    .lines = (const uint8_t *)strbuf_text(&texts->lines),
	    .lines_nr = (uint32_t)texts->lines.nr,
	};

	return content_intern(objects, &code, ret);
}

static void event_take_text(struct bytes_cursor *cursor, const struct pyrec_text *text,
			    struct strbuf *ret)
{
	const uint8_t *bytes = bytes_take(cursor, text->bytes);

	if (bytes)
		text_append_utf8(ret, bytes, text->bytes, text->unit);
}

/* Up to 3.10: the name of a method with its class's, if its process still tells. The code object
 * must be the same behind that. */
static void event_find_qualname(const struct pyrec_code *event, const struct code_layout *layout,
				struct code_texts *texts)
{
	const struct method_question question = {
	    .tgid = event->process.tgid,
	    .code = event->address,
	    .owner = event->owner,
	    .owner_type = event->owner_type,
	    .name = strbuf_text(&texts->name),
	};

	strbuf_reset(&texts->qualname);
	if (!event->owner_type || !texts->name.nr)
		return;
	if (method_read_qualname(&question, layout, &texts->qualname) ||
	    code_read(event->process.tgid, event->address, event->fingerprint, &layout->walk, 0,
		      texts))
		strbuf_reset(&texts->qualname);
}

int code_objects_add(struct code_objects *objects, const struct pyrec_code *event, size_t nr,
		     const struct code_layout *layout)
{
	struct code_texts *texts = &objects->texts;
	struct bytes_cursor cursor = bytes_cursor_make(event, nr);
	uint32_t missing = event->flags;
	const uint8_t *lines;
	uint32_t process;
	uint32_t code_id;
	int error;

	(void)bytes_take(&cursor, sizeof(*event));
	code_texts_reset(texts);
	texts->first_line = event->first_line;
	event_take_text(&cursor, &event->name, &texts->name);
	event_take_text(&cursor, &event->qualname, &texts->qualname);
	event_take_text(&cursor, &event->file, &texts->file);
	lines = bytes_take(&cursor, event->lines_bytes);
	if (cursor.failed)
		return -EBADMSG;
	strbuf_append(&texts->lines, lines, event->lines_bytes);
	if (missing && code_read(event->process.tgid, event->address, event->fingerprint,
				 &layout->walk, missing, texts) == 0)
		missing = 0;
	if (layout->methods.function_code)
		event_find_qualname(event, layout, texts);
	error = texts_intern(objects, layout, missing, &code_id);
	if (!error)
		error = code_objects_process(objects, &event->process, &process);
	if (!error)
		error = slot_set(objects, process, event->address, event->fingerprint, code_id);
	return error;
}

/*
 * BPF could not read the frame's code object: its page was being exchanged, as those are that
 * threads beside a fork write to. What was known to be there before the sample, and is there still,
 * was there meanwhile.
 */
static uint32_t code_recall(const struct code_objects *objects, uint32_t process, uint32_t tgid,
			    uint64_t address, const struct pyrec_layout *layout)
{
	uint32_t fingerprints[CODE_FINGERPRINTS_NR];

	if (code_fingerprints_read(tgid, address, layout, fingerprints))
		return PY_FRAME_UNREADABLE;
	for (int i = 0; i < CODE_FINGERPRINTS_NR; i++) {
		const struct code_slot *slot = slot_find(objects->slots, objects->slots_nr, process,
							 address, fingerprints[i]);

		if (slot->address)
			return slot->code_id;
	}
	return PY_FRAME_UNREADABLE;
}

int code_objects_get(struct code_objects *objects, uint32_t process, uint32_t tgid,
		     const struct pyrec_frame *frame, const struct code_layout *layout,
		     uint32_t *ret)
{
	const uint32_t all = PYREC_CODE_NAME_CUT | PYREC_CODE_QUALNAME_CUT | PYREC_CODE_FILE_CUT |
			     PYREC_CODE_LINES_CUT;
	const struct code_slot *slot;
	int error = 0;

	if (!frame->fingerprint) {
		*ret = layout ? code_recall(objects, process, tgid, frame->address, &layout->walk)
			      : PY_FRAME_UNREADABLE;
		return 0;
	}
	slot = slot_find(objects->slots, objects->slots_nr, process, frame->address,
			 frame->fingerprint);
	*ret = slot->address ? slot->code_id : PY_FRAME_UNREADABLE;
	if (slot->address || !layout)
		return 0;
	code_texts_reset(&objects->texts);
	if (code_read(tgid, frame->address, frame->fingerprint, &layout->walk, all,
		      &objects->texts) == 0)
		error = texts_intern(objects, layout, 0, ret);
	if (!error) /* remembered also when it failed: asked once */
		error = slot_set(objects, process, frame->address, frame->fingerprint, *ret);
	return error;
}
