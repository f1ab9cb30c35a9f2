/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/histogram.h"

#include <errno.h>
#include <string.h>

#include "common/hash.h"
#include "common/vec.h"

static const char *path_last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* Mapped files by their short name, as perf report has them; sources by path: names repeat. */
static void append_dso(struct strbuf *text, const struct location *location)
{
	if (location->kind == LOCATION_NOTE)
		strbuf_append_char(text, '-');
	else if (location->kind == LOCATION_PYTHON || location->dso[0] != '/')
		strbuf_append_text(text, location->dso);
	else
		strbuf_append_text(text, path_last_part(location->dso));
}

static void append_srcline(struct strbuf *text, const struct location *location, bool with_columns)
{
	if (location->kind == LOCATION_PYTHON || location->source_file)
		location_append_source(location, with_columns, text);
	else if (location->kind == LOCATION_NATIVE && !location->has_symbol)
		append_dso(text, location);
	else
		strbuf_append_text(text, location->symbol);
}

static const char *kind_name(enum location_kind kind)
{
	switch (kind) {
	case LOCATION_PYTHON:
		return "python";
	case LOCATION_NATIVE:
		return "native";
	case LOCATION_KERNEL:
		return "kernel";
	case LOCATION_NOTE:
		break;
	}
	return "-";
}

void histogram_append_column(const struct histogram *histogram, enum sort_key key,
			     uint32_t group_id, uint32_t frame, struct strbuf *text)
{
	const struct tally_group *group = &histogram->tally->groups.items[group_id];
	const struct location *location = tally_location(histogram->tally, frame);

	switch (key) {
	case SORT_HOST:
		strbuf_append_text(text, group->host);
		break;
	case SORT_COMM:
		strbuf_append_text(text, group->comm);
		break;
	case SORT_PID:
		strbuf_append_format(text, "%u", group->pid);
		break;
	case SORT_TID:
		strbuf_append_format(text, "%u", group->tid);
		break;
	case SORT_CGROUP:
		strbuf_append_text(text, group->cgroup);
		break;
	case SORT_CONTAINER:
		strbuf_append_text(text, group->container);
		break;
	case SORT_DSO:
		append_dso(text, location);
		break;
	case SORT_SYMBOL:
		strbuf_append_format(text, "%s %s%s", location_mark(location->kind),
				     location->symbol, location_inlined_mark(location));
		break;
	case SORT_SRCLINE:
		append_srcline(text, location, histogram->options->columns);
		break;
	case SORT_KIND:
		strbuf_append_text(text, kind_name(location->kind));
		break;
	case SORT_TASK:
		strbuf_append_text(text, group->task ? group->task : "-");
		break;
	case SORT_KEYS_NR:
		break;
	}
}

static bool row_accepts(const struct output_options *options, const struct location *location)
{
	return filter_accepts_path(options->dso, location->dso) &&
	       filter_accepts(options->symbol, location->symbol);
}

static int histogram_find_row(struct histogram *histogram, uint32_t group, uint32_t frame,
			      struct strbuf *key, uint32_t *ret)
{
	const struct output_options *options = histogram->options;
	const struct location *location = tally_location(histogram->tally, frame);
	int error;

	*ret = ID_NONE;
	if (!row_accepts(options, location))
		return 0;
	strbuf_reset(key);
	for (uint32_t i = 0; i < options->sort_nr; i++) {
		histogram_append_column(histogram, options->sort[i], group, frame, key);
		strbuf_append_char(key, '\0');
	}
	if (key->error)
		return key->error;
	error = intern_bytes(&histogram->row_keys, strbuf_text(key), key->nr, ret);
	if (error || *ret < histogram->rows_nr)
		return error;
	error = vec_grow((void **)&histogram->rows, &histogram->rows_capacity,
			 histogram->rows_nr + 1, sizeof(*histogram->rows));
	if (error)
		return error;
	histogram->rows[histogram->rows_nr++] = (struct histogram_row){.group = group,
								       .frame = frame};
	return 0;
}

/* Rows of (group, frame) pairs that were asked before. */
struct row_cache {
	struct id_index index; /* ids: of pairs */
	struct {
		uint32_t group, frame, row;
	} * pairs;
	size_t nr;
	size_t capacity;
	struct strbuf key;
	bool by_group; /* some column depends on the group */
};

static void row_cache_deinit(struct row_cache *cache)
{
	id_index_deinit(&cache->index);
	free(cache->pairs);
	strbuf_deinit(&cache->key);
}

static int row_cache_find(struct row_cache *cache, struct histogram *histogram, uint32_t group,
			  uint32_t frame, uint32_t *ret)
{
	uint32_t of_group = cache->by_group ? group : 0;
	uint32_t hash = (uint32_t)hash_mix64(((uint64_t)of_group << 32) | frame);
	int error;

	for (const struct id_slot *slot = id_index_first(&cache->index, hash); slot;
	     slot = id_index_next(&cache->index, slot))
		if (cache->pairs[slot->id].group == of_group &&
		    cache->pairs[slot->id].frame == frame) {
			*ret = cache->pairs[slot->id].row;
			return 0;
		}
	error = histogram_find_row(histogram, group, frame, &cache->key, ret);
	if (error == 0)
		error = vec_grow((void **)&cache->pairs, &cache->capacity, cache->nr + 1,
				 sizeof(*cache->pairs));
	if (error)
		return error;
	cache->pairs[cache->nr].group = of_group;
	cache->pairs[cache->nr].frame = frame;
	cache->pairs[cache->nr].row = *ret;
	return id_index_insert(&cache->index, hash, (uint32_t)cache->nr++);
}

static int histogram_assign_rows(struct histogram *histogram)
{
	const struct profile *profile = &histogram->tally->profile;
	const struct output_options *options = histogram->options;
	struct row_cache cache = {0};
	auto_free uint32_t *group_of = malloc((profile->nr + 1) * sizeof(*group_of));
	int ret = group_of ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < options->sort_nr; i++)
		cache.by_group |= options->sort[i] <= SORT_OF_GROUP_LAST;
	for (size_t i = 0; i < profile->nr && ret == 0; i++) {
		const struct profile_node *node = &profile->nodes[i];

		histogram->row_of_node[i] = ID_NONE;
		if (node->parent == ID_NONE) {
			group_of[i] = node->frame;
			profile_weight_add(&histogram->all, histogram->totals[i]);
			continue;
		}
		group_of[i] = group_of[node->parent];
		ret = row_cache_find(&cache, histogram, group_of[i], node->frame,
				     &histogram->row_of_node[i]);
	}
	row_cache_deinit(&cache);
	return ret;
}

/* Weights never go below zero: what is taken away was part of the sum. */
static void weight_subtract(struct profile_weight *from, const struct profile_weight *weight)
{
	from->samples_nr -= weight->samples_nr;
	from->period -= weight->period < from->period ? weight->period : from->period;
}

struct histogram_walk {
	struct histogram *histogram;
	uint32_t *innermost; /* by row: its leafmost node on the path; ID_NONE: none */
	uint32_t *above;     /* by node: innermost[] of its row before it */
};

static void histogram_enter(struct histogram_walk *walk, uint32_t node)
{
	struct histogram *histogram = walk->histogram;
	uint32_t row_id = histogram->row_of_node[node];
	struct histogram_row *row;
	uint32_t above;

	if (row_id == ID_NONE)
		return;
	row = &histogram->rows[row_id];
	above = walk->innermost[row_id];
	walk->above[node] = above;
	walk->innermost[row_id] = node;
	row->nodes_nr++;
	profile_weight_add(&row->self, histogram->tally->profile.nodes[node].self);
	histogram->leafmost[node] = histogram->totals[node];
	histogram->is_topmost[node] = above == ID_NONE;
	if (above == ID_NONE)
		profile_weight_add(&row->total, histogram->totals[node]);
	else
		weight_subtract(&histogram->leafmost[above], &histogram->totals[node]);
}

static void histogram_leave(struct histogram_walk *walk, uint32_t node)
{
	uint32_t row = walk->histogram->row_of_node[node];

	if (row != ID_NONE)
		walk->innermost[row] = walk->above[node];
}

/* Depth first over the tree without recursion: stacks are thousands of frames deep. */
static void histogram_walk_tree(struct histogram_walk *walk)
{
	const struct profile_links *links = &walk->histogram->links;
	const struct profile_node *nodes = walk->histogram->tally->profile.nodes;
	uint32_t node = links->first_root;

	while (node != ID_NONE) {
		histogram_enter(walk, node);
		if (links->first_child[node] != ID_NONE) {
			node = links->first_child[node];
			continue;
		}
		for (;;) {
			histogram_leave(walk, node);
			if (links->next_sibling[node] != ID_NONE) {
				node = links->next_sibling[node];
				break;
			}
			node = nodes[node].parent;
			if (node == ID_NONE)
				return;
		}
	}
}

static int histogram_weigh_rows(struct histogram *histogram)
{
	size_t nodes_nr = histogram->tally->profile.nr;
	auto_free uint32_t *innermost = malloc((histogram->rows_nr + 1) * sizeof(*innermost));
	auto_free uint32_t *above = malloc((nodes_nr + 1) * sizeof(*above));
	struct histogram_walk walk = {
	    .histogram = histogram, .innermost = innermost, .above = above};

	if (!innermost || !above)
		return -ENOMEM;
	for (size_t i = 0; i < histogram->rows_nr; i++)
		innermost[i] = ID_NONE;
	histogram_walk_tree(&walk);
	return 0;
}

static void histogram_list_nodes(struct histogram *histogram)
{
	uint32_t first = 0;

	for (size_t i = 0; i < histogram->rows_nr; i++) {
		histogram->rows[i].first_node = first;
		first += histogram->rows[i].nodes_nr;
		histogram->rows[i].nodes_nr = 0;
	}
	for (size_t i = 0; i < histogram->tally->profile.nr; i++) {
		uint32_t row_id = histogram->row_of_node[i];
		struct histogram_row *row;

		if (row_id == ID_NONE)
			continue;
		row = &histogram->rows[row_id];
		histogram->row_nodes[row->first_node + row->nodes_nr++] = (uint32_t)i;
	}
}

int histogram_init(struct histogram *histogram, const struct tally *tally,
		   const struct output_options *options)
{
	size_t nr = tally->profile.nr + 1;
	int ret;

	*histogram = (struct histogram){
	    .tally = tally,
	    .options = options,
	    .totals = profile_totals(&tally->profile),
	    .leafmost = calloc(nr, sizeof(*histogram->leafmost)),
	    .is_topmost = calloc(nr, sizeof(*histogram->is_topmost)),
	    .row_of_node = malloc(nr * sizeof(*histogram->row_of_node)),
	    .row_nodes = malloc(nr * sizeof(*histogram->row_nodes)),
	};
	if (!histogram->totals || !histogram->leafmost || !histogram->is_topmost ||
	    !histogram->row_of_node || !histogram->row_nodes)
		return -ENOMEM;
	ret = profile_links_init(&histogram->links, &tally->profile);
	if (ret == 0)
		ret = histogram_assign_rows(histogram);
	if (ret == 0)
		ret = histogram_weigh_rows(histogram);
	if (ret == 0)
		histogram_list_nodes(histogram);
	return ret;
}

void histogram_deinit(struct histogram *histogram)
{
	profile_links_deinit(&histogram->links);
	intern_deinit(&histogram->row_keys);
	free(histogram->totals);
	free(histogram->leafmost);
	free(histogram->is_topmost);
	free(histogram->row_of_node);
	free(histogram->row_nodes);
	free(histogram->rows);
	*histogram = (struct histogram){0};
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

static int compare_weights(const struct profile_weight *a, const struct profile_weight *b)
{
	int order = compare_u64(a->period, b->period);

	return order ? order : compare_u64(a->samples_nr, b->samples_nr);
}

static int compare_rows(const void *left, const void *right, void *context)
{
	const struct histogram *histogram = context;
	uint32_t ids[2] = {*(const uint32_t *)left, *(const uint32_t *)right};
	const struct histogram_row *a = &histogram->rows[ids[0]];
	const struct histogram_row *b = &histogram->rows[ids[1]];
	const struct intern_item *keys = histogram->row_keys.items;
	size_t nr = keys[ids[0]].nr < keys[ids[1]].nr ? keys[ids[0]].nr : keys[ids[1]].nr;
	int order = histogram->options->children ? compare_weights(&a->total, &b->total) : 0;

	if (order == 0)
		order = compare_weights(&a->self, &b->self);
	return order ? order : memcmp(keys[ids[0]].text, keys[ids[1]].text, nr);
}

int histogram_order(const struct histogram *histogram, uint32_t **ret)
{
	uint32_t *order = malloc((histogram->rows_nr + 1) * sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < histogram->rows_nr; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, histogram->rows_nr, sizeof(*order), compare_rows, (void *)histogram);
	*ret = order;
	return 0;
}

double histogram_percent(const struct histogram *histogram, const struct profile_weight *weight)
{
	return profile_weight_percent(weight, &histogram->all);
}
