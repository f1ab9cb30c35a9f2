# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every sample of a target with one fixed stack shows exactly that stack.

Start-up and shutdown are the samples outside [begin, end], the CLOCK_MONOTONIC times between which
the target was in its loop by its own account; nothing inside may differ.
"""

from declared_stacks import describe, find_impossible
from pyrec_harness import (
    build_extension,
    documents,
    pyrec,
    record_command,
    run_target,
    script,
    started,
    wait_until,
    within,
)

SECONDS_MIN = 3


def check_stacks(path, output, samples_min):
    declaration, ending = documents(output)
    stacks = declaration["stacks"]
    everything = [s for s in script(path) if s.tid == declaration["tid"]]
    for index, begin, end in ending["windows"]:
        assert end - begin >= SECONDS_MIN * 10**9
        samples = within(everything, begin, end)
        assert len(samples) >= samples_min
        impossible = find_impossible(samples, [stacks[index]])
        assert not impossible, describe(impossible, samples)


def test_started_by_the_recorder(any_python, workdir):
    extension = build_extension(any_python, workdir)
    path = f"{workdir}/fixed.data"
    target = run_target(any_python, "fixed_stack.py", 4, extension)
    result = record_command(path, target, "-F", "499")
    check_stacks(path, result.stdout, samples_min=900)


def test_attached_to_while_it_runs(python, workdir):
    """All that recording knows of it then comes from /proc and memory, not from MMAP2 records."""
    extension = build_extension(python, workdir)
    path = f"{workdir}/attached.data"
    output = f"{workdir}/output"
    with open(output, "w", encoding="utf-8") as out:
        target = run_target(python, "fixed_stack.py", 3, extension)
        with started(target, stdout=out) as process:
            wait_until(lambda: read(output).count("\n") == 1, "declaration of the target")
            pyrec("record", "-p", process.pid, "-F", "499", "-d", "2", "-o", path)
            assert process.wait(20) == 0
    check_stacks(path, read(output), samples_min=400)




def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()
