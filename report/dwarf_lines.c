/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Three steps, each as late as possible: the ranges of all units, when the file is opened; the
 * ranges of the functions of one unit, when an address lies in it; the ranges of what is inlined
 * into one function, when an address lies in that. dwarf_getscopes() would walk a whole unit for
 * every address.
 */
#include "report/dwarf_lines.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "common/intern.h"
#include "common/strbuf.h"
#include "common/vec.h"

enum {
	SCOPES_DEPTH_MAX = 200, /* of entries inside one another */
	CLOCK_INTERVAL = 1024,	/* entries between two looks at the clock: a system call */
};

/* gcc, libpython: 10 ms. What takes longer than this is not what compilers write. */
#define TIME_NS_MAX UINT64_C(3000000000)

#define NO_SCOPE UINT32_MAX

struct pc_range {
	uint64_t start;
	uint64_t end;
	uint64_t reach; /* the largest end up to here, in order of start */
	uint32_t of;	/* index of what it is a range of */
};

VEC_DEFINE(pc_ranges, struct pc_range)

/* A function inlined into another; the first one of a function is that itself. */
struct scope {
	Dwarf_Die die;
	uint32_t parent; /* NO_SCOPE: none */
	uint32_t depth;
};

VEC_DEFINE(scopes, struct scope)

struct function {
	Dwarf_Die die;
	bool is_walked;
	struct scopes scopes; /* parents before their children */
	struct pc_ranges ranges;
};

VEC_DEFINE(functions, struct function)

struct unit {
	Dwarf_Die die;
	bool is_walked;
	bool is_searched; /* for functions inside functions too */
	bool is_in_c;	  /* where types have no functions */
	struct functions functions;
	struct pc_ranges ranges;
};

VEC_DEFINE(units, struct unit)

struct dwarf_lines {
	int fd;
	int alt_fd;
	Elf *elf;
	Elf *alt_elf;
	Dwarf *dwarf;
	Dwarf *alt;
	struct units units;
	struct pc_ranges ranges; /* of units */
	struct intern files;	 /* paths that were put together */
	struct source_frame frames[SOURCE_FRAMES_NR_MAX];
	uint64_t spent_ns;
	uint64_t begin_ns; /* of the call at work */
	uint32_t ticks_nr;
};

/* ---- Time ---- */

/* CPU time, so that what is found does not depend on what else the machine does. */
static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool is_late(struct dwarf_lines *lines)
{
	return lines->ticks_nr++ % CLOCK_INTERVAL == 0 &&
	       lines->spent_ns + (now_ns() - lines->begin_ns) > TIME_NS_MAX;
}

/* ---- Ranges ---- */

static int compare_ranges(const void *a, const void *b)
{
	const struct pc_range *left = a;
	const struct pc_range *right = b;

	if (left->start != right->start)
		return left->start < right->start ? -1 : 1;
	/* Of two that begin together the larger first: the other one lies in it. */
	if (left->end != right->end)
		return left->end > right->end ? -1 : 1;
	return left->of < right->of ? -1 : left->of > right->of;
}

static void ranges_sort(struct pc_ranges *ranges)
{
	uint64_t reach = 0;

	if (ranges->nr)
		qsort(ranges->items, ranges->nr, sizeof(*ranges->items), compare_ranges);
	for (size_t i = 0; i < ranges->nr; i++) {
		reach = ranges->items[i].end > reach ? ranges->items[i].end : reach;
		ranges->items[i].reach = reach;
	}
}

/* The range around @vaddr that begins last; -1: none. */
static int64_t ranges_find(const struct pc_ranges *ranges, uint64_t vaddr)
{
	size_t low = 0;
	size_t high = ranges->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges->items[middle].start <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	while (low-- > 0 && ranges->items[low].reach > vaddr)
		if (ranges->items[low].end > vaddr)
			return (int64_t)low;
	return -1;
}

/* Linkers leave what they dropped at 0 or 1. */
static int ranges_take(struct pc_ranges *ranges, Dwarf_Die *die, uint32_t of)
{
	Dwarf_Addr base = 0;
	Dwarf_Addr start;
	Dwarf_Addr end;
	ptrdiff_t at = 0;
	int error = 0;

	while (!error && (at = dwarf_ranges(die, at, &base, &start, &end)) > 0)
		if (start > 1 && start < end)
			error = pc_ranges_append(
			    ranges, (struct pc_range){.start = start, .end = end, .of = of});
	return error;
}

/* ---- Units ---- */

static bool is_c(int language)
{
	return language == DW_LANG_C89 || language == DW_LANG_C || language == DW_LANG_C99 ||
	       language == DW_LANG_C11;
}

static int lines_read_units(struct dwarf_lines *lines)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	uint8_t type;
	int error = 0;

	while (!error && dwarf_get_units(lines->dwarf, cu, &cu, NULL, &type, &die, NULL) == 0) {
		const struct unit unit = {.die = die, .is_in_c = is_c(dwarf_srclang(&die))};

		if (is_late(lines))
			return -ETIME;
		if (type != DW_UT_compile || dwarf_tag(&die) != DW_TAG_compile_unit)
			continue;
		error = units_append(&lines->units, unit);
		if (!error)
			error = ranges_take(&lines->ranges, &die, (uint32_t)lines->units.nr - 1);
	}
	ranges_sort(&lines->ranges);
	return error;
}

static void unit_deinit(struct unit *unit)
{
	for (size_t i = 0; i < unit->functions.nr; i++) {
		scopes_deinit(&unit->functions.items[i].scopes);
		pc_ranges_deinit(&unit->functions.items[i].ranges);
	}
	functions_deinit(&unit->functions);
	pc_ranges_deinit(&unit->ranges);
}

/* ---- Open ---- */

static int dwarf_open(int fd, int *own_fd, Elf **elf, Dwarf **ret)
{
	*own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (*own_fd < 0)
		return -errno;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOTSUP;
	/* Mapped: a debug file may be larger than what is to be kept of it in memory. */
	*elf = elf_begin(*own_fd, ELF_C_READ_MMAP, NULL);
	if (!*elf || elf_kind(*elf) != ELF_K_ELF)
		return -ENOEXEC;
	*ret = dwarf_begin_elf(*elf, DWARF_C_READ, NULL);
	return *ret ? 0 : -ENOENT;
}

int dwarf_lines_open(int fd, int alt_fd, struct dwarf_lines **ret)
{
	struct dwarf_lines *lines = calloc(1, sizeof(*lines));
	int error;

	if (!lines)
		return -ENOMEM;
	lines->fd = lines->alt_fd = -1;
	lines->begin_ns = now_ns();
	error = dwarf_open(fd, &lines->fd, &lines->elf, &lines->dwarf);
	if (!error && alt_fd >= 0 &&
	    dwarf_open(alt_fd, &lines->alt_fd, &lines->alt_elf, &lines->alt) == 0)
		dwarf_setalt(lines->dwarf, lines->alt);
	if (!error)
		error = lines_read_units(lines);
	if (!error && !lines->units.nr)
		error = -ENOENT;
	if (error) {
		dwarf_lines_close(lines);
		return error;
	}
	lines->spent_ns = now_ns() - lines->begin_ns;
	*ret = lines;
	return 0;
}

void dwarf_lines_close(struct dwarf_lines *lines)
{
	if (!lines)
		return;
	for (size_t i = 0; i < lines->units.nr; i++)
		unit_deinit(&lines->units.items[i]);
	units_deinit(&lines->units);
	pc_ranges_deinit(&lines->ranges);
	intern_deinit(&lines->files);
	dwarf_end(lines->dwarf);
	dwarf_end(lines->alt);
	elf_end(lines->elf);
	elf_end(lines->alt_elf);
	if (lines->fd >= 0)
		close(lines->fd);
	if (lines->alt_fd >= 0)
		close(lines->alt_fd);
	free(lines);
}

/* ---- Functions of a unit ---- */

/* Entries below which there may be functions. */
static bool holds_functions(const struct unit *unit, int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_module ||
	       (!unit->is_in_c && (tag == DW_TAG_class_type || tag == DW_TAG_structure_type ||
				   tag == DW_TAG_union_type));
}

static int unit_take_function(struct unit *unit, Dwarf_Die *die)
{
	const size_t ranges_nr = unit->ranges.nr;
	const struct function function = {.die = *die};
	int error = ranges_take(&unit->ranges, die, (uint32_t)unit->functions.nr);

	if (error || unit->ranges.nr == ranges_nr)
		return error;
	return functions_append(&unit->functions, function);
}

static int unit_walk(struct dwarf_lines *lines, struct unit *unit, Dwarf_Die *parent,
		     unsigned int depth)
{
	Dwarf_Die die;
	int error = 0;

	if (depth >= SCOPES_DEPTH_MAX || dwarf_child(parent, &die))
		return 0;
	do {
		const int tag = dwarf_tag(&die);

		if (is_late(lines))
			return -ETIME;
		if (tag == DW_TAG_subprogram)
			error = unit_take_function(unit, &die);
		else if (holds_functions(unit, tag))
			error = unit_walk(lines, unit, &die, depth + 1);
	} while (!error && dwarf_siblingof(&die, &die) == 0);
	return error;
}

/*
 * Functions inside functions (GNU C, methods of local classes) are functions of their own here.
 * Their code is not in the outer one's ranges, so they are looked for only when an address is in
 * none.
 */
static int unit_search_functions(struct dwarf_lines *lines, struct unit *unit)
{
	int error = 0;

	unit->is_searched = true;
	for (size_t i = 0; i < unit->functions.nr && !error; i++) {
		Dwarf_Die outer = unit->functions.items[i].die;

		error = unit_walk(lines, unit, &outer, 1);
	}
	ranges_sort(&unit->ranges);
	return error;
}

static struct function *unit_find_function(struct unit *unit, uint64_t vaddr)
{
	const int64_t range = ranges_find(&unit->ranges, vaddr);

	return range < 0 ? NULL : &unit->functions.items[unit->ranges.items[range].of];
}

/* ---- What is inlined into a function ---- */

static int function_add_scope(struct function *function, Dwarf_Die *die, uint32_t parent)
{
	const struct scope scope = {
	    .die = *die,
	    .parent = parent,
	    .depth = parent == NO_SCOPE ? 0 : function->scopes.items[parent].depth + 1,
	};
	const int error = scopes_append(&function->scopes, scope);

	return error ? error
		     : ranges_take(&function->ranges, die, (uint32_t)function->scopes.nr - 1);
}

static int function_walk(struct dwarf_lines *lines, struct function *function, Dwarf_Die *parent,
			 uint32_t scope, unsigned int depth)
{
	Dwarf_Die die;
	int error = 0;

	if (depth >= SCOPES_DEPTH_MAX || dwarf_child(parent, &die))
		return 0;
	do {
		const int tag = dwarf_tag(&die);
		uint32_t inner = scope;

		if (is_late(lines))
			return -ETIME;
		if (tag == DW_TAG_inlined_subroutine) {
			error = function_add_scope(function, &die, scope);
			inner = (uint32_t)function->scopes.nr - 1;
		}
		if (!error && (inner != scope || tag == DW_TAG_lexical_block ||
			       tag == DW_TAG_try_block || tag == DW_TAG_catch_block))
			error = function_walk(lines, function, &die, inner, depth + 1);
	} while (!error && dwarf_siblingof(&die, &die) == 0);
	return error;
}

/* The innermost scope around @vaddr. */
static uint32_t function_find_scope(const struct function *function, uint64_t vaddr)
{
	uint32_t found = 0;

	for (size_t i = 0; i < function->ranges.nr; i++) {
		const struct pc_range *range = &function->ranges.items[i];

		if (range->start <= vaddr && vaddr < range->end &&
		    function->scopes.items[range->of].depth > function->scopes.items[found].depth)
			found = range->of;
	}
	return found;
}

/* ---- Names, files, lines ---- */

static const char *die_text(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;

	return dwarf_formstring(dwarf_attr_integrate(die, name, &attribute));
}

static const char *die_function(Dwarf_Die *die)
{
	const char *name = die_text(die, DW_AT_linkage_name);

	if (!name)
		name = die_text(die, DW_AT_MIPS_linkage_name);
	return name ? name : die_text(die, DW_AT_name);
}

static uint64_t die_number(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word ret;

	return dwarf_formudata(dwarf_attr(die, name, &attribute), &ret) ? 0 : ret;
}

/* What compilers were given is relative to the folder that they ran in. */
static const char *lines_path(struct dwarf_lines *lines, struct unit *unit, const char *file)
{
	auto_strbuf struct strbuf path = {0};
	Dwarf_Attribute attribute;
	const char *folder;

	if (!file || file[0] == '/')
		return file;
	folder = dwarf_formstring(dwarf_attr(&unit->die, DW_AT_comp_dir, &attribute));
	if (!folder)
		return file;
	strbuf_append_format(&path, "%s/%s", folder, file);
	return path.error ? NULL : intern_text(&lines->files, strbuf_text(&path));
}

static void frame_set_line(struct dwarf_lines *lines, struct unit *unit, uint64_t vaddr,
			   struct source_frame *frame)
{
	Dwarf_Line *line = dwarf_getsrc_die(&unit->die, vaddr);
	int number;

	if (!line || dwarf_lineno(line, &number) || number <= 0)
		return;
	frame->file = lines_path(lines, unit, dwarf_linesrc(line, NULL, NULL));
	frame->line = frame->file ? (uint32_t)number : 0;
}

/* Where @inlined, a scope that is inlined, was called. */
static void frame_set_call(struct dwarf_lines *lines, struct unit *unit, Dwarf_Die *inlined,
			   struct source_frame *frame)
{
	const uint64_t file = die_number(inlined, DW_AT_call_file);
	const uint64_t line = die_number(inlined, DW_AT_call_line);
	Dwarf_Files *files;
	size_t files_nr;

	if (!line || line > INT32_MAX || dwarf_getsrcfiles(&unit->die, &files, &files_nr) ||
	    file >= files_nr)
		return;
	frame->file = lines_path(lines, unit, dwarf_filesrc(files, file, NULL, NULL));
	frame->line = frame->file ? (uint32_t)line : 0;
}

static int lines_put_frames(struct dwarf_lines *lines, struct unit *unit, struct function *function,
			    uint64_t vaddr, bool with_files)
{
	uint32_t scope = function_find_scope(function, vaddr);
	Dwarf_Die *inner = NULL;
	int nr = 0;

	if (function->scopes.items[scope].depth >= SOURCE_FRAMES_NR_MAX)
		return 0;
	for (; scope != NO_SCOPE; scope = function->scopes.items[scope].parent) {
		Dwarf_Die *die = &function->scopes.items[scope].die;
		struct source_frame *frame = &lines->frames[nr++];

		*frame = (struct source_frame){.function = die_function(die)};
		if (with_files && inner)
			frame_set_call(lines, unit, inner, frame);
		else if (with_files)
			frame_set_line(lines, unit, vaddr, frame);
		inner = die;
	}
	return nr;
}

static int lines_find_in_unit(struct dwarf_lines *lines, struct unit *unit, uint64_t vaddr,
			      bool with_files)
{
	struct function *function;
	int error = 0;

	if (!unit->is_walked) {
		unit->is_walked = true;
		error = unit_walk(lines, unit, &unit->die, 0);
		ranges_sort(&unit->ranges);
	}
	function = error ? NULL : unit_find_function(unit, vaddr);
	if (!error && !function && !unit->is_searched) {
		error = unit_search_functions(lines, unit);
		function = error ? NULL : unit_find_function(unit, vaddr);
	}
	if (function && !function->is_walked) {
		function->is_walked = true;
		error = function_add_scope(function, &function->die, NO_SCOPE);
		if (!error)
			error = function_walk(lines, function, &function->die, 0, 0);
	}
	if (error)
		return error;
	if (function)
		return lines_put_frames(lines, unit, function, vaddr, with_files);
	/* Assembly has lines, and mostly no functions. */
	lines->frames[0] = (struct source_frame){0};
	if (with_files)
		frame_set_line(lines, unit, vaddr, &lines->frames[0]);
	return lines->frames[0].line ? 1 : 0;
}

int dwarf_lines_find(struct dwarf_lines *lines, uint64_t vaddr, bool with_files,
		     const struct source_frame **ret)
{
	const int64_t range = ranges_find(&lines->ranges, vaddr);
	int nr;

	if (range < 0)
		return 0;
	if (lines->spent_ns > TIME_NS_MAX)
		return -ETIME;
	lines->begin_ns = now_ns();
	nr = lines_find_in_unit(lines, &lines->units.items[lines->ranges.items[range].of], vaddr,
				with_files);
	/* What was found in part only is no answer the next time either. */
	lines->spent_ns = nr < 0 ? TIME_NS_MAX + 1 : lines->spent_ns + now_ns() - lines->begin_ns;
	*ret = lines->frames;
	return nr;
}
