/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/process_image.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/python_version.h"

int process_stat_read(uint32_t tgid, struct proc_stat *ret)
{
	int error = proc_stat_read(tgid, ret);

	if (!error && ret->start_code == 1)
		ret->start_code = ret->start_stack = 0;
	return error;
}

int process_stat_settled(uint32_t tgid, struct proc_stat *ret)
{
	const struct timespec pause = {.tv_nsec = 100 * 1000};
	int error = proc_stat_read(tgid, ret);

	for (int i = 0; !error && ret->start_code == 0 && i < 50; i++) {
		nanosleep(&pause, NULL);
		error = proc_stat_read(tgid, ret);
	}
	return error ? error : process_stat_read(tgid, ret);
}

bool process_runs_cpython(uint32_t tgid)
{
	char link[64];
	char path[4096];
	const char *name;
	ssize_t nr;

	snprintf(link, sizeof(link), "/proc/%u/exe", tgid);
	nr = readlink(link, path, sizeof(path) - 1);
	if (nr < 0)
		return false;
	path[nr] = '\0';
	name = strrchr(path, '/');
	if (!name || strncmp(name, "/python", 7) != 0)
		return false;
	name += 7;
	name += strspn(name, "0123456789.");
	name += strspn(name, "dmtu"); /* sys.abiflags */
	return !*name || strcmp(name, " (deleted)") == 0;
}

/* @map holds from @time_ns on. */
static void emit_map(struct output *output, uint32_t tgid, uint64_t time_ns,
		     const struct proc_map *map, const struct mapped_file *file)
{
	struct record record = {
	    .type = PERF_RECORD_MMAP2,
	    .misc = PERF_RECORD_MISC_USER,
	    .id = {.pid = tgid, .tid = tgid, .time_ns = time_ns, .id = PERF_WRITER_EVENT_ID},
	    .mmap = {.pid = tgid,
		     .tid = tgid,
		     .start = map->start,
		     .bytes = map->end - map->start,
		     .file_offset = map->file_offset,
		     .prot = map->prot,
		     .flags = map->is_shared ? MAP_SHARED : MAP_PRIVATE,
		     .device_major = map->device_major,
		     .device_minor = map->device_minor,
		     .inode = map->inode,
		     .path = map->path[0] ? map->path : "//anon"},
	};

	if (file && file->build_id_nr) {
		record.mmap.build_id_nr = file->build_id_nr;
		memcpy(record.mmap.build_id, file->build_id, sizeof(record.mmap.build_id));
	}
	(void)output_record(output, &record);
}

static void emit_comm(struct output *output, uint32_t tgid, uint32_t tid)
{
	char path[64];
	auto_free char *comm = NULL;
	size_t nr;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/comm", tgid, tid);
	if (proc_file_read(path, &comm, &nr) || nr == 0)
		return;
	comm[nr - 1] = '\0'; /* the newline */
	const struct record record = {
	    .type = PERF_RECORD_COMM,
	    .id = {.pid = tgid,
		   .tid = tid,
		   .time_ns = output_now_ns(output),
		   .id = PERF_WRITER_EVENT_ID},
	    .comm = {.pid = tgid, .tid = tid, .comm = comm},
	};

	(void)output_record(output, &record);
}

struct comm_visit {
	struct output *output;
	uint32_t tgid;
};

static int comm_visit_thread(void *context, uint32_t tid)
{
	const struct comm_visit *visit = context;

	if (tid != visit->tgid) /* the leader's comes first, it is the process's name */
		emit_comm(visit->output, visit->tgid, tid);
	return 0;
}

void process_emit_threads(struct output *output, uint32_t tgid)
{
	struct comm_visit visit = {.output = output, .tgid = tgid};
	char path[64];

	emit_comm(output, tgid, tgid);
	snprintf(path, sizeof(path), "/proc/%u/task", tgid);
	(void)proc_numbers_visit(path, comm_visit_thread, &visit);
}

/* Why its stacks are native frames only, for the user. */
static void interpreter_refuse(const struct process_image *image, uint32_t tgid, char *ret,
			       size_t nr)
{
	const struct python_runtime *runtime = image->python->runtime;
	const char *what = "layout";
	char version[PYTHON_VERSION_TEXT_BYTES];

	if (runtime->other[0]) {
		snprintf(ret, nr, "%s (pid %u): not CPython, native frames only", runtime->other,
			 tgid);
		return;
	}
	python_version_format(runtime->version_hex, version);
	if (runtime->is_trace_refs)
		what = "built with Py_TRACE_REFS, layout";
	else if (runtime->is_walkable)
		what = "layout of musl's thread data";
	snprintf(ret, nr, "python %s (pid %u): %s not known, native frames only",
		 runtime->version_hex ? version : "of unknown version", tgid, what);
}

/* What PY_VERSION_HEX does not tell. */
static void interpreter_name(const struct python_runtime *runtime, char *ret, size_t nr)
{
	char version[PYTHON_VERSION_TEXT_BYTES];

	python_version_format(runtime->version_hex, version);
	if (runtime->layout.is_free_threaded)
		snprintf(ret, nr, "Python %st", version);
	else
		snprintf(ret, nr, "%s", runtime->other);
}

void process_emit_interpreter(struct output *output, uint32_t tgid,
			      const struct process_image *image)
{
	const char *path = image->python->path;
	const struct python_runtime *runtime = image->python->runtime;
	const bool is_walkable = process_image_is_walkable(image);
	char name[40];
	char message[128] = "";
	struct payload payload = {.kind = PAYLOAD_INTERPRETER};

	if (!is_walkable) {
		interpreter_refuse(image, tgid, message, sizeof(message));
		log_warn("%s", message);
	}
	interpreter_name(runtime, name, sizeof(name));
	payload.interpreter = (struct payload_interpreter){
	    .time_ns = output_now_ns(output),
	    .pid = tgid,
	    .version_hex = runtime->version_hex,
	    .status = is_walkable ? INTERPRETER_WALKED : INTERPRETER_UNSUPPORTED,
	    .path = path,
	    .path_nr = (uint32_t)strlen(path),
	    .message = message,
	    .message_nr = (uint32_t)strlen(message),
	    .name = name,
	    .name_nr = (uint32_t)strlen(name),
	};
	(void)output_payload(output, &payload, NULL);
}

static bool is_special_map(const struct proc_map *map)
{
	return strcmp(map->path, "[vsyscall]") == 0;
}

void process_emit_data_segments(struct output *output, uint32_t tgid, uint64_t time_ns,
				uint64_t bias, const struct mapped_file *file)
{
	const uint64_t page = 4096;

	for (uint32_t i = 0; i < file->segments_nr; i++) {
		const struct elf_segment *segment = &file->segments[i];
		const uint64_t start = bias + (segment->vaddr & ~(page - 1));
		const struct proc_map map = {
		    .start = start,
		    .end = bias + ((segment->vaddr + segment->file_bytes + page - 1) & ~(page - 1)),
		    .file_offset = segment->file_offset & ~(page - 1),
		    .prot = PROT_READ | (segment->flags & PF_W ? PROT_WRITE : 0),
		    .device_major = file->identity.device_major,
		    .device_minor = file->identity.device_minor,
		    .inode = file->identity.inode,
		    .path = file->path,
		};

		if (!(segment->flags & PF_X) && segment->file_bytes)
			emit_map(output, tgid, time_ns, &map, file);
	}
}

/* Length of the path that the process's root has here; 0: it is ours, or not known. */
static size_t process_root_read(uint32_t tgid, char *root, size_t bytes_max)
{
	char path[64];
	ssize_t nr;

	snprintf(path, sizeof(path), "/proc/%u/root", tgid);
	nr = readlink(path, root, bytes_max);
	return nr > 1 && (size_t)nr < bytes_max && root[0] == '/' ? (size_t)nr : 0;
}

int process_image_read(uint32_t tgid, struct mapped_files *files, struct output *output,
		       struct process_image *ret)
{
	auto_free char *text = NULL;
	char path[64];
	char root[4096];
	char *line, *rest;
	size_t root_nr;
	size_t nr;
	int error;
	/* Before it is read: what the process maps from now on is told later, and holds then. */
	const uint64_t time_ns = output ? output_now_ns(output) : 0;

	*ret = (struct process_image){0};
	root_nr = process_root_read(tgid, root, sizeof(root));
	snprintf(path, sizeof(path), "/proc/%u/maps", tgid);
	error = proc_file_read(path, &text, &nr);
	if (error)
		return error;
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL) {
		struct mapped_file *file = NULL;
		struct proc_map map;
		uint64_t bias;
		bool has_bias;

		if (proc_map_parse(line, &map) || !(map.prot & PROT_EXEC) || is_special_map(&map))
			continue;
		/* As the process itself and the kernel's records name it. */
		if (root_nr && strncmp(map.path, root, root_nr) == 0 && map.path[root_nr] == '/')
			map.path += root_nr;
		if (mapped_files_get(files, tgid, &map, &file))
			file = NULL;
		if (file && output)
			mapped_file_use(file, tgid, map.start, map.end);
		ret->has_maps = true;
		if (file && file->is_musl) {
			ret->is_musl = true;
			ret->musl_specific = file->musl_specific;
		}
		has_bias = file && mapped_file_bias(file, map.start, map.file_offset, &bias) == 0;
		if (has_bias && file->runtime && !ret->python) {
			ret->python = file;
			ret->python_bias = bias;
		}
		if (file && file->async.tstate_task)
			ret->async = file->async;
		if (!output)
			continue;
		emit_map(output, tgid, time_ns, &map, file);
		if (has_bias)
			process_emit_data_segments(output, tgid, time_ns, bias, file);
	}
	return 0;
}

int process_emit_kernel_map(struct output *output, const struct record *record,
			    const struct mapped_file *file)
{
	struct record told = *record;

	told.id.id = PERF_WRITER_EVENT_ID;
	if (file && file->build_id_nr) {
		told.mmap.build_id_nr = file->build_id_nr;
		memcpy(told.mmap.build_id, file->build_id, sizeof(told.mmap.build_id));
	}
	return output_record(output, &told);
}
