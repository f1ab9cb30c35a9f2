# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Work of many kinds, 12 callers deep, for argv[1] seconds: what a service's stacks look like.

argv[2] is "numpy" for work in numpy as well.
"""

import ast
import difflib
import email
import functools
import json
import re
import sys
import textwrap
import time

SECONDS = float(sys.argv[1])
WITH_NUMPY = sys.argv[2:] == ["numpy"]
TEXT = " ".join("word%d" % (number * 7919 % 101) for number in range(300))
RECORDS = [{"id": number, "tags": ["t%d" % (number % 7)] * 3} for number in range(60)]
MAIL = "From: a@example.com\nSubject: =?utf-8?q?caf=C3=A9?=\n\n" + TEXT


class Encoder(json.JSONEncoder):
    def default(self, o):
        return sorted(o, key=lambda item: (len(item), item))


def encode():
    json.dumps({"records": RECORDS, "set": set(TEXT.split())}, cls=Encoder, indent=1)


def compile_pattern():
    re.purge()
    re.compile(r"(?P<a>\w+)(?:[0-9]{2,5}|x(?=y))*?(?P<b>[^a-f]+)|(foo|bar(baz)+)")


def substitute():
    re.sub(r"\w+", lambda match: match.group(0).title(), TEXT)


def compare():
    words = TEXT.split()
    list(difflib.unified_diff(words[:40], words[10:50]))


def wrap():
    textwrap.fill(TEXT, 40)


def parse_mail():
    email.message_from_string(MAIL).get_payload()


def walk_tree():
    class Names(ast.NodeVisitor):
        def visit_Name(self, node):
            self.generic_visit(node)

    Names().visit(ast.parse("def f(a, b):\n  return [a + g(b, *c) for c in zip(a, b) if c]\n" * 5))


def reduce_map():
    functools.reduce(lambda a, b: a + len(b), map(str.upper, TEXT.split()), 0)


def use_numpy():
    import numpy

    values = numpy.arange(4000.0).reshape(40, 100)
    numpy.apply_along_axis(lambda row: numpy.sort(row)[::-1].cumsum(), 1, values)
    numpy.exp(values / 4000).dot(values.T).mean(axis=0)
    numpy.array2string(values[:4], threshold=50)


WORK = [encode, compile_pattern, substitute, compare, wrap, parse_mail, walk_tree, reduce_map]


def middleware(handler, name):
    def handle(request):
        try:
            return handler(request)
        finally:
            len(name)

    return handle


def dispatch(request):
    return WORK[request % len(WORK)]()


def main():
    if WITH_NUMPY:
        WORK.extend([use_numpy] * 4)
    handler = dispatch
    for number in range(12):
        handler = middleware(handler, "m%d" % number)
    end = time.monotonic() + SECONDS
    request = 0
    while time.monotonic() < end:
        handler(request)
        request += 1


main()
