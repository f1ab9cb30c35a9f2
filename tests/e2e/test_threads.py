# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""More threads than some look-ups of a thread's state go through: the main thread is the oldest and
stands at the far end of the interpreter's list."""

from declared_stacks import describe, find_impossible
from pyrec_harness import documents, losses, record_command, run_target, script, within

WAITING_NR = 310
COMPUTING_NR = 1 + 3 + 5  # main, workers, those that come and go


def judge_threads(python, workdir, *arguments):
    path = f"{workdir}/threads.data"
    target = run_target(python, "many_threads.py", *arguments)
    parts = documents(record_command(path, target, "-F", "499").stdout)
    assert len(parts) == COMPUTING_NR
    everything = script(path)
    main = parts[0]["pid"]
    assert main in [part["tid"] for part in parts]
    for part in parts:
        own = within([s for s in everything if s.tid == part["tid"]], *part["window"])
        assert len(own) >= (50 if part["tid"] == main else 5)
        impossible = find_impossible(own, part["stacks"])
        assert not impossible, describe(impossible, own)
    assert losses(path) == {}


def test_more_than_300_threads(any_python, workdir):
    judge_threads(any_python, workdir, 2, WAITING_NR)


def test_threads_that_switch_all_the_time(any_python, workdir):
    judge_threads(any_python, workdir, 2, 4, 1e-6)
