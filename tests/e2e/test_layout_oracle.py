# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every offset that the recorder uses, against the DWARF of each interpreter that has it; and what it
decodes from a stripped copy, against what the symbols of the original say."""

import os
import subprocess

import pytest

from pyrec_harness import HEAP_FRAME_MINORS, MINORS, ROOT, find_python, run, skip

SOURCES = [
    "tests/e2e/layout_oracle.c",
    "record/layouts.c",
    "record/python_runtime.c",
    "record/static_variable.c",
    "record/tls_decode.c",
    "common/elf_file.c",
    "common/bytes.c",
]

ALL = {
    "frame_previous": "_PyInterpreterFrame.previous",
    "code_first_line": "PyCodeObject.co_firstlineno",
    "code_instrs": "PyCodeObject.co_code_adaptive",
    "code_file": "PyCodeObject.co_filename",
    "code_name": "PyCodeObject.co_name",
    "code_qualname": "PyCodeObject.co_qualname",
    "code_lines": "PyCodeObject.co_linetable",
    "unicode_length": "PyASCIIObject.length",
    "unicode_state": "PyASCIIObject.state",
    "unicode_ascii": "sizeof.PyASCIIObject",
    "unicode_compact": "sizeof.PyCompactUnicodeObject",
    "bytes_size": "PyBytesObject.ob_base.ob_size",
    "bytes_data": "PyBytesObject.ob_sval",
}
CFRAME = {
    "tstate_frame": "_ts.cframe",
    "tstate_cframe": "_ts.cframe",
    "cframe_frame": "_PyCFrame.current_frame",
    "cframe_previous": "_PyCFrame.previous",
    "frame_instr": "_PyInterpreterFrame.prev_instr",
    "frame_code": "_PyInterpreterFrame.f_code",
}
STATES = {
    "tstate_interp": "_ts.interp",
    "tstate_thread": "_ts.thread_id",
    "tstate_next": "_ts.next",
    "interp_next": "_is.next",
    "interp_threads": "_is.tstate_head",
}
INTERPRETERS = {"runtime_interpreters": "_PyRuntimeState.interpreters.head"}
THREADS = {**STATES, "interp_threads": "_is.threads.head", **INTERPRETERS}
WITH_OWNER = {
    "frame_owner": "_PyInterpreterFrame.owner",
    "code_version": "PyCodeObject.co_version",
    "entry_value": "enum.FRAME_OWNED_BY_CSTACK",
    "runtime_key": "_PyRuntimeState.autoTSSkey",
}
HEAP_FRAME = {
    **{field: query for field, query in ALL.items() if field not in ("code_instrs", "code_qualname")},
    "tstate_frame": "_ts.frame",
    "frame_previous": "PyFrameObject.f_back",
    "frame_code": "PyFrameObject.f_code",
    "frame_instr": "PyFrameObject.f_lasti",
    "code_lines": "PyCodeObject.co_lnotab",
    "frame_locals": "PyFrameObject.f_localsplus",
    "code_locals_nr": "PyCodeObject.co_nlocals",
    "methods.function_code": "PyFunctionObject.func_code",
    "methods.function_globals": "PyFunctionObject.func_globals",
    "methods.function_dict": "PyFunctionObject.func_dict",
    "methods.function_qualname": "PyFunctionObject.func_qualname",
    "methods.code_flags": "PyCodeObject.co_flags",
}
IN_GILSTATE = {
    "runtime_key": "_PyRuntimeState.gilstate.autoTSSkey",
    "runtime_current": "_PyRuntimeState.gilstate.tstate_current",
}
BYTE_NAMES = {
    "unicode_length": "PyStringObject.ob_size",
    "unicode_ascii": "PyStringObject.ob_sval",
    "bytes_size": "PyStringObject.ob_size",
    "bytes_data": "PyStringObject.ob_sval",
}
NO_UNICODE = ("unicode_state", "unicode_compact", "methods.function_qualname")
QUERIES = {
    "2.7": {
        **{field: query for field, query in HEAP_FRAME.items() if field not in NO_UNICODE},
        **BYTE_NAMES,
        "methods.class_name": "PyHeapTypeObject.ht_name",
        **STATES,
    },
    "3.6": {**HEAP_FRAME, **STATES},
    "3.7": {**HEAP_FRAME, **STATES, **INTERPRETERS, **IN_GILSTATE},
    "3.8": {**HEAP_FRAME, **STATES, **INTERPRETERS, **IN_GILSTATE},
    "3.9": {**HEAP_FRAME, **STATES, **INTERPRETERS, **IN_GILSTATE},
    "3.10": {
        **HEAP_FRAME,
        **STATES,
        **INTERPRETERS,
        **IN_GILSTATE,
        "tstate_cframe": "_ts.cframe",
        "code_lines": "PyCodeObject.co_linetable",
    },
    "3.11": {
        **ALL,
        **CFRAME,
        **THREADS,
        **IN_GILSTATE,
        "frame_owner": "_PyInterpreterFrame.is_entry",
        "frame_kind": "_PyInterpreterFrame.owner",
    },
    "3.12": {
        **ALL,
        **CFRAME,
        **THREADS,
        **WITH_OWNER,
        "frame_kind": "_PyInterpreterFrame.owner",
    },
    "3.13": {
        **ALL,
        **WITH_OWNER,
        **THREADS,
        "tstate_frame": "_ts.current_frame",
        "frame_instr": "_PyInterpreterFrame.instr_ptr",
        "frame_code": "_PyInterpreterFrame.f_executable",
    },
}
WITHOUT_FRAMES = {
    "tstate_cframe",
    "cframe_frame",
    "cframe_previous",
    "frame_owner",
    "frame_kind",
    "code_instrs",
    "code_version",
    "code_qualname",
}
# Only 3.14 and newer, which tell these themselves.
TASKS = {"object_type", "type_flags", "long_tag", "long_digits"}
LOCALS = {"frame_locals", "code_locals_nr"}
TLS_DYNAMIC = 2  # enum pyrec_tls_kind
# Where the layout has one number for two things: the other one.
ALSO = {"PyUnicodeObject.data": "unicode_compact"}
# Numbers that are written out where they are used: those of method_reader.c, an entry of 2.7's thread
# list.
OBJECTS = {
    "PyObject.ob_type": 8,
    "PyTypeObject.tp_name": 24,
    "PyTypeObject.tp_flags": 168,
    "PyTypeObject.tp_dict": 264,
    "PyTypeObject.tp_mro": 344,
    "PyTupleObject.ob_item": 24,
    "PyCellObject.ob_ref": 16,
    "classmethod.cm_callable": 16,
    "staticmethod.sm_callable": 16,
    "propertyobject.prop_get": 16,
    "propertyobject.prop_set": 24,
    "propertyobject.prop_del": 32,
}
DICT_3 = {
    "PyDictObject.ma_keys": 32,
    "PyDictObject.ma_values": 40,
    "_dictkeysobject.dk_size": 8,
    "_dictkeysobject.dk_nentries": 32,
    "_dictkeysobject.dk_indices": 40,
    "PyDictKeyEntry.me_key": 8,
    "PyDictKeyEntry.me_value": 16,
    "sizeof.PyDictKeyEntry": 24,
}
DICT_2 = {
    "PyDictObject.ma_mask": 32,
    "PyDictObject.ma_table": 40,
    "PyDictEntry.me_key": 8,
    "PyDictEntry.me_value": 16,
    "sizeof.PyDictEntry": 24,
    "PyInstanceObject.in_class": 16,
    "PyClassObject.cl_bases": 16,
    "PyClassObject.cl_dict": 24,
    "PyClassObject.cl_name": 32,
}
LIST = {"key.next": 0, "key.id": 8, "key.value": 24}
WRITTEN_OUT = {minor: {**OBJECTS, **DICT_3} for minor in HEAP_FRAME_MINORS}
WRITTEN_OUT["2.7"] = {**OBJECTS, **DICT_2, **LIST}


@pytest.fixture(scope="session")
def oracle(tmp_path_factory):
    program = str(tmp_path_factory.mktemp("oracle") / "layout_oracle")
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-O2", "-I."]
    built = run(["gcc", *flags, "-o", program, *SOURCES, "-ldw", "-lelf"], cwd=ROOT)
    assert built.returncode == 0, built.stderr
    return program


def ask(oracle, path, *queries):
    """(what the recorder finds, what DWARF answers)"""
    result = run([oracle, path, *queries])
    assert result.returncode == 0, result.stderr
    ours, dwarf = {}, {}
    for line in result.stdout.splitlines():
        if line != "no DWARF":
            side, name, value = line.split()
            (ours if side == "our" else dwarf)[name] = int(value)
    return ours, dwarf


def runtime_file(python):
    """The file that holds the runtime: libpython where the interpreter is linked to one."""
    code = (
        "import sysconfig as s, sys, os; "
        "lib = os.path.join(s.get_config_var('LIBDIR'), s.get_config_var('INSTSONAME') or ''); "
        "print(lib if s.get_config_var('Py_ENABLE_SHARED') and os.path.isfile(lib) "
        "else os.path.realpath(sys.executable)); print(sys.hexversion)"
    )
    path, version = run([python, "-c", code]).stdout.split()
    return path, int(version)


@pytest.mark.parametrize("minor", [*HEAP_FRAME_MINORS, *MINORS])
def test_offsets(minor, oracle):
    path, version = runtime_file(find_python(minor))
    wanted = QUERIES[minor]
    also = {} if minor == "2.7" else ALSO
    written_out = WRITTEN_OUT.get(minor, {})
    ours, dwarf = ask(oracle, path, *wanted.values(), *also, *written_out)
    if not dwarf:
        skip(f"prerequisite debug information: none in {path}")
    assert ours["version_hex"] == version
    assert ours["is_walkable"] == 1
    assert set(dwarf) == {*wanted.values(), *also, *written_out}, "DWARF did not answer all"
    for field, query in wanted.items():
        assert ours[field] == dwarf[query], f"{field}: {query} is {dwarf[query]}"
    for query, field in also.items():
        assert ours[field] == dwarf[query], f"{field}: {query} is {dwarf[query]}"
    for query, number in written_out.items():
        assert dwarf[query] == number, query


@pytest.mark.parametrize("minor", ["3.11", "3.12"])
def test_generators(minor, oracle):
    """What walk_is_mislinked() takes for granted."""
    path, _ = runtime_file(find_python(minor))
    names = ["enum.FRAME_OWNED_BY_GENERATOR", "enum.FRAME_EXECUTING"]
    names += ["PyGenObject.gi_iframe", "PyGenObject.gi_frame_state"]
    ours, dwarf = ask(oracle, path, *names)
    if not dwarf:
        skip(f"prerequisite debug information: none in {path}")
    owned, executing, frame, state = (dwarf[name] for name in names)
    assert (owned, executing, frame - state) == (1, 0, ours["generator_state"])


def test_every_field_is_asked():
    """A field that the layout gains must be compared too."""
    for minor, queries in QUERIES.items():
        unasked = {name for name in layout_field_names() if name not in queries}
        expected = {
            "2.7": WITHOUT_FRAMES | {"unicode_state", "unicode_compact"},
            "3.10": WITHOUT_FRAMES - {"tstate_cframe"},
            "3.11": {"code_version"},
            "3.12": set(),
            "3.13": {"cframe_frame", "cframe_previous", "tstate_cframe", "frame_kind"},
        }
        # Where the walk begins to read a code object is its own choice; 3.15 has a base frame,
        # free-threaded builds from 3.14 on copies of bytecode.
        rest = {"code_start", "tstate_base_frame", "code_copies", "frame_copy"}
        rest |= TASKS
        rest |= LOCALS if minor not in HEAP_FRAME_MINORS else set()
        assert unasked == expected.get(minor, WITHOUT_FRAMES) | rest, minor


def layout_field_names():
    with open(os.path.join(ROOT, "bpf", "pyrec_bpf.h"), encoding="utf-8") as header:
        text = header.read().split("struct pyrec_layout {")[1].split("};")[0]
    lines = (line.split("/*")[0].split() for line in text.splitlines())
    return [words[1].rstrip(";") for words in lines if len(words) == 2 and words[0] == "__u16"]


def module_words(path):
    """Where the dynamic linker writes the file's own TLS module number."""
    lines = run(["readelf", "-rW", path]).stdout.splitlines()
    rows = [line.split() for line in lines if "R_X86_64_DTPMOD64" in line]
    return {int(row[0], 16) for row in rows if row[3:] == ["0"]}


@pytest.mark.parametrize("minor", [*HEAP_FRAME_MINORS, *MINORS, "system"])
def test_stripped(minor, oracle, tmp_path):
    """What survives `strip` is enough to find the same things, but for TLS up to 3.11, which has none."""
    path, version = runtime_file(find_python(minor))
    stripped = str(tmp_path / os.path.basename(path))
    subprocess.run(["strip", "-s", "-o", stripped, path], check=True, timeout=60)
    whole, _ = ask(oracle, path)
    bare, _ = ask(oracle, stripped)
    assert bare["version_hex"] == version
    words = module_words(path)
    for found in (whole, bare):  # any of them will do
        word = found.pop("tls_module_vaddr")
        assert word in words if found["tls_kind"] == TLS_DYNAMIC else word == 0
    assert bare == whole
    if version >= 0x03000000:
        assert bare["interpreters_vaddr"] != 0
    if version >= 0x030C0000:
        assert bare["runtime_bytes"] > 100000
    if version < 0x03000000:
        assert bare["thread_list_vaddr"] != 0
    elif version < 0x030F0000:
        assert bare["key_vaddr"] != 0
    if version >= 0x030C0000:
        assert bare["tls_kind"] != 0
