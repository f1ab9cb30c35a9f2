# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""C programs with Python inside, under names that tell nothing: every sample of each of their
threads is the one stack that the thread has, C and Python frames in order, with and without the
GIL, with and without any state of Python's."""

import pytest

import embedding
from declared_stacks import is_flagged
from pyrec_harness import (
    HEAP_FRAME_MINORS,
    MINORS,
    find_python,
    info_rows,
    losses,
    record_command,
    script,
)

PARTS_NR = 11  # of embedded.py in each cycle
SECONDS = 0.2


def record(embedder, path, cycles_nr, keys_nr=40):
    """(samples of its parts by leaf, all samples)."""
    result = record_command(
        path,
        embedder.run_parts(cycles_nr, SECONDS, keys_nr),
        "-F",
        "499",
        env=embedding.environment_of(embedder),
    )
    everything = script(path)
    parts_nr = PARTS_NR * cycles_nr
    return embedding.check_samples(everything, result.stdout, embedder, parts_nr), everything


def test_linked_with_key_of_second_block(any_python, workdir):
    """40 keys made first: Python's own lies in glibc's second block of thread-specific data."""
    embedder = embedding.build_linked(any_python, workdir)
    path = f"{workdir}/linked.data"
    leaves, _ = record(embedder, path, cycles_nr=2)
    assert embedding.leaf_names(leaves) == ["0", "1"]
    names = {sample.comm for sample in leaves["host_burn_cpu"]}
    assert names == {"my app", "host worker"}
    without = [s for s in leaves["host_burn_cpu"] if not s.python_names()]
    assert without and not any(map(is_flagged, without))  # native threads, told as such
    assert info_rows(path, "samples")["no_thread_state"] >= len(without)
    assert losses(path) == {}


@pytest.mark.parametrize("keys_nr", [0, 31, 32])
def test_keys_at_the_edges(keys_nr, workdir):
    embedder = embedding.build_linked(find_python("3.12"), workdir)
    record(embedder, f"{workdir}/keys.data", cycles_nr=1, keys_nr=keys_nr)


@pytest.mark.parametrize("version", HEAP_FRAME_MINORS[1:2] + MINORS + ["system"])
def test_linked_statically(version, workdir):
    embedder = embedding.build_static(find_python(version), workdir)
    record(embedder, f"{workdir}/static.data", cycles_nr=2)


@pytest.mark.parametrize("version", HEAP_FRAME_MINORS[-1:] + MINORS + ["system"])
def test_loaded_late(version, workdir):
    """libpython comes by dlopen() into a running program. A thread that never used any of it is a
    native one, though glibc's table of its modules is too short to say so."""
    embedder = embedding.build_late(find_python(version), workdir)
    _, everything = record(embedder, f"{workdir}/late.data", cycles_nr=1)
    native = [sample for sample in everything if sample.comm == "native worker"]
    assert len(native) >= 50
    assert not any(is_flagged(sample) or sample.python_names() for sample in native)
