# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A recorder killed in mid-recording leaves a file that stock perf and pyrec read, short of at most
the last second."""

import signal
import time

from pyrec_harness import (
    SYSTEM_PYTHON,
    need_program,
    pyrec,
    recording,
    run,
    script,
    started,
)

SPIN = "while True: pass"
# One second between checkpoints, and what a busy machine adds until one is on the disk.
LOSS_SECONDS = 1.5


def test_killed_recorder(workdir):
    perf = need_program("perf")
    path = f"{workdir}/killed.data"
    with started([SYSTEM_PYTHON, "-c", SPIN]) as target:
        with recording(path, "-a", "-F", "499") as recorder:
            time.sleep(4)
            killed_ns = time.monotonic_ns()
            recorder.send_signal(signal.SIGKILL)
            recorder.wait(20)
    samples = [s for s in script(path) if s.pid == target.pid]
    missing_seconds = (killed_ns - samples[-1].time_ns) / 1e9
    assert missing_seconds <= LOSS_SECONDS
    assert len(samples) > 500
    assert all("<module>" in s.python_names() for s in samples[len(samples) // 2 :])
    assert "<module>" in pyrec("report", "-i", path).stdout
    for command in (["report", "--stdio"], ["script"], ["evlist", "-v"]):
        result = run([perf, *command, "-i", path])
        assert result.returncode == 0, (command, result.stderr)
        assert result.stdout.strip(), command
