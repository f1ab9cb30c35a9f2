# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a target says about its own stacks, in words that tests/e2e/declared_stacks.py checks.

A target prints JSON lines. {"stacks": …} comes before the work, {"windows": …} after it, because a
window's end is known only then. Times are CLOCK_MONOTONIC in ns, the clock of the recording.

A stack is a list of frames, root first:
  {"python": qualname, "file": co_filename, "lines": [allowed lines], "gap": bool}
  {"native": symbol, "object": part of the file name, "gap": bool}
gap: frames of the interpreter, libc, the vdso or the kernel may stand between this frame and the
one before it. Above the last frame such frames are always allowed.
"""

import json
import os
import sys
import threading


def emit(**document):
    """One JSON line to stdout in one write: threads and processes share the pipe."""
    line = (json.dumps(document) + "\n").encode()
    while line:
        line = line[os.write(1, line) :]


def python_frame(frame, lines=None, gap=False):
    """A frame as the interpreter itself sees it, suspended at one line or somewhere in lines."""
    code = frame.f_code
    return {
        "python": code.co_qualname,
        "file": code.co_filename,
        "lines": sorted(lines) if lines else [frame.f_lineno],
        "gap": gap,
    }


def frames_from_root(frame):
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames[::-1]


def lines_between(code, first, last):
    """Lines that code really has between two source lines, both included."""
    return {line for _, _, line in code.co_lines() if line is not None and first <= line <= last}


def marked_lines(code):
    """Lines of code from the one that ends in '# window begins' to that in '# window ends'."""
    with open(code.co_filename, encoding="utf-8") as source:
        text = source.read().splitlines()
    inside = range(code.co_firstlineno, len(text) + 1)
    first = next(n for n in inside if text[n - 1].endswith("# window begins"))
    last = next(n for n in inside if text[n - 1].endswith("# window ends"))
    return lines_between(code, first, last)


def identity():
    return {
        "pid": os.getpid(),
        "tid": threading.get_native_id(),
        "python": sys.version.split()[0],
        "executable": sys.executable,
    }
