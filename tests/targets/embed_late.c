/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Loads Python long after it was started, then the embedding program as a shared object:
 *
 *	embed_late LIBPYTHON BODY ARGUMENT_OF_EMBED…
 *
 * A thread exists before that which has nothing to do with Python. Its table of modules with
 * thread-local data (glibc's DTV) has no room for libpython, because many others come first:
 * EMBED_LATE_MODULES is "COUNT:PATTERN", files to load, PATTERN with one %d. What lies behind that
 * table looks like a pointer to libpython's data in it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *library_open(const char *path, int flags)
{
	void *library = dlopen(path, RTLD_NOW | flags);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	return library;
}

enum { TRAPS_NR = 64, TRAP_WORDS = 128 };

/* Blocks full of pointers to one such block, from where the thread's table was allocated. */
static void traps_set(void)
{
	void **first = NULL;

	for (int trap = 0; trap < TRAPS_NR; trap++) {
		void **words = malloc(TRAP_WORDS * sizeof(*words));

		if (!words)
			exit(1);
		first = first ? first : words;
		for (int i = 0; i < TRAP_WORDS; i++)
			words[i] = first;
	}
}

static void *native_main(void *context)
{
	volatile unsigned int value = 1;

	(void)context;
	pthread_setname_np(pthread_self(), "native worker");
	for (;;) {
		for (int i = 0; i < 200000; i++)
			value = value * 31 % 1000003;
		usleep(500);
	}
	return NULL;
}

static void modules_load(const char *wanted)
{
	char path[4096];
	int nr = wanted ? atoi(wanted) : 0;

	for (int i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), strchr(wanted, ':') + 1, i);
		library_open(path, RTLD_LOCAL);
	}
}

int main(int argc, char **argv)
{
	int (*host_main)(int, char **);
	pthread_t native;
	void *body;

	if (argc < 3 || pthread_create(&native, NULL, native_main, NULL))
		return 2;
	traps_set();
	modules_load(getenv("EMBED_LATE_MODULES"));
	usleep(300 * 1000); /* whoever records has seen this program without Python */
	library_open(argv[1], RTLD_GLOBAL);
	body = library_open(argv[2], RTLD_LOCAL);
	*(void **)&host_main = dlsym(body, "host_main");
	return host_main ? host_main(argc - 2, argv + 2) : 1;
}
