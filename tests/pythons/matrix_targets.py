# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The targets of the matrix: how each is run, and which of its samples are impossible.

A judge gets the target's own documents and all samples, and fills a Tally.
"""

import os
import re
from dataclasses import dataclass, field

import declared_stacks as declared
import pyrec_harness as harness

# Kept short: the whole matrix is some hundred of them. merge.py has about a hundred windows.
SECONDS = {
    "fixed_stack": 1,
    "shapes": 0.1,
    "zlib_nogil": 1,
    "many": 1.5,
    "many_threads": 1,
    "subinterpreters": 0.2,
    "merge": 0.04,
}
FREQUENCIES = {"merge": 999}
CHILDREN_NR = 18  # threads and processes of many.py
CPU_SECONDS_MIN = 0.1  # half of a child's life


NO_TABLES = "[incomplete stack: no unwind information]"
# What may follow where a frame pointer led on from musl's code, but not to the root.
NATIVE_ENDS = (
    NO_TABLES,
    "[incomplete stack: unwinding failed]",
    "[incomplete stack: user stack cut]",
)


@dataclass
class Tally:
    is_musl: bool = False
    samples_nr: int = 0
    flagged_nr: int = 0  # that say of themselves that they are not whole
    cut_nr: int = 0  # deep ones of 3.10 and older, whole in Python; among the samples
    impossible: list = field(default_factory=list)  # (sample, why)
    failures: list = field(default_factory=list)  # beyond single samples

    def take(self, samples):
        """Count samples; those that are whole."""
        is_flagged = is_flagged_on_musl if self.is_musl else declared.is_flagged
        whole = [sample for sample in samples if not is_flagged(sample)]
        self.samples_nr += len(samples)
        self.flagged_nr += len(samples) - len(whole)
        return whole


def samples_of(everything, document):
    own = [s for s in everything if (s.pid, s.tid) == (document["pid"], document["tid"])]
    return harness.within(own, *document["window"])


# ---- musl, which has no unwind tables ----


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
            wanted = [python_stack(stack) for stack in stacks]
        differences = [declared.find_difference(frames, stack) for stack in wanted]
        if all(differences):
            impossible.append((sample, declared.nearest(sample, stacks, differences)))
    return impossible


def python_stack(stack):
    return [{**frame, "through": []} for frame in stack if "python" in frame]


def is_cut_at_root(frames):
    marks = [at for at, frame in enumerate(frames) if frame.name == NO_TABLES]
    return marks == [0] and bool(re.search(r"/(libc\.so|ld-musl-.*)$", frames[1].dso))


# ---- Declared stacks ----


def is_cut(document):
    has_cut = re.match(r"2\.|3\.([0-9]|10)\.", document.get("python", ""))
    return document.get("shape") == "deep_recursion" and bool(has_cut)


def judge_declared(documents, everything, tally):
    """Documents with stacks and their window; others tell what the interpreter lacks."""
    for document in documents:
        if "window" not in document:
            continue
        samples = samples_of(everything, document)
        if is_cut(document):
            tally.cut_nr += len(samples)
            tally.samples_nr += len(samples)
            tally.impossible += declared.find_wrong_cut(samples, *document["stacks"])
            continue
        whole = tally.take(samples)
        find = find_impossible_on_musl if tally.is_musl else declared.find_impossible
        tally.impossible += find(whole, document["stacks"])


def judge_fixed(documents, everything, tally):
    declaration, ending = documents
    judge_declared(
        [
            {**declaration, "stacks": [declaration["stacks"][index]], "window": [begin, end]}
            for index, begin, end in ending["windows"]
        ],
        everything,
        tally,
    )


# ---- Threads and processes ----


def judge_callers(documents, everything, tally):
    """A thread in zlib, without the GIL, has all its callers; elsewhere a beginning of them."""
    (document,) = documents
    callers = document["callers"]
    for sample in tally.take(samples_of(everything, {**document, "tid": document["zlib_tid"]})):
        names = [name for name in sample.python_names() if name in callers]
        is_in_zlib = any("libz.so" in frame.dso for frame in sample.frames)
        if not names or names != callers[: len(names)] or (is_in_zlib and names != callers):
            tally.impossible.append((sample, f"callers {names} of {callers}"))


def judge_inner(documents, everything, tally):
    """Declared stacks, with zlib's own functions above some of them."""
    paths = {frame.dso for sample in everything for frame in sample.frames}
    zlib = next((os.path.basename(path) for path in paths if "/libz.so" in path), "")
    for document in documents:
        whole = tally.take(samples_of(everything, document))
        tally.impossible += (
            find_impossible_on_musl(whole, document["stacks"])
            if tally.is_musl
            else declared.find_impossible(whole, document["stacks"], zlib)
        )


def judge_children(documents, everything, tally):
    """Each short-lived process and each thread bears its own function's name, from its first tick."""
    if len(documents) != CHILDREN_NR:
        tally.failures.append(f"{len(documents)} of {CHILDREN_NR} workers spoke")
    names = {document["worker"] for document in documents}
    for document in documents:
        seen = False
        for sample in tally.take(samples_of(everything, document)):
            own = [name for name in sample.python_names() if name in names]
            seen |= own == [document["worker"]]
            # The window's edges lie in the worker's caller.
            if own != [document["worker"]] and "work_as" not in sample.python_names()[-1:]:
                tally.impossible.append((sample, f"{own}, not {document['worker']}"))
        # On a machine so busy that it got less, the recorder came too late as well.
        cpu_seconds = document["process_cpu_seconds"]
        if not seen and cpu_seconds > CPU_SECONDS_MIN:
            nr = sum(sample.pid == document["pid"] for sample in everything)
            what = f"{document['worker']}, which had {cpu_seconds:.2f} s of CPU time"
            tally.failures.append(f"no sample of {what}; {nr} of its process in all")


JUDGES = {
    "fixed_stack": judge_fixed,
    "shapes": judge_declared,
    "zlib_nogil": judge_callers,
    "many": judge_children,
    "many_threads": judge_declared,
    "subinterpreters": judge_inner,
    "merge": judge_declared,
}


def find_obstacle(target, interpreter, modules):
    """Why the target cannot be run; None when it can."""
    if target == "fixed_stack" and modules["spinext"]:
        return f"no extension can be built: {modules['spinext']}"
    if target == "subinterpreters" and interpreter.version.startswith("2."):
        return "nothing of 2.7 runs a subinterpreter"
    if target == "merge" and interpreter.version.startswith("2."):
        return "the target is Python 3"
    return None


def arguments_of(target, inside):
    """Of the command. inside: the folder of the target, as it sees it."""
    has_folder = target in ("fixed_stack", "merge")
    return [SECONDS[target], inside] if has_folder else [SECONDS[target]]
