# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Code that runs in a subinterpreter stands on the frames of the interpreter that started it; and code
objects of interpreters that come and go are told apart, though each counts its own from 1."""

import pytest

import embedding
from declared_stacks import describe, find_impossible, window_samples
from pyrec_harness import (
    HEAP_FRAME_MINORS,
    MINORS,
    documents,
    find_python,
    record_command,
    run_target,
    script,
    within,
)

PARTS_NR = 8  # of subinterpreters.py
INTERPRETERS_NR = 40  # of reused_code.py
CYCLES_NR = 60
# What runs a subinterpreter came with 3: _testcapi, then _xxsubinterpreters, then _interpreters.
VERSIONS = [minor for minor in HEAP_FRAME_MINORS if minor != "2.7"] + MINORS + ["system"]


@pytest.mark.parametrize("version", VERSIONS)
def test_stacks(version, workdir):
    """With the GIL and, in zlib, without it; in the main thread and others; before, in and after."""
    path = f"{workdir}/subinterpreters.data"
    target = run_target(find_python(version), "subinterpreters.py", 0.4)
    parts = documents(record_command(path, target, "-F", "499").stdout)
    assert len(parts) == PARTS_NR
    everything = script(path)
    for part in parts:
        whole, flagged = window_samples(part, everything)
        assert len(whole + flagged) >= 10
        assert len(flagged) <= 1, describe([(s, "flagged") for s in flagged], whole + flagged)
        impossible = find_impossible(whole, part["stacks"], "libz.so.1.2.13")
        assert not impossible, describe(impossible, whole)


def check_names(path, parts, parts_nr, samples_min):
    """Each part is a function of its own name, at the same place of the same file."""
    assert len({part["leaf"] for part in parts}) == len(parts) == parts_nr
    everything = script(path)
    checked_nr = 0
    for part in parts:
        own = within([s for s in everything if s.tid == part["tid"]], *part["window"])
        wrong = [(s, f"not {part['leaf']}") for s in own if s.python_names()[-1] != part["leaf"]]
        assert not wrong, describe(wrong, own)
        checked_nr += len(own)
    assert checked_nr >= samples_min
    return len({part["address"] for part in parts})


def test_code_of_interpreters_that_are_gone(python, workdir):
    path = f"{workdir}/gone.data"
    target = run_target(python, "reused_code.py", INTERPRETERS_NR)
    parts = documents(record_command(path, target, "-F", "499").stdout)
    check_names(path, parts, INTERPRETERS_NR, samples_min=2 * INTERPRETERS_NR)


def test_code_of_earlier_initializations(python, workdir):
    """A program that calls Py_Initialize() again and again; addresses are used again."""
    path = f"{workdir}/cycles.data"
    embedder = embedding.build_linked(python, workdir)
    command = embedder.run_script("reused_code.py", CYCLES_NR)
    environment = embedding.environment_of(embedder)
    result = record_command(path, command, "-F", "499", env=environment)
    check_names(path, documents(result.stdout), CYCLES_NR, samples_min=2 * CYCLES_NR)
