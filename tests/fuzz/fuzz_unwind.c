/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Registers and a stack from the fuzzer, in the code of real files: what this program itself has
 * mapped, at the addresses where it has it. The input: 24 registers, then the stack, in words; the
 * highest byte of a word may make it an address in one of the files or of the stack.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "common/bytes.h"
#include "report/module.h"
#include "report/unwind.h"

#define STACK UINT64_C(0x7ffd00000000)

enum { REGISTERS_NR = 24, STACK_WORDS_MAX = 8192, FILES_MAX = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t nr);

struct place {
	struct modules *modules;
	struct address_space space;
	struct mapping files[FILES_MAX];
	uint32_t files_nr;
	struct unwinder *unwinder;
};

static void check(bool is_right)
{
	if (!is_right)
		abort();
}

/* A line of /proc/self/maps. */
static void place_add(struct place *place, const char *line)
{
	struct mapping mapping = {.is_executable = true};
	char permissions[8];
	char path[512] = "";

	if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %511s", &mapping.start, &mapping.end, permissions,
		   &mapping.file_offset, path) != 5 ||
	    permissions[2] != 'x' || place->files_nr == FILES_MAX ||
	    (path[0] != '/' && strcmp(path, "[vdso]") != 0))
		return;
	mapping.module = modules_get(place->modules, NULL, 0, path);
	check(mapping.module);
	check(address_space_insert(&place->space, &mapping) == 0);
	place->files[place->files_nr++] = mapping;
}

static void place_init(struct place *place)
{
	struct utsname here;
	const struct modules_options options = {.use_local_files = true,
						.os_release = here.release};
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[1024];

	check(maps && uname(&here) == 0 && modules_create(&options, &place->modules) == 0 &&
	      unwinder_create(&place->unwinder) == 0);
	while (fgets(line, sizeof(line), maps))
		place_add(place, line);
	fclose(maps);
	check(place->files_nr > 2);
}

static uint64_t word_make(const struct place *place, uint64_t word)
{
	const uint64_t kind = word >> 56;
	const uint64_t rest = word & 0xffffffffff;
	const struct mapping *file = &place->files[kind % place->files_nr];

	if (kind == 0 || kind >= 0xf0)
		return word;
	if (kind >= 0x80)
		return STACK + rest % (STACK_WORDS_MAX * 8 + 64);
	return file->start + rest % (file->end - file->start + 1);
}

static void check_stack(const struct native_stack *stack)
{
	check(stack->nr >= 1 && stack->nr <= UNWIND_FRAMES_MAX);
	for (uint32_t i = 1; i < stack->nr; i++) {
		const struct native_frame *frame = &stack->frames[i];

		check(frame->flags & NATIVE_FRAME_INTERRUPTED || frame->sp > frame[-1].sp);
		check(frame->mapping || frame->flags & NATIVE_FRAME_INTERRUPTED);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t nr)
{
	static struct place place;
	static uint64_t words[STACK_WORDS_MAX];
	struct bytes_cursor input = bytes_cursor_make(bytes, nr);
	uint64_t regs[REGISTERS_NR];
	struct record_sample sample = {
	    .regs_abi = PERF_SAMPLE_REGS_ABI_64, .regs = regs, .stack = (const uint8_t *)words};
	struct native_stack stack;
	uint64_t words_nr = 0;

	if (!place.unwinder)
		place_init(&place);
	for (unsigned int i = 0; i < REGISTERS_NR; i++)
		regs[i] = word_make(&place, bytes_get_u64(&input));
	if (input.failed)
		return 0;
	while (words_nr < STACK_WORDS_MAX && bytes_left(&input) >= 8)
		words[words_nr++] = word_make(&place, bytes_get_u64(&input));
	sample.stack_bytes = words_nr * 8 + bytes_left(&input) % 8;
	if (regs[7] >> 56 != 0xff)
		regs[7] = STACK;
	check(unwinder_run(place.unwinder, &place.space, (1 << REGISTERS_NR) - 1, &sample,
			   &stack) == 0);
	check_stack(&stack);
	return 0;
}
