/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A library of CODE_PAGES and CONSTANTS_PAGES: two with the same sum are mapped at the same
 * addresses one after the other, and where one has its code the other may have its constants.
 */
#include <time.h>

#define TEXT(value) #value
#define SKIP(pages) ".skip (" TEXT(pages) ") * 4096 / 2, 0xcc"

const char constants[(CONSTANTS_PAGES)*4096] = {1};

void spin_for(double seconds);

/* In the middle of the code. */
__asm__(".text\n" SKIP(CODE_PAGES));

__attribute__((noipa)) void spin_for(double seconds)
{
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		for (volatile int i = 0; i < 1000000; i++)
			;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - begin.tv_sec + (now.tv_nsec - begin.tv_nsec) * 1e-9 < seconds);
}

__asm__(".text\n" SKIP(CODE_PAGES));
