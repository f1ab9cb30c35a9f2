# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Runs the functions of burn.c, built as the library argv[2], and a loop of Python, for argv[1] seconds of
CPU time."""

import ctypes
import sys
import time

library = ctypes.CDLL(sys.argv[2])
end = time.process_time() + float(sys.argv[1])
while time.process_time() < end:
    library.burn_deep(5, ctypes.c_ulong(100000))
    for number in range(50000):
        pass
