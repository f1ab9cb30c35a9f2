# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Frames, code objects and names that were paged out: the sample says what it lacks, the recorder has
it brought back for the next ones, and nothing wrong is shown."""

import contextlib
import ctypes
import os
import subprocess
import threading

import pytest

from pyrec_harness import (
    documents,
    find_python,
    need_program,
    need_root,
    pyrec,
    recording,
    run_target,
    script,
    skip,
    started,
    within,
)

MADV_PAGEOUT = 21  # include/uapi/asm-generic/mman-common.h, Linux 5.4
SYS_PIDFD_OPEN, SYS_PROCESS_MADVISE = 434, 440
SWAP_BYTES = 64 << 20
SECONDS = 5
PERIOD_SECONDS = 0.5


class IoVector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("nr", ctypes.c_size_t)]


@pytest.fixture(scope="module")
def swap(tmp_path_factory):
    """A swap file for anonymous memory to go to, gone after the tests."""
    need_root()
    need_program("mkswap")
    path = str(tmp_path_factory.mktemp("swap") / "file")
    with open(path, "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        os.posix_fallocate(file.fileno(), 0, SWAP_BYTES)
    subprocess.run(["mkswap", "-q", path], check=True)
    if subprocess.run(["swapon", path], check=False).returncode:
        skip("prerequisite swapon: this file system or machine takes no swap file", False)
    yield
    subprocess.run(["swapoff", path], check=True, timeout=120)


def anonymous_ranges(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        for line in maps:
            addresses, mode, _, _, inode, *path = line.split(maxsplit=5)
            if "w" in mode and inode == "0" and (not path or path[0].strip() == "[heap]"):
                begin, end = (int(part, 16) for part in addresses.split("-"))
                yield begin, end - begin


def page_out(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = libc.syscall(SYS_PIDFD_OPEN, pid, 0)
    assert pidfd >= 0
    try:
        for begin, nr in anonymous_ranges(pid):
            vector = IoVector(begin, nr)
            result = libc.syscall(
                SYS_PROCESS_MADVISE, pidfd, ctypes.byref(vector), 1, MADV_PAGEOUT, 0
            )
            if result < 0:
                skip(f"prerequisite process_madvise: {os.strerror(ctypes.get_errno())}", False)
    finally:
        os.close(pidfd)


@contextlib.contextmanager
def paging_out(pid):
    """Page the process out now and then. Yields the list of the moments."""
    ended = threading.Event()
    times_nr = [0]

    def run():
        while not ended.wait(PERIOD_SECONDS):
            page_out(pid)
            times_nr[0] += 1

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield times_nr
    finally:
        ended.set()
        thread.join()


def is_nameless(frame):
    """A Python frame whose name, at least, could not be read."""
    return frame.name == "[unknown]" and (frame.dso == "[unknown]" or ".py" in frame.dso)


def judge(sample, names):
    """Frames and names that are shown are the program's, in their places from the leaf; what lacks
    is said."""
    found = [frame.name for frame in sample.frames if frame.kind == "p" or is_nameless(frame)]
    is_whole = len(found) == len(names)
    expected = names if is_whole else names[len(names) - len(found) :]
    for name, wanted in zip(found, expected):
        assert name in (wanted, "[unknown]"), (found, names)
    notes = [frame.name for frame in sample.frames if "incomplete stack" in frame.name]
    assert is_whole or notes, found
    return is_whole and "[unknown]" not in found


@pytest.mark.parametrize("version", ["3.8", "3.11", "3.13"])
def test_paged_out(version, swap, workdir):
    path = f"{workdir}/cold.data"
    target = run_target(find_python(version), "cold_callers.py", SECONDS)
    with started(target, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        page_out(process.pid)
        with recording(path, "-p", process.pid, "-F", "499"):
            with paging_out(process.pid) as times_nr:
                (truth,) = documents(process.stdout.read())
    samples = within([s for s in script(path) if s.tid == truth["tid"]], *truth["window"])
    whole_nr = sum(judge(sample, truth["names"]) for sample in samples)
    lacking_nr = len(samples) - whole_nr
    assert len(samples) > 300 and times_nr[0] >= 2
    # Nothing but the recorder brings the callers back: it looks every tenth of a second.
    assert 0 < lacking_nr < len(samples) / 3, (lacking_nr, times_nr, len(samples))
    assert "faulted" in pyrec("info", "-i", path).stdout
