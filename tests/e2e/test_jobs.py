# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What pyrec report and script print does not depend on the number of threads, on damaged files
neither."""

import os
import subprocess

import pytest

from pyrec_harness import PYREC, clean_environment, find_python, pyrec, record_command, run_target

FORMS = [["script"], ["report", "-g"], ["report", "--format=folded"], ["report", "--sort=pid,srcline"]]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Large enough for threads to be used (report/session.c): 1 MiB."""
    path = str(tmp_path_factory.mktemp("jobs") / "x.data")
    target = run_target(find_python("system"), "shapes.py", 0.2)
    record_command(path, target, "-F", "1999", "--no-compress")
    assert os.path.getsize(path) > 2 << 20
    return path


def outputs(path, status=0):
    """{form: what it prints} with one thread and with three, checked to be equal."""
    found = {}
    for form in FORMS:
        one, three = (
            pyrec(*form, f"--jobs={jobs}", "-i", path, status=status) for jobs in (1, 3)
        )
        assert one.stdout == three.stdout
        assert one.stderr == three.stderr
        found[" ".join(form)] = one.stdout
    return found


def test_same_output(recording):
    found = outputs(recording)
    assert found["script"].count("cpu-clock:") > 1000
    assert all("shapes.py" in found[form] or "<module>" in found[form] for form in found)


@pytest.mark.parametrize("share", [0.4, 0.7])
def test_same_output_of_damaged_file(recording, share, tmp_path):
    """Cut off, and with bytes turned over: what is left is shown, and the same is said about it."""
    damaged = str(tmp_path / "y.data")
    with open(recording, "rb") as whole:
        content = bytearray(whole.read())
    at = int(len(content) * share)
    content[at : at + 64] = bytes(byte ^ 0xFF for byte in content[at : at + 64])
    with open(damaged, "wb") as file:
        file.write(content)
    statuses = {pyrec("script", f"-j{jobs}", "-i", damaged, status=None).returncode for jobs in "13"}
    assert len(statuses) == 1
    outputs(damaged, status=statuses.pop())
    os.truncate(damaged, at)
    outputs(damaged, status=1)


def test_reader_that_goes_away(recording):
    """Threads end when nobody reads their output any more."""
    with subprocess.Popen(
        [PYREC, "script", "--jobs=3", "-i", recording],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        messages = process.stderr.read()
        assert process.wait(20) == 141
    assert messages == b""
