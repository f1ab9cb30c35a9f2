#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Unpacked trees of interpreters that the machine lacks, from Debian's archive, to run by chroot.

Made once, in ${XDG_CACHE_HOME:-~/.cache}/pyrec-tests/pythons; without network the ones that are there
serve. A tree under construction has another name, so one that was interrupted is begun anew.

  trees.py    make what is missing and tell where it is
"""

import os
import pathlib
import shutil
import stat
import subprocess
import sys

import debian_archive

# Suite -> minor versions to take from it, where it has them. FLAVOURS are Debian's packages.
SUITES = {
    "bullseye": ["2.7", "2.7-dbg", "3.9"],
    "bookworm": ["3.11-dbg"],
    "trixie": ["3.13", "3.13-dbg"],
    "sid": ["3.13", "3.14", "3.15", "3.14-dbg", "3.15-dbg"],
}
# Bump when a tree of an older form does not serve any more.
FORM = "1"
# What a merged /usr needs; the package that has these links has scripts to run, too.
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
EMBEDDER = "int MAIN(int, char **); int main(int n, char **v) { return MAIN(n, v); }"


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "pyrec-tests" / "pythons"


def packages_of(flavour):
    """(with dependencies, alone: headers) of "3.14" or "3.14-dbg"."""
    minor, _, debug = flavour.partition("-")
    if debug:
        return [f"python{minor}-dbg"], [f"libpython{minor}-dev"]
    return [f"python{minor}", f"libpython{minor}"], [f"libpython{minor}-dev"]


def build_embedder(tree, minor):
    """A program that uses the tree's libpython: Debian's own interpreters are static."""
    library = tree / f"usr/lib/x86_64-linux-gnu/libpython{minor}.so.1.0"
    if not library.exists():
        return
    program = tree / f"usr/local/bin/python{minor}"
    program.parent.mkdir(parents=True, exist_ok=True)
    # The library's own needs are the tree's, not this machine's.
    options = ["-O2", "-Wl,--unresolved-symbols=ignore-in-shared-libs"]
    options.append("-DMAIN=" + ("Py_Main" if minor == "2.7" else "Py_BytesMain"))
    command = ["gcc", "-x", "c", "-", "-x", "none", *options, "-o", program, library]
    subprocess.run(command, input=EMBEDDER, text=True, check=True, timeout=60)


def unmerge(tree):
    """Older packages have files in /lib itself: into /usr with them, links in their place."""
    for name, target in LINKS.items():
        folder = tree / name
        (tree / target).mkdir(parents=True, exist_ok=True)
        if folder.is_dir() and not folder.is_symlink():
            shutil.copytree(folder, tree / target, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(folder)
        if not folder.is_symlink():
            folder.symlink_to(target)


def make_tree(suite, tree):
    work = tree.with_name(tree.name + ".part")
    downloads = tree.with_name(tree.name + ".apt")
    for folder in (work, downloads):
        shutil.rmtree(folder, ignore_errors=True)
    work.mkdir(parents=True)
    archive = debian_archive.Archive(suite, downloads)
    archive.update()
    wanted, alone = [], []
    for flavour in SUITES[suite]:
        needed, headers = packages_of(flavour)
        if all(map(archive.has, needed)):
            wanted += needed
            alone += [name for name in headers if name not in alone and archive.has(name)]
    if not wanted:
        raise OSError(f"{suite} has none of {', '.join(SUITES[suite])}")
    archive.unpack(wanted, alone, work)
    unmerge(work)
    for folder in ("tmp", "proc", "dev", "opt/pyrec"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    for minor in sorted({flavour.partition("-")[0] for flavour in SUITES[suite]}):
        build_embedder(work, minor)
    work.rename(tree)
    shutil.rmtree(downloads)


def make_devices(tree):
    """What Python needs of /dev: 2.7 has no other source of random numbers."""
    for name, minor in (("null", 3), ("urandom", 9)):
        path = tree / "dev" / name
        if os.geteuid() == 0 and not path.exists():
            os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, minor))


def find_trees(tell=print):
    """{suite: folder}, made where missing; a suite that cannot be had is told and left out."""
    trees = {}
    for suite in SUITES:
        tree = cache_folder() / f"{suite}-{FORM}"
        if not tree.is_dir():
            tell(f"pythons: unpacking {', '.join(SUITES[suite])} of {suite} into {tree}")
            try:
                make_tree(suite, tree)
            except debian_archive.NoArchive as error:
                tell(f"pythons: {suite} left out, its archive does not answer: {str(error).splitlines()[-1]}")
                continue
            except (OSError, subprocess.SubprocessError) as error:
                if os.environ.get("REQUIRE") == "all":
                    raise
                tell(f"pythons: {suite} left out: {error}")
                continue
        make_devices(tree)
        trees[suite] = tree
    return trees


if __name__ == "__main__":
    for name, place in find_trees().items():
        print(f"{name}: {place}")
        sys.stdout.flush()
