# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How fast `pyrec report` and `pyrec script` are, beside perf's on the same files, and how much memory
they take. The recordings are made here: work of many kinds, 13 callers deep, at 4999 Hz.

    report_speed.py [SECONDS [ROUNDS]]      needs root and perf

Each figure is the least of all rounds, in CPU time (user and system) unless it says otherwise: what
else the machine does only adds to it.
"""

import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

import cost  # noqa: E402
from pyrec_harness import PYREC, find_python, need_program, record_command, samples_nr  # noqa: E402

HZ = 4999
# perf stops at 127 frames unless told otherwise.
SCRIPT = ["script", "--no-inline"]
REPORT = ["report", "--no-inline", "--sort=symbol"]
PERF_SCRIPT = ["script", "--no-inline", "--max-stack", "2000"]
PERF_REPORT = ["report", "--stdio", "-q", "--no-inline", "--max-stack", "2000"]
WORKLOADS = {"3.9": [], "3.11": [], "3.13": [], "system": ["numpy"]}


def run_measured(command):
    """CPU seconds, wall seconds, peak KiB and stderr of a command whose output goes nowhere."""
    with tempfile.TemporaryFile() as messages:
        begin = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=messages) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - begin
        messages.seek(0)
        text = messages.read().decode()
    if process.returncode != 0:
        sys.exit(f"{command}: exit {process.returncode}\n{text}")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss, text


def least(rounds, *commands):
    """The least CPU seconds of each command; they run in turn."""
    times = [[run_measured(command)[0] for command in commands] for _ in range(rounds)]
    return [min(column) for column in zip(*times)]


def wall_of_two(command):
    """Wall seconds of two processes of the same command at once."""
    begin = time.monotonic()
    processes = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    if any(process.wait() for process in processes):
        sys.exit(f"{command}: failed")
    return time.monotonic() - begin


def stage_figures(path, rounds):
    """{stage: (ms, ns per frame or 0)} of `pyrec report --sort=symbol`, the least of all rounds."""
    figures = {}
    for _ in range(rounds):
        text = run_measured([PYREC, *REPORT, "-j1", "--stats", "-i", path])[3]
        for name, ms, ns in re.findall(r"pyrec: (\w+) +([\d.]+) ms .*?([\d.]+ ns/frame)?$", text, re.M):
            new = (float(ms), float(ns.split()[0]) if ns else 0.0)
            figures[name] = min(figures.get(name, new), new)
    return figures


def record(folder, version, arguments, seconds, *options):
    path = os.path.join(folder, f"{version}{''.join(options)}.data")
    target = [find_python(version), os.path.join(HERE, "mixed_work.py"), str(seconds), *arguments]
    record_command(path, target, "-F", str(HZ), *options)
    return path


def compare(path, version, rounds):
    perf = need_program("perf")
    script, perf_script, report, perf_report, folded = least(
        rounds,
        [PYREC, *SCRIPT, "-j1", "-i", path],
        [perf, *PERF_SCRIPT, "-i", path],
        [PYREC, *REPORT, "-j1", "-i", path],
        [perf, *PERF_REPORT, "--sort=symbol", "-i", path],
        [PYREC, "report", "--no-inline", "-j1", "--format=folded", "-i", path],
    )
    stages = stage_figures(path, rounds)
    reading = (stages["read"][0] + stages["decompress"][0]) / 1000
    print(
        f"{version:8} {samples_nr(path):8} {script:7.2f} {perf_script:7.2f} {perf_script / script:6.1f}x"
        f" {report:7.2f} {perf_report:7.2f} {perf_report / report:6.1f}x"
        f" {folded:7.2f} {reading:7.2f} {folded / reading:6.2f}"
        f" {stages['unwind'][1]:7.1f} {stages['symbols'][1]:7.1f}"
    )


def print_large(folder, seconds):
    """Memory, of a recording that is not packed and of one a tenth as long; threads; the start."""
    large = record(folder, "3.9", [], seconds * 2, "--no-compress")
    packed = record(folder, "3.9", [], seconds * 2)
    small = record(folder, "3.11", [], seconds / 5, "--no-compress")
    tiny = record(folder, "3.13", [], 0.3)
    print(f"\n{'file':24} {'MB':>6} {'peak RSS MB, -j1':>17} {'-j2':>6}")
    for path in (small, large):
        peaks = [
            run_measured([PYREC, *REPORT, jobs, "-i", path])[2] / 1024
            for jobs in ("-j1", "-j2")
        ]
        size = os.path.getsize(path) / 1e6
        print(f"{os.path.basename(path):24} {size:6.0f} {peaks[0]:17.1f} {peaks[1]:6.1f}")
    print_threads([packed, large])
    plain, inlines = (
        1000 * min(run_measured([PYREC, "report", *options, "-i", tiny])[1] for _ in range(5))
        for options in (["--no-inline"], [])
    )
    print(f"\nstart to end on a recording of {samples_nr(tiny)} samples: {plain:.0f} ms;")
    print(f"with the inlined functions that this machine's debug information tells: {inlines:.0f} ms")


def print_threads(paths):
    """Beside what two processes bring, which share nothing: more than that no two threads can."""
    print(f"\n{'wall seconds':34} {'-j1':>6} {'-j2':>6} {'ratio':>6} {'two processes':>14}")
    for path in paths:
        for name, command in (("script", SCRIPT), ("report", REPORT)):
            walls = {"-j1": [], "-j2": [], "two": []}
            for _ in range(5):
                for jobs in ("-j1", "-j2"):
                    walls[jobs].append(run_measured([PYREC, *command, jobs, "-i", path])[1])
                walls["two"].append(wall_of_two([PYREC, *command, "-j1", "-i", path]))
            one, threads, two = (min(column) for column in walls.values())
            print(
                f"{os.path.basename(path):26} {name:7} {one:6.2f} {threads:6.2f}"
                f" {one / threads:6.2f} {2 * one / two:14.2f}"
            )


def main(seconds, rounds):
    print(cost.describe_machine())
    print(f"CPU seconds, least of {rounds} rounds; pyrec on one thread")
    print(f"{'':17} {'script':^23} {'report --sort=symbol':^23} {'folded':^22} {'ns per frame':^15}")
    one = f"{'pyrec':>7} {'perf':>7} {'ratio':>7}"
    print(
        f"{'CPython':8} {'samples':>8} {one} {one} {'pyrec':>7} {'reading':>7} {'ratio':>6}"
        f" {'unwind':>7} {'symbols':>7}"
    )
    with tempfile.TemporaryDirectory(prefix="pyrec-bench-") as folder:
        for version, arguments in WORKLOADS.items():
            compare(record(folder, version, arguments, seconds), version, rounds)
        print_large(folder, seconds)


if __name__ == "__main__":
    seconds_and_rounds = sys.argv[1:] + ["13", "5"][len(sys.argv) - 1 :]
    main(*map(int, seconds_and_rounds))
