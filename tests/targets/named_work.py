# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Work under a name of one's own: every thread and process of many.py spins in its own function.

As a program: named_work.py NAME SECONDS.
"""

import sys
from types import FunctionType

import declared
from declared import SECOND, as_window, monotonic

# Arguments of the code type before it could replace(); 2.7 has no keyword-only ones.
CODE_FIELDS = """argcount kwonlyargcount nlocals stacksize flags code consts names varnames filename name
firstlineno lnotab freevars cellvars""".split()


def template(deadline):
    value = 1
    while monotonic() < deadline:
        value = value * 31 % 1000003
    return value


def renamed(code, name):
    if hasattr(code, "co_qualname"):
        return code.replace(co_name=name, co_qualname=name)
    if hasattr(code, "replace"):
        return code.replace(co_name=name)
    fields = [field for field in CODE_FIELDS if hasattr(code, "co_" + field)]
    return type(code)(*[name if f == "name" else getattr(code, "co_" + f) for f in fields])


def work_as(name, seconds):
    function = FunctionType(renamed(template.__code__, name), globals(), name)
    begin, cpu_begin = monotonic(), declared.cpu_seconds()
    function(begin + seconds * SECOND)
    end = monotonic()
    window = as_window(begin, end)
    spent = declared.cpu_seconds() - cpu_begin
    declared.emit(worker=name, window=window, process_cpu_seconds=spent, **declared.identity())


if __name__ == "__main__":
    work_as(sys.argv[1], float(sys.argv[2]))
