# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the pages say against the program's own words and sources."""

import os
import re
import shutil

import pytest

from pages import (
    COMMANDS,
    DOCUMENTATION,
    PYREC,
    ROOT,
    all_pages,
    help_options,
    man_page,
    page_options,
    run,
    section,
    source,
    terms,
)


@pytest.fixture(name="asciidoctor")
def find_asciidoctor():
    path = shutil.which("asciidoctor")
    if not path and os.environ.get("REQUIRE") == "all":
        pytest.fail("REQUIRE=all forbids this skip: asciidoctor is not installed")
    if not path:
        pytest.skip("prerequisite asciidoctor: not installed")
    return path


@pytest.mark.parametrize("page", [page for page in all_pages() if page.endswith(".adoc")])
def test_page_builds_without_warnings(page, asciidoctor, tmp_path):
    backend = "manpage" if re.search(r"\.[1-8]\.adoc$", page) else "html5"
    command = [asciidoctor, "-v", "-b", backend, "--failure-level=INFO", "-o", tmp_path / "page"]
    result = run(*command, os.path.join(ROOT, page))
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_options_are_those_of_help(command):
    assert set(page_options(man_page(command))) == set(help_options(command))


@pytest.mark.parametrize("command", COMMANDS)
def test_defaults_are_those_of_help(command):
    described = page_options(man_page(command))
    for option, text in help_options(command).items():
        for default in re.findall(r"\(default: ([^)]*)\)", text):
            assert re.search(r"\(default:\s+" + re.escape(default) + r"[,)]", described[option]) or (
                f"(default: {default}" in " ".join(described[option].split())
            ), f"{option.name}: {default}"


def test_commands_are_those_of_help():
    listed = re.findall(r"^  (\w+) +(\S.*)$", run(PYREC, "--help").stdout, re.MULTILINE)
    listed = [(name, text) for name, text in listed if name != "pyrec"]
    described = terms(section(man_page(None), "COMMANDS"))
    assert [name for name, _ in listed] == list(described) == COMMANDS
    for name, summary in listed:
        assert summary in " ".join(described[name].split())


@pytest.mark.parametrize("command", COMMANDS)
def test_first_line_is_that_of_help(command):
    name = section(man_page(command), "NAME").strip()
    assert re.fullmatch(rf"pyrec-{command} - \S.*", name)


@pytest.mark.parametrize("page", [None, *COMMANDS])
def test_sections_in_order(page):
    titles = re.findall(r"^== (.*)$", man_page(page), re.MULTILINE)
    fixed = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"]
    assert [title for title in titles if title in fixed] == fixed
    assert titles[-4:] == ["EXIT STATUS", "FILES", "EXAMPLES", "SEE ALSO"]


# ---- Lists that have one source ----


def c_table(path, pattern):
    found = re.findall(pattern, source(path))
    assert found, f"{path}: nothing like {pattern}"
    return found


def test_loss_reasons():
    names = c_table("format/payload.c", r'\[LOSS_\w+\] = \{"(\w+)"')
    assert list(terms(section(man_page("info"), "LOSSES"))) == names
    listed = re.search(r"Reasons, in order: ([^.]*)\.", source("Documentation", "pyrec.data.5.adoc"))
    assert re.split(r",\s+", listed[1]) == names


def test_sample_statuses():
    names = c_table("format/payload.c", r'\[PY_STACK_\w+\] = "(\w+)"')
    assert list(terms(section(man_page("info"), "SAMPLES"))) == names


def test_notes_of_incomplete_stacks():
    body = re.search(r"\nconst char \*stack_gap_text.*?\n}", source("report/sample_stack.c"), re.DOTALL)
    named = [text for text in re.findall(r'return "(.*)"', body[0]) if text not in ("", "unknown")]
    assert list(terms(section(man_page("report"), "KINDS"))) == named


def test_sort_keys():
    body = re.search(r"sort_key_names\[.*?\};", source("report/options.c"), re.DOTALL)[0]
    names = re.findall(r'"(\w+)"', body)
    described = list(terms(section(man_page("report"), "SORT KEYS")))
    assert [name for name in described if name != "sym"] == names


def test_events():
    body = re.search(r"event_rows\[\] = \{.*?\n\};", source("record/options.c"), re.DOTALL)[0]
    described = re.findall(r"\*([\w-]+)\*", section(man_page("record"), "EVENTS"))
    assert sorted(described) == sorted(re.findall(r'\{"([\w-]+)"', body) + ["r"])


def test_versions_of_readme():
    """Rows with Python frames are the versions that record/layouts.c has a layout for."""
    cases = re.findall(r"case 0x0([0-9a-f])([0-9a-f]{2}):", source("record/layouts.c"))
    walked = re.findall(r"^\| ([\d.]+) \| Python, native and kernel frames \|", source("README.md"), re.M)
    assert walked == [f"{major}.{int(minor, 16)}" for major, minor in cases]


def test_make_targets_of_pages():
    listed = re.findall(r"^  ([\w-]+) ", run("make", "-C", ROOT, "help").stdout, re.MULTILINE)
    for page in all_pages():
        text = source(page)
        named = re.findall(r"`make ([^`]*)`", text) + re.findall(r"^    (?:\S+ )*make (.*)$", text, re.M)
        for words in named:
            targets = [word for word in words.split("#")[0].split() if "=" not in word]
            assert set(targets) <= set(listed), f"{page}: make {words}"


def test_dependencies():
    page = source("Documentation", "dependencies.adoc")
    for packages in re.findall(r"_packages=\(\n(.*?)\)", source("tests/install-packages"), re.DOTALL):
        for package in packages.split():
            assert re.search(rf"(?<![\w-]){re.escape(package)}(?![\w-])", page), package


# ---- Names of the code ----


def all_code():
    rooms = ["bpf", "common", "format", "record", "report"]
    paths = [os.path.join(ROOT, room, name) for room in rooms for name in os.listdir(f"{ROOT}/{room}")]
    return "".join(source(path) for path in paths if path.endswith((".c", ".h")))


# CPython's, libdw's, libgcc's and libstdc++'s.
OTHERS_FUNCTIONS = {
    "co_lines",
    "dwarf_cfi_addrframe",
    "_Unwind_RaiseException",
    "_Unwind_Resume",
    "__builtin_eh_return",
    "__cxa_throw",
    "uw_install_context_1",
}


@pytest.mark.parametrize("page", ["internals.adoc", "unwinding.adoc"])
def test_functions_exist(page):
    code = all_code()
    named = set(re.findall(r"`(\w+)\(\)`", source("Documentation", page)))
    known = {name for name in named if re.search(rf"\b{name}\(", code)}
    assert named - known <= OTHERS_FUNCTIONS


@pytest.mark.parametrize("page", all_pages())
def test_links_and_paths_exist(page):
    text = source(page)
    folder = os.path.dirname(os.path.join(ROOT, page))
    for target in re.findall(r"xref:([\w./-]+\.adoc)\[|link:([\w./-]+)\[", text):
        assert os.path.exists(os.path.join(folder, "".join(target))), target
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert os.path.exists(os.path.join(folder, target)), target
    for path in re.findall(r"`((?:bpf|common|format|record|report|tests)/[\w./-]+)`", text):
        assert os.path.exists(os.path.join(ROOT, path)), path


@pytest.mark.parametrize("page", all_pages())
def test_constants_exist(page):
    code = all_code()
    for name in set(re.findall(r"(?<![A-Z])(PYREC_[A-Z_]*[A-Z])", source(page))):
        assert re.search(rf"\b{name}\b", code), name


def test_manual_pages_name_each_other():
    for page in [None, *COMMANDS]:
        for name in re.findall(r"\b(pyrec[\w.-]*)\(\d\)", man_page(page)):
            pages = [f"{name}.{number}.adoc" for number in (1, 5)]
            assert any(os.path.exists(os.path.join(DOCUMENTATION, path)) for path in pages), name
