# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Extension modules of tests/targets, compiled for one interpreter with its own headers."""

import concurrent.futures
import os
import shutil
import subprocess
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGETS = os.path.join(ROOT, "tests", "targets")
TIMEOUT_SECONDS = 120
# Frames of C++ as people build them; the unwinder must not need a frame pointer, nor mind one.
CXX_FLAVOURS = {
    "cxxext_o0": ["-O0"],
    "cxxext_o2": ["-O2"],
    "cxxext_o3": ["-O3", "-fomit-frame-pointer"],
    "cxxext_fp": ["-O2", "-fno-omit-frame-pointer"],
}


@dataclass
class Headers:
    """Where an interpreter's headers are, and what its modules are called."""

    include: str  # the folder of Python.h
    suffix: str
    tree: str = ""  # an unpacked tree, whose /usr/include serves what this machine lacks

    def has_python_h(self):
        return os.path.exists(os.path.join(self.include, "Python.h"))

    def options(self):
        # Headers of the tree only where this machine has none: pyconfig.h is in two places.
        return ["-shared", "-fPIC", "-g", "-I", self.include, "-idirafter", f"{self.tree}/usr/include"]


    def compiler(self):
        return "musl-gcc" if "-musl" in self.suffix else "gcc"


def compile_module(headers, command, name, folder):
    """None, or the compiler's first complaint."""
    output = os.path.join(folder, name + headers.suffix)
    done = subprocess.run(
        [*command, *headers.options(), "-o", output],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    return (errors or [done.stderr])[0] if done.returncode else None


def build_c(headers, folder):
    source = os.path.join(TARGETS, "spinext.c")
    return compile_module(headers, [headers.compiler(), "-O2", "-Wall", source], "spinext", folder)


def build_cxx(headers, name, folder):
    if headers.compiler() != "gcc":
        return f"{headers.compiler()} has no C++ library"
    source = os.path.join(TARGETS, "cxxext.cpp")
    # A tree has no C++ library of its own.
    libraries = ["-static-libstdc++", "-static-libgcc"]
    command = ["g++", *CXX_FLAVOURS[name], f"-DMODULE={name}", *libraries, source]
    return compile_module(headers, command, name, folder)


def build_cython(headers, folder):
    if not shutil.which("cython3"):
        return "cython3 is not installed"
    made = os.path.join(folder, "cyext.c")
    command = ["cython3", os.path.join(TARGETS, "cyext.pyx"), "-o", made]
    subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_SECONDS)
    return compile_module(headers, [headers.compiler(), "-O1", "-w", made], "cyext", folder)


def build_all(headers, folder):
    """{module: None, or why it cannot be built}."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = {name: pool.submit(build_cxx, headers, name, folder) for name in CXX_FLAVOURS}
        jobs["cyext"] = pool.submit(build_cython, headers, folder)
        jobs["spinext"] = pool.submit(build_c, headers, folder)
        return {name: job.result() for name, job in jobs.items()}
