# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Real libraries at work: each Python stack that is shown is one that the code can have, by its own
bytecode (possible_callers.py); none is without Python frames, and no frame is without a name."""

import copy
import os
import random

import pytest

from declared_stacks import is_flagged
from possible_callers import CallSites
from pyrec_harness import (
    PYREC,
    SYSTEM_PYTHON,
    clean_environment,
    documents,
    find_python,
    need_root,
    run,
    run_target,
    script,
    skip,
    within,
)

SECONDS = 1
SAMPLES_MIN = 50
FLAGGED_MAX = 0.01  # a few hundred samples tell no smaller rate
PACKAGES = "/usr/lib/python3/dist-packages"
# Of Python alone, or with a part in C that they do without: for interpreters that are not Debian's.
PURE = ("sympy", "mpmath", "flask", "werkzeug", "jinja2", "markupsafe", "click", "itsdangerous")
# Versions that Debian's releases of these do not serve.
FIRST_MINOR = {"algebra": 8, "web": 7}
CASES = [
    (version, program)
    for program in ("algebra", "web", "server", "pool")
    for version in ("3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "system")
    if version == "system" or int(version[2:]) >= FIRST_MINOR.get(program, 0)
] + [("system", "arrays")]


def library_environment(python, folder):
    """What lets an interpreter import Debian's pure packages."""
    if python == SYSTEM_PYTHON:
        return {}
    for name in PURE:
        if os.path.isdir(f"{PACKAGES}/{name}"):
            os.symlink(f"{PACKAGES}/{name}", f"{folder}/{name}")
    return {"PYTHONPATH": folder}


def record_program(python, program, folder, path):
    """What the program told, and the environment that it ran in."""
    need_root()
    environment = library_environment(python, folder)
    target = run_target(python, "real_programs.py", program, SECONDS)
    done = run(
        [PYREC, "record", "-F", "499", "-o", path, "--", *target],
        env=clean_environment(**environment),
    )
    assert done.returncode == 0, done.stderr
    told = documents(done.stdout)[-1]
    if "unavailable" in told:
        skip(f"prerequisite {program} for {python}: {told['unavailable']}", not environment)
    return told, environment


def judge(samples, sites):
    """Wrong stacks, by reason."""
    wrong = {}
    for sample in samples:
        reason = sites.find_wrong(sample)
        if reason:
            wrong[reason] = wrong.get(reason, 0) + 1
    return wrong


@pytest.mark.parametrize("version, program", CASES)
def test_every_stack_is_possible(version, program, workdir):
    python = find_python(version)
    path = f"{workdir}/real.data"
    told, environment = record_program(python, program, workdir, path)
    samples = within(script(path), *told["window"])
    whole = [sample for sample in samples if not is_flagged(sample)]
    assert len(whole) >= SAMPLES_MIN
    assert len(samples) - len(whole) <= max(2, FLAGGED_MAX * len(samples))
    wrong = judge(whole, CallSites(python, whole, told, environment))
    assert not wrong, f"{sum(wrong.values())} of {len(whole)}: {list(wrong.items())[:8]}"


def without_a_frame(sample, chooser):
    """A copy that lacks one Python frame; None where there are too few."""
    places = [at for at, frame in enumerate(sample.frames) if frame.kind == "p"]
    if len(places) < 3:
        return None
    at = chooser.choice(places[1:-1])
    shorter = copy.copy(sample)
    shorter.frames = sample.frames[:at] + sample.frames[at + 1 :]
    return shorter


def test_a_lost_frame_is_caught(workdir):
    """The judge is no rubber stamp: it sees many stacks that lack a frame, and all with a wrong line."""
    path = f"{workdir}/real.data"
    told, environment = record_program(SYSTEM_PYTHON, "server", workdir, path)
    samples = [s for s in within(script(path), *told["window"]) if s.python_names()]
    chooser = random.Random(7)
    shorter = list(filter(None, (without_a_frame(sample, chooser) for sample in samples)))
    moved = copy.deepcopy(samples)
    for sample in moved:
        next(f for f in sample.frames if f.kind == "p").line += 1000
    sites = CallSites(SYSTEM_PYTHON, samples + shorter + moved, told, environment)
    caught_nr = sum(judge(shorter, sites).values())
    assert caught_nr >= 0.2 * len(shorter), f"{caught_nr} of {len(shorter)}"
    assert sum(judge(moved, sites).values()) == len(moved)
