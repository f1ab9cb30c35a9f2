# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A thread that lives in zlib without the GIL, beside a main thread that computes in Python."""

import random
import sys
import threading
import zlib

import declared
from declared import SECOND, as_window, cpu_seconds, monotonic

BUFFER_BYTES = 8 << 20


def compress_buffers(deadline, buffer):
    times = 0
    while monotonic() < deadline:
        times += len(compress_once(buffer)) > 0
    return times


def compress_once(buffer):
    return zlib.compress(buffer, 6)


def zlib_thread(deadline, buffer, found):
    begin = monotonic()
    compress_buffers(deadline, buffer)
    found.update(tid=declared.native_id(), window=as_window(begin, monotonic()))


def main_thread_work(deadline):
    value = 1
    while monotonic() < deadline:
        value = value * 31 % 1000003
    return value


def main(seconds):
    letters = random.Random(7)
    words = [bytes(bytearray(letters.getrandbits(8) for _ in range(7))) for _ in range(4096)]
    chooser = random.Random(11)
    buffer = b" ".join([words[int(chooser.random() * 4096)] for _ in range(BUFFER_BYTES // 8)])
    found = {}
    deadline = monotonic() + seconds * SECOND
    thread = threading.Thread(target=zlib_thread, args=(deadline, buffer, found))
    thread.start()
    cpu_begin = cpu_seconds()
    main_thread_work(deadline)
    thread.join()
    declared.emit(
        zlib_tid=found["tid"],
        window=found["window"],
        cpu_seconds=cpu_seconds() - cpu_begin,
        callers=["zlib_thread", "compress_buffers", "compress_once"],
        **declared.identity()
    )


main(float(sys.argv[1]))
