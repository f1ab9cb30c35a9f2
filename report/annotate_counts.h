/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Samples counted by where in a function they are: the lines of Python functions, the addresses of
 * machine code. Only functions of interest are counted: those whose name a word of the command line
 * means.
 */
#ifndef PYREC_REPORT_ANNOTATE_COUNTS_H
#define PYREC_REPORT_ANNOTATE_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/intern.h"
#include "common/vec.h"
#include "report/filter.h"
#include "report/location.h"
#include "report/output.h"
#include "report/profile.h"

/* What samples in one function, or at one place of it, weigh. */
struct annotate_weight {
	struct profile_weight self;  /* it is the innermost frame */
	struct profile_weight total; /* it is any frame; each sample once */
	uint64_t last_sample;	     /* its serial number, from 1 */
};

struct annotate_place {
	uint32_t function;
	int64_t at; /* Python: line; native: address in the file; kernel: offset in the function */
	struct annotate_weight weight;
};

struct annotate_function {
	const struct location *location; /* one in it; borrowed from its session */
	int32_t last_line;		 /* Python: LINE_NONE: not known */
	struct annotate_weight weight;
	/* In places, in their order; once sorted. */
	uint32_t first_place;
	uint32_t places_nr;
};

/*
 * Samples that are at the begin of an instruction and also below it, returning to what comes after
 * it: the places are two, the instruction is one.
 */
struct annotate_overlap {
	uint32_t function;
	uint64_t begin;	  /* the first place */
	uint64_t return_; /* the second one, the last byte of a call */
	struct profile_weight weight;
};

VEC_DEFINE(annotate_places, struct annotate_place)
VEC_DEFINE(annotate_overlaps, struct annotate_overlap)
VEC_DEFINE(annotate_functions, struct annotate_function)

struct annotate_counts {
	const char *symbol;		 /* borrowed, like dso */
	struct filter names;		 /* symbol as a list of patterns */
	const struct filter *dso;	 /* files of functions */
	const struct filter *more_names; /* functions must be of these, too */
	struct annotate_functions functions;
	struct annotate_places places;
	struct annotate_overlaps overlaps;
	struct intern function_keys; /* ids: functions */
	struct intern place_keys;    /* ids: places */
	uint64_t samples_nr;
	struct profile_weight all;
	struct strbuf key; /* scratch */
};

/** Functions that @options ask for and @symbol means. Return: 0 or -ENOMEM; to be deinited. */
must_check int annotate_counts_init(struct annotate_counts *counts, const char *symbol,
				    const struct output_options *options);
void annotate_counts_deinit(struct annotate_counts *counts);

/**
 * Count @sample, whose frames are of @locations; both the table and its texts are borrowed for the
 * counts' life. Samples of several recordings may go into one. Return: 0 or -ENOMEM.
 */
must_check int annotate_counts_add(struct annotate_counts *counts,
				   const struct location_table *locations,
				   const struct sample_info *sample);

/** Learn where the Python functions end, from a session whose samples were all added. */
must_check int annotate_counts_find_ends(struct annotate_counts *counts,
					 const struct location_table *locations);

/** Give each function its places, after all else was added. */
void annotate_counts_sort(struct annotate_counts *counts);

/**
 * Functions to show, heaviest first (with what they call where @children): those that are called
 * exactly as the word says, else all that its patterns let through; none that has no
 * samples or less than @percent_limit of all. @ret: ids, the caller frees them.
 * Return: their number or -ENOMEM.
 */
must_check int64_t annotate_counts_order(const struct annotate_counts *counts, bool children,
					 double percent_limit, uint32_t **ret);

/** The samples of all places of native @function from @begin up to @end, each once. */
void annotate_counts_sum(const struct annotate_counts *counts, uint32_t function, uint64_t begin,
			 uint64_t end, struct annotate_weight *ret);

/** What is counted: with what it calls, or by itself. */
static inline const struct profile_weight *annotate_weight_of(const struct annotate_weight *weight,
							      bool children)
{
	return children ? &weight->total : &weight->self;
}

#endif
