/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The session's share of pyrec's own records (format/payload.h). */
#ifndef PYREC_REPORT_SESSION_PAYLOAD_H
#define PYREC_REPORT_SESSION_PAYLOAD_H

#include "common/cleanup.h"

struct intake_item;
struct session;

/** Take one type-65 record. Damage goes to session->error. Return: 0 or -ENOMEM. */
must_check int session_take_payload(struct session *session, const struct intake_item *item);

#endif
