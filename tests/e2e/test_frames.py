# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Coroutines, class bodies, descriptors, finalizers, signal handlers and trace functions inside other
frames: each sample is a stack that the interpreter saw. Recursion deeper than what is kept: the leaf
side, and the sample says that the root is missing."""

from declared_stacks import is_declared, judge_windows
from pyrec_harness import documents, record_command, run_target, script, within

SECONDS = 0.1
FREQUENCY = 997
SAMPLES_MIN = 3  # of each window: a busy machine gives few
DEPTH = 6000
KEPT_MIN = 4000
FLAGGED_MAX = 0.001


def judge_deep(samples, stack):
    """Each frame that is kept is the one that the interpreter has there, from the leaf on."""
    failures = []
    for sample in samples:
        frames = [frame for frame in sample.frames if frame.kind == "p"][::-1]
        agreed = [is_declared(*pair) for pair in zip(frames, stack[::-1])]
        if not KEPT_MIN <= len(frames) < len(stack):
            failures.append(f"{len(frames)} of {len(stack)} frames are kept")
        elif not all(agreed):
            at = agreed.index(False)
            failures.append(f"frame {at} from the leaf: {frames[at]} where {stack[-1 - at]} is declared")
        elif not any("truncated" in frame.name for frame in sample.frames):
            failures.append("it does not say that frames are missing")
    return failures


def test_frames(python3, workdir):
    path = f"{workdir}/frames.data"
    target = run_target(python3, "frames.py", SECONDS, DEPTH)
    *shapes, deep = documents(record_command(path, target, "-F", FREQUENCY).stdout)
    everything = script(path)
    failures = judge_windows(shapes, everything, SAMPLES_MIN, max(1, FLAGGED_MAX * len(everything)))
    samples = within([s for s in everything if s.tid == deep["tid"]], *deep["window"])
    failures += judge_deep(samples, deep["deep"]) or [] if samples else ["no deep sample"]
    assert not failures, "\n".join(failures)
