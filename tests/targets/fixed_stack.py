# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One fixed stack: <module>, f1 to f20, two C functions, a callback that spins for argv[1] seconds.

argv[2] is the folder of the built spinext module.
"""

import sys

import declared
from declared import SECOND, as_window, cpu_seconds, monotonic

sys.path.insert(0, sys.argv[2])
import spinext  # noqa: E402

SECONDS = float(sys.argv[1])
windows = []


def f1():
    return f2() + 1


def f2():
    return f3() + 1


def f3():
    value = f4()
    return value + 1


def f4():
    return f5() + 1


def f5():
    return f6() + 1


def f6():
    for _ in range(1):
        value = f7()
    return value + 1


def f7():
    return f8() + 1


def f8():
    return f9() + 1


def f9():
    try:
        return f10() + 1
    finally:
        windows.sort()


def f10():
    return f11() + 1


def f11():
    return f12() + 1


def f12():
    return sum((
        1,
        f13(),
    ))


def f13():
    return f14() + 1


def f14():
    return f15() + 1


def f15():
    return f16() + 1


def f16():
    return f17() + 1


def f17():
    return f18() + 1


def f18():
    return f19() + 1


def f19():
    return f20() + 1


def f20():
    return spinext.call(callback)


def declare(leaf):
    """The stack as the interpreter has it now, with the C functions where the source puts them."""
    frames = declared.frames_from_root(leaf)
    stack = [declared.with_position(declared.python_frame(frame), frame) for frame in frames[:-1]]
    stack[0]["gap"] = True
    stack.append({"native": "ext_call", "object": "spinext", "gap": True})
    stack.append({"native": "ext_inner", "object": "spinext", "gap": False})
    stack.append(declared.python_frame(leaf, declared.marked_lines(leaf.f_code), gap=True))
    declared.emit(stacks=[stack], **declared.identity())


def callback():
    declare(sys._getframe())
    total = 0
    begin = monotonic()  # window begins
    deadline = begin + SECONDS * SECOND
    while monotonic() < deadline:
        total += 1
        square = total * total
        total = square % 1000003
        text = str(total)
        if text.endswith("7"):
            total += len(text)
    end = monotonic()  # window ends
    windows.append(as_window(begin, end))
    return total


f1()
declared.emit(windows=[[0, begin, end] for begin, end in windows], cpu_s=cpu_seconds())
