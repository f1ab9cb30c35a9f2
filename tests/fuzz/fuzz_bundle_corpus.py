#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Inputs for fuzz_bundle: the entries of bundles in the tree, unpacked, and one module made of a
real library with a few hundred functions.

  fuzz_bundle_corpus.py FOLDER
"""

import glob
import os
import struct
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "golden"))

import spec_reader  # noqa: E402

LIBRARIES = ["libz.so.1", "libcap.so.2", "libuuid.so.1", "libbz2.so.1.0", "libelf.so.1"]


def uleb(value):
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def sleb(value):
    encoded = b""
    while not -0x40 <= value < 0x40:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value & 0x7F])


class Elf:
    """Segments, sections and functions of a 64-bit ELF file."""

    def __init__(self, data):
        self.data = data
        phoff, shoff = struct.unpack_from("<QQ", data, 32)
        phnum, _, shnum, names = struct.unpack_from("<4H", data, 56)
        headers = [struct.unpack_from("<IIQQQQQQ", data, phoff + 56 * i) for i in range(phnum)]
        self.segments = [header for header in headers if header[0] == 1]
        sections = [struct.unpack_from("<IIQQQQIIQQ", data, shoff + 64 * i) for i in range(shnum)]
        texts = self.part(sections[names])
        self.sections = {self.text(texts, section[0]): section for section in sections}

    def part(self, section):
        return self.data[section[4] : section[4] + section[5]]

    @staticmethod
    def text(texts, at):
        return texts[at : texts.index(b"\0", at)].decode()

    def functions(self):
        symbols, names = self.part(self.sections[".dynsym"]), self.part(self.sections[".dynstr"])
        found = struct.iter_unpack("<IBBHQQ", symbols)
        return sorted(
            (value, size, info >> 4, self.text(names, name))
            for name, info, _, section, value, size in found
            if info & 15 == 2 and section and info >> 4 < 3
        )


def encoded_section(elf, name):
    if name not in elf.sections:
        return b"\0"
    section = elf.sections[name]
    return b"\1" + uleb(section[3]) + uleb(section[4]) + uleb(section[5]) + elf.part(section)


def encoded_module(elf):
    out = b"\0" + uleb(len(elf.segments))
    for _, flags, offset, address, _, file_bytes, memory_bytes, _ in elf.segments:
        out += b"".join(map(uleb, (offset, file_bytes, address, memory_bytes, flags)))
    out += encoded_section(elf, ".eh_frame") + encoded_section(elf, ".eh_frame_hdr")
    functions = elf.functions()
    ends = [0, *(address + size for address, size, _, _ in functions)]
    out += uleb(len(functions))
    out += b"".join(sleb(function[0] - end) for function, end in zip(functions, ends))
    out += b"".join(uleb(size) for _, size, _, _ in functions)
    out += bytes(binding for _, _, binding, _ in functions)
    return out + b"".join(name.encode() + b"\0" for _, _, _, name in functions)


def entry(kind, head, contents):
    return struct.pack("<BHI", kind, len(head), len(contents))[:6] + head + contents


def module_entry(path):
    with open(path, "rb") as file:
        module = encoded_module(Elf(file.read()))
    head = b"\x14" + bytes(20) + struct.pack("<I", len(path)) + path.encode()
    return entry(1, head, module)


def entries(bundle):
    """Those of a bundle as it is in a file."""
    at = 16
    while at + 24 <= len(bundle):
        kind, head_nr, packed_nr, _ = struct.unpack_from("<IIQQ", bundle, at)
        if kind == 0:
            return
        at += 24 + head_nr
        head, packed = bundle[at - head_nr : at], bundle[at : at + packed_nr]
        yield entry(kind, head, spec_reader.Zstd().unpack(packed))
        at += packed_nr
        at += -at % 8


def inputs():
    for path in glob.glob(os.path.join(ROOT, "tests/golden/format/*.data")):
        with open(path, "rb") as file:
            data = file.read()
        yield b"".join(entries(data[struct.unpack("<Q", data[-8:])[0] : -16]))
    for name in LIBRARIES:
        path = f"/usr/lib/x86_64-linux-gnu/{name}"
        if os.path.exists(path):
            yield module_entry(path)


def main(folder):
    for number, content in enumerate(inputs()):
        with open(os.path.join(folder, f"bundle-{number}"), "wb") as file:
            file.write(content)


main(sys.argv[1])
