#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Interpreters that Debian has no package of, built from its source packages.

Free-threaded ones, one against musl, one with Py_TRACE_REFS. Made once, a few minutes each, in the
cache beside the unpacked trees; what cannot be had is told and left out, with BUILDS=no also what is
not built yet.

  builds.py [NAME…]    make what is missing and tell where it is
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess
import sys
from dataclasses import dataclass

import debian_archive
import trees

# Bump when a build of an older form does not serve any more.
FORM = "1"
TIMEOUT_SECONDS = 1800
# musl-gcc is this machine's gcc: it tells the name of glibc's triplet, and configure refuses both.
MUSL_GCC = """#!/bin/sh
[ "$1" = --print-multiarch ] && exec echo x86_64-linux-musl
exec musl-gcc "$@"
"""
NEEDED = "import asyncio, unicodedata, zlib"
# Slow to compile, or in want of a library that the machine may lack; no target needs them.
DISABLED = """_bz2 _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw _ctypes
_curses _curses_panel _dbm _decimal _gdbm _hashlib _lzma _sqlite3 _ssl _tkinter _uuid _zstd audioop nis
readline spwd xxlimited xxlimited_35 xxsubtype _xxtestfuzz""".split()


@dataclass
class Build:
    suite: str
    minor: str
    options: list
    is_musl: bool = False

    def package(self):
        return f"python{self.minor}"


BUILDS = {
    "3.13t": Build("trixie", "3.13", ["--disable-gil"]),
    "3.14t": Build("sid", "3.14", ["--disable-gil"]),
    "3.14t-shared": Build("sid", "3.14", ["--disable-gil", "--enable-shared"]),
    "3.15t": Build("sid", "3.15", ["--disable-gil"]),
    "3.13-musl-shared": Build("trixie", "3.13", ["--enable-shared"], True),
    "3.11-tracerefs": Build("bookworm", "3.11", ["--with-trace-refs"]),
    "3.13-tracerefs": Build("trixie", "3.13", ["--with-trace-refs"]),
}


def run(command, folder, **variables):
    debian_archive.run(
        ["nice", *command],
        timeout_seconds=TIMEOUT_SECONDS,
        cwd=folder,
        env={**os.environ, **variables},
    )


def unpack_source(build, package, folder):
    """Upstream's release as Debian has it, without its patches. Return: its folder."""
    archive = debian_archive.Archive(build.suite, folder / "apt", "deb-src")
    archive.update()
    archive.download_source(package, folder)
    (release,) = folder.glob(f"{package}_*.orig.tar.*[z2]")
    inside = folder / package
    inside.mkdir()
    run(["tar", "-x", "--strip-components=1", "-f", str(release)], inside)
    return inside


def prepare_musl(build, work, prefix):
    """A compiler, and zlib: the machine's own is against glibc. Return: variables of configure."""
    compiler = work / "musl-gcc"
    compiler.write_text(MUSL_GCC)
    compiler.chmod(0o755)
    folder = unpack_source(build, "zlib", work)
    run(["./configure", f"--prefix={prefix}"], folder, CC=compiler)
    run(["make", "-j2", "install"], folder)
    zlib = {"ZLIB_CFLAGS": f"-I{prefix}/include", "ZLIB_LIBS": f"-L{prefix}/lib -lz"}
    return {"CC": compiler, "LDFLAGS": f"-Wl,-rpath,{prefix}/lib", **zlib}


def install(source, prefix, minor):
    """Without libinstall, which compiles the whole library twice and more."""
    run(["make", "altbininstall", "inclinstall", "sharedinstall"], source)
    library = prefix / "lib" / next((prefix / "lib").glob(f"python{minor}*")).name
    left_out = shutil.ignore_patterns("test", "tests", "idlelib", "tkinter", "turtledemo", "__pycache__")
    shutil.copytree(source / "Lib", library, ignore=left_out, dirs_exist_ok=True)
    for data in source.glob("build/lib*/_sysconfigdata*.py"):
        shutil.copy(data, library)
    # make passes over a module that does not compile.
    programs = prefix.glob(f"bin/python{minor}*[0-9t]")
    run([max(map(str, programs), key=len), "-c", NEEDED], prefix)


def build_in(build, work, prefix):
    variables = {"OPT": "-DNDEBUG -g -fwrapv -O2"}
    if build.is_musl:
        variables |= prepare_musl(build, work, prefix)
    elif "--enable-shared" in build.options:
        variables["LDFLAGS"] = f"-Wl,-rpath,{prefix}/lib"
    source = unpack_source(build, build.package(), work)
    (source / "Modules" / "Setup.local").write_text("*disabled*\n" + "\n".join(DISABLED) + "\n")
    configure = ["./configure", "-q", f"--prefix={prefix}", "--without-ensurepip"]
    configure += ["--disable-test-modules", *build.options]
    run(configure, source, **variables)
    run(["make", "-s", "-j2"], source)
    install(source, prefix, build.minor)


def make_build(build, prefix):
    """The prefix has its final name from the start, as it is compiled in; a mark tells a whole one."""
    work = prefix.with_name(prefix.name + ".part")
    for folder in (work, prefix):
        shutil.rmtree(folder, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        build_in(build, work, prefix)
        (prefix / "complete").touch()
    finally:
        shutil.rmtree(work)


@contextlib.contextmanager
def build_lock():
    """Two that build at once would remove each other's folders."""
    folder = trees.cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "builds.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def find_builds(names=None, tell=print):
    """{name: prefix}, made where missing; what cannot be built is told and left out."""
    found = {}
    for name, build in BUILDS.items():
        prefix = trees.cache_folder() / f"built-{name}-{FORM}"
        if names is not None and name not in names:
            continue
        try:
            with build_lock():
                if not (prefix / "complete").exists():
                    if os.environ.get("BUILDS") == "no":
                        tell(f"pythons: {name} left out: not built here yet, and BUILDS=no")
                        continue
                    tell(f"pythons: building {name} into {prefix}")
                    make_build(build, prefix)
        except (OSError, subprocess.SubprocessError) as error:
            tell(f"pythons: {name} left out: {str(error).splitlines()[-1]}")
            continue
        found[name] = prefix
    return found


if __name__ == "__main__":
    for built, place in find_builds(sys.argv[1:] or None).items():
        print(f"{built}: {place}", flush=True)
