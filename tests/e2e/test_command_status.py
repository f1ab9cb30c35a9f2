# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The command's exit status is passed on; Ctrl-C ends a recording cleanly."""

import os
import signal
import time

import pytest

from pyrec_harness import (
    PYREC,
    SYSTEM_PYTHON,
    TARGETS,
    need_root,
    pyrec,
    record_command,
    recording,
    script,
    started,
    wait_until,
)

SPIN = "import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass\n"


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_exit_status_is_passed_on(status, workdir):
    command = [SYSTEM_PYTHON, "-c", f"raise SystemExit({status})"]
    record_command(f"{workdir}/x.data", command, status=status)
    assert os.path.getsize(f"{workdir}/x.data") > 104


def test_death_by_signal_is_passed_on(workdir):
    """As a shell tells it: 128 + the signal's number."""
    command = ["/bin/sh", "-c", "kill -TERM $$"]
    record_command(f"{workdir}/x.data", command, status=128 + signal.SIGTERM)


def test_command_that_does_not_exist(workdir):
    need_root()
    result = pyrec("record", "-o", f"{workdir}/x.data", "--", "/no/such/command", status=None)
    assert result.returncode in (1, 127)
    assert "/no/such/command" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_ctrl_c_ends_a_recording_of_the_machine(workdir):
    path = f"{workdir}/x.data"
    with recording(path, "-a", "-F", "99") as recorder:
        with started([SYSTEM_PYTHON, "-c", SPIN]) as target:
            target.wait(20)
        recorder.send_signal(signal.SIGINT)
        assert recorder.wait(20) == 0
    assert any("<module>" in sample.python_names() for sample in script(path))


def test_ctrl_c_reaches_the_command_too(workdir):
    """A terminal sends SIGINT to the whole foreground group, and the recorder ends its command with
    SIGTERM: whichever is first, both end and the file is whole."""
    need_root()
    path = f"{workdir}/x.data"
    flag = f"{workdir}/started"
    spin = f"open({flag!r}, 'w').close()\nwhile True: pass"
    command = [PYREC, "record", "-o", path, "-F", "99", "--", SYSTEM_PYTHON, "-c", spin]
    with started(command, cwd=TARGETS) as recorder:
        wait_until(lambda: os.path.exists(flag), "start of the command")
        time.sleep(1)
        os.killpg(recorder.pid, signal.SIGINT)
        assert recorder.wait(20) in (128 + signal.SIGINT, 128 + signal.SIGTERM)
    assert any("<module>" in sample.python_names() for sample in script(path))


def test_duration_ends_a_recording(workdir):
    need_root()
    begin = time.monotonic()
    result = pyrec("record", "-a", "-F", "99", "-d", "1", "-o", f"{workdir}/x.data")
    assert 1 <= time.monotonic() - begin < 15
    assert "samples" in result.stderr
