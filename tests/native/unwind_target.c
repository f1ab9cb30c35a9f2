/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * unwind_target MODE SECONDS: stacks that are hard to unwind, to be recorded by stock perf.
 * signals: handlers that interrupt code anywhere, on the normal stack; altstack: on another one;
 * threads: clone3's end; plt: calls through the PLT; deep: recursion; vdso: the clock; calls:
 * short prologues and epilogues; start: processes that hardly live; jit, jit-no-fp: code without
 * CFI between functions that have it, with a frame pointer and without; clone: the end of a
 * clone's.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* the tests compile it by gcc alone too */
#endif
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define noinline __attribute__((noinline, noclone))

static volatile unsigned long sink;
static double end_time;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static noinline void spin(unsigned long turns)
{
	for (unsigned long i = 0; i < turns; i++)
		sink += i * i;
}

static noinline unsigned long leaf_call(unsigned long value)
{
	return sink + value;
}

static noinline unsigned long kept_registers(unsigned long a, unsigned long b, unsigned long c)
{
	unsigned long sum = leaf_call(a);

	sum += leaf_call(b) * a;
	sum += leaf_call(c) * b;
	return sum + leaf_call(sum) * c;
}

static noinline unsigned long variable_frame(unsigned long nr)
{
	volatile char *bytes = __builtin_alloca(nr % 512 + 16);

	bytes[nr % 16] = (char)nr;
	return kept_registers(nr, nr + 1, (unsigned long)bytes[nr % 16]);
}

static noinline unsigned long realigned_frame(unsigned long nr)
{
	volatile char bytes[64] __attribute__((aligned(64)));

	bytes[nr % 64] = (char)nr;
	return variable_frame(nr) + (unsigned long)bytes[nr % 64];
}

static void run_calls(void)
{
	for (unsigned long i = 0; i < 2000; i++)
		sink += kept_registers(i, i + 1, i + 2) + realigned_frame(i);
}

static noinline void recurse(unsigned int depth)
{
	if (depth)
		recurse(depth - 1);
	else
		spin(2000);
	sink++;
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void run_plt(void)
{
	int numbers[64];
	char text[64];

	for (int i = 0; i < 64; i++)
		numbers[i] = rand();
	qsort(numbers, 64, sizeof(numbers[0]), compare);
	for (int i = 0; i < 64; i++) {
		snprintf(text, sizeof(text), "%d", numbers[i]);
		sink += strlen(text) + (unsigned long)abs(atoi(text)) + (unsigned long)getppid();
	}
}

static void on_signal(int number)
{
	(void)number;
	spin(30000);
	sink += realigned_frame(5);
}

static void set_handler(int flags)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | flags};
	struct itimerval timer = {{0, 300}, {0, 300}};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void run_signals(void)
{
	run_calls();
	run_plt();
}

static void run_deep(void)
{
	recurse(150);
}

static void run_vdso(void)
{
	for (int i = 0; i < 1000; i++)
		sink += (unsigned long)now();
}

static void *thread_main(void *argument)
{
	while (now() < end_time) {
		run_calls();
		recurse(10);
		run_plt();
	}
	return argument;
}

static void run_threads(void)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, thread_main, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void run_start(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static noinline void jit_callback(void)
{
	spin(3000);
	sink++;
}

typedef void jit_function(void (*callback)(void));

static jit_function *jit_make(const void *code, size_t nr)
{
	void *place = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (place == MAP_FAILED)
		exit(1);
	memcpy(place, code, nr);
	return (jit_function *)place;
}

static noinline void call_jit(jit_function *function)
{
	function(jit_callback);
	sink++;
}

static void run_jit(void)
{
	/* push rbp; mov rbp, rsp; call rdi; pop rbp; ret */
	static const unsigned char code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
	static jit_function *function;

	if (!function)
		function = jit_make(code, sizeof(code));
	call_jit(function);
}

static void run_jit_no_fp(void)
{
	/* sub rsp, 8; call rdi; add rsp, 8; ret */
	static const unsigned char code[] = {0x48, 0x83, 0xec, 8, 0xff, 0xd7,
					     0x48, 0x83, 0xc4, 8, 0xc3};
	static jit_function *function;

	if (!function)
		function = jit_make(code, sizeof(code));
	call_jit(function);
}

static int clone_main(void *argument)
{
	while (now() < end_time)
		recurse(5);
	return argument != NULL;
}

static void run_clone(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	pid_t pid = clone(clone_main, stack + sizeof(stack),
			  CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, NULL);

	waitpid(pid, NULL, 0);
}

static const struct {
	const char *name;
	void (*run)(void);
} modes[] = {
    {"calls", run_calls},	  {"plt", run_plt},
    {"signals", run_signals},	  {"vdso", run_vdso},
    {"altstack", run_signals},	  {"deep", run_deep},
    {"start", run_start},	  {"threads", run_threads},
    {"clone", run_clone},	  {"jit", run_jit},
    {"jit-no-fp", run_jit_no_fp},
};

int main(int argc, char **argv)
{
	static char alternate[65536];
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};

	if (argc != 3)
		return 129;
	end_time = now() + atof(argv[2]);
	if (strcmp(argv[1], "signals") == 0)
		set_handler(0);
	if (strcmp(argv[1], "altstack") == 0 && sigaltstack(&stack, NULL) == 0)
		set_handler(SA_ONSTACK);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(argv[1], modes[i].name) != 0)
			continue;
		while (now() < end_time)
			modes[i].run();
		return 0;
	}
	return 129;
}
