# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Functions of interpreters that come and go: each has its own name, all else is the same, so that
memory is used again for a code object that looks like the one before.

  reused_code.py NUMBER   in so many subinterpreters, one after the other; in a program that has
                          Python inside (EMBED_CYCLE is set): in this interpreter
"""

import os
import sys

PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
import declared
from declared import SECOND, as_window, monotonic
def leaf_{number}():
    begin = now = monotonic()
    while now < begin + 0.03 * SECOND:
        for _ in range(100):
            pass
        now = monotonic()
    return begin, now
begin, end = leaf_{number}()
declared.emit(
    leaf="leaf_{number}",
    address=id(leaf_{number}.__code__),
    window=as_window(begin, end),
    **declared.identity()
)
"""


def program(number):
    folder = os.path.dirname(os.path.abspath(sys.argv[0]))
    return PROGRAM.format(folder=folder, number=number)


def run_one(number):
    try:
        import _interpreters as interpreters

        execute = getattr(interpreters, "exec")  # a keyword in 2.7
    except ImportError:
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            import _testcapi

            return _testcapi.run_in_subinterp(program(number))
        execute = interpreters.run_string
    inner = interpreters.create()
    failure = execute(inner, program(number))
    if failure:
        raise RuntimeError(failure)
    return interpreters.destroy(inner)


if "EMBED_CYCLE" in os.environ:
    exec(compile(program(os.environ["EMBED_CYCLE"]), "<cycle>", "exec"), {})
else:
    for number in range(int(sys.argv[1])):
        run_one(number)
