# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""README's table of versions says what a result of the matrix says, and a check sees where not."""

import os
import sys

import pytest

from pages import ROOT, source

sys.path.insert(0, os.path.join(ROOT, "tests", "pythons"))

import readme_table  # noqa: E402


def row(version, build, samples=1000, impossible=0, flagged=0, verdict="right"):
    named = {"version": version, "build": build, "place": "here", "target": "merge"}
    counts = {"samples": samples, "impossible": impossible, "flagged": flagged}
    return {**named, **counts, "verdict": verdict}


def result(*rows):
    return {"made": "2026-01-01", "kernel": "6.1", "machine": "x86_64", "rows": list(rows)}


def readme(*rows):
    table = readme_table.make_table(result(*rows))
    return f"before\n{readme_table.BEGIN}{table}{readme_table.END}behind\n"


SHARED = row("3.12.1", "shared", flagged=2)
STATIC = row("3.12.9", "static, stripped")
REFUSED = row("3.12.9", "static, musl", samples=0, verdict="refused by name")


def test_table():
    table = readme_table.make_table(result(SHARED, STATIC, REFUSED, row("3.13.5t", "static")))
    assert table.splitlines()[2:] == [
        "| 3.12 | Python, native and kernel frames | shared; static, stripped | 100 % of 1,998 | 2 |",
        f"| 3.12 | {readme_table.REFUSED} | static, musl | – | – |",
        "| 3.13t | Python, native and kernel frames | static | 100 % of 1,000 | 0 |",
        "",
        "3 interpreters, 3,000 samples, 2 of them flagged; Linux 6.1, x86_64, 2026-01-01.",
    ]


def test_a_share_is_never_rounded_up():
    assert readme_table.percent_text(99999, 100000) == "99.99 %"
    assert readme_table.percent_text(100000, 100000) == "100 %"


def test_fewer_interpreters_and_other_numbers_agree():
    fewer = result(row("3.12.1", "shared", samples=17))
    assert not readme_table.find_differences(fewer, readme(SHARED, STATIC))


@pytest.mark.parametrize(
    "found",
    [
        row("3.12.1", "shared", impossible=1),
        row("3.12.1", "shared, stripped"),
        row("3.12.1", "shared", samples=0, verdict="refused by name"),
        row("3.14.0", "shared"),
    ],
)
def test_what_contradicts_is_told(found):
    assert readme_table.find_differences(result(found), readme(SHARED, STATIC))


def test_readme_claims_whole_shares_only():
    """What is not right at every sample is to be mended, not to be written down."""
    told = readme_table.claims(readme_table.parts(source("README.md"))[1])
    assert told
    assert {share for _, share in told.values()} <= {"100 %", "–"}
