/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The session's share of pyrec's own records (format/payload.h). */
#ifndef PYREC_REPORT_SESSION_PAYLOAD_H
#define PYREC_REPORT_SESSION_PAYLOAD_H

#include <stdint.h>

#include "common/cleanup.h"

struct raw_record;
struct session;

/**
 * Take one type-65 record. Damage goes to session->error. Return: 0; 1: it holds from @time_ns on
 * and has to wait its turn; -ENOMEM.
 */
must_check int session_take_payload(struct session *session, const struct raw_record *raw,
				    uint64_t *time_ns);

#endif
