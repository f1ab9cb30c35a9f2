# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Forked, spawned and daemonized processes of a few moments, exec from one version to another, and, in a
pid namespace, a number that is used again and again: each sample is of the program that it is said
to be of."""

import pytest

from declared_stacks import describe, find_impossible, window_samples
from pyrec_harness import PYREC, documents, find_python, need_program, need_root, run, run_target
from pyrec_harness import script

SECONDS = 0.05
FREQUENCY = 997
VERSIONS = ["3.8", "3.13", "2.7", "3.6", "3.12", "3.10", "3.11"]


def judge(path, told):
    everything = script(path)
    failures = []
    for work in told:
        whole, flagged = window_samples(work, everything)
        wrong = find_impossible(whole, [work["stack"]])
        if wrong:
            failures.append(f"{work['tag']}: {describe(wrong, whole)}")
        if not whole or len(flagged) > 1:
            failures.append(f"{work['tag']}: {len(whole)} whole samples, {len(flagged)} others")
    return failures


# (version of the target, whether it is in a pid namespace of its own, ways that begin a process beside
# exec and the storm: forked, daemon, subprocess, posix_spawn, multiprocessing).
RUNS = {
    "host": ("3.13", False, 3 + 1 + 1 + 1 + 3),
    "namespace": ("3.13", True, 3 + 1 + 1 + 1 + 3),
    "2.7": ("2.7", False, 3 + 1 + 1 + 1),
}


@pytest.mark.parametrize("name", RUNS)
def test_processes(name, workdir):
    need_root()
    version, is_storm, ways_nr = RUNS[name]
    path = f"{workdir}/processes.data"
    pythons = [find_python(version) for version in VERSIONS]
    target = run_target(find_python(version), "processes.py", SECONDS, *pythons)
    command = [PYREC, "record", "-F", FREQUENCY, "-o", path, "--", *target]
    if is_storm:
        unshare = need_program("unshare")
        command = [unshare, "--pid", "--fork", "--mount-proc", "--kill-child", *command]
    done = run(command)
    assert done.returncode == 0, done.stderr
    told = documents(done.stdout)
    storm = [work for work in told if work["tag"].startswith("storm")]
    assert len({work["pid"] for work in storm}) == (1 if is_storm else 0), "numbers used again"
    execs = [work for work in told if work["tag"].startswith("exec")]
    assert len(execs) == len(pythons) and len({work["pid"] for work in execs}) == 1
    assert len(told) == len(storm) + len(execs) + len(pythons) + ways_nr
    failures = judge(path, told)
    assert not failures, "\n".join(failures)
