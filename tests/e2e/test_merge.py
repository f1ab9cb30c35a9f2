# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Python called from C in every way of tests/targets/merge_ways.py: frames, lines and what stands
between them. make check-pythons runs the same over every interpreter."""

import pytest

import extensions
from declared_stacks import judge_windows
from pyrec_harness import (
    documents,
    find_headers,
    find_python,
    record_command,
    run_target,
    script,
    skip,
)

SECONDS = 0.1
FLAGGED_MAX = 0.01  # of some thousand samples of transitions; none may be wrong
# Cython 0.29 of Debian 12 writes for nothing newer.
CYTHON_MINORS = ("3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "system")


@pytest.mark.parametrize("minor", ["3.6", "3.10", "3.12", "system"])
def test_every_way(minor, workdir):
    python = find_python(minor)
    complaints = extensions.build_all(find_headers(python), workdir)
    if minor not in CYTHON_MINORS:
        complaints.pop("cyext")
    assert not any(complaints.values()), complaints
    path = f"{workdir}/merge.data"
    target = run_target(python, "merge.py", SECONDS, workdir)
    told = documents(record_command(path, target, "-F", "999").stdout)
    absent = {row["absent"]: row["reason"] for row in told if "absent" in row}
    everything = script(path)
    windows = [row for row in told if "window" in row]
    failures = judge_windows(windows, everything, 1, FLAGGED_MAX * len(everything))
    assert not failures, "\n".join(failures)
    if minor == "system" and absent:
        skip(f"ways that {python} lacks: {absent}")
