# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Greenlets: each stack is that of the one that runs, as the interpreter itself tells it.

What cannot be told while two stacks are being exchanged says so; how often, the test prints.
"""

import subprocess

import pytest

from declared_stacks import is_flagged
from pyrec_harness import (
    SYSTEM_PYTHON,
    documents,
    need_root,
    record_command,
    run_target,
    script,
    skip,
    within,
)

SECONDS = 2
SAMPLES_MIN = 200
# Of these programs, which switch every few tens of microseconds.
FLAGGED_MAX = 0.1
FIRST_OF_GREENLET = "greenlet::UserGreenlet::inner_bootstrap"
FIRST_OF_PROGRAM = "_start"


def need_module(name):
    command = [SYSTEM_PYTHON, "-c", f"import {name}"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        skip(f"prerequisite {name} of {SYSTEM_PYTHON}: not installed")


def is_of_gevent(sample):
    """Its loop, or the greenlet that feeds a pool."""
    first = next(frame for frame in sample.frames if frame.kind == "p")
    return "/gevent/" in first.dso


def why_impossible(sample, chains, functions):
    """None for a stack that the program has."""
    names = sample.python_names()
    own = [name for name in names if name in functions]
    root = sample.frames[0].name
    if own and tuple(names[: len(own)]) != tuple(own):
        return "frames of others above or between a greenlet's own"
    if own and not any(chain[: len(own)] == tuple(own) for chain in chains):
        return "no beginning of a chain that the interpreter told"
    if names and not own and names[0] != "<module>" and not is_of_gevent(sample):
        return "neither the program nor a greenlet of gevent's own"
    if root.startswith(FIRST_OF_GREENLET):
        return "the program's own frames in a greenlet" if names[:1] == ["<module>"] else None
    if root != FIRST_OF_PROGRAM:
        return "ends neither where a greenlet begins nor where the program does"
    return None if names[:1] == ["<module>"] else "a greenlet's frames below the program's"


@pytest.mark.parametrize("options", [[], ["--legacy"]], ids=["loop", "legacy"])
@pytest.mark.parametrize("kind", ["greenlet", "nested", "gevent", "pool"])
def test_stacks(kind, options, workdir):
    need_root()
    need_module("gevent" if kind in ("gevent", "pool") else "greenlet")
    path = f"{workdir}/pyrec.data"
    command = run_target(SYSTEM_PYTHON, "greenlets.py", SECONDS, kind)
    (told,) = documents(record_command(path, command, "-F", "999", *options).stdout)
    chains = {tuple(chain) for chain in told["chains"]}
    functions = {name for chain in chains for name in chain}
    samples = [s for s in within(script(path), *told["window"]) if s.tid == told["tid"]]
    whole = [sample for sample in samples if not is_flagged(sample)]
    flagged_nr = len(samples) - len(whole)
    print(f"{len(samples)} samples, {flagged_nr} flagged ({flagged_nr / len(samples):.2%})")
    assert len(samples) >= SAMPLES_MIN
    wrong = [(why_impossible(s, chains, functions), s) for s in whole]
    wrong = [(why, sample) for why, sample in wrong if why]
    assert not wrong, f"{len(wrong)} of {len(whole)}: {wrong[0]}"
    assert flagged_nr <= FLAGGED_MAX * len(samples)
    burning = [s for s in whole if any(n.endswith(("_burn", "_deeper")) for n in s.python_names())]
    assert len(burning) > len(samples) / 2
