# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""CPU time of one thread split 50/30/20 over lines of one function for argv[1] seconds of wall time: half in
a loop of its own, three tenths in a C function that a line calls, a fifth in a Python function that a
line calls. Says afterwards which lines those are and what each took by the CPU clock of the process.

Small slices, always of the part that is furthest behind its share: what else runs on the machine hits
all three alike.
"""

import sys
import zlib

import declared
from declared import SECOND, cpu_seconds, monotonic

SHARES = {"loop": 0.5, "native": 0.3, "python": 0.2}
NUMBERS = list(range(20000))
MORE_NUMBERS = list(range(60000))
BYTES = b"x" * 1000000


def descend(depth):
    if depth:
        return descend(depth - 1)
    value = 1
    for number in NUMBERS:
        value = value * 31 % 1000003
    return value


def share_out(deadline):
    spent = dict.fromkeys(SHARES, 0)
    lines = {}
    value = None
    while monotonic() < deadline:
        part = min(SHARES, key=lambda name: spent[name] / SHARES[name])
        before = cpu_seconds()
        if part == "loop":
            first = sys._getframe().f_lineno + 1
            for number in MORE_NUMBERS:
                value = number
            last = sys._getframe().f_lineno - 1
        elif part == "native":
            first = last = sys._getframe().f_lineno + 1
            zlib.crc32(BYTES)
        else:
            first = last = sys._getframe().f_lineno + 1
            descend(3)
        spent[part] += cpu_seconds() - before
        lines[part] = [first, last]
    return spent, lines, value


spent_seconds, part_lines, _ = share_out(monotonic() + float(sys.argv[1]) * SECOND)
declared.emit(spent_seconds=spent_seconds, lines=part_lines, **declared.identity())
