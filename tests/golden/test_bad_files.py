# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Wrong, cut and damaged files: one line that names the file, the place and what is wrong, exit 1.

What stands before the damage is still shown. The files are made here from a good recording.
"""

import os
import struct
import subprocess

import pytest

from conftest import PYREC

COMMANDS = ["dump", "info"]
DATA_SECTION = 40  # in the header: u64 offset, u64 size


def data_section(good):
    return struct.unpack_from("<QQ", good, DATA_SECTION)


def cut_in_data(good):
    offset, size = data_section(good)
    return good[: offset + size - 1000]


def cut_in_header(good):
    return good[:60]


def cut_before_data(good):
    return good[: data_section(good)[0] - 20]


def cut_in_attr(good):
    return good[: struct.unpack_from("<Q", good, 24)[0] + 10]


def damaged_record(good):
    """The third record says that it has four bytes."""
    offset, _ = data_section(good)
    changed = bytearray(good)
    changed[offset + 160 + 6 : offset + 160 + 8] = b"\4\0"
    return bytes(changed)


def damaged_stream(good):
    offset, _ = data_section(good)
    return good[: offset + 8] + b"\xff" * 8 + good[offset + 16 :]


def damaged_header_size(good):
    return good[:8] + b"\xff" + good[9:]


def damaged_attr_size(good):
    return good[:16] + b"\1" + good[17:]


# name: compressed or plain, what is done to it, the message behind "pyrec: FILE: " (SIZE: of FILE)
BAD = {
    "empty": (False, lambda good: b"", "at offset 0: empty: nothing was recorded into it"),
    "text": (
        False,
        lambda good: b"no recording at all\n" * 50,
        "at offset 0: a text file, not a perf.data file",
    ),
    "foreign": (False, lambda good: b"\x7fELF\2\1\1" + bytes(500), "at offset 0: not a perf.data file"),
    "big-endian": (
        False,
        lambda good: b"2ELIFREP" + good[8:],
        "at offset 0: recorded on a big-endian machine, which pyrec cannot read",
    ),
    "version-1": (
        False,
        lambda good: b"PERFFILE" + good[8:],
        "at offset 0: a perf.data file of version 1, which pyrec cannot read",
    ),
    "cut-in-header": (
        False,
        cut_in_header,
        "at offset 60: truncated: the file ends within its header",
    ),
    "cut-in-attr": (
        False,
        cut_in_attr,
        "at offset 1136: truncated or damaged: no event descriptions",
    ),
    "cut-before-data": (
        False,
        cut_before_data,
        "at offset 1136: truncated or damaged: no event descriptions",
    ),
    "cut-in-data": (
        False,
        cut_in_data,
        "at offset SIZE: truncated: the file ends 1000 bytes before the end of its data",
    ),
    "cut-in-compressed-data": (True, cut_in_data, None),
    "damaged-record": (
        False,
        damaged_record,
        "at offset 1440: damaged: a record of 4 bytes, less than its own header",
    ),
    "damaged-stream": (
        True,
        damaged_stream,
        "at offset 1304: damaged: the compressed record does not unpack",
    ),
    "damaged-header-size": (
        False,
        damaged_header_size,
        "at offset 8: damaged: a header of 255 bytes, not 104",
    ),
    "damaged-attr-size": (
        False,
        damaged_attr_size,
        "at offset 1136: damaged: no event is described",
    ),
}


@pytest.fixture
def make_bad(make_recording, tmp_path):
    def make(name):
        is_compressed, damage, _ = BAD[name]
        form = [] if is_compressed else ["--plain"]
        with open(make_recording("good" + "".join(form), *form), "rb") as file:
            good = file.read()
        path = tmp_path / "bad.data"
        path.write_bytes(damage(good))
        return str(path)

    return make


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", BAD)
def test_one_line(name, command, make_bad, pyrec):
    path = make_bad(name)
    result = pyrec(command, "-i", path, status=1)
    lines = result.stderr.decode().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"pyrec: {path}: at offset ")
    if BAD[name][2]:
        message = BAD[name][2].replace("SIZE", str(os.path.getsize(path)))
        assert lines[0] == f"pyrec: {path}: {message}"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "path, what",
    [
        ("/nonexistent/file", "No such file or directory"),
        ("/tmp", "a directory, not a perf.data file"),
        ("no\nsuch\033[31m", "No such file or directory"),
    ],
)
def test_no_file(path, what, command, pyrec):
    result = pyrec(command, "-i", path, status=1)
    shown = path.replace("\n", "\\x0a").replace("\033", "\\x1b")
    assert result.stderr.decode() == f"pyrec: {shown}: {what}\n"
    assert result.stdout == b""


@pytest.mark.parametrize("name", ["cut-in-data", "damaged-record"])
def test_what_stands_before_the_damage(name, make_bad, make_recording, pyrec):
    whole = pyrec("dump", "-i", make_recording("good--plain", "--plain")).stdout
    part = pyrec("dump", "-i", make_bad(name), status=1).stdout
    assert part
    assert whole.startswith(part)


def test_cut_behind_the_data_is_unfinished(make_recording, tmp_path, pyrec):
    """All records are there: not an error, but said."""
    with open(make_recording("good"), "rb") as file:
        good = file.read()
    path = tmp_path / "cut.data"
    path.write_bytes(good[:-100])
    info = pyrec("info", "-i", path)
    assert b"unfinished: the recorder was killed, or the end of the file is missing" in info.stdout
    assert info.stderr == b""


def test_no_cut_is_silent(make_recording, tmp_path, pyrec):
    """Wherever a copy ends, the answer is a whole reading or one line; never a crash."""
    with open(make_recording("good"), "rb") as file:
        good = file.read()
    path = tmp_path / "cut.data"
    for nr in [*range(0, len(good), 61), len(good)]:
        path.write_bytes(good[:nr])
        offset, size = data_section(good)
        is_whole = nr >= offset + size
        result = pyrec("dump", "-i", path, status=0 if is_whole else 1)
        assert len(result.stderr.splitlines()) == (0 if is_whole else 1), nr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("arguments", [["--nonsense"], ["extra"], ["-i"]])
def test_usage(arguments, command, pyrec):
    result = pyrec(command, *arguments, status=129)
    assert result.stdout == b""
    assert b"--help" in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_default_input(command, make_recording, tmp_path, pyrec):
    os.symlink(make_recording("good"), tmp_path / "pyrec.data")
    default = pyrec(command, cwd=tmp_path)
    named = pyrec(command, "-i", make_recording("good"))
    assert default.stdout == named.stdout


def pyrec_to(command, path, stdout):
    return subprocess.run(
        [PYREC, command, "-i", path], stdout=stdout, stderr=subprocess.PIPE, timeout=60
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_full_output(command, make_recording):
    """What could not be printed is an error."""
    with open("/dev/full", "wb") as full:
        result = pyrec_to(command, make_recording("good", "--samples=3000"), full)
    assert result.returncode == 1
    assert result.stderr == b"pyrec: standard output: No space left on device\n"
