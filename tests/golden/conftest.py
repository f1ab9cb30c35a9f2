# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the golden tests share: the generator of recordings, pyrec, how to run a program."""

import glob
import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PYREC = os.environ.get("PYREC", os.path.join(ROOT, "pyrec"))


def run(*command, status=0, **options):
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **options
    )
    assert result.returncode == status, result.stderr.decode(errors="replace")
    return result


@pytest.fixture(scope="session")
def pyrec():
    """pyrec(argument, …, status=0): what running it gave."""

    def run_pyrec(*arguments, **options):
        return run(PYREC, *arguments, **options)

    return run_pyrec


@pytest.fixture(scope="session")
def make_recording(tmp_path_factory):
    """make_recording(name, option, …): path of a recording that make_recording.c wrote."""
    folder = tmp_path_factory.mktemp("golden")
    program = folder / "make_recording"
    sources = glob.glob("common/*.c", root_dir=ROOT) + glob.glob("format/*.c", root_dir=ROOT)
    run(
        *(os.environ.get("CC", "gcc"), "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-I."),
        *("-o", program, "tests/golden/make_recording.c", *sources, "-lzstd", "-lelf", "-llzma"),
        cwd=ROOT,
    )

    def make(name, *options):
        path = folder / name
        if not path.exists():
            run(program, *options, path)
        return str(path)

    make.program = str(program)
    return make
