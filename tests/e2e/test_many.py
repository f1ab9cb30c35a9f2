# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""8 threads and 10 processes, some started while recording and alive for 0.2 s: all named."""

from pyrec_harness import documents, losses, recording, run, run_target, script, within


def test_all_are_named_and_none_lost(work_python, workdir):
    path = f"{workdir}/many.data"
    with recording(path, "-a", "-F", "499"):
        result = run(run_target(work_python, "many.py", 4))
    assert result.returncode == 0, result.stderr
    workers = documents(result.stdout)
    assert len(workers) == 18
    pids = {worker["pid"] for worker in workers}
    samples = script(path, *[f"--pid={pid}" for pid in pids])
    for worker in workers:
        own = [s for s in samples if (s.pid, s.tid) == (worker["pid"], worker["tid"])]
        own = within(own, *worker["window"])
        named = [s for s in own if worker["worker"] in s.python_names()]
        # On a machine so busy that it got not half of its life, the recorder came too late as well.
        if not own and worker["process_cpu_seconds"] < 0.1:
            continue
        assert named, f"{worker['worker']}: no sample of {len(own)} bears its name"
        # The window's two edges lie in the worker's caller.
        assert len(own) - len(named) <= 2, f"{worker['worker']}: {len(named)} of {len(own)} named"
    assert losses(path) == {}
