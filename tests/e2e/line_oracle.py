# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Run by each interpreter, 2.7 to 3.15: what it says itself about the lines of its library.

    line_oracle.py [--top] >ANSWERS

Writes what compare_line_tables.c reads: the line table of every code object of every file below this
interpreter's standard library (--top: of its uppermost folder), and the answer for every
instruction. Before them tables that no compiler makes, of random entries. The last line on stderr is "FILES SKIPPED": files that are not meant to compile.
"""

import ctypes
import dis
import io
import marshal
import os
import random
import struct
import sys
import types
import warnings
from array import array

VERSION = sys.version_info
UNIT_BYTES = 1 if VERSION < (3, 6) else 2
NONE = -(2**31)  # no line, no column
TABLE = "co_lnotab" if VERSION < (3, 10) else "co_linetable"
MADE_NR = 2000
MADE_FIRST_LINE = 10**7  # no line of a made table is negative
PYC_HEADER_BYTES = 8 if VERSION < (3, 0) else 12 if VERSION < (3, 7) else 16
OUT = os.fdopen(1, "wb", 1 << 20)


def walk(code):
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            for inner in walk(const):
                yield inner


def lines_of_ranges(ranges, units):
    lines = array("i", [NONE]) * units
    for start, end, line in ranges:
        begin, end = -(-start // UNIT_BYTES), -(-end // UNIT_BYTES)
        lines[begin:end] = array("i", [NONE if line is None else line]) * (end - begin)
    assert len(lines) == units
    return lines


def lines_found(code, units):
    """The last start of a line up to each offset."""
    starts = list(dis.findlinestarts(code))
    ends = [start for start, _ in starts[1:]] + [units * UNIT_BYTES]
    return lines_of_ranges([(s, end, line) for (s, line), end in zip(starts, ends)], units)


def lines_asked(code, units):
    """PyCode_Addr2Line() is what tracebacks and f_lineno call."""
    ask = ctypes.pythonapi.PyCode_Addr2Line
    return array("i", [ask(code, unit * UNIT_BYTES) for unit in range(units)])


ctypes.pythonapi.PyCode_Addr2Line.argtypes = [ctypes.py_object, ctypes.c_int]


def answers_of(code, units):
    """int32 for each unit: the line; from 3.11 line, end line, column and end column."""
    if VERSION < (3, 10):
        lines = lines_asked(code, units)
        assert lines == lines_found(code, units), code
        return lines
    lines = lines_of_ranges(code.co_lines(), units)
    if VERSION < (3, 11):
        return lines
    numbers = [number for position in code.co_positions() for number in position]
    answers = array("i", [NONE if number is None else number for number in numbers])
    assert answers[0::4] == lines, code
    return answers


def emit(name, code):
    table = getattr(code, TABLE)
    units = len(code.co_code) // UNIT_BYTES
    name = name.encode("ascii", "replace") if VERSION >= (3, 0) else name
    facts = (sys.hexversion, code.co_firstlineno, UNIT_BYTES, units, len(name), len(table))
    OUT.write(struct.pack("<IiIIII", *facts))
    OUT.write(name)
    OUT.write(table)
    answers = answers_of(code, units)
    OUT.write(answers if VERSION >= (3, 0) else answers.tostring())


def varint(value):
    """Six bits a byte, the lowest first; bit 6: more follow."""
    digits = []
    while value >= 64:
        digits.append(value & 63 | 64)
        value >>= 6
    return digits + [value]


def svarint(value):
    return varint(-value << 1 | 1 if value < 0 else value << 1)


def random_entry(dice):
    """One location entry of 3.11 and its units: any kind, small numbers and large ones."""
    kind, units = dice.randrange(16), dice.randrange(1, 9)
    line = dice.randrange(-(2 ** dice.randrange(1, 12)), 2 ** dice.randrange(1, 12))
    rest = [dice.randrange(128) for _ in range([1, 2][kind >= 10])]
    if kind == 13:
        rest = svarint(line)
    elif kind == 14:
        rest = svarint(line) + sum((varint(dice.randrange(2 ** dice.randrange(14))) for _ in "end"), [])
    elif kind == 15:
        rest = []
    return [0x80 | kind << 3 | units - 1] + rest, 2 * units


def random_pair(dice):
    """Address and line delta of 3.10 and older: often none, a large one or one that means more."""
    address = dice.choice([0, 2, 2, 4, 6, 254, dice.randrange(256) & ~(VERSION >= (3, 10))])
    return [address, dice.choice([0, 0, 1, 127, 128, 129, 255, dice.randrange(256)])], address


def made_code(bytecode_bytes, table):
    bytecode = b"\x09\x00" * (bytecode_bytes // 2)  # NOP, up to 3.12
    table = bytes(bytearray(table))
    code = compile("0", "made", "eval")
    if hasattr(code, "replace"):
        return code.replace(co_code=bytecode, co_firstlineno=MADE_FIRST_LINE, **{TABLE: table})
    counts = (0, 0, 0, 0) if VERSION < (3, 0) else (0, 0, 0, 0, 0)
    names = ((), (), (), "made", "made")
    return types.CodeType(*counts + (bytecode,) + names + (MADE_FIRST_LINE, table, (), ()))


def made_codes():
    dice = random.Random(1)
    for _ in range(MADE_NR):
        table, bytecode_bytes = [], 0
        for _ in range(dice.randrange(40)):
            entry, entry_bytes = (random_pair if VERSION < (3, 11) else random_entry)(dice)
            table += entry
            bytecode_bytes += entry_bytes
        # 3.10's co_lines() and 3.11's co_positions() want tables that end with the bytecode.
        table += [0x90, 0x11] if VERSION >= (3, 11) else [2, 1] if VERSION >= (3, 10) else []
        yield made_code(bytecode_bytes + 2, table)


def compiled(path):
    """From the interpreter's own cache where that is of this version: compiling takes most time."""
    if VERSION < (3, 0):
        import imp

        cached, magic = path + "c", imp.get_magic()
    else:
        import importlib.util

        cached, magic = importlib.util.cache_from_source(path), importlib.util.MAGIC_NUMBER
    if os.path.exists(cached):
        with io.open(cached, "rb") as file:
            content = file.read()
        if content.startswith(magic):
            return marshal.loads(content[PYC_HEADER_BYTES:])
    with io.open(path, "rb") as file:
        return compile(file.read(), path, "exec", dont_inherit=True)


def library_files(is_top):
    library = os.path.dirname(os.__file__)
    for folder, folders, names in os.walk(library):
        packages = ("site-packages", "dist-packages", "__pycache__")
        folders[:] = [] if is_top else sorted(f for f in folders if f not in packages)
        for name in sorted(names):
            if name.endswith(".py"):
                yield os.path.join(folder, name)


def main(arguments):
    warnings.simplefilter("ignore")
    for code in made_codes():
        emit("made table", code)
    files_nr = skipped_nr = 0
    for path in library_files(is_top=arguments == ["--top"]):
        files_nr += 1
        try:
            module = compiled(path)
        except (SyntaxError, ValueError, OverflowError, MemoryError, RuntimeError):
            skipped_nr += 1  # written so, to test the compiler; or Python 2 for lib2to3
            continue
        for code in walk(module):
            emit("%s:%d %s" % (path, code.co_firstlineno, code.co_name), code)
    OUT.flush()
    sys.stderr.write("%d %d\n" % (files_nr, skipped_nr))


if __name__ == "__main__":
    main(sys.argv[1:])
