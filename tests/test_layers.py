# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""layers.py finds what is planted, names the place, and is silent about a tree that keeps to it."""

import os
import subprocess
import sys

import pytest

LAYERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "layers.py")
SPDX = "/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */\n"

GOOD = {
    "pyrec.c": '#include "record/cmd_record.h"\n#include "report/cmd_report.h"\n',
    "common/log.c": '#include "common/log.h"\n#include <stdio.h>\n',
    "common/elf_file.c": "#include <gelf.h>\n",
    "format/compressor.c": '#include "common/strbuf.h"\n#include <zstd.h>\n',
    "bpf/pyrec.bpf.c": '#include "bpf/pyrec_bpf.h"\n#include <bpf/bpf_helpers.h>\n#include <bpf/bpf_tracing.h>\n',
    "record/sampler.c": '#include <bpf/libbpf.h>\n#include "bpf/pyrec_loop.skel.h"\n',
    "record/remote_memory.c": "long get(void)\n{\n\treturn process_vm_readv(0, 0, 0, 0, 0, 0);\n}\n",
    "tests/native/libunwind_walk.c": "#include <libunwind-ptrace.h>\n",
    "report/dwarf_lines.c": "#include <elfutils/libdw.h>\n",
    "tests/unit/test_any.c": '#include "record/sampler.h"\n#include "report/merge.h"\n',
}

BAD = [
    ("common/log.c", '#include "format/record.h"', "common may not include format/record.h"),
    ("format/reader.c", '#include "report/merge.h"', "format may not include report/merge.h"),
    ("record/drain.c", '#include "report/merge.h"', "record may not include report/merge.h"),
    ("record/drain.c", '#include "bpf/py_walk.h"', "record may not include bpf/py_walk.h"),
    ("record/drain.c", '#include "drain.h"', "record may not include drain.h"),
    ("report/merge.c", '#include "record/drain.h"', "report may not include record/drain.h"),
    ("report/merge.c", '#include "bpf/pyrec_bpf.h"', "report may not include bpf/pyrec_bpf.h"),
    ("bpf/walk.h", '#include "common/vec.h"', "bpf may not include common/vec.h"),
    ("pyrec.c", '#include "report/merge.h"', "pyrec.c may not include report/merge.h"),
    ("record/drain.c", "#include <bpf/libbpf.h>", "libbpf belongs to record/sampler* alone"),
    ("report/merge.c", "#include <bpf/bpf.h>", "libbpf belongs to record/sampler* alone"),
    ("record/drain.c", '#include "bpf/pyrec_loop.skel.h"', "the BPF skeletons belongs to"),
    ("report/merge.c", "#include <elfutils/libdwfl.h>", "libdw belongs to"),
    ("record/elf.c", "#include <elfutils/libdw.h>", "libdw belongs to"),
    ("format/bundle.c", "#include <libelf.h>", "libelf belongs to common/elf_file.c"),
    ("report/unwind.c", "#include <libunwind.h>", "libunwind belongs to"),
    ("report/merge.c", "#include <capstone/capstone.h>", "capstone belongs to report/annotate*"),
    ("format/reader.c", "#include <zstd.h>", "libzstd belongs to format/compressor.c"),
    ("record/drain.c", "#include <uthash.h>", "uthash belongs to common/hash.h"),
    ("record/drain.c", "long n = process_vm_readv(1, 2);", "process_vm_readv belongs to"),
    ("report/merge.c", "/* TO" "DO: later */", "unfinished: TO" "DO"),
    ("tests/unit/test_x.c", "// FIX" "ME", "unfinished: FIX" "ME"),
]


def plant(tree, files):
    for path, text in files.items():
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(SPDX + text)


def run(tree):
    return subprocess.run(
        [sys.executable, LAYERS, str(tree)], capture_output=True, text=True, timeout=60
    )


def test_good_tree_is_silent(tmp_path):
    plant(tmp_path, GOOD)
    result = run(tmp_path)
    assert result.stdout == f"layers: {len(GOOD)} files, 0 findings\n"
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("path,line,finding", BAD)
def test_planted_violation_is_found(tmp_path, path, line, finding):
    plant(tmp_path, GOOD)
    plant(tmp_path, {path: f"\n{line}\n"})
    result = run(tmp_path)
    assert f"{path}:3: {finding}" in result.stdout
    assert result.returncode == 1


def test_missing_licence_line_is_found(tmp_path):
    (tmp_path / "common").mkdir()
    (tmp_path / "common/log.c").write_text("\n" + SPDX)
    assert "common/log.c:1: the first line is not the SPDX line" in run(tmp_path).stdout


@pytest.mark.parametrize("lines_nr,is_found", [(80, False), (81, True)])
def test_long_function_is_found(tmp_path, lines_nr, is_found):
    body = "\tcall();\n" * (lines_nr - 3)
    plant(tmp_path, {"report/long.c": f"void long_one(void)\n{{\n{body}}}\n"})
    assert (f"long_one() has {lines_nr} lines" in run(tmp_path).stdout) == is_found


@pytest.mark.parametrize("depth,is_found", [(4, False), (5, True)])
def test_deep_nesting_is_found(tmp_path, depth, is_found):
    ifs = "".join("\t" * level + "if (is_it())\n" for level in range(1, depth + 1))
    plant(tmp_path, {"report/deep.c": f"void deep(void)\n{{\n{ifs}{chr(9) * depth}\tcall();\n}}\n"})
    assert ("nested more than 4 deep" in run(tmp_path).stdout) == is_found
