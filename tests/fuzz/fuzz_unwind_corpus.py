#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Inputs for fuzz_unwind: registers in code and stacks that are mostly return addresses.

  fuzz_unwind_corpus.py FOLDER
"""

import os
import random
import struct
import sys

REGISTERS_NR = 24
INPUTS_NR = 40


def word(generator):
    """In the code of one of the files, of the stack, or any number."""
    kind = generator.choice([*range(1, 9), *range(1, 9), 0x80, 0x80, 0, 0xFF])
    return kind << 56 | generator.getrandbits(generator.choice([4, 12, 22]))


def main(folder):
    for number in range(INPUTS_NR):
        generator = random.Random(number)
        words = [word(generator) for _ in range(REGISTERS_NR + generator.choice([8, 64, 400]))]
        with open(os.path.join(folder, f"unwind-{number}"), "wb") as file:
            file.write(struct.pack(f"<{len(words)}Q", *words))


main(sys.argv[1])
