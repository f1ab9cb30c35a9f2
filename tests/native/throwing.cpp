/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Throws through some frames and catches, for so many seconds: throwing SECONDS. Between a library's
 * decision for a handler and the handler's first instruction its own frame is not what it was.
 */
#include <cstdlib>
#include <ctime>

#define OWN_FRAME __attribute__((noipa, noinline, optimize("no-optimize-sibling-calls")))

OWN_FRAME static void throw_deep(int depth)
{
	if (depth == 0)
		throw depth;
	throw_deep(depth - 1);
}

OWN_FRAME static int catch_thrown(int depth)
{
	try {
		throw_deep(depth);
	} catch (int caught) {
		return caught + 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const std::time_t end = std::time(nullptr) + (argc > 1 ? std::atoi(argv[1]) : 1);
	int caught_nr = 0;

	while (std::time(nullptr) < end)
		for (int i = 0; i < 1000; i++)
			caught_nr += catch_thrown(3);
	return caught_nr == 0;
}
