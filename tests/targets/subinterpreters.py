# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Subinterpreters: code of one runs on top of the frames of the interpreter that started it.

  subinterpreters.py SECONDS

Each part computes in its own window, in Python with the GIL or in zlib without it, and declares its
one stack: what the inner interpreter sees, below it what the outer one sees.
"""

import os
import sys
import threading
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))

import declared  # noqa: E402
from declared import SECOND, as_window, monotonic  # noqa: E402

SECONDS = float(sys.argv[1])
TEXT = b"a text that is compressed " * 40000
# Run in a subinterpreter. The script's own file name is the same everywhere.
INNER = """
import sys
sys.argv = [{program!r}, "{seconds}", "inner"]
sys.path.insert(0, {folder!r})
import subinterpreters
subinterpreters.outside = {outside!r}
def innermost():
    subinterpreters.{part}()
innermost()
"""
outside = []


def frames_here(leaf):
    """As declared frames; between interpreters, and in zlib, there are C frames."""
    frames = declared.frames_from_root(leaf)
    stack = outside + [declared.python_frame(frame) for frame in frames]
    for frame in stack:
        frame["gap"] = True
    return stack


def emit(stack, window):
    declared.emit(stacks=[stack], window=window, **declared.identity())


def compute():
    stack, window = declared.spin(SECONDS, gap=True)
    emit(outside + stack, window)


def compress():
    """zlib releases the GIL; around each call there is a moment with it."""
    stack = frames_here(sys._getframe())
    stack[-1]["lines"] = declared.own_lines(compress.__code__)
    stack[-1]["objects"] = r"^(zlib\.|libz\.so)"
    begin = monotonic()
    deadline = begin + SECONDS * SECOND
    while monotonic() < deadline:
        zlib.compress(TEXT, 9)
    emit(stack, as_window(begin, monotonic()))


def compute_in_thread():
    """A thread of the inner interpreter has none of the outer one's frames."""
    del outside[:]
    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()


def inner_text(part, stack):
    return INNER.format(
        program=sys.argv[0],
        seconds=SECONDS,
        folder=os.path.dirname(os.path.abspath(__file__)),
        part=part,
        outside=stack,
    )


def run_by_testcapi(part):
    import _testcapi

    _testcapi.run_in_subinterp(inner_text(part, frames_here(sys._getframe())))


def run_inner(part):
    """The frame that starts the inner interpreter is declared on the line that does so."""
    try:
        import _interpreters as interpreters

        execute = getattr(interpreters, "exec")  # a keyword in 2.7
    except ImportError:
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            return run_by_testcapi(part)
        execute = interpreters.run_string
    # From 3.9 to 3.11 an isolated one has no threads.
    has_switch = (3, 9) <= sys.version_info < (3, 12)
    number = interpreters.create(isolated=False) if has_switch else interpreters.create()
    failure = execute(number, inner_text(part, frames_here(sys._getframe())))
    if failure:
        raise RuntimeError(failure)
    return interpreters.destroy(number)


def main():
    compute()
    run_inner("compute")
    run_inner("compress")
    run_inner("compute_in_thread")
    compute()
    thread = threading.Thread(target=run_inner, args=("compute",))
    thread.start()
    thread.join()
    thread = threading.Thread(target=run_inner, args=("compress",))
    thread.start()
    compute()
    thread.join()


if __name__ == "__main__" and sys.argv[2:] != ["inner"]:
    main()
