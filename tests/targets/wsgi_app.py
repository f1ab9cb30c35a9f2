# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A WSGI application that computes a little for each request. To /declare it answers with the stacks
that a sample of any other request can have: its own functions from application() down, as the
interpreter sees them."""

import json
import sys
import zlib

import declared
from declared import SECOND, monotonic

LEAF_SECONDS = 0.004
TEXT = b"a text that is compressed " * 4000


def possible_stacks(leaf):
    """The stack of leaf, and those of its callers before and after the call; the leaf of each may be at
    any of its lines."""
    frames = declared.frames_from_root(leaf)
    whole = [declared.python_frame(frame) for frame in frames]
    return [
        whole[:depth] + [dict(whole[depth], lines=declared.own_lines(frame.f_code))]
        for depth, frame in enumerate(frames)
    ]


def compute(stacks):
    if stacks is not None:
        stacks += possible_stacks(sys._getframe())
    deadline = monotonic() + LEAF_SECONDS * SECOND
    total = 0
    while monotonic() < deadline:
        total = total * 31 % 1000003
    return total


def compress(stacks):
    if stacks is not None:
        stacks += possible_stacks(sys._getframe())
    return len(zlib.compress(TEXT, 9))


class Handler:
    @staticmethod
    def handle(stacks):
        return compute(stacks) + compress(stacks)


def application(environ, start_response):
    stacks = [] if environ["PATH_INFO"].endswith("/declare") else None
    Handler.handle(stacks)
    answer = b"null" if stacks is None else json.dumps(stacks).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [answer]
