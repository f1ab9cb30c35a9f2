# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What `make demo` prints shows all kinds of frames and the answer to its question."""

import os
import re

from pyrec_harness import PYREC, ROOT, clean_environment, need_root, run


def costs_by_line(text):
    """{source text: per cent} of the lines of the answer."""
    with open(f"{ROOT}/tests/targets/text_work.py", encoding="utf-8") as source:
        lines = source.read().splitlines()
    rows = re.findall(r"^ +([\d.]+)% .*text_work\.py:(\d+)$", text.split("# the answer")[1], re.M)
    return {lines[int(number) - 1].strip(): float(pct) for pct, number in rows}


def test_demo_answers_its_question(workdir):
    need_root()
    environment = clean_environment(PYREC=PYREC, DATA=f"{workdir}/demo.data", HOME=workdir)
    result = run([f"{ROOT}/tests/demo/demo.sh"], env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    for mark in ("[p] build_text", "[.] PyUnicode_Append", "[k] "):
        assert mark in result.stdout, mark
    costs = costs_by_line(result.stdout)
    compression = costs.pop("return zlib.compress(text.encode(), 6)")
    for operation in ("% 95", "chr(", "text + letter"):
        (cost,) = [pct for line, pct in costs.items() if operation in line]
        assert cost > compression > 0
    assert os.path.getsize(f"{workdir}/demo.data") > 0
    assert f"{workdir}/demo.data" in result.stdout.splitlines()[-1]
