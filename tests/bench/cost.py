# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What recording costs per sample, beside `perf record --call-graph dwarf,8192 -z`, on one process 20
functions deep. Both attach to the same process in turn, so that both meet the same machine. Told is
what the recorder itself spends and writes; a tick's own time is on the target's account (pyrec's
summary has it as BPF's).

    cost.py [SECONDS [ROUNDS]]      needs root and perf
"""

import collections
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

Cost = collections.namedtuple("Cost", "cpu_seconds file_bytes samples_nr messages")


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
    return Cost(spent, os.path.getsize(path), samples_nr(path), messages)


def measure_perf(pid, seconds, path):
    perf = need_program("perf")
    command = [perf, "record", "-q", "-F", str(HZ), "-e", "cpu-clock", "--call-graph", "dwarf,8192"]
    command += ["-z", "-p", str(pid), "-o", path, "--", "sleep", str(seconds)]
    spent, messages = cpu_seconds(command)
    samples = run([perf, "script", "-F", "time", "-i", path]).stdout.count("\n")
    return Cost(spent, os.path.getsize(path), samples, messages)


def marginal(short, long):
    """What each further sample costs: (µs, bytes). Start and end of a recording cancel out."""
    samples = long.samples_nr - short.samples_nr
    return (
        (long.cpu_seconds - short.cpu_seconds) * 1e6 / samples,
        (long.file_bytes - short.file_bytes) / samples,
    )


def commit():
    return run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"]).stdout.strip() or "no commit"


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        match = re.search(r"model name\s*:\s*(.*)", info.read())
    return match[1] if match else platform.machine()


def describe_machine():
    return f"{cpu_name()} x {os.cpu_count()}, Linux {platform.release()}, pyrec {commit()}"


def median_marginal(pairs):
    costs = [marginal(short, long) for short, long in pairs]
    return [statistics.median(column) for column in zip(*costs)]


def print_version(version, ours, theirs):
    us, size = median_marginal(ours)
    perf_us, perf_size = median_marginal(theirs)
    print(
        f"{version:8} {us:10.1f} {perf_us:10.1f} {us / perf_us:8.2f} "
        f"{size:12.0f} {perf_size:12.0f} {size / perf_size:8.2f}"
    )
    print("".join(f"{'':9}{line}\n" for line in ours[-1][1].messages.splitlines()))


def measure_version(python, seconds, rounds):
    """(short, long) pairs of pyrec and of perf."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="pyrec-bench-") as folder:
        lasting = LEAD_SECONDS + (seconds * 4 + 4) * 2 * rounds
        target = run_target(python, "fixed_stack.py", lasting, build_extension(python, folder))
        with started(target, stdout=subprocess.DEVNULL) as process:
            time.sleep(LEAD_SECONDS)
            for measure, pairs in [(measure_pyrec, ours), (measure_perf, theirs)] * rounds:
                pairs.append(
                    [measure(process.pid, n * seconds, f"{folder}/x.data") for n in (1, 3)]
                )
    return ours, theirs


def main(seconds, rounds):
    print(f"{describe_machine()}, {HZ} Hz")
    print(f"Each further sample, from recordings of {seconds} s and {3 * seconds} s, {rounds} rounds:")
    print(f"{'':8} {'user+sys µs':^30} {'file bytes':^34}")
    columns = f"{'pyrec':>10} {'perf':>10} {'ratio':>8} {'pyrec':>12} {'perf':>12} {'ratio':>8}"
    print(f"{'CPython':8} {columns}")
    for version in MINORS:
        print_version(version, *measure_version(find_python(version), seconds, rounds))


if __name__ == "__main__":
    seconds_and_rounds = sys.argv[1:] + ["2", "3"][len(sys.argv) - 1 :]
    main(*map(int, seconds_and_rounds))
