/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Spends a second of CPU time in functions that are inlined into one another. */
#include <time.h>

#define INLINE static inline __attribute__((always_inline))

static volatile unsigned int sink;

INLINE unsigned int leaf(unsigned int x)
{
	for (unsigned int i = 0; i < 500; i++)
		sink += i * x;
	return sink;
}

INLINE unsigned int twig(unsigned int x)
{
	const unsigned int first = leaf(x);

	return first + leaf(first);
}

/* Not seen from outside: a stripped file has no name for it. */
static __attribute__((noinline)) unsigned int branch(unsigned int x)
{
	return twig(x) * twig(x + 2);
}

int main(void)
{
	const clock_t begin = clock();
	unsigned int sum = 0;

	while (clock() - begin < CLOCKS_PER_SEC)
		sum += branch(sum);
	return sum == 12345;
}
