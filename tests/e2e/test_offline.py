# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Report knows everything from the file alone: in a chroot that holds nothing but pyrec, the libraries
it is linked with (under other names) and the file, the output is byte for byte the same."""

import os
import re
import shutil

from pyrec_harness import (
    PYREC,
    build_extension,
    clean_environment,
    need_root,
    pyrec,
    record_command,
    run,
    run_target,
)

OUTPUTS = [
    ["report"],
    ["report", "--sort=symbol"],
    ["report", "--sort=pid,comm,dso,srcline", "-g"],
    ["report", "--format=folded"],
    ["script"],
    ["info"],
]


def list_libraries(binary):
    """Paths of the loader and of every library that binary needs."""
    return re.findall(r"(/\S+) \(0x", run(["ldd", binary]).stdout)


def make_bare_root(folder, path):
    """A root folder without a single file at the place where it was recorded."""
    os.makedirs(f"{folder}/bare/tmp")
    libraries = list_libraries(PYREC)
    for file in [PYREC, path, *libraries]:
        shutil.copy(file, f"{folder}/bare/{os.path.basename(file)}")
    loader = next(file for file in libraries if "ld-linux" in file)
    return f"{folder}/bare", ["/" + os.path.basename(loader), "--library-path", "/", "/pyrec"]


def here_only(command):
    """This machine may have debug files of what was recorded, and would show what is inlined."""
    return [] if command == "info" else ["--no-local-files"]


def test_same_output_where_nothing_recorded_is_seen(python, workdir):
    need_root()
    extension = build_extension(python, workdir)
    path = f"{workdir}/x.data"
    record_command(path, run_target(python, "fixed_stack.py", 1, extension), "-F", "499")
    root, command = make_bare_root(workdir, path)
    for arguments in OUTPUTS:
        here = pyrec(*arguments, *here_only(arguments[0]), "-i", "x.data", cwd=workdir)
        bare = run(
            [*command, *arguments, "-i", "x.data"],
            env=clean_environment(HOME="/"),
            preexec_fn=lambda: (os.chroot(root), os.chdir("/")),
        )
        assert bare.returncode == 0, bare.stderr
        assert bare.stdout == here.stdout, arguments
        assert here.stdout.strip()
