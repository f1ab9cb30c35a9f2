# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Functions that are made, run for a moment and dropped, so that the memory of their code objects is
used again and again; each kind differs from its predecessor in one thing only. From 3.12 on a code
object bears a number of its own, but 0 once those are used up: each kind comes without it, too.

Each function has its own window and declares the only name, file and lines that may be seen in it.
argv: seconds for each kind.
"""

import ctypes
import functools
import importlib
import os
import sys
import tempfile

import declared
from declared import SECOND, as_window, monotonic

LIVES_MS = [4, 4, 4, 60]  # short ones mostly; a long one gets many samples before it dies
TEMPLATE = """def {name}(deadline, monotonic, helper):
{gap}    while monotonic() < deadline:
        helper(40)
"""


def burn(rounds):
    value = 1
    for _ in range(rounds):
        value = value * 31 % 1000003
    return value


def deeper(rounds):
    return burn(rounds)


def compiled(file, name, gap=0):
    source = TEMPLATE.format(name=name, gap="\n" * gap)
    scope = {}
    exec(compile(source, file, "exec"), scope)
    return scope.pop(name)


def other_name(number):
    """Names of one length."""
    return compiled("<names>", "made_%06d" % number)


def other_long_name(number):
    """What differs is neither at the beginning nor at the end."""
    return compiled("<long names>", "made_" + "x" * 90 + "%06d" % number + "y" * 90)


def other_wide_name(number):
    """As above, in a string of 2-byte characters."""
    return compiled("<wide names>", "λ" * 60 + "%06d" % number + "日" * 60)


def other_file(number):
    return compiled("<file %06d>" % number, "made")


def other_path(number):
    return compiled("/no/such/folder/%06d/made.py" % number, "made")


def other_lines(number):
    """Equal in all but one byte of the line table."""
    return compiled("<lines>", "made", gap=4 + number % 20)


def other_first_line(number):
    source = "\n" * (number % 50) + TEMPLATE.format(name="made", gap="")
    scope = {}
    exec(compile(source, "<first lines>", "exec"), scope)
    return scope.pop("made")


class Reloaded:
    """A module whose file is written anew and loaded again."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        sys.path.insert(0, self.folder.name)
        self.module = None

    def __call__(self, number):
        # Its length changes: within a second importlib tells a new file by that.
        with open(os.path.join(self.folder.name, "reloaded.py"), "w", encoding="utf-8") as file:
            file.write(TEMPLATE.format(name="made", gap="\n" * (4 + number % 20)))
            file.write("#" * (number % 7))
        importlib.invalidate_caches()
        if self.module is None:
            self.module = importlib.import_module("reloaded")
        else:
            self.module = importlib.reload(self.module)
        return self.module.made

    def close(self):
        sys.path.remove(self.folder.name)
        self.folder.cleanup()


def number_of(code):
    """co_version of CPython 3.12 and 3.13, which nothing in Python tells or sets."""
    return ctypes.c_uint32.from_address(id(code) + 92)


def has_numbers():
    """Each new code object has the next number."""
    if sys.version_info[:2] not in ((3, 12), (3, 13)):
        return False
    codes = [other_name(number).__code__ for number in range(3)]
    first, second, third = [number_of(code).value for code in codes]
    assert 0 < first < second < third, "co_version is not where it is expected"
    return True


def numberless(make):
    """As the kind itself, with code objects made when the numbers are used up."""

    @functools.wraps(make)
    def make_numberless(number):
        made = make(number)
        number_of(made.__code__).value = 0
        return made

    make_numberless.__name__ = "numberless " + make.__name__
    return make_numberless


def copied(text):
    """Another object: the code object's own text has to die with it."""
    return text[:1] + text[1:]


def run_one(made, helper, seconds):
    begin = monotonic()
    made(begin + seconds * SECOND, monotonic, helper)
    end = monotonic()
    return as_window(begin, end)


def run_kind(make, seconds):
    """The windows of one kind, and how many addresses they shared."""
    windows, addresses = [], set()
    end = monotonic() + seconds * SECOND
    while monotonic() < end:
        number = len(windows)
        made = make(number)
        code = made.__code__
        addresses.add(id(code))
        helper = (burn, deeper)[number // 2 % 2]
        window = run_one(made, helper, LIVES_MS[number % len(LIVES_MS)] / 1000)
        told = copied(declared.code_name(code)), copied(code.co_filename), declared.own_lines(code)
        windows.append((*told, *window))
        del made, code
    return windows, len(addresses)


KINDS = [
    other_name,
    other_long_name,
    other_wide_name,
    other_file,
    other_path,
    other_lines,
    other_first_line,
]


def main(seconds):
    reloaded = Reloaded()
    numberless_kinds = map(numberless, KINDS) if has_numbers() else ()
    for make in [*KINDS, reloaded, *numberless_kinds]:
        windows, addresses_nr = run_kind(make, seconds)
        kind = getattr(make, "__name__", "reloaded")
        declared.emit(
            kind=kind, windows=windows, addresses_nr=addresses_nr, **declared.identity()
        )
    reloaded.close()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.4)
