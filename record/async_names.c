/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/async_names.h"

#include "record/code_reader.h"

void async_names_deinit(struct async_names *names)
{
	intern_deinit(&names->texts);
	strbuf_deinit(&names->key);
	*names = (struct async_names){0};
}

int async_names_get(struct async_names *names, struct output *output, const uint8_t *bytes,
		    uint32_t nr, uint32_t unit, bool is_cut, uint32_t *ret)
{
	struct payload payload = {.kind = PAYLOAD_ASYNC_TASK};
	uint32_t index;
	int error;

	if (names->texts.nr == ASYNC_NAMES_MAX) {
		names->first_id += ASYNC_NAMES_MAX;
		intern_deinit(&names->texts);
	}
	strbuf_reset(&names->key);
	strbuf_append_char(&names->key, is_cut);
	text_append_utf8(&names->key, bytes, nr, unit);
	if (names->key.error)
		return names->key.error;
	if (intern_find(&names->texts, names->key.bytes, names->key.nr, &index)) {
		*ret = names->first_id + index;
		return 0;
	}
	error = intern_bytes(&names->texts, names->key.bytes, names->key.nr, &index);
	if (error)
		return error;
	*ret = names->first_id + index;
	payload.async_task = (struct payload_async_task){
	    .id = *ret,
	    .flags = is_cut ? ASYNC_TASK_NAME_CUT : 0,
	    .name = names->key.bytes + 1,
	    .name_nr = (uint32_t)names->key.nr - 1,
	};
	return output_payload(output, &payload, NULL);
}
