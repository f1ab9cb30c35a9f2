# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""pyrec annotate on machine code: instructions against objdump, shares against perf annotate and against
the addresses of every sample, source lines against addr2line."""

import os
import re
import shutil
import subprocess
from collections import Counter

import pytest

from annotations import annotate
from pyrec_harness import (
    BUILD,
    TARGETS,
    need_program,
    need_root,
    pyrec,
    record_command,
    run,
    run_target,
    skip,
)

DISASSEMBLE = os.path.join(BUILD, "tests/native/disassemble")
OBJDUMP_LINE = re.compile(r"^ +([0-9a-f]+):\t([0-9a-f ]+?) *\t(.*)$")


def objdump(file, symbol, program="objdump"):
    """[(address, number of bytes, text)] of one function."""
    options = ["-d", "-w", "-z", f"--disassemble={symbol}"]
    found = []
    for line in run([need_program(program), *options, file]).stdout.splitlines():
        match = OBJDUMP_LINE.match(line)
        if match:
            groups = match[2].split()
            bytes_nr = sum(len(group) for group in groups) // 2
            found.append((int(match[1], 16), bytes_nr, match[3]))
    assert found, f"objdump knows no {symbol} in {file}"
    return found


# ---- The disassembler alone ----


def disassemble(file, symbol):
    if not os.path.exists(DISASSEMBLE):
        skip("prerequisite disassemble: make native-tools builds it")
    found = []
    for line in run([DISASSEMBLE, file, symbol]).stdout.splitlines():
        text, _, target = line.partition(" -> ")
        address, bytes_nr, text = text.split(" ", 2)
        found.append((int(address, 16), int(bytes_nr), text, int(target, 16) if target else None))
    return found


def x86_mnemonic(text):
    """Without prefixes that are part of a padding, for which the two have many names."""
    if re.search(r"\bnop|^xchg +%ax, ?%ax$", text):
        return "nop"
    return re.sub(r"^(bnd|notrack) ", "", text).split()[0]


def is_same_x86(ours, theirs):
    """Capstone always spells the suffix of the operands' size; objdump calls movq to and from %xmm movq."""
    return ours == theirs or ours in [theirs + suffix for suffix in "bwlq"] or (ours, theirs) == ("movd", "movq")


def x86_target(text):
    match = re.search(r"^(?:j\w+|call\w*|loop\w*)\s+([0-9a-f]+) ?(?:<.*)?$", text.replace("bnd ", ""))
    return int(match[1], 16) if match else None


@pytest.mark.parametrize("symbol", ["PyUnicode_Append", "PyLong_AsLong", "_PyEval_EvalFrameDefault"])
def test_x86_instructions(symbol):
    """Each instruction of objdump's at its address, as long, with the same mnemonic, and jumps go to
    the same place."""
    file = os.path.realpath("/usr/bin/python3")
    expected, found = objdump(file, symbol), disassemble(file, symbol)
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    targets = [x86_target(text) for *_, text in expected]
    assert [target for *_, target in found] == targets
    assert len([target for target in targets if target]) >= 3
    names = {(x86_mnemonic(row[2]), x86_mnemonic(other[2])) for row, other in zip(found, expected)}
    assert {pair for pair in names if not is_same_x86(*pair)} == set()


AARCH64 = """
	.text
	.globl work
	.type work, %function
work:
	stp x29, x30, [sp, #-32]!
	mov x29, sp
	cbz x0, 2f
1:	ldr w1, [x0], #4
	add x2, x2, w1, uxtw
	tbnz w1, #3, 1b
	b.ne 1b
	bl other
	adrp x3, work
	.word 0xffffffff
	blr x3
2:	ldp x29, x30, [sp], #32
	ret
	.size work, . - work
	.globl other
	.type other, %function
other:
	b work
	.size other, . - other
"""


def plain_aarch64(text):
    """Numbers as numbers, and no names behind targets."""
    text = " ".join(re.sub(r"\s*(<.*>)?\s*(//.*)?$", "", text).split())
    text = re.sub(r"(?<= )([0-9a-f]+)$", lambda m: "0x" + f"{int(m[1], 16):x}", text)
    text = re.sub(r"#?(-?0x[0-9a-f]+|-?\b\d+\b)", lambda m: str(int(m[1], 0)), text)
    return " ".join(text.replace(",", " ").split())


def test_aarch64_instructions(workdir):
    """By the machine that the file is for, not the one that reads it."""
    source, file = f"{workdir}/work.s", f"{workdir}/work.so"
    with open(source, "w", encoding="utf-8") as out:
        out.write(AARCH64)
    prefix = "aarch64-linux-gnu-"
    run([need_program(prefix + "as"), "-o", f"{workdir}/work.o", source])
    run([need_program(prefix + "ld"), "-shared", "-Bsymbolic", "-o", file, f"{workdir}/work.o"])
    expected, found = objdump(file, "work", prefix + "objdump"), disassemble(file, "work")
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    assert len(found) == 13
    for (_, _, text, _), (_, _, their_text) in zip(found, expected):
        if ".word" not in their_text and "udf" not in their_text:
            assert plain_aarch64(text) == plain_aarch64(their_text)
        else:
            assert text.startswith(".byte 0xff")
    other = disassemble(file, "other")[0][0]
    begin = found[0][0]
    targets = {n: target for n, (*_, target) in enumerate(found) if target is not None}
    assert targets == {2: begin + 44, 5: begin + 12, 6: begin + 12, 7: other}


# ---- Recordings ----


@pytest.fixture(scope="module", name="recorded")
def make_recorded(tmp_path_factory):
    """(recording, library, copy of its source)"""
    need_root()
    folder = tmp_path_factory.mktemp("code")
    source = folder / "burn.c"
    library = folder / "libburn.so"
    shutil.copy(os.path.join(TARGETS, "burn.c"), source)
    build = ["gcc", "-g", "-O1", "-shared", "-fPIC", "-o", library, source]
    subprocess.run(build, check=True)
    path = folder / "burn.data"
    target = run_target("/usr/bin/python3", "burn.py", 2, library)
    record_command(path, target, "-F", "997")
    return path, library, source


@pytest.fixture(name="away")
def move_away(recorded):
    """The library is elsewhere during the test: its folder there stands for the recorded root."""
    _, library, _ = recorded
    root = library.parent / "root"
    place = root / str(library).lstrip("/")
    place.parent.mkdir(parents=True)
    library.rename(place)
    yield root
    place.rename(library)
    shutil.rmtree(root)


def instructions(annotation):
    return [row for row in annotation.rows if re.fullmatch("[0-9a-f]+", row.place)]


def address(row):
    return int(row.place, 16)


@pytest.mark.parametrize("symbol", ["burn", "burn_deep"])
def test_instructions(recorded, symbol):
    """All of the function, as objdump has it; jumps say where to."""
    path, library, _ = recorded
    (found,) = annotate(path, symbol, "--dso=libburn.so")
    rows = instructions(found)
    expected = objdump(library, symbol)
    assert [address(row) for row in rows] == [row[0] for row in expected]
    for row, (*_, text) in zip(rows, expected):
        assert is_same_x86(x86_mnemonic(row.text), x86_mnemonic(text))
        target = re.search(rf"<({symbol}(\+0x[0-9a-f]+)?)>$", text)
        assert not target or row.text.endswith(f"<{target[1]}>")


SAMPLE_FRAME = re.compile(r"^\s+[0-9a-f]+ (\w+)\+0x([0-9a-f]+) \(.*libburn\.so\)$")


def counted_instructions(path, symbol, rows):
    """By address of an instruction: samples with it on the stack, and at it, from pyrec script."""
    begin = rows[0][0]
    starts = {begin + at: address for address, nr, _ in rows for at in range(address - begin, address - begin + nr)}
    total, itself = Counter(), Counter()
    for block in pyrec("script", "-i", path, "--no-inline").stdout.split("\n\n"):
        places = []
        for frame in [line for line in block.splitlines() if line.startswith("\t")]:
            match = SAMPLE_FRAME.match(frame)
            is_it = match and match[1] == symbol
            places.append(starts[begin + int(match[2], 16)] if is_it else None)
        total.update({place for place in places if place is not None})
        itself.update([place for place in places[:1] if place is not None])
    return total, itself


@pytest.mark.parametrize("symbol", ["burn", "burn_deep"])
def test_equals_script(recorded, symbol):
    """Each instruction's samples, also of a function that is in a stack several times."""
    path, library, _ = recorded
    (found,) = annotate(path, symbol, "--dso=libburn.so")
    total, itself = counted_instructions(path, symbol, objdump(library, symbol))
    rows = instructions(found)
    assert {address(r): r.children.samples_nr for r in rows if r.children.samples_nr} == dict(total)
    assert {address(r): r.itself.samples_nr for r in rows if r.itself.samples_nr} == dict(itself)
    assert sum(total.values()) > sum(itself.values()) > 0 or symbol == "burn"


def perf_shares(path, symbol):
    """{address: percent} of perf annotate."""
    command = [need_program("perf"), "annotate", "--stdio", "-i", path, f"--symbol={symbol}"]
    text = run(command).stdout
    rows = re.findall(r"^ +([\d.]+) +: +([0-9a-f]+):", text, re.MULTILINE)
    return {int(place, 16): float(percent) for percent, place in rows if float(percent)}


def test_equals_perf(recorded):
    path, _, _ = recorded
    (found,) = annotate(path, "burn", "--no-children", "--dso=libburn.so")
    shares = {address(row): row.itself.percent for row in instructions(found) if row.itself.percent}
    theirs = perf_shares(path, "burn")
    assert shares.keys() == theirs.keys() and len(shares) > 3
    assert all(abs(shares[place] - theirs[place]) < 0.011 for place in shares)


def test_eval_loop_equals_perf(recorded):
    """The loop is shown in place of the Python frames that it runs."""
    path, _, _ = recorded
    (found,) = annotate(path, "_PyEval_EvalFrameDefault", "--no-children")
    shares = {address(row): row.itself.percent for row in instructions(found) if row.itself.percent}
    theirs = perf_shares(path, "_PyEval_EvalFrameDefault")
    assert shares.keys() == theirs.keys()
    assert all(abs(shares[place] - theirs[place]) < 0.011 for place in shares)


def source_lines(annotation):
    """{address: "FILE:LINE"} as the lines between the instructions say."""
    found, current = {}, None
    for row in annotation.rows:
        if re.fullmatch("[0-9a-f]+", row.place):
            found[address(row)] = current
        else:
            current = row.place
    return found


def test_source_lines(recorded):
    path, library, source = recorded
    (found,) = annotate(path, "burn_deep")
    lines = source_lines(found)
    told = run(["addr2line", "-e", library, *map(hex, lines)]).stdout.splitlines()
    told = [re.sub(r" \(discriminator \d+\)$", "", line) for line in told]
    assert list(lines.values()) == told
    text = source.read_text().splitlines()
    shown = {row.place: row.text for row in found.rows if ":" in row.place}
    assert len(shown) >= 4
    for place, line in shown.items():
        assert " ".join(line.split()) == " ".join(text[int(place.rsplit(":", 1)[1]) - 1].split())


def test_code_not_at_hand(recorded, away):
    """The recording holds no code: addresses and shares only, and where to get the rest."""
    path, library, _ = recorded
    (found,) = annotate(path, "burn")
    note = rf"^not at hand: recordings hold none; with {library} of build id [0-9a-f]{{40}} below DIR"
    assert re.search(note, found.head["Code"])
    (elsewhere,) = annotate(path, "burn", f"--symfs={away}")
    assert "Code" not in elsewhere.head
    sampled = [row for row in instructions(elsewhere) if row.children.samples_nr]
    assert [(r.place, r.children, r.itself) for r in found.rows] == [
        (r.place, r.children, r.itself) for r in sampled
    ]


def test_other_file_there(recorded, away):
    """Another build at the same path is not the code that ran."""
    path, library, source = recorded
    build = ["gcc", "-O2", "-shared", "-fPIC", "-o", library, source]
    subprocess.run(build, check=True)
    (found,) = annotate(path, "burn")
    assert found.head["Code"].startswith("not at hand: ")
    assert not any(row.text for row in found.rows)
    os.unlink(library)


def test_kernel(recorded):
    path = recorded[0]
    names = re.findall(r"^.*\[k\] (\w+)$", pyrec("report", "-i", path, "--sort=symbol").stdout, re.M)
    if not names:
        skip("no sample in the kernel", is_possible=False)
    (found,) = annotate(path, names[0])
    assert found.head["Code"] == "the kernel's is not read"
    assert any(row.children.samples_nr for row in found.rows)
