# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""8 threads and 10 processes, each in a function of its own name.

Runs for argv[1] seconds. Ten processes come one after the other meanwhile and live 0.2 s of work
each: four are programs started by subprocess, three come from fork, three from multiprocessing's
spawn (2.7 has only its fork). Every worker declares itself.
"""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings

import named_work

THREADS_NR = 8
SHORT_LIFE_SECONDS = 0.2
HERE = os.path.dirname(os.path.abspath(__file__))


def start_program(name):
    program = os.path.join(HERE, "named_work.py")
    child = subprocess.Popen([sys.executable, program, name, str(SHORT_LIFE_SECONDS)])
    return child.wait


def start_fork(name):
    pid = os.fork()
    if pid == 0:
        named_work.work_as(name, SHORT_LIFE_SECONDS)
        os._exit(0)
    return lambda: os.waitpid(pid, 0)


def start_spawn(name):
    has_contexts = hasattr(multiprocessing, "get_context")
    context = multiprocessing.get_context("spawn") if has_contexts else multiprocessing
    child = context.Process(target=named_work.work_as, args=(name, SHORT_LIFE_SECONDS))
    child.start()
    return child.join


def main(seconds):
    # Since 3.12 fork beside threads warns; these children touch no lock of another thread.
    warnings.simplefilter("ignore", DeprecationWarning)
    threads = [
        threading.Thread(target=named_work.work_as, args=("thread_work_%d" % n, seconds))
        for n in range(THREADS_NR)
    ]
    for thread in threads:
        thread.start()
    starters = [start_program, start_fork, start_spawn] * 3 + [start_program]
    waiters = []
    for n, start in enumerate(starters):
        waiters.append(start("process_work_%d" % n))
        time.sleep(seconds / (len(starters) + 4))
    for wait in waiters:
        wait()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(float(sys.argv[1]))
