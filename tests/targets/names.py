# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Names and files of every kind that CPython can hold; each in its own window, told by the interpreter.

argv: seconds of CPU time for each.
"""

import os
import sys
import tempfile
import types
import zipfile

import declared

LONG = 10000
SOURCE = "def {name}(hold, *arguments):\n    return hold(*arguments)\n"

# Letters that NFKC keeps, in strings of 1, 2 and 4 bytes for each character.
NAMES = ["café", "λ日本", "𐐀𠀀_x", "n" * LONG, "λ" * LONG, "𐐀" * LONG]
FILES = [
    "/with some/blanks in/it.py",
    "/é/latin-1.py",
    "/λ/日本.py",
    "/𐐀/𠀀.py",
    "/" + "f" * LONG + ".py",
    "/a\nnewline and\ttab.py",
    "/\x1b[31mred\x1b[0m \x7f.py",
    "/C1 \x9b31m.py",
    "/right to left \u202egnp.py",
    "/zero\u200bwidth.py",
    "/no UTF-8 \udcff\udce9.py",
    "/e by bytes \udcc3\udca9.py",
    "/lone \ud800 surrogate \udfff.py",
    "<string>",
    "<stdin>",
    "<made 日本>",
    "[vdso]",
    "",
    "/(brackets)/it's \"quoted\";.py",
]


def compiled(name, file):
    scope = {}
    exec(compile(SOURCE.format(name=name), "source", "exec"), scope)
    function = scope[name]
    code = function.__code__
    if hasattr(code, "replace"):
        new = code.replace(co_filename=file)
    else:  # before 3.8
        new = types.CodeType(
            code.co_argcount,
            code.co_kwonlyargcount,
            code.co_nlocals,
            code.co_stacksize,
            code.co_flags,
            code.co_code,
            code.co_consts,
            code.co_names,
            code.co_varnames,
            file,
            code.co_name,
            code.co_firstlineno,
            code.co_lnotab,
            code.co_freevars,
            code.co_cellvars,
        )
    function.__code__ = new
    return function


def hold(case, seconds):
    """Work for a while, of CPU time: so many ticks come by."""
    stack, window = declared.spin(seconds, gap=True, of_cpu=True)
    declared.emit(case=case, stack=stack, window=window, **declared.identity())


class Outer:
    class Inner:
        def method(self, *arguments):
            def nested():
                return (lambda: hold(*arguments))()

            return nested()

        @classmethod
        def of_class(cls, *arguments):
            return hold(*arguments)

        @staticmethod
        def of_none(*arguments):
            return hold(*arguments)


def run_qualified(seconds):
    Outer.Inner().method("nested", seconds)
    Outer.Inner.of_class("classmethod", seconds)
    Outer.Inner.of_none("staticmethod", seconds)


MODULE = "import __main__\n\n__main__.hold({case!r}, {seconds})\n"


def write(path, case, seconds):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(MODULE.format(case=case, seconds=seconds))


def run_imports(folder, seconds):
    """The frames of importlib, frozen or not, stand below each module's own."""
    sys.path.insert(0, folder)
    write(folder + "/names_plain.py", "module", seconds)
    write(folder + "/names_space/sub/names_inside.py", "namespace package", seconds)
    write(folder + "/names_日本.py", "module in wide characters", seconds)
    with zipfile.ZipFile(folder + "/packed.zip", "w") as archive:
        archive.writestr("names_zipped.py", MODULE.format(case="zipimport", seconds=seconds))
    sys.path.insert(0, folder + "/packed.zip")
    for name in ("names_plain", "names_space.sub.names_inside", "names_日本", "names_zipped"):
        __import__(name)


def main(seconds):
    kept = []  # names beyond what BPF copies are read a little later
    for name in NAMES:
        kept.append(compiled(name, __file__))
        kept[-1](hold, "name " + name[:10], seconds)
    for file in FILES:
        kept.append(compiled("made", file))
        kept[-1](hold, "file " + ascii(file[:20]), seconds)
    run_qualified(seconds)
    with tempfile.TemporaryDirectory() as folder:
        run_imports(folder, seconds)
    exec("hold('exec', %f)" % seconds)
    eval("hold('eval', %f)" % seconds)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.05)
