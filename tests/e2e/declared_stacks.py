# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Is a recorded stack one that its program declared possible (tests/targets/declared.py)?

Python frames must agree in order, name, file and line, and in columns where these are declared;
declared C functions must stand where they are declared and nowhere else. What else stands in the
stack must belong to the interpreter, libc, the loader, the vdso or the kernel, and may stand only
where a gap is declared or above the leaf.
"""

import functools
import os
import re
import unicodedata

from pyrec_harness import within

FILLERS = re.compile(
    r"^(python\d?(\.\d+)?([dmt]|-dbg)?|libpython\d[\d.]*[dmt]?\.so.*|libc\.so(\.6)?|libm\.so\.6"
    r"|ld-linux-x86-64\.so\.2|(libc|libm|libpthread|ld)-2\.\d+\.so|ld-musl-x86_64\.so\.1|\[vdso\])$"
)

# Where a process starts, and glibc's names of where a thread does.
ROOTS = ("_start", "clone", "__clone", "clone3", "__clone3")


def is_filler(frame, program=""):
    """A frame that no program declares: of the interpreter, its own modules, libc, the kernel; of a
    program with an interpreter in it all that is not its own, host_…."""
    if frame.kind == "k":
        return True
    if frame.kind != "n":
        return False
    name = os.path.basename(frame.dso)
    if program and name == script_file(program):
        return not frame.name.startswith("host_")
    return bool(FILLERS.match(name)) or "/lib-dynload/" in frame.dso


def name_bytes(text):
    """A name of Python as the file holds it (pyrec.data(5), Conventions)."""
    parts = re.findall("[\udc80-\udcff]+|[^\udc80-\udcff]+", text)
    return b"".join(
        part.encode("utf-8", "surrogateescape" if "\udc80" <= part[0] <= "\udcff" else "surrogatepass")
        for part in parts
    )


def escaped(text):
    """A name as it is printed: what could drive a terminal or mislead its reader is spelt out."""
    shown = ""
    for char in name_bytes(text).decode("utf-8", "backslashreplace"):
        if unicodedata.category(char) not in ("Cc", "Cf", "Zl", "Zp"):
            shown += char
        else:
            shown += f"\\x{ord(char):02x}" if char < "\x80" else f"\\u{{{ord(char):x}}}"
    return shown


@functools.lru_cache(maxsize=None)
def script_name(name):
    """co_qualname as the perf-script grammar spells it."""
    return re.sub(r"[(); \"']|->", "_", escaped(name))


def may_stand(frame, near, program=""):
    """A filler, or a frame of the foreign objects that may stand around the declared one."""
    objects = near.get("objects")
    return is_filler(frame, program) or (
        frame.kind == "n" and bool(objects and re.search(objects, os.path.basename(frame.dso)))
    )


def is_call_out(frame, declared):
    """The stub by which a declared C function calls another object."""
    return (
        "native" in declared
        and frame.kind == "n"
        and frame.name.endswith("@plt")
        and script_file(declared["object"]) in frame.dso
    )


def is_named(frame, wanted):
    """A C function by its name, without what the compiler appends; a stripped file has none."""
    if frame.kind != "n" or not re.search(wanted["object"], os.path.basename(frame.dso)):
        return False
    name = frame.name.partition(".")[0]
    return name == "[unknown]" or bool(re.fullmatch(wanted["names"], name))


def find_lacking(gap, through):
    """The first of the C functions that must stand in a gap, in order, and does not; or None."""
    at = 0
    for wanted in through:
        while at < len(gap) and not is_named(gap[at], wanted):
            at += 1
        if at == len(gap):
            return wanted
        at += 1
    return None


@functools.lru_cache(maxsize=None)
def script_file(file):
    """co_filename as the perf-script grammar spells it: no blanks, nothing like [kernel]."""
    file = escaped(file)
    if file.startswith("<"):
        return re.sub(r"[<> ]", "_", file)
    return re.sub(r"^\[", "_", file).replace(" ", "%20")


def is_declared(frame, declared):
    if "native" in declared:
        names_agree = frame.name == declared["native"]
        return frame.kind == "n" and names_agree and script_file(declared["object"]) in frame.dso
    lines = declared["lines"] or [0]
    names = [declared["python"], *declared.get("methods", [])]
    names_agree = frame.kind == "p" and frame.name in map(script_name, names)
    columns_agree = "position" not in declared or frame.position == tuple(declared["position"])
    is_place = frame.dso == script_file(declared["file"]) and frame.line in lines and columns_agree
    return names_agree and is_place


def find_difference(frames, declared, program=""):
    """Why frames (root first) are not the declared stack; None when they are."""
    at = 0
    for expected in declared:
        begin = at
        while at < len(frames) and not is_declared(frames[at], expected):
            if not may_stand(frames[at], expected, program):
                return f"frame {at}: {frames[at]} where {expected} is declared"
            at += 1
        if at == len(frames):
            return f"the stack ends where {expected} is declared"
        if at > begin and not expected["gap"]:
            return f"frame {begin}: {frames[begin]} where no gap is declared before {expected}"
        lacking = find_lacking(frames[begin:at], expected.get("through", []))
        if lacking:
            return f"no {lacking} before {expected}"
        at += 1
    for frame in frames[at:]:
        if not (may_stand(frame, declared[-1], program) or is_call_out(frame, declared[-1])):
            return f"{frame} above the declared leaf"
    return None


def has_native_root(frames, is_main=True):
    """Unwound to the end: the outermost frame is where the kernel started the thread, which a stripped
    libc does not name; what is not unwound so far says that of itself."""
    if not frames or frames[0].kind != "n":
        return False
    is_nameless = frames[0].name == "[unknown]" and frames[0].dso.endswith("/libc.so.6")
    return frames[0].name in ROOTS or (is_nameless and not is_main)


def is_flagged(sample):
    """The sample says that it is not whole, and why."""
    return any(frame.name.startswith("[incomplete stack: ") for frame in sample.frames)


def find_impossible(samples, stacks, program=""):
    """(sample, why) for every sample that is none of the declared stacks. Pairs by leaf name, so
    that the reason tells of the alternative that was meant. program: as is_filler()."""
    impossible = []
    for sample in samples:
        differences = [find_difference(sample.frames, stack, program) for stack in stacks]
        if not has_native_root(sample.frames, sample.tid == sample.pid):
            impossible.append((sample, "not unwound to the outermost frame"))
        elif all(differences):
            impossible.append((sample, nearest(sample, stacks, differences)))
    return impossible


def nearest(sample, stacks, differences):
    """The difference to the alternative with most Python frames in common."""
    names = sample.python_names()

    def common(index):
        declared = [frame.get("python") for frame in stacks[index] if "python" in frame]
        agreed = 0
        while agreed < min(len(names), len(declared)) and names[agreed] == declared[agreed]:
            agreed += 1
        return agreed - abs(len(names) - len(declared)) / 1000

    return differences[max(range(len(stacks)), key=common)]


def window_samples(window, everything):
    """Of a declared window's thread and time: (samples that are whole, samples that say they are not)."""
    own = within([s for s in everything if s.tid == window["tid"]], *window["window"])
    return [s for s in own if not is_flagged(s)], [s for s in own if is_flagged(s)]


def judge_windows(windows, everything, samples_min, flagged_max):
    """What is wrong with the whole samples of each window (impossible, or fewer than samples_min), and
    with the others: these are no lies, but all windows together may have flagged_max at most."""
    failures, flagged_nr = [], 0
    for window in windows:
        whole, flagged = window_samples(window, everything)
        flagged_nr += len(flagged)
        impossible = find_impossible(whole, window["stacks"])
        if impossible:
            failures.append(f"{window['shape']}: {describe(impossible, whole)}")
        if len(whole) < samples_min:
            failures.append(f"{window['shape']}: only {len(whole)} samples")
    if flagged_nr > flagged_max:
        failures.append(f"{flagged_nr} of {len(everything)} samples are not whole")
    return failures


def find_wrong_cut(samples, stack):
    """(sample, why) of recursion deeper than the stack that is copied: the Python frames must be all
    there, and the sample must say that the native ones are not."""
    wrong = []
    for sample in samples:
        frames = [frame for frame in sample.frames if frame.kind == "p"]
        others = [pair for pair in zip(frames, stack) if not is_declared(*pair)]
        if len(frames) != len(stack):
            wrong.append((sample, f"{len(frames)} Python frames of {len(stack)}"))
        elif others:
            wrong.append((sample, f"{others[0][0]} where {others[0][1]} is declared"))
        elif not any("stack cut" in frame.name for frame in sample.frames):
            wrong.append((sample, "it does not say that its native stack is cut"))
    return wrong


def describe(impossible, samples):
    """Text for an assertion: how many, and the first few whole."""
    lines = [f"{len(impossible)} of {len(samples)} samples are impossible stacks"]
    for sample, why in impossible[:5]:
        lines.append(f"{sample.time_ns}: {why}")
        lines += [f"    {f.kind} {f.name}:{f.line} ({f.dso})" for f in sample.frames[-60:]]
    return "\n".join(lines)
