# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""More shapes of Python calls (the first ones are in shapes.py), and code that runs inside of other
code: signal handlers, finalizers, trace functions. Then recursion deeper than what is kept.

For Python 3: the language has no coroutines before.
argv: seconds for each shape, depth of the recursion.
"""

import abc
import asyncio
import functools
import gc
import signal
import sys
import threading
import weakref

import declared
from traced import all_stacks, run_shape

CYCLE_NR = 7


def burn(rounds):
    value = 1
    for _ in range(rounds):
        value = value * 31 % 1000003
    return value


class Ticker:
    def __init__(self, limit):
        self.left = limit

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        return burn(20)

    async def __aenter__(self):
        return burn(20)

    async def __aexit__(self, *_):
        return burn(20) < 0


async def ticks():
    async for value in Ticker(5):
        burn(value % 7 + 10)


async def guarded():
    async with Ticker(3) as value:
        burn(value % 7 + 20)


async def yielded():
    for _ in range(3):
        yield burn(20)


async def drained():
    return [value async for value in yielded() if value]


def driven(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value


def async_for():
    driven(ticks())


def async_with():
    driven(guarded())


def async_generator():
    driven(drained())


async def left():
    return burn(30)


async def right():
    await asyncio.sleep(0)
    return burn(30)


async def gathered():
    TASKS.append(LOOP.create_task(left()))
    TASKS.append(LOOP.create_task(right()))
    await asyncio.gather(*TASKS[1:])


LOOP = asyncio.new_event_loop()
TASKS = []  # they die where no local variable of asyncio holds them


def tasks():
    TASKS.append(LOOP.create_task(gathered()))
    LOOP.run_until_complete(TASKS[0])
    TASKS.clear()


def nested_comprehensions():
    return {row: [burn(10) for _ in range(3)] for row in {burn(5) for _ in range(2)}}


def counted(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        burn(10)
        return function(*arguments)

    return wrapper


@counted
@counted
def decorated(rounds):
    return burn(rounds)


def decorators():
    return decorated(20)


class Field:
    def __get__(self, instance, owner):
        return burn(20)

    def __set__(self, instance, value):
        burn(20)

    def __set_name__(self, owner, name):
        burn(10)


class Meta(abc.ABCMeta):
    def __new__(mcs, *arguments):
        burn(10)
        return super().__new__(mcs, *arguments)

    def __call__(cls, *arguments):
        burn(10)
        return super().__call__(*arguments)


def class_bodies():
    class Made(metaclass=Meta):
        field = Field()
        value = burn(20)

        def __init__(self):
            self.field = self.field + burn(10)

        def __getattribute__(self, name):
            burn(5)
            return super().__getattribute__(name)

        def __iter__(self):
            yield burn(10)

        def __eq__(self, other):
            return burn(10) < 0

        __hash__ = None

    return list(Made()) + [Made() == Made()]


def partials():
    return functools.partial(map, functools.partial(burn))


def callbacks():
    return sorted(partials()(range(9)), key=functools.cmp_to_key(lambda a, b: burn(10) - a - b))


class Dying:
    def __del__(self):
        burn(20)


def finalizers():
    Dying()
    things = [Dying()]  # up to 3.12 tracing keeps what a local variable holds alive
    reference = weakref.ref(things[0], lambda _: burn(20))
    things.pop()
    return reference


def thrower():
    try:
        yield burn(10)
    except ValueError:
        yield burn(10)
    finally:
        burn(10)


def thrown_into():
    made = thrower()
    next(made)
    made.throw(ValueError())
    made.close()


def handler_body(*_):
    burn(2000)


alarm_seconds = 0


def on_alarm(*_):
    handler_body()
    signal.setitimer(signal.ITIMER_REAL, alarm_seconds)


def on_collection(phase, _info):
    burn(200)


def on_event(_frame, _event, _argument):
    burn(10)
    return on_event


def plain_work():
    return burn(50) + burn(60)


def collected_work():
    made = [[] for _ in range(50)]
    made.append(made)
    gc.collect(0)
    return burn(10)


SHAPES = [
    async_for,
    async_with,
    async_generator,
    tasks,
    nested_comprehensions,
    decorators,
    class_bodies,
    callbacks,
    finalizers,
    thrown_into,
]


def tails_of(function, *arguments):
    """What stands below this function while the other one runs, as run_shape() saw it."""
    chains, _ = run_shape(functools.partial(function, *arguments), 0)
    names = [name for name, _, _ in max(chains, key=len)]
    at = names.index("repeat") + 1
    return {chain[at:] for chain in chains if len(chain) > at}


def with_inside(chains, tails):
    """What runs inside may begin anywhere."""
    return chains | {chain + tail for chain in chains for tail in tails}


def inside_alarms(seconds):
    global alarm_seconds
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    tails = tails_of(on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0)
    alarm_seconds = 0.001
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, alarm_seconds)
    chains, window = run_shape(plain_work, seconds)
    # The handler of one that came already may still run: it must not set the next.
    alarm_seconds = 0
    signal.setitimer(signal.ITIMER_REAL, alarm_seconds)
    return with_inside(chains, tails), window


def inside_collections(seconds):
    tails = tails_of(on_collection, "start", {})
    gc.callbacks.append(on_collection)
    chains, window = run_shape(collected_work, seconds)
    gc.callbacks.remove(on_collection)
    return with_inside(chains, tails), window


def inside_events(setter):
    """A trace or profile function in Python is active all the time."""

    def run(seconds):
        def traced_work():
            setter(on_event)
            plain_work()
            setter(None)

        shapes = [(plain_work, 0), (traced_work, seconds)]
        # Both functions cannot be active: each is seen alone, the other one's calls are added.
        tails = tails_of(on_event, None, "line", None)
        (chains, _), (_, window) = [run_shape(*which) for which in shapes]
        at = [name for name, _, _ in max(chains, key=len)].index("repeat") + 1
        code = traced_work.__code__
        lines = {*declared.own_lines(code), code.co_firstlineno}
        head = max(chains, key=len)[:at]
        inside = {(declared.code_name(code), code.co_filename, line) for line in lines}
        within = {chain[at:] for chain in chains if len(chain) > at}
        chains = {chain for chain in chains if len(chain) <= at}
        chains |= {(*head, one, *tail) for one in inside for tail in {(), *within}}
        return with_inside(chains, tails), window

    return run


INSIDE = {
    "signal handler": inside_alarms,
    "gc callback": inside_collections,
    "settrace": inside_events(sys.settrace),
    "setprofile": inside_events(sys.setprofile),
}


def cycle(which, left, seconds):
    return STEPS[which](left, seconds) if left else declared.spin(seconds)


def make_step(which):
    scope = {"cycle": cycle, "following": (which + 1) % CYCLE_NR}
    name = "step_%d" % which
    source = "def %s(left, seconds):\n    return cycle(following, left - 1, seconds)\n" % name
    exec(compile("\n" * which + source, "<step %d>" % which, "exec"), scope)
    return scope[name]


STEPS = [make_step(which) for which in range(CYCLE_NR)]


def recurse(depth, seconds):
    """On a thread: its C stack can be made large enough for versions that need it."""
    results = []

    def run():
        results.append((*cycle(0, depth // 2, seconds), declared.native_id()))

    sys.setrecursionlimit(depth + 1000)
    threading.stack_size(256 << 20)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return results[0]


def main(seconds, depth):
    told = []
    for shape in SHAPES:
        chains, window = run_shape(shape, seconds)
        told.append((shape.__name__, chains, window))
    for name, run in INSIDE.items():
        told.append((name, *run(seconds)))
    deep_stack, deep_window, deep_tid = recurse(depth, seconds / 3)
    for name, chains, window in told:
        declared.emit(shape=name, stacks=all_stacks(chains), window=window, **declared.identity())
    declared.emit(deep=deep_stack, window=deep_window, tid=deep_tid)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
