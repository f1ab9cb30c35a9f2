# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""image_target.py for CPython 2.7: the same answers; its code units are bytes. Names are byte strings,
told as pyrec writes them: UTF-8 as it is, any other byte as \\xNN."""
import dis
import os
import sys
import thread
import threading

ready = {}
held = threading.Event()
leave_read, leave_write = os.pipe()


def text(name):
    try:
        name.decode("utf-8")
        return name
    except UnicodeDecodeError:
        return "".join(c if ord(c) < 128 else "\\x%02x" % ord(c) for c in name)


def chain():
    frame = sys._getframe(1)
    frames = []
    while frame is not None:
        code = frame.f_code
        frames.append([frame.f_lasti, frame.f_lasti, code.co_firstlineno, "-", text(code.co_name),
                       text(code.co_filename)])
        frame = frame.f_back
    return frames


def wait_units():
    """The bytes of the last line of hold()."""
    return list(dis.findlinestarts(hold.__code__))[-1][0], len(hold.__code__.co_code)


def hold(name):
    """The caller's frame waits in os.read(); what it runs then is known from its bytecode."""
    frames = chain()
    frames[0][:2] = wait_units()
    ready[name] = thread.get_ident(), frames
    if len(ready) == WANTED:
        held.set()
    os.read(leave_read, 1)


class Shapes:
    def method(self, depth):
        if depth:
            return self.method(depth - 1)
        return sorted([1], key=lambda value: hold("recursion"))

    @staticmethod
    def generator():
        yield hold("generator")

    @classmethod
    def mapped(cls):
        return map(lambda _: hold("callback"), [0])

    def made(self):
        exec(compile("hold('made-up names')", "<g\xc3\xa9n\xc3\xa9r\xc3\xa9>", "exec"), globals())


def renamed():
    hold("bytes")


def deep(count):
    if count:
        return deep(count - 1)
    return hold("deep")


def with_names(code, name, file):
    return type(code)(code.co_argcount, code.co_nlocals, code.co_stacksize, code.co_flags,
                      code.co_code, code.co_consts, code.co_names, code.co_varnames, file, name,
                      code.co_firstlineno, code.co_lnotab)


def worker(function, *arguments):
    threading.stack_size(64 << 20)
    started = threading.Thread(target=function, args=arguments)
    started.daemon = True
    started.start()


WANTED = 7
sys.setrecursionlimit(10000)
renamed.__code__ = with_names(renamed.__code__, "n\xe4me", "/srv/latin\xdf" + "x" * 2000)
worker(Shapes().method, 30)
worker(lambda: next(Shapes.generator()))
worker(Shapes.mapped)
worker(Shapes().made)
worker(renamed)
worker(deep, 3900)


def main():
    hold("main")


reporter_out = os.dup(1)


def report():
    held.wait()
    lines = []
    for name, (ident, frames) in ready.items():
        lines.append(["thread", name, ident, len(frames)])
        lines.extend(["frame"] + frame for frame in frames)
    lines.append(["end"])
    told = "".join("\t".join(map(str, line)) + "\n" for line in lines)
    while told:
        told = told[os.write(reporter_out, told):]
    sys.stdin.read()
    os._exit(0)


reporter = threading.Thread(target=report)
reporter.daemon = True
reporter.start()
main()
