# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A thread in zlib that has released the GIL still shows its Python callers."""

from pyrec_harness import documents, record_command, run_target, script, within


def has_callers(sample, callers):
    names = sample.python_names()
    return callers == [name for name in names if name in callers]


def test_zlib_thread(work_python, workdir):
    path = f"{workdir}/nogil.data"
    target = run_target(work_python, "zlib_nogil.py", 4)
    (truth,) = documents(record_command(path, target, "-F", "499").stdout)
    everything = [s for s in script(path) if s.tid == truth["zlib_tid"]]
    samples = within(everything, *truth["window"])
    # One of two threads that share the process's time.
    assert len(samples) >= 0.2 * 499 * truth["cpu_seconds"] > 50
    named = sum(has_callers(sample, truth["callers"]) for sample in samples)
    assert named >= 0.99 * len(samples), f"{named} of {len(samples)} show their callers"
    in_zlib = sum(any("libz.so" in f.dso for f in sample.frames) for sample in samples)
    assert in_zlib >= 0.9 * len(samples), f"{in_zlib} of {len(samples)} show libz"
