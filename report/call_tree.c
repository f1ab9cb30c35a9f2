/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/call_tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/vec.h"

/* One node of the profile that a place in the printed tree stands for, with its share. */
struct tree_item {
	uint32_t frame;
	uint32_t node;
	struct profile_weight weight;
};

VEC_DEFINE(tree_items, struct tree_item)

/* Items of one frame, as a range of their sorted vector. */
struct tree_branch {
	size_t first;
	size_t nr;
	struct profile_weight weight;
};

VEC_DEFINE(tree_branches, struct tree_branch)

struct call_tree {
	struct out_stream *out;
	const struct histogram *histogram;
	bool by_line;
	struct strbuf prefix; /* of every line at this place of the tree */
	struct strbuf line;   /* scratch */
};

static const struct profile_node *tree_node(const struct call_tree *tree, uint32_t id)
{
	return &tree->histogram->tally->profile.nodes[id];
}

static int tree_items_put(const struct call_tree *tree, struct tree_items *items, uint32_t node,
			  struct profile_weight weight)
{
	return tree_items_append(items, (struct tree_item){.frame = tree_node(tree, node)->frame,
							   .node = node,
							   .weight = weight});
}

/* The items one step further: all children, or the parent that is no group's root. */
static int tree_expand(const struct call_tree *tree, const struct tree_item *from, size_t nr,
		       struct tree_items *to)
{
	const struct histogram *histogram = tree->histogram;
	const struct profile_links *links = &histogram->links;
	int ret = 0;

	for (size_t i = 0; i < nr && ret == 0; i++) {
		uint32_t parent = tree_node(tree, from[i].node)->parent;

		if (histogram->options->tree == TREE_CALLEE) {
			if (parent != ID_NONE && tree_node(tree, parent)->parent != ID_NONE)
				ret = tree_items_put(tree, to, parent, from[i].weight);
			continue;
		}
		for (uint32_t child = links->first_child[from[i].node];
		     child != ID_NONE && ret == 0; child = links->next_sibling[child])
			ret = tree_items_put(tree, to, child, histogram->totals[child]);
	}
	return ret;
}

static int compare_items(const void *left, const void *right)
{
	const struct tree_item *a = left;
	const struct tree_item *b = right;

	if (a->frame != b->frame)
		return a->frame < b->frame ? -1 : 1;
	return a->node < b->node ? -1 : a->node > b->node;
}

static const char *tree_key(const struct call_tree *tree, const struct tree_items *items,
			    const struct tree_branch *branch)
{
	uint32_t frame = items->items[branch->first].frame;

	return tree->histogram->tally->frame_keys.items[frame].text;
}

struct branch_order {
	const struct call_tree *tree;
	const struct tree_items *items;
};

static int compare_branches(const void *left, const void *right, void *context)
{
	const struct branch_order *order = context;
	const struct tree_branch *a = left;
	const struct tree_branch *b = right;
	int by_name;

	if (a->weight.period != b->weight.period)
		return a->weight.period > b->weight.period ? -1 : 1;
	if (a->weight.samples_nr != b->weight.samples_nr)
		return a->weight.samples_nr > b->weight.samples_nr ? -1 : 1;
	/* Keys hold NULs; items are sorted by frame, which is the order of first sight. */
	by_name = strcmp(tree_key(order->tree, order->items, a),
			 tree_key(order->tree, order->items, b));
	return by_name ? by_name : a->first < b->first ? -1 : 1;
}

/* Branches of sorted items that are heavy enough, heaviest first. */
static int tree_split(const struct call_tree *tree, struct tree_items *items,
		      struct tree_branches *branches)
{
	struct branch_order order = {.tree = tree, .items = items};
	double limit = tree->histogram->options->tree_percent_limit;
	int ret = 0;

	if (items->nr)
		qsort(items->items, items->nr, sizeof(*items->items), compare_items);
	for (size_t i = 0; i < items->nr && ret == 0;) {
		struct tree_branch branch = {.first = i};

		for (; i < items->nr && items->items[i].frame == items->items[branch.first].frame;
		     i++) {
			profile_weight_add(&branch.weight, items->items[i].weight);
			branch.nr++;
		}
		if (histogram_percent(tree->histogram, &branch.weight) >= limit)
			ret = tree_branches_append(branches, branch);
	}
	if (branches->nr)
		qsort_r(branches->items, branches->nr, sizeof(*branches->items), compare_branches,
			&order);
	return ret;
}

static void tree_print_name(struct call_tree *tree, uint32_t frame)
{
	const struct location *location = tally_location(tree->histogram->tally, frame);

	out_format(tree->out, "%s %s%s", location_mark(location->kind), location->symbol,
		   location_inlined_mark(location));
	if (tree->by_line) {
		strbuf_reset(&tree->line);
		location_append_source(location, tree->histogram->options->columns, &tree->line);
		out_format(tree->out, "%s%s", tree->line.nr ? " " : "", strbuf_text(&tree->line));
	}
	out_char(tree->out, '\n');
}

static int tree_print(struct call_tree *tree, const struct tree_item *from, size_t nr,
		      const struct profile_weight *weight);

static int tree_print_branch(struct call_tree *tree, const struct tree_items *items,
			     const struct tree_branch *branch, bool is_last)
{
	size_t prefix_nr = tree->prefix.nr;
	char label[24];
	int ret;

	snprintf(label, sizeof(label), "--%.2f%%--",
		 histogram_percent(tree->histogram, &branch->weight));
	out_format(tree->out, "%s|\n%s%c%s", strbuf_text(&tree->prefix), strbuf_text(&tree->prefix),
		   is_last ? ' ' : '|', label);
	tree_print_name(tree, items->items[branch->first].frame);
	strbuf_append_format(&tree->prefix, "%c%*s", is_last ? ' ' : '|', (int)strlen(label), "");
	if (tree->prefix.error)
		return tree->prefix.error;
	ret = tree_print(tree, items->items + branch->first, branch->nr, &branch->weight);
	tree->prefix.nr = prefix_nr;
	tree->prefix.bytes[prefix_nr] = '\0';
	return ret;
}

static bool weights_equal(const struct profile_weight *a, const struct profile_weight *b)
{
	return a->samples_nr == b->samples_nr && a->period == b->period;
}

/* What follows items whose names are printed: a straight line as long as it bears all weight. */
static int tree_print(struct call_tree *tree, const struct tree_item *from, size_t nr,
		      const struct profile_weight *weight)
{
	struct tree_items items = {0};
	struct tree_branches branches = {0};
	int ret = tree_expand(tree, from, nr, &items);

	while (ret == 0) {
		struct tree_items next = {0};

		branches.nr = 0;
		ret = tree_split(tree, &items, &branches);
		if (ret || branches.nr != 1 || !weights_equal(&branches.items[0].weight, weight))
			break;
		out_text(tree->out, strbuf_text(&tree->prefix));
		tree_print_name(tree, items.items[branches.items[0].first].frame);
		ret = tree_expand(tree, items.items + branches.items[0].first, branches.items[0].nr,
				  &next);
		tree_items_deinit(&items);
		items = next;
	}
	for (size_t i = 0; i < branches.nr && ret == 0 && !tree->out->error; i++)
		ret = tree_print_branch(tree, &items, &branches.items[i], i + 1 == branches.nr);
	tree_items_deinit(&items);
	tree_branches_deinit(&branches);
	return ret;
}

/* Where the row begins: its topmost nodes downwards, its leafmost ones upwards. */
static int tree_begin(const struct call_tree *tree, const struct histogram_row *row,
		      struct tree_items *items)
{
	const struct histogram *histogram = tree->histogram;
	const struct output_options *options = histogram->options;
	int ret = 0;

	for (uint32_t i = 0; i < row->nodes_nr && ret == 0; i++) {
		uint32_t node = histogram->row_nodes[row->first_node + i];
		struct profile_weight weight = histogram->leafmost[node];

		if (!options->children)
			weight = tree_node(tree, node)->self;
		else if (options->tree == TREE_CALLER)
			weight = histogram->is_topmost[node] ? histogram->totals[node]
							     : (struct profile_weight){0};
		if (weight.samples_nr)
			ret = tree_items_put(tree, items, node, weight);
	}
	return ret;
}

static int tree_print_root(struct call_tree *tree, struct tree_items *items)
{
	struct tree_branches branches = {0};
	int ret = tree_split(tree, items, &branches);

	for (size_t i = 0; i < branches.nr && ret == 0; i++) {
		const struct tree_branch *branch = &branches.items[i];

		out_text(tree->out, "            |\n            ---");
		if (branches.nr > 1)
			out_format(tree->out, "%.2f%%--",
				   histogram_percent(tree->histogram, &branch->weight));
		tree_print_name(tree, items->items[branch->first].frame);
		ret = tree_print(tree, items->items + branch->first, branch->nr, &branch->weight);
	}
	if (branches.nr)
		out_char(tree->out, '\n');
	tree_branches_deinit(&branches);
	return ret;
}

int call_tree_print(struct out_stream *out, const struct histogram *histogram,
		    const struct histogram_row *row)
{
	struct call_tree tree = {.out = out,
				 .histogram = histogram,
				 .by_line = output_sorts_by(histogram->options, SORT_SRCLINE)};
	struct tree_items items = {0};
	int ret = tree_begin(&tree, row, &items);

	strbuf_append_format(&tree.prefix, "%15s", "");
	if (ret == 0)
		ret = tree.prefix.error;
	if (ret == 0)
		ret = tree_print_root(&tree, &items);
	if (ret == 0)
		ret = tree.line.error;
	tree_items_deinit(&items);
	strbuf_deinit(&tree.prefix);
	strbuf_deinit(&tree.line);
	return ret;
}
