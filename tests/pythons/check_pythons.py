#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every CPython that this machine has or can unpack: is each sample a stack that its program has?

  check_pythons.py [VERSION…]    "3.14" or "3.14.10"; all without one

Prints one row for each interpreter and target. Samples are those within the target's windows;
flagged ones say of themselves that they are not whole. Details of what is wrong are in
$OUT/VERSION-….txt, all rows in $OUT/result.json, from which readme_table.py makes README's table.
Fails when a stack is impossible, more than FLAGGED_MAX are flagged, or a version is refused that
record/layouts.c has a row for.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

import builds  # noqa: E402
import declared_stacks as declared  # noqa: E402
import extensions  # noqa: E402
import interpreters  # noqa: E402
import matrix_targets  # noqa: E402
import pyrec_harness as harness  # noqa: E402
import trees  # noqa: E402

OUT = os.environ.get("OUT", os.path.join(harness.BUILD, "pythons"))
FREQUENCY = 499
FLAGGED_MAX = 0.001  # of all samples of the matrix
FLAGGED_ROW_MAX = 0.01  # of one row: a few tell no rate
SAMPLES_MIN = 40
COLUMNS = "{:<10} {:<25} {:<14} {:<12} {:>7} {:>9} {:>8}  {}"


def percent(tally):
    whole_nr = tally.samples_nr - tally.flagged_nr
    return (whole_nr - len(tally.impossible)) * 100 / whole_nr if whole_nr else None


def verdict_of(tally):
    """(words, is it a failure)"""
    whole_nr = tally.samples_nr - tally.flagged_nr
    if tally.failures:
        return f"WRONG: {tally.failures[0]}", True
    if tally.samples_nr < SAMPLES_MIN:
        return "too few samples", True
    if tally.impossible:
        return f"WRONG: {len(tally.impossible)} of {whole_nr}", True
    if tally.flagged_nr > max(3, FLAGGED_ROW_MAX * tally.samples_nr):
        return "TOO MANY FLAGGED", True
    if tally.cut_nr:
        return f"right, {tally.cut_nr} deep ones with native frames cut", False
    return "right", False


def has_layout(interpreter):
    version = tuple(map(int, re.findall(r"\d+", interpreter.version)[:2]))
    if "trace refs" in interpreter.build and version < (3, 13):
        return False  # each object begins with two more pointers
    with open(os.path.join(harness.ROOT, "record", "layouts.c"), encoding="utf-8") as source:
        cases = re.findall(r"case (0x[0-9a-f]{4}):", source.read())
    return version in [divmod(int(case, 16), 256) for case in cases]


def run_target(interpreter, target, command, path, tally):
    """(words, is it a failure); the tally filled where there are samples."""
    frequency = matrix_targets.FREQUENCIES.get(target, FREQUENCY)
    done = harness.run(
        [harness.PYREC, "record", "-F", frequency, "-o", path, "--", *command],
        env=harness.clean_environment(LC_ALL="C.UTF-8"),
    )
    if re.search(r"python .*native frames only", done.stderr):
        is_failure = has_layout(interpreter)
        return ("REFUSED" if is_failure else "refused by name"), is_failure
    documents = harness.documents(done.stdout)
    if not documents or "Traceback" in done.stderr:
        said = (done.stderr.splitlines() or ["nothing said"])[-1]
        return "target does not run: " + said, True
    tally.is_musl = "musl" in interpreter.build
    matrix_targets.JUDGES[target](documents, harness.script(path), tally)
    words, is_failure = verdict_of(tally)
    if is_failure:
        print(done.stderr, end="", flush=True)
    return words, is_failure


def keep_details(interpreter, target, tally):
    if not tally.impossible:
        return
    place = re.sub(r"\W+", "-", f"{interpreter.version}-{interpreter.build}")
    with open(os.path.join(OUT, f"{place}-{target}.txt"), "w", encoding="utf-8") as file:
        file.write(declared.describe(tally.impossible, range(tally.samples_nr)) + "\n")


def show_row(*cells):
    print(COLUMNS.format(*cells), flush=True)


def check(interpreter, target, obstacle, inside):
    """Run and show one row; obstacle: why it cannot be run, or None."""
    tally = matrix_targets.Tally()
    with tempfile.TemporaryDirectory(prefix="pyrec-pythons-") as folder:
        try:
            if obstacle:
                verdict, is_failure = obstacle, False
            else:
                arguments = matrix_targets.arguments_of(target, inside)
                command = interpreter.command(f"{inside}/{target}.py", *arguments)
                verdict, is_failure = run_target(
                    interpreter, target, command, f"{folder}/pyrec.data", tally
                )
        except (AssertionError, subprocess.SubprocessError, pytest.fail.Exception) as error:
            verdict, is_failure = f"FAILED: {str(error).splitlines()[0]}", True
    keep_details(interpreter, target, tally)
    share = percent(tally)
    row = {
        "version": interpreter.version,
        "build": interpreter.build,
        "place": interpreter.place(),
        "target": target,
        "samples": tally.samples_nr,
        "impossible": len(tally.impossible) + len(tally.failures),
        "flagged": tally.flagged_nr,
        "verdict": verdict,
        "is_failure": is_failure,
    }
    shown = "-" if share is None else f"{share:.2f} %"
    what = (interpreter.version, interpreter.build, interpreter.place(), target)
    show_row(*what, tally.samples_nr, shown, tally.flagged_nr, verdict)
    return row


def check_interpreter(interpreter):
    rows = []
    with interpreter.workdir() as (folder, inside):
        headers = interpreter.headers()
        modules = {"spinext": "no Python.h"}
        if headers.has_python_h():
            modules = extensions.build_all(headers, folder)
        for target in matrix_targets.JUDGES:
            obstacle = matrix_targets.find_obstacle(target, interpreter, modules)
            rows.append(check(interpreter, target, obstacle, inside))
    return rows


def keep_result(rows, places):
    """What readme_table.py reads: the rows, and what else a reader of them should know."""
    system = os.uname()
    result = {
        "made": time.strftime("%Y-%m-%d", time.gmtime()),
        "kernel": system.release.split("-")[0],
        "machine": system.machine,
        "places": sorted(places),
        "rows": rows,
    }
    with open(os.path.join(OUT, "result.json"), "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)


def main(wanted):
    if os.geteuid() != 0:
        raise SystemExit("check-pythons: recording needs root")
    os.makedirs(OUT, exist_ok=True)
    rows = []
    built = builds.find_builds(
        [
            name
            for name, build in builds.BUILDS.items()
            if not wanted or any((word + ".").startswith(build.minor + ".") for word in wanted)
        ]
    )
    found = interpreters.find_interpreters(trees.find_trees().values(), built.values())
    show_row("version", "build", "place", "target", "samples", "possible", "flagged", "verdict")
    for interpreter in found:
        if interpreters.is_wanted(interpreter.version, wanted):
            rows += check_interpreter(interpreter)
    if not wanted:
        keep_result(rows, {interpreter.place() for interpreter in found})
    failed_nr = sum(row["is_failure"] for row in rows)
    samples_nr = sum(row["samples"] for row in rows)
    flagged_nr = sum(row["flagged"] for row in rows)
    print(f"{samples_nr} samples, {flagged_nr} flagged")
    if flagged_nr > max(3, FLAGGED_MAX * samples_nr):
        print(f"more than {FLAGGED_MAX:.1%} are flagged")
        failed_nr += 1
    print(f"{len(rows) - failed_nr} passed, {failed_nr} failed")
    return 1 if failed_nr or not rows else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
