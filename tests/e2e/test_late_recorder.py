# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A recorder that comes late to what the kernel told it, as on a busy machine: it takes everything in the
order and as of the time at which it happened, on whichever CPU."""

import os
import signal
import time

import pytest

from pyrec_harness import (
    ROOT,
    SYSTEM_PYTHON,
    documents,
    recording,
    run,
    run_target,
    script,
    skip,
    started,
    wait_until,
    within,
)

SOURCE = os.path.join(ROOT, "tests", "targets", "replaced_library.c")
CODE_PAGES = {"first": 2, "second": 30}
PAGES_NR = 32
SAMPLES_MIN = 60  # of 300, if the machine is not busy


def build_library(folder, name):
    path = f"{folder}/{name}.so"
    pages = [f"-DCODE_PAGES={CODE_PAGES[name]}", f"-DCONSTANTS_PAGES={PAGES_NR - CODE_PAGES[name]}"]
    built = run(["gcc", "-O1", "-shared", "-fPIC", *pages, "-o", path, SOURCE])
    assert built.returncode == 0, built.stderr
    return path


def record_late(workdir, target):
    """Record a target that goes on when it sees a flag, 0.3 s of it with the recorder stopped."""
    path, output, flag = f"{workdir}/late.data", f"{workdir}/output", target[2]
    with open(output, "w", encoding="utf-8") as out, started(target, stdout=out) as process:
        wait_until(lambda: os.path.getsize(output), "target ready")
        with recording(path, "-p", process.pid, "-F", "499") as recorder:
            recorder.send_signal(signal.SIGSTOP)
            with open(flag, "w", encoding="utf-8"):
                pass
            time.sleep(0.3)
            recorder.send_signal(signal.SIGCONT)
            assert process.wait(60) == 0
    with open(output, encoding="utf-8") as file:
        _, told = documents(file.read())
    return path, told


def test_library_that_was_replaced_by_another(workdir):
    libraries = [build_library(workdir, name) for name in CODE_PAGES]
    target = run_target(SYSTEM_PYTHON, "replaced_library.py", f"{workdir}/flag", *libraries)
    path, told = record_late(workdir, target)
    assert told["begins"][0] == told["begins"][1], "the second library is not where the first was"
    samples = within([s for s in script(path) if s.tid == told["tid"]], *told["window"])
    assert len(samples) >= SAMPLES_MIN
    for sample in samples:
        frames = [(frame.name, frame.dso) for frame in sample.frames]
        assert ("spin_for", libraries[1]) in frames and ("main", target[1]) in frames, frames
        assert not any(name.startswith("[incomplete") for name, _ in frames), frames


@pytest.mark.parametrize("parent, child", [(0, -1), (-1, 0)])
def test_child_that_executes_on_another_cpu(parent, child, workdir):
    """Its fork is told on one CPU, its new program on another: to take either one first is wrong."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        skip("one CPU only", is_possible=False)
    chosen = [cpus[parent], cpus[child]]
    target = run_target(SYSTEM_PYTHON, "migrated_child.py", f"{workdir}/flag", *chosen)
    path, told = record_late(workdir, target)
    begin_ns, end_ns = told["window"]
    begin_ns += 400_000_000  # the recorder is at work again
    samples = within([s for s in script(path) if s.pid == told["pid"]], begin_ns, end_ns)
    assert len(samples) >= 60
    assert {tuple(s.python_names()) for s in samples} <= {("<module>", "spin")}
