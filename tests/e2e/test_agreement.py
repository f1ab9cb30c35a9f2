# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Native stacks, sample by sample: pyrec's tables, libunwind told the same bytes, and perf script.

Of pyrec's own recordings and of perf's, all but the kinds of difference that
Documentation/unwinding.adoc names and explains are equal; how many may be of such a kind is bounded.
"""

import collections
import os
import subprocess
import sys

import pytest

from pyrec_harness import (
    BUILD,
    ROOT,
    SYSTEM_PYTHON,
    find_python,
    need_program,
    need_root,
    record_command,
    run,
    skip,
)

sys.path.insert(0, os.path.join(ROOT, "tests", "native"))

import agree  # noqa: E402

MIXED_WORK = os.path.join(ROOT, "tests", "bench", "mixed_work.py")
TARGET = os.path.join(ROOT, "tests", "native", "unwind_target.c")
MINIMUM_PERCENT = 99.9
# Of all samples, in percent; each kind is named in Documentation/unwinding.adoc. How many samples
# stand behind a pop is the program's doing: "calls" and what is like it does nothing else.
LIMITS_PERCENT = {
    "popped": 4,
    "edge": 2,
    "sigreturn": 2,
    "guessed": 2,
    "exec": 2,
    "personality": 2,
    "untold": 4,
    "unmapped": 2,
}
POPPED_PERCENT_OF_SHORT_CALLS = 25
SHORT_CALLS = ["calls", "signals", "altstack", "threads"]
SAMPLES_MIN = 100
PROGRAMS = [
    ("calls", "fp"),
    ("calls", "no-fp"),
    ("signals", "fp"),
    ("altstack", "no-fp"),
    ("threads", "no-fp"),
    ("plt", "fp"),
    ("vdso", "no-fp"),
    ("deep", "no-fp"),
]
FRAME_POINTERS = {"fp": "-fno-omit-frame-pointer", "no-fp": "-fomit-frame-pointer"}


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """target(form): unwind_target, compiled with frame pointers or without."""
    folder = tmp_path_factory.mktemp("unwind")

    def build(form):
        program = folder / form
        if not program.exists():
            command = ["gcc", "-O2", "-pthread", FRAME_POINTERS[form], TARGET, "-o", program]
            subprocess.run(command, check=True)
        return str(program)

    return build


def tool():
    path = os.path.join(BUILD, "tests", "native", "unwind_file")
    if not os.path.exists(path):
        skip(f"prerequisite {path}: make native-tools builds it")
    return path


def perf_record(path, command, *arguments):
    need_root()
    perf = [need_program("perf"), "record", "-q", "-N", "-F", "499", "-e", "cpu-clock", "-o", path]
    perf += ["--call-graph", "dwarf,16384"]
    result = run([*perf, *arguments, "--", *command])
    assert result.returncode == 0, result.stderr


def describe(comparison, kind, counts):
    for cause, key, ours, theirs in comparison.causes(kind):
        if cause not in agree.EXPLAINED:
            agree.show(comparison.path, f"{kind}: {cause}", key, ours, theirs)
    return f"{os.path.basename(comparison.path)}, {kind}: {dict(counts)}"


def check_agreement(path, limits=None):
    """Equal where no documented kind of difference is, and few are of one."""
    limits = {**LIMITS_PERCENT, **(limits or {})}
    comparison = agree.Comparison(tool(), path)
    assert len(comparison.rows) >= SAMPLES_MIN
    assert comparison.rows.keys() == comparison.perf.keys()
    for kind in comparison.others():
        counts = collections.Counter(cause for cause, *_ in comparison.causes(kind))
        what = describe(comparison, kind, counts)
        total = sum(counts.values())
        rest = total - sum(counts[cause] for cause in limits)
        assert 100 * counts["equal"] >= MINIMUM_PERCENT * rest, what
        for cause, percent in limits.items():
            assert counts[cause] <= max(2, percent * total / 100), what


def limits_of(mode):
    return {"popped": POPPED_PERCENT_OF_SHORT_CALLS} if mode in SHORT_CALLS else None


@pytest.mark.parametrize("mode, form", PROGRAMS)
def test_program_in_c(mode, form, target, workdir):
    path = f"{workdir}/{mode}-{form}.data"
    compress = ["-z"] if form == "fp" else []
    perf_record(path, [target(form), mode, "1"], *compress)
    check_agreement(path, limits_of(mode))


@pytest.mark.parametrize("version, compress", [("3.9", ["-z"]), ("3.11", []), ("3.13", ["-z"])])
def test_python_recorded_by_perf(version, compress, workdir):
    path = f"{workdir}/python{version}.data"
    perf_record(path, [find_python(version), MIXED_WORK, "1"], *compress)
    check_agreement(path)


def test_numpy_recorded_by_perf(workdir):
    path = f"{workdir}/numpy.data"
    need_numpy()
    perf_record(path, [SYSTEM_PYTHON, MIXED_WORK, "1", "numpy"], "-z")
    check_agreement(path)


def need_numpy():
    if run([SYSTEM_PYTHON, "-c", "import numpy"]).returncode:
        skip(f"prerequisite numpy: not of {SYSTEM_PYTHON}")


@pytest.mark.parametrize("version", ["3.9", "3.13", "system"])
def test_python_recorded_by_pyrec(version, workdir):
    path = f"{workdir}/own{version}.data"
    record_command(path, [find_python(version), MIXED_WORK, "1"], "-F", "499")
    check_agreement(path)


def test_threads_recorded_by_pyrec(target, workdir):
    path = f"{workdir}/own-threads.data"
    record_command(path, [target("no-fp"), "threads", "1"], "-F", "499", "--all-processes")
    check_agreement(path, limits_of("threads"))
