# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Our line table decoders against the interpreters themselves: every instruction offset of every code
object at the top level of each standard library, columns included where the version has them."""

import os
import re
import subprocess

import pytest

from pyrec_harness import ROOT, clean_environment, find_python, run

HERE = os.path.dirname(os.path.abspath(__file__))
VERSIONS = ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "system"]
SOURCES = ["tests/e2e/decode_line_tables.c", "report/line_table.c", "common/bytes.c"]


@pytest.fixture(scope="session")
def decoder(tmp_path_factory):
    program = str(tmp_path_factory.mktemp("decoder") / "decode_line_tables")
    built = run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-I.", "-o", program, *SOURCES], cwd=ROOT)
    assert built.returncode == 0, built.stderr
    return program


def find_interpreter(version):
    """2.7 has no python3."""
    if version != "2.7":
        return find_python(version)
    return re.sub(r"versions/3\.9[^/]*/bin/python3", "versions/2.7.18/bin/python2.7", find_python("3.9"))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_offset_of_the_library(version, decoder, tmp_path):
    python = find_interpreter(version)
    if not os.path.exists(python):
        pytest.skip(f"prerequisite CPython {version}: no {python}")
    tables, answers = tmp_path / "tables", tmp_path / "answers"
    asked = run([python, f"{HERE}/line_oracle.py", tables, answers])
    assert asked.returncode == 0, asked.stderr
    assert int(asked.stdout) > 100_000
    with open(tables, "rb") as stdin, open(tmp_path / "ours", "wb") as stdout:
        subprocess.run(
            [decoder], stdin=stdin, stdout=stdout, check=True, env=clean_environment(), timeout=120
        )
    with open(tmp_path / "ours") as ours, open(answers) as theirs:
        for number, (our, their) in enumerate(zip(ours, theirs, strict=True)):
            assert our == their, f"code object {number}: {first_difference(our, their)}"


def first_difference(our, their):
    for offset, (a, b) in enumerate(zip(our.split(), their.split())):
        if a != b:
            return f"unit {offset}: ours {a}, the interpreter's {b}"
    return f"lengths {len(our.split())} and {len(their.split())}"
