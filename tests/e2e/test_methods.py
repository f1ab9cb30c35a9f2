# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Before 3.11 methods are shown with the class that defines them, or plain; never with another."""

import pytest

from pyrec_harness import (
    HEAP_FRAME_MINORS,
    documents,
    find_python,
    record_command,
    run_target,
    script,
    within,
)

SECONDS = 0.1


@pytest.mark.parametrize("version", HEAP_FRAME_MINORS)
def test_names_are_the_interpreters_own(version, workdir):
    path = f"{workdir}/methods.data"
    target = run_target(find_python(version), "methods.py", SECONDS)
    cases = documents(record_command(path, target, "-F", "499").stdout)
    assert len(cases) == 19
    everything = [s for s in script(path) if s.tid == cases[0]["tid"]]
    for case in cases:
        samples = [s.python_names() for s in within(everything, *case["window"])]
        shown = [names[names.index("spin") - 1] for names in samples if "spin" in names]
        assert len(shown) >= 5, case
        assert set(shown) <= set(case["names"]), (set(shown), case["names"])
