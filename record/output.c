/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/output.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* Room for a code object's three texts beside its line table in one record. */
enum {
	LINES_BYTES_PER_RECORD = 32768,
	CODE_FIXED_BYTES = 128, /* at the most, of a record of a code object beside its texts */
	TEXT_BYTES_SURE = 9000, /* each text has this room, whatever the others are */
};

static const struct record_layout layout = {
    .sample_type = PYREC_SAMPLE_TYPE,
    .sample_regs_user = PYREC_REGS_USER,
    .sample_id_all = true,
};

uint64_t output_now_ns(const struct output *output)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec -
	       (uint64_t)output->clock_shift_ns;
}

void output_init(struct output *output, struct perf_writer *writer, int64_t clock_shift_ns)
{
	*output = (struct output){.writer = writer, .clock_shift_ns = clock_shift_ns};
}

void output_deinit(struct output *output)
{
	strbuf_deinit(&output->bytes);
}

static int output_flush(struct output *output)
{
	int error = perf_writer_append(output->writer, output->bytes.bytes, output->bytes.nr);

	strbuf_reset(&output->bytes);
	if (error) {
		output->error = error;
		output->dropped_nr++;
	}
	return error;
}

/* A record that does not fit its format is dropped and counted; the recording goes on. */
static int output_encoded(struct output *output, int encode_error)
{
	if (encode_error == 0)
		return output_flush(output);
	strbuf_reset(&output->bytes);
	output->dropped_nr++;
	if (encode_error != -E2BIG)
		output->error = encode_error;
	return output->error;
}

int output_record(struct output *output, const struct record *record)
{
	if (output->error) {
		output->dropped_nr++;
		return output->error;
	}
	return output_encoded(output, record_encode(&output->bytes, &layout, record));
}

int output_payload(struct output *output, const struct payload *payload,
		   const struct py_frame *frames)
{
	if (output->error) {
		output->dropped_nr++;
		return output->error;
	}
	return output_encoded(output, payload_encode(&output->bytes, payload, frames));
}

/* A text takes from @room what it needs; one that no record could hold is cut and so marked. */
static void text_fit(uint32_t *nr, uint32_t *room, uint8_t *flags, uint8_t missing)
{
	const uint32_t more = *nr > TEXT_BYTES_SURE ? *nr - TEXT_BYTES_SURE : 0;

	if (more <= *room) {
		*room -= more;
	} else {
		*nr = TEXT_BYTES_SURE;
		*flags |= missing;
	}
}

/* What is shown of a code object comes first: the name that its version has, then the file. */
static void code_fit(struct payload_code *code)
{
	uint32_t room = PERF_RECORD_BYTES_MAX - CODE_FIXED_BYTES - 3 * TEXT_BYTES_SURE;

	text_fit(&code->qualname_nr, &room, &code->flags, CODE_QUALNAME_MISSING);
	if (code->flags & CODE_QUALNAME_MISSING)
		text_fit(&code->name_nr, &room, &code->flags, CODE_NAME_MISSING);
	text_fit(&code->file_nr, &room, &code->flags, CODE_FILE_MISSING);
	if (!(code->flags & CODE_QUALNAME_MISSING))
		text_fit(&code->name_nr, &room, &code->flags, CODE_NAME_MISSING);
	if (code->lines_nr > room)
		code->lines_nr = room;
}

int output_code(struct output *output, const struct payload_code *code)
{
	struct payload first = {.kind = PAYLOAD_CODE, .code = *code};
	int error;

	if (first.code.lines_nr > LINES_BYTES_PER_RECORD)
		first.code.lines_nr = LINES_BYTES_PER_RECORD;
	code_fit(&first.code);
	error = output_payload(output, &first, NULL);
	for (uint32_t at = first.code.lines_nr; !error && at < code->lines_nr;) {
		struct payload more = {.kind = PAYLOAD_CODE_LINES};
		uint32_t left = code->lines_nr - at;

		more.code_lines.code_id = code->code_id;
		more.code_lines.offset = at;
		more.code_lines.bytes = code->lines + at;
		more.code_lines.nr = left < LINES_BYTES_PER_RECORD ? left : LINES_BYTES_PER_RECORD;
		at += more.code_lines.nr;
		error = output_payload(output, &more, NULL);
	}
	return error;
}

int output_kernel_record(struct output *output, const struct perf_event_header *header)
{
	const uint64_t id = PERF_WRITER_EVENT_ID;

	if (output->error) {
		output->dropped_nr++;
		return output->error;
	}
	/* PERF_SAMPLE_IDENTIFIER is the last word of every trailer. The ring itself is read-only.
	 */
	strbuf_append(&output->bytes, header, header->size - sizeof(id));
	strbuf_append(&output->bytes, &id, sizeof(id));
	return output_encoded(output, output->bytes.error);
}

int output_finished_round(struct output *output)
{
	const struct record record = {.type = PERF_RECORD_FINISHED_ROUND_TYPE};

	return output_record(output, &record);
}
