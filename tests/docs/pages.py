# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The pages of Documentation/ and the README as the tests read them."""

import glob
import os
import re
import subprocess
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PYREC = os.environ.get("PYREC", os.path.join(ROOT, "pyrec"))
DOCUMENTATION = os.path.join(ROOT, "Documentation")
COMMANDS = ["record", "report", "script", "diff", "annotate", "info", "dump"]


def source(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def man_page(command):
    return source("Documentation", f"pyrec-{command}.1.adoc" if command else "pyrec.1.adoc")


def all_pages():
    """Paths from the root of the tree."""
    found = glob.glob("Documentation/*.adoc", root_dir=ROOT)
    return sorted(found) + ["README.md"]


def section(page, title):
    """Text of a level-1 section of a man page."""
    match = re.search(rf"^== {title}\n(.*?)(?=^== |\Z)", page, re.MULTILINE | re.DOTALL)
    assert match, f"no section {title}"
    return match[1]


def terms(text):
    """{bold term: its text} of the description lists in a text."""
    found = {}
    for labels, body in re.findall(r"^(\*[^\n]*)::\n((?:(?!\*.*::$).*\n?)*)", text, re.MULTILINE):
        for label in re.findall(r"\*([^*]+)\*", labels):
            found[label] = body
    return found


@dataclass(frozen=True)
class Option:
    short: str  # "-F" or ""
    name: str  # "--freq"
    argument: str  # "HZ", "[ORDER]" when it may be left out, or ""


def page_options(page):
    """{option: text} of a man page."""
    found = {}
    pattern = r"^((?:\*-\w\*, )?\*--[\w-]+\*\S*)::\n((?:(?!\*.*::$).*\n?)*)"
    for label, body in re.findall(pattern, section(page, "OPTIONS"), re.MULTILINE):
        plain = label.replace("*", "").replace("=_", "=").replace("_]", "]").rstrip("_")
        found[parse_option(plain)] = body
    return found


def parse_option(text):
    match = re.fullmatch(r"(?:(-\w), )?(--[\w-]+)(\[=.*\]|=.*)?", text)
    assert match, f"no option: {text}"
    argument = (match[3] or "").replace("…", "...")
    argument = argument.replace("[=", "[") if argument.startswith("[") else argument[1:]
    return Option(match[1] or "", match[2], argument)


def run(*command, **options):
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
        check=False,
        **options,
    )


def help_options(command):
    """{option: text} of `pyrec COMMAND --help`, but --help and --usage themselves."""
    result = run(PYREC, command, "--help", env={**os.environ, "ARGP_HELP_FMT": "rmargin=200"})
    assert result.returncode == 0
    found = {}
    for line in result.stdout.splitlines():
        match = re.match(r"\s+((?:-\w, )?--[\w-]+\S*)\s+(.*)", line)
        if match and not match[1].endswith(("--help", "--usage")):
            found[parse_option(match[1])] = match[2]
    return found


@dataclass
class Example:
    page: str
    commands: list  # (command, [lines of its output])

    def __str__(self):
        return f"{self.page}: {self.commands[0][0]}"


def split_example(page, block):
    commands = []
    for line in block.splitlines():
        if re.match(r"[$#] (?=pyrec)", line):
            commands.append((line[2:], []))
        else:
            commands[-1][1].append(line)
    return Example(page, commands)


def marked_examples():
    """The blocks that are marked as tested."""
    found = []
    for page in all_pages():
        text = source(page)
        blocks = re.findall(r"^// tested\n----\n(.*?)^----$", text, re.MULTILINE | re.DOTALL)
        blocks += re.findall(r"^<!-- tested -->\n```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        assert len(blocks) == text.count("// tested\n") + text.count("<!-- tested -->\n"), page
        found += [split_example(page, block) for block in blocks]
    return found
