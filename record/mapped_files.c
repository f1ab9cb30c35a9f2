/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/mapped_files.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/hash.h"
#include "common/vec.h"
#include "record/tls_decode.h"

enum { FAILURES_MAX = 16 }; /* to open one file, or to find it unchanged, before it is left alone */

/* How a memory map identifies a file. Inodes are reused: the path tells most of those apart. */
struct file_key {
	struct file_identity identity;
	uint64_t path_hash;
};

struct file_entry {
	struct file_key key;
	struct mapped_file *file;
	UT_hash_handle hh;
};

struct mapped_files {
	struct file_entry *entries; /* several may name the same file */
	struct mapped_file **files;
	size_t nr;
	size_t capacity;
};

int mapped_files_create(struct mapped_files **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static void mapped_file_destroy(struct mapped_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	free(file->runtime);
	free(file->segments);
	free(file);
}

void mapped_files_destroy(struct mapped_files *files)
{
	struct file_entry *entry, *next;

	if (!files)
		return;
	HASH_ITER (hh, files->entries, entry, next) {
		HASH_DEL(files->entries, entry);
		free(entry);
	}
	for (size_t i = 0; i < files->nr; i++)
		mapped_file_destroy(files->files[i]);
	free(files->files);
	free(files);
}

/* A mapping as both sources tell it. */
struct file_place {
	uint32_t pid;
	uint64_t start;
	uint64_t end;
	struct file_identity identity;
	const char *path;
	bool is_deleted;
};

/* The file of that path, unless another one has taken the path since (an upgrade). */
static int file_open_path(const char *path, const struct file_place *place)
{
	auto_close_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || !file_has_identity(fd, &place->identity))
		return -1;
	return no_close_fd(fd);
}

/*
 * Through the mapping itself, also when the path is gone or belongs to another mount namespace;
 * that needs more privilege than the path under the process's root. Return: descriptor or -1.
 */
static int file_open(const struct file_place *place)
{
	char name[4096 + 64];
	int fd;

	snprintf(name, sizeof(name), "/proc/%u/map_files/%llx-%llx", place->pid,
		 (unsigned long long)place->start, (unsigned long long)place->end);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 || place->is_deleted)
		return fd;
	snprintf(name, sizeof(name), "/proc/%u/root%s", place->pid, place->path);
	fd = file_open_path(name, place);
	return fd >= 0 ? fd : file_open_path(place->path, place);
}

static int mapped_file_learn(struct mapped_file *file, const struct elf_file *elf)
{
	struct python_runtime runtime;
	const struct elf_segment *segments = elf_file_segments(elf, &file->segments_nr);

	free(file->segments);
	file->segments = calloc(file->segments_nr + 1, sizeof(*segments));
	if (!file->segments)
		return -ENOMEM;
	memcpy(file->segments, segments, file->segments_nr * sizeof(*segments));
	if (python_runtime_detect(elf, file->path, &runtime) == 0) {
		file->runtime = malloc(sizeof(runtime));
		if (!file->runtime)
			return -ENOMEM;
		*file->runtime = runtime;
	}
	file->is_musl = musl_find(elf, &file->musl_specific);
	if (async_layout_find(elf, &file->async))
		file->async = (struct async_layout){0};
	file->is_readable = true;
	return 0;
}

/* Was it written to, or only renamed, since it was looked at? */
static bool mapped_file_is_changed(const struct mapped_file *file, int fd)
{
	struct stat status;

	return fd >= 0 && fstat(fd, &status) == 0 &&
	       (status.st_ctim.tv_sec != file->changed.tv_sec ||
		status.st_ctim.tv_nsec != file->changed.tv_nsec);
}

static void mapped_file_forget(struct mapped_file *file)
{
	free(file->runtime);
	free(file->segments);
	file->runtime = NULL;
	file->segments = NULL;
	file->segments_nr = 0;
	file->build_id_nr = 0;
	file->is_readable = false;
}

/* Fill what the ELF file tells. Anything missing only means that less is known. */
static int mapped_file_look(struct mapped_file *file, int fd)
{
	struct elf_file *elf;
	struct stat status;
	int error;

	if (fd < 0 || fstat(fd, &status) || !S_ISREG(status.st_mode) || elf_file_open(fd, &elf))
		return 0;
	file->changed = status.st_ctim;
	file->build_id_nr = elf_file_build_id(elf, file->build_id);
	error = mapped_file_learn(file, elf);
	elf_file_close(elf);
	return error;
}

static int mapped_files_remember(struct mapped_files *files, const struct file_key *key,
				 struct mapped_file *file)
{
	struct file_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return -ENOMEM;
	entry->key = *key;
	entry->file = file;
	HASH_ADD(hh, files->entries, key, sizeof(entry->key), entry);
	if (!entry->hh.tbl) {
		free(entry);
		return -ENOMEM;
	}
	return 0;
}

static int mapped_files_keep(struct mapped_files *files, struct mapped_file *file)
{
	int ret = vec_grow((void **)&files->files, &files->capacity, files->nr + 1,
			   sizeof(*files->files));

	if (ret == 0)
		files->files[files->nr++] = file;
	return ret;
}

static struct mapped_file *mapped_file_create(const struct file_key *key, const char *path)
{
	struct mapped_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	*file = (struct mapped_file){
	    .path = strdup(path),
	    .fd = -1,
	    .identity = key->identity,
	};
	if (!file->path) {
		free(file);
		return NULL;
	}
	return file;
}

static int mapped_files_add(struct mapped_files *files, const struct file_key *key, int fd,
			    const char *path, struct mapped_file **ret)
{
	struct mapped_file *file = mapped_file_create(key, path);
	int error = file ? mapped_file_look(file, fd) : -ENOMEM;

	if (!error)
		error = mapped_files_keep(files, file);
	if (error) {
		if (file)
			mapped_file_destroy(file);
		return error;
	}
	*ret = file;
	return 0;
}

/* It is held open, so that it is the file that is mapped, whatever is in it now. */
static int mapped_files_look_again(struct mapped_files *files, struct file_entry *entry,
				   struct mapped_file **ret)
{
	const uint8_t failures_nr = entry->file->failures_nr;
	auto_close_fd int fd = -1;
	int error;

	if (failures_nr == FAILURES_MAX)
		return -ENOENT;
	fd = fcntl(entry->file->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	error = mapped_files_add(files, &entry->key, fd, entry->file->path, ret);
	if (error)
		return error;
	entry->file = *ret;
	entry->file->fd = no_close_fd(fd);
	entry->file->failures_nr = failures_nr + 1;
	return 0;
}

static int mapped_files_resolve(struct mapped_files *files, const struct file_place *place,
				struct mapped_file **ret)
{
	const struct file_key key = {
	    .identity = place->identity,
	    .path_hash = hash_bytes(place->path, strlen(place->path), 0),
	};
	struct file_entry *entry;
	auto_close_fd int fd = -1;

	if (place->path[0] != '/' || strncmp(place->path, "//anon", 6) == 0 ||
	    place->identity.inode == 0)
		return -ENOENT;
	HASH_FIND(hh, files->entries, &key, sizeof(key), entry);
	if (entry && entry->file->is_readable &&
	    mapped_file_is_changed(entry->file, entry->file->fd))
		return mapped_files_look_again(files, entry, ret);
	if (entry && (entry->file->is_readable || entry->file->failures_nr == FAILURES_MAX)) {
		*ret = entry->file;
		return 0;
	}
	fd = file_open(place);
	if (!entry) {
		int error = mapped_files_add(files, &key, fd, place->path, ret);

		return error ? error : mapped_files_remember(files, &key, *ret);
	}
	/* The process that showed it first was gone too soon; this one may not be. */
	entry->file->failures_nr++;
	*ret = entry->file;
	return mapped_file_look(entry->file, fd);
}

int mapped_files_get(struct mapped_files *files, uint32_t pid, const struct proc_map *map,
		     struct mapped_file **ret)
{
	const struct file_place place = {
	    .pid = pid,
	    .start = map->start,
	    .end = map->end,
	    .identity = {map->device_major, map->device_minor, map->inode},
	    .path = map->path,
	    .is_deleted = map->is_deleted,
	};

	return mapped_files_resolve(files, &place, ret);
}

int mapped_files_get_by_record(struct mapped_files *files, const struct record_mmap *mmap,
			       struct mapped_file **ret)
{
	const struct file_place place = {
	    .pid = mmap->pid,
	    .start = mmap->start,
	    .end = mmap->start + mmap->bytes,
	    .identity = {mmap->device_major, mmap->device_minor, mmap->inode},
	    .path = mmap->path,
	};

	return mapped_files_resolve(files, &place, ret);
}

void mapped_file_use(struct mapped_file *file, uint32_t pid, uint64_t start, uint64_t end)
{
	file->is_used = true;
	if (file->is_readable && file->fd < 0) {
		const struct file_place place = {
		    .pid = pid,
		    .start = start,
		    .end = end,
		    .identity = file->identity,
		    .path = file->path,
		};

		file->fd = file_open(&place);
		if (mapped_file_is_changed(file, file->fd)) {
			mapped_file_forget(file);
			(void)!mapped_file_look(file, file->fd);
		}
	}
}

/*
 * How well a mapping from @file_offset on fits a segment. The kernel maps whole pages, so it begins
 * where the segment's first page does; that page may belong to the end of another segment as well
 * (lld does not keep them apart), and what is asked for is executable.
 */
static int segment_fit(const struct elf_segment *segment, uint64_t file_offset)
{
	uint64_t first = segment->file_offset & ~UINT64_C(4095);

	if (file_offset < first || file_offset >= segment->file_offset + segment->file_bytes)
		return 0;
	return 1 + 2 * !!(segment->flags & PF_X) + (file_offset == first);
}

int mapped_file_bias(const struct mapped_file *file, uint64_t start, uint64_t file_offset,
		     uint64_t *ret)
{
	int best = 0;

	for (uint32_t i = 0; i < file->segments_nr; i++) {
		const struct elf_segment *segment = &file->segments[i];
		const int fit = segment_fit(segment, file_offset);

		if (fit <= best)
			continue;
		best = fit;
		*ret = start - (segment->vaddr - segment->file_offset + file_offset);
	}
	return best ? 0 : -ENOENT;
}

int mapped_files_visit(struct mapped_files *files,
		       int (*visit)(void *context, struct mapped_file *file), void *context)
{
	for (size_t i = 0; i < files->nr; i++) {
		int ret = visit(context, files->files[i]);

		if (ret)
			return ret;
	}
	return 0;
}
