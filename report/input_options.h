/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The options of all commands that name samples: which recordings, which of their samples, with
 * what files and how many threads. A parser with these children hands its struct report_options on
 * in ARGP_KEY_INIT: state->child_inputs[0] = options.
 */
#ifndef PYREC_REPORT_INPUT_OPTIONS_H
#define PYREC_REPORT_INPUT_OPTIONS_H

#include <argp.h>

extern const struct argp_child input_option_children[];

#endif
