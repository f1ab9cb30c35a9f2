#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The arrows of the house, checked from the sources: which room may include which, which one file
may use which library, and what every source file must have. Prints path:line: finding.

    layers.py [TREE]
"""

import fnmatch
import os
import re
import subprocess
import sys

# Room: what its files may include of ours. pyrec.c is the front door.
ROOMS = {
    "pyrec.c": ["record/cmd_*.h", "report/cmd_*.h"],
    "common": ["common/*.h"],
    "format": ["format/*.h", "common/*.h"],
    "bpf": ["bpf/*.h"],
    "record": ["record/*.h", "format/*.h", "common/*.h", "bpf/pyrec_bpf.h", "bpf/*.skel.h"],
    "report": ["report/*.h", "format/*.h", "common/*.h"],
    "tests": ["*"],
}

# What belongs to a few files: (pattern of the line, the files that may, its name in the message).
OWNED = [
    (r'#\s*include\s*[<"]bpf/(libbpf|bpf|btf)\.h[>"]', ["record/sampler*"], "libbpf"),
    (r'#\s*include\s*"bpf/\w+\.skel\.h"', ["record/sampler*"], "the BPF skeletons"),
    (r"#\s*include\s*<bpf/bpf_(helpers|tracing|core_read|endian)", ["bpf/*"], "BPF helpers"),
    (r"#\s*include\s*<elfutils/", ["report/symbols*", "report/dwarf*"], "libdw"),
    (
        r"#\s*include\s*<(libelf|gelf)\.h>",
        ["common/elf_file.c", "report/symbols*", "report/dwarf*"],
        "libelf",
    ),
    (r"#\s*include\s*<libunwind", ["tests/native/libunwind_walk.c"], "libunwind"),
    (r"#\s*include\s*<capstone/", ["report/annotate*"], "capstone"),
    (r"#\s*include\s*<libiberty/", ["report/demangle.c"], "libiberty"),
    (r"#\s*include\s*<lzma\.h>", ["common/debug_file.c"], "liblzma"),
    (r"#\s*include\s*<zstd", ["format/compressor.c"], "libzstd"),
    (r"#\s*include\s*<uthash\.h>", ["common/hash.h"], "uthash"),
    (r"\bprocess_vm_readv\s*\(", ["record/remote_memory.*"], "process_vm_readv"),
]

INCLUDE = re.compile(r'#\s*include\s*"([^"]+)"')
MARKS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
SPDX = "SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause"
SOURCES = (".c", ".h", ".py", ".sh", ".adoc", "Makefile")
FUNCTION_LINES_MAX = 80
# Tabs before a statement that opens a fifth level inside a function (clang-format sets them).
TOO_DEEP = re.compile(r"\t{5,}(if|else if|for|while|do|switch|HASH_ITER)\b")


def list_files(tree):
    """Sources below tree, as git sees them; without git, all that is there."""
    command = ["git", "-C", tree, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = None
    if os.path.exists(os.path.join(tree, ".git")):
        found = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    else:
        found = [
            os.path.relpath(os.path.join(folder, name), tree)
            for folder, _, names in os.walk(tree)
            for name in names
        ]
    is_there = lambda path: os.path.isfile(os.path.join(tree, path))
    return sorted(path for path in set(found) if path and is_there(path))


def room_of(path):
    return path.split("/", 1)[0]


def matches_any(path, patterns):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def check_includes(path, lines):
    """Arrows between rooms. A name without a folder would hide its room: that is a finding too."""
    allowed = ROOMS[room_of(path)]
    for number, line in enumerate(lines, 1):
        include = INCLUDE.match(line.strip())
        if include and not matches_any(include.group(1), allowed):
            yield number, f"{room_of(path)} may not include {include.group(1)}"


def check_owned(path, lines):
    for number, line in enumerate(lines, 1):
        for pattern, owners, name in OWNED:
            if re.search(pattern, line) and not matches_any(path, owners):
                yield number, f"{name} belongs to {', '.join(owners)} alone"


def check_first_line(lines):
    first = lines[1:2] if lines and lines[0].startswith("#!") else lines[:1]
    if not first or SPDX not in first[0]:
        yield 1, "the first line is not the SPDX line"


def check_marks(lines):
    for number, line in enumerate(lines, 1):
        mark = MARKS.search(line)
        if mark:
            yield number, f"unfinished: {mark.group(1)}"


def check_nesting(lines):
    for number, line in enumerate(lines, 1):
        if TOO_DEEP.match(line):
            yield number, "nested more than 4 deep"


def check_file(tree, path):
    with open(os.path.join(tree, path), encoding="utf-8", errors="replace") as source:
        lines = source.read().splitlines()
    if path.endswith(SOURCES):
        yield from check_first_line(lines)
        yield from check_marks(lines)
    if path.endswith((".c", ".h")):
        yield from check_nesting(lines)
    if path.endswith((".c", ".h")) and room_of(path) in ROOMS:
        yield from check_includes(path, lines)
        if room_of(path) != "tests":
            yield from check_owned(path, lines)


def check_functions(tree, paths):
    """(path, line, finding) for every C function that is too long, as ctags measures it."""
    command = ["ctags", "-L", "-", "--languages=C", "--c-kinds=f", "--fields=+ne", "-f", "-"]
    tags = subprocess.run(
        command, input="\n".join(paths), cwd=tree, capture_output=True, text=True, check=True
    ).stdout
    for tag in tags.splitlines():
        name, path = tag.split("\t")[:2]
        first, last = re.search(r"\tline:(\d+)", tag), re.search(r"\tend:(\d+)", tag)
        if not first or not last:
            continue
        length = int(last.group(1)) - int(first.group(1)) + 1
        if length > FUNCTION_LINES_MAX:
            yield path, int(first.group(1)), f"{name}() has {length} lines"


def check_tree(tree):
    """Every finding as (path, line, text)."""
    paths = list_files(tree)
    findings = [(path, *finding) for path in paths for finding in check_file(tree, path)]
    findings += check_functions(tree, [path for path in paths if path.endswith((".c", ".h"))])
    return paths, findings


def main(tree):
    paths, findings = check_tree(tree)
    for path, line, text in findings:
        print(f"{path}:{line}: {text}")
    print(f"layers: {len(paths)} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else here))
