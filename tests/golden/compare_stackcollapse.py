#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Compare FlameGraph's stackcollapse-perf.pl over `pyrec script` with `pyrec report --format=folded`.

    compare_stackcollapse.py STACKCOLLAPSE RECORDING [PYREC-ARGUMENT…]

Exit 0 when both have the same stacks with the same weights. Before comparing, both sides go
through what stackcollapse-perf.pl does to names and what the perf-script grammar cannot carry:
it cuts symbols at "(", drops quotes and splits at "->"; script writes py:: before Python names and
turns characters that parsers trip over into "_".
"""

import collections
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PYREC = os.environ.get("PYREC", os.path.join(ROOT, "pyrec"))


def output_of(command, text=None):
    return subprocess.run(
        command, input=text, stdout=subprocess.PIPE, check=True, encoding="utf-8"
    ).stdout


def plain(name):
    """A name without what one of the two ways through changes."""
    name = name.removeprefix("py::")
    return re.sub(r"[^\w<>.@\[\]/:+*-]+|->|_+", "", re.sub(r"(?<=.)\(.*", "", name))


def parse_folded(text, is_collapsed):
    stacks = collections.Counter()
    for line in text.splitlines():
        stack, _, weight = line.rpartition(" ")
        process, *frames = stack.split(";")
        command, _, pid = process.rpartition("-")
        words = ["" if re.fullmatch(r"[\d/]*", word) else word for word in command.split("_")]
        frames = [plain(frame) for frame in frames]
        if not is_collapsed:
            frames = [re.sub(r"\(.*", "", frame) for frame in frames]
        key = (plain("".join(words)), pid, *frames)
        stacks[key] += int(weight)
    return stacks


def main():
    collapse, recording, *arguments = sys.argv[1:]
    script = output_of([PYREC, "script", "-i", recording, *arguments])
    folded = output_of(
        [PYREC, "report", "--format=folded", "--weight=period", "-i", recording, *arguments]
    )
    theirs = parse_folded(output_of(["perl", collapse, "--pid"], script), True)
    ours = parse_folded(folded, False)
    for name, only in (("stackcollapse-perf.pl", theirs - ours), ("folded", ours - theirs)):
        for stack, weight in sorted(only.items())[:10]:
            print(f"only by {name}: {';'.join(stack)} {weight}")
    if ours != theirs:
        return 1
    print(f"equal: {len(ours)} stacks, weight {sum(ours.values())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
