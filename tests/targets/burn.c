/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Known machine code that a Python program calls by ctypes: a loop, and a function that calls
 * itself and burns time below each call. */
#define OWN_FRAME __attribute__((noipa, optimize("no-optimize-sibling-calls")))

unsigned long burn(unsigned long rounds);
unsigned long burn_deep(unsigned int depth, unsigned long rounds);

OWN_FRAME unsigned long burn(unsigned long rounds)
{
	volatile unsigned long value = 1;

	while (rounds--)
		value = value * 31 % 1000003;
	return value;
}

OWN_FRAME unsigned long burn_deep(unsigned int depth, unsigned long rounds)
{
	unsigned long value = 0;

	if (depth)
		value = burn_deep(depth - 1, rounds);
	for (volatile unsigned long i = 0; i < rounds; i++)
		value += i;
	return value + burn(rounds);
}
