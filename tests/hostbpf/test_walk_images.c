/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The BPF walk (bpf/py_walk.h) as plain C over images of real processes, one for each
 * interpreter found; the interpreter itself says which frames there are. Then the same images with
 * words damaged: whatever the memory holds, the walk ends and stays inside its arrays (ASan).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/pyrec_bpf.h"
#include "common/vec.h"
#include "record/code_reader.h"
#include "tests/hostbpf/process_image.h"

enum { READS_KEPT = 4096, DAMAGED_WALKS = 3000, PAGED_OUT_WALKS = 64 };

static struct process_image *image;
static uint64_t reads[READS_KEPT]; /* addresses of the latest walk */
static size_t reads_nr;
static size_t paged_out_at = SIZE_MAX; /* which of the reads fails */

static long read_user(void *to, __u32 nr, __u64 from)
{
	const uint8_t *bytes = process_image_at(image, from, nr);

	if (reads_nr < READS_KEPT)
		reads[reads_nr++] = from;
	if (!bytes || reads_nr - 1 == paged_out_at)
		return -EFAULT;
	memcpy(to, bytes, nr);
	return 0;
}

#include "bpf/py_walk.h"
#include "bpf/py_code.h"

struct subject {
	struct target target;
	struct process_image image;
	struct pyrec_process process;
	struct pyrec_layout layout;
};

static struct pyrec_frame frames[PYREC_FRAMES_MAX];
static struct pyrec_frame whole_frames[PYREC_FRAMES_MAX];

static uint32_t subject_walk(const struct subject *subject, uint64_t thread_pointer,
			     const struct thread_known *known, struct walk *walk)
{
	const uint64_t no_regs[PYREC_REGS_MAX] = {0};
	/* Its registers are not told: any address may lie on its stack. */
	const struct thread_place place = {.fs = thread_pointer, .stack_end = ~UINT64_C(0)};
	uint32_t flags = 0;

	reads_nr = 0;
	memset(walk, 0, sizeof(*walk));
	if (subject->layout.is_listed) {
		walk_begin_listed(walk, &subject->layout, &subject->process, thread_pointer, known,
				  &flags);
	} else {
		walk_begin(walk, &subject->layout, &subject->process, &place,
			   (const __u64 *)no_regs, 0, &flags);
	}
	for (int i = 0; i < PYREC_FRAMES_MAX + PYREC_THREADS_MAX; i++)
		if (walk_step(walk, &subject->layout, &subject->process, frames))
			break;
	return flags;
}

static uint64_t object_word(uint64_t object, uint16_t offset)
{
	uint64_t value = 0;

	assert_int_equal(read_user(&value, 8, object + offset), 0);
	return value;
}

/* A string object's text, found as BPF finds it for a code event. */
static void assert_text(const struct pyrec_layout *layout, uint64_t unicode, const char *expected)
{
	auto_strbuf struct strbuf text = {0};
	struct walk walk = {0};
	uint8_t *bytes;
	uint64_t nr;
	__u16 start;

	assert_int_equal(read_user(walk.object, pyrec_unicode_head_bytes(layout), unicode), 0);
	nr = walk_text_place(&walk, layout, &start);
	bytes = process_image_at(image, unicode + start, nr);
	assert_non_null(bytes);
	text_append_utf8(&text, bytes, nr, walk_text_unit(&walk, layout));
	assert_string_equal(strbuf_text(&text), expected);
}

static void assert_frame(const struct pyrec_layout *layout, const struct pyrec_frame *frame,
			 const struct target_frame *expected)
{
	struct walk walk = {0};

	assert_in_range(frame->instr + 1, expected->first_unit + 1, expected->last_unit + 1);
	if (layout->code_qualname)
		assert_text(layout, object_word(frame->address, layout->code_qualname),
			    expected->qualname);
	assert_text(layout, object_word(frame->address, layout->code_name), expected->name);
	assert_text(layout, object_word(frame->address, layout->code_file), expected->file);
	assert_int_equal((int32_t)object_word(frame->address, layout->code_first_line),
			 expected->first_line);
	assert_int_not_equal(walk_fingerprint(&walk, layout, frame->address, 0, 0), 0);
	assert_true(walk.facts.version || (walk.facts.text && walk.facts.content));
}

static void assert_thread(const struct subject *subject, const struct target_thread *thread,
			  const struct thread_known *known)
{
	struct walk walk;
	size_t at = 0;

	/* Each waits without the GIL, where there is one. */
	assert_int_equal(subject_walk(subject, thread->thread_pointer, known, &walk),
			 subject->process.flags & PYREC_PROCESS_NO_GIL ? 0
								       : PYREC_SAMPLE_GIL_KNOWN);
	assert_int_equal(walk.status, PYREC_WALK_COMPLETE);
	for (uint32_t i = 0; i < walk.nr; i++) {
		if (frames[i].instr == PYREC_INSTR_ENTRY)
			continue;
		assert_true(at < thread->nr);
		assert_frame(&subject->layout, &frames[i], &thread->frames[at++]);
	}
	assert_int_equal(at, thread->nr);
	/* The root of every thread is an activation of the evaluation loop. */
	if (!subject->layout.is_heap_frame)
		assert_int_equal(frames[walk.nr - 1].instr, PYREC_INSTR_ENTRY);
}

/* 2.7: what is known of a thread saves the search, unless it is of another thread or time. */
static void assert_known(const struct subject *subject, const struct target_thread *thread,
			 const struct target_thread *other)
{
	struct thread_known known = {0};
	struct walk walk;

	subject_walk(subject, thread->thread_pointer, &known, &walk);
	assert_true(reads_nr > 5); /* it was searched for */
	known.tstate = walk.tstate;
	known.interp = object_word(walk.tstate, subject->layout.tstate_interp);
	assert_int_equal(thread_known_state(&known, &subject->layout, &walk.place), walk.tstate);
	assert_thread(subject, thread, &known);
	assert_thread(subject, other, &known);
	known.interp += 8;
	assert_int_equal(thread_known_state(&known, &subject->layout, &walk.place), 0);
	assert_thread(subject, thread, &known);
	/* Not the pointer of any thread with a state. */
	subject_walk(subject, thread->thread_pointer + 8, &known, &walk);
	assert_int_equal(walk.status, PYREC_WALK_NO_THREAD_STATE);
}

static uint64_t vaddr_in(const struct process_image *whole, uint64_t vaddr)
{
	return vaddr ? whole->runtime_bias + vaddr : 0;
}

static int subject_create(const char *python, struct subject *ret)
{
	int error = target_start(python, &ret->target);

	if (!error)
		error = process_image_take(ret->target.pid, &ret->image);
	if (error || !ret->image.runtime || !ret->image.runtime->is_walkable)
		return error ? error : -ENOENT;
	image = &ret->image;
	ret->layout = ret->image.runtime->layout.walk;
	ret->process = (struct pyrec_process){
	    .musl_specific = ret->image.musl_specific,
	    .tls_kind = ret->image.runtime->tls_kind,
	    .tls_offset = ret->image.runtime->tls_offset,
	    .bound_offset = ret->image.runtime->bound_offset,
	    .tls_module_address = ret->image.runtime_bias + ret->image.runtime->tls_module_vaddr,
	    .current_address = vaddr_in(&ret->image, ret->image.runtime->current_vaddr),
	    .runtime_address = vaddr_in(&ret->image, ret->image.runtime->runtime_vaddr),
	    .runtime_bytes = ret->image.runtime->runtime_bytes,
	    .interpreters_address = vaddr_in(&ret->image, ret->image.runtime->interpreters_vaddr),
	    .key_address = vaddr_in(&ret->image, ret->image.runtime->key_vaddr),
	    .thread_list = vaddr_in(&ret->image, ret->image.runtime->thread_list_vaddr),
	    .flags = PYREC_PROCESS_HAS_STATE |
		     (ret->image.runtime->layout.has_plain_key ? PYREC_PROCESS_PLAIN_KEY : 0) |
		     (ret->image.runtime->has_bound ? PYREC_PROCESS_BOUND_TLS : 0) |
		     (ret->image.runtime->layout.is_free_threaded ? PYREC_PROCESS_NO_GIL : 0),
	};
	return 0;
}

static void subject_destroy(struct subject *subject)
{
	target_finish(&subject->target);
	process_image_deinit(&subject->image);
}

static void interpreters_add(glob_t *all, const char *folder, const char *pattern)
{
	char path[4096];

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/%s", folder, pattern);
	(void)glob(path, all->gl_pathc ? GLOB_APPEND : 0, NULL, all);
}

/*
 * The interpreters of this machine that have a layout; the unit tests cover the refusals.
 * PYTHON_TREES: the folder of the trees that tests/pythons unpacked.
 */
static void interpreters_find(glob_t *ret)
{
	const char *root = getenv("PYENV_ROOT");
	const char *trees = getenv("PYTHON_TREES");

	memset(ret, 0, sizeof(*ret));
	interpreters_add(ret, "/usr/bin", "python3.1[0-5]");
	interpreters_add(ret, root, "versions/2.7.*/bin/python2.7");
	interpreters_add(ret, root, "versions/3.[6-9].*/bin/python3");
	interpreters_add(ret, root, "versions/3.1[0-5].*/bin/python3");
	interpreters_add(ret, trees, "*/usr/bin/python2.7");
	interpreters_add(ret, trees, "*/usr/bin/python3.1[1-5]");
	interpreters_add(ret, trees, "*/usr/bin/python3.1[1-5]d");
	interpreters_add(ret, trees, "built-3.1[3-5]t*/bin/python3.1[3-5]t");
	interpreters_add(ret, trees, "built-*-musl*/bin/python3.1[1-5]");
}

/* With each interpreter in turn. */
static void subjects_visit(void (*visit)(struct subject *))
{
	glob_t pythons;

	interpreters_find(&pythons);
	assert_true(pythons.gl_pathc > 0);
	for (size_t i = 0; i < pythons.gl_pathc; i++) {
		struct subject subject = {0};

		print_message("  %s\n", pythons.gl_pathv[i]);
		assert_int_equal(subject_create(pythons.gl_pathv[i], &subject), 0);
		visit(&subject);
		subject_destroy(&subject);
	}
	globfree(&pythons);
}

static void check_frames(struct subject *subject)
{
	const struct thread_known nothing = {0};

	assert_int_equal(subject->target.nr, subject->layout.is_listed ? 7 : 6);
	for (size_t thread = 0; thread < subject->target.nr; thread++)
		assert_thread(subject, &subject->target.threads[thread], &nothing);
	if (subject->layout.is_listed)
		assert_known(subject, &subject->target.threads[0], &subject->target.threads[1]);
}

/* Threads without the GIL: recursion, generators, C callbacks, wide names, 3,900 frames. */
static void test_frames_are_the_interpreters_own(void **state)
{
	(void)state;
	subjects_visit(check_frames);
}

/* What is there before the interpreter has begun. */
static bool is_variable(const struct subject *subject, uint64_t address)
{
	const struct pyrec_process *process = &subject->process;

	return address == process->tls_module_address || address == process->current_address ||
	       address == process->interpreters_address || address == process->key_address ||
	       address == process->thread_list;
}

/* The read number @at fails: the walk tells which and shows nothing else than it would have. */
static void paged_out_walk(const struct subject *subject, const struct target_thread *thread,
			   size_t at, const struct walk *whole)
{
	const bool is_begun = subject->process.flags & PYREC_PROCESS_HAS_STATE;
	const struct thread_known nothing = {0};
	struct walk walk;

	paged_out_at = at;
	subject_walk(subject, thread->thread_pointer, &nothing, &walk);
	paged_out_at = SIZE_MAX;
	if (!is_begun && walk.status == PYREC_WALK_NO_THREAD_STATE) {
		assert_true(is_variable(subject, reads[at]));
		assert_int_equal(walk.nr, 0);
	} else if (walk.status != whole->status || walk.nr != whole->nr) {
		assert_int_equal(walk.status, PYREC_WALK_FAULTED);
		assert_in_range(walk.nr, 0, whole->nr);
		assert_in_range(walk.place.unread, reads[at], reads[at] + 8);
	}
	assert_memory_equal(frames, whole_frames, walk.nr * sizeof(frames[0]));
}

static void check_paged_out(struct subject *subject)
{
	const struct thread_known nothing = {0};

	for (size_t n = 0; n < subject->target.nr; n++) {
		const struct target_thread *thread = &subject->target.threads[n];
		size_t whole_reads_nr;
		struct walk whole;

		subject_walk(subject, thread->thread_pointer, &nothing, &whole);
		whole_reads_nr = reads_nr < PAGED_OUT_WALKS ? reads_nr : PAGED_OUT_WALKS;
		memcpy(whole_frames, frames, sizeof(frames));
		for (size_t at = 0; at < 2 * whole_reads_nr; at++) {
			subject->process.flags ^= PYREC_PROCESS_HAS_STATE;
			paged_out_walk(subject, thread, at / 2, &whole);
		}
	}
}

/* Each of the first PAGED_OUT_WALKS words that the walk reads, in turn. */
static void test_paged_out_memory_is_told(void **state)
{
	(void)state;
	subjects_visit(check_paged_out);
}

static uint64_t damage(uint64_t old, unsigned int *seed)
{
	switch (rand_r(seed) % 6) {
	case 0:
		return 0;
	case 1:
		return ~UINT64_C(0);
	case 2:
		return old + 8;
	case 3:
		return reads[(size_t)rand_r(seed) % reads_nr]; /* a pointer to something else */
	case 4:
		return old ^ UINT64_C(1) << (rand_r(seed) % 64);
	default:
		return (uint64_t)rand_r(seed) << 32 | (uint64_t)rand_r(seed);
	}
}

static void damaged_walk(const struct subject *subject, const struct target_thread *thread,
			 unsigned int *seed)
{
	const struct thread_known nothing = {0};
	struct walk walk;
	uint64_t address;
	uint8_t *bytes;
	uint64_t old;
	uint64_t new;

	subject_walk(subject, thread->thread_pointer, &nothing, &walk);
	address = reads[(size_t)rand_r(seed) % reads_nr] + 8 * (uint64_t)(rand_r(seed) % 9);
	bytes = process_image_at(&subject->image, address, 8);
	if (!bytes)
		return;
	memcpy(&old, bytes, 8);
	new = damage(old, seed);
	memcpy(bytes, &new, 8);
	subject_walk(subject, thread->thread_pointer, &nothing, &walk);
	assert_in_range(walk.nr, 0, PYREC_FRAMES_MAX);
	assert_in_range(walk.status, PYREC_WALK_COMPLETE, PYREC_WALK_NO_THREAD_STATE);
	for (uint32_t i = 0; i < walk.nr; i++)
		(void)walk_fingerprint(&walk, &subject->layout, frames[i].address, i % 2, 0);
	memcpy(bytes, &old, 8);
}

static void check_damaged(struct subject *subject)
{
	static unsigned int seed = 7; /* goes on from one interpreter to the next */

	for (int n = 0; n < DAMAGED_WALKS; n++)
		damaged_walk(subject, &subject->target.threads[(size_t)n % subject->target.nr],
			     &seed);
}

static void test_damaged_memory_ends_the_walk(void **state)
{
	(void)state;
	subjects_visit(check_damaged);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_frames_are_the_interpreters_own),
	    cmocka_unit_test(test_paged_out_memory_is_told),
	    cmocka_unit_test(test_damaged_memory_ends_the_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
