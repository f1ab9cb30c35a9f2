# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Our line table decoders against the interpreters themselves: every instruction of every code object
of each standard library and of made tables, columns included where the version has them. And decoders
with one mistake each, which must not pass. `make check-lines` does the first with unpacked
interpreters, too."""

import subprocess

import pytest

from line_tables import DECODER, ORACLE, ask, build_comparer, compare, compare_library
from pyrec_harness import HEAP_FRAME_MINORS, MINORS, find_python


# Version in whose library it shows, a piece of the decoder, what replaces it.
MUTANTS = {
    "signed in 2.7": ("2.7", "is_signed ? (int8_t)line_delta : line_delta", "(int8_t)line_delta"),
    "unsigned in 3.9": ("3.9", "is_signed ? (int8_t)line_delta : line_delta", "line_delta"),
    "line before its range": ("3.9", "if (address_delta)", "if (address_delta > 2)"),
    "no line is a jump in 3.10": ("3.10", "line_delta != INT8_MIN", "true"),
    "no jump is no line": ("3.10", "line_delta != INT8_MIN", "line_delta != INT8_MIN && line_delta"),
    "no line resets": ("3.12", "return LINE_POSITION_NONE;", "return decoder->line = 1, LINE_POSITION_NONE;"),
    "short numbers": ("3.12", "shift <= 30", "shift <= 6"),
    "svarint without sign": ("3.11", "value & 1 ? -magnitude", "value & 2 ? -magnitude"),
    "line deltas of 1 and 2": ("3.13", "line += kind - LINE_ENTRY_ONE_LINE0", "line += 1"),
    "short columns": ("3.13", "kind * 8 + (columns >> 4)", "kind * 4 + (columns >> 4)"),
    "end column": ("3.11", "position.column + (columns & 15)", "position.column + (columns & 7)"),
    "end line": ("3.12", "end_line = (int32_t)end_line", "end_line = position.line"),
}


@pytest.fixture(scope="module")
def comparer(tmp_path_factory):
    return build_comparer(tmp_path_factory.mktemp("comparer"))


@pytest.mark.parametrize("version", HEAP_FRAME_MINORS + MINORS + ["system"])
def test_every_instruction_of_the_library(version, comparer):
    result = compare_library(comparer, [find_python(version), ORACLE])
    assert result.mismatches_nr == 0, result.first
    assert result.units_nr > 1_500_000
    assert result.skipped_nr < 0.02 * result.files_nr


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """The file with the answers for the uppermost folder of a version's library, asked for once."""
    folder = tmp_path_factory.mktemp("answers")

    def find(version):
        path = folder / version
        if not path.exists():
            with open(path, "wb") as out:
                command = [find_python(version), ORACLE, "--top"]
                with ask(command, stdout=out, stderr=subprocess.DEVNULL) as asked:
                    assert asked.wait(60) == 0
        return path

    return find


@pytest.mark.parametrize("name", MUTANTS)
def test_mistakes_are_found(name, answers, comparer, tmp_path):
    version, piece, replacement = MUTANTS[name]
    with open(DECODER, encoding="utf-8") as source:
        text = source.read()
    assert piece in text
    mutant = tmp_path / "mutant.c"
    mutant.write_text(text.replace(piece, replacement))
    for program, is_right in ((comparer, True), (build_comparer(tmp_path, mutant), False)):
        with open(answers(version), "rb") as stream:
            (_, _, mismatches_nr), first = compare(program, stream)
        assert (mismatches_nr == 0) == is_right, first
