# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""CPU time of one thread split 50/30/20 over three functions for argv[1] seconds of wall time.

Small slices, each measured by the thread's own CPU clock and always given to the function that
is furthest behind its share: what else runs on the machine hits all three alike.
"""

import sys
from time import monotonic_ns, thread_time_ns

import declared

SLICE_NS = 2_000_000
SHARES = {"half": 0.5, "third": 0.3, "fifth": 0.2}


def half():
    end = thread_time_ns() + SLICE_NS
    value = 1
    while thread_time_ns() < end:
        value = value * 31 % 1000003
    return value


def third():
    end = thread_time_ns() + SLICE_NS
    words = []
    while thread_time_ns() < end:
        words = [str(number) for number in range(8)]
    return words


def fifth():
    end = thread_time_ns() + SLICE_NS
    table = {}
    while thread_time_ns() < end:
        table[len(table) % 64] = len(table)
    return table


def main(seconds):
    functions = {"half": half, "third": third, "fifth": fifth}
    spent = dict.fromkeys(SHARES, 0)
    begin = monotonic_ns()
    deadline = begin + int(seconds * 1e9)
    while monotonic_ns() < deadline:
        name = min(SHARES, key=lambda share: spent[share] / SHARES[share])
        before = thread_time_ns()
        functions[name]()
        spent[name] += thread_time_ns() - before
    declared.emit(spent_ns=spent, window=[begin, monotonic_ns()], **declared.identity())


main(float(sys.argv[1]))
