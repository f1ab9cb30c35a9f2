# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""asyncio tasks of known names, each burning CPU in a function of its own (CPython 3.12 and newer).

Prints one JSON line: "window", and "owners": function -> name of the task that runs it, None where
no task runs. A sample belongs to the innermost of these functions in its stack.
Each task burns argv[1] times, about 10 ms of CPU time each.
"""

import asyncio
import json
import selectors
import sys
import threading
import time
from asyncio import tasks as asyncio_tasks

SLICE_SECONDS = 0.012
owners = {}


def burn(seconds=SLICE_SECONDS):
    end = time.thread_time() + seconds
    value = 1
    while time.thread_time() < end:
        for _ in range(50):
            value = value * 31 % 1000003
    return value


def owned(name, owner):
    """A function of that name which burns, for the task called owner."""
    namespace = {"burn": burn}
    exec(compile(f"def {name}(): return burn()", "<owned>", "exec"), namespace)
    owners[name] = owner
    return namespace[name]


class BurningSelector(selectors.DefaultSelector):
    """The loop itself: it asks for events while no task runs."""

    burn_in_loop = staticmethod(owned("burn_in_loop", None))

    def select(self, timeout=None):
        if timeout != 0:
            self.burn_in_loop()
        return super().select(timeout)


class OwnTask(asyncio.Task):
    """Derived from the C class: has a name as that one."""


NAMES = {
    "burn_plain": "plain",
    "burn_latin": "größe",
    "burn_greek": "δοκιμή",
    "burn_wide": "name-\U0001f40d",
    "burn_empty": "",
    "burn_signs": "a;b (c) [d] +0x10\nnew",
    "burn_digits": "7",
    "burn_long": "long" * 200,
}


async def in_turns(function, rounds):
    for _ in range(rounds):
        function()
        await asyncio.sleep(0)


async def nested(function, rounds):
    """Coroutines and generators between the task and its function."""
    await in_turns(function, rounds)


async def named(rounds):
    async with asyncio.TaskGroup() as group:
        for function, name in NAMES.items():
            group.create_task(nested(owned(function, name), rounds), name=name)
        loop = asyncio.get_running_loop()
        task = OwnTask(in_turns(owned("burn_derived", "derived"), rounds), loop=loop, name="derived")
    await task


async def cut(rounds):
    """Longer than what is recorded of a name, in characters of one, two and four bytes."""
    for index, letter in enumerate("aω\U0001f40d"):
        name = letter * 5000
        await asyncio.create_task(in_turns(owned(f"burn_cut_{index}", name), rounds), name=name)


async def numbered(rounds):
    """Tasks that nobody named, nor asked for their names before they ended."""
    functions = [owned(f"burn_numbered_{index}", "") for index in range(5)]
    made = [asyncio.create_task(in_turns(function, rounds)) for function in functions]
    await asyncio.gather(*made)
    for function, task in zip(functions, made):
        owners[function.__name__] = task.get_name()
    asked = owned("burn_asked", "")
    task = asyncio.create_task(in_turns(asked, rounds))
    owners[asked.__name__] = task.get_name()  # its name is a text from now on
    await task


async def short_lived(nr):
    """One dies before the next is made: same address, other name."""
    addresses = set()
    for index in range(nr):
        task = asyncio.create_task(
            in_turns(owned(f"burn_short_{index}", f"short {index}"), 1), name=f"short {index}"
        )
        addresses.add(id(task))
        await task
        del task
    return len(addresses)


async def eager(rounds):
    """3.12 and newer: a task that begins inside of the one that makes it."""
    loop = asyncio.get_running_loop()
    parent = owned("burn_eager_parent", "parent")
    child = owned("burn_eager_child", "child")
    loop.set_task_factory(asyncio.eager_task_factory)
    for _ in range(rounds):
        parent()
        task = loop.create_task(in_turns(child, 2), name="child")
        parent()
        await task
    loop.set_task_factory(None)


async def renamed(rounds):
    task = asyncio.current_task()
    before, after = owned("burn_before", "before"), owned("burn_after", "after")
    for _ in range(rounds):
        task.set_name("before")
        before()
        task.set_name("after")
        after()


async def callbacks(rounds):
    """Run by the loop, not by a task."""
    function = owned("burn_callback", None)
    for _ in range(rounds):
        asyncio.get_running_loop().call_soon(function)
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)


async def in_python(rounds):
    """asyncio's own class in Python keeps the running task to itself."""
    function = owned("burn_python_task", None)
    loop = asyncio.get_running_loop()
    await asyncio_tasks._PyTask(in_turns(function, rounds), loop=loop, name="hidden")


class ForeignTask:
    """Another library's, with attributes where the C class has others."""

    def __init__(self):
        self.__dict__.update({f"attribute_{index}": f"text {index}" for index in range(40)})
        self.name = "foreign"


async def foreign(rounds):
    """Made known to asyncio, as other libraries do; its name is at no known place."""
    loop = asyncio.get_running_loop()
    function = owned("burn_foreign", "[unknown]")
    done = asyncio.Event()

    def step():
        for _ in range(rounds):
            for task in (ForeignTask(), object(), "text", 7, [], function):
                asyncio_tasks._enter_task(loop, task)
                function()
                asyncio_tasks._leave_task(loop, task)
        done.set()

    loop.call_soon(step)
    await done.wait()


async def other_loop(stop):
    name = "task of the other thread"
    await asyncio.create_task(until(stop, owned("burn_other_loop", name)), name=name)


async def until(stop, function):
    while not stop.is_set():
        function()
        await asyncio.sleep(0)


async def main(rounds):
    await named(rounds)
    await cut(rounds)
    await numbered(rounds)
    addresses_nr = await short_lived(12 * rounds)
    await asyncio.create_task(eager(rounds), name="parent")
    await asyncio.create_task(renamed(rounds))
    await callbacks(rounds)
    await in_python(rounds)
    await foreign(rounds)
    return addresses_nr


def run_loop(coroutine):
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(BurningSelector())) as runner:
        return runner.run(coroutine)


def run():
    stop = threading.Event()
    thread = threading.Thread(target=run_loop, args=(other_loop(stop),))
    begin = time.monotonic_ns()
    thread.start()
    try:
        addresses_nr = run_loop(main(int(sys.argv[1])))
    finally:
        stop.set()
    thread.join()
    owned("burn_outside", None)()
    window = [begin, time.monotonic_ns()]
    print(json.dumps({"window": window, "owners": owners, "addresses_nr": addresses_nr}))


if __name__ == "__main__":
    run()
