# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Files of stock perf, of every common way to record: report and script open them, show as many
samples of each event as perf does, and the same native frames."""

import os
import re
import subprocess
import sys

import pytest

from pyrec_harness import ROOT, clean_environment, need_program, need_root, parse_script, pyrec, run, started

sys.path.insert(0, os.path.join(ROOT, "tests", "native"))

TARGET = os.path.join(ROOT, "tests", "native", "unwind_target.c")
COMM = "target"
FIELDS = "comm,pid,tid,time,period,event,ip,sym,symoff,dso"
DWARF = ["--call-graph", "dwarf,8192"]
CLOCK = ["-e", "cpu-clock"]
# name: how perf records; a program of its own unless that says what.
WAYS = {
    "dwarf": [*CLOCK, *DWARF],
    "compressed": [*CLOCK, *DWARF, "-z"],
    "frame-pointers": [*CLOCK, "--call-graph", "fp"],
    "no-call-graph": CLOCK,
    "user-only": ["-e", "task-clock:u", *DWARF],
    "several-events": ["-e", "cpu-clock,task-clock,page-faults", *DWARF],
    "group": ["-e", "{cpu-clock,task-clock}", "-g"],
    "tracepoint": ["-e", "syscalls:sys_enter_getppid", "-c", "200", *DWARF],
    "addresses": [*CLOCK, *DWARF, "-d", "-W", "--sample-cpu", "-T", "-D", "100"],
    "buildid-mmap": [*CLOCK, *DWARF, "--buildid-mmap"],
    "cgroups": [*CLOCK, *DWARF, "--all-cgroups", "--namespaces", "--switch-events"],
}
PIPES = {"pipe": [*CLOCK, *DWARF], "pipe-compressed": [*CLOCK, *DWARF, "-z"]}


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    program = tmp_path_factory.mktemp("perf-files") / "target"
    flags = ["-O2", "-pthread", "-fno-omit-frame-pointer"]
    subprocess.run(["gcc", *flags, TARGET, "-o", program], check=True)
    return str(program)


def perf_record(path, arguments, command, stdout=None):
    need_root()
    perf = [need_program("perf"), "record", "-q", "-N", "-o", path, *arguments]
    if "-c" not in arguments:
        perf += ["-F", "499"]
    process = subprocess.run(
        [*perf, "--", *command],
        stdin=subprocess.DEVNULL,
        stdout=stdout or subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=clean_environment(),
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stderr.decode()


def events_of(path):
    result = run([need_program("perf"), "evlist", "-i", path])
    found = [line.strip() for line in result.stdout.splitlines() if not line.startswith("#")]
    return [name for name in found if not name.startswith("dummy")]


def samples_of_perf(path, event=None):
    """perf's own samples of one event; a pipe tells of events only as it goes along."""
    command = [need_program("perf"), "script", "-i", path, "--no-inline", "--max-stack", "2000"]
    text = run([*command, "-F", FIELDS]).stdout
    # Without a call graph the one frame stands behind the header, which is padded then.
    text = re.sub(r"^ *(\S.*: +)([0-9a-f]+ .*\))$", r"\1\n\t\2", text, flags=re.MULTILINE)
    samples = parse_script(text)
    return [sample for sample in samples if not event or plain_event(sample.event) == plain_event(event)]


def plain_event(name):
    return name.rstrip(":")


def places(sample):
    """Place in the page of each frame: perf prints some addresses relative to the file."""
    return [frame.ip % 4096 for frame in sample.frames]


def is_leaf_side(part, whole):
    """perf shows no more where a leaf has popped a register (Documentation/unwinding.adoc); what is
    wrong with a whole stack is for test_agreement.py to find."""
    return part == whole[len(whole) - len(part) :]


def check_event(path, event=None):
    """Return: (samples, those with the same frames)."""
    theirs = samples_of_perf(path, event)
    option = ["--event", event] if event else []
    ours = parse_script(pyrec("script", "--show-eval", "--no-inline", "-i", path, *option).stdout)
    assert [(s.tid, s.time_ns) for s in ours] == [(s.tid, s.time_ns) for s in theirs]
    same_nr = 0
    for mine, other in zip(ours, theirs):
        if mine.comm != COMM:
            continue
        assert is_leaf_side(places(other), places(mine)), (mine, other)
        same_nr += places(mine) == places(other)
    return len([sample for sample in ours if sample.comm == COMM]), same_nr


def check_counts(samples_nr, same_nr):
    assert samples_nr >= 20
    assert same_nr >= 0.6 * samples_nr


@pytest.mark.parametrize("way", WAYS)
def test_way_of_recording(way, target, workdir):
    path = f"{workdir}/{way}.data"
    mode = "plt" if way == "tracepoint" else "calls"
    perf_record(path, WAYS[way], [target, mode, "1"])
    events = events_of(path)
    assert events
    check_counts(*map(sum, zip(*(check_event(path, event) for event in events))))
    assert pyrec("report", "-i", path).stdout
    assert pyrec("report", "--format=folded", "-i", path).stdout


@pytest.mark.parametrize("way", PIPES)
def test_pipe(way, target, workdir):
    path = f"{workdir}/{way}.data"
    with open(path, "wb") as file:
        perf_record("-", PIPES[way], [target, "calls", "1"], stdout=file)
    check_counts(*check_event(path))


ATTACHED = {"process": ["-p"], "per-thread": ["--per-thread", "-T", "-p"], "whole-machine": ["-a"]}


@pytest.mark.parametrize("way", ATTACHED)
def test_attached(way, target, workdir):
    path = f"{workdir}/attached.data"
    with started([target, "threads", "20"]) as process:
        options = [*CLOCK, *DWARF, *ATTACHED[way]]
        options += [str(process.pid)] if options[-1] == "-p" else []
        perf_record(path, options, ["sleep", "0.7"])
    check_counts(*check_event(path))
