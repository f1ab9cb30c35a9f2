/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/annotate_counts.h"

#include <errno.h>
#include <string.h>

#include "report/module.h"

/* A location's frame id, where it is not a place. */
enum { PLACE_OF_NO_INTEREST = ID_NONE - 1 };

enum { INSTRUCTION_BYTES_MAX = 15 }; /* of x86 */

int annotate_counts_init(struct annotate_counts *counts, const char *symbol,
			 const struct output_options *options)
{
	*counts = (struct annotate_counts){
	    .symbol = symbol, .dso = options->dso, .more_names = options->symbol};
	return filter_add(&counts->names, symbol);
}

void annotate_counts_deinit(struct annotate_counts *counts)
{
	filter_deinit(&counts->names);
	annotate_functions_deinit(&counts->functions);
	annotate_places_deinit(&counts->places);
	annotate_overlaps_deinit(&counts->overlaps);
	intern_deinit(&counts->function_keys);
	intern_deinit(&counts->place_keys);
	strbuf_deinit(&counts->key);
}

/* ---- Samples ---- */

/* The whole word first: names of C++ hold commas. */
static bool is_of_interest(const struct annotate_counts *counts, const struct location *location)
{
	const char *name = location->symbol;

	return location->has_symbol && location->kind != LOCATION_NOTE && !location->is_shim &&
	       (strcmp(counts->symbol, name) == 0 || filter_accepts(&counts->names, name)) &&
	       filter_accepts(counts->more_names, name) &&
	       filter_accepts_path(counts->dso, location->dso);
}

/* Equal bytes are one function. Files of one path but other contents are different ones. */
static void function_key_append(const struct location *location, struct strbuf *key)
{
	strbuf_append_u8(key, (uint8_t)location->kind);
	strbuf_append_string(key, location->dso, strlen(location->dso));
	if (location->kind == LOCATION_NATIVE) {
		uint8_t build_id_nr;
		const uint8_t *build_id = module_build_id(location->module, &build_id_nr);

		strbuf_append(key, build_id, build_id_nr);
		if (!build_id_nr)
			strbuf_append_u64(key, (uintptr_t)location->module);
		strbuf_append_u64(key, location->vaddr - location->symbol_offset);
	}
	strbuf_append_text(key, location->symbol);
	if (location->kind == LOCATION_PYTHON)
		strbuf_append_u32(key, (uint32_t)location->first_line);
}

static int find_function(struct annotate_counts *counts, const struct location *location,
			 uint32_t *ret)
{
	const struct annotate_function function = {.location = location, .last_line = LINE_NONE};
	int error;

	strbuf_reset(&counts->key);
	function_key_append(location, &counts->key);
	if (counts->key.error)
		return counts->key.error;
	error = intern_bytes(&counts->function_keys, strbuf_text(&counts->key), counts->key.nr,
			     ret);
	if (error == 0 && *ret == counts->functions.nr)
		error = annotate_functions_append(&counts->functions, function);
	return error;
}

static int64_t place_at(const struct location *location)
{
	switch (location->kind) {
	case LOCATION_PYTHON:
		return location->position.line;
	case LOCATION_NATIVE:
		return (int64_t)location->vaddr;
	default:
		return (int64_t)location->symbol_offset;
	}
}

/* Once for each location. */
static int find_place(struct annotate_counts *counts, const struct location *location,
		      uint32_t *ret_id)
{
	struct annotate_place place = {.at = place_at(location)};
	uint32_t id;
	int ret;

	*ret_id = PLACE_OF_NO_INTEREST;
	if (!is_of_interest(counts, location))
		return 0;
	ret = find_function(counts, location, &place.function);
	if (ret)
		return ret;
	strbuf_reset(&counts->key);
	strbuf_append_u32(&counts->key, place.function);
	strbuf_append_u64(&counts->key, (uint64_t)place.at);
	if (counts->key.error)
		return counts->key.error;
	ret = intern_bytes(&counts->place_keys, strbuf_text(&counts->key), counts->key.nr, &id);
	if (ret == 0 && id == counts->places.nr)
		ret = annotate_places_append(&counts->places, place);
	if (ret == 0)
		*ret_id = id;
	return ret;
}

/* A function that recurs in a stack is one of that sample all the same. */
static void weight_add(struct annotate_weight *weight, uint64_t sample, struct profile_weight by,
		       bool is_leaf)
{
	if (weight->last_sample != sample)
		profile_weight_add(&weight->total, by);
	weight->last_sample = sample;
	if (is_leaf)
		profile_weight_add(&weight->self, by);
}

/* @place is a caller's, met for the first time in this sample, whose leaf is at @leaf. */
static int overlap_add(struct annotate_counts *counts, const struct annotate_place *leaf,
		       const struct annotate_place *place, struct profile_weight by)
{
	const struct annotate_overlap overlap = {.function = place->function,
						 .begin = (uint64_t)leaf->at,
						 .return_ = (uint64_t)place->at,
						 .weight = by};

	if (place->function != leaf->function || place->at <= leaf->at ||
	    place->at - leaf->at >= INSTRUCTION_BYTES_MAX)
		return 0;
	for (size_t i = 0; i < counts->overlaps.nr; i++) {
		struct annotate_overlap *known = &counts->overlaps.items[i];

		if (known->function == overlap.function && known->begin == overlap.begin &&
		    known->return_ == overlap.return_) {
			profile_weight_add(&known->weight, by);
			return 0;
		}
	}
	return annotate_overlaps_append(&counts->overlaps, overlap);
}

/* Count one frame of the sample. @leaf: the innermost frame's place; ID_NONE: of no interest. */
static int frame_add(struct annotate_counts *counts, uint32_t id, uint32_t leaf, bool is_leaf,
		     struct profile_weight by)
{
	struct annotate_place *place = &counts->places.items[id];
	const bool is_new = place->weight.last_sample != counts->samples_nr;
	const struct annotate_function *function = &counts->functions.items[place->function];
	int ret = 0;

	if (is_new && leaf != ID_NONE && leaf != id && function->location->kind == LOCATION_NATIVE)
		ret = overlap_add(counts, &counts->places.items[leaf], place, by);
	weight_add(&place->weight, counts->samples_nr, by, is_leaf);
	weight_add(&counts->functions.items[place->function].weight, counts->samples_nr, by,
		   is_leaf);
	return ret;
}

/* With --show-eval the loop that runs the innermost Python frames stands below them, and is what
 * the processor executes. */
static bool frame_is_leaf(const struct location *location, size_t index, bool only_python_before)
{
	return index == 0 || (only_python_before && location->role == ROLE_EVAL);
}

int annotate_counts_add(struct annotate_counts *counts, const struct location_table *locations,
			const struct sample_info *sample)
{
	const struct profile_weight by = {.samples_nr = 1, .period = sample->period};
	bool only_python_before = true;
	uint32_t leaf = ID_NONE;
	int ret = 0;

	counts->samples_nr++;
	profile_weight_add(&counts->all, by);
	for (size_t i = 0; i < sample->frames_nr && ret == 0; i++) {
		const uint32_t location_id = sample->frames[i].location;
		const struct location *location = location_get(locations, location_id);
		uint32_t *place = location_frame_id(locations, location_id);
		const bool is_leaf = frame_is_leaf(location, i, only_python_before);

		only_python_before &= location->kind == LOCATION_PYTHON;
		if (*place == ID_NONE)
			ret = find_place(counts, location, place);
		if (ret || *place == PLACE_OF_NO_INTEREST)
			continue;
		if (is_leaf)
			leaf = *place;
		ret = frame_add(counts, *place, leaf, is_leaf, by);
	}
	return ret;
}

int annotate_counts_find_ends(struct annotate_counts *counts,
			      const struct location_table *locations)
{
	int ret = 0;

	for (uint32_t i = 0; i < locations->nr && ret == 0; i++) {
		const struct location *location = location_get(locations, i);
		const uint32_t place = *location_frame_id(locations, i);
		struct annotate_function *function;
		struct code *code;
		int32_t last_line;

		if (location->kind != LOCATION_PYTHON || place >= PLACE_OF_NO_INTEREST)
			continue;
		function = &counts->functions.items[counts->places.items[place].function];
		code = code_table_find(locations->codes, location->code_id);
		ret = code ? code_last_line(code, &last_line) : 0;
		if (code && ret == 0 && last_line > function->last_line)
			function->last_line = last_line;
	}
	return ret;
}

/* ---- What was counted ---- */

static int compare_places(const void *a, const void *b)
{
	const struct annotate_place *left = a;
	const struct annotate_place *right = b;

	if (left->function != right->function)
		return left->function < right->function ? -1 : 1;
	return left->at < right->at ? -1 : left->at > right->at;
}

void annotate_counts_sort(struct annotate_counts *counts)
{
	struct annotate_places *places = &counts->places;

	if (places->nr)
		qsort(places->items, places->nr, sizeof(*places->items), compare_places);
	for (uint32_t i = 0; i < places->nr; i++) {
		struct annotate_function *function =
		    &counts->functions.items[places->items[i].function];

		if (function->places_nr++ == 0)
			function->first_place = i;
	}
}

/* The first place of @function at @at or behind it, as an index of all places. */
static size_t first_place_from(const struct annotate_counts *counts,
			       const struct annotate_function *function, uint64_t at)
{
	size_t low = function->first_place;
	size_t high = low + function->places_nr;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if ((uint64_t)counts->places.items[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void annotate_counts_sum(const struct annotate_counts *counts, uint32_t function, uint64_t begin,
			 uint64_t end, struct annotate_weight *ret)
{
	const struct annotate_function *of = &counts->functions.items[function];
	const size_t places_end = of->first_place + of->places_nr;

	*ret = (struct annotate_weight){0};
	for (size_t i = first_place_from(counts, of, begin); i < places_end; i++) {
		const struct annotate_place *place = &counts->places.items[i];

		if ((uint64_t)place->at >= end)
			break;
		profile_weight_add(&ret->self, place->weight.self);
		profile_weight_add(&ret->total, place->weight.total);
	}
	for (size_t i = 0; i < counts->overlaps.nr && ret->total.samples_nr; i++) {
		const struct annotate_overlap *overlap = &counts->overlaps.items[i];

		if (overlap->function != function || overlap->begin < begin ||
		    overlap->return_ >= end)
			continue;
		ret->total.samples_nr -= overlap->weight.samples_nr;
		ret->total.period -= overlap->weight.period;
	}
}

struct function_order {
	const struct annotate_counts *counts;
	bool children;
};

/* Then by name and file, so that the order never is chance. */
static int compare_functions(const void *a, const void *b, void *context)
{
	const struct function_order *order = context;
	const struct annotate_function *functions = order->counts->functions.items;
	const struct annotate_function *left = &functions[*(const uint32_t *)a];
	const struct annotate_function *right = &functions[*(const uint32_t *)b];
	const struct profile_weight *all = &order->counts->all;
	const double left_share = profile_weight_percent(
	    annotate_weight_of(&left->weight, order->children), all);
	const double right_share = profile_weight_percent(
	    annotate_weight_of(&right->weight, order->children), all);
	int ret;

	if (left_share != right_share)
		return left_share < right_share ? 1 : -1;
	ret = strcmp(left->location->symbol, right->location->symbol);
	if (ret == 0)
		ret = strcmp(left->location->dso, right->location->dso);
	return ret ? ret : left->location->first_line - right->location->first_line;
}

static bool is_exact(const struct annotate_counts *counts, const struct annotate_function *function)
{
	return strcmp(function->location->symbol, counts->symbol) == 0;
}

static bool has_exact(const struct annotate_counts *counts)
{
	for (size_t i = 0; i < counts->functions.nr; i++)
		if (is_exact(counts, &counts->functions.items[i]))
			return true;
	return false;
}

int64_t annotate_counts_order(const struct annotate_counts *counts, bool children,
			      double percent_limit, uint32_t **ret)
{
	struct function_order order = {.counts = counts, .children = children};
	const bool wants_exact = has_exact(counts);
	size_t nr = 0;

	*ret = calloc(counts->functions.nr + 1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	for (uint32_t i = 0; i < counts->functions.nr; i++) {
		const struct annotate_function *function = &counts->functions.items[i];
		const struct profile_weight *weight = annotate_weight_of(&function->weight,
									 children);

		if (weight->samples_nr && (!wants_exact || is_exact(counts, function)) &&
		    profile_weight_percent(weight, &counts->all) >= percent_limit)
			(*ret)[nr++] = i;
	}
	qsort_r(*ret, nr, sizeof(**ret), compare_functions, &order);
	return (int64_t)nr;
}
