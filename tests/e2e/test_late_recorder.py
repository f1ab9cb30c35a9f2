# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A recorder that comes late to what the kernel told it, as on a busy machine: what a process had mapped
then is known as of then, not as of now."""

import os
import signal
import time

from pyrec_harness import (
    ROOT,
    SYSTEM_PYTHON,
    documents,
    recording,
    run,
    run_target,
    script,
    started,
    wait_until,
    within,
)

SOURCE = os.path.join(ROOT, "tests", "targets", "replaced_library.c")
CODE_PAGES = {"first": 2, "second": 30}
PAGES_NR = 32
SAMPLES_MIN = 60  # of 300, if the machine is not busy


def build_library(folder, name):
    path = f"{folder}/{name}.so"
    pages = [f"-DCODE_PAGES={CODE_PAGES[name]}", f"-DCONSTANTS_PAGES={PAGES_NR - CODE_PAGES[name]}"]
    built = run(["gcc", "-O1", "-shared", "-fPIC", *pages, "-o", path, SOURCE])
    assert built.returncode == 0, built.stderr
    return path


def test_library_that_was_replaced_by_another(workdir):
    path, output, flag = f"{workdir}/late.data", f"{workdir}/output", f"{workdir}/flag"
    libraries = [build_library(workdir, name) for name in CODE_PAGES]
    target = run_target(SYSTEM_PYTHON, "replaced_library.py", flag, *libraries)
    with open(output, "w", encoding="utf-8") as out, started(target, stdout=out) as process:
        wait_until(lambda: os.path.getsize(output), "target ready")
        with recording(path, "-p", process.pid, "-F", "499") as recorder:
            recorder.send_signal(signal.SIGSTOP)
            with open(flag, "w", encoding="utf-8"):
                pass
            time.sleep(0.3)
            recorder.send_signal(signal.SIGCONT)
            assert process.wait(60) == 0
    with open(output, encoding="utf-8") as file:
        _, told = documents(file.read())
    assert told["begins"][0] == told["begins"][1], "the second library is not where the first was"
    samples = within([s for s in script(path) if s.tid == told["tid"]], *told["window"])
    assert len(samples) >= SAMPLES_MIN
    for sample in samples:
        frames = [(frame.name, frame.dso) for frame in sample.frames]
        assert ("spin_for", libraries[1]) in frames and ("main", target[1]) in frames, frames
        assert not any(name.startswith("[incomplete") for name, _ in frames), frames
