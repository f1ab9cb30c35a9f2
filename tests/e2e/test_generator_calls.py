# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A generator that has ended is nobody's caller, though for a moment the next frame at the place of one
that it called is still linked to it."""

from declared_stacks import is_flagged
from pyrec_harness import documents, record_command, run_target, script, within

SECONDS = 2
FREQUENCY = 20000  # the moment is some nanoseconds long
SAMPLES_MIN = 1000
FLAGGED_MAX = 0.01
CHAIN = ["<module>", "main", "make", "<genexpr>", "called"]


def test_each_chain_begins_at_its_root(python3, workdir):
    path = f"{workdir}/generators.data"
    target = run_target(python3, "generator_calls.py", SECONDS)
    (told,) = documents(record_command(path, target, "-F", FREQUENCY).stdout)
    samples = [s for s in within(script(path), *told["window"]) if s.tid == told["tid"]]
    whole = [sample for sample in samples if not is_flagged(sample)]
    chains = [[name.rpartition(".")[2] for name in sample.python_names()] for sample in whole]
    wrong = [chain for chain in chains if chain != CHAIN[: len(chain)]]
    assert not wrong, f"{len(wrong)} of {len(whole)}: {wrong[:3]}"
    assert len(whole) > SAMPLES_MIN
    assert len(samples) - len(whole) <= FLAGGED_MAX * len(samples)
