/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * libunwind's remote unwinder over recorded bytes, with accessors of our own: an oracle. The one
 * libunwind user. Not for untrusted files.
 */
#ifndef PYREC_TESTS_NATIVE_LIBUNWIND_WALK_H
#define PYREC_TESTS_NATIVE_LIBUNWIND_WALK_H

#include "common/cleanup.h"
#include "report/address_space.h"
#include "report/unwind_state.h"

struct libunwind_stepper;

must_check int libunwind_stepper_create(struct libunwind_stepper **ret);
void libunwind_stepper_destroy(struct libunwind_stepper *stepper);

/**
 * From the frame of @registers (rip and rsp known) to its caller. @is_return_address: rip stands
 * behind a call. Return: 0; -ENOENT: no FDE there; -EFAULT: it needs what was not recorded;
 * -ENOMEM.
 */
must_check int libunwind_step(struct libunwind_stepper *stepper, const struct address_space *space,
			      const struct stack_dump *dump, bool is_return_address,
			      struct unwind_registers *registers);

struct libunwind_frame {
	uint64_t pc;	      /* as unwound */
	bool has_personality; /* its CIE names a routine, by a pointer in the module's data */
};

/**
 * The whole stack by libunwind alone, its own guesses included: leaf first, at most @max.
 * @is_return_address: of the first frame. Return: their number or -errno.
 */
must_check int libunwind_walk(struct libunwind_stepper *stepper, const struct address_space *space,
			      const struct stack_dump *dump, bool is_return_address,
			      const struct unwind_registers *registers,
			      struct libunwind_frame *frames, unsigned int max);

#endif
