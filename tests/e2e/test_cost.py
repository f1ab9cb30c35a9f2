# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The recorder's own account of what a sample cost is there and complete. A machine that runs other
things too is no judge of time: the figures are printed, tests/bench/cost.py compares them."""

import re

from pyrec_harness import build_extension, find_python, record_command, run_target, samples_nr

FIGURES = [
    r"BPF (?P<bpf_us>[\d.]+) us per sample",
    r"recorder (?P<recorder_us>[\d.]+) us user\+sys per sample",
    r"(?P<bytes>\d+) bytes per sample in the file",
]


def test_verbose_summary_tells_the_cost(workdir, capsys):
    python = find_python("3.11")
    path = f"{workdir}/x.data"
    target = run_target(python, "fixed_stack.py", 4, build_extension(python, workdir))
    messages = record_command(path, target, "-F", "999", "-v").stderr
    with capsys.disabled():
        print(f"\n{messages.strip()}")
    for figure in FIGURES:
        assert re.search(figure, messages), figure
    assert samples_nr(path) > 1500


def test_quiet_says_nothing(workdir):
    python = find_python("3.11")
    result = record_command(f"{workdir}/x.data", [python, "-c", "pass"], "-q")
    assert result.stderr == ""
