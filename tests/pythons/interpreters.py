# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every interpreter that the matrix runs: pyenv's, the system's own, and those of the trees."""

import contextlib
import glob
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

import extensions
import pyrec_harness as harness

# Prints what it is and waits, so that its mappings can be looked at. Any version understands it.
SELF = """
import sys, sysconfig
kinds = [("debug", "gettotalrefcount"), ("trace refs", "getobjects")]
words = [sys.version.split()[0], ", ".join(kind for kind, mark in kinds if hasattr(sys, mark)),
         sysconfig.get_config_var("INCLUDEPY") if sys.version < "3" else sysconfig.get_path("include"), sysconfig.get_config_var("EXT_SUFFIX") or ".so",
         "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""]
print("|".join(words))
sys.stdout.flush()
sys.stdin.read()
"""


@dataclass
class Interpreter:
    program: str  # as seen from root
    root: str  # "" or the tree to chroot into
    version: str = ""
    build: str = ""  # "static, stripped", "shared, debug"
    include: str = ""
    suffix: str = ""  # of extension modules

    def command(self, *arguments):
        prefix = ["chroot", self.root] if self.root else []
        return [*prefix, self.program, *map(str, arguments)]

    def place(self):
        """"pyenv", "system", "sid", "built"."""
        folder = re.search(r"/(built)-[^/]*/bin/", self.program)
        if folder:
            return folder[1]
        if self.root:
            return os.path.basename(self.root).partition("-")[0]
        return "pyenv" if self.program.startswith(harness.PYENV_ROOT) else "system"

    def sort_key(self):
        return [int(part) for part in re.findall(r"\d+", self.version)] + [self.build, self.root]

    @contextlib.contextmanager
    def workdir(self):
        """(folder as this process sees it, as the interpreter sees it), with the targets in it."""
        base = os.path.join(self.root, "tmp") if self.root else None
        with tempfile.TemporaryDirectory(prefix="pyrec-pythons-", dir=base) as folder:
            for source in glob.glob(os.path.join(harness.TARGETS, "*.py")):
                shutil.copy(source, folder)
            yield folder, folder[len(self.root) :]

    def headers(self):
        return extensions.Headers(self.root + self.include, self.suffix, self.root)


def runtime_file(pid):
    """The mapped file that has the interpreter in it: libpython, else the program."""
    paths = re.findall(r"r-xp \S+ \S+ \d+ +(/.*)", pathlib.Path(f"/proc/{pid}/maps").read_text())
    libraries = [path for path in paths if re.search(r"/libpython[^/]*\.so", path)]
    return (libraries or [os.readlink(f"/proc/{pid}/exe")])[0], bool(libraries)


def describe(interpreter):
    """Fill in what only the interpreter itself knows. False: it does not start."""
    with subprocess.Popen(
        interpreter.command("-c", SELF),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=harness.clean_environment(),
        text=True,
    ) as process:
        words = process.stdout.readline().strip().split("|")
        if len(words) != 5:
            process.kill()
            return False
        file, is_shared = runtime_file(process.pid)
    sections = subprocess.run(
        ["readelf", "-SW", file], capture_output=True, text=True, check=True
    ).stdout
    parts = ["shared" if is_shared else "static"]
    parts += [] if " .symtab " in sections else ["stripped"]
    interpreter.version = words[0] + words[4]
    parts += ["musl"] if "-musl" in words[3] else []
    interpreter.build = ", ".join(parts + ([words[1]] if words[1] else []))
    interpreter.include, interpreter.suffix = words[2:4]
    return True


def candidates(trees, builds):
    for prefix in builds:
        paths = glob.glob(f"{prefix}/bin/python[23]*")
        programs = [path for path in paths if re.search(r"/python\d\.\d+t?$", path)]
        yield Interpreter(max(programs, key=len), "")  # python3.14 is python3.14t
    for path in glob.glob(os.path.join(harness.PYENV_ROOT, "versions", "*", "bin", "python")):
        yield Interpreter(path, "")
    yield Interpreter(os.path.realpath(harness.SYSTEM_PYTHON), "")
    for tree in map(str, trees):
        for path in glob.glob(f"{tree}/usr/bin/python[23].*") + glob.glob(
            f"{tree}/usr/local/bin/python*"
        ):
            # A debug build is python3.11d, to which python3.11-dbg is a link; 2.7's is python2.7-dbg.
            if re.search(r"/python\d\.\d+(d|-dbg)?$", path) and not os.path.islink(path):
                yield Interpreter(path[len(tree) :], tree)


def find_interpreters(trees, builds=()):
    """trees: unpacked ones, to chroot into; builds: prefixes."""
    found = [interpreter for interpreter in candidates(trees, builds) if describe(interpreter)]
    return sorted(found, key=Interpreter.sort_key)


def is_wanted(version, wanted):
    """wanted: minor or whole versions; empty: all."""
    return not wanted or any(version == w or version.startswith(w + ".") for w in wanted)
