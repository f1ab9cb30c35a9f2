/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The reader's events: their names and ids, and whose a record is. */
#include <errno.h>
#include <string.h>

#include "format/reader_state.h"

enum {
	RECORD_HEADER_BYTES = 8,
	RECORD_TYPES_OF_THE_TOOL = 64, /* PERF_RECORD_USER_TYPE_START: of no event */
	EVENTS_NR_MAX = 65536,
};

/* ---- Events ---- */

static const char *attr_name(const struct perf_event_attr *attr)
{
	static const char *const hardware[] = {
	    [PERF_COUNT_HW_CPU_CYCLES] = "cycles",
	    [PERF_COUNT_HW_INSTRUCTIONS] = "instructions",
	    [PERF_COUNT_HW_CACHE_REFERENCES] = "cache-references",
	    [PERF_COUNT_HW_CACHE_MISSES] = "cache-misses",
	    [PERF_COUNT_HW_BRANCH_INSTRUCTIONS] = "branches",
	    [PERF_COUNT_HW_BRANCH_MISSES] = "branch-misses",
	    [PERF_COUNT_HW_BUS_CYCLES] = "bus-cycles",
	    [PERF_COUNT_HW_STALLED_CYCLES_FRONTEND] = "stalled-cycles-frontend",
	    [PERF_COUNT_HW_STALLED_CYCLES_BACKEND] = "stalled-cycles-backend",
	    [PERF_COUNT_HW_REF_CPU_CYCLES] = "ref-cycles",
	};
	static const char *const software[] = {
	    [PERF_COUNT_SW_CPU_CLOCK] = "cpu-clock",
	    [PERF_COUNT_SW_TASK_CLOCK] = "task-clock",
	    [PERF_COUNT_SW_PAGE_FAULTS] = "page-faults",
	    [PERF_COUNT_SW_CONTEXT_SWITCHES] = "context-switches",
	    [PERF_COUNT_SW_CPU_MIGRATIONS] = "cpu-migrations",
	    [PERF_COUNT_SW_PAGE_FAULTS_MIN] = "minor-faults",
	    [PERF_COUNT_SW_PAGE_FAULTS_MAJ] = "major-faults",
	    [PERF_COUNT_SW_ALIGNMENT_FAULTS] = "alignment-faults",
	    [PERF_COUNT_SW_EMULATION_FAULTS] = "emulation-faults",
	    [PERF_COUNT_SW_DUMMY] = "dummy",
	    [PERF_COUNT_SW_BPF_OUTPUT] = "bpf-output",
	};

	if (attr->type == PERF_TYPE_HARDWARE && attr->config < array_size(hardware))
		return hardware[attr->config];
	if (attr->type == PERF_TYPE_SOFTWARE && attr->config < array_size(software))
		return software[attr->config];
	return NULL;
}

static int event_name_make(const struct perf_event_attr *attr, const char **ret)
{
	const char *known = attr_name(attr);
	auto_strbuf struct strbuf name = {0};

	if (known)
		strbuf_append_text(&name, known);
	else
		strbuf_append_format(&name, "type-%u-config-0x%llx", attr->type,
				     (unsigned long long)attr->config);
	if (name.error)
		return name.error;
	*ret = no_free_ptr(name.bytes);
	return 0;
}

static int event_ids_add(struct perf_reader *reader, const struct perf_reader_event *event,
			 uint32_t index)
{
	for (uint32_t i = 0; i < event->ids_nr; i++) {
		struct event_id *added;

		HASH_FIND(hh, reader->event_ids, &event->ids[i], sizeof(event->ids[i]), added);
		if (added)
			continue;
		added = calloc(1, sizeof(*added));
		if (!added)
			return -ENOMEM;
		added->id = event->ids[i];
		added->event = index;
		HASH_ADD(hh, reader->event_ids, id, sizeof(added->id), added);
		if (!added->hh.tbl) {
			free(added);
			return -ENOMEM;
		}
	}
	return 0;
}

int reader_add_event(struct perf_reader *reader, const struct perf_event_attr *attr,
		     const uint8_t *ids, size_t ids_nr)
{
	struct perf_reader_event event = {.attr = *attr, .ids_nr = (uint32_t)ids_nr};
	uint64_t *copy;
	int ret;

	if (reader->events.nr >= EVENTS_NR_MAX)
		return -EBADMSG;
	event.layout = record_layout_make(attr);
	copy = calloc(ids_nr + 1, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	if (ids_nr)
		memcpy(copy, ids, ids_nr * sizeof(*copy));
	event.ids = copy;
	ret = event_name_make(attr, &event.name);
	if (ret == 0)
		ret = event_vec_append(&reader->events, event);
	if (ret) {
		free((char *)event.name);
		free(copy);
		return ret;
	}
	return event_ids_add(reader, &event, (uint32_t)reader->events.nr - 1);
}

/* EVENT_DESC lists the events in the order of the attrs; an id says more than the order. */
int reader_update_event_names(struct perf_reader *reader)
{
	for (size_t i = 0; i < reader->values.events.nr; i++) {
		const struct feature_event *described = &reader->values.events.items[i];
		const struct event_id *found = NULL;
		size_t index = i;
		char *name;

		if (described->first_id)
			HASH_FIND(hh, reader->event_ids, &described->first_id,
				  sizeof(described->first_id), found);
		if (found)
			index = found->event;
		if (index >= reader->events.nr || !described->name[0])
			continue;
		name = strdup(described->name);
		if (!name)
			return -ENOMEM;
		free((char *)reader->events.items[index].name);
		reader->events.items[index].name = name;
	}
	return 0;
}

/* ---- Which event a record belongs to ---- */

static uint64_t record_id_offset(const struct record_layout *layout, uint32_t type, size_t size)
{
	const uint64_t fields = layout->sample_type;
	const uint64_t before_id = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |
				   PERF_SAMPLE_ADDR;
	const uint64_t after_id = PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_CPU;

	if (type == PERF_RECORD_SAMPLE && (fields & PERF_SAMPLE_IDENTIFIER))
		return RECORD_HEADER_BYTES;
	if (type == PERF_RECORD_SAMPLE && (fields & PERF_SAMPLE_ID))
		return RECORD_HEADER_BYTES + 8 * (uint64_t)__builtin_popcountll(fields & before_id);
	if (type == PERF_RECORD_SAMPLE || !layout->sample_id_all)
		return UINT64_MAX;
	if (fields & PERF_SAMPLE_IDENTIFIER)
		return size - 8;
	if (fields & PERF_SAMPLE_ID)
		return size - 8 * (1 + (uint64_t)__builtin_popcountll(fields & after_id));
	return UINT64_MAX;
}

const struct perf_reader_event *reader_event_find(const struct perf_reader *reader,
						  const struct perf_event_header *header)
{
	const struct perf_reader_event *first = reader->events.items;
	const struct event_id *found;
	uint64_t offset;
	uint64_t id;

	if (reader->events.nr <= 1 || header->type >= RECORD_TYPES_OF_THE_TOOL)
		return first;
	offset = record_id_offset(&first->layout, header->type, header->size);
	if (offset >= header->size || header->size - offset < sizeof(id))
		return first;
	memcpy(&id, (const uint8_t *)header + offset, sizeof(id));
	HASH_FIND(hh, reader->event_ids, &id, sizeof(id), found);
	return found ? &reader->events.items[found->event] : first;
}
