# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Code objects that die: where the memory of one is used again by the next, no sample bears another
one's name, file or line."""

import bisect

from declared_stacks import is_flagged, script_file
from pyrec_harness import documents, record_command, run_target, script

SECONDS = 0.2
FREQUENCY = 4999  # so that many samples see nothing new before the next one comes
SAMPLES_MIN = 3  # of each window: a busy machine gives few
FLAGGED_MAX = 0.001
# What may stand in a window beside the function that was made.
STATIC = {"<module>", "main", "run_kind", "run_one", "burn", "deeper"}


def find_wrong(sample, name, file, lines):
    """Why the sample is none of the function that its window belongs to; None when it is."""
    made = [f for f in sample.frames if f.kind == "p" and f.name not in STATIC]
    names = sample.python_names()
    if names[:4] != ["<module>", "main", "run_kind", "run_one"]:
        return f"does not begin with the target's own functions: {names}"
    if len(made) > 1 or (made and names.index(made[0].name) != 4) or (not made and names[4:]):
        return f"not one made function: {names}"
    if made and (made[0].name, made[0].dso) != (name, file):
        return f"{made[0].name} ({made[0].dso}) where only {name} ({file}) can be"
    if made and made[0].line not in lines:
        return f"line {made[0].line} of {name}, which has {lines}"
    return None


def judge(kind, samples):
    """(samples seen in windows, flagged ones, [why one is wrong])."""
    windows = kind["windows"]
    begins = [window[3] for window in windows]
    seen_nr, flagged_nr, wrong = 0, 0, []
    for sample in samples:
        at = bisect.bisect(begins, sample.time_ns - 1000) - 1
        if at < 0 or sample.time_ns + 1000 >= windows[at][4]:
            continue
        name, file, lines = windows[at][:3]
        seen_nr += 1
        if is_flagged(sample):
            flagged_nr += 1
            continue
        why = find_wrong(sample, name, script_file(file), lines)
        wrong += [f"{kind['kind']} {at}: {why}"] if why else []
    return seen_nr, flagged_nr, wrong


def test_no_name_of_another(python3, workdir):
    path = f"{workdir}/dying.data"
    target = run_target(python3, "dying_code.py", SECONDS)
    kinds = documents(record_command(path, target, "-F", FREQUENCY).stdout)
    samples = [s for s in script(path) if s.tid == kinds[0]["tid"]]
    failures = []
    all_nr = all_flagged_nr = 0
    for kind in kinds:
        seen_nr, flagged_nr, wrong = judge(kind, samples)
        all_nr += seen_nr
        all_flagged_nr += flagged_nr
        if wrong:
            failures.append(f"{len(wrong)} of {seen_nr}: " + "\n".join(wrong[:3]))
        if seen_nr < SAMPLES_MIN:
            failures.append(f"{kind['kind']}: only {seen_nr} samples")
    if sum(k["addresses_nr"] for k in kinds) > sum(len(k["windows"]) for k in kinds) / 2:
        failures.append("addresses were not used again")
    if all_flagged_nr > max(1, FLAGGED_MAX * all_nr):
        failures.append(f"{all_flagged_nr} of {all_nr} samples are not whole")
    assert not failures, "\n".join(failures)
