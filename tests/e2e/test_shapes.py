# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Generators, callbacks through C, coroutines, exec, 4,000 frames deep: each sample of each shape is
a stack that sys.settrace saw the same code have."""

from declared_stacks import describe, find_wrong_cut, judge_windows
from pyrec_harness import HEAP_FRAME_MINORS, documents, record_command, run_target, script, within

SECONDS = 0.4
FREQUENCY = 499
SAMPLES_MIN = FREQUENCY * SECONDS / 10  # of each window
# A sample that says of itself that it is not whole is no lie, but it must be rare.
FLAGGED_MAX = 0.01


def is_heap_frame(python):
    return any(f"/{minor}." in python for minor in HEAP_FRAME_MINORS)


def judge_cut(deep, everything):
    samples = within(everything, *deep["window"])
    wrong = find_wrong_cut(samples, deep["stacks"][0])
    failures = [describe(wrong, samples)] if wrong else []
    return failures if samples else ["no deep sample"]


def test_every_shape(any_python, workdir):
    path = f"{workdir}/shapes.data"
    target = run_target(any_python, "shapes.py", SECONDS)
    *shapes, deep = documents(record_command(path, target, "-F", FREQUENCY).stdout)
    everything = [s for s in script(path) if s.tid == shapes[0]["tid"]]
    is_cut = is_heap_frame(any_python)
    windows = shapes if is_cut else [*shapes, deep]
    failures = judge_windows(windows, everything, SAMPLES_MIN, FLAGGED_MAX * len(everything))
    failures += judge_cut(deep, everything) if is_cut else []
    assert not failures, "\n".join(failures)
