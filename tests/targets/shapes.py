# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every shape of Python call in its own window, each with the stacks that the interpreter saw.

Each shape runs for argv[1] seconds (default 0.4), by traced.py.
"""

import contextlib
import functools
import sys

import declared
from traced import all_stacks, burn, run_shape

RECURSION_NR = 4000


def squares(limit):
    for number in range(limit):
        yield burn(20) + number


def generator():
    return max(squares(30))


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


class Thing(object):  # 2.7 has properties for these only
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


def raised():
    raise ValueError(burn(20))


def exception():
    try:
        raised()
    except ValueError as error:
        return error


def recurse(depth, seconds):
    if depth:
        return recurse(depth - 1, seconds)
    return declared.spin(seconds)


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
    exception,
]

if sys.version_info >= (3,):
    import shapes_3

    SHAPES += shapes_3.SHAPES


def run_all(seconds):
    results = []
    for shape in SHAPES:
        chains, window = run_shape(shape, seconds)
        results.append((shape.__name__, all_stacks(chains), window))
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
