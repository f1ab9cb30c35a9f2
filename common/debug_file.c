/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "common/debug_file.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <string.h>
#include <sys/stat.h>

#define DEBUG_FOLDER "/usr/lib/debug"

enum {
	BUILD_ID_BYTES_MAX = 20,
	LINK_NAME_BYTES_MAX = 255, /* longer than any file's name */
	READ_BYTES = 1 << 16,
	LINKED_BYTES_MAX = 1 << 30, /* of a file whose CRC is worth computing */
	UNPACKED_RATIO_MAX = 100,
	UNPACK_MEMORY_MAX = 20 << 20,
};

int regular_file_open(const char *root, const char *path, int *ret)
{
	auto_strbuf struct strbuf whole = {0};
	auto_close_fd int fd = -1;
	struct stat status;

	if (root)
		strbuf_append_text(&whole, root);
	strbuf_append_text(&whole, path);
	if (whole.error)
		return whole.error;
	/* A recording may name a FIFO or a device here: neither wait nor act on it. */
	fd = open(strbuf_text(&whole), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -ENOEXEC;
	*ret = no_close_fd(fd);
	return 0;
}

static bool is_own(const struct elf_file *debug, const struct debug_file_of *of)
{
	uint8_t found_id[BUILD_ID_BYTES_MAX];

	return elf_file_build_id(debug, found_id) == of->build_id_nr &&
	       memcmp(found_id, of->build_id, of->build_id_nr) == 0;
}

/* With a build id only what has the same is opened. */
static int candidate_open(const struct debug_file_of *of, const struct strbuf *path,
			  struct elf_file **ret)
{
	auto_close_fd int fd = -1;
	struct elf_file *elf;
	int error = path->error;

	if (!error)
		error = regular_file_open(of->root, strbuf_text(path), &fd);
	if (!error)
		error = elf_file_open(fd, &elf);
	if (error)
		return error == -ENOMEM ? error : -ENOENT;
	if (of->build_id_nr && !is_own(elf, of)) {
		elf_file_close(elf);
		return -ENOENT;
	}
	*ret = elf;
	return 0;
}

static int open_by_build_id(const struct debug_file_of *of, struct elf_file **ret)
{
	auto_strbuf struct strbuf path = {0};

	if (of->build_id_nr < 2)
		return -ENOENT;
	strbuf_append_format(&path, DEBUG_FOLDER "/.build-id/%02x/", of->build_id[0]);
	for (uint8_t i = 1; i < of->build_id_nr; i++)
		strbuf_append_format(&path, "%02x", of->build_id[i]);
	strbuf_append_text(&path, ".debug");
	return candidate_open(of, &path, ret);
}

/* ---- .gnu_debuglink ---- */

/* The CRC of the whole file: that of zlib and xz, which gdb's manual calls for. */
static bool has_crc(int fd, uint32_t wanted)
{
	auto_free uint8_t *bytes = malloc(READ_BYTES);
	uint32_t crc = 0;
	off_t at = 0;
	ssize_t nr = -1;

	while (bytes && at < LINKED_BYTES_MAX && (nr = pread(fd, bytes, READ_BYTES, at)) > 0) {
		crc = lzma_crc32(bytes, (size_t)nr, crc);
		at += nr;
	}
	return nr == 0 && crc == wanted;
}

struct debug_link {
	const char *name; /* a file's, without folder */
	uint32_t crc;
};

/* A name, zero bytes up to a multiple of 4, the CRC. */
static int link_read(const struct elf_file *elf, struct debug_link *ret)
{
	struct elf_section section;
	size_t name_nr;
	size_t crc_at;

	if (elf_file_section(elf, ".gnu_debuglink", &section) || !section.bytes)
		return -ENOENT;
	name_nr = strnlen((const char *)section.bytes, section.nr);
	crc_at = (name_nr + 4) & ~(size_t)3;
	if (name_nr == 0 || name_nr > LINK_NAME_BYTES_MAX || crc_at + 4 > section.nr ||
	    memchr(section.bytes, '/', name_nr))
		return -ENOENT;
	ret->name = (const char *)section.bytes;
	memcpy(&ret->crc, section.bytes + crc_at, sizeof(ret->crc));
	return 0;
}

static int open_linked(const struct debug_file_of *of, const struct debug_link *link,
		       const char *before, const char *after, struct elf_file **ret)
{
	const char *slash = strrchr(of->path, '/');
	auto_strbuf struct strbuf path = {0};
	struct elf_file *elf;
	int error;

	strbuf_append_format(&path, "%s%.*s%s/%s", before, (int)(slash - of->path), of->path, after,
			     link->name);
	error = candidate_open(of, &path, &elf);
	if (error)
		return error;
	if (!has_crc(elf_file_fd(elf), link->crc)) {
		elf_file_close(elf);
		return -ENOENT;
	}
	*ret = elf;
	return 0;
}

static int open_by_link(const struct debug_file_of *of, struct elf_file **ret)
{
	struct debug_link link;
	int error;

	if (!of->elf || !of->path || of->path[0] != '/' || link_read(of->elf, &link))
		return -ENOENT;
	error = open_linked(of, &link, "", "", ret);
	if (error == -ENOENT)
		error = open_linked(of, &link, "", "/.debug", ret);
	if (error == -ENOENT)
		error = open_linked(of, &link, DEBUG_FOLDER, "", ret);
	return error;
}

int debug_file_open(const struct debug_file_of *of, struct elf_file **ret)
{
	const int error = open_by_build_id(of, ret);

	return error == -ENOENT ? open_by_link(of, ret) : error;
}

/* ---- .gnu_debugdata ---- */

static int stream_unpack(lzma_stream *stream, size_t bytes_max, struct strbuf *ret)
{
	lzma_ret status = LZMA_OK;

	while (status == LZMA_OK) {
		if (ret->nr > bytes_max)
			return -EBADMSG;
		if (strbuf_reserve(ret, READ_BYTES))
			return -ENOMEM;
		stream->next_out = (uint8_t *)ret->bytes + ret->nr;
		stream->avail_out = READ_BYTES;
		status = lzma_code(stream, LZMA_FINISH);
		ret->nr += READ_BYTES - stream->avail_out;
	}
	if (status == LZMA_MEM_ERROR)
		return -ENOMEM;
	return status == LZMA_STREAM_END ? 0 : -EBADMSG;
}

int debug_data_unpack(const struct elf_file *elf, struct strbuf *ret)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	struct elf_section section;
	int error;

	if (elf_file_section(elf, ".gnu_debugdata", &section) || !section.bytes)
		return -ENOENT;
	stream.next_in = section.bytes;
	stream.avail_in = section.nr;
	if (lzma_stream_decoder(&stream, UNPACK_MEMORY_MAX, 0) != LZMA_OK)
		return -ENOMEM;
	error = stream_unpack(&stream, section.nr * UNPACKED_RATIO_MAX, ret);
	lzma_end(&stream);
	return error;
}
