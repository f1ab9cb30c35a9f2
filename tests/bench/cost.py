# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What recording costs per sample, beside `perf record --call-graph dwarf,8192 -z`, on one process 20
functions deep. Both attach to the same process in turn, so that both meet the same machine.

    cost.py [SECONDS [ROUNDS]]      needs root and perf
"""

import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

from pyrec_harness import (  # noqa: E402
    MINORS,
    PYREC,
    ROOT,
    build_extension,
    find_python,
    need_program,
    run,
    run_target,
    samples_nr,
    started,
)

HZ = 999
LEAD_SECONDS = 1


def cpu_seconds(command):
    """User and system time of a command to its end, and its stderr."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        messages = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command}: exit {process.returncode}\n{messages}")
    return usage.ru_utime + usage.ru_stime, messages


def measure_pyrec(pid, seconds, path):
    command = [PYREC, "record", "-v", "-F", str(HZ), "-p", str(pid), "-d", str(seconds), "-o", path]
    spent, messages = cpu_seconds(command)
    return {
        "us": spent * 1e6 / samples_nr(path),
        "bytes": os.path.getsize(path) / samples_nr(path),
        "messages": messages,
    }


def measure_perf(pid, seconds, path):
    perf = need_program("perf")
    command = [perf, "record", "-q", "-F", str(HZ), "-e", "cpu-clock", "--call-graph", "dwarf,8192"]
    command += ["-z", "-p", str(pid), "-o", path, "--", "sleep", str(seconds)]
    spent, messages = cpu_seconds(command)
    listed = run([perf, "script", "-F", "time", "-i", path]).stdout.count("\n")
    return {
        "us": spent * 1e6 / listed,
        "bytes": os.path.getsize(path) / listed,
        "messages": messages,
    }


def commit():
    return run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"]).stdout.strip() or "no commit"


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        match = re.search(r"model name\s*:\s*(.*)", info.read())
    return match[1] if match else platform.machine()


def print_row(version, ours, theirs):
    def median(rows, key):
        return statistics.median(row[key] for row in rows)

    us, perf_us = median(ours, "us"), median(theirs, "us")
    size, perf_size = median(ours, "bytes"), median(theirs, "bytes")
    print(
        f"{version:8} {us:10.1f} {perf_us:10.1f} {us / perf_us:8.2f} "
        f"{size:12.0f} {perf_size:12.0f} {size / perf_size:8.2f}"
    )


def main(seconds, rounds):
    print(f"{cpu_name()} x {os.cpu_count()}, Linux {platform.release()}, pyrec {commit()}, {HZ} Hz")
    print(f"{'':8} {'user+sys µs per sample':^30} {'file bytes per sample':^34}")
    print(f"{'CPython':8} {'pyrec':>10} {'perf':>10} {'ratio':>8} {'pyrec':>12} {'perf':>12} {'ratio':>8}")
    for version in MINORS:
        with tempfile.TemporaryDirectory(prefix="pyrec-bench-") as folder:
            python = find_python(version)
            lasting = LEAD_SECONDS + (seconds + 2) * 2 * rounds
            target = run_target(python, "fixed_stack.py", lasting, build_extension(python, folder))
            with started(target, stdout=subprocess.DEVNULL) as process:
                time.sleep(LEAD_SECONDS)
                ours, theirs = [], []
                for _ in range(rounds):
                    ours.append(measure_pyrec(process.pid, seconds, f"{folder}/ours.data"))
                    theirs.append(measure_perf(process.pid, seconds, f"{folder}/perf.data"))
        print_row(version, ours, theirs)
        print(ours[-1]["messages"])


if __name__ == "__main__":
    seconds_and_rounds = sys.argv[1:] + ["5", "3"][len(sys.argv) - 1 :]
    main(*map(int, seconds_and_rounds))
