# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Bytes of one sample of a real recording are overwritten: every other sample comes out as before,
byte for byte. tests/golden/test_hostile_files.py does the same for a made one, which has no unwind
tables, and there for the sizes of the parts too."""

import os
import random
import struct
import sys

import pytest

from pyrec_harness import ROOT, SYSTEM_PYTHON, pyrec, record_command, run_target

sys.path.insert(0, os.path.join(ROOT, "tests", "golden"))

import spec_reader  # noqa: E402

SAMPLE = 9
TURNS = 12


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("damaged") / "plain.data"
    target = run_target(SYSTEM_PYTHON, "text_work.py", "0.5")
    record_command(str(path), target, "-F", "199", "--no-compress")
    return path.read_bytes()


def samples_of(data):
    """{(tid, time): (offset, fields)} in the order of time."""
    offset, size = struct.unpack_from("<QQ", data, 40)
    records, _ = spec_reader.cut_records(data[offset : offset + size], offset)
    found = {}
    for at, kind, misc, body in records:
        if kind == SAMPLE:
            fields = spec_reader.read_sample(spec_reader.Cursor(body), misc)
            found[fields["tid"], fields["time"]] = (at, fields)
    return dict(sorted(found.items(), key=lambda item: item[0][1]))


def blocks_of(text):
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [block.strip("\n") for block in "\n".join(lines).split("\n\n") if block.strip()]


def overwrite(data, sample, part, generator):
    """Some words of the stack, of the Python frames or of the registers."""
    at, fields = sample
    begin = at + 8 + 48 + 8 + 8 * len(fields["callchain"]) + 4  # behind the size of raw
    end = begin + len(fields["raw"])
    if part != "raw":
        begin, end = end + 8, end + 8 + 8 * len(fields["regs"])
    if part == "stack":
        begin, end = end + 8, end + 8 + len(fields["stack"])
    changed = bytearray(data)
    for _ in range(max(8, (end - begin) // 200)):
        place = generator.randrange(begin, end)
        changed[place] ^= generator.randrange(1, 256)
    return bytes(changed)


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("part", ["raw", "registers", "stack"])
def test_others_are_as_before(part, jobs, plain, tmp_path):
    path = tmp_path / "damaged.data"
    path.write_bytes(plain)
    arguments = ["script", "-i", path, "-j", str(jobs), "--lines", "--show-eval"]
    whole = blocks_of(pyrec(*arguments).stdout)
    samples = list(samples_of(plain).values())
    assert len(whole) == len(samples) >= 20
    generator = random.Random(f"{part} {jobs}")
    touched_nr = 0
    for _ in range(TURNS):
        place = generator.randrange(len(samples))
        if not samples[place][1]["regs"]:
            continue
        path.write_bytes(overwrite(plain, samples[place], part, generator))
        blocks = blocks_of(pyrec(*arguments, status=None).stdout)
        assert len(blocks) == len(whole)
        assert blocks[:place] + blocks[place + 1 :] == whole[:place] + whole[place + 1 :]
        touched_nr += blocks[place] != whole[place]
    assert touched_nr
