/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/sideband.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "record/privileges.h"

enum { PASSES_MAX = 16 };

struct sideband_ring {
	int fd; /* -1: the CPU is offline */
	struct perf_event_mmap_page *page;
	uint8_t *data;
	uint64_t head;	  /* of the pass in work */
	uint64_t next_ns; /* of the first record that was not visited; UINT64_MAX: none */
};

struct sideband {
	struct sideband_ring *rings;
	int rings_nr;
	size_t data_bytes; /* of each ring; a power of two */
	int epoll_fd;
	int64_t clock_shift_ns;
	uint64_t *record; /* one that wraps around the end is put together here: 64 KiB */
};

static const struct record_layout layout = {
    .sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU,
    .sample_id_all = true,
};

const struct record_layout *sideband_layout(void)
{
	return &layout;
}

static int sideband_open_event(int cpu)
{
	struct perf_event_attr attr = {
	    .type = PERF_TYPE_SOFTWARE,
	    .size = sizeof(attr),
	    .config = PERF_COUNT_SW_DUMMY,
	    .sample_type = layout.sample_type,
	    .sample_id_all = 1,
	    .mmap = 1,
	    .mmap2 = 1,
	    .comm = 1,
	    .comm_exec = 1,
	    .task = 1,
	    .watermark = 1,
	    .wakeup_watermark = 1,
	    .use_clockid = 1,
	    .clockid = CLOCK_MONOTONIC,
	};

	return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static int sideband_open_ring(struct sideband *sideband, struct sideband_ring *ring, int cpu)
{
	struct epoll_event interest = {.events = EPOLLIN};
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *mapped;

	ring->fd = sideband_open_event(cpu);
	if (ring->fd < 0 && errno == ENODEV)
		return 0;
	if (ring->fd < 0) {
		privileges_explain_event(-errno);
		return -errno;
	}
	mapped = mmap(NULL, page_bytes + sideband->data_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      ring->fd, 0);
	if (mapped == MAP_FAILED) {
		int error = -errno;

		privileges_explain_ring(error);
		return error;
	}
	ring->page = mapped;
	ring->data = (uint8_t *)mapped + page_bytes;
	return epoll_ctl(sideband->epoll_fd, EPOLL_CTL_ADD, ring->fd, &interest) ? -errno : 0;
}

int sideband_create(uint32_t ring_pages, int64_t clock_shift_ns, struct sideband **ret)
{
	struct sideband *sideband = calloc(1, sizeof(*sideband));
	int error = 0;

	if (!sideband)
		return -ENOMEM;
	sideband->clock_shift_ns = clock_shift_ns;
	sideband->data_bytes = ring_pages * (size_t)sysconf(_SC_PAGESIZE);
	sideband->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	sideband->rings_nr = get_nprocs_conf();
	sideband->rings = calloc((size_t)sideband->rings_nr, sizeof(*sideband->rings));
	sideband->record = malloc(UINT16_MAX + 1);
	if (!sideband->rings || !sideband->record || sideband->epoll_fd < 0)
		error = -ENOMEM;
	for (int cpu = 0; sideband->rings && cpu < sideband->rings_nr; cpu++)
		sideband->rings[cpu].fd = -1;
	for (int cpu = 0; !error && cpu < sideband->rings_nr; cpu++)
		error = sideband_open_ring(sideband, &sideband->rings[cpu], cpu);
	if (error) {
		sideband_destroy(sideband);
		return error;
	}
	*ret = sideband;
	return 0;
}

void sideband_destroy(struct sideband *sideband)
{
	if (!sideband)
		return;
	for (int cpu = 0; sideband->rings && cpu < sideband->rings_nr; cpu++) {
		struct sideband_ring *ring = &sideband->rings[cpu];

		if (ring->page)
			munmap(ring->page,
			       (size_t)(ring->data - (uint8_t *)ring->page) + sideband->data_bytes);
		if (ring->fd >= 0)
			close(ring->fd);
	}
	if (sideband->epoll_fd >= 0)
		close(sideband->epoll_fd);
	free(sideband->rings);
	free(sideband->record);
	free(sideband);
}

int sideband_fd(const struct sideband *sideband)
{
	return sideband->epoll_fd;
}

/* The record at ring position @at, unwrapped. */
static const struct perf_event_header *
sideband_record(const struct sideband *sideband, const struct sideband_ring *ring, uint64_t at)
{
	size_t from = at & (sideband->data_bytes - 1);
	const struct perf_event_header *header = (const void *)(ring->data + from);
	size_t first = sideband->data_bytes - from;
	struct perf_event_header *copy = (void *)sideband->record;

	/*
	 * We ask for no build ids: on a machine where any listener does, Linux (seen in 6.18) marks
	 * the records of all others as bearing one although they bear device and inode. That ends
	 * other people's perf record; and when another tool asks, the mark in ours is false.
	 */
	if (header->size <= first &&
	    !(header->type == PERF_RECORD_MMAP2 && header->misc & PERF_RECORD_MISC_MMAP_BUILD_ID))
		return header;
	if (first > header->size)
		first = header->size;
	memcpy(copy, header, first);
	memcpy((uint8_t *)copy + first, ring->data, copy->size - first);
	if (copy->type == PERF_RECORD_MMAP2)
		copy->misc &= (uint16_t)~PERF_RECORD_MISC_MMAP_BUILD_ID;
	return copy;
}

/* See what comes next in @ring; what cannot be read is due at once. */
static void sideband_peek(const struct sideband *sideband, struct sideband_ring *ring)
{
	const uint64_t tail = ring->page->data_tail;
	const struct perf_event_header *header;
	struct record record;

	ring->next_ns = UINT64_MAX;
	if (tail == ring->head)
		return;
	header = sideband_record(sideband, ring, tail);
	ring->next_ns = record_decode(header, header->size, &layout, &record) ? 0
									      : record.id.time_ns;
}

static struct sideband_ring *sideband_first(const struct sideband *sideband)
{
	struct sideband_ring *first = NULL;

	for (int cpu = 0; cpu < sideband->rings_nr; cpu++) {
		struct sideband_ring *ring = &sideband->rings[cpu];

		if (ring->page && ring->next_ns != UINT64_MAX &&
		    (!first || ring->next_ns < first->next_ns))
			first = ring;
	}
	return first;
}

static uint64_t sideband_now_ns(const struct sideband *sideband)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec -
	       (uint64_t)sideband->clock_shift_ns;
}

/*
 * Records up to the moment of the call. What led to one of them on another CPU (the fork before an
 * exec) was in that CPU's ring before this moment, so it is seen too, which cannot be said of
 * later ones. @is_left: there are later ones.
 */
static int sideband_pass(struct sideband *sideband, sideband_visit visit, void *context,
			 bool *is_left)
{
	const uint64_t until_ns = sideband_now_ns(sideband);
	struct sideband_ring *ring;
	int ret = 0;

	for (int cpu = 0; cpu < sideband->rings_nr; cpu++) {
		ring = &sideband->rings[cpu];
		if (!ring->page)
			continue;
		ring->head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
		sideband_peek(sideband, ring);
	}
	while ((ring = sideband_first(sideband)) != NULL && ring->next_ns <= until_ns && ret == 0) {
		const uint64_t tail = ring->page->data_tail;
		const struct perf_event_header *header = sideband_record(sideband, ring, tail);
		const uint16_t bytes = header->size;

		ret = visit(context, header);
		__atomic_store_n(&ring->page->data_tail, tail + bytes, __ATOMIC_RELEASE);
		sideband_peek(sideband, ring);
	}
	*is_left = ring != NULL;
	return ret;
}

int sideband_drain(struct sideband *sideband, sideband_visit visit, void *context)
{
	bool is_left = true;
	int ret = 0;

	/* Nothing would wake us for what is left; in a storm of records the next one does. */
	for (int pass = 0; ret == 0 && is_left && pass < PASSES_MAX; pass++)
		ret = sideband_pass(sideband, visit, context, &is_left);
	return ret;
}
