# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Generators, callbacks through C, coroutines, exec, 4,000 frames deep: each sample of each shape is
a stack that sys.settrace saw the same code have."""

from declared_stacks import describe, find_impossible, find_wrong_cut, is_flagged
from pyrec_harness import HEAP_FRAME_MINORS, documents, record_command, run_target, script, within

SECONDS = 0.4
# A sample that says of itself that it is not whole is no lie, but it must be rare.
FLAGGED_MAX = 0.01


def is_heap_frame(python):
    return any(f"/{minor}." in python for minor in HEAP_FRAME_MINORS)


def test_every_shape(any_python, workdir):
    path = f"{workdir}/shapes.data"
    target = run_target(any_python, "shapes.py", SECONDS)
    shapes = documents(record_command(path, target, "-F", "499").stdout)
    everything = [s for s in script(path) if s.tid == shapes[0]["tid"]]
    failures = []
    flagged_nr = 0
    for shape in shapes:
        all_samples = within(everything, *shape["window"])
        if shape["shape"] == "deep_recursion" and is_heap_frame(any_python):
            wrong = find_wrong_cut(all_samples, shape["stacks"][0])
            failures += [describe(wrong, all_samples)] if wrong else []
            failures += [] if all_samples else ["no deep sample"]
            continue
        samples = [sample for sample in all_samples if not is_flagged(sample)]
        flagged_nr += len(all_samples) - len(samples)
        impossible = find_impossible(samples, shape["stacks"])
        if impossible:
            failures.append(f"{shape['shape']}: {describe(impossible, samples)}")
        if len(samples) < 499 * SECONDS / 10:
            failures.append(f"{shape['shape']}: only {len(samples)} samples")
    if flagged_nr > FLAGGED_MAX * len(everything):
        failures.append(f"{flagged_nr} of {len(everything)} samples are not whole")
    assert not failures, "\n".join(failures)
