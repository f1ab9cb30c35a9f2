# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""More than 300 threads: most wait, some come and go, a few compute, the main thread too.

  many_threads.py SECONDS [WAITING [SWITCH]]

SWITCH: seconds after which a thread hands the GIL on (2.7: after each instruction). Each thread that
computes declares its one stack. Those that wait are there before and after.
"""

import sys
import threading

import declared

WORKERS_NR = 3
SECONDS = float(sys.argv[1])
WAITING_NR = int(sys.argv[2]) if len(sys.argv) > 2 else 310
if len(sys.argv) > 3 and hasattr(sys, "setswitchinterval"):
    sys.setswitchinterval(float(sys.argv[3]))
elif len(sys.argv) > 3:
    sys.setcheckinterval(0)
parts = []
finished = threading.Event()


def wait():
    finished.wait()


def compute(seconds):
    stack, window = declared.spin(seconds, gap=True)
    parts.append((declared.native_id(), stack, window))


def come_and_go():
    """One short-lived thread after the other, each numbered anew by the kernel."""
    for _ in range(5):
        run_threads(1, compute, SECONDS / 8)


def start_threads(number, function, *arguments):
    threads = [threading.Thread(target=function, args=arguments) for _ in range(number)]
    for thread in threads:
        thread.start()
    return threads


def run_threads(number, function, *arguments):
    for thread in start_threads(number, function, *arguments):
        thread.join()


threading.stack_size(256 << 10)
half = WAITING_NR // 2
threads = start_threads(half, wait)
threads += start_threads(WORKERS_NR, compute, SECONDS)
threads += start_threads(WAITING_NR - half, wait)
threads += start_threads(1, come_and_go)
compute(SECONDS)
finished.set()
for thread in threads:
    thread.join()
for tid, stack, window in parts:
    declared.emit(stacks=[stack], window=window, **dict(declared.identity(), tid=tid))
