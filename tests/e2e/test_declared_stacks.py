# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The judge of stacks lets the declared one pass and catches each kind of wrong one."""

import copy

import pytest

from declared_stacks import find_impossible
from pyrec_harness import Frame, Sample, parse_script

FILE = "/srv/app.py"
LIBPYTHON = "/usr/lib/libpython3.12.so.1.0"
EXTENSION = "/tmp/x/spinext.cpython-312-x86_64-linux-gnu.so"

DECLARED = [
    {"python": "<module>", "file": FILE, "lines": [9], "gap": True},
    {"python": "f1", "file": FILE, "lines": [2], "gap": False},
    {"native": "ext_call", "object": "spinext", "gap": True},
    {"native": "ext_inner", "object": "spinext", "gap": False},
    {"python": "spin", "file": FILE, "lines": [5, 6], "gap": True},
]

FRAMES = [
    Frame("n", "_start", "/usr/bin/python3.12"),
    Frame("n", "Py_RunMain", LIBPYTHON),
    Frame("p", "<module>", FILE, 9),
    Frame("p", "f1", FILE, 2),
    Frame("n", "cfunction_vectorcall_O", LIBPYTHON),
    Frame("n", "ext_call", EXTENSION),
    Frame("n", "ext_inner", EXTENSION),
    Frame("n", "[unknown]", LIBPYTHON),
    Frame("p", "spin", FILE, 6),
    Frame("n", "clock_gettime", "/usr/lib/libc.so.6"),
    Frame("k", "asm_sysvec_apic_timer_interrupt", "[kernel.kallsyms]"),
]


def is_possible(frames):
    sample = Sample("python3", 7, 7, 1, "cpu-clock", frames)
    return not find_impossible([sample], [DECLARED])


def test_declared_stack_passes():
    assert is_possible(FRAMES)
    assert is_possible(FRAMES[:9])


def without(index):
    return FRAMES[:index] + FRAMES[index + 1 :]


def changed(index, **fields):
    frames = copy.deepcopy(FRAMES)
    for name, value in fields.items():
        setattr(frames[index], name, value)
    return frames


def inserted(index, frame):
    return FRAMES[:index] + [frame] + FRAMES[index:]


WRONG = {
    "empty": [],
    "no Python": FRAMES[:2] + FRAMES[9:],
    "not unwound to the end": FRAMES[2:],
    "leaf missing": FRAMES[:8],
    "Python frame missing": without(3),
    "C function missing": without(6),
    "C functions swapped": changed(5, name="ext_inner")[:6] + changed(6, name="ext_call")[6:],
    "C function twice": inserted(5, FRAMES[5]),
    "Python frames swapped": [*FRAMES[:2], FRAMES[3], FRAMES[2], *FRAMES[4:]],
    "Python frame twice": inserted(3, FRAMES[3]),
    "line of a caller wrong": changed(3, line=3),
    "line of the leaf wrong": changed(8, line=7),
    "no line": changed(8, line=0),
    "file wrong": changed(3, dso="/srv/other.py"),
    "native frame where no gap is": inserted(3, FRAMES[1]),
    "eval frame left between inlined calls": inserted(6, FRAMES[1]),
    "foreign library": inserted(9, Frame("n", "inflate", "/usr/lib/libz.so.1")),
    "unknown place": inserted(9, Frame("n", "[unknown]", "[unknown]")),
    "Python above the leaf": inserted(9, FRAMES[3]),
    "Python above native frames of the leaf": inserted(10, FRAMES[8]),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_stack_is_caught(name):
    assert not is_possible(WRONG[name])


def test_script_is_read_whole():
    text = (
        "# ========\n# cmdline : pyrec\n# ========\n#\n"
        "my app 7/8 [001] 12.345678: 2004008 cpu-clock:\n"
        "\tffffffff81000010 do_syscall_64+0x10 ([kernel.kallsyms])\n"
        "\t    7f0000001000 __send+0x1c (/usr/lib/libc.so.6)\n"
        "\t               0 py::A.<locals>.f (/srv/a%20b.py:12)\n\n"
        "python3 7/7 13.000000: 1 cpu-clock:\n\n"
    )
    first, second = parse_script(text)
    assert (first.comm, first.pid, first.tid, first.time_ns) == ("my app", 7, 8, 12345678000)
    assert [(f.kind, f.name) for f in first.frames] == [
        ("p", "A.<locals>.f"),
        ("n", "__send"),
        ("k", "do_syscall_64"),
    ]
    assert (first.frames[0].dso, first.frames[0].line) == ("/srv/a%20b.py", 12)
    assert second.frames == []


@pytest.mark.parametrize("line", ["no header", "\tno frame", "\t1234 f (x) (inlined) y"])
def test_other_text_is_refused(line):
    with pytest.raises(AssertionError):
        parse_script("python3 7/7 13.000000: 1 cpu-clock:\n" + line)
