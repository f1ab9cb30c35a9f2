# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A gunicorn application under load: one stack from <module> through worker, request handler, json
and socket to the kernel's send path."""

import http.client
import json
import os
import re
import threading
import time

from pyrec_harness import (
    SYSTEM_PYTHON,
    TARGETS,
    need_program,
    recording,
    script,
    started,
    wait_until,
)

LOAD_SECONDS = 4
CLIENTS_NR = 2

# Root first; each must come after the one before it in the same stack.
WANTED = [
    ("p", "<module>"),
    ("p", "SyncWorker.run"),
    ("p", "SyncWorker.handle_request"),
    ("p", "handle_request"),
    ("p", "dump"),
    ("p", "Pieces.write"),
    ("p", "Response.write"),
    ("n", "__send|send|__libc_send"),
    ("k", "__sys_sendto|__x64_sys_sendto"),
    ("k", "tcp_sendmsg|sock_sendmsg"),
]


def request_until(port, deadline, counts, index):
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/orders")
        document = json.load(connection.getresponse())
        assert document["path"] == "/orders"
        connection.close()
        counts[index] += 1


def load(port):
    """Requests answered by CLIENTS_NR clients in LOAD_SECONDS."""
    counts = [0] * CLIENTS_NR
    deadline = time.monotonic() + LOAD_SECONDS
    clients = [
        threading.Thread(target=request_until, args=(port, deadline, counts, index))
        for index in range(CLIENTS_NR)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join(LOAD_SECONDS + 15)
    return sum(counts)


def has_all(frames):
    at = 0
    for kind, names in WANTED:
        while at < len(frames) and not (
            frames[at].kind == kind and frames[at].name in names.split("|")
        ):
            at += 1
        if at == len(frames):
            return False
        at += 1
    return True


def listening_port(log):
    with open(log, encoding="utf-8") as file:
        match = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", file.read())
    return int(match[1]) if match else 0


def test_stack_from_module_to_the_send_path(workdir):
    gunicorn = need_program("gunicorn")
    path = f"{workdir}/web.data"
    log = f"{workdir}/log"
    server = [SYSTEM_PYTHON, gunicorn, "--bind", "127.0.0.1:0", "--workers", "2"]
    server += ["--worker-tmp-dir", workdir, "--log-file", log, "json_app:application"]
    with started(server, cwd=TARGETS):
        wait_until(lambda: os.path.exists(log) and listening_port(log), "gunicorn")
        with recording(path, "-a", "-F", "499"):
            requests_nr = load(listening_port(log))
    assert requests_nr > 100
    samples = [s for s in script(path) if "SyncWorker.handle_request" in s.python_names()]
    assert len(samples) > 100
    assert any(has_all(sample.frames) for sample in samples), "\n".join(
        f"{frame.kind} {frame.name}" for frame in max(samples, key=lambda s: len(s.frames)).frames
    )
