# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Recordings of bad intent: damage in a sample costs that sample, names reach neither the terminal
nor other files than those that a build id shows to be the recorded ones."""

import ctypes
import os
import random
import shutil
import struct
import subprocess

import pytest

import spec_reader

SAMPLE = 9
MMAP2 = 10
BUILD_ID_BIT = 1 << 14
PYTHON_PATH = b"/usr/bin/python3.11\0"
BUILD_ID_OFFSET = 40  # in an MMAP2 record: u8 bytes of it, three of padding, the id
PATH_OFFSET = 72
OTHER_BUILD_ID = b"\xee" * 20
LEAF = 0x8000  # the user ip of the samples, and a little more


@pytest.fixture
def plain(make_recording):
    """A recording without compression: its bytes."""
    with open(make_recording("plain-40", "--plain", "--samples=40"), "rb") as file:
        return file.read()


def records_of(data):
    """(offset in the file, type, bytes) of each record."""
    offset, size = struct.unpack_from("<QQ", data, 40)
    records, left = spec_reader.cut_records(data[offset : offset + size], offset)
    assert not left
    return [(at, kind, len(body) + 8) for at, kind, _, body in records]


def blocks_of(text):
    """Of `pyrec script`: one text for each sample."""
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    return [block.strip("\n") for block in "\n".join(lines).split("\n\n") if block.strip()]


def parts_of(data, offset):
    """{part: (first byte, end)} of one sample."""
    at = offset + 8 + 48  # what is before the callchain
    parts = {"callchain": (at, at + 8 + 8 * struct.unpack_from("<Q", data, at)[0])}
    at = parts["callchain"][1]
    parts["raw"] = (at, at + 4 + struct.unpack_from("<I", data, at)[0])
    at = parts["raw"][1]
    parts["registers"] = (at, at + 8 + 8 * len(spec_reader.REGISTERS))
    at = parts["registers"][1]
    parts["stack"] = (at, offset + struct.unpack_from("<H", data, offset + 6)[0])
    return parts


def damaged(data, part, generator):
    """Some bytes of @part, the number that it begins with among them in half of the cases."""
    first, end = part
    changed = bytearray(data)
    for _ in range(generator.choice([1, 2, 8])):
        begin = first if generator.random() < 0.5 else min(first + 8, end - 1)
        changed[generator.randrange(begin, end)] ^= generator.randrange(1, 256)
    return bytes(changed)


@pytest.mark.parametrize("part", ["callchain", "raw", "registers", "stack"])
def test_damaged_sample_costs_that_sample_only(part, plain, tmp_path, pyrec):
    samples = [offset for offset, kind, _ in records_of(plain) if kind == SAMPLE]
    path = tmp_path / "damaged.data"
    path.write_bytes(plain)
    whole = blocks_of(pyrec("script", "-i", path).stdout)
    assert len(whole) == len(samples) == 40
    generator = random.Random(part)
    for turn in range(40):
        place = generator.randrange(len(samples))
        path.write_bytes(damaged(plain, parts_of(plain, samples[place])[part], generator))
        blocks = blocks_of(run_any(pyrec, "script", "-i", path).stdout)
        rest = blocks[len(blocks) - (len(whole) - place - 1) :]
        assert len(blocks) >= 39, (turn, place, len(blocks))
        assert blocks[:place] == whole[:place], turn
        assert rest == whole[place + 1 :], turn
        assert len(blocks) in (len(whole), len(whole) - 1), turn


def run_any(pyrec, *arguments):
    """Damage is told by exit status 1; where it cannot be seen, all is well."""
    try:
        return pyrec(*arguments)
    except AssertionError:
        return pyrec(*arguments, status=1)


# ---- Names on the terminal ----

FORMS = {
    "text": ["report"],
    "tree": ["report", "-g", "--sort=comm,cgroup,container,task,dso,symbol,srcline"],
    "folded": ["report", "--format=folded", "--show-task"],
    "script": ["script", "--lines", "--show-task"],
    "info": ["info"],
    "dump": ["dump"],
}
EVIL = [b"\033]0;x\007", b"\033[2J\r", b"\x9b31m\xff", b"\xc2\x9b31m", b"\xe2\x80\xae", b"a\nb\tc;d"]


def check_harmless(output):
    """Text, and none of it moves the cursor, begins an escape or turns the direction of writing."""
    text = output.decode("utf-8", "strict")
    bad = [c for c in text if c not in "\n\t" and (ord(c) < 32 or 127 <= ord(c) < 160)]
    assert not bad and not set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def evil_copies(data):
    """@data with every text of some length written over, once by each of the evil ones."""
    texts = [b"python3.11", b"python3", b"main.py", b"two\nlines.so", b"kernel.kallsyms", b"worker"]
    texts += [b"system.slice", b"<module>", b"PyPy 7.3.11", b"newer than"]
    for evil in EVIL:
        changed = data
        for text in texts:
            filled = (evil * 9)[: len(text)]
            changed = changed.replace(text, filled)
        yield changed


@pytest.mark.parametrize("form", FORMS)
def test_hostile_names(form, make_recording, tmp_path, pyrec):
    with open(make_recording("plain-async", "--plain", "--async"), "rb") as file:
        data = file.read()
    path = tmp_path / "evil.data"
    for changed in evil_copies(data):
        path.write_bytes(changed)
        result = pyrec(*FORMS[form], "-i", path)
        assert result.stdout
        check_harmless(result.stdout)
        check_harmless(result.stderr)


def test_hostile_names_in_diff(make_recording, tmp_path, pyrec):
    good = make_recording("plain-async", "--plain", "--async")
    with open(good, "rb") as file:
        data = file.read()
    path = tmp_path / "evil.data"
    for changed in evil_copies(data):
        path.write_bytes(changed)
        for inputs in ([good, path], [path, good]):
            result = pyrec("diff", *inputs)
            assert result.stdout
            check_harmless(result.stdout)
            check_harmless(result.stderr)


def test_hostile_file_name(tmp_path, pyrec):
    """The name of the recording itself, in messages."""
    path = tmp_path / "\033]0;x\007\u202e.data"
    for command in (["report", "-i", path], ["script", "-i", path], ["diff", path, path]):
        result = pyrec(*command, status=1)
        check_harmless(result.stderr)


# ---- Files that a recording names ----


def renamed(data, path, build_id, place=0x1000):
    """The interpreter is now mapped from @path, the samples' ip at @place in it."""
    encoded = os.fsencode(path) + b"\0"
    assert len(encoded) <= 24
    changed = bytearray(data)
    for offset, kind, size in records_of(data):
        if kind == MMAP2 and data[offset + PATH_OFFSET :].startswith(PYTHON_PATH):
            changed[offset + PATH_OFFSET : offset + PATH_OFFSET + 24] = encoded.ljust(24, b"\0")
            struct.pack_into("<QQQ", changed, offset + 16, LEAF, 0x1000, place)
            if not build_id:
                misc = struct.unpack_from("<H", data, offset + 4)[0]
                struct.pack_into("<H", changed, offset + 4, misc & ~BUILD_ID_BIT)
            head = bytes([len(build_id), 0, 0, 0]) if build_id else bytes(4)
            begin = offset + BUILD_ID_OFFSET
            changed[begin : begin + 24] = head + build_id.ljust(20, b"\0")
    assert changed != data
    return bytes(changed)


@pytest.fixture
def short_folder():
    """Where paths fit into those of the recording."""
    path = f"/tmp/pf{os.getpid()}"
    os.mkdir(path)
    yield path
    shutil.rmtree(path)


class Watch:
    """What happens to files of a folder (inotify)."""

    MODIFY, ATTRIB, CLOSE_WRITE, OPEN = 0x2, 0x4, 0x8, 0x20
    MOVED_OR_MADE_OR_DELETED = 0x40 | 0x80 | 0x100 | 0x200 | 0x400
    CHANGES = MODIFY | ATTRIB | CLOSE_WRITE | MOVED_OR_MADE_OR_DELETED

    def __init__(self, folder):
        library = ctypes.CDLL(None, use_errno=True)
        self.fd = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self.fd >= 0
        added = library.inotify_add_watch(self.fd, os.fsencode(folder), self.CHANGES | self.OPEN)
        assert added >= 0

    def events(self):
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return []
        found = []
        while data:
            mask, _, nr = struct.unpack_from("<IIi", data, 4)
            found.append(mask)
            data = data[16 + nr :]
        return found

    def close(self):
        os.close(self.fd)


COMMANDS = [["report"], ["script"], ["report", "--format=folded"], ["info"], ["dump"]]


@pytest.mark.parametrize("build_id", [OTHER_BUILD_ID, b""], ids=["build-id", "no-build-id"])
@pytest.mark.parametrize("kind", ["fifo", "directory", "text", "library", "link"])
def test_named_files_are_not_touched(kind, build_id, short_folder, plain, tmp_path, pyrec):
    """Whatever is at a mapped path: no wait, no write, nothing of it in the output."""
    named = f"{short_folder}/f"
    make_named(kind, named)
    path = tmp_path / "naming.data"
    path.write_bytes(renamed(plain, named, build_id))
    for command in COMMANDS:
        watch = Watch(short_folder)
        result = pyrec(*command, "-i", path)
        events = watch.events()
        watch.close()
        assert not [mask for mask in events if mask & Watch.CHANGES]
        other = pyrec(*command, "-i", path, *NO_LOCAL_FILES.get(command[0], []))
        assert result.stdout == other.stdout
        assert b"adler32" not in result.stdout and b"secret" not in result.stdout


NO_LOCAL_FILES = {"report": ["--no-local-files"], "script": ["--no-local-files"]}


def make_named(kind, named):
    if kind == "fifo":
        os.mkfifo(named)
    if kind == "directory":
        os.mkdir(named)
    if kind == "text":
        with open(named, "w", encoding="utf-8") as file:
            file.write("secret:x:0:0:\n" * 100)
    if kind == "library":
        shutil.copy("/usr/lib/x86_64-linux-gnu/libz.so.1", named)
    if kind == "link":
        os.symlink("/etc/shadow", named)


@pytest.mark.parametrize("named", ["/dev/zero", "/dev/tty", "/proc/kmsg", "/etc/shadow", "/"])
@pytest.mark.parametrize("build_id", [OTHER_BUILD_ID, b""], ids=["build-id", "no-build-id"])
def test_named_devices(named, build_id, plain, tmp_path, pyrec):
    path = tmp_path / "naming.data"
    path.write_bytes(renamed(plain, named, build_id))
    for command in COMMANDS:
        result = pyrec(*command, "-i", path)
        other = pyrec(*command, "-i", path, *NO_LOCAL_FILES.get(command[0], []))
        assert result.stdout == other.stdout
        assert b"root:" not in result.stdout


def test_named_file_is_read_when_its_build_id_matches(short_folder, plain, tmp_path, pyrec):
    """The other side: so the tests above can fail."""
    named = f"{short_folder}/f"
    make_named("library", named)
    path = tmp_path / "naming.data"
    path.write_bytes(renamed(plain, named, build_id_of(named), place_of(named, "adler32")))
    assert b" adler32+0x" in pyrec("script", "-i", path).stdout
    path.write_bytes(renamed(plain, named, OTHER_BUILD_ID, place_of(named, "adler32")))
    assert b"adler32" not in pyrec("script", "-i", path).stdout


def place_of(path, name):
    result = subprocess.run(["nm", "-D", path], stdout=subprocess.PIPE, text=True, check=True)
    return next(int(line.split()[0], 16) for line in result.stdout.splitlines() if f" T {name}" in line)


def build_id_of(path):
    with open(path, "rb") as file:
        data = file.read()
    at = data.index(b"\4\0\0\0\x14\0\0\0\3\0\0\0GNU\0")
    return data[at + 16 : at + 36]
