# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every sample of a target with one fixed stack shows exactly that stack.

Start-up and shutdown are the samples outside [begin, end], the CLOCK_MONOTONIC times between which
the target was in its loop by its own account; nothing inside may differ.
"""

import re

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
FREQUENCY = 499


def check_stacks(path, output, samples_min=0):
    declaration, ending = documents(output)
    # A busy machine gives the target less than its time; start-up is some of it.
    samples_min = samples_min or FREQUENCY * ending["cpu_s"] * 0.7
    stacks = declaration["stacks"]
    everything = [s for s in script(path) if s.tid == declaration["tid"]]
    for index, begin, end in ending["windows"]:
        assert end - begin >= SECONDS_MIN * 10**9
        samples = within(everything, begin, end)
        assert len(samples) >= samples_min
        impossible = find_impossible(samples, [stacks[index]])
        assert not impossible, describe(impossible, samples)
        check_srclines(path, declaration, stacks[index], len(samples))


def place(frame, with_columns):
    """As --sort=srcline shows it."""
    text = f"{frame['file']}:{frame['lines'][0]}"
    if not with_columns or "position" not in frame:
        return text
    line, end_line, column, end = frame["position"]
    return f"{text}:{column + 1}-" + (f"{end_line}:{end}" if end_line > line else f"{end}")


def check_srclines(path, declaration, stack, samples_min):
    """The callers' rows have a sample for each one of the window."""
    for options in ([], ["--columns"]):
        command = ["report", "-i", path, "--sort=srcline", f"--tid={declaration['tid']}", *options]
        rows = re.findall(r"^ +[\d.]+% +[\d.]+% +(\d+)  (.*)$", pyrec(*command).stdout, re.MULTILINE)
        shown = {text: int(nr) for nr, text in rows}
        for frame in stack:
            if len(frame.get("lines", [])) == 1:
                assert shown[place(frame, options)] >= samples_min, frame


def test_started_by_the_recorder(any_python, workdir):
    extension = build_extension(any_python, workdir)
    path = f"{workdir}/fixed.data"
    target = run_target(any_python, "fixed_stack.py", 4, extension)
    result = record_command(path, target, "-F", FREQUENCY)
    check_stacks(path, result.stdout)


def test_attached_to_while_it_runs(python, workdir):
    """All that recording knows of it then comes from /proc and memory, not from MMAP2 records."""
    extension = build_extension(python, workdir)
    path = f"{workdir}/attached.data"
    output = f"{workdir}/output"
    with open(output, "w", encoding="utf-8") as out:
        target = run_target(python, "fixed_stack.py", 3, extension)
        with started(target, stdout=out) as process:
            wait_until(lambda: read(output).count("\n") == 1, "declaration of the target")
            pyrec("record", "-p", process.pid, "-F", FREQUENCY, "-d", "2", "-o", path)
            assert process.wait(20) == 0
    check_stacks(path, read(output), samples_min=100)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()
