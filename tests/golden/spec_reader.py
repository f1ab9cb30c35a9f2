#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A second reader of recordings, made from Documentation/pyrec.data.5.adoc alone.

    spec_reader.py FILE

It shares no code with pyrec and knows nothing that the page does not say: what the two read
differently is an error in one of them or in the page. Plain Python; zstd by ctypes.
"""

import ctypes
import struct
import sys

HEADER_BYTES = 104
SAMPLE_TYPE = 0x135A7
REGS_USER = 0xFF0FFF
SAMPLE_ID_ALL = 1 << 18
REGISTERS = (
    "ax bx cx dx si di bp sp ip flags cs ss r8 r9 r10 r11 r12 r13 r14 r15".split()
)
STATUSES = ["complete", "truncated", "torn", "faulted", "no_thread_state", "not_walked"]
REASONS = [
    "ring_full",
    "sideband",
    "no_memory_map",
    "scratch_busy",
    "code_ring_full",
    "code_unreadable",
    "tail_call",
    "write_failed",
]


class Damaged(Exception):
    pass


class Cursor:
    """Bytes read front to back, never beyond their end."""

    def __init__(self, data, version=1):
        self.data = bytes(data)
        self.at = 0
        self.version = version  # of an envelope's kind

    def left(self):
        return len(self.data) - self.at

    def take(self, nr):
        if nr > self.left():
            raise Damaged(f"{nr} bytes wanted, {self.left()} left")
        self.at += nr
        return self.data[self.at - nr : self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]

    def u8(self):
        return self.number("B")

    def u16(self):
        return self.number("H")

    def u32(self):
        return self.number("I")

    def i32(self):
        return self.number("i")

    def u64(self):
        return self.number("Q")

    def string(self):
        return self.take(self.u32())

    def text(self):
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise Damaged("a text without its NUL")
        return self.take(end + 1 - self.at)[:-1]

    def leb(self):
        value = shift = 0
        for _ in range(10):
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value, shift, byte
        raise Damaged("a number of more than ten bytes")

    def uleb(self):
        return self.leb()[0] & 0xFFFFFFFFFFFFFFFF

    def sleb(self):
        value, shift, last = self.leb()
        return value - (1 << shift) if last & 0x40 else value


# ---- zstd ----


class Buffer(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_void_p), ("nr", ctypes.c_size_t), ("at", ctypes.c_size_t)]


class Zstd:
    """One stream."""

    def __init__(self):
        self.library = ctypes.CDLL("libzstd.so.1")
        self.library.ZSTD_createDStream.restype = ctypes.c_void_p
        self.library.ZSTD_decompressStream.restype = ctypes.c_size_t
        self.library.ZSTD_decompressStream.argtypes = [ctypes.c_void_p] * 3
        self.library.ZSTD_freeDStream.argtypes = [ctypes.c_void_p]
        self.stream = self.library.ZSTD_createDStream()

    def __del__(self):
        self.library.ZSTD_freeDStream(self.stream)

    def unpack(self, data):
        source = ctypes.create_string_buffer(data, len(data))
        room = ctypes.create_string_buffer(1 << 17)
        given = Buffer(ctypes.addressof(source), len(data), 0)
        result = b""
        while True:
            got = Buffer(ctypes.addressof(room), len(room), 0)
            code = self.library.ZSTD_decompressStream(
                self.stream, ctypes.byref(got), ctypes.byref(given)
            )
            if self.library.ZSTD_isError(ctypes.c_size_t(code)):
                raise Damaged("zstd")
            result += room.raw[: got.at]
            if given.at == given.nr and got.at < got.nr:
                return result


# ---- Payload ----


def read_frames(cursor, nr):
    return [(cursor.u32(), cursor.i32()) for _ in range(nr)]


def read_python_stack(raw):
    cursor = Cursor(raw)
    if cursor.take(4) != b"PYFR" or cursor.u16() != 1:
        raise Damaged("no Python stack")
    stack = {"status": STATUSES[cursor.u8()], "flags": cursor.u8(), "total": cursor.u32()}
    stack["frames"] = read_frames(cursor, cursor.u32())
    stack["task"] = (cursor.u32(), cursor.u64()) if stack["flags"] & 1 << 5 else None
    return stack


def read_file_info(cursor):
    names = ("sample_hz", "stack_cap", "all_processes")
    return {**{name: cursor.u32() for name in names}, "version": cursor.string()}


def read_clock(cursor):
    return {"monotonic": cursor.u64(), "realtime": cursor.u64()}


def read_interpreter(cursor):
    result = {"time": cursor.u64(), "pid": cursor.u32(), "version": cursor.u32()}
    result["is_walked"] = cursor.u32() == 0
    result |= {"path": cursor.string(), "message": cursor.string()}
    return result | {"name": cursor.string() if cursor.version > 1 else b""}


def read_code(cursor):
    result = {"id": cursor.u32(), "version": cursor.u32(), "first_line": cursor.i32()}
    result |= {"flags": cursor.u32(), "total": cursor.u32()}
    return result | {name: cursor.string() for name in ("name", "qualname", "file", "lines")}


def read_code_lines(cursor):
    return {"id": cursor.u32(), "offset": cursor.u32(), "lines": cursor.string()}


def read_continuation(cursor):
    result = {"pid": cursor.u32(), "tid": cursor.u32(), "time": cursor.u64()}
    result["first"] = cursor.u32()
    return result | {"frames": read_frames(cursor, cursor.u32())}


def read_losses(cursor):
    result = {"time": cursor.u64(), "samples": cursor.u64()}
    reasons_nr, statuses_nr = cursor.u32(), cursor.u32()
    reasons = [cursor.u64() for _ in range(reasons_nr)]
    statuses = [cursor.u64() for _ in range(statuses_nr)]
    return result | {
        "reasons": dict(zip(REASONS, reasons)),
        "statuses": dict(zip(STATUSES, statuses)),
    }


def read_task_place(cursor):
    result = {"time": cursor.u64(), "pid": cursor.u32(), "tid": cursor.u32()}
    result["cgroup"] = cursor.string()
    return result | {"numbers": [cursor.u32() for _ in range(cursor.u32())]}


def read_async_task(cursor):
    return {"id": cursor.u32(), "flags": cursor.u32(), "name": cursor.string()}


KINDS = {
    1: ("FILE_INFO", read_file_info),
    2: ("CLOCK", read_clock),
    3: ("INTERPRETER", read_interpreter),
    4: ("CODE", read_code),
    5: ("CODE_LINES", read_code_lines),
    6: ("FRAMES", read_continuation),
    7: ("LOSSES", read_losses),
    8: ("TASK", read_task_place),
    9: ("ASYNC_TASK", read_async_task),
}


def read_envelope(cursor, _misc):
    if cursor.take(8) != b"PYREC\0\0\1":
        return {"kind": None}
    kind, version, length = cursor.u16(), cursor.u16(), cursor.u32()
    content = Cursor(cursor.take(length), version)
    if kind not in KINDS or version < 1:
        return {"kind": kind}
    name, read = KINDS[kind]
    return {"kind": name, **read(content)}


# ---- Records ----


def read_sample(cursor, _misc):
    sample = {"id": cursor.u64(), "ip": cursor.u64(), "pid": cursor.u32(), "tid": cursor.u32()}
    sample |= {"time": cursor.u64(), "cpu": cursor.u32(), "zero": cursor.u32()}
    sample |= {"period": cursor.u64()}
    sample["callchain"] = [cursor.u64() for _ in range(cursor.u64())]
    sample["raw"] = cursor.string()
    if cursor.at % 8:
        raise Damaged("raw of odd size")
    sample["python"] = read_python_stack(sample["raw"])
    sample["abi"] = cursor.u64()
    sample["regs"] = [(name, cursor.u64()) for name in REGISTERS] if sample["abi"] else []
    size = cursor.u64()
    sample["stack"] = b""
    if size:
        stack = cursor.take(size)
        sample["stack"] = stack[: cursor.u64()]
    if cursor.left():
        raise Damaged("bytes behind a sample")
    return sample


def read_mmap2(cursor, misc):
    mmap = {"pid": cursor.u32(), "tid": cursor.u32(), "start": cursor.u64()}
    mmap |= {"bytes": cursor.u64(), "offset": cursor.u64()}
    if misc & 1 << 14:
        length = cursor.u8()
        cursor.take(3)
        mmap["build_id"] = cursor.take(20)[:length]
    else:
        mmap["device"] = (cursor.u32(), cursor.u32())
        mmap["inode"] = (cursor.u64(), cursor.u64())
    return mmap | {"prot": cursor.u32(), "flags": cursor.u32(), "path": cursor.text()}


def read_comm(cursor, misc):
    result = {"pid": cursor.u32(), "tid": cursor.u32(), "is_exec": bool(misc & 1 << 13)}
    return result | {"comm": cursor.text()}


def read_task(cursor, _misc):
    names = ("pid", "parent_pid", "tid", "parent_tid")
    return {name: cursor.u32() for name in names} | {"time": cursor.u64()}


def read_lost(cursor, _misc):
    return {"id": cursor.u64(), "lost": cursor.u64()}


def read_lost_samples(cursor, _misc):
    return {"lost": cursor.u64()}


def read_nothing(_cursor, _misc):
    return {}


# type: name, has a trailer, read
TYPES = {
    9: ("SAMPLE", False, read_sample),
    10: ("MMAP2", True, read_mmap2),
    3: ("COMM", True, read_comm),
    7: ("FORK", True, read_task),
    4: ("EXIT", True, read_task),
    2: ("LOST", True, read_lost),
    13: ("LOST_SAMPLES", True, read_lost_samples),
    65: ("ENVELOPE", False, read_envelope),
    68: ("FINISHED_ROUND", False, read_nothing),
}
TRAILER_BYTES = 32


def read_trailer(cursor):
    trailer = {"pid": cursor.u32(), "tid": cursor.u32(), "time": cursor.u64()}
    trailer |= {"cpu": cursor.u32(), "zero": cursor.u32()}
    return trailer | {"id": cursor.u64()}


def cut_records(data, at):
    """(offset, type, misc, bytes) of each whole record; returns what is left over."""
    cursor = Cursor(data)
    records = []
    while cursor.left() >= 8:
        start = cursor.at
        record_type, misc, size = cursor.u32(), cursor.u16(), cursor.u16()
        if size < 8:
            raise Damaged(f"a record of {size} bytes at {at + start}")
        if cursor.left() < size - 8:
            cursor.at = start
            break
        records.append((at + start, record_type, misc, cursor.take(size - 8)))
    return records, cursor.data[cursor.at :]


def unpacked_records(data, at):
    """The records of a file's data, those inside of compressed ones in their place."""
    zstd = Zstd()
    rest = b""
    outer, left = cut_records(data, at)
    if left:
        raise Damaged("the data end within a record")
    for offset, record_type, misc, body in outer:
        if record_type != 81:
            yield offset, record_type, misc, body
            continue
        inner, rest = cut_records(rest + zstd.unpack(body), 0)
        for _, *record in inner:
            yield offset, *record
    if rest:
        raise Damaged("the compressed data end within a record")


def read_record(offset, record_type, misc, body):
    record = {"offset": offset, "type": record_type, "misc": misc, "size": len(body) + 8}
    if record_type not in TYPES:
        return record
    name, has_trailer, read = TYPES[record_type]
    record["name"] = name
    if has_trailer:
        record["trailer"] = read_trailer(Cursor(body[-TRAILER_BYTES:]))
        body = body[:-TRAILER_BYTES]
    record["fields"] = read(Cursor(body), misc)
    return record


# ---- Features ----


def read_text(cursor):
    return cursor.string().split(b"\0")[0]


def read_command_line(cursor):
    return [read_text(cursor) for _ in range(cursor.u32())]


def read_event_description(cursor):
    if cursor.u32() != 1:
        raise Damaged("one event was expected")
    attr = cursor.take(cursor.u32())
    ids_nr = cursor.u32()
    name = read_text(cursor)
    return {"attr": attr, "name": name, "ids": [cursor.u64() for _ in range(ids_nr)]}


def read_build_ids(cursor):
    entries = []
    while cursor.left():
        cursor.u32()
        misc, size, pid = cursor.u16(), cursor.u16(), cursor.u32()
        build_id = cursor.take(20)
        length = cursor.u8()
        cursor.take(3)
        path = cursor.take(size - 36).split(b"\0")[0]
        entries.append({"misc": misc, "pid": pid, "build_id": build_id[:length], "path": path})
    return entries


FEATURES = {
    2: ("BUILD_ID", read_build_ids),
    3: ("HOSTNAME", read_text),
    4: ("OSRELEASE", read_text),
    5: ("VERSION", read_text),
    6: ("ARCH", read_text),
    7: ("NRCPUS", lambda cursor: (cursor.u32(), cursor.u32())),
    8: ("CPUDESC", read_text),
    10: ("TOTAL_MEM", Cursor.u64),
    11: ("CMDLINE", read_command_line),
    12: ("EVENT_DESC", read_event_description),
    21: ("SAMPLE_TIME", lambda cursor: (cursor.u64(), cursor.u64())),
    27: ("COMPRESSED", lambda cursor: [cursor.u32() for _ in range(5)]),
}


def read_features(data, bits, table_offset):
    table = Cursor(data[table_offset:])
    features = {}
    for bit in range(256):
        if not bits[bit // 64] >> bit % 64 & 1:
            continue
        offset, size = table.u64(), table.u64()
        if offset + size > len(data):
            raise Damaged(f"feature {bit} lies outside the file")
        if bit in FEATURES:
            name, read = FEATURES[bit]
            features[name] = read(Cursor(data[offset : offset + size]))
    return features


# ---- Bundle ----


def read_section(cursor):
    if not cursor.u8():
        return None
    section = {"address": cursor.uleb(), "offset": cursor.uleb()}
    return section | {"bytes": cursor.take(cursor.uleb())}


def read_symbols(cursor):
    nr = cursor.uleb()
    distances = [cursor.sleb() for _ in range(nr)]
    sizes = [cursor.uleb() for _ in range(nr)]
    bindings = [("local", "global", "weak")[cursor.u8()] for _ in range(nr)]
    names = [cursor.text() for _ in range(nr)]
    end = 0
    symbols = []
    for distance, size, binding, name in zip(distances, sizes, bindings, names):
        address = (end + distance) % (1 << 64)
        end = address + size
        symbols.append((address, size, binding, name))
    return symbols


def read_module(head, body):
    build_id_nr = head.u8()
    module = {"build_id": head.take(20)[:build_id_nr], "path": head.string()}
    if head.left():
        module["device"] = (head.u32(), head.u32())
        module["inode"] = head.u64()
    module["is_executable_type"] = body.u8() == 1
    names = ("offset", "file_bytes", "address", "memory_bytes", "flags")
    module["segments"] = [
        {name: body.uleb() for name in names} for _ in range(body.uleb())
    ]
    module["eh_frame"] = read_section(body)
    module["eh_frame_hdr"] = read_section(body)
    return module | {"symbols": read_symbols(body)}


def read_kernel_symbols(body):
    nr = body.uleb()
    places = []
    end = 0
    for _ in range(nr):
        address = end + body.uleb()
        end = address + body.uleb()
        places.append((address, end))
    names = [body.text() for _ in range(nr)]
    modules = [body.text() for _ in range(nr)]
    return [(*place, name, module) for place, name, module in zip(places, names, modules)]


def read_bundle(data):
    cursor = Cursor(data)
    if cursor.take(8) != b"PYRECBND" or cursor.u32() != 1:
        raise Damaged("no bundle")
    cursor.u32()
    bundle = {"modules": [], "kernel": []}
    while True:
        kind, head_nr, packed_nr, unpacked_nr = (
            cursor.u32(),
            cursor.u32(),
            cursor.u64(),
            cursor.u64(),
        )
        if kind == 0:
            return bundle
        head = Cursor(cursor.take(head_nr))
        body = Cursor(Zstd().unpack(cursor.take(packed_nr)))
        if len(body.data) != unpacked_nr:
            raise Damaged("a bundle entry of another size")
        cursor.take(-cursor.at % 8)
        if kind == 1:
            bundle["modules"].append(read_module(head, body))
        if kind == 2:
            bundle["kernel"] = read_kernel_symbols(body)


# ---- The whole ----


def read_tail(data):
    """Is there a footer, and the bundle before it."""
    if data[-16:-8] != b"PYRECEND":
        return False, None
    offset = struct.unpack("<Q", data[-8:])[0]
    return True, read_bundle(data[offset:-16]) if offset else None


def check_attr(attr):
    sample_type, flags = struct.unpack_from("<Q8xQ", attr, 24)
    regs_user = struct.unpack_from("<Q", attr, 80)[0]
    if sample_type != SAMPLE_TYPE or regs_user != REGS_USER or not flags & SAMPLE_ID_ALL:
        raise Damaged("the event is not as the page has it")


def read_recording(data):
    cursor = Cursor(data[:HEADER_BYTES])
    if cursor.take(8) != b"PERFILE2" or cursor.u64() != HEADER_BYTES or cursor.u64() != 144:
        raise Damaged("no recording")
    attr_offset, attr_bytes = cursor.u64(), cursor.u64()
    data_offset, data_bytes = cursor.u64(), cursor.u64()
    cursor.take(16)
    bits = [cursor.u64() for _ in range(4)]
    attr = Cursor(data[attr_offset : attr_offset + attr_bytes])
    check_attr(attr.take(128))
    ids_offset, ids_bytes = attr.u64(), attr.u64()
    data_end = data_offset + data_bytes
    records = unpacked_records(data[data_offset:data_end], data_offset)
    is_finished, bundle = read_tail(data)
    return {
        "ids": struct.unpack(f"<{ids_bytes // 8}Q", data[ids_offset : ids_offset + ids_bytes]),
        "features": read_features(data, bits, data_end),
        "records": [read_record(*record) for record in records],
        "is_finished": is_finished,
        "bundle": bundle,
    }


def main():
    with open(sys.argv[1], "rb") as file:
        recording = read_recording(file.read())
    for record in recording["records"]:
        print(record)
    print({name: value for name, value in recording.items() if name != "records"})


if __name__ == "__main__":
    main()
