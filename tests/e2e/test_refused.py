# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Interpreters whose layout is not known: said so once, by name, on stderr of record, in the file,
by report and info; their native frames are there, no Python frame is.

They are copies of a real libpython, changed in what tells its version or its layout, and PyPy.
"""

import os
import re
import shutil
import struct

import pytest

from pyrec_harness import PYREC, clean_environment, find_python, need_program, need_root, run, script

pytestmark = pytest.mark.usefixtures("root")

SPIN = """
import os, time
print(os.getpid())
end = time.process_time() + 0.6
while time.process_time() < end:
    sum(range(1000))
"""
ALPHA_3_16 = 0x031000A2
RC_3_13 = 0x030D00C2
BETA_3_12 = 0x030C00B4
FINAL_3_13 = 0x030D00F0
FAR_FRAME = 3 << 30


@pytest.fixture(scope="module", name="root")
def need():
    need_root()


def library_of(python):
    folder = os.path.join(os.path.dirname(os.path.dirname(python)), "lib")
    (name,) = [name for name in os.listdir(folder) if re.match(r"libpython3\.\d+\.so\.1\.0$", name)]
    return os.path.join(folder, name)


def file_offset(library, symbol):
    """Where a symbol's bytes are in the file."""
    table = run(["readelf", "--dyn-syms", "-W", library]).stdout
    rows = [line.split() for line in table.splitlines()]
    (vaddr,) = [int(row[1], 16) for row in rows if row[7:] == [symbol]]
    for line in run(["readelf", "-lW", library]).stdout.splitlines():
        words = line.split()
        if words[:1] == ["LOAD"]:
            offset, start, _, nr = (int(word, 16) for word in words[1:5])
            if start <= vaddr < start + nr:
                return vaddr - start + offset
    raise AssertionError(f"{symbol} lies in no segment")


def patch(path, at, form, value):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(struct.pack(form, value))


def make_copy(minor, folder, version=None, current_frame=None):
    """(interpreter, environment): its libpython tells another version or another debug offset."""
    python = find_python(minor)
    library = library_of(python)
    copy = os.path.join(folder, os.path.basename(library))
    shutil.copy(library, copy)
    runtime = file_offset(library, "_PyRuntime") if minor == "3.13" else 0
    if version is not None:
        patch(copy, file_offset(library, "Py_Version"), "<Q", version)
        if runtime:
            patch(copy, runtime + 8, "<Q", version)
    if current_frame is not None:
        patch(copy, runtime + 184, "<Q", current_frame)  # thread_state.current_frame
    return python, clean_environment(LD_PRELOAD=copy)


def record(command, path, environment):
    """(pid that the program told, what pyrec said on stderr)."""
    # LD_PRELOAD is for the program, not for pyrec.
    preload = environment.pop("LD_PRELOAD", None)
    prefix = ["env", f"LD_PRELOAD={preload}"] if preload else []
    done = run([PYREC, "record", "-F", "499", "-o", path, "--", *prefix, *command], env=environment)
    assert done.returncode == 0, done.stderr
    return int(done.stdout), done.stderr


def assert_refused(path, said, message, dso):
    """Said once, kept in the file, shown; and what was recorded is native."""
    lines = [line for line in said.splitlines() if "native frames only" in line and "(pid" in line]
    assert lines == [f"pyrec: warning: {message}"]
    report = run([PYREC, "report", "-i", path]).stdout
    (header,) = [line for line in report.splitlines() if line.startswith("# Interpreter:")]
    assert header.endswith(f", 1 process: {message}")
    assert f"    not walked: {message}\n" in run([PYREC, "info", "-i", path]).stdout
    samples = script(path)
    assert len(samples) > 100
    assert not [frame for sample in samples for frame in sample.frames if frame.kind == "p"]
    assert sum(any(dso in frame.dso for frame in s.frames) for s in samples) > len(samples) / 3


@pytest.mark.parametrize(
    "minor, change, told",
    [
        ("3.13", {"version": ALPHA_3_16}, "3.16.0a2"),
        ("3.13", {"version": RC_3_13}, "3.13.0rc2"),
        ("3.13", {"current_frame": FAR_FRAME}, None),
        ("3.12", {"version": BETA_3_12}, "3.12.0b4"),
        ("3.11", {"version": 0x040000F0}, "4.0.0"),
    ],
)
def test_unknown(minor, change, told, tmp_path):
    python, environment = make_copy(minor, str(tmp_path), **change)
    path = str(tmp_path / "pyrec.data")
    version = told or run([python, "-c", "import platform as p; print(p.python_version())"]).stdout
    pid, said = record([python, "-c", SPIN], path, environment)
    message = f"python {version.strip()} (pid {pid}): layout not known, native frames only"
    assert_refused(path, said, message, "/libpython3.")


def test_same_version_is_walked(tmp_path):
    """The copy itself is no reason."""
    python, environment = make_copy("3.13", str(tmp_path), version=FINAL_3_13)
    path = str(tmp_path / "pyrec.data")
    _, said = record([python, "-c", SPIN], path, environment)
    assert "native frames only" not in said
    assert "<module>" in [name for sample in script(path) for name in sample.python_names()]


def test_pypy(tmp_path):
    pypy = need_program("pypy3")
    path = str(tmp_path / "pyrec.data")
    ask = "import sys; print('%d.%d.%d' % sys.pypy_version_info[:3])"
    version = run([pypy, "-c", ask]).stdout.strip()
    pid, said = record([pypy, "-c", SPIN], path, clean_environment())
    message = f"PyPy {version} (pid {pid}): not CPython, native frames only"
    assert_refused(path, said, message, "/libpypy")
