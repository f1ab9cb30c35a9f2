/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/pipeline.h"

#include <errno.h>
#include <pthread.h>

#include "report/handoff.h"

/* Enough to keep both sides busy; fewer than a handoff holds, so that giving one back never waits.
 */
enum { BATCHES_NR = 4, BATCH_ITEMS_NR = 256, BATCH_SAMPLES_NR = 128 };

_Static_assert((int)BATCHES_NR < (int)HANDOFF_SLOTS_NR, "a batch can always be given back");

struct intake_batch {
	uint32_t nr;
	struct intake_item items[BATCH_ITEMS_NR];
};

struct shown_batch {
	uint32_t nr;
	struct sample_info samples[BATCH_SAMPLES_NR];
	size_t first_frames[BATCH_SAMPLES_NR]; /* of each sample, in frames */
	struct stack_frames frames;
};

struct pipeline {
	struct session *session;
	struct intake *intake;
	struct output *output;
	pipeline_show_fn show;

	pthread_t reader;
	struct handoff read; /* batches that are full */
	struct handoff unread;
	int read_status;	    /* the reader's */
	struct intake_batch *taken; /* in work; NULL: none */
	uint32_t taken_at;

	pthread_t shower;
	struct handoff shown; /* to be shown */
	struct handoff unshown;
	int show_status;	     /* the shower's */
	struct shown_batch *filling; /* NULL: none */

	struct intake_batch intake_batches[BATCHES_NR];
	struct shown_batch shown_batches[BATCHES_NR];
};

/* -- the reading thread -- */

static int batch_fill(struct pipeline *pipeline, struct intake_batch *batch)
{
	int ret = 1;

	batch->nr = 0;
	while (batch->nr < BATCH_ITEMS_NR && ret > 0) {
		ret = intake_next(pipeline->intake, &batch->items[batch->nr]);
		if (ret > 0)
			batch->nr++;
	}
	return ret;
}

static void batch_release(struct intake_batch *batch, uint32_t at)
{
	for (; at < batch->nr; at++)
		intake_item_release(&batch->items[at]);
	batch->nr = 0;
}

static void *reader_run(void *context)
{
	struct pipeline *pipeline = context;
	struct intake_batch *batch;
	int ret = 1;

	while (ret > 0 && (batch = handoff_take(&pipeline->unread)) != NULL) {
		ret = batch_fill(pipeline, batch);
		if (!handoff_put(&pipeline->read, batch)) {
			batch_release(batch, 0);
			break;
		}
	}
	pipeline->read_status = ret < 0 ? ret : 0;
	handoff_close(&pipeline->read);
	return NULL;
}

/* -- the showing thread -- */

static int batch_show(struct pipeline *pipeline, const struct shown_batch *batch)
{
	int ret = 0;

	for (uint32_t i = 0; i < batch->nr && ret == 0 && !pipeline->output->out->error; i++) {
		struct sample_info info = batch->samples[i];

		info.frames = batch->frames.items + batch->first_frames[i];
		ret = pipeline->show(pipeline->session, pipeline->output, &info);
	}
	return ret;
}

static void *shower_run(void *context)
{
	struct pipeline *pipeline = context;
	struct shown_batch *batch;
	int ret = 0;

	while (ret == 0 && !pipeline->output->out->error &&
	       (batch = handoff_take(&pipeline->shown)) != NULL) {
		ret = batch_show(pipeline, batch);
		(void)handoff_put(&pipeline->unshown, batch);
	}
	pipeline->show_status = ret;
	handoff_close(&pipeline->shown);
	handoff_close(&pipeline->unshown);
	return NULL;
}

/* -- the calling thread -- */

static void pipeline_destroy(struct pipeline *pipeline)
{
	for (int i = 0; i < BATCHES_NR; i++)
		stack_frames_deinit(&pipeline->shown_batches[i].frames);
	handoff_deinit(&pipeline->read);
	handoff_deinit(&pipeline->unread);
	handoff_deinit(&pipeline->shown);
	handoff_deinit(&pipeline->unshown);
	free(pipeline);
}

static void pipeline_stop_reader(struct pipeline *pipeline)
{
	struct intake_batch *batch;

	handoff_close(&pipeline->unread);
	handoff_close(&pipeline->read);
	pthread_join(pipeline->reader, NULL);
	if (pipeline->taken)
		batch_release(pipeline->taken, pipeline->taken_at);
	while ((batch = handoff_take(&pipeline->read)) != NULL)
		batch_release(batch, 0);
}

int pipeline_start(struct session *session, struct intake *intake, struct output *output,
		   pipeline_show_fn show, struct pipeline **ret)
{
	struct pipeline *pipeline = calloc(1, sizeof(*pipeline));
	int error;

	if (!pipeline)
		return -ENOMEM;
	pipeline->session = session;
	pipeline->intake = intake;
	pipeline->output = output;
	pipeline->show = show;
	handoff_init(&pipeline->read);
	handoff_init(&pipeline->unread);
	handoff_init(&pipeline->shown);
	handoff_init(&pipeline->unshown);
	for (int i = 0; i < BATCHES_NR; i++) {
		(void)handoff_put(&pipeline->unread, &pipeline->intake_batches[i]);
		(void)handoff_put(&pipeline->unshown, &pipeline->shown_batches[i]);
	}
	error = -pthread_create(&pipeline->reader, NULL, reader_run, pipeline);
	if (!error) {
		error = -pthread_create(&pipeline->shower, NULL, shower_run, pipeline);
		if (error)
			pipeline_stop_reader(pipeline);
	}
	if (error) {
		pipeline_destroy(pipeline);
		return error;
	}
	*ret = pipeline;
	return 0;
}

int pipeline_next(struct pipeline *pipeline, struct intake_item *ret)
{
	while (!pipeline->taken || pipeline->taken_at == pipeline->taken->nr) {
		if (pipeline->taken)
			(void)handoff_put(&pipeline->unread, pipeline->taken);
		pipeline->taken_at = 0;
		pipeline->taken = handoff_take(&pipeline->read);
		if (!pipeline->taken)
			return 0; /* its status is told at the end */
	}
	*ret = pipeline->taken->items[pipeline->taken_at++];
	return 1;
}

/* Hand over the samples collected so far. */
static int pipeline_hand_over(struct pipeline *pipeline)
{
	struct shown_batch *batch = pipeline->filling;

	pipeline->filling = NULL;
	return !batch || handoff_put(&pipeline->shown, batch) ? 0 : -ECANCELED;
}

int pipeline_show(struct pipeline *pipeline, const struct sample_info *info)
{
	struct shown_batch *batch = pipeline->filling;
	int ret;

	if (!batch) {
		batch = handoff_take(&pipeline->unshown);
		if (!batch)
			return -ECANCELED;
		batch->nr = 0;
		batch->frames.nr = 0;
		pipeline->filling = batch;
	}
	ret = stack_frames_reserve(&batch->frames, batch->frames.nr + info->frames_nr);
	if (ret)
		return ret;
	memcpy(batch->frames.items + batch->frames.nr, info->frames,
	       info->frames_nr * sizeof(*info->frames));
	batch->samples[batch->nr] = *info;
	batch->first_frames[batch->nr++] = batch->frames.nr;
	batch->frames.nr += info->frames_nr;
	return batch->nr < BATCH_SAMPLES_NR ? 0 : pipeline_hand_over(pipeline);
}

int pipeline_finish(struct pipeline *pipeline)
{
	int ret;

	(void)pipeline_hand_over(pipeline);
	handoff_close(&pipeline->shown);
	pthread_join(pipeline->shower, NULL);
	pipeline_stop_reader(pipeline);
	ret = pipeline->read_status ? pipeline->read_status : pipeline->show_status;
	pipeline_destroy(pipeline);
	return ret;
}
