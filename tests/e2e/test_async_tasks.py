# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Each sample bears the name of the asyncio task that ran, as the program knows it (3.14 and newer)."""

import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from pyrec_harness import (
    ROOT,
    documents,
    find_python,
    need_root,
    pyrec,
    record_command,
    recording,
    run_target,
    script,
    skip,
    started,
    wait_until,
    within,
)

sys.path.insert(0, os.path.join(ROOT, "tests", "pythons"))

import interpreters  # noqa: E402
import trees  # noqa: E402

ROUNDS = 3
NAME_CHARACTERS_MAX = {"a": 1024, "ω": 512, "\U0001f40d": 256}  # 1024 bytes as they lie in memory
FLAVOURS = ["3.14 static", "3.14 shared", "3.14 debug", "3.15 static", "3.15 shared", "3.15 debug"]


def find_interpreter(flavour):
    """From the trees that make check-pythons unpacks."""
    minor, build = flavour.split()
    need_root()
    found = [tree for tree in trees.cache_folder().glob(f"*-{trees.FORM}") if tree.is_dir()]
    for candidate in interpreters.candidates(found, ()):
        name = os.path.basename(candidate.program)
        is_shared = "/local/" in candidate.program
        kind = "debug" if name.endswith("d") else "shared" if is_shared else "static"
        if (name.rstrip("d"), kind) == (f"python{minor}", build):
            return candidate
    return skip(f"prerequisite CPython {flavour}: make check-pythons unpacks it", False)


def expected_name(owner):
    """What the file has of a name."""
    if owner is None or len(owner) < 1000:
        return owner
    return owner[: NAME_CHARACTERS_MAX[owner[0]]] + "…"


def shown_in_script(name):
    """The same as perf-script shows it, by Documentation/pyrec-script.1.adoc."""
    name = name.replace("\n", "\\x0a")
    return re.sub(r"[(); \"']|\+(?=0x[0-9a-f]+$)", "_", name)


def owner_function(sample, owners):
    """The innermost function that tells whose the sample is."""
    names = [name for name in sample.python_names() if name in owners]
    return names[-1] if names else None


def task_of(sample):
    tasks = [frame.name for frame in sample.frames if frame.name.startswith("task::")]
    assert not tasks or sample.frames[0].name == tasks[0], "the task stands at the root"
    assert len(tasks) <= 1
    return tasks[0].removeprefix("task::") if tasks else None


def find_wrong(samples, owners):
    """(function, name that it has, name that is shown), and how many samples each function has."""
    seen, wrong = Counter(), []
    for sample in samples:
        function = owner_function(sample, owners)
        name = expected_name(owners[function]) if function else None
        if function and task_of(sample) != (name if name is None else shown_in_script(name)):
            wrong.append((function, owners[function], task_of(sample)))
        seen[function] += 1
    return wrong, seen


@pytest.mark.parametrize(
    "flavour,options", [(flavour, []) for flavour in FLAVOURS] + [("3.14 static", ["--legacy"])]
)
def test_names(flavour, options, workdir):
    interpreter = find_interpreter(flavour)
    path = f"{workdir}/pyrec.data"
    with interpreter.workdir() as (_, inside):
        command = interpreter.command(f"{inside}/async_tasks.py", ROUNDS)
        (told,) = documents(record_command(path, command, "-F", "999", *options).stdout)
    owners = told["owners"]
    if "debug" not in flavour:  # that keeps the dead apart for a while
        assert told["addresses_nr"] < 12 * ROUNDS, "no address of a task was used again"
    samples = within(script(path, "--show-task"), *told["window"])
    wrong, seen = find_wrong(samples, owners)
    print(f"{sum(seen.values())} samples, {seen[None]} outside of the functions")
    assert not wrong, wrong[:5]
    assert not {"burn_in_loop", "burn_callback", *owners} - set(seen) - {"burn_outside"}


def has_asyncio(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        return "/_asyncio." in maps.read()


def test_attached(workdir):
    """The recorder comes when asyncio is there already."""
    interpreter = find_interpreter("3.14 static")
    path = f"{workdir}/pyrec.data"
    with interpreter.workdir() as (_, inside):
        command = interpreter.command(f"{inside}/async_tasks.py", 12)
        with started(command, stdout=subprocess.PIPE, text=True) as target:
            wait_until(lambda: has_asyncio(target.pid), "asyncio in the target")
            with recording(path, "-F", "999"):
                (told,) = documents(target.stdout.read())
    samples = script(path, "--show-task", f"--pid={target.pid}")
    wrong, seen = find_wrong(samples, told["owners"])
    assert not wrong, wrong[:5]
    assert len(seen) > 20 and sum(seen.values()) > 500


def test_reports(workdir):
    """The other forms agree with script about each task's samples."""
    interpreter = find_interpreter("3.14 static")
    path = f"{workdir}/pyrec.data"
    with interpreter.workdir() as (_, inside):
        command = interpreter.command(f"{inside}/async_tasks.py", 3)
        record_command(path, command, "-F", "999")
    counts = Counter(task_of(sample) for sample in script(path, "--show-task"))
    table = pyrec("report", "--sort=task", "--no-children", "-i", path).stdout
    rows = re.findall(r"^ +[\d.]+% +(\d+)  (.*)$", table, re.MULTILINE)
    assert {shown_in_script(name): int(nr) for nr, name in rows} == {
        "-" if name is None else name: nr for name, nr in counts.items()
    }
    folded = pyrec("report", "--format=folded", "--show-task", "-i", path).stdout
    in_folded = Counter()
    for line in folded.splitlines():
        stack, _, nr = line.rpartition(" ")
        root = stack.split(";")[1]
        in_folded[root.removeprefix("task::") if root.startswith("task::") else None] += int(nr)
    assert in_folded["plain"] == counts["plain"]
    assert in_folded[None] == counts[None]
    filtered = script(path, "--task=short*,plain", "--show-task")
    wanted = {name for name in counts if name and re.match(r"short|plain$", name)}
    assert Counter(map(task_of, filtered)) == {name: counts[name] for name in wanted}
    assert not script(path, "--task=nobody")
    assert not any(map(task_of, script(path))), "off by default"


def test_older_versions_tell_none(workdir):
    """3.13 has tasks, but nothing that tells them: no name, and nothing else is lost."""
    python = find_python("3.13")
    path = f"{workdir}/pyrec.data"
    result = record_command(path, run_target(python, "async_tasks.py", 2), "-F", "999")
    (told,) = documents(result.stdout)
    samples = within(script(path, "--show-task"), *told["window"])
    assert len(samples) > 100
    assert not any(map(task_of, samples))


