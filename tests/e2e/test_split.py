# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""CPU time split 50/30/20 by the thread's own clock comes out within 1.5 points."""

from pyrec_harness import documents, record_command, run_target, script, within

SHARES_PCT = {"half": 50, "third": 30, "fifth": 20}
TOLERANCE_POINTS = 1.5


def shares_pct(samples):
    """Per cent of the samples inside each function, at any depth."""
    return {
        name: 100 * sum(name in s.python_names() for s in samples) / len(samples)
        for name in SHARES_PCT
    }


def test_shares(work_python, workdir):
    path = f"{workdir}/split.data"
    target = run_target(work_python, "split.py", 10)
    (truth,) = documents(record_command(path, target, "-F", "499").stdout)
    samples = within([s for s in script(path) if s.tid == truth["tid"]], *truth["window"])
    # A busy machine gives it less than its time.
    assert len(samples) > 0.7 * 499 * sum(truth["spent_seconds"].values()) > 500
    found = shares_pct(samples)
    off = {name: found[name] - pct for name, pct in SHARES_PCT.items()}
    assert all(abs(points) <= TOLERANCE_POINTS for points in off.values()), (found, len(samples))
