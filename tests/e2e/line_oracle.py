# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Run by each interpreter, 2.7 to 3.15: what it says itself about the lines of a library.

    line_oracle.py TABLES ANSWERS [FOLDER]

TABLES gets the input of decode_line_tables.c, ANSWERS what it should print, for every code object of
every file at the top of FOLDER (default: this interpreter's own standard library).
"""

import ctypes
import io
import os
import sys
import types

VERSION = sys.hexversion
UNIT_BYTES = 1 if sys.version_info < (3, 6) else 2


def walk(code):
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            for inner in walk(const):
                yield inner


def table_of(code):
    table = code.co_lnotab if sys.version_info < (3, 10) else code.co_linetable
    return "".join("%02x" % byte for byte in bytearray(table))


def text(value):
    return "-" if value is None else str(value)


def answers_lnotab(code, units):
    """PyCode_Addr2Line() is what tracebacks and f_lineno call."""
    ask = ctypes.pythonapi.PyCode_Addr2Line
    ask.argtypes = [ctypes.py_object, ctypes.c_int]
    return [str(ask(code, unit * UNIT_BYTES)) for unit in range(units)]


def answers_lines(code, units):
    lines = ["-"] * units
    for start, end, line in code.co_lines():
        for unit in range(start // 2, end // 2):
            lines[unit] = text(line)
    return lines


def answers_positions(code, units):
    answers = [":".join(map(text, position)) for position in code.co_positions()]
    assert len(answers) == units, (code, len(answers), units)
    return answers


def answers_of(code, units):
    if sys.version_info < (3, 10):
        return answers_lnotab(code, units)
    if sys.version_info < (3, 11):
        return answers_lines(code, units)
    return answers_positions(code, units)


def main():
    tables, answers = io.open(sys.argv[1], "w"), io.open(sys.argv[2], "w")
    folder = sys.argv[3] if len(sys.argv) > 3 else os.path.dirname(os.__file__)
    units_nr = 0
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".py"):
            continue
        with io.open(os.path.join(folder, name), "rb") as file:
            source = file.read()
        for code in walk(compile(source, name, "exec", dont_inherit=True)):
            units = len(code.co_code) // UNIT_BYTES
            units_nr += units
            line = "%d %d %d %d %s\n" % (
                VERSION,
                code.co_firstlineno,
                UNIT_BYTES,
                units,
                table_of(code),
            )
            tables.write(line if isinstance(line, type(u"")) else line.decode())
            line = "".join(answer + " " for answer in answers_of(code, units)) + "\n"
            answers.write(line if isinstance(line, type(u"")) else line.decode())
    tables.close()
    answers.close()
    print(units_nr)


main()
