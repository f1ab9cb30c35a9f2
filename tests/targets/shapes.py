# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every shape of Python call in its own window, each with the stacks that the interpreter saw.

Each shape runs for argv[1] seconds (default 0.4). Before its window the same code runs a few
times under sys.settrace: every chain of (function, file, line) seen there is declared possible. What
tracing passes over is added: code that belongs to no line, and the making of generators.
"""

import asyncio
import contextlib
import functools
import inspect
import sys

import declared
from declared import SECOND, in_ns, monotonic

RECURSION_NR = 4000
GENERATOR_FLAGS = inspect.CO_GENERATOR | inspect.CO_COROUTINE


def burn(rounds):
    value = 1
    for _ in range(rounds):
        value = value * 31 % 1000003
    return value


def squares(limit):
    for number in range(limit):
        yield burn(20) + number


def relayed(limit):
    yield from squares(limit)


def generator():
    return max(relayed(30))


def lambda_key():
    return sorted(range(40), key=lambda number: burn(20) - number)


def map_callback():
    return list(map(burn, [20] * 30))


def list_comprehension():
    return [burn(20) for _ in range(30)]


def generator_expression():
    return sum(burn(20) for _ in range(30))


def reduce_callback():
    return functools.reduce(lambda left, right: left + burn(20), range(30))


class Thing:
    def __init__(self):
        self.made = burn(20)

    @property
    def attribute(self):
        return burn(20)

    def __getattr__(self, name):
        return burn(20)

    def __len__(self):
        return burn(20) % 7

    def __lt__(self, other):
        return burn(20) > 0

    def __enter__(self):
        return burn(20)

    def __exit__(self, *_):
        burn(20)


def descriptors():
    thing = Thing()
    return thing.attribute + thing.missing + len(thing)


def comparisons():
    return max([Thing(), Thing(), Thing()])


def with_statement():
    with Thing() as value:
        return value


@contextlib.contextmanager
def managed():
    burn(20)
    yield
    burn(20)


def context_manager():
    with managed():
        burn(20)


def nested_function():
    bound = 20

    def inner():
        return burn(bound)

    return inner()


SOURCE = compile("burn(20)\nburn(20)\n", "<a made-up file>", "exec")


def executed_source():
    exec(SOURCE, {"burn": burn})


def evaluated_source():
    return eval("burn(20)", {"burn": burn})


async def awaited(rounds):
    return burn(rounds)


async def awaiting():
    return await awaited(20) + await awaited(20)


def coroutine():
    try:
        awaiting().send(None)
    except StopIteration as stop:
        return stop.value


async def sleeping():
    await asyncio.sleep(0)
    return burn(20)


LOOP = asyncio.new_event_loop()


def event_loop():
    return LOOP.run_until_complete(sleeping())


def raised():
    raise ValueError(burn(20))


def exception():
    try:
        raised()
    except ValueError as error:
        return error


def unicode_ñame_函数():
    return burn(60)


def repeat(shape, deadline):
    while True:
        shape()
        if monotonic() >= deadline:
            return


def has_lineless_code(code):
    """Instructions of the compiler's own that belong to no line; tracing skips over them."""
    return any(line is None for _, _, line in declared.code_lines(code))


class Tracer:
    """Collects the chain at every call, line and return below repeat()."""

    def __init__(self):
        self.chains = set()
        self.generators = set()

    def __call__(self, frame, _event, _argument):
        chain = []
        at = frame
        while at is not None:
            chain.append((declared.code_name(at.f_code), at.f_code.co_filename, at.f_lineno))
            at = at.f_back
        self.chains.add(tuple(chain[::-1]))
        if frame.f_lasti >= 0:
            chain[0] = (*chain[0][:2], declared.line_at(frame.f_code, frame.f_lasti))
            self.chains.add(tuple(chain[::-1]))
        if has_lineless_code(frame.f_code):
            chain[0] = (*chain[0][:2], None)
            self.chains.add(tuple(chain[::-1]))
        if frame.f_code.co_flags & GENERATOR_FLAGS:
            code = frame.f_code
            self.generators.add((declared.code_name(code), code.co_filename, code.co_firstlineno))
        return self

    def all_chains(self):
        """A call of a generator function enters it, makes the generator and leaves again."""
        return self.chains | {(*chain, made) for chain in self.chains for made in self.generators}


def run_shape(shape, seconds):
    tracer = Tracer()
    window = None
    for is_traced in (True, True, True, False):
        if is_traced:
            sys.settrace(tracer)
        begin = monotonic()
        repeat(shape, 0 if is_traced else begin + seconds * SECOND)
        window = (in_ns(begin), in_ns(monotonic()))
        sys.settrace(None)
    return tracer.all_chains(), window


def as_stack(chain):
    """Gaps are allowed everywhere: which calls pass through C is the interpreter's business."""
    return [
        {"python": name, "file": file, "lines": [line] if line else [], "gap": True}
        for name, file, line in chain
    ]


def run_shape_as_leaf(chain):
    """run_shape itself is the leaf for a moment at both ends of a window."""
    stack = as_stack(chain)
    code = run_shape.__code__
    depth = next(n for n, frame in enumerate(stack) if frame["python"] == declared.code_name(code))
    stack[depth]["lines"] = sorted({line for _, _, line in declared.code_lines(code) if line})
    return stack[: depth + 1]


def recurse(depth, seconds):
    if depth:
        return recurse(depth - 1, seconds)
    frames = declared.frames_from_root(sys._getframe())
    stack = [declared.python_frame(frame) for frame in frames]
    stack[-1]["lines"] = sorted(declared.marked_lines(recurse.__code__))
    stack[0]["gap"] = True
    begin = monotonic()  # window begins
    deadline = begin + seconds * SECOND
    while monotonic() < deadline:
        value = 1
        for _ in range(64):
            value = value * 31 % 1000003
    end = monotonic()  # window ends
    return stack, (in_ns(begin), in_ns(end))


SHAPES = [
    generator,
    lambda_key,
    map_callback,
    list_comprehension,
    generator_expression,
    reduce_callback,
    descriptors,
    comparisons,
    with_statement,
    context_manager,
    nested_function,
    executed_source,
    evaluated_source,
    coroutine,
    event_loop,
    exception,
    unicode_ñame_函数,
]


def run_all(seconds):
    results = []
    for shape in SHAPES:
        chains, window = run_shape(shape, seconds)
        stacks = [as_stack(chain) for chain in chains]
        stacks.append(run_shape_as_leaf(next(iter(chains))))
        results.append((shape.__name__, stacks, window))
    return results


def main(seconds):
    sys.setrecursionlimit(RECURSION_NR + 1000)
    results = run_all(seconds)
    deep_stack, deep_window = recurse(RECURSION_NR, seconds)
    results.append(("deep_recursion", [deep_stack], deep_window))
    for name, stacks, window in results:
        declared.emit(shape=name, stacks=stacks, window=window, **declared.identity())


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.4)
