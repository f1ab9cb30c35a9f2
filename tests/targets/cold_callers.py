# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A leaf that spins for argv[1] seconds, called through 60 functions whose frames, code objects and
names nothing touches meanwhile: each is made at run time, with a page of its own around it.
"""

import sys

import declared
from declared import SECOND, as_window, monotonic

DEPTH = 60
# Keeps the objects of one function off the pages of the next one.
apart = []


def make_caller(number, callee):
    apart.append(bytearray(8192))
    name = f"cold_caller_number_{number:03}"
    scope = {"callee": callee}
    source = "\n" * number + f"def {name}():\n    value = callee()\n    return value\n"
    exec(compile(source, f"/cold/file_{number:03}.py", "exec"), scope)
    apart.append(bytearray(8192))
    return scope[name]


def spin():
    begin = monotonic()
    deadline = begin + float(sys.argv[1]) * SECOND
    value = 1
    while monotonic() < deadline:
        value = value * 31 % 1000003
    return as_window(begin, monotonic())


def main():
    function = spin
    for number in range(DEPTH):
        function = make_caller(number, function)
    print("ready", flush=True)
    window = function()
    names = ["<module>", "main"]
    names += [f"cold_caller_number_{number:03}" for number in reversed(range(DEPTH))]
    declared.emit(window=window, names=[*names, "spin"], **declared.identity())


main()
