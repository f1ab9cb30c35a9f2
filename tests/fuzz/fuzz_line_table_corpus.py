#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Inputs for fuzz_line_table: tables of real code objects, of every interpreter found.

  fuzz_line_table_corpus.py FOLDER
"""

import glob
import itertools
import os
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import line_tables  # noqa: E402
import pyrec_harness as harness  # noqa: E402

TABLES_PER_VERSION = 60


def inputs(python):
    """Tables of its library, those of files: the made ones come first."""
    command = [python, line_tables.ORACLE, "--top"]
    with line_tables.ask(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as asked:
        for version, first_line, name, table in line_tables.questions(asked.stdout):
            if name.startswith(b"/"):
                minor = version >> 16 & 255 if version >> 24 == 3 else 0
                yield struct.pack("<BiH", minor, first_line, len(table) // 2) + table


def main(folder):
    pythons = glob.glob(os.path.join(harness.PYENV_ROOT, "versions", "*", "bin", "python"))
    for place, python in enumerate([*pythons, harness.SYSTEM_PYTHON]):
        for number, content in enumerate(itertools.islice(inputs(python), TABLES_PER_VERSION)):
            with open(os.path.join(folder, f"lines-{place}-{number}"), "wb") as file:
                file.write(content)


main(sys.argv[1])
