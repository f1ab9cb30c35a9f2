/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/perf_output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int perf_output_open(struct perf_output *output, const char *path)
{
	struct stat status;

	output->is_pipe = strcmp(path, "-") == 0;
	if (output->is_pipe) {
		output->fd = STDOUT_FILENO;
		return 0;
	}
	output->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (output->fd < 0 || fstat(output->fd, &status))
		return -errno;
	/* A device such as /dev/null keeps its mode. */
	if (S_ISREG(status.st_mode) && (fchmod(output->fd, 0600) || ftruncate(output->fd, 0)))
		return -errno;
	return 0;
}

void perf_output_close(struct perf_output *output)
{
	if (output->fd >= 0 && !output->is_pipe)
		close(output->fd);
	output->fd = -1;
}

static int output_write(const struct perf_output *output, const void *bytes, size_t nr,
			uint64_t offset)
{
	const uint8_t *at = bytes;

	while (nr) {
		const ssize_t written = output->is_pipe ? write(output->fd, at, nr)
							: pwrite(output->fd, at, nr, (off_t)offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -ENOSPC;
		at += written;
		nr -= (size_t)written;
		offset += (uint64_t)written;
	}
	return 0;
}

int perf_output_begin(struct perf_output *output, const struct strbuf *front, size_t table_nr)
{
	if (!output->is_pipe) {
		output->table_offset = front->nr - table_nr;
		output->table_nr = table_nr;
		memcpy(output->table, front->bytes + output->table_offset, table_nr);
		memcpy(output->held, output->table, table_nr);
		memcpy(output->header, front->bytes, sizeof(output->header));
	}
	return output_write(output, front->bytes, front->nr, 0);
}

/* Everything is put front to back, so nothing lies before the old table. */
int perf_output_put(struct perf_output *output, const void *bytes, size_t nr, uint64_t offset)
{
	const uint8_t *at = bytes;
	uint64_t inside;
	size_t held_nr;

	if (output->is_pipe || offset >= output->table_offset + output->table_nr)
		return output_write(output, at, nr, offset);
	inside = offset - output->table_offset;
	held_nr = output->table_nr - inside < nr ? output->table_nr - inside : nr;
	memcpy(output->held + inside, at, held_nr);
	return output_write(output, at + held_nr, nr - held_nr, offset + held_nr);
}

int perf_output_patch(struct perf_output *output, const void *bytes, size_t nr, uint64_t offset)
{
	return output_write(output, bytes, nr, offset);
}

static int output_sync(const struct perf_output *output)
{
	if (fdatasync(output->fd) == 0 || errno == EINVAL) /* EINVAL: a device */
		return 0;
	return -errno;
}

/*
 * Without data there is nothing to lose, and a reader takes size 0 without features for a file of
 * perf's own whose recorder was killed.
 */
static int output_hide_features(const struct perf_output *output)
{
	static const uint8_t no_features[PERF_FILE_FEATURES_BYTES];
	static const uint8_t no_bytes[8];

	if (memcmp(output->header + PERF_FILE_DATA_BYTES_OFFSET, no_bytes, sizeof(no_bytes)) == 0)
		return 0;
	return output_write(output, no_features, sizeof(no_features), PERF_FILE_FEATURES_OFFSET);
}

int perf_output_switch(struct perf_output *output, const struct strbuf *header,
		       const struct strbuf *table, uint64_t table_offset)
{
	int ret = output_sync(output);

	if (ret)
		return ret;
	output->is_switching = true;
	ret = output_hide_features(output);
	if (ret == 0)
		ret = output_write(output, output->held, output->table_nr, output->table_offset);
	if (ret == 0)
		ret = output_write(output, header->bytes, header->nr, 0);
	if (ret)
		return ret;
	output->is_switching = false;
	output->table_offset = table_offset;
	output->table_nr = table->nr;
	memcpy(output->table, table->bytes, table->nr);
	memcpy(output->held, table->bytes, table->nr);
	memcpy(output->header, header->bytes, sizeof(output->header));
	return 0;
}

void perf_output_revert(struct perf_output *output)
{
	if (output->is_pipe)
		return;
	if (output->is_switching &&
	    (output_write(output, output->table, output->table_nr, output->table_offset) ||
	     output_write(output, output->header, sizeof(output->header), 0)))
		return;
	output->is_switching = false;
	/* What lies behind the table does no harm when it cannot be cut off. */
	if (ftruncate(output->fd, (off_t)(output->table_offset + output->table_nr)))
		return;
}
