/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/native/libunwind_walk.h"

#include <errno.h>
#include <libunwind.h>

#include "common/hash.h"
#include "report/cfi_frames.h"
#include "report/module.h"

/*
 * libunwind exports the search of a table like .eh_frame_hdr's but does not declare it
 * (src/dwarf/Gfind_proc_info-lsb.c, 1.6.2; perf declares it so too).
 */
extern int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t as, unw_word_t ip,
					      unw_dyn_info_t *di, unw_proc_info_t *info,
					      int needs_unwind_info, void *arg);

/* Where libunwind believes its search table to be: no user stack lies in kernel addresses. */
#define SEARCH_TABLE_ADDRESS UINT64_C(0xffff900000000000)

/* One row of .eh_frame_hdr's table, relative to the start of .eh_frame. */
struct search_entry {
	int32_t start;
	int32_t fde;
};

struct scanned_module {
	const struct module *module;
	struct cfi_frames frames;
	UT_hash_handle hh;
};

struct libunwind_stepper {
	unw_addr_space_t address_space;
	struct scanned_module *modules;

	/* The frame in work. */
	const struct address_space *space;
	const struct stack_dump *dump;
	const struct unwind_registers *registers;
	uint64_t lookup_ip; /* what rip reads as */
	const struct cfi_frames *frames;
	uint64_t section_address;
	struct search_entry entry;
	bool is_searching;
	bool is_out_of_memory;
};

/* -- where the FDEs are -- */

static struct scanned_module *stepper_scan(struct libunwind_stepper *stepper, struct module *module)
{
	const struct bundle_module *contents = module_contents(module);
	struct scanned_module *scanned;

	HASH_FIND_PTR(stepper->modules, &module, scanned);
	if (scanned || !contents)
		return scanned;
	scanned = calloc(1, sizeof(*scanned));
	if (!scanned) {
		stepper->is_out_of_memory = true;
		return NULL;
	}
	scanned->module = module;
	if (cfi_frames_scan(contents, &scanned->frames) == -ENOMEM)
		stepper->is_out_of_memory = true;
	HASH_ADD_PTR(stepper->modules, module, scanned);
	if (!scanned->hh.tbl) {
		stepper->is_out_of_memory = true;
		cfi_frames_deinit(&scanned->frames);
		free(scanned);
		return NULL;
	}
	return scanned;
}

static bool stepper_find_fde(struct libunwind_stepper *stepper, uint64_t ip, struct cfi_fde *ret,
			     uint64_t *bias)
{
	const struct mapping *mapping = address_space_find(stepper->space, ip);
	struct scanned_module *scanned;
	uint64_t vaddr;

	if (!mapping || !mapping->module ||
	    module_vaddr(mapping->module, ip - mapping->start + mapping->file_offset, &vaddr))
		return false;
	scanned = stepper_scan(stepper, mapping->module);
	if (!scanned)
		return false;
	*bias = ip - vaddr;
	stepper->frames = &scanned->frames;
	return cfi_frames_find(&scanned->frames, vaddr, ret) == 0;
}

static int find_proc_info(unw_addr_space_t as, unw_word_t ip, unw_proc_info_t *info,
			  int needs_unwind_info, void *arg)
{
	struct libunwind_stepper *stepper = arg;
	unw_dyn_info_t table = {.format = UNW_INFO_FORMAT_REMOTE_TABLE};
	uint64_t bias = 0;
	struct cfi_fde fde;
	int64_t start;
	int ret;

	if (!stepper_find_fde(stepper, ip, &fde, &bias))
		return -UNW_ENOINFO;
	stepper->section_address = stepper->frames->section_vaddr + bias;
	start = (int64_t)(fde.start + bias - stepper->section_address);
	if (start != (int32_t)start || fde.offset > INT32_MAX)
		return -UNW_ENOINFO;
	stepper->entry = (struct search_entry){(int32_t)start, (int32_t)fde.offset};
	table.start_ip = fde.start + bias;
	table.end_ip = fde.end + bias;
	table.u.rti.segbase = stepper->section_address;
	table.u.rti.table_data = SEARCH_TABLE_ADDRESS;
	table.u.rti.table_len = sizeof(stepper->entry) / sizeof(unw_word_t);
	stepper->is_searching = true;
	ret = UNW_OBJ(dwarf_search_unwind_table)(as, ip, &table, info, needs_unwind_info, arg);
	stepper->is_searching = false;
	return ret;
}

static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *info, void *arg)
{
	(void)as;
	(void)info;
	(void)arg;
}

/* -- memory and registers -- */

/* libunwind reads whole words; the section's first and last one may stick out of it. */
static bool section_read(const struct libunwind_stepper *stepper, uint64_t address, uint64_t *ret)
{
	uint64_t offset = address - stepper->section_address;
	uint8_t word[sizeof(*ret)] = {0};
	bool is_inside = false;

	if (!stepper->frames)
		return false;
	for (unsigned int i = 0; i < sizeof(word); i++) {
		if (offset + i >= stepper->frames->section_nr)
			continue;
		word[i] = stepper->frames->section[offset + i];
		is_inside = true;
	}
	memcpy(ret, word, sizeof(word));
	return is_inside;
}

static int access_mem(unw_addr_space_t as, unw_word_t address, unw_word_t *value, int is_write,
		      void *arg)
{
	struct libunwind_stepper *stepper = arg;

	(void)as;
	if (is_write)
		return -UNW_EINVAL;
	if (stack_dump_read(stepper->dump, address, value))
		return 0;
	if (address == SEARCH_TABLE_ADDRESS) {
		memcpy(value, &stepper->entry, sizeof(*value));
		return 0;
	}
	if (section_read(stepper, address, value))
		return 0;
	/* The CIE's personality routine stands in data that is not here; any but 0 will do. */
	*value = 1;
	return stepper->is_searching ? 0 : -UNW_EINVAL;
}

/* libunwind's numbers of the x86-64 registers are DWARF's. */
static int access_reg(unw_addr_space_t as, unw_regnum_t number, unw_word_t *value, int is_write,
		      void *arg)
{
	const struct libunwind_stepper *stepper = arg;

	(void)as;
	if (is_write || number < 0 || number >= DWARF_REGISTERS_NR ||
	    !register_is_known(stepper->registers, (unsigned int)number))
		return -UNW_EBADREG;
	*value = number == DWARF_RIP ? stepper->lookup_ip : stepper->registers->values[number];
	return 0;
}

static int access_fpreg(unw_addr_space_t as, unw_regnum_t number, unw_fpreg_t *value, int is_write,
			void *arg)
{
	(void)as;
	(void)number;
	(void)value;
	(void)is_write;
	(void)arg;
	return -UNW_EBADREG;
}

static int get_dyn_info_list_addr(unw_addr_space_t as, unw_word_t *address, void *arg)
{
	(void)as;
	(void)address;
	(void)arg;
	return -UNW_ENOINFO;
}

static int resume(unw_addr_space_t as, unw_cursor_t *cursor, void *arg)
{
	(void)as;
	(void)cursor;
	(void)arg;
	return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t as, unw_word_t ip, char *name, size_t nr,
			 unw_word_t *offset, void *arg)
{
	(void)as;
	(void)ip;
	(void)name;
	(void)nr;
	(void)offset;
	(void)arg;
	return -UNW_ENOINFO;
}

/* -- steps -- */

int libunwind_stepper_create(struct libunwind_stepper **ret)
{
	unw_accessors_t accessors = {
	    .find_proc_info = find_proc_info,
	    .put_unwind_info = put_unwind_info,
	    .get_dyn_info_list_addr = get_dyn_info_list_addr,
	    .access_mem = access_mem,
	    .access_reg = access_reg,
	    .access_fpreg = access_fpreg,
	    .resume = resume,
	    .get_proc_name = get_proc_name,
	};
	struct libunwind_stepper *stepper = calloc(1, sizeof(*stepper));

	if (!stepper)
		return -ENOMEM;
	stepper->address_space = unw_create_addr_space(&accessors, 0);
	if (!stepper->address_space) {
		free(stepper);
		return -ENOMEM;
	}
	/* One stepper serves many processes: an address means something else in each. */
	unw_set_caching_policy(stepper->address_space, UNW_CACHE_NONE);
	*ret = stepper;
	return 0;
}

void libunwind_stepper_destroy(struct libunwind_stepper *stepper)
{
	struct scanned_module *scanned;
	struct scanned_module *next;

	if (!stepper)
		return;
	HASH_ITER (hh, stepper->modules, scanned, next) {
		HASH_DEL(stepper->modules, scanned);
		cfi_frames_deinit(&scanned->frames);
		free(scanned);
	}
	unw_destroy_addr_space(stepper->address_space);
	free(stepper);
}

static int stepper_begin(struct libunwind_stepper *stepper, const struct address_space *space,
			 const struct stack_dump *dump, const struct unwind_registers *registers,
			 uint64_t lookup_ip, unw_cursor_t *cursor)
{
	stepper->space = space;
	stepper->dump = dump;
	stepper->registers = registers;
	stepper->lookup_ip = lookup_ip;
	stepper->frames = NULL;
	stepper->is_out_of_memory = false;
	return unw_init_remote(cursor, stepper->address_space, stepper) ? -EFAULT : 0;
}

static int read_caller(unw_cursor_t *cursor, struct unwind_registers *ret)
{
	*ret = (struct unwind_registers){0};
	for (unsigned int number = 0; number < DWARF_REGISTERS_NR; number++) {
		unw_word_t value;

		if (number != DWARF_RSP && number != DWARF_RIP && !(DWARF_KEPT_MASK >> number & 1))
			continue;
		if (unw_get_reg(cursor, (unw_regnum_t)number, &value) == 0)
			register_set(ret, number, value);
	}
	return register_is_known(ret, DWARF_RSP) && register_is_known(ret, DWARF_RIP) ? 0 : -EFAULT;
}

int libunwind_step(struct libunwind_stepper *stepper, const struct address_space *space,
		   const struct stack_dump *dump, bool is_return_address,
		   struct unwind_registers *registers)
{
	uint64_t lookup_ip = registers->values[DWARF_RIP] - is_return_address;
	struct unwind_registers caller;
	unw_cursor_t cursor;
	struct cfi_fde fde;
	uint64_t bias;
	int error = stepper_begin(stepper, space, dump, registers, lookup_ip, &cursor);

	if (error)
		return error;
	/* Without an FDE libunwind would guess. */
	if (!stepper_find_fde(stepper, lookup_ip, &fde, &bias))
		return stepper->is_out_of_memory ? -ENOMEM : -ENOENT;
	if (unw_step(&cursor) <= 0)
		return -EFAULT;
	error = read_caller(&cursor, &caller);
	if (!error)
		*registers = caller;
	return error;
}

int libunwind_walk(struct libunwind_stepper *stepper, const struct address_space *space,
		   const struct stack_dump *dump, bool is_return_address,
		   const struct unwind_registers *registers, struct libunwind_frame *frames,
		   unsigned int max)
{
	unw_proc_info_t info;
	uint64_t lookup_ip = registers->values[DWARF_RIP] - is_return_address;
	unw_cursor_t cursor;
	unw_word_t ip;
	int nr = 0;
	int error = stepper_begin(stepper, space, dump, registers, lookup_ip, &cursor);

	if (error)
		return error;
	do {
		if (unw_get_reg(&cursor, UNW_REG_IP, &ip) || ip == 0)
			break;
		frames[nr].pc = nr ? ip : ip + is_return_address;
		frames[nr].has_personality = unw_get_proc_info(&cursor, &info) == 0 &&
					     info.handler != 0;
		nr++;
	} while ((unsigned int)nr < max && unw_step(&cursor) > 0);
	return nr;
}
