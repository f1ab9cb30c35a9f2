#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Inputs for fuzz_session: the records and bundles of the recordings in the tree, unpacked.

  fuzz_session_corpus.py FOLDER
"""

import glob
import os
import struct
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "golden"))

import spec_reader  # noqa: E402

WITH_THREADS, WITH_TASKS, WITH_TREE, WITH_LINES = 1 << 2, 1 << 3, 1 << 6, 1 << 7
FLAGS = [0, 1 | WITH_LINES, 2, 2 | WITH_TREE, WITH_THREADS | WITH_TASKS, 2 | WITH_THREADS]


def record_bytes(records):
    for _, kind, misc, body in records:
        yield struct.pack("<IHH", kind, misc, len(body) + 8) + body


def parts(data):
    """(records, bundle) of one file."""
    offset, size = struct.unpack_from("<QQ", data, 40)
    end = offset + size if size else len(data)
    records = b"".join(record_bytes(spec_reader.unpacked_records(data[offset:end], offset)))
    has_bundle = data[-16:-8] == b"PYRECEND"
    return records, data[struct.unpack("<Q", data[-8:])[0] : -16] if has_bundle else b""


def main(folder):
    for path in glob.glob(os.path.join(ROOT, "tests/golden/format/*.data")):
        with open(path, "rb") as file:
            records, bundle = parts(file.read())
        for flags in FLAGS:
            name = f"session-{os.path.basename(path)}-{flags}"
            with open(os.path.join(folder, name), "wb") as file:
                file.write(struct.pack("<BI", flags, len(records))[:4] + records + bundle)


main(sys.argv[1])
