#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Boot Debian's kernels in QEMU, record in each, and judge every sample's stack.

    run.py [SERIES...]     all of debian_kernels.SUITES without arguments

Environment: PYREC and LOAD_OBJECTS (binaries), OUT (folder for images and consoles).
Emulated (TCG), so it needs neither KVM nor root.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

from debian_kernels import SUITES, find_kernel
from guest_image import build_image

BOOT_SECONDS_MAX = 600
SAMPLES_MIN = 50
VERIFIED_MAX = 500_000  # of a million: kernels differ in what they count
RECORDINGS = ("command", "legacy", "machine")  # init.sh
DEPTH = 300  # spin.py
# -cx16: cmpxchg16b as TCG emulates it crashes 6.12 now and then.
QEMU = (
    "qemu-system-x86_64 -accel tcg -cpu max,-cx16 -m 1024 -smp 1 -nographic -no-reboot "
    "-net none"
).split()
COMMAND_LINE = "console=ttyS0 panic=-1 quiet mitigations=off tsc=unstable"

# From main on the program has these stacks and no other one.
STACK = re.compile(
    r"python3;<module>;main(?P<depth>(;descend)*)(?P<leaf>;step(;work|;ask_kernel)?)?$"
)


def boot(kernel, image, console):
    """Run the guest to its end; return what it printed, by section, and the seconds."""
    command = [*QEMU, "-kernel", kernel, "-initrd", image, "-append", COMMAND_LINE]
    start = time.monotonic()
    with open(console, "wb") as stream:
        with subprocess.Popen(
            ["nice", *command], stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
        ) as guest:
            try:
                guest.wait(BOOT_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                guest.kill()
    sections, lines = {}, []
    for line in console.read_text(errors="replace").splitlines():
        if line.startswith("@@ "):
            lines = sections.setdefault(line[3:].rstrip(), [])
        else:
            lines.append(line.rstrip())
    return sections, time.monotonic() - start


def find_status(sections, name):
    for title in sections:
        if title.startswith(f"status {name} "):
            return title.split()[-1]
    return "none"


def is_possible(stack):
    """Has the program this Python stack? None: not in main yet (the interpreter starts)."""
    if not re.match(r"python3;<module>;main\b", stack):
        return None
    match = STACK.match(stack)
    if not match:
        return False
    depth = match["depth"].count(";")
    return depth == DEPTH if match["leaf"] else depth <= DEPTH


def judge_python(lines):
    """Samples taken in main, and complaints about their Python stacks."""
    samples_nr, complaints = 0, []
    for line in lines:
        stack, _, samples = line.rpartition(" ")
        verdict = is_possible(stack)
        if verdict is False:
            complaints.append(f"impossible: {line}")
        elif verdict:
            samples_nr += int(samples)
    if samples_nr < SAMPLES_MIN:
        complaints.append(f"only {samples_nr} samples of the program")
    return samples_nr, complaints


def judge_merged(lines):
    """Complaints about the stacks with native and kernel frames."""
    complaints, kernel_nr = [], 0
    for line in lines:
        stack, _, samples = line.rpartition(" ")
        # Only at the leaf, where its frame is not linked yet or no more, may it stand alone.
        if "_PyEval_EvalFrameDefault_[n];" in stack:
            complaints.append(f"evaluation without Python frames: {line}")
        if ";<module>_[p];main_[p]" not in stack or "execsitecustomize" in stack:
            continue
        if not stack.startswith("python3;_start_[n];") or "incomplete" in stack:
            complaints.append(f"not whole: {line}")
        if ";ask_kernel_[p];" in stack and stack.endswith("_[k]"):
            kernel_nr += int(samples)
    if not kernel_nr:
        complaints.append("no sample of ask_kernel has kernel frames")
    return complaints


def judge_statuses(lines):
    """Only an interpreter that starts or ends may have no thread state; nothing else is fine."""
    text = "\n".join(lines)
    counts = dict(re.findall(r"^  (\w+) +(\d+)  Python stacks$", text, re.M))
    return [
        f"{number} {status} Python stacks"
        for status, number in counts.items()
        if status not in ("complete", "no_thread_state", "not_walked")
    ]


def judge(sections, name):
    """Return (object that was loaded, samples of the program, complaints) of one recording."""
    text = "\n".join(sections.get(f"record {name}", []))
    used = re.search(r"(\w+) object$", text, re.M)
    samples_nr, complaints = judge_python(sections.get(f"python {name}", []))
    complaints += judge_merged(sections.get(f"merged {name}", []))
    complaints += judge_statuses(sections.get(f"info {name}", []))
    if "lost: nothing" not in text:
        complaints.append("samples were lost")
    if find_status(sections, name) != "0":
        complaints.append(f"pyrec record ended with {find_status(sections, name)}")
    return used[1] if used else "no", samples_nr, complaints


def judge_verifier(lines):
    """Print what the verifier said; return complaints about programs near to its limit."""
    complaints, counts_nr = [], 0
    for line in lines:
        found = re.match(r"([\w-]+ \w+) processed (\d+)", line)
        if found:
            print(f"   {found[1]}: {found[2]} instructions verified")
            counts_nr += 1
            if int(found[2]) > VERIFIED_MAX:
                complaints.append(f"{line}: more than {VERIFIED_MAX}")
        elif re.match(r"(loop|legacy).* in [0-9.]+ s$", line):
            print(f"   {line}")
    if not any(re.match(r"legacy loaded in", line) for line in lines):
        complaints.append("the legacy object does not load")
    elif not counts_nr:
        complaints.append("the verifier tells no numbers")
    return complaints


def show_verdict(title, complaints):
    print(f"   {title}, {'FAILED' if complaints else 'ok'}")
    for complaint in complaints[:5]:
        print("      " + re.sub(r"(;descend(_\[p\])?)+", r"\1*", complaint)[:300])
    return bool(complaints)


def run_kernel(series, image, out):
    """Boot one kernel. Return: whether each of the tests there failed."""
    kernel = find_kernel(series)
    console = out / f"console-{series}.log"
    print(f"== {kernel.name}", flush=True)
    sections, seconds = boot(kernel, image, console)
    failed = [show_verdict("verifier", judge_verifier(sections.get("verifier", [])))]
    for name in RECORDINGS:
        used, samples_nr, complaints = judge(sections, name)
        if name == "legacy" and used != "legacy":
            complaints.append("the legacy object was not used")
        failed.append(show_verdict(f"{name}: {used} object, {samples_nr} samples", complaints))
    end = "" if "end" in sections else "; THE GUEST DID NOT FINISH"
    print(f"   {seconds:.0f} s; console in {console}{end}", flush=True)
    return failed


def main():
    wanted = sys.argv[1:] or list(SUITES)
    missing = [name for name in ("qemu-system-x86_64", "busybox") if not shutil.which(name)]
    if missing or not set(wanted) <= set(SUITES):
        print(f"missing: {missing}" if missing else f"known: {' '.join(SUITES)}", file=sys.stderr)
        return 129
    out = pathlib.Path(os.environ.get("OUT", "build/kernels"))
    out.mkdir(parents=True, exist_ok=True)
    image = out / "initramfs.gz"
    binaries = {
        "pyrec": os.environ.get("PYREC", "./pyrec"),
        "load_objects": os.environ.get("LOAD_OBJECTS", "build/tests/kernels/load_objects"),
    }
    build_image(image, binaries, out)
    failed = [verdict for series in wanted for verdict in run_kernel(series, image, out)]
    print(f"{failed.count(False)} passed, {failed.count(True)} failed")
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
