/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/session_payload.h"

#include <errno.h>

#include "common/escape.h"
#include "report/session.h"

static const char *session_text(struct session *session, const char *text, uint32_t nr)
{
	auto_strbuf struct strbuf escaped = {0};

	escape_append(&escaped, text, nr);
	return escaped.error ? NULL : intern_text(&session->texts, strbuf_text(&escaped));
}

/* Distinct ones that a header tells of. */
enum { INTERPRETERS_MAX = 256 };

static int session_take_file_info(struct session *session, const struct payload_file_info *info)
{
	session->file_info = *info;
	session->file_info.pyrec_version = session_text(session, info->pyrec_version,
							info->pyrec_version_nr);
	session->has_file_info = session->file_info.pyrec_version != NULL;
	return session->has_file_info ? 0 : -ENOMEM;
}

static int session_take_interpreter(struct session *session,
				    const struct payload_interpreter *payload)
{
	struct session_interpreter interpreter = {
	    .version_hex = payload->version_hex,
	    .is_unsupported = payload->status != INTERPRETER_WALKED,
	    .path = session_text(session, payload->path, payload->path_nr),
	    .message = session_text(session, payload->message, payload->message_nr),
	    .name = session_text(session, payload->name, payload->name_nr),
	    .processes_nr = 1,
	};

	if (!interpreter.path || !interpreter.message || !interpreter.name)
		return -ENOMEM;
	/* Interned texts are equal when their pointers are. */
	for (size_t i = 0; i < session->interpreters.nr; i++) {
		struct session_interpreter *known = &session->interpreters.items[i];

		if (known->version_hex == interpreter.version_hex &&
		    known->path == interpreter.path && known->message == interpreter.message &&
		    known->name == interpreter.name &&
		    known->is_unsupported == interpreter.is_unsupported) {
			known->processes_nr++;
			return 0;
		}
	}
	if (session->interpreters.nr >= INTERPRETERS_MAX)
		return 0;
	return session_interpreters_append(&session->interpreters, interpreter);
}

static int session_apply_payload(struct session *session, const struct payload *payload)
{
	switch (payload->kind) {
	case PAYLOAD_FILE_INFO:
		return session_take_file_info(session, &payload->file_info);
	case PAYLOAD_CLOCK:
		session->clock = payload->clock;
		session->has_clock = true;
		return 0;
	case PAYLOAD_INTERPRETER:
		return session_take_interpreter(session, &payload->interpreter);
	case PAYLOAD_CODE:
		return code_table_add(&session->codes, &payload->code);
	case PAYLOAD_CODE_LINES:
		return code_table_add_lines(&session->codes, &payload->code_lines);
	case PAYLOAD_FRAMES:
		return 0; /* the intake ties them to their sample */
	case PAYLOAD_LOSSES:
		session->losses = payload->losses;
		session->has_losses = true;
		return 0;
	case PAYLOAD_TASK:
		return timeline_apply_task(&session->timeline, &payload->task);
	case PAYLOAD_ASYNC_TASK:
		return session->options->with_tasks
			   ? async_table_add(&session->tasks, &payload->async_task)
			   : 0;
	}
	return 0;
}

int session_take_payload(struct session *session, const struct intake_item *item)
{
	struct payload payload;
	int ret = payload_decode(item->header + 1, item->header->size - sizeof(*item->header),
				 &payload);

	if (ret == -ENOENT)
		return 0;
	if (ret == 0)
		ret = session_apply_payload(session, &payload);
	if (ret == -ENOMEM || ret == 0)
		return ret;
	session->counts.damaged_records_nr++;
	session_set_error(session, -EBADMSG, item->file_offset,
			  "one of pyrec's own records is damaged");
	return 0;
}
