# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a target says about its own stacks, in words that tests/e2e/declared_stacks.py checks.

A target prints JSON lines. {"stacks": ...} comes before the work, {"windows": ...} after it, because a
window's end is known only then. Times are CLOCK_MONOTONIC in ns, the clock of the recording.

A stack is a list of frames, root first:
  {"methods": [names], optional: names with a class that may stand in place of the next; before 3.11
   "python": qualname, "file": co_filename, "lines": [allowed lines], "gap": bool}
    and optional "position": [line, end line, column, end column]
  {"native": symbol, "object": part of the file name, "gap": bool}
gap: frames of the interpreter, libc, the vdso or the kernel may stand between this frame and the
one before it. Above the last frame such frames are always allowed.
"""

import dis
import gc
import io
import json
import os
import sys
import threading
import time
import types

if not hasattr(threading, "get_native_id"):
    import ctypes  # here and not when it is asked: a forked child may find import's lock held

# Up to 3.10 a call from Python to Python goes through C.
EACH_CALL_IS_NATIVE = sys.version_info < (3, 11)


def line_at(code, lasti):
    """Line of the instruction at lasti. Up to 3.9 a traced frame's f_lineno is that of the latest line
    event, and a jump into the middle of a line makes none."""
    lines = [line for start, end, line in code_lines(code) if start <= lasti < end]
    return lines[-1] if lines else None


def monotonic_of_c():
    """CLOCK_MONOTONIC in seconds, for 2.7, which has no name for it."""
    import ctypes

    pair = (ctypes.c_long * 2)()
    ctypes.CDLL(None).clock_gettime(1, pair)
    return pair[0] + pair[1] / 1e9


# A builtin, so that asking for the time adds no frame of Python. 3.6 has it in seconds only, 2.7 has
# the time of day.
if hasattr(time, "monotonic_ns"):
    monotonic, SECOND, OFFSET = time.monotonic_ns, 10**9, 0
elif hasattr(time, "monotonic"):
    monotonic, SECOND, OFFSET = time.monotonic, 1, 0
else:
    monotonic, SECOND = time.time, 1
    OFFSET = max(monotonic_of_c() - time.time() for _ in range(100))


# CPU time of this process, in seconds; a builtin, too.
cpu_seconds = getattr(time, "process_time", None) or time.clock


def in_ns(moment):
    """What monotonic() returned, in ns: the clock of the recording."""
    return int((moment + OFFSET) * (10**9 // SECOND))


def as_window(begin, end):
    """Of two answers of monotonic(): asked before this is called, which is no part of the window."""
    return in_ns(begin), in_ns(end)


def native_id():
    """The kernel's number of this thread; threading.get_native_id() came with 3.8."""
    if hasattr(threading, "get_native_id"):
        return threading.get_native_id()
    return ctypes.CDLL(None).syscall(186)  # gettid, x86-64


def code_name(code):
    """As pyrec names it: the qualified name where the version keeps one."""
    return getattr(code, "co_qualname", code.co_name)


def mangled(kind, name):
    """Under which name a class has its private one."""
    return "_" + kind.__name__.lstrip("_") + name


def functions_of(code):
    """(class name or None, function) of each function of this code that is alive."""
    if sys.version_info >= (3,):
        users = gc.get_referrers(code)
        return [(None, user) for user in users if getattr(user, "__code__", None) is code]
    found = []
    for kind in gc.get_objects():
        if not isinstance(kind, (type, types.ClassType)):
            continue
        value = vars(kind).get(code.co_name, vars(kind).get(mangled(kind, code.co_name)))
        for name in (None, "__func__", "fget", "fset", "fdel"):
            function = getattr(value, name, None) if name else value
            if getattr(function, "__code__", None) is code:
                found.append((kind.__name__, function))
    return found


def method_names(code):
    """Before 3.11 a code object has no qualified name; its functions have (2.7: their classes)."""
    if hasattr(code, "co_qualname"):
        return []
    if code not in METHOD_NAMES:
        names = set()
        for kind, function in functions_of(code):
            name = kind + "." + code.co_name if kind else function.__qualname__
            if name.endswith("." + code.co_name):
                names.add(name)
        METHOD_NAMES[code] = sorted(names)
    return METHOD_NAMES[code]


METHOD_NAMES = {}


def code_lines(code):
    """(start, end, line) of each range of bytecode, in bytes; before 3.10 without empty ones."""
    if hasattr(code, "co_lines"):
        return list(code.co_lines())
    starts = list(dis.findlinestarts(code))
    ends = [start for start, _ in starts[1:]] + [len(code.co_code)]
    return [(start, end, line) for (start, line), end in zip(starts, ends)]


def own_lines(code):
    """Every line that a frame of the code may be at while it runs; 0 for instructions that belong to none,
    as those that fetch a closure's variables before its first line does (3.11 and later)."""
    return sorted({line or 0 for _, _, line in code_lines(code)})


def emit(**document):
    """One JSON line to stdout in one write: threads and processes share the pipe."""
    line = (json.dumps(document) + "\n").encode()
    while line:
        line = line[os.write(1, line) :]


def python_frame(frame, lines=None, gap=False):
    """A frame as the interpreter itself sees it, suspended at one line or somewhere in lines."""
    code = frame.f_code
    return {
        "methods": method_names(code),
        "python": code_name(code),
        "file": code.co_filename,
        "lines": sorted(lines) if lines else [frame.f_lineno],
        "gap": gap or EACH_CALL_IS_NATIVE,
    }


def with_position(declaration, frame):
    """From 3.11 also the part of the line at which a frame is suspended, as co_positions() has it."""
    if hasattr(frame.f_code, "co_positions"):
        positions = list(frame.f_code.co_positions())
        declaration["position"] = positions[frame.f_lasti // 2]
    return declaration


def frames_from_root(frame):
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames[::-1]


def lines_between(code, first, last):
    """Lines that code really has between two source lines, both included."""
    return {line for _, _, line in code_lines(code) if line is not None and first <= line <= last}


def marked_lines(code):
    """Lines of code from the one that ends in '# window begins' to that in '# window ends'."""
    with io.open(code.co_filename, encoding="utf-8") as source:
        text = source.read().splitlines()
    inside = range(code.co_firstlineno, len(text) + 1)
    first = next(n for n in inside if text[n - 1].endswith("# window begins"))
    last = next(n for n in inside if text[n - 1].endswith("# window ends"))
    return lines_between(code, first, last)


def spin(seconds, gap=False, of_cpu=False):
    """Work in this very function for so long. (stack down to here, as the interpreter says, window)."""
    frames = frames_from_root(sys._getframe())
    stack = [python_frame(frame, gap=gap) for frame in frames]
    stack[-1]["lines"] = sorted(marked_lines(spin.__code__))
    stack[0]["gap"] = True
    clock, second = (cpu_seconds, 1) if of_cpu else (monotonic, SECOND)
    begin = monotonic()  # window begins
    deadline = clock() + seconds * second
    while clock() < deadline:
        value = 1
        for _ in range(64):
            value = value * 31 % 1000003
    end = monotonic()  # window ends
    return stack, as_window(begin, end)


def identity():
    return {
        "pid": os.getpid(),
        "tid": native_id(),
        "python": sys.version.split()[0],
        "executable": sys.executable,
    }
