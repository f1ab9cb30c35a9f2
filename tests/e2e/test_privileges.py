# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Without privileges record says in one sentence what it needs; report needs none."""

import os
import shutil

import pytest

from pyrec_harness import PYREC, SYSTEM_PYTHON, need_root, record_command, run

NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}


@pytest.fixture
def as_nobody(workdir):
    """Runs pyrec as a user who has no capability, from a place that user can read."""
    need_root()
    os.chmod(workdir, 0o755)
    binary = shutil.copy(PYREC, f"{workdir}/pyrec")
    writable = f"{workdir}/out"
    os.mkdir(writable)
    os.chmod(writable, 0o777)
    return lambda *arguments: run([binary, *arguments], cwd=writable, **NOBODY)


@pytest.mark.parametrize("mode", [["-a", "-d", "1"], ["-p", "1"], ["--", SYSTEM_PYTHON, "-V"]])
def test_record_says_what_it_needs(as_nobody, mode):
    result = as_nobody("record", "-o", "x.data", *mode)
    assert result.returncode == 1
    assert result.stdout == ""
    (sentence,) = result.stderr.splitlines()
    assert "CAP_BPF" in sentence and "CAP_PERFMON" in sentence and "root" in sentence


def test_record_leaves_no_file(as_nobody, workdir):
    as_nobody("record", "-o", "x.data", "-a", "-d", "1")
    assert os.listdir(f"{workdir}/out") == []


def test_report_needs_no_privilege(as_nobody, workdir):
    path = f"{workdir}/x.data"
    spin = "import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass\n"
    record_command(path, [SYSTEM_PYTHON, "-c", spin], "-F", "99")
    assert os.stat(path).st_mode & 0o777 == 0o600
    os.chmod(path, 0o644)
    result = as_nobody("report", "-i", path)
    assert result.returncode == 0
    assert "<module>" in result.stdout
