# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Maps a library of replaced_library.c, drops it and maps another one in its place, whose code then runs.

    replaced_library.py FLAG FIRST SECOND

Says {"ready": true} and waits for the file FLAG; at its end says where each library began and when the
second one's code ran.
"""

import _ctypes
import ctypes
import json
import os
import sys
import time

from declared import as_window, monotonic

SECONDS = 0.6


def begin_of(path):
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return min(int(line.split("-")[0], 16) for line in maps if line.rstrip().endswith(path))


def say(**told):
    print(json.dumps(told), flush=True)


def main(flag, first, second):
    say(ready=True)
    while not os.path.exists(flag):
        time.sleep(0.01)
    library = ctypes.CDLL(first)
    begins = [begin_of(first)]
    _ctypes.dlclose(library._handle)
    library = ctypes.CDLL(second)
    begins.append(begin_of(second))
    begin = monotonic()
    library.spin_for(ctypes.c_double(SECONDS))
    say(begins=begins, window=as_window(begin, monotonic()), tid=os.getpid())


main(*sys.argv[1:])
