# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The examples that the pages mark as tested: each command is run, and what the page prints below it
must come, whatever the numbers and so the order. A lone ellipsis stands for any lines."""

import os
import re
import shutil
import subprocess

import pytest

from pages import COMMANDS, PYREC, ROOT, man_page, section, terms, marked_examples

EXAMPLE_FOLDER = "/srv/demo"
SYSTEM_PYTHON = "/usr/bin/python3"
# Labels of lines that tell of the machine or the moment.
MACHINE = r"(# Recorded:|# Interpreter:|host|kernel|processor|command|# Command:|  CPython|# cmdline :)"


def need_recording():
    """Skip by name where this machine cannot run the examples."""
    reason = None
    if os.geteuid() != 0:
        reason = "prerequisite root: recording needs it"
    elif not os.path.exists(SYSTEM_PYTHON):
        reason = f"prerequisite {SYSTEM_PYTHON}: not installed"
    if reason and os.environ.get("REQUIRE") == "all":
        pytest.fail(f"REQUIRE=all forbids this skip: {reason}")
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="module", name="shell")
def make_shell(tmp_path_factory):
    """Runs a command line where pyrec, python3 and text_work.py are at hand."""
    need_recording()
    folder = tmp_path_factory.mktemp("examples")
    programs = tmp_path_factory.mktemp("programs")
    os.symlink(PYREC, programs / "pyrec")
    os.symlink(SYSTEM_PYTHON, programs / "python3")
    shutil.copy(os.path.join(ROOT, "tests/targets/text_work.py"), folder)
    environment = {**os.environ, "PATH": f"{programs}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}

    def run(command, stderr=subprocess.STDOUT):
        result = subprocess.run(
            ["bash", "-c", "set -o pipefail; " + command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        return result.returncode, result.stdout.replace(str(folder), EXAMPLE_FOLDER)

    status, _ = run("pyrec record -F 499 -d 2 -q -- python3 text_work.py")
    assert status == 0
    return run


def shape(line):
    """A line without its numbers, addresses and widths; what is the machine's own is its label only."""
    machine = re.match(MACHINE, line)
    if machine:
        return machine[0]
    line = re.sub(r"\b(0x)?[0-9a-f]{6,}\b", "0", line)
    line = re.sub(r"\b0x[0-9a-f]+\b", "0", line)
    line = re.sub(r"\d+(\.\d+)*", "0", line)
    line = re.sub(r"^\s+[0-9a-f]{1,2} py::", "0 py::", line)
    line = re.sub(r"\b[kMG]?B\)$", "B)", line)
    line = re.sub(r"[.]{3,}", "..", re.sub(r"-{2,}|\s+", " ", line))
    return re.sub(r"process\b|processes\b", "process", line).strip(" |")


def check_output(expected, output):
    real = {shape(line) for line in output.splitlines()}
    for line in expected:
        if line.strip() not in ("…", ""):
            assert shape(line) in real, f"does not come: {line!r}\n{output[:6000]}"


@pytest.mark.parametrize("example", marked_examples(), ids=str)
def test_example(example, shell):
    for command, expected in example.commands:
        status, output = shell(command.replace("-d 5", "-d 3"))
        assert status == 0, output
        check_output(expected, output)


# ---- Exit status ----

STATUSES = {
    None: {"0": "pyrec --version", "1": "pyrec info -i text_work.py", "129": "pyrec nothing"},
    "record": {
        "0": "pyrec record -o other.data -d 1 -- sleep 9",
        "1": "pyrec record -o /no/such/folder/file -d 1",
        "129": "pyrec record -F 0",
    },
    "report": {
        "0": "pyrec report --comm=nobody",
        "1": "pyrec report -i text_work.py",
        "129": "pyrec report --sort=colour",
        "141": "(sleep 1; pyrec report --format=folded; echo $? >status) | true; exit $(cat status)",
    },
    "script": {
        "0": "pyrec script",
        "1": "pyrec script >/dev/full",
        "129": "pyrec script --colour",
        "141": "(sleep 1; pyrec script; echo $? >status) | true; exit $(cat status)",
    },
    "diff": {
        "0": "pyrec diff pyrec.data pyrec.data",
        "1": "pyrec diff pyrec.data nothing",
        "129": "pyrec diff pyrec.data",
        "141": "(sleep 1; pyrec diff pyrec.data pyrec.data; echo $? >status) | true; exit $(cat status)",
    },
    "annotate": {
        "0": "pyrec annotate build_text",
        "1": "pyrec annotate nothing",
        "129": "pyrec annotate",
        "141": "(sleep 1; pyrec annotate '*'; echo $? >status) | true; exit $(cat status)",
    },
    "info": {"0": "pyrec info", "1": "pyrec info -i nothing", "129": "pyrec info x"},
    "dump": {"0": "pyrec dump", "1": "pyrec dump -i .", "129": "pyrec dump --colour"},
}


@pytest.mark.parametrize("page", [None, *COMMANDS], ids=str)
def test_exit_status(page, shell):
    described = terms(section(man_page(page), "EXIT STATUS"))
    assert {status for status in described if status.isdigit()} == set(STATUSES[page])
    for status, command in STATUSES[page].items():
        assert shell(command)[0] == int(status), command


@pytest.mark.parametrize(
    "command, status",
    [
        ("pyrec record -- sh -c 'exit 7'", 7),
        ("pyrec record -- sh -c 'kill -KILL $$'", 137),
        ("pyrec record -- /no/such/program", 127),
        ("timeout -s INT 2 pyrec record -a; test $? -ne 124 || true", 0),
    ],
)
def test_status_of_the_command(command, status, shell):
    assert shell(command.replace("record ", "record -o other.data ", 1))[0] == status


def test_file_mode(shell):
    shell("touch open.data; chmod 666 open.data; pyrec record -d 1 -q -o open.data")
    assert shell("stat -c %a open.data pyrec.data")[1].split() == ["600", "600"]
