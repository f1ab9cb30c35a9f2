/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Folded stacks, one line for each distinct one: "comm-pid;root;…;leaf count", as flame graph
 * programs read them. A frame without a symbol is its file's name in brackets.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "report/output.h"
#include "report/tally.h"

/* ';' parts frames. Control characters are escaped already. */
static void folded_append_name(struct strbuf *key, const char *name)
{
	for (; *name; name++)
		strbuf_append_char(key, *name == ';' ? ':' : *name);
}

static const char *folded_kind_suffix(const struct location *location)
{
	switch (location->kind) {
	case LOCATION_PYTHON:
		return "_[p]";
	case LOCATION_NATIVE:
		return location->is_inlined ? "_[i]" : "_[n]";
	case LOCATION_KERNEL:
		return "_[k]";
	case LOCATION_NOTE:
		break;
	}
	return "";
}

static void folded_frame_key(const struct output *output, const struct location *location,
			     struct strbuf *key)
{
	if (location->has_symbol) {
		folded_append_name(key, location->symbol);
	} else if (location->has_dso) {
		const char *slash = strrchr(location->dso, '/');

		strbuf_append_char(key, '[');
		folded_append_name(key, slash ? slash + 1 : location->dso);
		strbuf_append_char(key, ']');
	} else {
		folded_append_name(key, location->symbol);
	}
	if (output->options->annotate_kinds)
		strbuf_append_text(key, folded_kind_suffix(location));
}

/* Blanks as stackcollapse-perf.pl has them: some readers end the stack at the first one. */
static void folded_append_root(struct strbuf *key, const char *name)
{
	for (; *name; name++)
		strbuf_append_char(key, *name == ';' ? ':' : *name == ' ' ? '_' : *name);
}

static void folded_group_key(const struct output *output, const struct sample_info *sample,
			     struct strbuf *key)
{
	folded_append_root(key, sample->comm);
	if (!output->options->no_pid)
		strbuf_append_format(key, "-%u", sample->pid);
	if (output->options->show_task && sample->task) {
		strbuf_append_text(key, ";task::");
		folded_append_root(key, sample->task);
	}
}

struct folded_stack {
	const struct tally *tally;
	struct u32_vec path; /* nodes from the one printed to its root */
};

static int folded_print_node(const struct output *output, struct folded_stack *stack, uint32_t id)
{
	const struct tally *tally = stack->tally;
	const struct profile_node *nodes = tally->profile.nodes;
	const struct profile_weight *self = &nodes[id].self;
	int ret = 0;

	stack->path.nr = 0;
	for (uint32_t at = id; at != ID_NONE && ret == 0; at = nodes[at].parent)
		ret = u32_vec_append(&stack->path, at);
	if (ret)
		return ret;
	for (size_t i = stack->path.nr; i-- > 0;) {
		const struct profile_node *node = &nodes[stack->path.items[i]];

		if (node->parent == ID_NONE) {
			out_text(output->out, tally->group_keys.items[node->frame].text);
			continue;
		}
		out_char(output->out, ';');
		out_text(output->out, tally->frame_keys.items[node->frame].text);
	}
	out_format(output->out, " %llu\n",
		   (unsigned long long)(output->options->weigh_by_period ? self->period
									 : self->samples_nr));
	return 0;
}

/* What is told of the losses must not stand among the data: it goes to stderr, in cmd_report. */
static int folded_end(struct output *output, const struct tally *tally)
{
	struct folded_stack stack = {.tally = tally};
	int ret = 0;

	for (size_t i = 0; i < tally->profile.nr && ret == 0 && !output->out->error; i++)
		if (tally->profile.nodes[i].self.samples_nr)
			ret = folded_print_node(output, &stack, (uint32_t)i);
	u32_vec_deinit(&stack.path);
	return ret;
}

const struct output_ops output_folded = {
    .name = "folded",
    .frame_key = folded_frame_key,
    .group_key = folded_group_key,
    .end = folded_end,
};
