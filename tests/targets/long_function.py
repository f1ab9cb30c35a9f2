# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A generated function of 40,000 lines whose table of lines is over 64 KiB, at work in several of them.

    long_function.py FOLDER SECONDS [FLAG]

The source goes into FOLDER. Each piece of work takes SECONDS. With FLAG the target says {"ready": true}
and waits for a file of that name before it calls the function.
"""

import os
import sys
import time

import declared
from declared import SECOND, as_window, monotonic

LINES_NR = 40000
# Calls in one line, calls that a statement of 600 lines makes in its middle, and a loop.
CALL = ["    value += work()"]
FAR_CALL = ["    value += max("] + [""] * 300 + ["        work(),", "        value,"] + [""] * 300 + ["    )"]
LOOP = [
    "    begin = monotonic()  # window begins",
    "    deadline = begin + SECONDS * SECOND",
    "    while monotonic() < deadline:",
    "        value = value * 7 % 1000003",
    "    end = monotonic()  # window ends",
    "    note(begin, end)",
]
AT = {100: CALL, 12000: FAR_CALL, 33000: CALL, 36000: FAR_CALL, 39000: LOOP}
SECONDS = float(sys.argv[2])
stacks, windows = [], []


def source():
    lines = ["def long_function(value):"]
    while len(lines) < LINES_NR:
        begin = len(lines)
        lines += ["    value = (value + %d) %% 1000003" % (begin * 37)]
        for at, piece in AT.items():
            if begin <= at < len(lines):
                lines += piece
    return "\n".join(lines + ["    return value", ""])


def note(begin, end):
    """The caller was at work between its marked lines."""
    frames = declared.frames_from_root(sys._getframe(1))
    stack = [declared.with_position(declared.python_frame(frame), frame) for frame in frames[:-1]]
    stack[0]["gap"] = True
    leaf = frames[-1]
    stack.append(declared.python_frame(leaf, declared.marked_lines(leaf.f_code)))
    windows.append((len(stacks),) + as_window(begin, end))
    stacks.append(stack)


def work():
    value = 0
    begin = monotonic()  # window begins
    deadline = begin + SECONDS * SECOND
    while monotonic() < deadline:
        value = value * 7 % 1000003
    end = monotonic()  # window ends
    note(begin, end)
    return value


def main():
    path = os.path.join(sys.argv[1], "long.py")
    with open(path, "w") as file:
        file.write(source())
    exec(compile(source(), path, "exec"), globals())
    if len(sys.argv) > 3:
        declared.emit(ready=True)
        while not os.path.exists(sys.argv[3]):
            time.sleep(0.01)
    long_function(0)  # noqa: F821
    code = long_function.__code__  # noqa: F821
    table = code.co_linetable if hasattr(code, "co_linetable") else code.co_lnotab
    declared.emit(stacks=stacks, windows=windows, table_bytes=len(table), **declared.identity())


main()
