/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/escape.h"
#include "format/payload.h"
#include "format/payload_print.h"
#include "format/record_row.h"

static void path_print(FILE *out, const char *text)
{
	escape_print(out, text, strlen(text));
	fputc('\n', out);
}

/* ---- Rows ---- */

static void build_id_print(FILE *out, const struct record_mmap *mmap)
{
	fputs("  build_id ", out);
	for (uint8_t i = 0; i < mmap->build_id_nr; i++)
		fprintf(out, "%02x", mmap->build_id[i]);
	fputc('\n', out);
}

void record_mmap_print(FILE *out, const struct record *record,
		       const struct record_layout *layout __attribute__((unused)))
{
	const struct record_mmap *mmap = &record->mmap;

	fprintf(out, "  pid %" PRId32 " tid %" PRId32 "\n", (int32_t)mmap->pid, (int32_t)mmap->tid);
	fprintf(out, "  start 0x%" PRIx64 " bytes 0x%" PRIx64 " offset 0x%" PRIx64, mmap->start,
		mmap->bytes, mmap->file_offset);
	fprintf(out, " prot %c%c%c flags 0x%" PRIx32 "\n", mmap->prot & 1 ? 'r' : '-',
		mmap->prot & 2 ? 'w' : '-', mmap->prot & 4 ? 'x' : '-', mmap->flags);
	if (mmap->build_id_nr)
		build_id_print(out, mmap);
	else if (record->type == PERF_RECORD_MMAP2)
		fprintf(out, "  device %02" PRIx32 ":%02" PRIx32 " inode %" PRIu64 " %" PRIu64 "\n",
			mmap->device_major, mmap->device_minor, mmap->inode,
			mmap->inode_generation);
	fputs("  path ", out);
	path_print(out, mmap->path);
}

void record_comm_print(FILE *out, const struct record *record,
		       const struct record_layout *layout __attribute__((unused)))
{
	fprintf(out, "  pid %" PRIu32 " tid %" PRIu32 "%s\n  comm ", record->comm.pid,
		record->comm.tid, record->comm.is_exec ? " exec" : "");
	path_print(out, record->comm.comm);
}

void record_task_print(FILE *out, const struct record *record,
		       const struct record_layout *layout __attribute__((unused)))
{
	fprintf(out, "  pid %" PRIu32 " tid %" PRIu32 " parent %" PRIu32 " %" PRIu32 " time ",
		record->task.pid, record->task.tid, record->task.parent_pid,
		record->task.parent_tid);
	time_print(out, record->task.time_ns);
	fputc('\n', out);
}

void record_lost_print(FILE *out, const struct record *record,
		       const struct record_layout *layout __attribute__((unused)))
{
	fprintf(out, "  lost %" PRIu64 "\n", record->lost.lost_nr);
}

/* ---- Sample ---- */

static const char *context_name(uint64_t address)
{
	switch (address) {
	case PERF_CONTEXT_HV:
		return "hypervisor";
	case PERF_CONTEXT_KERNEL:
		return "kernel";
	case PERF_CONTEXT_USER:
		return "user";
	case PERF_CONTEXT_GUEST:
		return "guest";
	case PERF_CONTEXT_GUEST_KERNEL:
		return "guest kernel";
	case PERF_CONTEXT_GUEST_USER:
		return "guest user";
	}
	return NULL;
}

static void callchain_print(FILE *out, const struct record_sample *sample)
{
	fprintf(out, "  callchain %" PRIu64 "\n", sample->callchain_nr);
	for (uint64_t i = 0; i < sample->callchain_nr; i++) {
		const char *context = context_name(sample->callchain[i]);

		if (context)
			fprintf(out, "    %s:\n", context);
		else
			fprintf(out, "    0x%" PRIx64 "\n", sample->callchain[i]);
	}
}

static void raw_print(FILE *out, const struct record_sample *sample)
{
	struct py_stack stack;

	fprintf(out, "  raw %" PRIu32 " bytes\n", sample->raw_bytes);
	switch (py_stack_decode(sample->raw, sample->raw_bytes, &stack)) {
	case 0:
		py_stack_print(out, &stack);
		break;
	case -ENOENT:
		break;
	default:
		fputs("  damaged python stack\n", out);
	}
}

/* Indices of enum perf_event_x86_regs, arch/x86/include/uapi/asm/perf_regs.h */
static const char *register_name(unsigned int index)
{
	static const char *const names[] = {
	    "ax", "bx", "cx", "dx", "si", "di", "bp",  "sp",  "ip",  "flags", "cs",  "ss",
	    "ds", "es", "fs", "gs", "r8", "r9", "r10", "r11", "r12", "r13",   "r14", "r15",
	};

	return index < array_size(names) ? names[index] : "?";
}

static void regs_print(FILE *out, const struct record_sample *sample, uint64_t mask)
{
	size_t at = 0;

	fprintf(out, "  regs abi %" PRIu64, sample->regs_abi);
	for (unsigned int i = 0; sample->regs && i < 64; i++)
		if (mask >> i & 1)
			fprintf(out, " %s=0x%" PRIx64, register_name(i), sample->regs[at++]);
	fputc('\n', out);
}

void record_sample_print(FILE *out, const struct record *record, const struct record_layout *layout)
{
	const struct record_sample *sample = &record->sample;

	fprintf(out, "  pid %" PRIu32 " tid %" PRIu32 " cpu %" PRId32 " time ", sample->pid,
		sample->tid, (int32_t)sample->cpu);
	time_print(out, sample->time_ns);
	fprintf(out, " id %" PRIu64 " period %" PRIu64 " ip 0x%" PRIx64 "\n", sample->id,
		sample->period, sample->ip);
	if (layout->sample_type & PERF_SAMPLE_CALLCHAIN)
		callchain_print(out, sample);
	if (layout->sample_type & PERF_SAMPLE_RAW)
		raw_print(out, sample);
	if (layout->sample_type & PERF_SAMPLE_REGS_USER)
		regs_print(out, sample, layout->sample_regs_user);
	if (layout->sample_type & PERF_SAMPLE_STACK_USER)
		fprintf(out, "  stack %" PRIu64 " bytes\n", sample->stack_bytes);
}

/* ---- One record ---- */

static void envelope_print(FILE *out, const void *bytes, size_t nr)
{
	struct payload payload;
	const int ret = payload_decode((const uint8_t *)bytes + RECORD_HEADER_BYTES,
				       nr - RECORD_HEADER_BYTES, &payload);

	if (ret == 0) {
		fprintf(out, "  %s\n", payload_kind_name(payload.kind));
		payload_print(out, &payload);
	} else if (ret == -EBADMSG) {
		fputs("  damaged\n", out);
	} else {
		fprintf(out, payload.kind ? "  unknown kind %u\n" : "  not pyrec's\n",
			payload.kind);
	}
}

static void trailer_print(FILE *out, const struct record_id *id)
{
	fprintf(out, "  trailer pid %" PRId32 " tid %" PRId32 " cpu %" PRId32 " time ",
		(int32_t)id->pid, (int32_t)id->tid, (int32_t)id->cpu);
	time_print(out, id->time_ns);
	fprintf(out, " id %" PRIu64 "\n", id->id);
}

void record_print(FILE *out, const void *bytes, size_t nr, const struct record_layout *layout,
		  uint64_t file_offset)
{
	struct record record;
	const int ret = record_decode(bytes, nr, layout, &record);
	const struct record_row *row = record_row_find(record.type);

	fprintf(out, "0x%" PRIx64 " %s", file_offset, row ? row->name : "UNKNOWN");
	fprintf(out, " type %" PRIu32 " misc 0x%x size %zu\n", record.type, record.misc, nr);
	if (ret) {
		fputs("  damaged\n", out);
		return;
	}
	if (row && row->print)
		row->print(out, &record, layout);
	if (record.type == PAYLOAD_RECORD_TYPE)
		envelope_print(out, bytes, nr);
	if (record_trailer_bytes(record.type, layout))
		trailer_print(out, &record.id);
}
