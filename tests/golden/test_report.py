# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A small recording with disturbing names in, text out, byte for byte.

The recording is made by make_recording.c, the texts beside this file in report/ were checked by hand
against it. UPDATE=1 writes them anew: look at the difference before you commit it.
"""

import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PYREC = os.environ.get("PYREC", os.path.join(ROOT, "pyrec"))

CASES = {
    "text": ["report"],
    "text_tree": ["report", "-g", "--sort=symbol"],
    "text_callee": ["report", "-gcallee", "--no-children", "--sort", "kind,sym"],
    "text_srcline": ["report", "--sort=comm,pid,tid,srcline", "--percent-limit=1"],
    "text_filtered": ["report", "--symbol=Klasse*,ext4_read", "--pid=100", "--comm=py*"],
    "text_containers": ["report", "--sort=cgroup,container", "--no-children"],
    "text_cgroup": ["report", "--cgroup=0123456789ab", "--sort=container", "--no-children"],
    "text_other_cgroup": ["report", "--cgroup=evil*", "--sort=container", "--no-children"],
    "text_ns_pid": ["report", "--ns-pid", "--sort=pid,tid", "--pid=1", "--no-children"],
    "text_nothing": ["report", "--comm=nobody"],
    "text_python_only": ["report", "--python-only", "--no-children"],
    "folded": ["report", "--format=folded"],
    "folded_kinds": ["report", "--format=folded", "--annotate-kinds", "--no-pid"],
    "folded_period": ["report", "--format=folded", "--weight=period", "--no-kernel"],
    "folded_filtered": ["report", "--format=folded", "--dso=main.py", "--tid=100"],
    "folded_nothing": ["report", "--format=folded", "--symbol=nothing"],
    "script": ["script"],
    "script_lines": ["script", "--lines", "--python-only"],
    "script_ns_pid": ["script", "--ns-pid", "--python-only"],
    "script_form": ["report", "--format=perf-script"],
}


def pyrec(*arguments, status=0, **options):
    result = subprocess.run(
        [PYREC, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **options
    )
    assert result.returncode == status, result.stderr.decode()
    return result


def check_golden(name, output):
    path = os.path.join(HERE, "report", name + ".txt")
    if os.environ.get("UPDATE"):
        with open(path, "wb") as file:
            file.write(output)
    with open(path, "rb") as file:
        expected = file.read()
    assert output.decode() == expected.decode()


@pytest.mark.parametrize("name", CASES)
def test_text(name, make_recording):
    result = pyrec(*CASES[name], "-i", make_recording("small.data", "--samples=6"))
    check_golden(name, result.stdout)
    assert result.stderr == b""


ASYNC_CASES = {
    "async_text": ["report", "--sort=task,symbol", "--no-children", "--python-only"],
    "async_filtered": ["report", "--sort=comm,task", "--task=Task-*,gr*"],
    "async_folded": ["report", "--format=folded", "--show-task", "--python-only"],
    "async_script": ["script", "--show-task", "--python-only"],
}


@pytest.mark.parametrize("name", ASYNC_CASES)
def test_async_tasks(name, make_recording):
    path = make_recording("async.data", "--samples=9", "--async")
    result = pyrec(*ASYNC_CASES[name], "-i", path)
    check_golden(name, result.stdout)
    assert not set(result.stdout) - {9, 10} & set([*range(32), 127])


def test_async_tasks_are_off_by_default(make_recording):
    """Without being asked for, they change nothing."""
    path = make_recording("async.data", "--samples=9", "--async")
    without = make_recording("no-async.data", "--samples=9")
    for arguments in (["script"], ["report"], ["report", "--format=folded"]):
        assert pyrec(*arguments, "-i", path).stdout == pyrec(*arguments, "-i", without).stdout


def test_names_are_harmless_everywhere(make_recording):
    """No form lets a control character of the recorded machine through."""
    path = make_recording("small.data", "--samples=6")
    for arguments in CASES.values():
        output = pyrec(*arguments, "-i", path).stdout
        assert not set(output) - {9, 10} & set([*range(32), 127]), arguments
        output.decode("utf-8", "strict")


@pytest.mark.parametrize("arguments", [[], ["--plain"]])
def test_compression_and_pipe_format_change_nothing(arguments, make_recording):
    small = make_recording("small.data", "--samples=6")
    other = make_recording("other" + "".join(arguments), "--samples=6", *arguments)
    output = pyrec("script", "-i", small).stdout
    assert pyrec("script", "-i", other).stdout == output
    with open(other, "rb") as file:
        assert pyrec("script", "-i", "-", stdin=file).stdout == output


def test_killed_recorder(make_recording):
    """Without its end the file has no bundle and no symbols, but its samples."""
    path = make_recording("killed.data", "--samples=6", "--unfinished")
    check_golden("text_killed", pyrec("report", "-i", path).stdout)


def test_damage_is_told_after_what_could_be_read(make_recording, tmp_path):
    path = make_recording("plain.data", "--samples=6", "--plain")
    with open(path, "rb") as file:
        content = file.read()
    cut = tmp_path / "cut.data"
    cut.write_bytes(content[: content.rindex(b"PYFR") - 10])
    result = pyrec("script", "-i", cut, status=1)
    (line,) = result.stderr.decode().splitlines()
    assert str(cut) in line and "offset" in line
    whole = pyrec("script", "-i", path).stdout
    assert result.stdout.count(b"cpu-clock:") in range(1, whole.count(b"cpu-clock:"))


def test_closed_pipe_is_no_message(make_recording):
    path = make_recording("many.data", "--samples=5000")
    command = f"{PYREC} script -i {path} | head -n 3; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60, check=True)
    assert result.stderr == b""
    assert result.stdout.splitlines()[-1] == b"141"


def test_full_disk_is_a_message(make_recording):
    path = make_recording("small.data", "--samples=6")
    for arguments in (["report"], ["report", "--format=folded"], ["script"]):
        with open("/dev/full", "wb") as full:
            result = subprocess.run(
                [PYREC, *arguments, "-i", path], stdout=full, stderr=subprocess.PIPE, check=False
            )
        assert result.returncode == 1
        (line,) = result.stderr.decode().splitlines()
        assert "No space left" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "--sort=colour"],
        ["report", "--format=svg"],
        ["report", "--percent-limit=many"],
        ["report", "--percent-limit=nan"],
        ["report", "-gsideways"],
        ["report", "--unknown"],
        ["script", "--sort=symbol"],
        ["diff", "file"],
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments):
    result = pyrec(*arguments, status=129)
    assert result.stdout == b""
    assert result.stderr.startswith(b"pyrec " + arguments[0].encode())
