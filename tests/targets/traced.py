# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Runs a piece of code for a while, with the stacks that the interpreter saw the same code have.

Before its window the same code runs a few times under sys.settrace: every chain of (function, file,
line) seen there is declared possible. What tracing passes over is added: code that belongs to no
line, the making of generators and, up to 3.9, jumps into the middle of a line.
"""

import dis
import inspect
import sys

import declared
from declared import SECOND, as_window, monotonic

GENERATOR_FLAGS = inspect.CO_GENERATOR
for flag in ("CO_COROUTINE", "CO_ASYNC_GENERATOR"):
    GENERATOR_FLAGS |= getattr(inspect, flag, 0)


def burn(rounds):
    value = 1
    for _ in range(rounds):
        value = value * 31 % 1000003
    return value


def repeat(shape, deadline):
    while True:
        shape()
        if monotonic() >= deadline:
            return


def has_lineless_code(code):
    """Instructions of the compiler's own that belong to no line; tracing skips over them."""
    return any(line is None for _, _, line in declared.code_lines(code))


JUMPS_ARE_TOLD = sys.version_info >= (3, 10)
UNTOLD_LINES = {}


def untold_lines(code):
    """Lines that a jump enters in the middle: up to 3.9 that makes no event, so that a traced frame still
    says the line before it."""
    if JUMPS_ARE_TOLD:
        return ()
    if code not in UNTOLD_LINES:
        starts = {start for start, _, _ in declared.code_lines(code)}
        middles = [at for at in dis.findlabels(code.co_code) if at not in starts]
        UNTOLD_LINES[code] = {declared.line_at(code, at) for at in middles}
    return UNTOLD_LINES[code]


def line_of(frame):
    """The line that a frame further out waits at."""
    if JUMPS_ARE_TOLD:
        return frame.f_lineno
    return declared.line_at(frame.f_code, frame.f_lasti)


# Of what was traced: (name, file, line) -> declared.method_names() of all such code.
METHODS = {}


class Tracer:
    """Collects the chain at every call, line and return below repeat()."""

    def __init__(self):
        self.chains = set()
        self.generators = set()

    def __call__(self, frame, _event, _argument):
        chain = [self.place(frame.f_code, frame.f_lineno)]
        at = frame.f_back
        while at is not None:
            chain.append(self.place(at.f_code, line_of(at)))
            at = at.f_back
        self.chains.add(tuple(chain[::-1]))
        if frame.f_lasti >= 0:
            chain[0] = self.place(frame.f_code, declared.line_at(frame.f_code, frame.f_lasti))
            self.chains.add(tuple(chain[::-1]))
        for line in untold_lines(frame.f_code):
            chain[0] = self.place(frame.f_code, line)
            self.chains.add(tuple(chain[::-1]))
        if has_lineless_code(frame.f_code):
            chain[0] = self.place(frame.f_code, None)
            self.chains.add(tuple(chain[::-1]))
        if frame.f_code.co_flags & GENERATOR_FLAGS:
            self.generators.add(self.place(frame.f_code, frame.f_code.co_firstlineno))
        return self

    def place(self, code, line):
        place = (declared.code_name(code), code.co_filename, line)
        METHODS.setdefault(place, set()).update(declared.method_names(code))
        return place

    def all_chains(self):
        """A call of a generator function enters it, makes the generator and leaves again."""
        return self.chains | {chain + (made,) for chain in self.chains for made in self.generators}


def run_shape(shape, seconds):
    """(chains, window) of the shape, run for seconds."""
    tracer = Tracer()
    window = None
    for is_traced in (True, True, True, False):
        if is_traced:
            sys.settrace(tracer)
        begin = monotonic()
        repeat(shape, 0 if is_traced else begin + seconds * SECOND)
        window = as_window(begin, monotonic())
        sys.settrace(None)
    return tracer.all_chains(), window


def as_stack(chain):
    """Gaps are allowed everywhere: which calls pass through C is the interpreter's business."""
    return [
        {
            "methods": sorted(METHODS.get((name, file, line), ())),
            "python": name,
            "file": file,
            "lines": [line] if line else [],
            "gap": True,
        }
        for name, file, line in chain
    ]


def run_shape_as_leaf(chain):
    """run_shape itself is the leaf for a moment at both ends of a window."""
    stack = as_stack(chain)
    code = run_shape.__code__
    depth = next(n for n, frame in enumerate(stack) if frame["python"] == declared.code_name(code))
    stack[depth]["lines"] = declared.own_lines(code)
    return stack[: depth + 1]


def all_stacks(chains):
    """Every stack of run_shape()'s window."""
    return [as_stack(chain) for chain in chains] + [run_shape_as_leaf(next(iter(chains)))]
