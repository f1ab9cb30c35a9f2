/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/byte_source.h"

#include <errno.h>
#include <string.h>

int byte_source_init(struct byte_source *source, int fd, bool is_seekable, uint64_t offset,
		     uint64_t end)
{
	*source = (struct byte_source){
	    .fd = fd, .is_seekable = is_seekable, .offset = offset, .end = end};
	source->bytes = malloc(BYTE_SOURCE_WINDOW_BYTES);
	return source->bytes ? 0 : -ENOMEM;
}

void byte_source_deinit(struct byte_source *source)
{
	free(source->bytes);
	source->bytes = NULL;
}

/* Return: bytes read, 0 at the end, -errno. */
static ssize_t source_read(const struct byte_source *source, void *bytes, size_t nr,
			   uint64_t offset)
{
	ssize_t got;

	if (offset >= source->end)
		return 0;
	if (nr > source->end - offset)
		nr = source->end - offset;
	do {
		got = source->is_seekable ? pread(source->fd, bytes, nr, (off_t)offset)
					  : read(source->fd, bytes, nr);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

int byte_source_need(struct byte_source *source, size_t nr, size_t *available)
{
	size_t left = source->nr - source->at;

	if (left < nr) {
		memmove(source->bytes, source->bytes + source->at, left);
		source->at = 0;
		source->nr = left;
	}
	while (left < nr && left < BYTE_SOURCE_WINDOW_BYTES) {
		const ssize_t got = source_read(source, source->bytes + left,
						BYTE_SOURCE_WINDOW_BYTES - left,
						source->offset + left);

		if (got < 0)
			return (int)got;
		if (got == 0)
			break;
		left += (size_t)got;
		source->nr = left;
	}
	*available = left;
	return 0;
}

const uint8_t *byte_source_at(const struct byte_source *source)
{
	return source->bytes + source->at;
}

int byte_source_skip(struct byte_source *source, uint64_t nr)
{
	const size_t left = source->nr - source->at;
	size_t available;

	if (nr <= left) {
		source->at += nr;
		source->offset += nr;
		return 0;
	}
	source->at = source->nr;
	source->offset += left;
	nr -= left;
	if (source->is_seekable) {
		source->offset = nr < source->end - source->offset ? source->offset + nr
								   : source->end;
		return 0;
	}
	while (nr) {
		const int ret = byte_source_need(source, 1, &available);

		if (ret || !available)
			return ret;
		if (available > nr)
			available = nr;
		source->at += available;
		source->offset += available;
		nr -= available;
	}
	return 0;
}

int fd_read_at(int fd, void *bytes, size_t nr, uint64_t offset)
{
	uint8_t *at = bytes;

	while (nr) {
		const ssize_t got = pread(fd, at, nr, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -ENODATA;
		at += got;
		nr -= (size_t)got;
		offset += (uint64_t)got;
	}
	return 0;
}
