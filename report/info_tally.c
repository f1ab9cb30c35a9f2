/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/info_tally.h"

#include <errno.h>
#include <string.h>

#include "common/escape.h"
#include "report/container_name.h"

/* More distinct ones than any machine has: a hostile file could name millions. */
enum { TYPES_MAX = 256, INTERPRETERS_MAX = 256, CONTAINERS_MAX = 4096, RECORD_HEADER_BYTES = 8 };

static int tally_type(struct info_tally *tally, const struct perf_event_header *header)
{
	struct info_type *found = NULL;

	for (size_t i = 0; i < tally->types.nr && !found; i++)
		if (tally->types.items[i].type == header->type)
			found = &tally->types.items[i];
	if (!found) {
		if (tally->types.nr >= TYPES_MAX)
			return 0;
		if (info_types_append(&tally->types, (struct info_type){.type = header->type}))
			return -ENOMEM;
		found = &tally->types.items[tally->types.nr - 1];
	}
	found->records_nr++;
	found->bytes += header->size;
	return 0;
}

/* ---- Samples ---- */

/* Entry marks are no frames. */
static void tally_frames(struct info_tally *tally, const uint8_t *frames, uint32_t nr)
{
	const struct py_stack stack = {.frames = frames, .frames_nr = nr};

	for (uint32_t i = 0; i < nr; i++)
		tally->python_frames_nr += py_stack_frame(&stack, i).code_id != PY_FRAME_ENTRY;
}

static void tally_sample(struct info_tally *tally, const struct record_sample *sample)
{
	struct py_stack stack;

	tally->samples_nr++;
	tally->user_stack_bytes += sample->stack_bytes;
	if (!tally->first_sample_ns || sample->time_ns < tally->first_sample_ns)
		tally->first_sample_ns = sample->time_ns;
	if (sample->time_ns > tally->last_sample_ns)
		tally->last_sample_ns = sample->time_ns;
	if (py_stack_decode(sample->raw, sample->raw_bytes, &stack)) {
		tally->without_python_nr++;
		return;
	}
	tally->statuses[stack.status]++;
	tally_frames(tally, stack.frames, stack.frames_nr);
}

/* ---- Envelopes ---- */

static char *escaped_text(const char *text, uint32_t nr)
{
	auto_strbuf struct strbuf escaped = {0};

	escape_append(&escaped, text, nr);
	return escaped.error ? NULL : strdup(strbuf_text(&escaped));
}

static void interpreter_deinit(struct info_interpreter *interpreter)
{
	free(interpreter->path);
	free(interpreter->message);
	free(interpreter->name);
}

static bool interpreters_are_same(const struct info_interpreter *a,
				  const struct info_interpreter *b)
{
	return a->version_hex == b->version_hex && a->is_unsupported == b->is_unsupported &&
	       strcmp(a->path, b->path) == 0 && strcmp(a->message, b->message) == 0 &&
	       strcmp(a->name, b->name) == 0;
}

/* Takes @found over when it is new. */
static int interpreters_add(struct info_interpreters *interpreters, struct info_interpreter *found)
{
	for (size_t i = 0; i < interpreters->nr; i++) {
		if (!interpreters_are_same(&interpreters->items[i], found))
			continue;
		interpreters->items[i].processes_nr++;
		interpreter_deinit(found);
		return 0;
	}
	if (interpreters->nr < INTERPRETERS_MAX)
		return info_interpreters_append(interpreters, *found);
	interpreter_deinit(found);
	return 0;
}

static int tally_interpreter(struct info_tally *tally, const struct payload_interpreter *payload)
{
	struct info_interpreter found = {
	    .version_hex = payload->version_hex,
	    .is_unsupported = payload->status != INTERPRETER_WALKED,
	    .path = escaped_text(payload->path, payload->path_nr),
	    .message = escaped_text(payload->message, payload->message_nr),
	    .name = escaped_text(payload->name, payload->name_nr),
	    .processes_nr = 1,
	};
	int ret = -ENOMEM;

	if (found.path && found.message && found.name)
		ret = interpreters_add(&tally->interpreters, &found);
	if (ret)
		interpreter_deinit(&found);
	return ret;
}

static void container_deinit(struct info_container *container)
{
	free(container->cgroup);
	free(container->name);
}

/* Takes @found over when it is new. */
static int containers_add(struct info_containers *containers, struct info_container *found)
{
	for (size_t i = 0; i < containers->nr; i++) {
		if (strcmp(containers->items[i].cgroup, found->cgroup) != 0)
			continue;
		container_deinit(found);
		return 0;
	}
	if (containers->nr < CONTAINERS_MAX)
		return info_containers_append(containers, *found);
	container_deinit(found);
	return 0;
}

static int tally_task(struct info_tally *tally, const struct payload_task *task)
{
	auto_strbuf struct strbuf name = {0};
	struct info_container found = {0};
	int ret = -ENOMEM;

	if (task->tid != task->pid || !task->cgroup_nr)
		return 0;
	container_name_append(&name, task->cgroup, task->cgroup_nr);
	found.cgroup = escaped_text(task->cgroup, task->cgroup_nr);
	found.name = name.error ? NULL : escaped_text(strbuf_text(&name), (uint32_t)name.nr);
	if (found.cgroup && found.name)
		ret = containers_add(&tally->containers, &found);
	if (ret)
		container_deinit(&found);
	return ret;
}

static int tally_payload(struct info_tally *tally, const struct payload *payload)
{
	switch (payload->kind) {
	case PAYLOAD_FILE_INFO:
		tally->has_file_info = true;
		tally->sample_hz = payload->file_info.sample_hz;
		tally->stack_cap_bytes = payload->file_info.stack_cap_bytes;
		return 0;
	case PAYLOAD_CLOCK:
		if (!tally->has_clock)
			tally->clock = payload->clock;
		tally->has_clock = true;
		return 0;
	case PAYLOAD_INTERPRETER:
		return tally_interpreter(tally, &payload->interpreter);
	case PAYLOAD_CODE:
		tally->codes_nr++;
		return 0;
	case PAYLOAD_LOSSES:
		tally->has_losses = true;
		tally->losses = payload->losses;
		return 0;
	case PAYLOAD_FRAMES:
		tally_frames(tally, payload->frames.frames, payload->frames.frames_nr);
		return 0;
	case PAYLOAD_TASK:
		return tally_task(tally, &payload->task);
	case PAYLOAD_CODE_LINES:
	case PAYLOAD_ASYNC_TASK:
		return 0;
	}
	return 0;
}

static int tally_envelope(struct info_tally *tally, const struct perf_event_header *header)
{
	struct payload payload;

	switch (payload_decode(header + 1, header->size - RECORD_HEADER_BYTES, &payload)) {
	case 0:
		return tally_payload(tally, &payload);
	case -EBADMSG:
		tally->damaged_nr++;
		return 0;
	}
	return 0;
}

/* ---- All ---- */

static int tally_record(struct info_tally *tally, const struct raw_record *raw)
{
	const struct perf_event_header *header = raw->header;
	struct record record;

	tally->records_nr++;
	tally->bytes += header->size;
	if (tally_type(tally, header))
		return -ENOMEM;
	if (record_decode(header, header->size, &raw->event->layout, &record)) {
		tally->damaged_nr++;
		return 0;
	}
	if (header->type == PERF_RECORD_SAMPLE)
		tally_sample(tally, &record.sample);
	if (header->type == PERF_RECORD_LOST || header->type == PERF_RECORD_LOST_SAMPLES)
		tally->lost_nr += record.lost.lost_nr;
	return header->type == PAYLOAD_RECORD_TYPE ? tally_envelope(tally, header) : 0;
}

int info_tally_run(struct info_tally *tally, struct perf_reader *reader, struct read_error *error)
{
	struct raw_record raw;
	int ret;

	while ((ret = perf_reader_next(reader, &raw, error)) > 0)
		if (tally_record(tally, &raw))
			return read_error_set(error, -ENOMEM, raw.file_offset,
					      "no memory to count it");
	return ret;
}

void info_tally_deinit(struct info_tally *tally)
{
	for (size_t i = 0; i < tally->interpreters.nr; i++)
		interpreter_deinit(&tally->interpreters.items[i]);
	for (size_t i = 0; i < tally->containers.nr; i++)
		container_deinit(&tally->containers.items[i]);
	info_containers_deinit(&tally->containers);
	info_interpreters_deinit(&tally->interpreters);
	info_types_deinit(&tally->types);
}
