# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A fresh file is an ordinary recording to stock perf: silent, complete, with our native frames."""

import os
import re
import tempfile

import pytest

from pyrec_harness import (
    SYSTEM_PYTHON,
    build_extension,
    find_python,
    need_program,
    need_root,
    parse_script,
    pyrec,
    record_command,
    run,
    run_target,
    samples_nr,
)

COMMANDS = [
    ["report", "--stdio"],
    ["report", "--header-only"],
    ["script"],
    ["evlist", "-v"],
    ["buildid-list"],
]
PERF_FIELDS = "comm,pid,tid,cpu,time,period,event,ip,sym,symoff,dso"
SPIN = "import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: sorted(range(99))\n"


@pytest.fixture(scope="module")
def recordings():
    """(ours, perf's own) of the same program; perf's shows what any recording prints here."""
    need_root()
    record = [need_program("perf"), "record", "-q", "-F", "499", "-e", "cpu-clock", "-z"]
    program = [SYSTEM_PYTHON, "-c", SPIN]
    with tempfile.TemporaryDirectory(prefix="pyrec-e2e-") as folder:
        ours, plain = f"{folder}/ours.data", f"{folder}/plain.data"
        record_command(ours, program, "-F", "499")
        result = run([*record, "--call-graph", "dwarf", "-o", plain, "--", *program])
        assert result.returncode == 0, result.stderr
        yield ours, plain


def complaints(result):
    """Kinds of lines on stderr: numbers and addresses aside."""
    return {re.sub(r"(0x)?[0-9a-f]*\d[0-9a-f]*", "N", line) for line in result.stderr.splitlines()}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_command_is_content(command, recordings):
    ours, plain = recordings
    perf = need_program("perf")
    result = run([perf, *command, "-i", ours])
    assert result.returncode == 0
    assert result.stdout.strip()
    assert complaints(result) <= complaints(run([perf, *command, "-i", plain]))


def test_perf_counts_as_many_samples(recordings):
    ours, _ = recordings
    result = run([need_program("perf"), "script", "-F", "tid,time", "-i", ours])
    assert len(result.stdout.splitlines()) == samples_nr(ours) > 100


def native_stack(sample):
    return [(frame.name, os.path.basename(frame.dso)) for frame in sample.frames]


def by_time(samples):
    return {(sample.tid, sample.time_ns): sample for sample in samples}


@pytest.mark.parametrize("version", ["3.12", "system"])
def test_perf_shows_the_same_native_frames(version, workdir):
    """perf's unwinder and ours, sample by sample; --show-eval keeps what Python frames replace."""
    need_root()
    path = f"{workdir}/x.data"
    python = find_python(version)
    target = run_target(python, "fixed_stack.py", 2, build_extension(python, workdir))
    record_command(path, target, "-F", "499")
    command = [need_program("perf"), "script", "--no-inline", "--max-stack", "2000"]
    theirs = by_time(parse_script(run([*command, "-F", PERF_FIELDS, "-i", path]).stdout))
    ours = by_time(parse_script(pyrec("script", "--show-eval", "-i", path).stdout))
    assert theirs.keys() == ours.keys()
    different = []
    for key, sample in ours.items():
        sample.frames = [frame for frame in sample.frames if frame.kind != "p"]
        if native_stack(sample) != native_stack(theirs[key]):
            different.append((key, native_stack(sample), native_stack(theirs[key])))
    assert not different, f"{len(different)} of {len(ours)} differ, first: {different[0]}"
