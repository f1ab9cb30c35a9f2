# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The comparison of report_speed.py in instructions instead of time, which no other work on the machine
changes. What an instruction costs, in caches or elsewhere, is not in it.

    report_instructions.py [SECONDS]      needs root, perf and valgrind
"""

import re
import subprocess
import sys
import tempfile

import report_speed
from pyrec_harness import PYREC, need_program, samples_nr


def count_millions(folder, command, *options):
    """Millions of instructions in user space, as callgrind counts them."""
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind", *options, *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    counted = re.search(rb"I +refs: +([\d,]+)", done.stderr)
    if done.returncode or not counted:
        sys.exit(f"{command}: exit {done.returncode}\n{done.stderr.decode()[-2000:]}")
    return int(counted[1].replace(b",", b"")) / 1e6


def compare(folder, path, version):
    perf = need_program("perf")
    pairs = [
        ([PYREC, *report_speed.SCRIPT, "-j1"], [perf, *report_speed.PERF_SCRIPT]),
        ([PYREC, *report_speed.REPORT, "-j1"], [perf, *report_speed.PERF_REPORT, "--sort=symbol"]),
    ]
    cells = [f"{version:8} {samples_nr(path):8}"]
    for ours, theirs in pairs:
        mine, others = (count_millions(folder, [*command, "-i", path]) for command in (ours, theirs))
        cells.append(f"{mine:7.0f} {others:7.0f} {others / mine:6.1f}x")
    command = [PYREC, "report", "--no-inline", "-j1", "--format=folded", "-i", path]
    folded = count_millions(folder, command)
    reading = count_millions(folder, command, "--toggle-collect=intake_next")
    cells.append(f"{folded:7.0f} {reading:7.0f} {folded / reading:6.2f}")
    print(" ".join(cells), flush=True)


def main(seconds):
    need_program("valgrind")
    one = f"{'pyrec':>7} {'perf':>7} {'ratio':>7}"
    print("millions of instructions; pyrec on one thread")
    print(f"{'':17} {'script':^23} {'report --sort=symbol':^23} {'folded':^22}")
    print(f"{'CPython':8} {'samples':>8} {one} {one} {'pyrec':>7} {'reading':>7} {'ratio':>6}")
    with tempfile.TemporaryDirectory(prefix="pyrec-bench-") as folder:
        for version, arguments in report_speed.WORKLOADS.items():
            compare(folder, report_speed.record(folder, version, arguments, seconds), version)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
