# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The exercise: build a string by concatenation from chr() and %, then compress it.

Which operation costs most? Runs for argv[1] seconds (default 10). Each operation has its line.
"""

import sys
import time
import zlib

LETTERS_NR = 200_000


def build_text(length):
    text = ""
    for number in range(length):
        offset = number * number % 95
        letter = chr(32 + offset)
        text = text + letter
    return text


def compress_text(text):
    return zlib.compress(text.encode(), 6)


def build_and_compress(length):
    text = build_text(length)
    return len(compress_text(text))


def main(seconds):
    deadline = time.monotonic() + seconds
    compressed_bytes = 0
    while time.monotonic() < deadline:
        compressed_bytes = build_and_compress(LETTERS_NR)
    return compressed_bytes


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
