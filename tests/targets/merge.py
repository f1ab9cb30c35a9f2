# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Python called from C in every way that programs do it, each in two windows of its own.

  merge.py SECONDS [FOLDER]    windows of SECONDS each; FOLDER has the built extensions, if any

In the first window the innermost Python function spins: one stack, exact to the line. In the second
one the same call is repeated with a function that returns soon: all that traced.py saw. Both say
between which Python frames which functions of C must stand (merge_ways.py).
"""

import sys

import declared
import merge_ways
import traced
from declared import EACH_CALL_IS_NATIVE, SECOND, as_window, monotonic

class Spinner:
    """The innermost function of the first window: it spins when called first, and says where it is."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.stack = self.window = None

    def spin(self):
        leaf = sys._getframe()
        frames = declared.frames_from_root(leaf)
        self.stack = [declared.python_frame(frame, gap=True) for frame in frames[:-1]]
        self.stack.append(declared.python_frame(leaf, declared.marked_lines(leaf.f_code), gap=True))
        total = 0
        begin = monotonic()  # window begins
        deadline = begin + self.seconds * SECOND
        while monotonic() < deadline:
            total += 1
            total = total * total % 1000003
        end = monotonic()  # window ends
        self.window = as_window(begin, end)


def burn():
    number = 1
    for _ in range(20):
        number = number * 31 % 1000003


def call_way(call):
    call()


def add_natives(way, stack):
    """What the way says of the C between its Python frames."""
    for outer, inner in zip(stack, stack[1:]):
        names = [frame["python"].split(".")[-1] for frame in (outer, inner)]
        if not EACH_CALL_IS_NATIVE and names == ["run_held", "call_way"]:
            inner["gap"] = False
        through = way.through.get(">".join(names)) or way.through.get(names[1], [])
        # A generator is entered to be made, too, by its maker.
        if inner is not stack[-1] or names[1] != "<genexpr>":
            inner["through"] = [{"names": name, "object": file} for name, file in through]
    for frame in stack:
        frame["objects"] = way.objects
    return stack


def run_held(way, seconds):
    spinner = Spinner(seconds)

    def work(*_):
        if spinner.window is None:
            spinner.spin()
        return way.value

    call_way(way.call(work))
    return [spinner.stack], spinner.window


def run_repeated(way, seconds):
    def work(*_):
        burn()
        return way.value

    call = way.call(work)
    chains, window = traced.run_shape(lambda: call_way(call), seconds)
    return traced.all_stacks(chains), window


def main(seconds, folder):
    sys.path.insert(0, folder)
    ways, absent = merge_ways.find_ways()
    results = []
    for way in ways:
        for run in (run_held, run_repeated) if way.is_repeated else (run_held,):
            stacks, window = run(way, seconds)
            results.append((way.name + run.__name__[3:], way, stacks, window))
    for name, way, stacks, window in results:
        stacks = [add_natives(way, stack) for stack in stacks]
        declared.emit(shape=name, stacks=stacks, window=window, **declared.identity())
    for name, reason in absent:
        declared.emit(absent=name, reason=reason)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
