# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A process of many threads that forks without end: pages are exchanged under the sampler's eyes, and
each frame of a function that was seen before has its name all the same."""

from declared_stacks import is_flagged
from pyrec_harness import documents, record_command, run_target, script, within

SECONDS = 2
FREQUENCY = 4999
FORKS_MIN = 20
UNREADABLE = ("[unknown]", "[unknown]")  # name and file of a frame whose code object was unreadable
FLAGGED_MAX = 0.05  # a chain whose page is exchanged cannot be followed


def find_wrong(sample, chains):
    """Why a thread's stack cannot be; None when it can."""
    names = sample.python_names()
    if "work" not in names:
        return None  # before it and after it: threading's own
    below = names[names.index("work") + 1 :]
    is_named = all((frame.name, frame.dso) != UNREADABLE for frame in sample.frames)
    if is_named and any(below == chain[: len(below)] for chain in chains):
        return None
    return f"{sample.time_ns}: {[frame.name for frame in sample.frames]}"


def test_every_frame_has_its_name(work_python, workdir):
    path = f"{workdir}/forks.data"
    target = run_target(work_python, "forks_beside_threads.py", SECONDS)
    (told,) = documents(record_command(path, target, "-F", FREQUENCY).stdout)
    assert told["forks"] >= FORKS_MIN
    samples = [s for s in within(script(path), *told["window"]) if s.tid in told["tids"]]
    whole = [sample for sample in samples if not is_flagged(sample)]
    wrong = [why for why in (find_wrong(sample, told["chains"]) for sample in whole) if why]
    assert not wrong, "\n".join(wrong)
    assert sum("work" in sample.python_names() for sample in whole) > len(samples) / 2
    assert len(samples) - len(whole) <= max(1, FLAGGED_MAX * len(samples))
