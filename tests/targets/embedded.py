# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What tests/targets/embed.c runs: each part in its own window, each with the one stack it has.

  embedded.py SECONDS OBJECT [OUTERMOST ...]

OBJECT: file name of what has the C functions; OUTERMOST: C functions outside host_main, root first.
The code of each cycle of Py_Initialize() has names of its own, at the same place of the same file.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))

import declared  # noqa: E402
from declared import SECOND, as_window, monotonic  # noqa: E402
import host  # noqa: E402

SECONDS = float(sys.argv[1])
OBJECT = sys.argv[2]
CYCLE = os.environ["EMBED_CYCLE"]
TEMPLATE = """def leaf_CYCLE():
    stack = frames_here(sys._getframe())
    stack[-1]["lines"] = [4, 5, 7, 8, 9, 10, 11]
    begin = now = monotonic()
    deadline = begin + SECONDS * SECOND

    while now < deadline:
        total = 1
        for _ in range(64):
            total = total * 31 % 1000003
        now = monotonic()
    parts.append((native_id(), stack) + as_window(begin, now))
"""
parts = []


def native(name, gap=False):
    return {"native": name, "object": OBJECT, "gap": gap}


OUTSIDE = [native(name, gap=True) for name in sys.argv[3:]]
OUTSIDE += [native("host_main", gap=bool(OUTSIDE)), native("host_run_script")]
OUTSIDE[0]["gap"] = True
CALL = [native("host_call", gap=True), native("host_inner")]
ENTERING = [native("host_call_from_c"), native("host_inner")]
THREAD = [native("host_thread_main", gap=True)] + ENTERING
OLDER = [native("host_older_main", gap=True), native("host_thread_main")] + ENTERING


def frames_here(leaf):
    """The Python frames of this thread, and the C functions that the source puts between them."""
    frames = [declared.python_frame(frame) for frame in declared.frames_from_root(leaf)]
    stack = list(OUTERMOST.get(declared.native_id(), OUTSIDE))
    for number, frame in enumerate(frames):
        frame["gap"] = frame["gap"] or number == 0
        if number and frames[number - 1]["python"] in CALLERS:
            frame["gap"] = True
            stack += CALL
        stack.append(frame)
    return stack


def outer():
    return host.call(middle)


def middle():
    return host.call(leaf)


def burning():
    """In C without the GIL."""
    stack, (begin, end) = frames_here(sys._getframe()), host.burn(SECONDS)
    stack += [native("host_burn", gap=True), native("host_burn_cpu")]
    note(declared.native_id(), stack, begin, end)


def note(tid, stack, begin_s, end_s):
    parts.append((tid, stack, int(begin_s * 1e9), int(end_s * 1e9)))


def threaded(outermost):
    """What to call in a thread of C's own: that one computes first with, then without the GIL."""

    def callback():
        OUTERMOST[declared.native_id()] = outermost
        leaf()
        burning()

    return callback


def run_in_thread(start, outermost):
    """The thread goes on in C without any state of Python's."""
    tid, begin, end = start(threaded(outermost), SECONDS)
    note(tid, outermost[:-2] + [native("host_burn_cpu")], begin, end)


OUTERMOST = {}
CALLERS = (declared.code_name(outer.__code__), declared.code_name(middle.__code__))
scope = dict(vars(declared), frames_here=frames_here, parts=parts, SECONDS=SECONDS)
exec(compile(TEMPLATE.replace("CYCLE", CYCLE), "<cycle>", "exec"), scope)
leaf = scope["leaf_" + CYCLE]

outer()
burning()
run_in_thread(host.thread, THREAD)
run_in_thread(host.thread, THREAD)
run_in_thread(host.older_thread, OLDER)
for tid, stack, begin, end in parts:
    declared.emit(stacks=[stack], window=[begin, end], **dict(declared.identity(), tid=tid))
