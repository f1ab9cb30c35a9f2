# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Builds tests/targets/embed.c, a C program with Python inside, in each way that programs have it,
and compares its samples with what it declares."""

import os
import re
import subprocess
from dataclasses import dataclass

from declared_stacks import describe, find_impossible
from pyrec_harness import TARGETS, TIMEOUT_SECONDS, clean_environment, documents, within, skip

OPTIONS = ["-O2", "-g", "-Wall", "-Wextra", "-Wno-cast-function-type"]  # 3.6's own headers warn
FILLING_MODULES_NR = 20
FILLING_MODULE = "__thread int filling[16]; int *f(void); int *f(void) { return filling; }"
QUESTION = """
import sys, sysconfig as s
names = "INCLUDEPY LIBDIR LIBPL LDLIBRARY LIBRARY VERSION LDVERSION LIBS SYSLIBS".split()
for name in names: print("%s=%s" % (name, s.get_config_var(name)))
print("PREFIX=" + sys.prefix)
"""


@dataclass
class Embedder:
    """A program and how it is run."""

    command: list
    environment: dict
    object_name: str  # of the file that has the C functions

    def run_script(self, name, cycles_nr, *arguments, keys_nr=0):
        return [*self.command, keys_nr, cycles_nr, os.path.join(TARGETS, name), *arguments]

    def run_parts(self, cycles_nr, seconds, keys_nr):
        """embedded.py, whose parts check_samples() knows."""
        arguments = [seconds, self.object_name]
        return self.run_script("embedded.py", cycles_nr, *arguments, keys_nr=keys_nr)


def ask(python):
    answer = subprocess.run([python, "-c", QUESTION], capture_output=True, text=True, check=True)
    facts = dict(line.split("=", 1) for line in answer.stdout.splitlines())
    if facts["LDVERSION"] == "None":  # 2.7
        facts["LDVERSION"] = facts["VERSION"]
    if not os.path.exists(os.path.join(facts["INCLUDEPY"], "Python.h")):
        skip(f"prerequisite Python.h of {python}: not in {facts['INCLUDEPY']}")
    return facts


def compile_c(source, output, *options, text=None):
    command = ["gcc", *OPTIONS, *source, "-o", output, *options, "-lpthread", "-ldl"]
    subprocess.run(command, check=True, timeout=TIMEOUT_SECONDS, input=text, text=True)
    return output


def shared_library(facts, python):
    """The interpreter's libpython.so; Debian's own program does without, its library does not."""
    name = f"libpython{facts['LDVERSION']}.so"
    path = os.path.join(facts["LIBDIR"], name)
    for place in (path, f"/usr/lib/x86_64-linux-gnu/{name}"):
        if os.path.exists(place):
            return os.path.realpath(place)
    return skip(f"prerequisite {name}: {python} has none in {facts['LIBDIR']}")


def build_linked(python, folder, name="my app"):
    """Linked with libpython.so; neither its name nor its folder tells that it is a Python."""
    facts = ask(python)
    library = shared_library(facts, python)
    source = [os.path.join(TARGETS, "embed.c"), "-I", facts["INCLUDEPY"]]
    run_path = f"-Wl,-rpath,{os.path.dirname(library)}"
    program = compile_c(source, os.path.join(folder, name), library, run_path)
    return Embedder([program], {"PYTHONHOME": facts["PREFIX"]}, name)


def build_static(python, folder, name="static worker"):
    """With libpython.a in the program."""
    facts = ask(python)
    archive = os.path.join(facts["LIBPL"], f"libpython{facts['LDVERSION']}.a")
    if not os.path.exists(archive):
        skip(f"prerequisite {archive}: {python} has no static library")
    source = [os.path.join(TARGETS, "embed.c"), "-I", facts["INCLUDEPY"], archive]
    libraries = [word for word in f"{facts['LIBS']} {facts['SYSLIBS']}".split() if word[:2] == "-l"]
    # The last two for modules that Debian has inside: its libpython is not built for PIE either.
    options = ["-no-pie", "-rdynamic", *libraries, "-lm", "-lz", "-lexpat"]
    program = compile_c(source, os.path.join(folder, name), *options)
    return Embedder([program], {"PYTHONHOME": facts["PREFIX"]}, name)


def build_late(python, folder, name="worker"):
    """Loads libpython.so by dlopen() when it has run for a while."""
    facts = ask(python)
    library = shared_library(facts, python)
    program = compile_c([os.path.join(TARGETS, "embed_late.c")], os.path.join(folder, name))
    source = [os.path.join(TARGETS, "embed.c"), "-I", facts["INCLUDEPY"], "-DEMBED_BODY"]
    body = compile_c(source, os.path.join(folder, "embed_body.so"), "-shared", "-fPIC")
    for number in range(FILLING_MODULES_NR):
        module = os.path.join(folder, f"filling{number}.so")
        compile_c(["-x", "c", "-"], module, "-shared", "-fPIC", text=FILLING_MODULE)
    environment = {
        "PYTHONHOME": facts["PREFIX"],
        "EMBED_LATE_MODULES": f"{FILLING_MODULES_NR}:{folder}/filling%d.so",
    }
    return Embedder([program, library, body], environment, "embed_body")


def environment_of(embedder):
    return clean_environment(**embedder.environment)


def check_samples(everything, output, embedder, parts_nr, samples_min=4):
    """Each part's samples within its window; {name of the leaf: samples}."""
    parts = documents(output)
    program = os.path.basename(embedder.command[0])
    assert len(parts) == parts_nr, output
    leaves = {}
    for part in parts:
        own = within([s for s in everything if s.tid == part["tid"]], *part["window"])
        assert len(own) >= samples_min, f"{len(own)} samples in {part}"
        impossible = find_impossible(own, part["stacks"], program)
        assert not impossible, describe(impossible, own)
        leaf = part["stacks"][0][-1]
        leaves.setdefault(leaf.get("python") or leaf["native"], []).extend(own)
    return leaves


def leaf_names(leaves):
    """Cycles that Python code ran in, by the numbers in its names."""
    return sorted(re.sub(r"^leaf_", "", name) for name in leaves if name.startswith("leaf_"))
