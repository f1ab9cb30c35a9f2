# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Lines of a function whose table of lines is longer than 64 KiB: it is read from the process, as BPF
sends up to PYREC_LINES_BYTES_MAX only, and takes many records of the file."""

import os
import signal

from declared_stacks import describe, find_impossible
from pyrec_harness import (
    documents,
    find_python,
    pyrec,
    record_command,
    recording,
    run_target,
    script,
    started,
    wait_until,
    within,
)

SAMPLES_MIN = 60  # of 1000, if the machine is not busy


def test_lines_are_right(any_python, workdir):
    path = f"{workdir}/long.data"
    target = run_target(any_python, "long_function.py", workdir, 0.4)
    (told,) = documents(record_command(path, target, "-F", "499").stdout)
    assert told["table_bytes"] > 64 * 1024
    everything = [s for s in script(path) if s.tid == told["tid"]]
    assert len(told["windows"]) == 5
    samples_nr = 0
    for index, begin, end in told["windows"]:
        samples = within(everything, begin, end)
        assert samples
        samples_nr += len(samples)
        impossible = find_impossible(samples, [told["stacks"][index]])
        assert not impossible, describe(impossible, samples)
    assert samples_nr >= SAMPLES_MIN
    assert pyrec("dump", "-i", path).stdout.count("CODE_LINES") >= told["table_bytes"] // 65536


def test_lines_are_missing_and_not_wrong_when_the_process_is_gone(workdir):
    """The recorder sleeps until the process has ended: what BPF has not sent is lost."""
    path, output, flag = f"{workdir}/gone.data", f"{workdir}/output", f"{workdir}/flag"
    target = run_target(find_python("3.12"), "long_function.py", workdir, 0.2, flag)
    with open(output, "w", encoding="utf-8") as out, started(target, stdout=out) as process:
        wait_until(lambda: os.path.getsize(output), "target ready")
        with recording(path, "-p", process.pid, "-F", "499") as recorder:
            recorder.send_signal(signal.SIGSTOP)
            with open(flag, "w", encoding="utf-8"):
                pass
            assert process.wait(60) == 0
            recorder.send_signal(signal.SIGCONT)
    with open(output, encoding="utf-8") as file:
        _, told = documents(file.read())
    for stack in told["stacks"]:
        for frame in stack:
            if frame["python"] == "long_function":
                frame.pop("position", None)
                frame["lines"] = [0]
    for index, begin, end in told["windows"]:
        samples = within([s for s in script(path) if s.tid == told["tid"]], begin, end)
        assert samples
        impossible = find_impossible(samples, [told["stacks"][index]])
        assert not impossible, describe(impossible, samples)
    assert "py::long_function (" in pyrec("script", "-i", path).stdout
    assert f"({workdir}/long.py:?)" in pyrec("script", "--lines", "-i", path).stdout
    assert f"  {workdir}/long.py:?\n" in pyrec("report", "--sort=srcline", "-i", path).stdout
