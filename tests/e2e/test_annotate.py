# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""pyrec annotate: shares of lines against what the program says of itself and against pyrec script;
sources that are there, elsewhere, gone, others, or no files at all."""

import math
import os
import re
import shutil
from collections import Counter

import pytest

from annotations import annotate
from pyrec_harness import (
    TARGETS,
    documents,
    need_root,
    pyrec,
    record_command,
    run_target,
    script,
)

SHARES_PCT = {"loop": 50, "native": 30, "python": 20}
DEVIATIONS_MAX = 4  # of a sample of that size
SAMPLES_NR_MIN = 1000


def record_lines(python, workdir, seconds=2, hz=499):
    """A recording of line_split.py beside a copy of it, and what it says of itself."""
    for name in ("line_split.py", "declared.py"):
        shutil.copy(os.path.join(TARGETS, name), workdir)
    path = f"{workdir}/lines.data"
    command = [python, f"{workdir}/line_split.py", str(seconds)]
    (truth,) = documents(record_command(path, command, "-F", str(hz)).stdout)
    return path, truth


@pytest.fixture(scope="module", name="recorded")
def make_recorded(tmp_path_factory):
    """One recording for all that is about files: (path of it, folder of the source)."""
    need_root()
    folder = tmp_path_factory.mktemp("annotate")
    path, truth = record_lines("/usr/bin/python3", folder)
    return path, folder, truth


def counted_lines(samples, name):
    """By line of a function: samples with it on the stack, and in it itself, from pyrec script."""
    total, itself = Counter(), Counter()
    for sample in samples:
        total.update({frame.line for frame in sample.frames if frame.name == name})
        leaf = sample.frames[-1]
        itself.update([leaf.line] if leaf.name == name else [])
    return total, itself


def line_of(row):
    """0 for instructions of no line, as parse_script() has it."""
    return 0 if row.place == "?" else int(row.place)


def lines_of(row_weights):
    return {line: weight.samples_nr for line, weight in row_weights if weight.samples_nr}


def check_shares(rows, truth):
    """Samples of the three parts are in the proportion that the program aims at and says it kept."""
    samples_nr = {
        part: sum(row.children.samples_nr for row in rows if first <= line_of(row) <= last)
        for part, (first, last) in truth["lines"].items()
    }
    all_nr = sum(samples_nr.values())
    assert all_nr > SAMPLES_NR_MIN
    spent = sum(truth["spent_seconds"].values())
    for part, pct in SHARES_PCT.items():
        assert abs(100 * truth["spent_seconds"][part] / spent - pct) < 1
        deviation = 100 * math.sqrt(pct / 100 * (1 - pct / 100) / all_nr)
        points = 100 * samples_nr[part] / all_nr - pct
        assert abs(points) <= DEVIATIONS_MAX * deviation, samples_nr


def check_source(rows, path):
    """The function's lines, all of them, as they stand in the file."""
    with open(path, encoding="utf-8") as file:
        source = file.read().splitlines()
    begin = next(n for n, line in enumerate(source, 1) if line.startswith("def share_out("))
    end = next(n for n, line in enumerate(source, 1) if line.startswith("    return spent"))
    rows = [row for row in rows if row.place != "?"]
    assert [row.place for row in rows] == [str(n) for n in range(begin, end + 1)]
    assert [row.text for row in rows] == source[begin - 1 : end]


def check_against_script(found, samples, name):
    """Every sample of every line, also where the function recurs in a stack."""
    total, itself = counted_lines(samples, name)
    rows = [(line_of(row), row) for row in found.rows]
    assert lines_of((line, row.children) for line, row in rows) == dict(total)
    assert lines_of((line, row.itself) for line, row in rows) == dict(itself)
    in_it_nr = sum(any(f.name == name for f in s.frames) for s in samples)
    assert found.head["In it"].startswith(f"{in_it_nr} samples ")
    for _, row in rows:
        exact = 100 * row.children.samples_nr
        assert abs(row.children.percent - exact / in_it_nr) < 0.2
        assert abs(row.children.of_all - exact / len(samples)) < 0.2


def test_lines(work_python, workdir):
    path, truth = record_lines(work_python, workdir, 5, 1999)
    (found,) = annotate(path, "share_out")
    check_shares(found.rows, truth)
    check_source(found.rows, f"{workdir}/line_split.py")
    for part in ("native", "python"):
        row = found.row(truth["lines"][part][0])
        assert row.itself.samples_nr <= 0.1 * row.children.samples_nr
    row = found.row(truth["lines"]["loop"][1])
    assert row.itself.samples_nr >= 0.8 * row.children.samples_nr
    samples = script(path)
    check_against_script(found, samples, "share_out")
    (found,) = annotate(path, "descend")
    check_against_script(found, samples, "descend")


def test_no_children(recorded):
    path = recorded[0]
    (found,) = annotate(path, "share_out", "--no-children")
    _, itself = counted_lines(script(path), "share_out")
    assert lines_of((line_of(row), row.itself) for row in found.rows) == dict(itself)
    assert abs(sum(row.itself.percent for row in found.rows) - 100) < 0.1
    (limited,) = annotate(path, "share_out", "--no-children", "--percent-limit=5")
    shown = [row for row in limited.rows if row.place != "…"]
    assert shown == [row for row in found.rows if row.itself.percent >= 5]


# ---- Sources ----


@pytest.fixture(name="source")
def make_source(recorded):
    """The recorded program's file, put right again after the test."""
    _, folder, _ = recorded
    file = folder / "line_split.py"
    text = file.read_bytes()
    yield file
    file.unlink(missing_ok=True)
    file.write_bytes(text)


def shares(annotations):
    return [[(row.place, row.children, row.itself) for row in a.rows] for a in annotations]


def sampled(annotations):
    return [[row for row in rows if row[1].samples_nr] for rows in shares(annotations)]


def check_without_text(recorded, reason, *arguments):
    """Line numbers and shares only, the same as with the text, and why."""
    path, folder, _ = recorded
    (found,) = annotate(path, "share_out", *arguments)
    assert re.search(reason, found.head["Source"]), found.head
    assert not any(row.text for row in found.rows)
    return found


def test_sources_gone(recorded, source):
    path = recorded[0]
    with_text = sampled(annotate(path, "share_out"))
    source.unlink()
    found = check_without_text(recorded, "^not at hand, see --source-dir$")
    assert shares([found]) == with_text


def test_local_files_unwanted(recorded):
    check_without_text(recorded, "^not at hand", "--no-local-files")


def test_source_changed(recorded, source):
    """The function stands elsewhere now; or what ran stands on a line that is empty now."""
    text = source.read_text()
    source.write_text("\n" + text)
    reason = f"^{source} is another one: no share_out at line \\d+$"
    check_without_text(recorded, reason)
    lines = text.split("\n")
    lines[recorded[2]["lines"]["native"][0] - 1] = "  "
    source.write_text("\n".join(lines))
    check_without_text(recorded, reason)


def test_source_newer(recorded, source):
    os.utime(source, (2e9, 2e9))
    (found,) = annotate(recorded[0], "share_out")
    assert found.head["Source"] == f"{source}, changed after the recording: lines may differ"
    assert found.rows[0].text.startswith("def share_out(")


def test_source_dir(recorded, source, tmp_path):
    """The folder comes first, by as much of the path as is there; then the file's own path."""
    path, folder, _ = recorded
    with_text = annotate(path, "share_out")
    place = tmp_path / "checkout" / folder.name
    place.mkdir(parents=True)
    (place / source.name).write_text("another file\n")
    shutil.copy(source, tmp_path / "checkout")
    source.unlink()
    (found,) = annotate(path, "share_out", f"--source-dir={tmp_path}/checkout")
    assert found.head["Source"].startswith(f"{tmp_path}/checkout/line_split.py")
    assert found.rows == with_text[0].rows
    check_without_text(recorded, "^not at hand", f"--source-dir={tmp_path}/nothing")


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "socket link"])
def test_no_regular_file(recorded, source, kind):
    """Names from a recording may mean anything by now: nothing waits or acts."""
    source.unlink()
    if kind == "fifo":
        os.mkfifo(source)
    elif kind == "device":
        os.symlink("/dev/zero", source)
    elif kind == "folder":
        source.mkdir()
    else:
        os.symlink("/nothing/there", source)
    check_without_text(recorded, "^not at hand")
    if kind == "folder":
        source.rmdir()


def test_escapes(recorded, source):
    """What drives a terminal comes as text, from sources too."""
    text = source.read_bytes().replace(b"lines = {}", b"lines = {}  # \x1b[2J\x9b\xe2\x80\xae\ttab")
    source.write_bytes(text)
    result = pyrec("annotate", "share_out", recorded[0])
    assert r"lines = {}  # \x1b[2J\x9b\u{202e}" in result.stdout
    assert all(c.isprintable() or c == "\n" for c in result.stdout)


# ---- Which function ----


def test_symbols(recorded):
    path = recorded[0]
    functions = lambda *arguments: [a.head["Function"] for a in annotate(path, *arguments)]
    assert len(functions("share_out")) == 1
    several = functions("sh*_out,desc??d", "--dso=line_split.py")
    assert [text.split()[1] for text in several] == ["share_out,", "descend,"]
    assert functions("share_out,descend", "--symbol=descend") == several[1:]
    assert functions("*", "--percent-limit=90", "--dso=nothing.py,line_split.py,*/x.py") == [
        functions("<module>", "--dso=line_split.py")[0],
        several[0],
    ]


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["no_such\x1b"], r"no sample has a function 'no_such\x1b'"),
        (["share_out", "--dso=other.py"], "no sample has a function 'share_out'"),
        (["share_out", "--comm=nobody"], "no sample has a function 'share_out'"),
        (["descend", "--percent-limit=99"], "'descend' has less than --percent-limit"),
        (["<module>", "--no-children", "--dso=line_split.py"], "no sample is in '<module>' itself"),
    ],
)
def test_nothing_to_show(recorded, arguments, reason):
    result = pyrec("annotate", "-i", recorded[0], *arguments, status=1)
    assert result.stdout == ""
    assert result.stderr.startswith(f"pyrec: {reason}") and result.stderr.count("\n") == 1


def test_several_inputs(recorded):
    path = recorded[0]
    (one,) = annotate(path, "share_out")
    (two,) = annotate(path, "share_out", path)
    for row, row2 in zip(one.rows, two.rows, strict=True):
        assert row2.children.samples_nr == 2 * row.children.samples_nr
        assert row2.children.percent == row.children.percent
        assert row2.text == row.text
