# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Work under a name of one's own: every thread and process of many.py spins in its own function.

As a program: named_work.py NAME SECONDS.
"""

import sys
from time import monotonic_ns
from types import FunctionType

import declared


def template(deadline):
    value = 1
    while monotonic_ns() < deadline:
        value = value * 31 % 1000003
    return value


def work_as(name, seconds):
    code = template.__code__.replace(co_name=name, co_qualname=name)
    function = FunctionType(code, globals(), name)
    begin = monotonic_ns()
    function(begin + int(seconds * 1e9))
    declared.emit(worker=name, window=[begin, monotonic_ns()], **declared.identity())


if __name__ == "__main__":
    work_as(sys.argv[1], float(sys.argv[2]))
