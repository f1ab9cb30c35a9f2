# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Generators, callbacks through C, coroutines, exec, 4,000 frames deep: each sample of each shape is
a stack that sys.settrace saw the same code have."""

from declared_stacks import describe, find_impossible
from pyrec_harness import documents, record_command, run_target, script, within

SECONDS = 0.4


def test_every_shape(python, workdir):
    path = f"{workdir}/shapes.data"
    target = run_target(python, "shapes.py", SECONDS)
    shapes = documents(record_command(path, target, "-F", "499").stdout)
    everything = [s for s in script(path) if s.tid == shapes[0]["tid"]]
    failures = []
    for shape in shapes:
        samples = within(everything, *shape["window"])
        impossible = find_impossible(samples, shape["stacks"])
        if impossible:
            failures.append(f"{shape['shape']}: {describe(impossible, samples)}")
        if len(samples) < 499 * SECONDS / 4:
            failures.append(f"{shape['shape']}: only {len(samples)} samples")
    assert not failures, "\n".join(failures)
