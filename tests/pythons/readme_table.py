#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""README's table of versions, from the result of check_pythons.py.

  readme_table.py RESULT README            write the table between README's markers
  readme_table.py --check RESULT README    does the README say what the result says?

A check compares each version that the result has: what it shows, how it was built, and whether all
its samples were possible. Numbers of samples differ from run to run, and a machine may have fewer
interpreters than the one that wrote the table.
"""

import json
import re
import sys

BEGIN = "<!-- versions: written by `make readme-pythons` from the result of `make check-pythons` -->\n"
END = "<!-- versions end -->\n"
WALKED = "Python, native and kernel frames"
REFUSED = "native and kernel frames; refused by name in a message and in the file"
HEAD = (
    "| CPython | Stacks | Builds checked | Possible stacks | Flagged |\n"
    "|---|---|---|---|---|\n"
)


def minor_of(version):
    """3.13.5 is 3.13; 3.13.5t, a free-threaded build, is 3.13t."""
    return re.match(r"\d+\.\d+", version)[0] + ("t" if version.endswith("t") else "")


def percent_text(possible_nr, whole_nr):
    """100 % is all of them: cut off, never rounded up."""
    hundredths = possible_nr * 10000 // whole_nr
    return "100 %" if hundredths == 10000 else f"{hundredths // 100}.{hundredths % 100:02d} %"


def group_rows(rows):
    """{(minor, is it refused): rows}, in order of version; targets that were not run left out."""
    groups = {}
    for row in rows:
        is_refused = "refused" in row["verdict"].lower()
        if row["samples"] or is_refused:
            groups.setdefault((minor_of(row["version"]), is_refused), []).append(row)
    return groups


def table_row(minor, is_refused, rows):
    builds = "; ".join(sorted({row["build"] for row in rows}))
    if is_refused:
        return f"| {minor} | {REFUSED} | {builds} | – | – |\n"
    flagged_nr = sum(row["flagged"] for row in rows)
    whole_nr = sum(row["samples"] for row in rows) - flagged_nr
    wrong_nr = sum(row["impossible"] for row in rows)
    share = percent_text(whole_nr - wrong_nr, whole_nr)
    return f"| {minor} | {WALKED} | {builds} | {share} of {whole_nr:,} | {flagged_nr} |\n"


def make_table(result):
    groups = group_rows(result["rows"])
    table = HEAD + "".join(table_row(*key, rows) for key, rows in groups.items())
    ran = [row for row in result["rows"] if row["samples"]]
    interpreters_nr = len({(row["version"], row["build"], row["place"]) for row in ran})
    samples_nr, flagged_nr = (sum(row[name] for row in ran) for name in ("samples", "flagged"))
    told = (
        f"{interpreters_nr} interpreters, {samples_nr:,} samples, {flagged_nr} of them flagged;"
        f" Linux {result['kernel']}, {result['machine']}, {result['made']}.\n"
    )
    return f"{table}\n{told}"


def parts(readme):
    """Text before, between and behind the markers."""
    before, found, rest = readme.partition(BEGIN)
    between, found_end, behind = rest.partition(END)
    if not found or not found_end:
        raise SystemExit("README has no markers of the table of versions")
    return before, between, behind


def claims(table):
    """{(version, is it refused): (builds, share)} without what differs from run to run."""
    rows = re.findall(r"^\| (\d\S*) \| (.*?) \| (.*?) \| (.*?) \| .*? \|$", table, re.MULTILINE)
    return {
        (minor, shown == REFUSED): (set(builds.split("; ")), share.partition(" of ")[0])
        for minor, shown, builds, share in rows
    }


def find_differences(result, readme):
    told = claims(parts(readme)[1])
    differences = []
    for key, (builds, share) in claims(make_table(result)).items():
        told_builds, told_share = told.get(key, (set(), None))
        if share != told_share or not builds <= told_builds:
            differences.append(
                f"{key[0]}: {', '.join(sorted(builds))}: {share}; README: "
                f"{', '.join(sorted(told_builds))}: {told_share}"
            )
    return differences


def main(arguments):
    is_check = "--check" in arguments
    result_path, readme_path = [word for word in arguments if word != "--check"]
    with open(result_path, encoding="utf-8") as file:
        result = json.load(file)
    with open(readme_path, encoding="utf-8") as file:
        readme = file.read()
    if is_check:
        differences = find_differences(result, readme)
        print("\n".join(f"README's table: {line}" for line in differences), end="")
        return 1 if differences else 0
    before, _, behind = parts(readme)
    with open(readme_path, "w", encoding="utf-8") as file:
        file.write(before + BEGIN + make_table(result) + END + behind)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
