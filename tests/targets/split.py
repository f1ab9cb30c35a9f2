# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""CPU time of one thread split 50/30/20 over three functions for argv[1] seconds of wall time, or in the
proportion of argv[2:].

Small slices, each measured by the CPU clock of the process, which has no other thread, and always given to the function that
is furthest behind its share: what else runs on the machine hits all three alike.
"""

import sys

import declared
from declared import SECOND, as_window, cpu_seconds, monotonic

SLICE_SECONDS = 0.002
SHARES = {"half": 0.5, "third": 0.3, "fifth": 0.2}


def half():
    end = cpu_seconds() + SLICE_SECONDS
    value = 1
    while cpu_seconds() < end:
        value = value * 31 % 1000003
    return value


def third():
    end = cpu_seconds() + SLICE_SECONDS
    words = []
    while cpu_seconds() < end:
        words = [str(number) for number in range(8)]
    return words


def fifth():
    end = cpu_seconds() + SLICE_SECONDS
    table = {}
    while cpu_seconds() < end:
        table[len(table) % 64] = len(table)
    return table


def main(seconds):
    functions = {"half": half, "third": third, "fifth": fifth}
    spent = dict.fromkeys(SHARES, 0)
    begin = monotonic()
    deadline = begin + seconds * SECOND
    while monotonic() < deadline:
        name = min(SHARES, key=lambda share: spent[share] / SHARES[share])
        before = cpu_seconds()
        functions[name]()
        spent[name] += cpu_seconds() - before
    window = as_window(begin, monotonic())
    declared.emit(spent_seconds=spent, window=window, **declared.identity())


if sys.argv[2:]:
    SHARES.update(zip(SHARES, map(float, sys.argv[2:])))
main(float(sys.argv[1]))
