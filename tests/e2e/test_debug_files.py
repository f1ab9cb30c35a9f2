# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Names, inlined functions and lines of native code from debug information, wherever it lies. The
oracle is addr2line on the address that the sample has in the file."""

import contextlib
import http.server
import os
import re
import shutil
import socket
import subprocess
import threading

import pytest

from pyrec_harness import (
    TARGETS,
    clean_environment,
    need_program,
    need_root,
    parse_script,
    pyrec,
    record_command,
    run,
)

SOURCE = os.path.join(TARGETS, "inlines.c")
BUILD_ID = re.compile(r"Build ID: ([0-9a-f]{40})")


def check_run(*command):
    result = run([str(part) for part in command])
    assert result.returncode == 0, result.stderr
    return result.stdout


def build(folder, *options):
    """Mapped where it is linked, so that addresses of samples are those of the file."""
    program = f"{folder}/program"
    check_run("gcc", "-O2", "-g", "-no-pie", *options, "-o", program, SOURCE)
    return program


def build_id(program):
    return BUILD_ID.search(check_run("readelf", "-n", program))[1]


def record(program, folder):
    need_root()
    path = f"{folder}/x.data"
    record_command(path, [program], "--all-processes", "-F", "499")
    return path


def chains_of(path, program, *options):
    """{address in the program: names of what runs there, innermost first}"""
    return chains_in(pyrec("script", "--no-kernel", *options, "-i", path).stdout, program)


def chains_in(text, program):
    found = {}
    for sample in parse_script(text):
        names = []
        for frame in reversed(sample.frames):
            names.append(frame.name)
            if frame.dso == "inlined":
                continue
            if frame.dso == program:
                assert found.setdefault(frame.ip, names) == names
            names = []
    return found


def addr2line(file, addresses):
    """{address: [(function, file:line)], innermost first}"""
    command = ["addr2line", "-a", "-f", "-i", "-e", file, *map(hex, addresses)]
    found = {}
    for line in check_run(*command).splitlines():
        if line.startswith("0x"):
            frames = found.setdefault(int(line, 16), [])
        elif frames and len(frames[-1]) == 1:
            frames[-1].append(line.split(" ")[0])
        else:
            frames.append([line])
    return found


def check_chains(path, program, debug_file, *options):
    chains = chains_of(path, program, *options)
    for address in [at for at, names in chains.items() if names[0] == "_start" or names[0].endswith("@plt")]:
        del chains[address]
    truth = addr2line(debug_file, chains)
    assert len(chains) >= 10
    assert sum(len(names) == 3 for names in chains.values()) >= 5, "leaf in twig in branch"
    for address, names in chains.items():
        assert names == [function for function, _ in truth[address]], hex(address)


@pytest.mark.parametrize("options", [["-gdwarf-4"], ["-gdwarf-5"], ["-gz"]], ids=" ".join)
def test_debug_information_in_the_program(options, workdir):
    program = build(workdir, *options)
    path = record(program, workdir)
    check_chains(path, program, program)
    plain = chains_of(path, program, "--no-inline")
    assert {"branch", "main"} <= {name for names in plain.values() for name in names}
    assert all(len(names) == 1 for names in plain.values())
    assert chains_of(path, program, "--no-local-files") == plain


def test_lines(workdir):
    """Rows of --sort=srcline are the lines that addr2line tells of the leaf's addresses."""
    program = build(workdir)
    path = record(program, workdir)
    truth = addr2line(program, chains_of(path, program))
    report = pyrec("report", "--sort=srcline", "--no-children", "--dso=program", "-i", path).stdout
    shown = set(re.findall(r"^ +[\d.]+% +\d+  (\S*inlines\.c:\d+)$", report, re.MULTILINE))
    assert f"{SOURCE}:{line_of('sink += i * x')}" in shown
    assert shown <= {frames[0][1] for frames in truth.values()}
    tree = pyrec("report", "--sort=symbol,srcline", "--no-children", "-g", "-i", path).stdout
    assert f"[.] leaf (inlined) {SOURCE}:{line_of('sink += i * x')}\n" in tree
    assert f"[.] branch {SOURCE}:{line_of('return twig(x)')}\n" in tree


def line_of(text):
    with open(SOURCE, encoding="utf-8") as source:
        return next(number for number, line in enumerate(source, 1) if text in line)


def test_folded_marks(workdir):
    path = record(build(workdir), workdir)
    folded = pyrec("report", "--format=folded", "--annotate-kinds", "--no-kernel", "-i", path).stdout
    assert "main_[n];branch_[n];twig_[i];leaf_[i] " in folded


def strip_into(program, folder):
    """The program as distributions have it; its debug file."""
    os.makedirs(folder)
    debug = f"{folder}/program.debug"
    check_run("objcopy", "--only-keep-debug", program, debug)
    check_run("strip", program)
    return debug


def place_by_build_id(debug, root, identity):
    folder = f"{root}/usr/lib/debug/.build-id/{identity[:2]}"
    os.makedirs(folder)
    shutil.copy(debug, f"{folder}/{identity[2:]}.debug")


def test_debug_file_by_build_id(workdir):
    program = build(workdir)
    debug = strip_into(program, f"{workdir}/aside")
    path = record(program, workdir)
    assert ["branch"] not in chains_of(path, program).values(), "it is stripped"
    place_by_build_id(debug, f"{workdir}/root", build_id(program))
    check_chains(path, program, debug, f"--symfs={workdir}/root")


def test_debug_file_of_another_build(workdir):
    """The name is right, the build id inside is not."""
    program = build(workdir)
    identity = build_id(program)
    strip_into(program, f"{workdir}/aside")
    path = record(program, workdir)
    plain = chains_of(path, program, "--no-local-files")
    other = build(workdir, "-O1", "-Wl,--build-id=0x" + "ab" * 20)
    place_by_build_id(other, f"{workdir}/root", identity)
    assert chains_of(path, program, f"--symfs={workdir}/root") == plain
    assert chains_of(path, program) == plain, "nor is the new file at the old path taken"


@pytest.mark.parametrize("place", ["", ".debug", "usr/lib/debug"])
def test_debug_link(place, workdir):
    program = build(workdir)
    debug = strip_into(program, f"{workdir}/aside")
    check_run("objcopy", f"--add-gnu-debuglink={debug}", program)
    path = record(program, workdir)
    root = f"{workdir}/root"
    beside = f"{root}/{place}{workdir}" if place.startswith("usr") else f"{root}{workdir}/{place}"
    os.makedirs(f"{root}{workdir}", exist_ok=True)
    os.makedirs(beside, exist_ok=True)
    shutil.copy(program, f"{root}{workdir}/program")
    shutil.copy(debug, f"{beside}/program.debug")
    check_chains(path, program, debug, f"--symfs={root}")
    with open(f"{beside}/program.debug", "ab") as damaged:
        damaged.write(b"x")
    plain = chains_of(path, program, "--no-local-files")
    assert chains_of(path, program, f"--symfs={root}") == plain, "its CRC is another one"


def test_packed_symbols(workdir):
    """As Fedora's find-debuginfo makes them; the recorder reads them, so no local file is needed."""
    program = build(workdir)
    mini = f"{workdir}/mini"
    check_run("objcopy", "-S", "--remove-section=.comment", "--keep-symbol=branch", program, mini)
    check_run("strip", program)
    subprocess.run(["xz", mini], check=True)
    check_run("objcopy", "--add-section", f".gnu_debugdata={mini}.xz", program)
    path = record(program, workdir)
    assert ["branch"] in chains_of(path, program, "--no-local-files").values()


@contextlib.contextmanager
def server(answer):
    """A debuginfod server on this machine. Its paths asked for; answer(path) gives bytes or None."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            body = answer(self.path)
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{web.server_port}", asked
        finally:
            web.shutdown()
            thread.join()


@pytest.fixture
def stripped(workdir):
    """(program, its debug file elsewhere, its build id, a recording of it)"""
    program = build(workdir)
    debug = strip_into(program, f"{workdir}/aside")
    return program, debug, build_id(program), record(program, workdir)


def script_with(path, workdir, *options, **variables):
    environment = clean_environment(DEBUGINFOD_CACHE_PATH=f"{workdir}/cache", **variables)
    result = pyrec("script", "--no-kernel", *options, "-i", path, env=environment)
    return result.stdout, result.stderr


def test_debuginfod(stripped, workdir):
    program, debug, identity, path = stripped
    with open(debug, "rb") as file:
        content = file.read()
    wanted = f"/buildid/{identity}/debuginfo"
    told = f"pyrec: asking debuginfod for debug information of {program}, build id {identity}\n"
    with server(lambda asked: content if asked == wanted else None) as (url, asked):
        plain, said = script_with(path, workdir)
        assert "twig" not in plain and not said and not asked, "nobody asked for it"
        for options, variables in [
            (["--no-debuginfod"], {"DEBUGINFOD_URLS": url}),
            (["--no-local-files"], {"DEBUGINFOD_URLS": url}),
        ]:
            assert script_with(path, workdir, *options, **variables) == (plain, "")
        assert not asked
        shown, said = script_with(path, workdir, f"--debuginfod={url}")
        assert told in said and wanted in asked
        by_variable, said = script_with(path, workdir, DEBUGINFOD_URLS=url)
        assert told in said and asked.count(wanted) == 1, "libdebuginfod keeps it"
    assert by_variable == shown
    place_by_build_id(debug, f"{workdir}/root", identity)
    local = chains_of(path, program, f"--symfs={workdir}/root")
    assert chains_in(shown, program) == local
    assert ["leaf", "twig", "branch"] in local.values()


def test_debuginfod_that_lies_or_is_not_there(stripped, workdir):
    _, _, _, path = stripped
    plain, _ = script_with(path, workdir)
    with open("/bin/true", "rb") as file:
        content = file.read()
    with server(lambda asked: content) as (url, asked):
        shown, _ = script_with(path, workdir, f"--debuginfod={url}")
        assert shown == plain and asked
    os.mkdir(f"{workdir}/other")
    shown, said = script_with(path, f"{workdir}/other", f"--debuginfod={url}")
    assert shown == plain
    assert said.count("asking debuginfod") == said.count("debuginfod is not asked any more") == 1


def test_debuginfod_that_hangs(stripped, workdir):
    _, _, _, path = stripped
    plain, _ = script_with(path, workdir)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        shown, said = script_with(path, workdir, f"--debuginfod={url}", DEBUGINFOD_TIMEOUT="1")
    assert shown == plain
    assert said.count("asking debuginfod") == said.count("debuginfod is not asked any more") == 1


def test_debuginfod_needs_a_server(workdir):
    result = pyrec("script", "--debuginfod", status=129, env=clean_environment())
    assert "--debuginfod wants a URL" in result.stderr


def test_parts_that_dwz_moved(workdir):
    need_program("dwz")
    program = build(workdir)
    whole = shutil.copy(program, f"{workdir}/whole")
    shutil.copy(program, f"{workdir}/second")
    check_run("dwz", "-m", f"{workdir}/common.debug", program, f"{workdir}/second")
    debug = strip_into(program, f"{workdir}/aside")
    path = record(program, workdir)
    root = f"{workdir}/root"
    place_by_build_id(debug, root, build_id(program))
    place_by_build_id(f"{workdir}/common.debug", root, build_id(f"{workdir}/common.debug"))
    check_chains(path, program, whole, f"--symfs={root}")


def test_mangled_names(workdir):
    source = f"{workdir}/mangled.cc"
    with open(source, "w", encoding="utf-8") as file:
        file.write(
            """
            #include <ctime>
            namespace { volatile unsigned sink; }
            namespace space {
            template <typename T> struct Worker {
                __attribute__((noinline)) T run(T x) { for (int i = 0; i < 999; i++) sink += i; return x; }
            };
            }
            int main() {
                space::Worker<unsigned> worker;
                for (auto begin = std::clock(); std::clock() - begin < CLOCKS_PER_SEC / 2;) worker.run(1);
            }
            """
        )
    program = f"{workdir}/program"
    check_run("g++", "-O1", "-o", program, source)
    path = record(program, workdir)
    names = {frame.name for s in parse_script(pyrec("script", "-i", path).stdout) for frame in s.frames}
    mangled = {
        frame.name
        for s in parse_script(pyrec("script", "--no-demangle", "-i", path).stdout)
        for frame in s.frames
    }
    assert "space::Worker<unsigned int>::run" in names
    assert "_ZN5space6WorkerIjE3runEj" in mangled
