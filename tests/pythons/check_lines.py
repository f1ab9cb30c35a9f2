#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Line tables of every CPython that this machine has or can unpack, over its whole standard library.

  check_lines.py [VERSION…]    "3.14" or "3.14.10"; all without one

Prints one row for each interpreter; fails where our decoder and the interpreter differ anywhere.
Unpacked ones run by chroot, which needs root; without it they are left out.
"""

import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

import interpreters  # noqa: E402
import line_tables  # noqa: E402
import trees  # noqa: E402

COLUMNS = "{:<10} {:<10} {:>6} {:>8} {:>13} {:>13} {:>11}"
UNITS_MIN = 1_000_000
SKIPPED_MAX = 0.02


def libraries(found):
    """One interpreter for each library: debug builds and embedders use that of another one."""
    wanted = {}
    for interpreter in found:
        if "debug" not in interpreter.build:
            wanted.setdefault((interpreter.version, interpreter.root), interpreter)
    return list(wanted.values())


def check(interpreter, comparer):
    """(the row, whether all is right)."""
    with interpreter.workdir() as (folder, inside):
        oracle = os.path.basename(shutil.copy(line_tables.ORACLE, folder))
        result = line_tables.compare_library(comparer, interpreter.command(f"{inside}/{oracle}"))
    row = COLUMNS.format(
        interpreter.version,
        interpreter.place(),
        result.files_nr,
        result.skipped_nr,
        result.codes_nr,
        result.units_nr,
        result.mismatches_nr,
    )
    is_right = (
        result.mismatches_nr == 0
        and result.units_nr >= UNITS_MIN
        and result.skipped_nr <= SKIPPED_MAX * result.files_nr
    )
    return row + ("\n" + result.first if result.first else ""), is_right


def main(wanted):
    found = interpreters.find_interpreters(trees.find_trees().values() if os.geteuid() == 0 else [])
    found = [i for i in libraries(found) if interpreters.is_wanted(i.version, wanted)]
    print(
        COLUMNS.format(
            "version", "place", "files", "skipped", "code objects", "instructions", "mismatches"
        )
    )
    with tempfile.TemporaryDirectory(prefix="pyrec-lines-") as folder:
        comparer = line_tables.build_comparer(folder)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(lambda interpreter: check(interpreter, comparer), found))
    for row, _ in results:
        print(row)
    failed_nr = sum(not is_right for _, is_right in results)
    print(f"{len(results) - failed_nr} passed, {failed_nr} failed")
    return 1 if failed_nr or not results else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
