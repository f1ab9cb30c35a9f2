/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "common/proc_text.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/strbuf.h"

int proc_map_parse(char *line, struct proc_map *ret)
{
	static const char deleted[] = " (deleted)";
	unsigned long long start, end, offset, inode;
	unsigned int major, minor;
	char flags[5];
	int path_at = 0;
	size_t nr;
	char *path;

	if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %n", &start, &end, flags, &offset, &major,
		   &minor, &inode, &path_at) != 7 ||
	    path_at == 0 || strlen(flags) != 4)
		return -EBADMSG;
	path = line + path_at;
	nr = strcspn(path, "\n");
	path[nr] = '\0';
	*ret = (struct proc_map){
	    .start = start,
	    .end = end,
	    .file_offset = offset,
	    .prot = (flags[0] == 'r' ? PROT_READ : 0) | (flags[1] == 'w' ? PROT_WRITE : 0) |
		    (flags[2] == 'x' ? PROT_EXEC : 0),
	    .is_shared = flags[3] == 's',
	    .device_major = major,
	    .device_minor = minor,
	    .inode = inode,
	    .path = path,
	};
	if (nr > sizeof(deleted) - 1 && strcmp(path + nr - (sizeof(deleted) - 1), deleted) == 0) {
		path[nr - (sizeof(deleted) - 1)] = '\0';
		ret->is_deleted = true;
	}
	return 0;
}

int proc_stat_parse(const char *text, struct proc_stat *ret)
{
	/* comm may hold anything, also parentheses: its end is the last one. */
	const char *open = strchr(text, '(');
	const char *close = strrchr(text, ')');
	unsigned long long fields[29] = {0}; /* by the numbers of proc(5) */
	const char *at;
	size_t nr;

	if (!open || !close || close < open || close[1] != ' ' || close[2] == '\0')
		return -EBADMSG;
	*ret = (struct proc_stat){0};
	nr = (size_t)(close - open - 1);
	if (nr >= sizeof(ret->comm))
		nr = sizeof(ret->comm) - 1;
	memcpy(ret->comm, open + 1, nr);
	at = close + 3; /* after the state */
	for (int field = 4; field <= 28; field++) {
		char *end;

		fields[field] = strtoull(at, &end, 10);
		if (end == at)
			return -EBADMSG;
		at = end;
	}
	ret->parent_pid = (uint32_t)fields[4];
	ret->start_ticks = fields[22];
	ret->start_code = fields[26];
	ret->start_stack = fields[28];
	return 0;
}

int proc_stat_read(uint32_t pid, struct proc_stat *ret)
{
	auto_free char *text = NULL;
	char path[64];
	size_t nr;
	int error;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	error = proc_file_read(path, &text, &nr);
	return error ? error : proc_stat_parse(text, ret);
}

/* Is @name one of @list, "cpu,cpuacct"? */
static bool list_has(const char *list, const char *name)
{
	const size_t nr = strlen(name);

	while (list) {
		if (strncmp(list, name, nr) == 0 && (list[nr] == ',' || list[nr] == '\0'))
			return true;
		list = strchr(list, ',');
		list += list ? 1 : 0;
	}
	return false;
}

const char *proc_cgroup_parse(char *text)
{
	static const char *const controllers[] = {"memory", "pids", ""}; /* version 2 names none */
	const char *paths[3] = {NULL};
	const char *root = "";
	char *line;

	while ((line = strsep(&text, "\n")) != NULL) {
		const char *number = strsep(&line, ":");
		const char *list = strsep(&line, ":");

		if (!number || !list || !line || line[0] != '/')
			continue;
		root = "/";
		for (size_t i = 0; i < array_size(paths); i++)
			if (!paths[i] && line[1] && list_has(list, controllers[i]))
				paths[i] = line;
	}
	for (size_t i = 0; i < array_size(paths); i++)
		if (paths[i])
			return paths[i];
	return root;
}

uint32_t proc_numbers_parse(const char *text, uint32_t *numbers, uint32_t nr)
{
	static const char label[] = "\nNSpid:";
	const char *at = strstr(text, label);
	uint32_t found = 0;

	if (!at)
		return 0;
	at += sizeof(label) - 1;
	while (found < nr && *at == '\t') {
		char *end;

		numbers[found] = (uint32_t)strtoul(at, &end, 10);
		if (end == at)
			break;
		found++;
		at = end;
	}
	return found;
}

struct proc_clock_shift proc_clock_shift_parse(const char *text)
{
	struct proc_clock_shift shift = {0};

	while (text && *text) {
		long long seconds, ns;
		char clock[16];

		if (sscanf(text, "%15s %lld %lld", clock, &seconds, &ns) == 3) {
			int64_t *found = strcmp(clock, "monotonic") == 0  ? &shift.monotonic_ns
					 : strcmp(clock, "boottime") == 0 ? &shift.boottime_ns
									  : NULL;

			if (found && llabs(seconds) < INT64_MAX / 2000000000)
				*found = seconds * 1000000000 + ns;
		}
		text = strchr(text, '\n');
		text += text ? 1 : 0;
	}
	return shift;
}

int proc_file_read(const char *path, char **ret, size_t *nr)
{
	auto_close_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_strbuf struct strbuf text = {0};

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t got;

		if (strbuf_reserve(&text, 4096))
			return -ENOMEM;
		got = read(fd, text.bytes + text.nr, 4096);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		text.nr += (size_t)got;
	}
	text.bytes[text.nr] = '\0';
	*nr = text.nr;
	*ret = no_free_ptr(text.bytes);
	return 0;
}

/* A kernel without time namespaces has no such file. */
struct proc_clock_shift proc_clock_shift_read(void)
{
	auto_free char *text = NULL;
	size_t nr;

	if (proc_file_read("/proc/self/timens_offsets", &text, &nr))
		return (struct proc_clock_shift){0};
	return proc_clock_shift_parse(text);
}

int proc_numbers_visit(const char *path, int (*visit)(void *context, uint32_t number),
		       void *context)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	int ret = 0;

	if (!directory)
		return -errno;
	while (ret == 0 && (entry = readdir(directory)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]))
			ret = visit(context, (uint32_t)strtoul(entry->d_name, NULL, 10));
	closedir(directory);
	return ret;
}
