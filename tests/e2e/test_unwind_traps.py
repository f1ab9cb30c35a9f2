# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What makes unwinders err, each by a program that does little else: who may call whom is known from
its source (tests/native/unwind_target.c). The same by hand-made bytes: tests/unit/test_unwind.c.
"""

import os
import re
import shutil
import subprocess

import pytest

from pyrec_harness import (
    ROOT,
    SYSTEM_PYTHON,
    need_program,
    need_root,
    parse_script,
    pyrec,
    run,
    skip,
)

TARGET = os.path.join(ROOT, "tests", "native", "unwind_target.c")
UNKNOWN = "[unknown]"
INCOMPLETE = "[incomplete stack"
WORK = {"main", "run_calls", "run_signals", "thread_main"}  # what calls of these may be inlined into
CALLERS = {
    "spin": {"recurse", "on_signal", "jit_callback"},
    "leaf_call": {"kept_registers"},
    "kept_registers": {"variable_frame", *WORK},
    "variable_frame": {"realigned_frame"},
    "realigned_frame": {"on_signal", *WORK},
    "recurse": {"recurse", "run_deep", "clone_main", *WORK},
    "thread_main": {"start_thread", "start", UNKNOWN},
    "clone_main": {"__clone", "clone"},
    "jit_callback": {UNKNOWN},
    "call_jit": {"run_jit", "main"},
    "on_signal": {"__restore_rt", UNKNOWN},
}
FLAGS = {"fp": ["-fno-omit-frame-pointer"], "no-fp": ["-fomit-frame-pointer"]}
ROOTS = {"_start", "clone3", "__clone3", "__clone", "clone"}
COMPLETE_SHARE = 0.97  # the rest is the program's own start and end, most of it the dynamic linker's
SAMPLES_MIN = 30


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traps")

    def build_target(form, compiler="gcc", *flags):
        program = folder / f"{os.path.basename(compiler)}-{form}"
        if not program.exists():
            options = ["-O2", "-pthread", *FLAGS[form], *flags]
            subprocess.run([compiler, *options, TARGET, "-o", program], check=True)
        return str(program)

    return build_target


def perf_samples(path, command, stack_bytes=16384, hz=499):
    need_root()
    perf = [need_program("perf"), "record", "-q", "-N", "-F", str(hz), "-e", "cpu-clock", "-o", path]
    result = run([*perf, "--call-graph", f"dwarf,{stack_bytes}", "--", *command])
    assert result.returncode == 0, result.stderr
    # Inlined functions of glibc: which there are depends on the debug information on this machine.
    told = pyrec("script", "--no-inline", "-i", path).stdout
    return [user_frames(sample) for sample in parse_script(told)]


def user_frames(sample):
    """(name, file) of each, leaf first."""
    return [(f.name, f.dso) for f in reversed(sample.frames) if f.kind != "k"]


def check_callers(stacks):
    """No frame has a caller that it cannot have."""
    for stack in stacks:
        names = [name for name, _ in stack]
        for callee, caller in zip(names, names[1:]):
            allowed = caller.startswith(INCOMPLETE) or caller in CALLERS.get(callee, {caller})
            assert allowed, names


def target_stacks(mode, program, workdir, **options):
    path = f"{workdir}/{mode}.data"
    stacks = [s for s in perf_samples(path, [program, mode, "1"], **options) if s]
    assert len(stacks) >= SAMPLES_MIN
    check_callers(stacks)
    return stacks


def check_complete(stacks):
    complete_nr = sum(stack[-1][0] in ROOTS for stack in stacks)
    assert complete_nr >= min(len(stacks) - 2, COMPLETE_SHARE * len(stacks)), [
        stack for stack in stacks if stack[-1][0] not in ROOTS
    ]


def having(stacks, *names):
    """Stacks with these names side by side, leaf first."""
    found = []
    for stack in stacks:
        own = [name for name, _ in stack]
        ways = range(len(own) - len(names) + 1)
        if any(own[at : at + len(names)] == list(names) for at in ways):
            found.append(stack)
    return found


def cut_stacks(stacks):
    return [stack for stack in stacks if stack[-1][0].startswith(INCOMPLETE)]


@pytest.mark.parametrize("form", FLAGS)
def test_epilogue_after_pop(form, build, workdir):
    """Half of the samples stand in prologues and epilogues."""
    stacks = target_stacks("calls", build(form), workdir)
    check_complete(stacks)
    assert having(stacks, "leaf_call", "kept_registers")
    assert having(stacks, "variable_frame", "realigned_frame")


@pytest.mark.parametrize("form", FLAGS)
def test_exceptions(form, workdir):
    """From libgcc's frame to the handler it goes through instructions whose CFI is of no use: where the
    frame's own return address is another's by then, nothing rootward of it is shown."""
    program = f"{workdir}/throwing-{form}"
    source = os.path.join(ROOT, "tests", "native", "throwing.cpp")
    libraries = ["-static-libstdc++", "-static-libgcc"]
    subprocess.run(["g++", "-O2", *FLAGS[form], *libraries, source, "-o", program], check=True)
    samples = perf_samples(f"{workdir}/throwing.data", [program, "3"], stack_bytes=4096, hz=9999)
    stacks = [stack for stack in samples if having([stack], "main")]
    for stack in stacks:
        names = [re.sub(r"\(.*", "", name) for name, _ in stack]
        assert names.count("catch_thrown") <= 1, names
        assert names[-1] in ROOTS, names
        if "_Unwind_RaiseException" in names and "catch_thrown" in names:
            caller = names[names.index("_Unwind_RaiseException") + 1]
            assert caller in ("__cxa_throw", "catch_thrown"), names
    assert any(stack[0][0] == "_Unwind_RaiseException" for stack in stacks)
    cut = [stack for stack in samples if len(stack) > 1 and stack[-1][0].startswith(INCOMPLETE)]
    in_tail = [stack for stack in cut if stack[0][0] == "_Unwind_RaiseException"]
    assert all(len(stack) == 2 for stack in in_tail), in_tail
    assert len(cut) < 0.01 * len(samples), cut


def test_plt_stubs(build, workdir):
    stacks = target_stacks("plt", build("no-fp", "gcc", "-Wl,-z,lazy"), workdir)
    check_complete(stacks)


def test_vdso_leaf(build, workdir):
    stacks = target_stacks("vdso", build("no-fp"), workdir)
    check_complete(stacks)
    assert any(stack[0][1] == "[vdso]" for stack in stacks)


@pytest.mark.parametrize("form", FLAGS)
def test_signal_frames(form, build, workdir):
    """What a handler interrupted stands below it, wherever that was, with its own callers."""
    stacks = target_stacks("signals", build(form), workdir)
    check_complete(stacks)
    handled = [s for s in stacks if having([s], "on_signal")]
    assert handled
    assert all("main" in [name for name, _ in stack] for stack in handled)


def test_signal_frames_on_their_own_stack(build, workdir):
    """The interrupted function is told; its callers are on a stack that was not recorded."""
    stacks = target_stacks("altstack", build("no-fp"), workdir)
    handled = [[name for name, _ in s] for s in stacks if having([s], "on_signal")]
    assert handled
    for names in handled:
        assert names[-1].startswith(INCOMPLETE)
        assert len(names) - names.index("on_signal") == 4, names  # trampoline, interrupted, note


def test_end_of_clone3(build, workdir):
    stacks = target_stacks("threads", build("no-fp"), workdir)
    check_complete(stacks)
    roots = {stack[-1][0] for stack in stacks if having([stack], "thread_main")}
    assert roots & {"clone3", "__clone3"} and not roots & {"_start"}


def test_end_of_clone(build, workdir):
    stacks = target_stacks("clone", build("no-fp"), workdir)
    check_complete(stacks)
    assert having(stacks, "clone_main", "__clone") or having(stacks, "clone_main", "clone")


def test_deep_recursion_cut_by_the_dump(build, workdir):
    """1 KiB of a deep stack: all frames are true, and the stack says that it is cut."""
    stacks = target_stacks("deep", build("fp"), workdir, stack_bytes=1024)
    deep = having(stacks, "recurse", "recurse", "recurse")
    assert len(deep) >= SAMPLES_MIN
    assert len(cut_stacks(deep)) >= 0.5 * len(deep)
    assert all("main" in [name for name, _ in s] or s in cut_stacks(deep) for s in deep)


def test_code_without_cfi_with_frame_pointers(build, workdir):
    """Made at run time, between functions that have CFI: on by the frame pointer."""
    stacks = target_stacks("jit", build("no-fp"), workdir)
    check_complete(stacks)
    through = having(stacks, "jit_callback", UNKNOWN)
    assert len(through) >= SAMPLES_MIN / 2
    assert having(through, "jit_callback", UNKNOWN, "call_jit") == through


def test_code_without_cfi_without_frame_pointers(build, workdir):
    """Nothing tells the caller: the stack ends there and says so."""
    stacks = target_stacks("jit-no-fp", build("no-fp"), workdir)
    through = having(stacks, "jit_callback", UNKNOWN)
    assert len(through) >= SAMPLES_MIN / 2
    for stack in through:
        names = [name for name, _ in stack]
        after = names[names.index("jit_callback") + 2]
        assert after.startswith(INCOMPLETE), names


@pytest.mark.parametrize("mode", ["threads", "signals", "clone", "plt"])
@pytest.mark.parametrize("form", FLAGS)
def test_musl(form, mode, build, workdir):
    """Hardly a function of musl has CFI: stacks end, or go on where a call was, never elsewhere; and
    its clone, whose CFI makes others walk in a circle, is told once."""
    compiler = shutil.which("musl-gcc")
    if not compiler:
        skip("prerequisite musl-gcc: not installed")
    stacks = target_stacks(mode, build(form, compiler, "-static"), workdir)
    assert len(cut_stacks(stacks)) >= len(stacks) / 2
    for stack in stacks:
        names = [name for name, _ in stack]
        assert names.count("__clone") <= 1 and names.count("clone") <= 1, names
        assert all(file != UNKNOWN for name, file in stack if not name.startswith("[")), stack


def python_stacks(program, workdir):
    stacks = perf_samples(f"{workdir}/python.data", [SYSTEM_PYTHON, "-c", program])
    assert len(stacks) >= SAMPLES_MIN
    return [stack for stack in stacks if stack]


def in_file(stacks, part):
    return [stack for stack in stacks if stack and part in stack[0][1]]


def test_openssl_assembly(workdir):
    """Hand-written: CFA = *(rsp + N) + 8, with N up to some thousands."""
    command = [need_program("openssl"), "speed", "-seconds", "1", "rsa2048"]
    stacks = in_file(perf_samples(f"{workdir}/rsa.data", command, stack_bytes=32768), "libcrypto")
    assert len(stacks) >= SAMPLES_MIN
    # The program is stripped: its root has no name.
    whole = [stack for stack in stacks if stack[-1][1].endswith("/openssl")]
    assert len(whole) >= COMPLETE_SHARE * len(stacks), cut_stacks(stacks)


def test_realigned_vector_code(workdir):
    """numpy's: frames aligned to 64 bytes, callers' registers at places that depend on it."""
    if run([SYSTEM_PYTHON, "-c", "import numpy"]).returncode:
        skip(f"prerequisite numpy: not of {SYSTEM_PYTHON}")
    program = (
        "import numpy, time\nend, a = time.monotonic() + 1.5, numpy.random.rand(20000)\n"
        "while time.monotonic() < end:\n"
        " for f in (numpy.sin, numpy.tanh, numpy.arctan, numpy.cbrt, numpy.expm1): f(a)\n"
    )
    stacks = in_file(python_stacks(program, workdir), "_multiarray_umath")
    assert len(stacks) >= SAMPLES_MIN
    check_complete(stacks)
