#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Inputs for fuzz_elf: small files that gcc makes of one source, whole, stripped and with packed
symbols, and small libraries of this machine.

  fuzz_elf_corpus.py FOLDER
"""

import os
import shutil
import subprocess
import sys
import tempfile

SOURCE = """
int called(int a);
__thread int of_thread = 3;
static int inner(int a) { return a * of_thread; }
int outer(int a) { return called(inner(a)) + 1; }
void _start(void) { for (;;) outer(3); }
"""
FORMS = {
    "library": ["-shared", "-fPIC", "-nostdlib", "-Wl,--build-id"],
    "program": ["-static", "-nostdlib", "-Wl,--unresolved-symbols=ignore-all", "-no-pie"],
    "object": ["-c", "-g"],
    "debug": ["-shared", "-fPIC", "-nostdlib", "-g", "-gz"],
}
LIBRARIES = ["libutil.so.1", "libdl.so.2", "libanl.so.1", "libuuid.so.1", "libcap.so.2"]


def run(*command, **options):
    subprocess.run([str(word) for word in command], check=True, **options)


def make_forms(work, folder):
    for name, flags in FORMS.items():
        run("gcc", "-O1", *flags, "-x", "c", "-", "-o", f"{folder}/elf-{name}", input=SOURCE, text=True)
    library = f"{folder}/elf-library"
    run("strip", "-o", f"{folder}/elf-stripped", library)
    with open(f"{work}/packed", "wb") as packed:
        run("xz", "-c", library, stdout=packed)
    run(
        *("objcopy", f"--add-section=.gnu_debugdata={work}/packed"),
        *(f"{folder}/elf-stripped", f"{folder}/elf-packed"),
    )


def main(folder):
    with tempfile.TemporaryDirectory(prefix="pyrec-fuzz-") as work:
        make_forms(work, folder)
    for name in LIBRARIES:
        path = f"/usr/lib/x86_64-linux-gnu/{name}"
        if os.path.exists(path):
            shutil.copy(path, os.path.join(folder, f"elf-{name}"))


main(sys.argv[1])
