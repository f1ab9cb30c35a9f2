# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The output of pyrec annotate, parsed."""

import re
from dataclasses import dataclass

from pyrec_harness import pyrec


@dataclass
class Weight:
    percent: float = 0.0
    of_all: float = 0.0
    samples_nr: int = 0


@dataclass
class Row:
    children: Weight
    itself: Weight
    place: str
    text: str


SHARE = re.compile(r"\s*([\d.]+)%\s+([\d.]+)%\s+(\d+)")
SHARE_COLUMNS = 29


def parse_weight(text):
    if not text.strip():
        return Weight()
    percent, of_all, samples_nr = SHARE.fullmatch(text).groups()
    return Weight(float(percent), float(of_all), int(samples_nr))


def parse_row(line, children):
    total = parse_weight(line[:SHARE_COLUMNS]) if children else None
    rest = line[SHARE_COLUMNS:] if children else line
    itself = parse_weight(rest[:SHARE_COLUMNS])
    place, _, text = rest[SHARE_COLUMNS:].strip().partition("  ")
    return Row(total, itself, place, text)


@dataclass
class Annotation:
    head: dict
    rows: list

    def row(self, line):
        (found,) = [row for row in self.rows if row.place == str(line)]
        return found


def parse_annotations(text):
    """Each function's head and rows."""
    found = []
    for part in re.split(r"^(?=# Function:)", text, flags=re.MULTILINE)[1:]:
        head = dict(re.findall(r"^# (\w[\w ]*): +(.*)$", part, re.MULTILINE))
        children = "# Children" in part
        lines = [line for line in part.splitlines() if line and not line.startswith("#")]
        found.append(Annotation(head, [parse_row(line, children) for line in lines]))
    return found


def annotate(path, symbol, *arguments):
    return parse_annotations(pyrec("annotate", symbol, path, *arguments).stdout)
