#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""agree.py [--tool PATH] [--show N] [--minimum PERCENT] FILE...

Native user frames of every sample of perf.data files, three times over: pyrec's rows, libunwind
with pyrec's accessors, stock perf script. Prints how many whole stacks are equal and sorts every
difference by its cause; exit status 1 when what no known cause explains is below the minimum.

Causes (Documentation/unwinding.adoc explains them):
  end         the other one goes on with frames that pyrec does not believe: pc in no executable
              mapping, or guessed by libunwind where there is no CFI
  start       the other one stops sooner: its rule of the frame pointer, its frame limit
  lost        perf script printed no user frame at all
  other       none of these
"""
import argparse
import collections
import os
import re
import subprocess
import sys

SIGNAL, INTERRUPTED, GUESSED = 2, 4, 1
KERNEL = 1 << 63
HEADER = re.compile(r"^\s*(\d+)\s+(\d+)\.(\d{9}):")


class Stack:
    def __init__(self, end=0):
        self.end = end
        self.frames = []  # (address, name)
        self.flags = []


def run_lines(command):
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as child:
        yield from child.stdout
    if child.returncode:
        sys.exit(f"{' '.join(command)}: exit status {child.returncode}")


def address_as_perf_prints(index, pc, flags):
    """perf takes 1 off every caller's pc, an interrupted one's too, but not off a trampoline's."""
    return pc - (index > 0 and not flags & SIGNAL)


def read_rows(tool, path):
    stacks = {}
    stack = None
    for line in run_lines([tool, path]):
        words = line.split(None, 5)
        if not line.startswith("\t"):
            stack = Stack(int(words[2]))
            stacks.setdefault((int(words[0]), int(words[1])), stack)
            continue
        flags = int(words[4], 16)
        address = address_as_perf_prints(len(stack.frames), int(words[0], 16), flags)
        stack.frames.append((address, words[5].strip()))
        stack.flags.append(flags)
    return stacks


def read_libunwind(tool, path, rows):
    """Only its raw pcs: where one of them is a trampoline's is taken from the rows."""
    stacks = {}
    stack = key = None
    for line in run_lines([tool, "--libunwind", path]):
        words = line.split()
        if not line.startswith("\t"):
            key = (int(words[0]), int(words[1]))
            stack = Stack()
            stacks.setdefault(key, stack)
            continue
        index = len(stack.frames)
        flags = rows[key].flags[index] if index < len(rows[key].flags) else 0
        stack.frames.append((address_as_perf_prints(index, int(words[0], 16), flags), ""))
    return stacks


def read_perf(path):
    stacks = {}
    stack = None
    command = ["perf", "script", "--no-inline", "--max-stack", "9000", "--ns", "-F",
               "tid,time,ip,sym", "-i", path]
    for line in run_lines(command):
        header = HEADER.match(line)
        if header:
            tid, seconds, nanoseconds = map(int, header.groups())
            stack = Stack()
            stacks.setdefault((tid, seconds * 10**9 + nanoseconds), stack)
        elif line.strip():
            words = line.split(None, 1)
            address = int(words[0], 16)
            if address < KERNEL:
                stack.frames.append((address, words[1].strip() if len(words) > 1 else ""))
    return stacks


def cause_of(ours, theirs):
    mine = [address for address, _ in ours.frames]
    other = [address for address, _ in theirs.frames]
    if mine == other:
        return "equal"
    if not other:
        return "lost"
    if other[:len(mine)] == mine:
        return "end"
    if mine[:len(other)] == other:
        return "start"
    return "other"


def same_name(ours, theirs):
    return ours == theirs.split("@@")[0] or theirs.startswith(ours + "@")


def compare_names(rows, perf):
    counts = collections.Counter()
    pairs = collections.Counter()
    for key, ours in rows.items():
        if key not in perf or cause_of(ours, perf[key]) != "equal":
            continue
        for (_, mine), (_, other) in zip(ours.frames, perf[key].frames):
            counts[same_name(mine, other)] += 1
            if not same_name(mine, other):
                pairs[mine, other] += 1
    return counts, pairs


def show(path, kind, key, ours, theirs):
    print(f"  {os.path.basename(path)} {kind}: tid {key[0]} time {key[1]} end {ours.end}")
    for index in range(max(len(ours.frames), len(theirs.frames))):
        mine = ours.frames[index] if index < len(ours.frames) else (0, "-")
        other = theirs.frames[index] if index < len(theirs.frames) else (0, "-")
        mark = " " if mine[0] == other[0] else "!"
        print(f"   {mark} {mine[0]:16x} {mine[1][:34]:34} {other[0]:16x} {other[1]}")


def compare(path, kind, rows, others, arguments):
    counts = collections.Counter()
    for key, ours in rows.items():
        cause = cause_of(ours, others[key]) if key in others else "lost"
        counts[cause] += 1
        if cause != "equal" and counts[cause] <= arguments.show:
            show(path, f"{kind}: {cause}", key, ours, others.get(key, Stack()))
    total = sum(counts.values()) or 1
    share = 100 * counts["equal"] / total
    rest = ", ".join(f"{cause} {nr}" for cause, nr in sorted(counts.items()) if cause != "equal")
    print(f"{os.path.basename(path):20} {kind:10} {counts['equal']} of {total} equal = {share:.2f} %"
          f"{'; ' if rest else ''}{rest}")
    return share


def main():
    parser = argparse.ArgumentParser(description="Compare native stacks with perf and libunwind.")
    parser.add_argument("--tool", default="build/tests/native/unwind_file")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="N differences of a cause")
    parser.add_argument("--minimum", type=float, default=99.9, metavar="PERCENT")
    parser.add_argument("--names", action="store_true", help="compare symbol names with perf's too")
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    failed = False
    for path in arguments.files:
        rows = read_rows(arguments.tool, path)
        perf = read_perf(path)
        failed |= compare(path, "libunwind", rows, read_libunwind(arguments.tool, path, rows),
                          arguments) < arguments.minimum
        failed |= compare(path, "perf", rows, perf, arguments) < arguments.minimum
        if arguments.names:
            counts, pairs = compare_names(rows, perf)
            print(f"{os.path.basename(path):20} names      {counts[True]} of {counts.total()} equal")
            for (mine, other), nr in pairs.most_common(arguments.show * 5):
                print(f"    {nr:6} {mine} / {other}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
