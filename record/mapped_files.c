/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/mapped_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/hash.h"
#include "common/vec.h"

enum { FAILURES_MAX = 16 }; /* to open one file, before it is left alone */

/* How a memory map identifies a file: one of the two, as it comes. */
struct file_key {
	uint64_t inode;
	uint32_t device_major;
	uint32_t device_minor;
	uint8_t build_id[20];
	uint8_t padding[4];
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

/*
 * Through the mapping itself (also when the path is gone or belongs to another mount namespace);
 * that needs more privilege than the path under the process's root. @path is NULL when another file
 * may stand there by now.
 */
static int file_open(uint32_t pid, const char *path, uint64_t start, uint64_t end)
{
	char name[4096 + 64];
	int fd;

	snprintf(name, sizeof(name), "/proc/%u/map_files/%llx-%llx", pid, (unsigned long long)start,
		 (unsigned long long)end);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 || !path)
		return fd;
	snprintf(name, sizeof(name), "/proc/%u/root%s", pid, path);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd;
}

/* The kernel told the mapping's build id: a file with another one only took its path. */
static bool mapped_file_is_other(const struct file_key *key, const uint8_t build_id[20])
{
	static const uint8_t none[sizeof(key->build_id)];

	return memcmp(key->build_id, none, sizeof(none)) != 0 &&
	       memcmp(key->build_id, build_id, sizeof(key->build_id)) != 0;
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
	file->is_readable = true;
	return 0;
}

/* Fill what the ELF file tells. Anything missing only means that less is known. */
static int mapped_file_look(struct mapped_file *file, const struct file_key *key, int fd)
{
	uint8_t build_id[20] = {0};
	struct elf_file *elf;
	struct stat status;
	int error = 0;

	if (fd < 0 || fstat(fd, &status) || !S_ISREG(status.st_mode) || elf_file_open(fd, &elf))
		return 0;
	file->build_id_nr = elf_file_build_id(elf, build_id);
	if (mapped_file_is_other(key, build_id)) {
		file->build_id_nr = sizeof(build_id);
	} else {
		memcpy(file->build_id, build_id, sizeof(build_id));
		error = mapped_file_learn(file, elf);
	}
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

/* A file seen under the other kind of key is the same file: same build id, same path. */
static struct mapped_file *mapped_files_find_same(struct mapped_files *files,
						  const struct mapped_file *fresh)
{
	for (size_t i = 0; i < files->nr; i++) {
		struct mapped_file *file = files->files[i];

		if (fresh->build_id_nr && file->build_id_nr == fresh->build_id_nr &&
		    memcmp(file->build_id, fresh->build_id, fresh->build_id_nr) == 0 &&
		    strcmp(file->path, fresh->path) == 0)
			return file;
	}
	return NULL;
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
	    .inode = key->inode,
	    .device_major = key->device_major,
	    .device_minor = key->device_minor,
	};
	memcpy(file->build_id, key->build_id, sizeof(file->build_id));
	for (size_t i = 0; i < sizeof(file->build_id); i++)
		if (file->build_id[i])
			file->build_id_nr = sizeof(file->build_id);
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
	struct mapped_file *same;
	int error;

	if (!file)
		return -ENOMEM;
	error = mapped_file_look(file, key, fd);
	same = error ? NULL : mapped_files_find_same(files, file);
	if (same) {
		mapped_file_destroy(file);
		*ret = same;
		return mapped_files_remember(files, key, same);
	}
	if (!error)
		error = mapped_files_keep(files, file);
	if (error) {
		mapped_file_destroy(file);
		return error;
	}
	*ret = file;
	return mapped_files_remember(files, key, file);
}

/* A mapping as both sources tell it. */
struct file_place {
	uint32_t pid;
	uint64_t start;
	uint64_t end;
	const char *path;
	bool is_deleted;
};

static int mapped_files_resolve(struct mapped_files *files, const struct file_key *key,
				const struct file_place *place, struct mapped_file **ret)
{
	struct file_entry *entry;
	auto_close_fd int fd = -1;

	HASH_FIND(hh, files->entries, key, sizeof(*key), entry);
	if (entry && (entry->file->is_readable || entry->file->failures_nr == FAILURES_MAX)) {
		*ret = entry->file;
		return 0;
	}
	fd = file_open(place->pid, place->is_deleted ? NULL : place->path, place->start,
		       place->end);
	if (!entry)
		return mapped_files_add(files, key, fd, place->path, ret);
	/* The process that showed it first was gone too soon; this one may not be. */
	entry->file->failures_nr++;
	*ret = entry->file;
	return mapped_file_look(entry->file, key, fd);
}

int mapped_files_get(struct mapped_files *files, uint32_t pid, const struct proc_map *map,
		     struct mapped_file **ret)
{
	const struct file_key key = {
	    .inode = map->inode,
	    .device_major = map->device_major,
	    .device_minor = map->device_minor,
	};
	const struct file_place place = {
	    .pid = pid,
	    .start = map->start,
	    .end = map->end,
	    .path = map->path,
	    .is_deleted = map->is_deleted,
	};

	if (map->path[0] != '/' || map->inode == 0)
		return -ENOENT;
	return mapped_files_resolve(files, &key, &place, ret);
}

int mapped_files_get_by_record(struct mapped_files *files, const struct record_mmap *mmap,
			       struct mapped_file **ret)
{
	const struct file_place place = {
	    .pid = mmap->pid,
	    .start = mmap->start,
	    .end = mmap->start + mmap->bytes,
	    .path = mmap->path,
	};
	struct file_key key = {0};

	if (mmap->path[0] != '/' || strncmp(mmap->path, "//anon", 6) == 0 ||
	    (!mmap->build_id_nr && mmap->inode == 0))
		return -ENOENT;
	if (mmap->build_id_nr) {
		memcpy(key.build_id, mmap->build_id, mmap->build_id_nr);
	} else {
		key.inode = mmap->inode;
		key.device_major = mmap->device_major;
		key.device_minor = mmap->device_minor;
	}
	return mapped_files_resolve(files, &key, &place, ret);
}

void mapped_file_use(struct mapped_file *file, uint32_t pid, uint64_t start, uint64_t end)
{
	file->is_used = true;
	if (file->is_readable && file->fd < 0)
		file->fd = file_open(pid, file->path, start, end);
}

int mapped_file_bias(const struct mapped_file *file, uint64_t start, uint64_t file_offset,
		     uint64_t *ret)
{
	for (uint32_t i = 0; i < file->segments_nr; i++) {
		const struct elf_segment *segment = &file->segments[i];
		/* The kernel maps whole pages: a mapping may begin before its segment does. */
		uint64_t first = segment->file_offset & ~UINT64_C(4095);

		if (file_offset >= first &&
		    file_offset < segment->file_offset + segment->file_bytes) {
			*ret = start - (segment->vaddr - segment->file_offset + file_offset);
			return 0;
		}
	}
	return -ENOENT;
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
