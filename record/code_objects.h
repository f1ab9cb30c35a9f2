/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which code object a sampled frame ran: (process, address, fingerprint) -> code id of the file.
 * Filled from the events that BPF sends at first sight; what BPF could not copy is read from
 * the process while it lives. The same code in many processes gets one id.
 */
#ifndef PYREC_RECORD_CODE_OBJECTS_H
#define PYREC_RECORD_CODE_OBJECTS_H

#include <linux/types.h>
#include <stdint.h>

#include "bpf/pyrec_bpf.h"
#include "common/cleanup.h"
#include "format/payload.h"
#include "record/layouts.h"

struct code_objects;

struct code_objects_options {
	/* Called with each new code object before its id is first used. Return: 0 or -errno. */
	int (*on_code)(void *context, const struct payload_code *code);
	void *context;
};

/* What reading a code object takes: the layout that BPF walks with and the version it is of. */
struct code_layout {
	struct pyrec_layout walk;
	struct method_layout methods;
	uint32_t version_hex;
};

must_check int code_objects_create(const struct code_objects_options *options,
				   struct code_objects **ret);
void code_objects_destroy(struct code_objects *objects);

/** A number for one incarnation of a process: the same for the same identity. Return: 0, -ENOMEM.
 */
must_check int code_objects_process(struct code_objects *objects,
				    const struct pyrec_identity *identity, uint32_t *ret);
/** Its frames will not come again: forget them at the next occasion. */
void code_objects_forget(struct code_objects *objects, uint32_t tgid);

/** An event from BPF with the bytes behind it. Return: 0, -EBADMSG, or on_code's error. */
must_check int code_objects_add(struct code_objects *objects, const struct pyrec_code *event,
				size_t nr, const struct code_layout *layout);

/**
 * Code id of a frame of process number @process. When no event told it (@layout not NULL), it is
 * read from the process now; when BPF could not read it, only what was told before and is still
 * there will do. Return: 0 with PY_FRAME_UNREADABLE when neither could, or on_code's
 * error.
 */
must_check int code_objects_get(struct code_objects *objects, uint32_t process, uint32_t tgid,
				const struct pyrec_frame *frame, const struct code_layout *layout,
				uint32_t *ret);

uint32_t code_objects_nr(const struct code_objects *objects);

#endif
