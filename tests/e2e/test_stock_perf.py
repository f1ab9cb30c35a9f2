# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A fresh file is an ordinary recording to stock perf: silent, complete, with our native frames."""

import bisect
import collections
import functools
import itertools
import os
import re
import sys
import tempfile

import pytest

from pyrec_harness import (
    BUILD,
    ROOT,
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
    skip,
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
    record = [need_program("perf"), "record", "-q", "-N", "-F", "499", "-e", "cpu-clock", "-z"]
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


def perf_script(path, folder):
    command = [need_program("perf"), "--buildid-dir", f"{folder}/no-cache", "script", "-i", path]
    command += ["--no-inline", "--max-stack", "2000", "-F", PERF_FIELDS]
    return parse_script(run(command).stdout)


def native_stack(sample):
    """Place in the page (perf 6.1 prints addresses relative to the file), name, file."""
    frames = [frame for frame in sample.frames if frame.kind != "p"]
    return [(f.ip % 4096, plain_name(f), os.path.basename(f.dso)) for f in frames]


@functools.cache
def kernel_functions():
    """(addresses in order, {address: all names that the kernel itself lists for it})"""
    names = {}
    with open("/proc/kallsyms") as kallsyms:
        for line in kallsyms:
            address, kind, name = line.split()[:3]
            if kind in "TtWw":
                names.setdefault(int(address, 16), []).append(name)
    return sorted(names), names


def kernel_name(frame):
    """Functions of the kernel bear several names: pyrec shows a global one with few underscores
    (common/kallsyms.c), perf 6.1 the last one listed, for it takes the others to be empty."""
    addresses, names = kernel_functions()
    index = bisect.bisect_right(addresses, frame.ip) - 1
    aliases = names[addresses[index]] if index >= 0 else []
    return aliases[0] if frame.name in aliases else frame.name


def plain_name(frame):
    """perf appends the version of a dynamic symbol, and makes up names for PLT stubs, which no symbol
    table names."""
    if frame.kind == "k":
        return kernel_name(frame)
    return "[unknown]" if frame.name.endswith("@plt") else frame.name.partition("@")[0]


def by_time(samples):
    return {(sample.tid, sample.time_ns): native_stack(sample) for sample in samples}


def difference(key, ours, theirs):
    rows = [f"{a}   perf: {b}" for a, b in itertools.zip_longest(ours[key], theirs[key])]
    return "\n".join([f"at {key}:", *rows])


@pytest.mark.parametrize("version", ["3.12", "system"])
def test_perf_shows_the_same_native_frames(version, workdir):
    """Sample by sample; --show-eval keeps what Python frames replace.

    perf 6.1 gives up, at the first frame that needs it, where the leaf has popped rbp already
    (Documentation/unwinding.adoc): there, and in few samples only, it shows the leaf's side alone.
    """
    need_root()
    path = f"{workdir}/x.data"
    python = find_python(version)
    target = run_target(python, "fixed_stack.py", 2, build_extension(python, workdir))
    record_command(path, target, "-F", "499")
    check_native_frames(path, workdir)


def check_native_frames(path, workdir):
    theirs = by_time(perf_script(path, workdir))
    ours = by_time(parse_script(pyrec("script", "--show-eval", "--no-inline", "-i", path).stdout))
    assert theirs.keys() == ours.keys()
    different = [key for key in ours if ours[key] != theirs[key]]
    for key in different:
        assert theirs[key] and theirs[key] == ours[key][-len(theirs[key]) :], difference(
            key, ours, theirs
        )
    assert len(different) <= 0.05 * len(ours)


LIST_FOLDER = """import os, sys, time
for number in range(300): open(f"{sys.argv[1]}/{number:040}", "w").close()
end = time.monotonic() + 2
while time.monotonic() < end: os.listdir(sys.argv[1])
"""


def test_perf_shows_the_same_kernel_frames(workdir):
    """A program that spends nearly all its time there, in functions of several names too."""
    need_root()
    path = f"{workdir}/x.data"
    os.mkdir(f"{workdir}/many")
    record_command(path, [SYSTEM_PYTHON, "-c", LIST_FOLDER, f"{workdir}/many"], "-F", "999")
    check_native_frames(path, workdir)
    counts = collections.Counter(
        kernel_name(frame)
        for sample in parse_script(pyrec("script", "-i", path).stdout)
        for frame in sample.frames
        if frame.kind == "k"
    )
    assert counts["iterate_dir"] > 500


def test_unwinders_agree(python, workdir):
    """libunwind, told the same bytes, agrees with pyrec's rows about every stack; perf, which reads
    the files and the stack in its own way, about all but those of few known and rare causes."""
    need_root()
    tool = os.path.join(BUILD, "tests", "native", "unwind_file")
    if not os.path.exists(tool):
        skip(f"prerequisite {tool}: make native-tools builds it")
    path = f"{workdir}/x.data"
    target = run_target(python, "fixed_stack.py", 2, build_extension(python, workdir))
    record_command(path, target, "-F", "499")
    agree = [sys.executable, os.path.join(ROOT, "tests", "native", "agree.py"), "--tool", tool]
    result = run([*agree, "--minimum", "99", "--show", "3", path])
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"libunwind .*with explained ones 100.00 %", result.stdout), result.stdout
