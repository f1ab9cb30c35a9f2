# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Processes that begin in every way, live for moments and hand on their number; each works in a function
of its own name and declares its stack.

argv: seconds of CPU time for each, then the interpreters that run in turn.
With "work TAG SECONDS" instead: work, then exec what stands in NEXT.
"""

import ctypes
import multiprocessing
import os
import subprocess
import sys
import time

import declared

SOURCE = "def work_{tag}(hold, *arguments):\n    return hold(*arguments)\n"
STORM_NR = 8


def hold(tag, seconds):
    stack, window = declared.spin(seconds, gap=True, of_cpu=True)
    declared.emit(tag=tag, stack=stack, window=window, **declared.identity())


def work(tag, seconds):
    scope = {}
    exec(compile(SOURCE.format(tag=tag), "<%s>" % tag, "exec"), scope)
    scope["work_" + tag](hold, tag, seconds)


def command(python, tag, seconds):
    return [python, __file__, "work", tag, str(seconds)]


def forked(tag, seconds, is_daemon=False):
    pid = os.fork()
    if pid == 0:
        if is_daemon and os.fork():
            os._exit(0)
        ctypes.CDLL(None).prctl(15, b"renamed", 0, 0, 0)
        work(tag, seconds)
        os._exit(0)
    os.waitpid(pid, 0)


def run_storm(pythons, seconds):
    """Processes with one and the same number, in a pid namespace of our own."""
    for index in range(STORM_NR):
        with open("/proc/sys/kernel/ns_last_pid", "w") as file:
            file.write("4000")
        tag = "storm_%d" % index
        if index % 3 == 2:
            forked(tag, seconds)
        else:
            subprocess.check_call(command(pythons[index % len(pythons)], tag, seconds))


def run_without_fork(pythons, seconds):
    """With close_fds=False subprocess takes posix_spawn, from 3.8 on; else, from 3.10 on, vfork."""
    subprocess.check_call(command(pythons[0], "subprocess", seconds), close_fds=False)
    if hasattr(os, "posix_spawn"):
        words = command(pythons[-1], "posix_spawn", seconds)
        os.waitpid(os.posix_spawn(words[0], words, os.environ), 0)


def run_multiprocessing(seconds):
    contexts = {"fork": multiprocessing}  # all that 2.7 has
    if hasattr(multiprocessing, "get_context"):
        methods = ("fork", "spawn", "forkserver")
        contexts = {method: multiprocessing.get_context(method) for method in methods}
    for method, context in contexts.items():
        child = context.Process(target=work, args=(method, seconds))
        child.start()
        child.join()


def main(seconds, pythons):
    if os.getpid() < 300:  # in a namespace
        run_storm(pythons, seconds)
    for index in range(3):
        forked("forked_%d" % index, seconds)
    forked("daemon", seconds, is_daemon=True)
    for index, python in enumerate(pythons):
        subprocess.check_call(command(python, "spawned_%d" % index, seconds))
    chain = os.pathsep.join(pythons[1:])
    subprocess.check_call(
        command(pythons[0], "exec_0", seconds), env=dict(os.environ, NEXT=chain)
    )
    run_without_fork(pythons, seconds)
    run_multiprocessing(seconds)
    time.sleep(seconds)  # the daemon is nobody's child


def go_on(tag, seconds):
    work(tag, seconds)
    python, _, rest = os.environ.get("NEXT", "").partition(os.pathsep)
    if python:
        number = int(tag.split("_")[1]) + 1
        os.environ["NEXT"] = rest
        os.execv(python, command(python, "exec_%d" % number, seconds))


if __name__ == "__main__":
    if sys.argv[1] == "work":
        go_on(sys.argv[2], float(sys.argv[3]))
    else:
        main(float(sys.argv[1]), sys.argv[2:])
