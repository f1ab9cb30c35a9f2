# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Greenlets that burn CPU in chains of known functions and switch often.

Each worker's functions have names of its own and its stack a depth of its own; between the burning
ones some go through C code (sorted, map) and back into Python. Workers switch in the middle of their
chains, so that pieces of their C stacks are copied away and back.

Prints one JSON line: "window", and "chains": the Python stacks that the interpreter itself tells
(sys._getframe) wherever a worker burns or has just been switched to, root first. A stack of any other
functions, or of several workers, is none of this program.
Runs for argv[1] seconds; argv[2]: greenlet, nested, gevent, pool.
"""

import json
import sys
import threading
import time

chains = set()
ROUNDS = 200


def told():
    """Remember the caller's chain as the interpreter has it."""
    frame, names = sys._getframe(1), []
    while frame:
        names.append(getattr(frame.f_code, "co_qualname", frame.f_code.co_name))
        frame = frame.f_back
    chains.add(tuple(reversed(names)))


def function(name, body):
    """body as a function of that name."""
    names = ["co_name"] + ["co_qualname"] * hasattr(body.__code__, "co_qualname")
    code = body.__code__.replace(**dict.fromkeys(names, name))
    return type(body)(code, body.__globals__, name, body.__defaults__, body.__closure__)


def worker(name, depth, switch):
    """Functions NAME_run, NAME_0 … NAME_burn of one worker; switch() lets others run."""

    def burn():
        value = 1
        for _ in range(ROUNDS):
            value = value * 31 % 1000003
        told()
        return value

    burn = function(f"{name}_burn", burn)

    def through_c(level):
        return sorted([2, 1], key=key_of(level))[0]

    def key_of(level):
        def key(number):
            if number == 1:
                burn()
                switch()
                burn()
            return number

        return function(f"{name}_key", key)

    through_c = function(f"{name}_c", through_c)

    def deeper(level):
        burn()
        if level == 0:
            return through_c(level)
        return next(map(deeper, [level - 1])) if level % 2 else deeper(level - 1)

    deeper = function(f"{name}_deeper", deeper)

    def run(*_):
        while time.monotonic() < deadline:
            deeper(depth)
            switch()

    return function(f"{name}_run", run)


def plain_greenlets():
    """A ring: each switches to the next one."""
    import greenlet

    ring = []

    def switch():
        current = greenlet.getcurrent()
        others = [one for one in ring if not one.dead]
        if others:
            others[(others.index(current) + 1) % len(others) if current in others else 0].switch()

    ring += [greenlet.greenlet(worker(f"ring{n}", n * 3, switch)) for n in range(5)]
    while any(not one.dead for one in ring):
        switch()


def nested_greenlets():
    """Each one is the parent of the next, started from deep inside of it."""
    import greenlet

    def child_of(name, depth, level):
        inner = None

        def switch():
            nonlocal inner
            if level and (inner is None or inner.dead):
                inner = greenlet.greenlet(child_of(f"nest{level}", depth + 2, level - 1))
            if inner is not None and time.monotonic() < deadline:
                inner.switch()
            elif greenlet.getcurrent().parent is not None:
                greenlet.getcurrent().parent.switch()

        return worker(name, depth, switch)

    greenlet.greenlet(child_of("nest_outer", 1, 4)).switch()


def gevent_workers():
    import gevent

    def switch():
        gevent.sleep(0)

    gevent.joinall([gevent.spawn(worker(f"spawn{n}", n, switch)) for n in range(6)])


def gevent_pool():
    import gevent
    import gevent.pool

    runs = [worker(f"pool{n}", n, lambda: gevent.sleep(0)) for n in range(6)]
    gevent.pool.Pool(4).map(lambda run: run(), runs)


KINDS = {
    "greenlet": plain_greenlets,
    "nested": nested_greenlets,
    "gevent": gevent_workers,
    "pool": gevent_pool,
}
deadline = time.monotonic() + float(sys.argv[1])


if __name__ == "__main__":
    window_begin = time.monotonic_ns()
    KINDS[sys.argv[2]]()
    window = [window_begin, time.monotonic_ns()]
    print(json.dumps({"window": window, "tid": threading.get_native_id(), "chains": list(chains)}))
