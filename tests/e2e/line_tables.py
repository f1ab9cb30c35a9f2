# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Our line table decoders against an interpreter: line_oracle.py asks it, compare_line_tables.c compares."""

import os
import struct
import subprocess
from dataclasses import dataclass

from pyrec_harness import ROOT, TIMEOUT_SECONDS, clean_environment, run

ORACLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "line_oracle.py")
DECODER = os.path.join(ROOT, "report", "line_table.c")
SOURCES = ["tests/e2e/compare_line_tables.c", "common/bytes.c", "common/strbuf.c"]


@dataclass
class Comparison:
    files_nr: int
    skipped_nr: int  # files that do not compile, on purpose
    codes_nr: int
    units_nr: int  # instructions compared
    mismatches_nr: int
    first: str  # of the mismatches


def build_comparer(folder, decoder=DECODER):
    program = os.path.join(folder, "compare_line_tables")
    command = ["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-I.", "-o", program, decoder, *SOURCES]
    built = run(command, cwd=ROOT)
    assert built.returncode == 0, built.stderr
    return program


def compare(comparer, stream):
    """(code objects, instructions, mismatches), and text of the first of those."""
    done = subprocess.run(
        [comparer],
        stdin=stream,
        capture_output=True,
        check=True,
        text=True,
        env=clean_environment(),
        timeout=5 * TIMEOUT_SECONDS,
    )
    return tuple(map(int, done.stdout.split())), done.stderr


def ask(command, **streams):
    """An interpreter that runs line_oracle.py."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, env=clean_environment(), **streams)


def questions(stream):
    """(version, first line, name, table) of each code object in what line_oracle.py writes."""
    while header := stream.read(24):
        version, first_line, _, units_nr, name_nr, table_nr = struct.unpack("<IiIIII", header)
        name, table = stream.read(name_nr), stream.read(table_nr)
        stream.read(units_nr * (16 if version >= 0x030B0000 else 4))
        yield version, first_line, name, table


def compare_library(comparer, command):
    """The whole library of the interpreter that command runs line_oracle.py with."""
    with ask(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asked:
        counts, first = compare(comparer, asked.stdout)
        said = asked.stderr.read().decode()
    assert asked.returncode == 0, said
    return Comparison(*map(int, said.splitlines()[-1].split()), *counts, first)
