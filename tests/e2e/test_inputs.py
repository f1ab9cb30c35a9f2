# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Slices of time, several recordings together, and two of them compared."""

import re

import pytest

from pyrec_harness import (
    PYREC,
    documents,
    find_python,
    need_program,
    need_root,
    parse_script,
    pyrec,
    record_command,
    run,
    run_target,
    script,
)

SECONDS = 4
OLD_SHARES = {"half": 50, "third": 30, "fifth": 20}
NEW_SHARES = {"half": 20, "third": 30, "fifth": 50}
TOLERANCE_POINTS = 3


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """The same program with its time split in two ways, the second on a machine of another name."""
    need_root()
    need_program("unshare")
    folder = tmp_path_factory.mktemp("inputs")
    old, new = str(folder / "old.data"), str(folder / "new.data")
    python = find_python("system")
    documents(record_command(old, run_target(python, "split.py", SECONDS), "-F", "499").stdout)
    shares = [share / 100 for share in NEW_SHARES.values()]
    command = [PYREC, "record", "-F", "499", "-o", new, "--"]
    command += run_target(python, "split.py", SECONDS, *shares)
    other = ["unshare", "--uts", "sh", "-c", 'hostname other-host && exec "$@"', "sh"]
    assert run([*other, *command]).returncode == 0
    return old, new


def rows(*arguments):
    """The cells of each row below the header of a report."""
    lines = pyrec(*arguments).stdout.splitlines()
    return [line.split() for line in lines if line.strip() and not line.startswith("#")]


def samples_of(*arguments):
    """{the text of the last columns: samples} of a report without children."""
    found = rows("report", "--no-children", "--python-only", *arguments)
    return {" ".join(row[2:]): int(row[1]) for row in found}


def test_slices_of_time(recordings):
    whole = script(recordings[0])
    times = [sample.time_ns for sample in whole]
    cut = times[len(times) // 3] / 1e9
    relative = f"{(times[-1] - times[0]) / 2e9:.6f}"
    before = parse_script(pyrec("script", "-i", recordings[0], f"--time=,{cut:.6f}").stdout)
    after = parse_script(pyrec("script", "-i", recordings[0], f"--time={cut:.6f},").stdout)
    assert len(before) + len(after) == len(whole) and before and after
    assert all(sample.time_ns / 1e9 < cut for sample in before)
    assert all(sample.time_ns / 1e9 > cut - 1e-6 for sample in after)
    # Times are printed in microseconds: one sample may stand on the edge.
    half = parse_script(pyrec("script", "-i", recordings[0], f"--time=+{relative},").stdout)
    expected = sum(time >= (times[0] + times[-1]) / 2 for time in times)
    assert abs(len(half) - expected) <= 1


@pytest.mark.parametrize("wrong", ["1", "1,2,3", "a,", "1s,", "+,1", ".5,", "99999999999999999999,"])
def test_wrong_time(wrong):
    result = pyrec("report", f"--time={wrong}", status=129)
    assert "--time wants FROM,TO in seconds" in result.stderr


def test_several_together(recordings):
    old, new = recordings
    apart = [samples_of(path, "--sort=symbol") for path in recordings]
    together = samples_of(old, new, "--sort=symbol")
    assert together == {
        name: sum(side.get(name, 0) for side in apart) for name in apart[0].keys() | apart[1].keys()
    }
    by_host = samples_of(old, new, "--sort=host,symbol")
    assert by_host["other-host [p] fifth"] == apart[1]["[p] fifth"]
    assert sum(by_host.values()) == sum(together.values())
    assert len({name.split()[0] for name in by_host}) == 2
    both = parse_script(pyrec("script", old, "-i", new).stdout)
    assert len(both) == len(script(old)) + len(script(new))


def test_compare(recordings):
    """Shares in points of each recording's own samples, as the program itself has split its time."""
    found = {}
    for row in rows("diff", "--python-only", "--children", *recordings):
        match = re.fullmatch(r"\[p\] (half|third|fifth)", " ".join(row[8:]))
        if match:
            found[match[1]] = row
    for name, row in found.items():
        old, new, points = (float(cell.rstrip("%")) for cell in row[:3])
        assert abs(old - OLD_SHARES[name]) <= TOLERANCE_POINTS
        assert abs(new - NEW_SHARES[name]) <= TOLERANCE_POINTS
        assert abs(points - (new - old)) < 0.011
    assert found.keys() == OLD_SHARES.keys()
    same = rows("diff", recordings[0], recordings[0])
    assert {cell for row in same for cell in (row[2], row[5])} <= {"+0.00"}
