#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every CPython that this machine has or can unpack: is each sample a stack that its program has?

  check_pythons.py [VERSION…]    "3.14" or "3.14.10"; all without one

Prints one row for each interpreter and target. Samples are those within the target's windows;
flagged ones say of themselves that they are not whole. Details of what is wrong are in
$OUT/VERSION-….txt. Fails when a stack is impossible, more than FLAGGED_MAX are flagged, or a version
is refused that record/layouts.c has a row for.
"""

import functools
import os
import re
import subprocess
import sys
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

import declared_stacks as declared  # noqa: E402
import builds  # noqa: E402
import interpreters  # noqa: E402
import pyrec_harness as harness  # noqa: E402
import trees  # noqa: E402

OUT = os.environ.get("OUT", os.path.join(harness.BUILD, "pythons"))
FREQUENCY = "499"
FLAGGED_MAX = 0.001
SAMPLES_MIN = 200
COLUMNS = "{:<10} {:<25} {:<14} {:<12} {:>7} {:>9} {:>8}  {}"


def fixed_stack(interpreter, folder, inside):
    """Arguments of the target; None where no extension can be built."""
    return [2, inside] if interpreter.build_extension(folder) else None


def shapes(_interpreter, _folder, _inside):
    return [0.2]


def zlib_nogil(_interpreter, _folder, _inside):
    return [2]


TARGETS = {"fixed_stack": fixed_stack, "shapes": shapes, "zlib_nogil": zlib_nogil}


def find_lost_callers(samples, callers):
    """A thread in zlib, without the GIL, has all its callers; elsewhere a beginning of them."""
    lost = []
    for sample in samples:
        names = [name for name in sample.python_names() if name in callers]
        is_in_zlib = any("libz.so" in frame.dso for frame in sample.frames)
        if not names or names != callers[: len(names)] or (is_in_zlib and names != callers):
            lost.append((sample, f"callers {names} of {callers}"))
    return lost


def find_wrong_deep(samples, stacks):
    """Up to 3.10 the native stack of deep recursion is longer than what is copied: such samples
    must have all Python frames and say that the native ones are cut."""
    (stack,) = stacks
    expected = [frame["python"] for frame in stack]
    return [
        (sample, f"{len(sample.python_names())} Python frames of {len(expected)}")
        for sample in samples
        if sample.python_names() != expected
        or not any("stack cut" in frame.name for frame in sample.frames)
    ]


NO_TABLES = "[incomplete stack: no unwind information]"
# What may follow where a frame pointer led on from musl's code, but not to the root.
NATIVE_ENDS = (
    NO_TABLES,
    "[incomplete stack: unwinding failed]",
    "[incomplete stack: user stack cut]",
)


def is_flagged_on_musl(sample):
    """For another reason than that musl has no unwind tables."""
    return any(
        frame.name.startswith("[incomplete stack: ") and frame.name not in NATIVE_ENDS
        for frame in sample.frames
    )


def find_impossible_on_musl(samples, stacks):
    """Native frames end, and say so, where a stack enters musl's code. Its root always does: there all
    frames before it must be as declared, elsewhere the Python frames."""
    impossible = []
    for sample in samples:
        frames = [frame for frame in sample.frames if frame.name not in NATIVE_ENDS]
        wanted = stacks
        if not is_cut_at_root(sample.frames):
            frames = [frame for frame in frames if frame.kind == "p"]
            wanted = [[frame for frame in stack if "python" in frame] for stack in stacks]
        differences = [declared.find_difference(frames, stack) for stack in wanted]
        if all(differences):
            impossible.append((sample, declared.nearest(sample, stacks, differences)))
    return impossible


def is_cut_at_root(frames):
    marks = [at for at, frame in enumerate(frames) if frame.name == NO_TABLES]
    return marks == [0] and bool(re.search(r"/(libc\.so|ld-musl-.*)$", frames[1].dso))


def windows_of(documents, find_impossible):
    """(tid, what finds the impossible, begin, end) of each window that a target told."""
    first = documents[0]
    if "zlib_tid" in first:
        callers = first["callers"]
        find = functools.partial(find_lost_callers, callers=callers)
        return [(first["zlib_tid"], find, *first["window"])]
    return [
        (tid, functools.partial(find_impossible, stacks=stacks), begin, end)
        for tid, stacks, begin, end in stacks_of([d for d in documents if not is_cut(d)])
    ]


def is_cut(document):
    has_cut = re.match(r"2\.|3\.([0-9]|10)\.", document.get("python", ""))
    return document.get("shape") == "deep_recursion" and bool(has_cut)


def stacks_of(documents):
    """(tid, stacks, begin, end) of each window."""
    if "window" in documents[0]:
        return [(d["tid"], d["stacks"], *d["window"]) for d in documents]
    declaration, ending = documents
    return [
        (declaration["tid"], [declaration["stacks"][index]], begin, end)
        for index, begin, end in ending["windows"]
    ]


class Result:
    def __init__(self):
        self.samples_nr = 0
        self.flagged_nr = 0
        self.cut_nr = 0  # deep ones of 3.10 and older, whole in Python; among the samples
        self.impossible = []
        self.verdict = ""
        self.is_failure = True

    def judge(self):
        whole_nr = self.samples_nr - self.flagged_nr
        if self.samples_nr < SAMPLES_MIN:
            self.verdict = "too few samples"
        elif self.impossible:
            self.verdict = f"WRONG: {len(self.impossible)} of {whole_nr}"
        elif self.flagged_nr > max(1, FLAGGED_MAX * self.samples_nr):  # one tells no rate
            self.verdict = "TOO MANY FLAGGED"
        else:
            self.verdict = "right"
            if self.cut_nr:
                self.verdict += f", {self.cut_nr} deep ones with native frames cut"
            self.is_failure = False

    def share(self):
        whole_nr = self.samples_nr - self.flagged_nr
        return f"{(whole_nr - len(self.impossible)) * 100 / whole_nr:.2f} %" if whole_nr else "-"


def record(interpreter, target, folder, inside, path):
    """(what pyrec record said, the target's documents or None)."""
    arguments = TARGETS[target](interpreter, folder, inside)
    if arguments is None:
        return "no extension can be built", None
    command = interpreter.command(f"{inside}/{target}.py", *arguments)
    done = harness.run(
        [harness.PYREC, "record", "-F", FREQUENCY, "-o", path, "--", *command],
        env=harness.clean_environment(LC_ALL="C.UTF-8"),
    )
    return done.stderr, harness.documents(done.stdout)


def has_layout(interpreter):
    version = tuple(map(int, re.findall(r"\d+", interpreter.version)[:2]))
    if "trace refs" in interpreter.build and version < (3, 13):
        return False  # each object begins with two more pointers
    with open(os.path.join(harness.ROOT, "record", "layouts.c"), encoding="utf-8") as source:
        cases = re.findall(r"case (0x[0-9a-f]{4}):", source.read())
    return version in [divmod(int(case, 16), 256) for case in cases]


def run_target(interpreter, target, path):
    result = Result()
    with interpreter.workdir() as (folder, inside):
        said, documents = record(interpreter, target, folder, inside, path)
    if documents is None:
        result.verdict, result.is_failure = said, False
        return result
    refusal = re.search(r"python .*native frames only", said)
    if refusal:
        result.is_failure = has_layout(interpreter)
        result.verdict = ("REFUSED" if result.is_failure else "refused by name")
        return result
    if not documents or "Traceback" in said:
        result.verdict = "target does not run: " + (said.splitlines() or ["nothing said"])[-1]
        return result
    everything = harness.script(path)
    is_musl = "musl" in interpreter.build
    is_flagged = is_flagged_on_musl if is_musl else declared.is_flagged
    finder = find_impossible_on_musl if is_musl else declared.find_impossible
    for tid, find_impossible, begin, end in windows_of(documents, finder):
        samples = harness.within([s for s in everything if s.tid == tid], begin, end)
        whole = [sample for sample in samples if not is_flagged(sample)]
        result.samples_nr += len(samples)
        result.flagged_nr += len(samples) - len(whole)
        result.impossible += find_impossible(whole)
    for told in filter(is_cut, documents):
        samples = harness.within([s for s in everything if s.tid == told["tid"]], *told["window"])
        result.cut_nr += len(samples)
        result.samples_nr += len(samples)
        result.impossible += find_wrong_deep(samples, told["stacks"])
    result.judge()
    return result


def keep_details(interpreter, target, result):
    if not result.impossible:
        return
    place = re.sub(r"\W+", "-", f"{interpreter.version}-{interpreter.build}")
    with open(os.path.join(OUT, f"{place}-{target}.txt"), "w", encoding="utf-8") as file:
        file.write(declared.describe(result.impossible, range(result.samples_nr)) + "\n")


def show_row(*cells):
    print(COLUMNS.format(*cells), flush=True)


def check(interpreter, target):
    """Run and show one row."""
    with tempfile.TemporaryDirectory(prefix="pyrec-pythons-") as folder:
        try:
            result = run_target(interpreter, target, f"{folder}/pyrec.data")
        except (AssertionError, subprocess.SubprocessError, pytest.fail.Exception) as error:
            result = Result()
            result.verdict = f"FAILED: {str(error).splitlines()[0]}"
    keep_details(interpreter, target, result)
    what = (interpreter.version, interpreter.build, interpreter.place(), target)
    show_row(*what, result.samples_nr, result.share(), result.flagged_nr, result.verdict)
    return result


def main(wanted):
    if os.geteuid() != 0:
        raise SystemExit("check-pythons: recording needs root")
    os.makedirs(OUT, exist_ok=True)
    results = []
    built = builds.find_builds(
        [
            name
            for name, build in builds.BUILDS.items()
            if not wanted or any((word + ".").startswith(build.minor + ".") for word in wanted)
        ]
    )
    found = interpreters.find_interpreters(trees.find_trees().values(), built.values())
    show_row("version", "build", "place", "target", "samples", "possible", "flagged", "verdict")
    for interpreter in found:
        if interpreters.is_wanted(interpreter.version, wanted):
            results += [check(interpreter, target) for target in TARGETS]
    failed_nr = sum(result.is_failure for result in results)
    print(f"{len(results) - failed_nr} passed, {failed_nr} failed")
    return 1 if failed_nr or not results else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
