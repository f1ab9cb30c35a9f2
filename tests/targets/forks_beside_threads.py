# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Threads that run many functions, after WARM_SECONDS while the process forks without end, for argv[1]
seconds; then it stays until what was recorded of it has been looked at.

After each fork every page that a thread writes to is exchanged for a copy, those with code objects
among them, often while another thread is just being sampled: for that moment the page is not there.
"""

import os
import sys
import threading
import time
import warnings
import zlib

import declared
from declared import SECOND, as_window, monotonic

THREADS_NR = 4
CHAINS_NR = 30
CHAIN_FRAMES = 12
WARM_SECONDS = 0.5
STAY_SECONDS = 0.5  # the recorder reads its ring ten times a second
TEXT = b"a text that is compressed " * 160


def leaf():
    zlib.compress(TEXT)


def make_step(name, inner):
    """A function of its own name; what is made beside it keeps the next one on another page."""
    scope = {"inner": inner, "beside": [bytearray(500) for _ in range(20)]}
    exec(compile("def %s():\n    inner()\n" % name, "<%s>" % name, "exec"), scope)
    return scope[name]


def make_chain(number):
    """(function, names from it down to the leaf)"""
    function, names = leaf, ["leaf"]
    for step in range(CHAIN_FRAMES):
        names.insert(0, "step_%d_%d" % (number, step))
        function = make_step(names[0], function)
    return function, names


CHAINS = [make_chain(number) for number in range(CHAINS_NR)]


def work(deadline):
    while monotonic() < deadline:
        for function, _ in CHAINS:
            function()


def run_thread(deadline, tids):
    tids.append(declared.native_id())
    work(deadline)


def main(seconds):
    # Since 3.12 fork beside threads warns; these children touch no lock of another thread.
    warnings.simplefilter("ignore", DeprecationWarning)
    tids, forks_nr = [], 0
    deadline = monotonic() + (WARM_SECONDS + seconds) * SECOND
    threads = [threading.Thread(target=run_thread, args=(deadline, tids)) for _ in range(THREADS_NR)]
    for thread in threads:
        thread.start()
    time.sleep(WARM_SECONDS)
    begin = monotonic()
    while monotonic() < deadline:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        forks_nr += 1
    for thread in threads:
        thread.join()
    window = as_window(begin, monotonic())
    time.sleep(STAY_SECONDS)
    chains = [names for _, names in CHAINS]
    declared.emit(tids=tids, forks=forks_nr, chains=chains, window=window)


if __name__ == "__main__":
    main(float(sys.argv[1]))
