# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Forks a child on one CPU which executes a new Python on another.

    migrated_child.py FLAG PARENT_CPU CHILD_CPU

Says {"ready": true} and waits for the file FLAG; the child says when its work began and ended.
"""

import json
import os
import sys
import time

from declared import SECOND, as_window, monotonic

SECONDS = 0.8


def say(**told):
    print(json.dumps(told), flush=True)


def spin():
    begin = monotonic()
    while monotonic() < begin + SECONDS * SECOND:
        pass
    say(pid=os.getpid(), window=as_window(begin, monotonic()))


def fork_child(cpu):
    child = os.fork()
    if not child:
        os.sched_setaffinity(0, {cpu})
        os.execv(sys.executable, [sys.executable, __file__])
    os.waitpid(child, 0)


def main(flag, parent_cpu, child_cpu):
    os.sched_setaffinity(0, {int(parent_cpu)})
    say(ready=True)
    while not os.path.exists(flag):
        time.sleep(0.01)
    fork_child(int(child_cpu))


if len(sys.argv) > 1:
    main(*sys.argv[1:])
else:
    spin()
