# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A stack that is always the same: <module>, main, DEPTH times descend, a call through C (map),
# then work or ask_kernel, whatever the time.
import posix
import time

DEPTH = 300


def work():
    total = 0
    for number in range(2000):
        total += number
    return total


def ask_kernel():
    for _ in range(200):
        posix.stat("/")


def step(_):
    work()
    ask_kernel()


def descend(left, end):
    if left > 1:
        descend(left - 1, end)
        return
    while time.monotonic() < end:
        list(map(step, (None,)))


def main():
    descend(DEPTH, time.monotonic() + 600)


main()
