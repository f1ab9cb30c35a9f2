# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The reader made from the specification and pyrec dump say the same of every byte.

render() writes what spec_reader.py read in the form of pyrec dump; the bundle, which dump does not
show, is compared with what make_recording.c put there.
"""

import glob
import os
import re

import pytest

import spec_reader
from conftest import HERE, ROOT

FORMS = {
    "compressed": [],
    "plain": ["--plain"],
    "unfinished": ["--unfinished"],
    "plain-unfinished": ["--plain", "--unfinished"],
    "empty": ["--samples=0"],
    "long": ["--samples=3000"],
    "async": ["--async"],
}
KERNEL_MARK, USER_MARK = 0xFFFFFFFFFFFFFF80, 0xFFFFFFFFFFFFFE00
HIDDEN = {0xAD, 0x61C, 0x180E, 0xFEFF, *range(0x200B, 0x2010), *range(0x2028, 0x202F)}


def escaped(name):
    """No control character and nothing that hides or reorders text leaves a name."""
    out = ""
    for part in re.findall(r"[^\udc80-\udcff]|.", name.decode("utf-8", "surrogateescape"), re.S):
        code = ord(part)
        if 0xDC80 <= code <= 0xDCFF:
            out += f"\\x{code - 0xDC00:02x}"
        elif code < 0x20 or code == 0x7F:
            out += f"\\x{code:02x}"
        elif 0x80 <= code < 0xA0 or code in HIDDEN:
            out += f"\\u{{{code:x}}}"
        else:
            out += part
    return out


def seconds(time_ns):
    return f"{time_ns // 10**9}.{time_ns % 10**9:09}"


def signed(value):
    return value - (1 << 32) if value >> 31 else value


def version(value):
    text = f"{value >> 24}.{value >> 16 & 0xFF}.{value >> 8 & 0xFF}"
    level = value >> 4 & 0xF
    if not level:
        return f"{value >> 24}.{value >> 16 & 0xFF}"
    return text if level == 0xF else text + {0xA: "a", 0xB: "b", 0xC: "rc"}[level] + str(value & 0xF)


def render_frames(frames, first=0):
    for index, (code, value) in enumerate(frames, first):
        if code == 0xFFFFFFFF:
            text = "entry elsewhere" if value == -(1 << 31) else f"entry sp{value:+}"
        elif code == 0xFFFFFFFE:
            text = f"unreadable instruction {value}"
        else:
            text = f"code {code} instruction {value}"
        yield f"    {index} {text}"


def render_python(stack):
    text = f"  python {stack['status']}, {len(stack['frames'])} of {stack['total']} frames"
    if stack["flags"] & 1:
        text += ", holds GIL" if stack["flags"] & 2 else ", without GIL"
    yield text
    yield from render_frames(stack["frames"])
    if stack["task"]:
        kind, value = stack["task"]
        words = {1: f"task {value}", 2: f"task without a name, number {value}"}
        yield "    " + words.get(kind, "task of unreadable name")


def render_sample(sample):
    yield (
        f"  pid {sample['pid']} tid {sample['tid']} cpu {sample['cpu']}"
        f" time {seconds(sample['time'])} id {sample['id']} period {sample['period']}"
        f" ip 0x{sample['ip']:x}"
    )
    yield f"  callchain {len(sample['callchain'])}"
    for address in sample["callchain"]:
        marks = {KERNEL_MARK: "kernel:", USER_MARK: "user:"}
        yield f"    {marks.get(address, f'0x{address:x}')}"
    yield f"  raw {len(sample['raw'])} bytes"
    yield from render_python(sample["python"])
    registers = "".join(f" {name}=0x{value:x}" for name, value in sample["regs"])
    yield f"  regs abi {sample['abi']}{registers}"
    yield f"  stack {len(sample['stack'])} bytes"


def render_mmap2(mmap):
    prot = "".join(letter if mmap["prot"] & bit else "-" for letter, bit in zip("rwx", (1, 2, 4)))
    yield f"  pid {signed(mmap['pid'])} tid {signed(mmap['tid'])}"
    yield (
        f"  start 0x{mmap['start']:x} bytes 0x{mmap['bytes']:x} offset 0x{mmap['offset']:x}"
        f" prot {prot} flags 0x{mmap['flags']:x}"
    )
    if "build_id" in mmap:
        yield f"  build_id {mmap['build_id'].hex()}"
    else:
        major, minor = mmap["device"]
        yield "  device %02x:%02x inode %d %d" % (major, minor, *mmap["inode"])
    yield f"  path {escaped(mmap['path'])}"


def render_comm(comm):
    yield f"  pid {comm['pid']} tid {comm['tid']}{' exec' if comm['is_exec'] else ''}"
    yield f"  comm {escaped(comm['comm'])}"


def render_task(task):
    yield (
        f"  pid {task['pid']} tid {task['tid']} parent {task['parent_pid']} {task['parent_tid']}"
        f" time {seconds(task['time'])}"
    )


def render_lost(lost):
    yield f"  lost {lost['lost']}"


def render_file_info(info):
    yield f"  pyrec {escaped(info['version'])}"
    yield (
        f"  sample_hz {info['sample_hz']} stack_cap_bytes {info['stack_cap']}"
        f" all_processes {info['all_processes']}"
    )


def render_clock(clock):
    yield f"  monotonic {seconds(clock['monotonic'])} realtime {seconds(clock['realtime'])}"


def render_interpreter(interpreter):
    yield (
        f"  pid {interpreter['pid']} time {seconds(interpreter['time'])}"
        f" version {version(interpreter['version'])}"
        f" {'walked' if interpreter['is_walked'] else 'unsupported'}"
    )
    yield f"  path {escaped(interpreter['path'])}"
    if interpreter["message"]:
        yield f"  message {escaped(interpreter['message'])}"
    if interpreter["name"]:
        yield f"  name {escaped(interpreter['name'])}"


def render_code(code):
    names = ("name", "qualname", "file", "lines")
    missing = [f" {name}_missing" for bit, name in enumerate(names) if code["flags"] >> bit & 1]
    yield (
        f"  code {code['id']} version {version(code['version'])}"
        f" first_line {code['first_line']}{''.join(missing)}"
    )
    yield from (f"  {name} {escaped(code[name])}" for name in names[:3])
    yield f"  lines {len(code['lines'])} of {code['total']} bytes {code['lines'].hex()}"


def render_code_lines(lines):
    nr = len(lines["lines"])
    yield f"  code {lines['id']} lines at {lines['offset']}, {nr} bytes {lines['lines'].hex()}"


def render_continuation(frames):
    yield (
        f"  pid {frames['pid']} tid {frames['tid']} time {seconds(frames['time'])}"
        f" frames {len(frames['frames'])} from {frames['first']}"
    )
    yield from render_frames(frames["frames"], frames["first"])


def render_losses(losses):
    yield f"  time {seconds(losses['time'])} samples {losses['samples']}"
    for name in ("reasons", "statuses"):
        yield "  " + " ".join(f"{reason} {nr}" for reason, nr in losses[name].items())


def render_task_place(task):
    numbers = "".join(f" {number}" for number in task["numbers"])
    yield f"  pid {task['pid']} tid {task['tid']} time {seconds(task['time'])} numbers{numbers}"
    yield f"  cgroup {escaped(task['cgroup'])}"


def render_async_task(task):
    yield f"  task {task['id']}{' name_cut' if task['flags'] & 1 else ''}"
    yield f"  name {escaped(task['name'])}"


RENDER_KINDS = {
    "FILE_INFO": render_file_info,
    "CLOCK": render_clock,
    "INTERPRETER": render_interpreter,
    "CODE": render_code,
    "CODE_LINES": render_code_lines,
    "FRAMES": render_continuation,
    "LOSSES": render_losses,
    "TASK": render_task_place,
    "ASYNC_TASK": render_async_task,
}


def render_envelope(envelope):
    yield f"  {envelope['kind']}"
    yield from RENDER_KINDS[envelope["kind"]](envelope)


RENDER_TYPES = {
    "SAMPLE": render_sample,
    "MMAP2": render_mmap2,
    "COMM": render_comm,
    "FORK": render_task,
    "EXIT": render_task,
    "LOST_SAMPLES": render_lost,
    "ENVELOPE": render_envelope,
    "FINISHED_ROUND": lambda _: (),
}


def render(recording):
    for record in recording["records"]:
        yield (
            f"0x{record['offset']:x} {record['name']} type {record['type']}"
            f" misc 0x{record['misc']:x} size {record['size']}"
        )
        yield from RENDER_TYPES[record["name"]](record["fields"])
        if "trailer" in record:
            trailer = record["trailer"]
            yield (
                f"  trailer pid {signed(trailer['pid'])} tid {signed(trailer['tid'])}"
                f" cpu {signed(trailer['cpu'])} time {seconds(trailer['time'])} id {trailer['id']}"
            )


def read(path):
    with open(path, "rb") as file:
        return spec_reader.read_recording(file.read())


@pytest.mark.parametrize("form", FORMS)
def test_dump(form, make_recording, pyrec):
    path = make_recording(f"{form}.data", *FORMS[form])
    dumped = pyrec("dump", "-i", path).stdout.decode().splitlines()
    assert list(render(read(path))) == dumped


@pytest.mark.parametrize("path", sorted(glob.glob(os.path.join(HERE, "format", "*.data"))))
def test_kept_recording(path, pyrec):
    dumped = pyrec("dump", "-i", path).stdout.decode().splitlines()
    assert list(render(read(path))) == dumped


@pytest.mark.parametrize("form", FORMS)
def test_recording_begins_with_file_info(form, make_recording):
    first = read(make_recording(f"{form}.data", *FORMS[form]))["records"][:1]
    assert [record["fields"]["kind"] for record in first] == ["FILE_INFO"]


def test_stack_bytes(make_recording):
    """The generator's own formula, as neither reader prints the bytes."""
    samples = [
        record["fields"]
        for record in read(make_recording("compressed.data"))["records"]
        if record["name"] == "SAMPLE"
    ]
    assert len(samples) == 10
    for index, sample in enumerate(samples):
        assert sample["stack"] == bytes((i * 7 + index) % 256 for i in range(8 * (index % 64)))


def test_features(make_recording):
    features = read(make_recording("compressed.data"))["features"]
    build_id = bytes.fromhex("571d98e01096d5c1c32420d229a6731a0a50d2a0")
    described = features.pop("EVENT_DESC")
    assert (described["name"], described["ids"], len(described["attr"])) == (b"cpu-clock", [1], 128)
    version, algorithm, level, ratio, mmap_bytes = features.pop("COMPRESSED")
    assert (version, algorithm, level, mmap_bytes) == (0, 1, 3, 8 << 20)
    assert ratio > 1
    assert features == {
        "HOSTNAME": b"prod-1",
        "OSRELEASE": b"6.1.0-18-amd64",
        "VERSION": b"pyrec 0.1",
        "ARCH": b"x86_64",
        "NRCPUS": (8, 4),
        "CPUDESC": b"A Processor @ 2.0GHz",
        "TOTAL_MEM": 16384,
        "CMDLINE": [b"pyrec", b"record", b"-F", b"99", b"-d", b"4"],
        "SAMPLE_TIME": (6_000_000_000, 6_090_000_000),
        "BUILD_ID": [
            {"misc": 0x8002, "pid": 0xFFFFFFFF, "build_id": build_id, "path": b"/usr/bin/python3.11"}
        ],
    }


def test_bundle(make_recording):
    recording = read(make_recording("compressed.data"))
    python, bare = recording["bundle"]["modules"]
    assert recording["is_finished"]
    assert recording["ids"] == (1,)
    assert python["path"] == b"/usr/bin/python3.11"
    assert python["build_id"].hex() == "571d98e01096d5c1c32420d229a6731a0a50d2a0"
    assert python["is_executable_type"]
    assert [list(segment.values()) for segment in python["segments"]] == [
        [0, 0x1000, 0x400000, 0x1000, 4],
        [0x21000, 0x2A0000, 0x421000, 0x2A0000, 5],
    ]
    assert python["eh_frame"] == {
        "address": 0x8E0518,
        "offset": 0x4E0518,
        "bytes": b"\x14\0\0\0\0\0\0\0\1\x7aR\0",
    }
    assert python["eh_frame_hdr"] is None
    assert python["symbols"] == [
        (0x421D00, 0x40, "global", b"main"),
        (0x521000, 0x800, "local", b"PyEval_EvalCode"),
        (0x521D00, 0x2000, "weak", b"_PyEval_EvalFrameDefault"),
    ]
    assert (bare["path"], bare["build_id"], bare["symbols"]) == (b"/srv/two\nlines.so", b"", [])
    assert (bare["device"], bare["inode"]) == ((8, 1), 4711)
    assert recording["bundle"]["kernel"] == [
        (0xFFFFFFFF81000100, 0xFFFFFFFF81000200, b"do_syscall_64", b""),
        (0xFFFFFFFF81000400, 0xFFFFFFFF81000800, b"ext4_read", b"ext4"),
    ]


def test_unfinished_has_no_tail(make_recording):
    recording = read(make_recording("unfinished.data", "--unfinished"))
    assert not recording["is_finished"]
    assert recording["bundle"] is None
    assert "BUILD_ID" not in recording["features"]


def example_bytes(page, title):
    """The bytes of one annotated example of the page, up to an ellipsis."""
    block = page.split(title)[1].split("----")[1]
    found = b""
    for line in block.strip().splitlines():
        digits = re.match(r"(?:[0-9a-f]{2} )*(?:[0-9a-f]{2}\b)", line).group()
        found += bytes.fromhex(digits)
        if "…" in line:
            break
    return found


def test_examples_of_the_page(make_recording):
    """The annotated bytes are those of the recording."""
    with open(os.path.join(ROOT, "Documentation/pyrec.data.5.adoc"), encoding="utf-8") as file:
        page = file.read()
    with open(make_recording("plain.data", "--plain"), "rb") as file:
        data = file.read()
    assert example_bytes(page, "The start of a file's data") in data
    assert example_bytes(page, "The raw field of a sample:") in data
