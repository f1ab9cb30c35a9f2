# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What is no recording gets one line that names the file, and exit 1; never a crash or silence."""

import os
import tempfile

import pytest

from pyrec_harness import SYSTEM_PYTHON, need_program, need_root, pyrec, record_command, run, script

READERS = ["report", "script", "info", "dump"]
SPIN = "import time\nend = time.monotonic() + 2\nwhile time.monotonic() < end: pass\n"


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def make_text(path):
    write(path, b"this is no recording\n" * 40)


def make_directory(path):
    os.mkdir(path)


def make_empty(path):
    write(path, b"")


def make_nothing(path):
    assert not os.path.exists(path)


def make_header_only(path):
    write(path, b"PERFILE2" + (104).to_bytes(8, "little"))


def make_foreign_binary(path):
    with open(SYSTEM_PYTHON, "rb") as file:
        write(path, file.read(1 << 20))


FOREIGN = [
    make_nothing,
    make_empty,
    make_directory,
    make_text,
    make_header_only,
    make_foreign_binary,
]


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize("make", FOREIGN)
def test_one_line_and_exit_1(make, command, workdir):
    path = f"{workdir}/foreign.data"
    make(path)
    result = pyrec(command, "-i", path, status=1, timeout=20)
    (line,) = result.stderr.splitlines()
    assert path in line, line
    assert result.stdout == ""


@pytest.fixture(scope="module")
def whole_file():
    with tempfile.TemporaryDirectory(prefix="pyrec-e2e-") as folder:
        path = f"{folder}/whole.data"
        record_command(path, [SYSTEM_PYTHON, "-c", SPIN], "-F", "499")
        yield path


@pytest.mark.parametrize("kept_pct", [1, 20, 50, 90, 99])
def test_truncated_file_gives_what_it_has(kept_pct, whole_file, workdir):
    """The damage is told in one line with its offset; samples before it are still there."""
    with open(whole_file, "rb") as file:
        content = file.read()
    path = f"{workdir}/cut.data"
    write(path, content[: len(content) * kept_pct // 100])
    for command in READERS:
        result = pyrec(command, "-i", path, status=None, timeout=60)
        assert result.returncode in (0, 1), (command, result.stderr)
        assert result.returncode == 0 or result.stderr, command
        for line in result.stderr.splitlines():
            assert path in line, line


def test_plain_perf_recording(workdir):
    """Native frames of anybody's perf.data: no Python to be had, but an answer."""
    need_root()
    perf = need_program("perf")
    path = f"{workdir}/plain.data"
    command = [perf, "record", "-q", "-B", "-N", "-F", "499", "-e", "cpu-clock", "-o", path]
    recorded = run([*command, "--call-graph", "dwarf,8192", "--", SYSTEM_PYTHON, "-c", SPIN])
    assert recorded.returncode == 0, recorded.stderr
    samples = script(path)
    assert len(samples) > 100
    assert not any(sample.python_names() for sample in samples)
    assert "python3" in pyrec("report", "-i", path, "--sort=dso").stdout
