# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a container is made of, piece by piece: namespaces, mounts, roots, control groups; and how a
target inside is recorded from outside and held against its own stacks."""

import contextlib
import os
import shutil
import subprocess
from dataclasses import dataclass

from declared_stacks import describe, find_impossible
from pyrec_harness import (
    PYREC,
    SYSTEM_PYTHON,
    TARGETS,
    documents,
    need_program,
    need_root,
    recording,
    run,
    script,
    skip,
    started,
    wait_until,
    within,
)

HZ = "499"
SHIFT_NS = 50_000 * 10**9
# Clocks that are far from the host's, one ahead, the other further.
TIME_NAMESPACE = ["-T", "--monotonic", "50000", "--boottime", "100000", "-f"]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def need_namespaces(*arguments):
    """unshare with these arguments works here."""
    need_root()
    need_program("unshare")
    result = run(["unshare", *arguments, "true"])
    if result.returncode:
        skip(f"prerequisite namespaces {' '.join(arguments)}: {result.stderr.strip()}")


def in_mount_namespace(script_text, *words):
    """A command: script_text with words as $1 … in a mount namespace of its own."""
    return ["unshare", "-m", "sh", "-c", "set -e\n" + script_text, "sh", *words]


def descendants(pid):
    """Pid and all below it, parents first, as this namespace numbers them."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found += [int(word) for word in read(f"/proc/{parent}/task/{parent}/children").split()]
    return found


@dataclass
class Inside:
    """A target that ran inside something, and the recording of it."""

    path: str
    output: str
    outer: int  # its pid, seen from here

    def declaration(self):
        return documents(self.output)[0]

    def check(self, samples_min=20, shift_ns=0, samples=None):
        """Every sample between the times that the target tells, in its own clock, is its stack."""
        declaration, ending = documents(self.output)
        if samples is None:
            samples = script(self.path, f"--pid={self.outer}")
        ((_, begin, end),) = ending["windows"]
        samples = within(samples, begin - shift_ns, end - shift_ns)
        assert len(samples) >= samples_min
        impossible = find_impossible(samples, declaration["stacks"])
        assert not impossible, describe(impossible, samples)
        return samples

    def check_numbers(self):
        """On request the numbers are those that the target itself has got."""
        pid, tid = (self.declaration()[key] for key in ("pid", "tid"))
        inner = script(self.path, "--ns-pid", f"--pid={pid}")
        outer = script(self.path, f"--pid={self.outer}")
        assert [s.time_ns for s in inner] == [s.time_ns for s in outer]
        assert {(s.pid, s.tid) for s in inner} == {(pid, tid)}


def run_from_start(command, workdir):
    """Recorded from before it does the first thing."""
    path, output, gate = (f"{workdir}/{name}" for name in ("x.data", "output", "gate"))
    os.mkfifo(gate)
    waiting = ["sh", "-c", 'read _ <"$1"; shift; exec "$@"', "sh", gate, *command]
    with open(output, "w", encoding="utf-8") as out, started(waiting, stdout=out) as process:
        with recording(path, "-p", str(process.pid), "-F", HZ):
            with open(gate, "w", encoding="utf-8") as opened:
                opened.write("\n")
            wait_until(lambda: "\n" in read(output), "declaration of the target")
            outer = descendants(process.pid)[-1]
            assert process.wait(30) == 0
    return Inside(path, read(output), outer)


def run_attached(command, workdir, meanwhile=lambda: None, recorder=(), options=(), lines=1):
    """The recorder comes while it runs, after meanwhile(): what it learns it reads in /proc."""
    need_root()
    path, output = f"{workdir}/x.data", f"{workdir}/output"
    with open(output, "w", encoding="utf-8") as out, started(command, stdout=out) as process:
        wait_until(lambda: read(output).count("\n") == lines, "declaration of the target")
        outer = descendants(process.pid)[-1]
        meanwhile()
        arguments = ["record", "-p", str(outer), "-F", HZ, "-d", "1.2", "-o", path, *options]
        result = run([*recorder, PYREC, *arguments])
        assert result.returncode == 0, result.stderr
        assert process.wait(30) == 0
    return Inside(path, read(output), outer)


RUNS = {"from_start": run_from_start, "attached": run_attached}


def make_root(folder, extension):
    """A tree with what the system's interpreter needs, copied, to be a process's root; the targets are
    in /targets, the extension in /extension."""
    python = os.path.realpath(SYSTEM_PYTHON)
    minor = os.path.basename(python)
    files = subprocess.run(
        ["sh", "-c", f"ldd {python} | grep -o '/[^ ]*'"], capture_output=True, text=True, check=True
    )
    for file in [python, *files.stdout.split()]:
        place = folder + file
        os.makedirs(os.path.dirname(place), exist_ok=True)
        shutil.copy(file, place)
    skipped = shutil.ignore_patterns("test", "tests", "__pycache__", "config-*", "idlelib")
    shutil.copytree(f"/usr/lib/{minor}", f"{folder}/usr/lib/{minor}", ignore=skipped)
    shutil.copytree(TARGETS, f"{folder}/targets")
    shutil.copytree(extension, f"{folder}/extension")
    os.mkdir(f"{folder}/old")
    return [python, "/targets/fixed_stack.py", "3", "/extension"]


@contextlib.contextmanager
def own_cgroup(*names):
    """A control group; yields (path of its folder, as /proc/PID/cgroup has it)."""
    need_root()
    base = "/sys/fs/cgroup"
    if not os.path.exists(f"{base}/cgroup.controllers"):
        base += "/memory"
    folders = [os.path.join(base, *names[: nr + 1]) for nr in range(len(names))]
    try:
        for folder in folders:
            os.mkdir(folder)
    except OSError as error:
        for folder in reversed(folders):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        skip(f"prerequisite control groups: {error}", is_possible=False)
    try:
        yield folders[-1], folders[-1].removeprefix(base)
    finally:
        for folder in reversed(folders):
            wait_until(lambda: not read(f"{folder}/cgroup.procs"), f"{folder} is empty")
            os.rmdir(folder)
