# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Recordings of every format version stay readable for ever: file in, text out, byte for byte.

The texts in format/ hold what test_spec_reader.py finds by its own way. UPDATE=1 writes them
anew: look at the difference before you commit it. A new format version, or kind of record, gets a
new file.
"""

import glob
import os

import pytest

from conftest import HERE

RECORDINGS = sorted(glob.glob(os.path.join(HERE, "format", "*.data")))


def test_there_are_recordings():
    assert RECORDINGS


@pytest.mark.parametrize("path", RECORDINGS, ids=os.path.basename)
@pytest.mark.parametrize("command", ["dump", "info"])
def test_text(command, path, pyrec):
    text = pyrec(command, "-i", path).stdout
    expected = path.removesuffix(".data") + f".{command}.txt"
    if os.environ.get("UPDATE"):
        with open(expected, "wb") as file:
            file.write(text)
    with open(expected, "rb") as file:
        assert text == file.read()


@pytest.mark.parametrize("path", RECORDINGS, ids=os.path.basename)
@pytest.mark.parametrize("command", ["dump", "info"])
def test_standard_input(command, path, pyrec):
    """The same from a file as standard input."""
    with open(path, "rb") as file:
        assert pyrec(command, "-i", "-", stdin=file).stdout == pyrec(command, "-i", path).stdout


@pytest.mark.parametrize("path", RECORDINGS, ids=os.path.basename)
def test_no_control_characters(path, pyrec):
    for command in ("dump", "info"):
        text = pyrec(command, "-i", path).stdout
        assert not [byte for byte in text if byte < 0x20 and byte != 0x0A or byte == 0x7F]
