#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""agree.py [--tool PATH] [--show N] [--names] [--minimum PERCENT] FILE...

Native user frames of every sample of perf.data files, three times over: pyrec's rows, libunwind
with pyrec's accessors, stock perf script. Prints how many whole stacks are equal and sorts every
difference by its cause. Exit status 1 when equal and explained ones are below the minimum.

Explained (Documentation/unwinding.adoc says why):
  popped      the other one takes a register that the leaf has popped to be lost: libunwind, told
              that the leaf still holds it, agrees with pyrec
  edge        perf does not read the very last word of the recorded stack
  sigreturn   the leaf stands behind the last byte of the signal trampoline's FDE
  guessed     there is no CFI: libunwind goes on where pyrec stops, or each by its own guess
  exec        perf keeps the maps from before an exec and takes the wrong base address of files that
              are mapped again; libunwind agrees with pyrec
  personality perf needs the pointer to a personality routine, which is in a data mapping that the
              recording leaves out, and stops there; libunwind agrees with pyrec
  untold      perf takes the unwind table itself from such a mapping, of which the recording tells
              only later; libunwind agrees with pyrec
  unmapped    one address in no mapping, of a process in the middle of its exec
Not explained:
  lost        the other one has no user frame at all
  other       none of these
"""
import argparse
import collections
import os
import re
import subprocess
import sys

GUESSED, SIGNAL, INTERRUPTED = 1, 2, 4
KERNEL = 1 << 63
EXEC = re.compile(r"PERF_RECORD_COMM exec: .*:\d+/(\d+)")
UNMAPPED = 1 << 31  # of the tool alone
HEADER = re.compile(r"^\s*(\d+)/(\d+)\s+(\d+)\.(\d{9}):")
FRAME = re.compile(r"^\s*([0-9a-f]+) (.*) \((.*)\)$")
MAPPING = re.compile(r"(\d+)\.(\d{9}): PERF_RECORD_MMAP2 (\d+)/\d+: .*\]: r--\S (.*)$")


EXPLAINED = ("equal", "popped", "edge", "sigreturn", "guessed", "exec", "personality",
             "untold", "unmapped")
END_NO_CFI = 2


class Stack:
    def __init__(self, end=0, dump_end=0, plain_nr=0):
        self.end = end
        self.dump_end = dump_end
        self.plain_nr = plain_nr  # frames that libunwind finds by itself
        self.frames = []  # (address, name)
        self.flags = []
        self.cfas = []
        self.personalities = []
        self.pid = 0
        self.last_file = ""  # of the frame nearest to the root

    def addresses(self):
        return [address for address, _ in self.frames]


def run_lines(command):
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as child:
        yield from child.stdout
    if child.returncode:
        sys.exit(f"{' '.join(command)}: exit status {child.returncode}")


def address_as_perf_prints(index, pc, flags):
    """perf takes 1 off every pc but the leaf's and those that a signal interrupted."""
    return pc - (index > 0 and not flags & INTERRUPTED)


def read_rows(tool, path):
    stacks = {}
    stack = None
    for line in run_lines([tool, path]):
        words = line.split(None, 5)
        if not line.startswith("\t"):
            stack = Stack(int(words[2]), int(words[3], 16))
            stacks.setdefault((int(words[0]), int(words[1])), stack)
            continue
        flags = int(words[4], 16)
        address = address_as_perf_prints(len(stack.frames), int(words[0], 16), flags)
        stack.frames.append((address, words[5].strip()))
        stack.flags.append(flags)
        stack.cfas.append(int(words[3], 16))
    return stacks


def read_libunwind(tool, path, rows):
    """Only its raw pcs: which of them were interrupted is taken from the rows."""
    stacks = {}
    stack = key = None
    for line in run_lines([tool, "--libunwind", path]):
        words = line.split()
        if not line.startswith("\t"):
            key = (int(words[0]), int(words[1]))
            stack = Stack(plain_nr=int(words[2]))
            stacks.setdefault(key, stack)
            continue
        index = len(stack.frames)
        flags = rows[key].flags[index] if index < len(rows[key].flags) else 0
        stack.frames.append((address_as_perf_prints(index, int(words[0], 16), flags), ""))
        stack.personalities.append(words[1] == "1")
    return stacks


def read_perf(path):
    stacks = {}
    stack = None
    command = ["perf", "script", "--no-inline", "--max-stack", "9000", "--ns", "-F",
               "pid,tid,time,ip,sym,dso", "-i", path]
    for line in run_lines(command):
        header = HEADER.match(line)
        if header:
            pid, tid, seconds, nanoseconds = map(int, header.groups())
            stack = Stack()
            stack.pid = pid
            stacks.setdefault((tid, seconds * 10**9 + nanoseconds), stack)
        elif line.strip():
            address, name, file = FRAME.match(line).groups()
            if int(address, 16) < KERNEL:
                stack.frames.append((int(address, 16), name))
                stack.last_file = file
    return stacks


def read_execed(path):
    """Threads that called exec while they were recorded."""
    command = ["perf", "script", "--show-task-events", "-F", "comm,tid,time,event", "-i", path]
    found = (EXEC.search(line) for line in run_lines(command) if "PERF_RECORD_COMM exec" in line)
    return {int(match.group(1)) for match in found if match}


def read_data_mappings(path):
    """{(pid, file): when its first mapping without code was told of}"""
    command = ["perf", "script", "--ns", "--show-mmap-events", "-F", "comm,tid,time,event", "-i", path]
    told = {}
    for line in run_lines(command):
        match = MAPPING.search(line)
        if match:
            time_ns = int(match.group(1)) * 10**9 + int(match.group(2))
            told.setdefault((int(match.group(3)), match.group(4)), time_ns)
    return told


def cause_of(ours, theirs, libunwind, has_execed=False, is_untold=False):
    """Why @theirs is not @ours; @libunwind: the same sample by libunwind."""
    mine = ours.addresses()
    other = theirs.addresses()
    popped = mine == libunwind.addresses() and libunwind.plain_nr < len(mine)
    if popped and mine[:len(other)] == other and len(other) == libunwind.plain_nr:
        return "popped"
    if mine == other:
        return "popped" if theirs is libunwind and popped else "equal"
    if len(mine) == 1 and not other and ours.flags[0] & UNMAPPED:
        return "unmapped"
    if ours.flags and ours.flags[0] & SIGNAL and mine[0] == other[0]:
        return "sigreturn"
    if other == mine[:-1] and len(mine) > 1 and ours.cfas[-2] == ours.dump_end:
        return "edge"
    equal_nr = len(os.path.commonprefix([mine, other]))
    if equal_nr == len(mine) and ours.end == END_NO_CFI:
        return "guessed"
    if any(flags & GUESSED for flags in ours.flags[:equal_nr + 1]):
        return "guessed"
    if theirs is not libunwind and cause_of(ours, libunwind, libunwind) in EXPLAINED:
        if has_execed:
            return "exec"
        if equal_nr == len(other) and other and libunwind.personalities[equal_nr - 1]:
            return "personality"
        if equal_nr == len(other) and is_untold:
            return "untold"
    return "other" if other else "lost"


def same_name(ours, theirs):
    return ours == theirs.split("@@")[0] or theirs.startswith(ours + "@")


def compare_names(rows, perf):
    counts = collections.Counter()
    pairs = collections.Counter()
    for key, ours in rows.items():
        if key not in perf or ours.addresses() != perf[key].addresses():
            continue
        for (_, mine), (_, other) in zip(ours.frames, perf[key].frames):
            counts[same_name(mine, other)] += 1
            if not same_name(mine, other):
                pairs[mine, other] += 1
    return counts, pairs


def show(path, kind, key, ours, theirs):
    print(f"  {os.path.basename(path)} {kind}: tid {key[0]} time {key[1]} end {ours.end}")
    first = 0
    while first < min(len(ours.frames), len(theirs.frames)) - 2 and \
            ours.frames[first][0] == theirs.frames[first][0]:
        first += 1
    first = max(0, first - 3)
    if first:
        print(f"     ({first} equal frames)")
    for index in range(first, min(first + 12, max(len(ours.frames), len(theirs.frames)))):
        mine = ours.frames[index] if index < len(ours.frames) else (0, "-")
        other = theirs.frames[index] if index < len(theirs.frames) else (0, "-")
        mark = " " if mine[0] == other[0] else "!"
        print(f"   {mark} {mine[0]:16x} {mine[1][:34]:34} {other[0]:16x} {other[1]}")


class Comparison:
    """The samples of one file, unwound by each."""

    def __init__(self, tool, path):
        self.path = path
        self.rows = read_rows(tool, path)
        self.libunwind = read_libunwind(tool, path, self.rows)
        self.perf = read_perf(path)
        self.execed = read_execed(path)
        self.data_mappings = read_data_mappings(path)

    def others(self):
        return {"libunwind": self.libunwind, "perf": self.perf}

    def causes(self, kind):
        """(cause, key, our stack, theirs) of each sample; kind: libunwind or perf."""
        others = self.others()[kind]
        for key, ours in self.rows.items():
            theirs = others.get(key, Stack())
            told_ns = self.data_mappings.get((theirs.pid, theirs.last_file), sys.maxsize)
            cause = cause_of(ours, theirs, self.libunwind[key], key[0] in self.execed, told_ns > key[1])
            yield cause, key, ours, theirs


def compare(comparison, kind, arguments):
    path = comparison.path
    counts = collections.Counter()
    for cause, key, ours, theirs in comparison.causes(kind):
        counts[cause] += 1
        if cause != "equal" and counts[cause] <= arguments.show:
            show(path, f"{kind}: {cause}", key, ours, theirs)
    total = sum(counts.values())
    equal = 100 * counts["equal"] / (total or 1)
    explained = 100 * sum(counts[cause] for cause in EXPLAINED) / (total or 1)
    rest = ", ".join(f"{cause} {nr}" for cause, nr in sorted(counts.items()) if cause != "equal")
    print(f"{os.path.basename(path):20} {kind:10} {counts['equal']} of {total} equal = {equal:.2f} %,"
          f" with explained ones {explained:.2f} %{'; ' if rest else ''}{rest}", flush=True)
    return explained


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
        comparison = Comparison(arguments.tool, path)
        for kind in comparison.others():
            failed |= compare(comparison, kind, arguments) < arguments.minimum
        if arguments.names:
            counts, pairs = compare_names(comparison.rows, comparison.perf)
            print(f"{os.path.basename(path):20} names      {counts[True]} of {counts.total()} equal")
            for (mine, other), nr in pairs.most_common(arguments.show * 5):
                print(f"    {nr:6} {mine} / {other}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
