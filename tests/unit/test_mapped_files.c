/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "record/mapped_files.h"
#include "tests/unit/mapped_elf.h"

enum { VERSION = 0x030d00f0 };

static struct mapped_files *files_make(void)
{
	struct mapped_files *files;

	assert_int_equal(mapped_files_create(&files), 0);
	return files;
}

static struct mapped_file *get(struct mapped_files *files, const struct proc_map *map)
{
	struct mapped_file *file = NULL;

	assert_int_equal(mapped_files_get(files, (uint32_t)getpid(), map, &file), 0);
	assert_non_null(file);
	return file;
}

/* As the kernel tells a mapping of the file that @map shows. */
static struct mapped_file *get_by_record(struct mapped_files *files, const struct mapped_elf *elf,
					 const struct proc_map *map)
{
	const struct record_mmap mmap = {
	    .pid = (uint32_t)getpid(),
	    .start = (uint64_t)(uintptr_t)elf->start,
	    .bytes = elf->nr,
	    .inode = map->inode,
	    .device_major = map->device_major,
	    .device_minor = map->device_minor,
	    .path = elf->path,
	};
	struct mapped_file *file = NULL;

	assert_int_equal(mapped_files_get_by_record(files, &mmap, &file), 0);
	assert_non_null(file);
	return file;
}

/* Device and inode of a file as memory maps show them, which stat(2) need not. */
static struct proc_map identity_of(const struct mapped_elf *elf)
{
	struct mapped_elf mapped = *elf;
	auto_free char *line = NULL;
	struct proc_map map;

	mapped_elf_map(&mapped);
	map = mapped_elf_line(&mapped, &line);
	mapped_elf_unmap(&mapped);
	return (struct proc_map){
	    .device_major = map.device_major, .device_minor = map.device_minor, .inode = map.inode};
}

static struct proc_map identity_by_stat(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return (struct proc_map){.start = 4096,
				 .end = 8192,
				 .device_major = major(status.st_dev),
				 .device_minor = minor(status.st_dev),
				 .inode = status.st_ino,
				 .path = path};
}

static void is_of_build(const struct mapped_file *file, uint8_t build_id)
{
	uint8_t wanted[20];

	memset(wanted, build_id, sizeof(wanted));
	assert_int_equal(file->build_id_nr, 20);
	assert_memory_equal(file->build_id, wanted, sizeof(wanted));
}

static void test_python(void **state)
{
	struct mapped_files *files = files_make();
	struct elf_writer writer;
	struct mapped_elf elf;
	struct mapped_file *file;
	auto_free char *line = NULL;
	struct proc_map map;

	(void)state;
	elf_writer_python(&writer, VERSION, 0xab);
	mapped_elf_save(&elf, &writer, "libpython3.13.so.1.0");
	mapped_elf_map(&elf);
	map = mapped_elf_line(&elf, &line);
	file = get(files, &map);
	assert_true(file->is_readable);
	assert_string_equal(file->path, elf.path);
	is_of_build(file, 0xab);
	assert_non_null(file->runtime);
	assert_true(file->runtime->is_walkable);
	assert_int_equal(file->runtime->version_hex, VERSION);
	assert_int_equal(file->segments_nr, 1);
	assert_int_equal(file->identity.inode, map.inode);
	assert_ptr_equal(get(files, &map), file);
	assert_ptr_equal(get_by_record(files, &elf, &map), file); /* as the side-band tells it */
	mapped_files_destroy(files);
	mapped_elf_remove(&elf);
}

/* Kept open for the bundle: readable also when nobody has it any more. */
static void test_use(void **state)
{
	struct mapped_files *files = files_make();
	struct elf_writer writer;
	struct mapped_elf elf;
	struct mapped_file *file;
	auto_free char *line = NULL;
	struct proc_map map;
	char magic[4];

	(void)state;
	elf_writer_python(&writer, VERSION, 1);
	mapped_elf_save(&elf, &writer, "x");
	mapped_elf_map(&elf);
	map = mapped_elf_line(&elf, &line);
	file = get(files, &map);
	assert_int_equal(file->fd, -1);
	assert_false(file->is_used);
	mapped_file_use(file, (uint32_t)getpid(), map.start, map.end);
	assert_true(file->is_used);
	mapped_elf_remove(&elf);
	assert_int_equal(pread(file->fd, magic, 4, 0), 4);
	assert_memory_equal(magic, ELFMAG, 4);
	mapped_file_use(file, (uint32_t)getpid(), map.start, map.end);
	assert_int_equal(pread(file->fd, magic, 4, 0), 4);
	mapped_files_destroy(files);
}

static void test_not_files(void **state)
{
	static const char *const paths[] = {"", "[heap]", "[vdso]", "//anon", "//anon"};
	struct mapped_files *files = files_make();
	struct mapped_file *file;

	(void)state;
	for (size_t i = 0; i < array_size(paths); i++) {
		const struct proc_map map = {.path = paths[i]};
		const struct record_mmap mmap = {.path = paths[i], .inode = i};

		assert_int_equal(mapped_files_get(files, 1, &map, &file), -ENOENT);
		assert_int_equal(mapped_files_get_by_record(files, &mmap, &file), -ENOENT);
	}
	/* Nothing that tells it from other files. */
	assert_int_equal(
	    mapped_files_get_by_record(files, &(struct record_mmap){.path = "/x"}, &file), -ENOENT);
	mapped_files_destroy(files);
}

/* The process is gone, and no such path is here: known by what the record says, no more. */
static void test_gone(void **state)
{
	const struct mapped_elf elf = {.path = "/nowhere/libpython3.13.so.1.0"};
	struct mapped_files *files = files_make();
	struct mapped_file *file = get_by_record(files, &elf, &(struct proc_map){.inode = 77});

	(void)state;
	assert_false(file->is_readable);
	assert_null(file->runtime);
	assert_int_equal(file->build_id_nr, 0);
	assert_int_equal(file->identity.inode, 77);
	mapped_file_use(file, (uint32_t)getpid(), 0, 0);
	assert_true(file->is_used);
	assert_int_equal(file->fd, -1);
	mapped_files_destroy(files);
}

/* It could not be read when a process that is gone by now mapped it; the next one can be asked. */
static void test_readable_later(void **state)
{
	struct mapped_files *files = files_make();
	struct elf_writer writer;
	struct mapped_elf elf;
	struct mapped_file *file;
	char away[80];
	struct proc_map identity;

	(void)state;
	elf_writer_python(&writer, VERSION, 0x66);
	mapped_elf_save(&elf, &writer, "x");
	identity = identity_of(&elf);
	snprintf(away, sizeof(away), "%s.away", elf.path);
	assert_int_equal(rename(elf.path, away), 0);
	file = get_by_record(files, &elf, &identity);
	assert_false(file->is_readable);
	mapped_file_use(file, (uint32_t)getpid(), 0, 0);
	assert_int_equal(rename(away, elf.path), 0);
	assert_ptr_equal(get_by_record(files, &elf, &identity), file);
	assert_true(file->is_readable);
	assert_non_null(file->runtime);
	is_of_build(file, 0x66);
	mapped_file_use(file, (uint32_t)getpid(), 0, 0);
	assert_true(file->fd >= 0);
	mapped_files_destroy(files);
	mapped_elf_remove(&elf);
}

/* An upgrade put another file at the path of a running one: that one is not what is mapped. */
static void test_replaced(void **state)
{
	struct mapped_files *files = files_make();
	struct elf_writer writer;
	struct mapped_elf elf;
	struct mapped_file *file;
	struct proc_map identity;

	(void)state;
	elf_writer_python(&writer, VERSION, 0x22);
	mapped_elf_save(&elf, &writer, "x");
	identity = identity_of(&elf);
	for (int i = 0; i < 3; i++) {
		struct proc_map other = identity;

		other.inode += i == 0;
		other.device_minor += i == 1; /* inode numbers of file systems are alike */
		other.device_major += i == 2;
		file = get_by_record(files, &elf, &other);
		assert_false(file->is_readable);
		assert_null(file->runtime);
		assert_int_equal(file->build_id_nr, 0);
	}
	assert_ptr_not_equal(get_by_record(files, &elf, &identity), file);
	assert_true(get_by_record(files, &elf, &identity)->is_readable);
	mapped_files_destroy(files);
	mapped_elf_remove(&elf);
}

/* Written over in place: the same inode and path, and what was learned of it is no longer so. */
static void test_written_over(void **state)
{
	(void)state;
	for (int is_used = 0; is_used < 2; is_used++) {
		struct mapped_files *files = files_make();
		struct elf_writer writer;
		struct mapped_elf elf;
		struct mapped_file *file;
		struct proc_map identity;

		elf_writer_python(&writer, VERSION, 0x44);
		mapped_elf_save(&elf, &writer, "x");
		identity = identity_of(&elf);
		file = get_by_record(files, &elf, &identity);
		if (is_used)
			mapped_file_use(file, (uint32_t)getpid(), 0, 0);
		elf_writer_python(&writer, 0x030c00f0, 0x55);
		elf_writer_finish(&writer, SHT_DYNSYM);
		usleep(20000); /* more than a tick of the kernel's clock for files */
		assert_int_equal(elf_writer_save(&writer, elf.path), 0);
		elf_writer_deinit(&writer);
		assert_true(identity_of(&elf).inode == identity.inode);
		if (is_used) { /* what ran before ran the file as it was */
			assert_ptr_not_equal(get_by_record(files, &elf, &identity), file);
			is_of_build(file, 0x44);
		}
		file = get_by_record(files, &elf, &identity);
		mapped_file_use(file, (uint32_t)getpid(), 0, 0);
		is_of_build(file, 0x55);
		assert_true(file->fd >= 0);
		assert_ptr_equal(get_by_record(files, &elf, &identity), file);
		mapped_files_destroy(files);
		mapped_elf_remove(&elf);
	}
}

/* One that changes all the time is left alone in the end: what is not known is not told. */
static void test_always_changing(void **state)
{
	struct mapped_files *files = files_make();
	struct elf_writer writer;
	struct mapped_elf elf;
	struct mapped_file *file;
	struct proc_map identity;
	int changes_nr = 0;
	int error = 0;

	(void)state;
	elf_writer_python(&writer, VERSION, 0x44);
	mapped_elf_save(&elf, &writer, "x");
	identity = identity_of(&elf);
	mapped_file_use(get_by_record(files, &elf, &identity), (uint32_t)getpid(), 0, 0);
	while (!error && changes_nr < 100) {
		usleep(20000);
		assert_int_equal(chmod(elf.path, changes_nr++ % 2 ? 0600 : 0700), 0);
		identity.path = elf.path;
		error = mapped_files_get(files, (uint32_t)getpid(), &identity, &file);
	}
	assert_int_equal(error, -ENOENT);
	assert_int_equal(changes_nr, 17);
	mapped_files_destroy(files);
	mapped_elf_remove(&elf);
}

static void test_deleted(void **state)
{
	struct mapped_files *files = files_make();
	struct elf_writer writer;
	struct mapped_elf elf;
	struct mapped_file *file;
	struct proc_map map;

	(void)state;
	elf_writer_python(&writer, VERSION, 0x22);
	mapped_elf_save(&elf, &writer, "x");
	/* No mapping is there, so only the path could be opened; its inode was given out again. */
	map = identity_by_stat(elf.path);
	map.is_deleted = true;
	file = get(files, &map);
	assert_false(file->is_readable);
	assert_int_equal(file->build_id_nr, 0);
	mapped_files_destroy(files);
	mapped_elf_remove(&elf);
}

/* Files that are no ELF files, or would block: answered at once. */
static void test_other_files(void **state)
{
	struct mapped_files *files = files_make();
	char folder[] = "/tmp/pyrec-files-XXXXXX";
	char text[64], fifo[64];
	struct proc_map map;
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(text, sizeof(text), "%s/text", folder);
	snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
	file = fopen(text, "w");
	assert_non_null(file);
	fputs("\177ELF but not really", file);
	fclose(file);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	map = identity_by_stat(text);
	assert_false(get(files, &map)->is_readable);
	map = identity_by_stat(fifo);
	assert_false(get(files, &map)->is_readable);
	map = identity_by_stat(folder);
	assert_false(get(files, &map)->is_readable);
	mapped_files_destroy(files);
	unlink(text);
	unlink(fifo);
	rmdir(folder);
}

/* The same build at two places is two files: each is named as its process sees it. */
static void test_two_paths(void **state)
{
	struct mapped_files *files = files_make();
	struct elf_writer writer;
	struct mapped_elf one, two;

	(void)state;
	elf_writer_python(&writer, VERSION, 0x33);
	mapped_elf_save(&one, &writer, "x");
	elf_writer_python(&writer, VERSION, 0x33);
	mapped_elf_save(&two, &writer, "x");
	for (int i = 0; i < 2; i++) {
		struct mapped_elf *elf = i ? &two : &one;
		auto_free char *line = NULL;
		struct proc_map map;

		mapped_elf_map(elf);
		map = mapped_elf_line(elf, &line);
		assert_string_equal(get(files, &map)->path, elf->path);
	}
	mapped_files_destroy(files);
	mapped_elf_remove(&one);
	mapped_elf_remove(&two);
}

/* ---- Load bias ---- */

struct bias_check {
	struct mapped_files *files;
	struct dl_phdr_info object;
	size_t checked_nr;
};

/* The dynamic linker's own word for every object of this process. */
static int object_check(struct dl_phdr_info *object, size_t size, void *context)
{
	struct bias_check *check = context;
	auto_free char *text = NULL;
	char *line, *rest;
	size_t nr;

	(void)size;
	assert_int_equal(proc_file_read("/proc/self/maps", &text, &nr), 0);
	for (rest = text; (line = strsep(&rest, "\n")) != NULL && *line;) {
		uint64_t bias = 1;
		struct proc_map map;
		bool is_inside = false;

		assert_int_equal(proc_map_parse(line, &map), 0);
		for (int i = 0; i < object->dlpi_phnum; i++) {
			const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
			const uint64_t start = object->dlpi_addr + segment->p_vaddr;

			is_inside |= segment->p_type == PT_LOAD && segment->p_flags & PF_X &&
				     start >= map.start && start < map.end;
		}
		if (!is_inside || map.path[0] != '/')
			continue;
		assert_int_equal(
		    mapped_file_bias(get(check->files, &map), map.start, map.file_offset, &bias),
		    0);
		assert_int_equal(bias, object->dlpi_addr);
		check->checked_nr++;
	}
	return 0;
}

static void test_bias(void **state)
{
	struct bias_check check = {.files = files_make()};

	(void)state;
	dl_iterate_phdr(object_check, &check);
	assert_true(check.checked_nr >= 3); /* this program, libc, libcmocka */
	mapped_files_destroy(check.files);
}

/* lld's page sharing, and a file whose text does not begin at its start. */
static void test_bias_rows(void **state)
{
	struct elf_segment segments[] = {
	    {.file_offset = 0, .file_bytes = 0x5bc0, .vaddr = 0, .flags = PF_R},
	    {.file_offset = 0x5bc0, .file_bytes = 0x3000, .vaddr = 0x6bc0, .flags = PF_R | PF_X},
	    {.file_offset = 0x8bc0, .file_bytes = 0x10, .vaddr = 0xabc0, .flags = PF_R},
	    {.file_offset = 0x9000, .file_bytes = 0x1000, .vaddr = 0x400000, .flags = PF_X},
	};
	const struct mapped_file file = {.segments = segments, .segments_nr = 4};
	static const struct {
		uint64_t file_offset;
		uint64_t vaddr;
	} rows[] = {{0, 0},	      {0x1000, 0x1000}, {0x5000, 0x6000},
		    {0x6000, 0x7000}, {0x8000, 0x9000}, {0x9000, 0x400000}};
	uint64_t bias;

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		assert_int_equal(mapped_file_bias(&file, 0x7f0000000000 + rows[i].vaddr,
						  rows[i].file_offset, &bias),
				 0);
		assert_int_equal(bias, 0x7f0000000000);
	}
	assert_int_equal(mapped_file_bias(&file, 0x7f0000000000, 0xa000, &bias), -ENOENT);
	assert_int_equal(mapped_file_bias(&(struct mapped_file){0}, 0x7f0000000000, 0, &bias),
			 -ENOENT);
}

static int visit_until(void *context, struct mapped_file *file)
{
	int *left = context;

	assert_non_null(file);
	return --*left == 0 ? 77 : 0;
}

static void test_visit(void **state)
{
	struct mapped_files *files = files_make();
	int left = 3;

	(void)state;
	assert_int_equal(mapped_files_visit(files, visit_until, &left), 0);
	for (uint8_t i = 1; i <= 5; i++) {
		struct mapped_elf elf = {0};

		snprintf(elf.path, sizeof(elf.path), "/nowhere/%u", i);
		get_by_record(files, &elf, &(struct proc_map){.inode = i});
		get_by_record(files, &elf, &(struct proc_map){.inode = i});
	}
	assert_int_equal(mapped_files_visit(files, visit_until, &left), 77);
	left = 100;
	assert_int_equal(mapped_files_visit(files, visit_until, &left), 0);
	assert_int_equal(left, 95);
	mapped_files_destroy(files);
	mapped_files_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_python),	   cmocka_unit_test(test_use),
	    cmocka_unit_test(test_not_files),	   cmocka_unit_test(test_gone),
	    cmocka_unit_test(test_readable_later), cmocka_unit_test(test_replaced),
	    cmocka_unit_test(test_written_over),   cmocka_unit_test(test_always_changing),
	    cmocka_unit_test(test_deleted),	   cmocka_unit_test(test_other_files),
	    cmocka_unit_test(test_two_paths),	   cmocka_unit_test(test_bias),
	    cmocka_unit_test(test_bias_rows),	   cmocka_unit_test(test_visit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
