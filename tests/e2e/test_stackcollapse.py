# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""FlameGraph's stackcollapse-perf.pl over `pyrec script` gives what --format=folded gives."""

import os
import shutil
import sys

from pyrec_harness import (
    PYREC,
    ROOT,
    clean_environment,
    find_python,
    pyrec,
    record_command,
    run,
    run_target,
    skip,
)

COMPARE = os.path.join(ROOT, "tests", "golden", "compare_stackcollapse.py")


def find_stackcollapse():
    """FlameGraph is no Debian package: $FLAMEGRAPH_DIR or the search path has it, or nobody."""
    folder = os.environ.get("FLAMEGRAPH_DIR", "")
    path = shutil.which("stackcollapse-perf.pl", path=f"{folder}:{os.environ['PATH']}")
    if not path:
        reason = "prerequisite stackcollapse-perf.pl: not in $FLAMEGRAPH_DIR or PATH (no package)"
        skip(reason, is_possible=False)
    return path


def test_equal_stacks(workdir):
    collapse = find_stackcollapse()
    path = f"{workdir}/x.data"
    record_command(path, run_target(find_python("3.12"), "shapes.py", 0.1), "-F", "499")
    result = run([sys.executable, COMPARE, collapse, path], env=clean_environment(PYREC=PYREC))
    assert result.returncode == 0, result.stdout + result.stderr
    assert pyrec("report", "--format=folded", "-i", path).stdout.count("\n") > 50
