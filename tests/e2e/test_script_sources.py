# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Programs that come from no file: standard input, `-`, `-c`. Their frames have lines all the same."""

import shlex

import pytest

from declared_stacks import describe, find_impossible
from pyrec_harness import documents, record_command, script, within
from extensions import TARGETS

SECONDS = 0.1
FREQUENCY = 997
SAMPLES_MIN = 20  # the seconds are of CPU time
PROGRAM = f"""
import sys
sys.path.insert(0, {TARGETS!r})
import processes


def inner():
    processes.hold("typed", {SECONDS})


def outer():
    inner()


outer()
"""
COMMANDS = {
    "stdin": ("{python} < {file}", "<stdin>"),
    "pipe": ("cat {file} | {python} -", "<stdin>"),
    "option": ('{python} -c "$(cat {file})"', "<string>"),
}


@pytest.mark.parametrize("kind", COMMANDS)
def test_program_without_file(kind, any_python, workdir):
    path, file = f"{workdir}/program.data", f"{workdir}/program"
    with open(file, "w", encoding="utf-8") as program:
        program.write(PROGRAM)
    words, name = COMMANDS[kind]
    command = words.format(python=shlex.quote(any_python), file=shlex.quote(file))
    recorded = record_command(path, ["sh", "-c", command], "-F", FREQUENCY)
    (told,) = documents(recorded.stdout)
    assert [frame["file"] for frame in told["stack"][:3]] == [name] * 3
    samples = within([s for s in script(path) if s.tid == told["tid"]], *told["window"])
    wrong = find_impossible(samples, [told["stack"]])
    assert not wrong, describe(wrong, samples)
    assert len(samples) >= SAMPLES_MIN
