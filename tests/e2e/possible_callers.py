# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Can each Python frame of a sample have called the next one? Judged by the caller's own bytecode,
which tests/targets/call_sites.py reads in the interpreter that was recorded.

A caller must execute one of its own lines, at an instruction that can enter Python code. Where nothing
but the machinery of calls stands between two frames, and the bytecode names who is called, and nothing
but `def` binds that name anywhere, it must be the callee's.
"""

import json
import os
import re
import subprocess

from declared_stacks import script_file
from pyrec_harness import TARGETS, TIMEOUT_SECONDS, clean_environment

ENTERING = re.compile(
    r"^(.*CALL.*|BINARY_.*|INPLACE_.*|UNARY_.*|COMPARE_OP|CONTAINS_OP|FOR_ITER|GET_\w+|SEND|YIELD_FROM"
    r"|(LOAD|STORE|DELETE)_(ATTR|SUBSCR|SLICE|NAME|GLOBAL)|LOAD_METHOD|LOAD_SUPER_ATTR|LOAD_SPECIAL"
    r"|IMPORT_\w+|BEFORE_\w+|SETUP_\w*WITH|WITH_\w+|TO_BOOL|POP_JUMP_\w+|JUMP_IF_\w+|UNPACK_\w+"
    r"|(LIST|SET|DICT)_\w+|MAP_ADD|BUILD_\w+|FORMAT_\w+|CONVERT_VALUE|MATCH_\w+|RAISE_VARARGS"
    r"|CHECK_E\w+|END_ASYNC_FOR|CLEANUP_THROW)$"
)
# What may run wherever an object dies or a signal comes in, at any instruction.
ANYWHERE = ("__del__", "remove", "_remove", "handler")
ROOTS = ("<module>", "Thread._bootstrap", "_bootstrap")
MACHINERY = re.compile(
    r"call_function|do_call_core|fast_function|function_code_fastcall|_?PyFunction_\w+|_PyEval_\w+"
    r"|PyEval_EvalFrame|_?PyObject_(Fast|Vector)?[Cc]all\w*|_?PyVectorcall_\w+|method_vectorcall"
)


def python_pairs(sample):
    """(caller, callee or None for the leaf, whether only calls' machinery is between), root first."""
    frames = [frame for frame in sample.frames if frame.kind != "k"]
    places = [at for at, frame in enumerate(frames) if frame.kind == "p"]
    for here, there in zip(places, [*places[1:], None]):
        between = frames[here + 1 : there] if there else []
        is_direct = all(MACHINERY.fullmatch(f.name.partition(".")[0]) for f in between)
        yield frames[here], frames[there] if there else None, is_direct


def site_of(frame):
    return frame.dso, frame.name, frame.line, frame.ip


class CallSites:
    """Answers of the interpreter about every Python frame of some samples."""

    def __init__(self, python, samples, told, environment):
        """told: what tests/targets/real_programs.py says of its code objects."""
        named = {script_file(file): file for file in told["files"]}
        sites = {site_of(f) for sample in samples for f in sample.frames if f.kind == "p"}
        self.sites = sorted(sites)
        question = {
            "sites": [[named.get(dso, dso), *rest] for dso, *rest in self.sites],
            "made": told["made"],
            "texts": told["texts"],
        }
        done = subprocess.run(
            [python, os.path.join(TARGETS, "call_sites.py")],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
            env=clean_environment(**environment),
        )
        assert done.returncode == 0, done.stderr[-2000:]
        *answers, plain = json.loads(done.stdout)
        self.answers = dict(zip(self.sites, answers))
        self.plain = set(plain)

    def find_wrong_pair(self, caller, callee, is_direct):
        """Why caller cannot have called callee; None when it can."""
        callers = self.answers[site_of(caller)]
        if not callers:
            return f"{caller} is at none of its own lines"
        if callee is None:
            return None
        name = callee.name.split(".")[-1]
        dies = any(is_generator for _, _, is_generator in self.answers[site_of(callee)])
        for opcode, called, _ in callers:
            is_told = is_direct and called in self.plain
            if ENTERING.match(opcode):
                is_possible = not is_told or called == name
            else:  # a generator runs once more when it is dropped
                is_possible = dies or name in ANYWHERE
            if is_possible:
                return None
        return f"{caller} at {callers} called {callee}"

    def find_wrong(self, sample):
        """Why a sample's Python stack is impossible; None when it is possible."""
        pairs = list(python_pairs(sample))
        if not pairs:
            return "no Python frame"
        if pairs[0][0].name not in ROOTS:
            return f"the root is {pairs[0][0]}"
        for caller, callee, is_direct in pairs:
            wrong = self.find_wrong_pair(caller, callee, is_direct)
            if wrong:
                return wrong
        return None
