# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Can this instruction of this code object have called Python code? Answered by the bytecode itself.

Run by the interpreter that was recorded. Reads one JSON document from stdin: {"sites": [[file, name,
line or 0, offset], …], "made": [base64 of a marshalled code object, …], "texts": [source, …]}; offset is the
byte offset of the executing instruction; made and texts are what no file has: of made-up file names,
and of -c.
Prints one JSON list, for each site the code objects of that name in that file that have that line at
that offset, as [opcode, callee, is it a generator]: the instruction's name, and whom a call names where
the bytecode tells; None: a variable does. And, last, the names that `def` binds in these files, and
nothing else in any of them: not a class, not what a decorator returns, no value.
"""

import base64
import dis
import inspect
import json
import marshal
import sys
import types

import _imp as imp

# Instructions that name what they push.
NAMING = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR")
BINDING = ("STORE_NAME", "STORE_GLOBAL", "STORE_ATTR")
GENERATOR = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
HAS_QUALIFIED_NAMES = hasattr(types.CodeType, "co_qualname")
HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE
JUMPS = set(dis.hasjrel + dis.hasjabs)
CALLS = ("CALL", "PRECALL", "CALL_KW", "CALL_FUNCTION", "CALL_METHOD", "CALL_FUNCTION_KW")


FROZEN = {
    "importlib._bootstrap": "_frozen_importlib",
    "importlib._bootstrap_external": "_frozen_importlib_external",
}


def read_module(file):
    """The module's code, as this interpreter compiles it; None where there is no such file."""
    if file.startswith("<frozen "):
        name = file[len("<frozen ") : -1]
        return imp.get_frozen_object(FROZEN.get(name, name))
    try:
        with open(file, "rb") as source:
            return compile(source.read(), file, "exec", dont_inherit=True)
    except OSError:
        return None


def all_codes(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from all_codes(constant)


class Codes:
    """Code objects by file and name, read when asked for."""

    def __init__(self, made, texts):
        self.files = {}
        for code in made:
            self.add(marshal.loads(base64.b64decode(code)))
        for text in texts:
            self.add(compile(text, "<string>", "exec", dont_inherit=True))

    def add(self, code):
        named = self.files.setdefault(code.co_filename, {})
        for inner in all_codes(code):
            named.setdefault(getattr(inner, "co_qualname", inner.co_name), []).append(inner)

    def find(self, file, name):
        if not HAS_QUALIFIED_NAMES:  # a method is told by its class all the same
            name = name.split(".")[-1]
        if file not in self.files:
            self.files[file] = {}
            code = read_module(file)
            if code:
                self.add(code)
                # What is frozen may have been so under another name.
                self.files[file] = self.files[code.co_filename]
        return self.files[file].get(name, [])

    def plain_functions(self):
        """Names bound by `def` alone."""
        defined, others = set(), set()
        for named in self.files.values():
            for codes in named.values():
                for code in codes:
                    collect_bindings(code, defined, others)
        return sorted(defined - others - builtin_attributes())


def builtin_attributes():
    """Names that any class of C has: it may hold or be what such an attribute gives."""
    names, classes = set(), [object]
    for kind in classes:
        if not kind.__flags__ & HEAP_TYPE:
            names.update(vars(kind))
        classes += [one for one in type.__subclasses__(kind) if one not in classes]
    return names


def collect_bindings(code, defined, others):
    """Sort the names that code binds by whether a function of that name was just made."""
    made = before = None
    for instruction in dis.get_instructions(code):
        if isinstance(instruction.argval, types.CodeType):
            made = instruction.argval.co_name
        if instruction.opname in BINDING or instruction.opname in ("STORE_FAST", "STORE_DEREF"):
            is_def = before in ("MAKE_FUNCTION", "SET_FUNCTION_ATTRIBUTE")
            is_plain = is_def and made == instruction.argval
            (defined if is_plain else others).add(instruction.argval)
        before = instruction.opname


def line_table(code):
    if hasattr(code, "co_lines"):
        return list(code.co_lines())
    starts = list(dis.findlinestarts(code))
    ends = [start for start, _ in starts[1:]] + [len(code.co_code)]
    return [(start, end, line) for (start, line), end in zip(starts, ends)]


def line_at(code, offset):
    lines = [line for start, end, line in line_table(code) if start <= offset < end]
    return lines[-1] if lines else None


def instruction_index(instructions, offset):
    """Of the instruction at offset, or the one whose inline caches lie there."""
    found = [n for n, instruction in enumerate(instructions) if instruction.offset <= offset]
    return found[-1] if found else None


def arguments_nr(instruction):
    """How many values a call takes besides its callable; None: not told by the instruction."""
    if instruction.opname in ("CALL_FUNCTION_KW", "CALL_KW"):
        return instruction.arg + 1  # and the tuple of names
    return instruction.arg


def find_callable(instructions, at):
    """The name of what the call at index `at` calls, by walking back over its arguments."""
    if instructions[at].opname not in CALLS:
        return None
    depth = arguments_nr(instructions[at])
    is_target = instructions[at].is_jump_target
    for instruction in reversed(instructions[:at]):
        if is_target or instruction.opcode in JUMPS:
            return None
        is_target = instruction.is_jump_target
        if instruction.opname in ("PUSH_NULL", "PRECALL", "KW_NAMES", "CACHE", "EXTENDED_ARG"):
            continue
        if depth == 0:
            return instruction.argval if instruction.opname in NAMING else None
        depth -= pushed_values(instruction)
        if depth < 0:
            return None
    return None


def pushed_values(instruction):
    """Values that an instruction adds, as the arguments of a call see it: a callable and its NULL or
    self count as one."""
    name = instruction.opname
    if name == "LOAD_SUPER_ATTR":
        return -2
    if name in NAMING:
        return 0 if name in ("LOAD_ATTR", "LOAD_METHOD") else 1
    if name in CALLS:
        return -arguments_nr(instruction)
    argument = instruction.arg if instruction.opcode >= dis.HAVE_ARGUMENT else None
    return dis.stack_effect(instruction.opcode, argument)


def own_lines(code, offset):
    """Of the instruction at offset; the first one's, too, where it has none or has not begun."""
    line = line_at(code, offset)
    return {line, code.co_firstlineno} if line is None or offset == 0 else {line}


def answer(code, offset):
    instructions = list(dis.get_instructions(code))
    at = instruction_index(instructions, offset)
    # Up to 3.10 the prefix's offset stands for the whole instruction while it executes.
    while sys.version_info < (3, 11) and instructions[at].opname == "EXTENDED_ARG":
        at += 1
    callee = find_callable(instructions, at)
    return instructions[at].opname, callee, bool(code.co_flags & GENERATOR)


def main():
    question = json.load(sys.stdin)
    codes = Codes(question["made"], question["texts"])
    answers = [
        [
            answer(code, offset)
            for code in codes.find(file, name)
            if (line or None) in own_lines(code, offset)
        ]
        for file, name, line, offset in question["sites"]
    ]
    json.dump([*answers, codes.plain_functions()], sys.stdout)


if __name__ == "__main__":
    main()
