/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/hostbpf/process_image.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "common/strbuf.h"
#include "common/vec.h"
#include "record/remote_memory.h"

enum { DENSE_BYTES_MAX = 64 << 20, PAGE_BYTES = 4096, GUARD_PAGES_MAX = 16 };

/* proc(5), pagemap: bit 63, the page is in memory. */
#define PAGE_IS_PRESENT (UINT64_C(1) << 63)

/* Free-threaded interpreters reserve a gigabyte (mimalloc) and touch little of it. */
static int image_add_sparse(struct process_image *image, pid_t pid, struct image_region *region)
{
	const uint64_t pages_nr = region->nr / PAGE_BYTES;
	auto_free uint64_t *pages = calloc(pages_nr, sizeof(*pages));
	auto_close_fd int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (!pages || fd < 0 ||
	    pread(fd, pages, pages_nr * 8, (off_t)(region->start / PAGE_BYTES * 8)) !=
		(ssize_t)(pages_nr * 8))
		return -EIO;
	region->bytes = calloc(1, region->nr);
	if (!region->bytes)
		return -ENOMEM;
	image->regions[image->nr++] = *region;
	for (uint64_t i = 0; i < pages_nr; i++)
		if (pages[i] & PAGE_IS_PRESENT &&
		    remote_read((uint32_t)pid, region->start + i * PAGE_BYTES,
				region->bytes + i * PAGE_BYTES, PAGE_BYTES))
			return -EIO;
	return 0;
}

static int image_add(struct process_image *image, pid_t pid, const struct proc_map *map)
{
	struct image_region region = {.start = map->start, .nr = map->end - map->start};
	uint8_t page[PAGE_BYTES];
	int error = vec_grow((void **)&image->regions, &image->capacity, image->nr + 1,
			     sizeof(region));

	if (error)
		return error;
	if (region.nr > DENSE_BYTES_MAX)
		return image_add_sparse(image, pid, &region);
	/* Thread stacks of glibc 2.42 and newer begin with a guard inside of the mapping. */
	for (int pages = 0; pages < GUARD_PAGES_MAX && region.nr > PAGE_BYTES &&
			    remote_read((uint32_t)pid, region.start, page, PAGE_BYTES);
	     pages++) {
		region.start += PAGE_BYTES;
		region.nr -= PAGE_BYTES;
	}
	region.bytes = malloc(region.nr);
	if (!region.bytes)
		return -ENOMEM;
	/* A region may end in a page that cannot be read: then all of it is left out. */
	if (remote_read((uint32_t)pid, region.start, region.bytes, region.nr)) {
		free(region.bytes);
		return 0;
	}
	image->regions[image->nr++] = region;
	return 0;
}

static void image_look(struct process_image *image, pid_t pid, const struct proc_map *map)
{
	struct mapped_file *file;

	if (!(map->prot & PROT_EXEC) || mapped_files_get(image->files, (uint32_t)pid, map, &file))
		return;
	if (file->is_musl)
		image->musl_specific = file->musl_specific;
	if (!image->runtime && file->runtime &&
	    mapped_file_bias(file, map->start, map->file_offset, &image->runtime_bias) == 0)
		image->runtime = file->runtime;
}

int process_image_take(pid_t pid, struct process_image *ret)
{
	auto_free char *text = NULL;
	char path[64];
	char *line, *rest;
	size_t nr;
	int error;

	*ret = (struct process_image){0};
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	error = mapped_files_create(&ret->files);
	if (!error)
		error = proc_file_read(path, &text, &nr);
	rest = text;
	while (!error && (line = strsep(&rest, "\n")) != NULL) {
		struct proc_map map;

		if (proc_map_parse(line, &map))
			continue;
		image_look(ret, pid, &map);
		if (map.prot & PROT_READ && !(map.prot & PROT_EXEC)) /* RELRO holds GOT words */
			error = image_add(ret, pid, &map);
	}
	return error;
}

void process_image_deinit(struct process_image *image)
{
	for (size_t i = 0; i < image->nr; i++)
		free(image->regions[i].bytes);
	free(image->regions);
	mapped_files_destroy(image->files);
}

uint8_t *process_image_at(const struct process_image *image, uint64_t address, uint64_t nr)
{
	size_t low = 0;
	size_t high = image->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct image_region *region = &image->regions[middle];

		if (address < region->start)
			high = middle;
		else if (address - region->start >= region->nr)
			low = middle + 1;
		else
			return nr <= region->nr - (address - region->start)
				   ? region->bytes + (address - region->start)
				   : NULL;
	}
	return NULL;
}

/* ---- The target ---- */

static int target_read(int fd, struct target *target)
{
	struct strbuf text = {0};

	while (text.nr < 4 || strcmp(text.bytes + text.nr - 4, "end\n") != 0) {
		char piece[4096];
		ssize_t got = read(fd, piece, sizeof(piece));

		if (got <= 0) {
			strbuf_deinit(&text);
			return -EPIPE;
		}
		strbuf_append(&text, piece, (size_t)got);
	}
	target->text = text.bytes;
	return 0;
}

static int frame_parse(char *rest, struct target_frame *ret)
{
	char *words[6];

	for (size_t i = 0; i < array_size(words); i++) {
		words[i] = strsep(&rest, "\t");
		if (!words[i])
			return -EBADMSG;
	}
	*ret = (struct target_frame){
	    .first_unit = atoi(words[0]),
	    .last_unit = atoi(words[1]),
	    .first_line = atoi(words[2]),
	    .qualname = words[3],
	    .name = words[4],
	    .file = words[5],
	};
	return 0;
}

static int target_parse_line(struct target *target, char *line)
{
	char *word = strsep(&line, "\t");

	if (strcmp(word, "thread") == 0) {
		struct target_thread *threads = reallocarray(target->threads, target->nr + 1,
							     sizeof(*threads));
		struct target_thread *thread;

		if (!threads)
			return -ENOMEM;
		target->threads = threads;
		thread = &threads[target->nr++];
		*thread = (struct target_thread){.name = strsep(&line, "\t")};
		thread->thread_pointer = strtoull(strsep(&line, "\t"), NULL, 10);
		thread->frames = calloc(strtoul(line, NULL, 10), sizeof(*thread->frames));
		return thread->frames ? 0 : -ENOMEM;
	}
	if (strcmp(word, "frame") == 0 && target->nr) {
		struct target_thread *thread = &target->threads[target->nr - 1];

		return frame_parse(line, &thread->frames[thread->nr++]);
	}
	return 0;
}

/*
 * Begin the target. An interpreter of another suite, unpacked into a folder by tests/pythons, runs
 * by the loader and the libraries of that folder.
 */
static void target_exec(const char *python)
{
	const char *usr = strstr(python, "/usr/bin/");
	const char *script = strstr(python, "/python2.7") ? "tests/hostbpf/image_target_2.py"
							  : "tests/hostbpf/image_target.py";
	const int root = usr ? (int)(usr - python) : 0;
	char loader[4096];
	char libraries[4096];
	char home[4096];

	if (root) {
		snprintf(loader, sizeof(loader),
			 "%.*s/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", root, python);
		snprintf(libraries, sizeof(libraries), "%.*s/usr/lib/x86_64-linux-gnu", root,
			 python);
		snprintf(home, sizeof(home), "%.*s/usr", root, python);
		setenv("PYTHONHOME", home, 1);
		execl(loader, loader, "--library-path", libraries, python, script, NULL);
	} else {
		execl(python, python, script, NULL);
	}
}

static pid_t target_spawn(const char *python, int *from, int *hold)
{
	int out[2];
	int in[2];
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) || pipe2(in, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		setenv("PYTHONUTF8", "1", 1);
		target_exec(python);
		_exit(127);
	}
	close(out[1]);
	close(in[0]);
	*from = out[0];
	*hold = in[1];
	return pid < 0 ? -errno : pid;
}

int target_start(const char *python, struct target *ret)
{
	auto_close_fd int from = -1;
	char *rest;
	char *line;
	int error;

	*ret = (struct target){.hold_fd = -1};
	ret->pid = target_spawn(python, &from, &ret->hold_fd);
	if (ret->pid < 0)
		return ret->pid;
	error = target_read(from, ret);
	rest = ret->text;
	while (!error && (line = strsep(&rest, "\n")) != NULL)
		error = target_parse_line(ret, line);
	return error;
}

void target_finish(struct target *target)
{
	if (target->hold_fd >= 0)
		close(target->hold_fd);
	if (target->pid > 0) {
		kill(target->pid, SIGKILL);
		waitpid(target->pid, NULL, 0);
	}
	for (size_t i = 0; i < target->nr; i++)
		free(target->threads[i].frames);
	free(target->threads);
	free(target->text);
}
