# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The shapes of shapes.py that 2.7 has no syntax for."""

import asyncio

from traced import burn


def numbers(limit):
    for number in range(limit):
        yield burn(20) + number


def relayed(limit):
    yield from numbers(limit)


def delegation():
    return max(relayed(30))


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


def unicode_ñame_函数():
    return burn(60)


SHAPES = [delegation, coroutine, event_loop, unicode_ñame_函数]
