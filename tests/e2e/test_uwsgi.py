# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Debian's uWSGI, a C program that loads Python as a plugin: every Python stack of its workers is one
that the application declares. The application is mounted twice, so the second one runs in a
subinterpreter, whose one thread state uWSGI's threads share."""

import http.client
import json
import os
import re
import threading

import pytest

from declared_stacks import FILLERS, describe, is_flagged, script_file
from pyrec_harness import TARGETS, need_program, recording, script, started, wait_until

MOUNTS = ("/one", "/two")
REQUESTS_NR = 250  # of each client
MODES = {
    "processes": ["--processes", "2"],
    "threads": ["--processes", "1", "--enable-threads", "--threads", "2"],
}


def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path)
    answer = json.load(connection.getresponse())
    connection.close()
    return answer


def ask_often(port, path, answers):
    for _ in range(REQUESTS_NR):
        answers.append(ask(port, path))


def load(port):
    """One client for each mount."""
    answers = []
    clients = [threading.Thread(target=ask_often, args=(port, m, answers)) for m in MOUNTS]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert answers == [None] * (REQUESTS_NR * len(MOUNTS))


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def listening_port(log):
    """0 until each worker is there."""
    text = read(log) if os.path.exists(log) else ""
    match = re.search(r"bound to TCP address 127\.0\.0\.1:(\d+)", text)
    return int(match[1]) if match and "spawned uWSGI worker 1" in text else 0


def is_declared(sample, stacks):
    frames = [frame for frame in sample.frames if frame.kind == "p"]
    return any(
        len(frames) == len(stack)
        and all(
            frame.name == declared["python"]
            and frame.dso == script_file(declared["file"])
            and frame.line in declared["lines"]
            for frame, declared in zip(frames, stack)
        )
        for stack in stacks
    )


def stands_on_c(sample):
    """The Python frames stand on C frames of uWSGI and those on where the thread began."""
    place = next(n for n, frame in enumerate(sample.frames) if frame.kind == "p")
    below = [f for f in sample.frames[:place] if not FILLERS.match(os.path.basename(f.dso))]
    return (
        sample.frames[0].name in ("_start", "clone3")
        and any("uwsgi" in frame.dso for frame in below)
        and all(f.name != "_PyEval_EvalFrameDefault" for f in sample.frames)
    )


@pytest.mark.parametrize("mode", MODES)
def test_stacks_of_two_applications(mode, workdir):
    uwsgi = need_program("uwsgi")
    path, log = f"{workdir}/uwsgi.data", f"{workdir}/log"
    server = [uwsgi, "--plugin", "python3", "--http-socket", "127.0.0.1:0", "--master"]
    server += ["--need-app", "--logto", log, "--manage-script-name", *MODES[mode]]
    for mount in MOUNTS:
        server += ["--mount", f"{mount}=wsgi_app.py"]
    with started(server, cwd=TARGETS):
        wait_until(lambda: listening_port(log), "uWSGI")
        stacks = ask(listening_port(log), MOUNTS[0] + "/declare")
        with recording(path, "-a", "-F", "499"):
            load(listening_port(log))
    assert len(set(re.findall(r"ready in .* on interpreter (\S+)", read(log)))) == len(MOUNTS)
    check(script(path, "--comm=uwsgi"), stacks)


def check(samples, stacks):
    with_python = [sample for sample in samples if sample.python_names()]
    assert len(with_python) >= 300
    wrong = [
        (sample, "not declared")
        for sample in with_python
        if not is_declared(sample, stacks) or not stands_on_c(sample)
    ]
    assert not wrong, describe(wrong, with_python)
    flagged = [(sample, "flagged") for sample in samples if is_flagged(sample)]
    assert len(flagged) <= 0.001 * len(samples) + 1, describe(flagged, samples)
    leaves = {sample.python_names()[-1] for sample in with_python}
    assert {"compute", "compress"} <= leaves
    assert not any("[unknown]" in sample.python_names() for sample in samples)
    in_zlib = [s for s in with_python if s.python_names()[-1] == "compress"]
    assert any("libz.so" in frame.dso for sample in in_zlib for frame in sample.frames)
