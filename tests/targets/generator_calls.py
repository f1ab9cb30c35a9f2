# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Generators that call, made and exhausted one after the other for argv[1] seconds: where a generator's
frame called one, the next generator function's own frame begins, with the same neighbours in memory."""

import sys

import declared
from declared import SECOND, as_window, monotonic


def called(value):
    return value


def make():
    return sum(called(value) for value in (1,))


def main(seconds):
    begin = monotonic()
    deadline = begin + seconds * SECOND
    while monotonic() < deadline:
        for _ in range(1000):
            make()
    declared.emit(window=as_window(begin, monotonic()), **declared.identity())


if __name__ == "__main__":
    main(float(sys.argv[1]))
