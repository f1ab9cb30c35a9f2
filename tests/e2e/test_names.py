# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Names and files in strings of every width, 10,000 characters long, with what drives terminals, from
bytes that are no UTF-8, from archives and the interpreter itself: as the interpreter tells them."""

from declared_stacks import describe, find_impossible
from pyrec_harness import clean_environment, documents, record_command, run_target, script, within

SECONDS = 0.04
FREQUENCY = 997
SAMPLES_MIN = 3  # of each window: a busy machine gives few


def test_names(python3, workdir):
    path = f"{workdir}/names.data"
    target = run_target(python3, "names.py", SECONDS)
    environment = clean_environment(LC_ALL="C.UTF-8")
    cases = documents(record_command(path, target, "-F", FREQUENCY, env=environment).stdout)
    everything = [s for s in script(path) if s.tid == cases[0]["tid"]]
    failures = []
    for case in cases:
        samples = within(everything, *case["window"])
        wrong = find_impossible(samples, [case["stack"]])
        if wrong:
            failures.append(f"{case['case']}: {describe(wrong, samples)}")
        if len(samples) < SAMPLES_MIN:
            failures.append(f"{case['case']}: only {len(samples)} samples")
    assert not failures, "\n".join(failures)
