# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Holds still in known stacks, one per thread, and says what they are.

Prints, tab separated, for each thread "thread NAME IDENT FRAMES" (IDENT: pthread_self, the thread
pointer on glibc) and for each of its frames, leaf first, "frame FIRST LAST FIRST_LINE QUALNAME NAME
FILE": the code units that it may stand at (one, but for the leaf any of its last line). Then "end",
and it waits for its standard input to close. Each thread waits in C with the GIL released, so that
none of them moves.
"""
import dis
import os
import sys
import threading

ready = {}
held = threading.Event()
leave_read, leave_write = os.pipe()


def chain():
    frame = sys._getframe(1)
    frames = []
    while frame is not None:
        code = frame.f_code
        unit = frame.f_lasti // 2
        qualname = getattr(code, "co_qualname", "-")
        frames.append([unit, unit, code.co_firstlineno, qualname, code.co_name,
                       code.co_filename])
        frame = frame.f_back
    return frames


def wait_units():
    """The code units of the last line of hold()."""
    starts = list(dis.findlinestarts(hold.__code__))
    last_line = max(line for _, line in starts if line is not None)
    first = min(start for start, line in starts if line == last_line)
    return first // 2, len(hold.__code__.co_code) // 2


def hold(name):
    """The caller's frame waits in os.read(); what it runs then is known from its bytecode."""
    frames = chain()
    frames[0][:2] = wait_units()
    ready[name] = threading.get_ident(), frames
    if len(ready) == WANTED:
        held.set()
    os.read(leave_read, 1)


class Shapes:
    def method(self, depth):
        if depth:
            return self.method(depth - 1)
        return sorted([1], key=lambda value: hold("recursion"))

    @staticmethod
    def générateur_ß():
        yield hold("generator")

    @classmethod
    def 日本語の関数(cls):
        return list(map(lambda _: hold("wide names"), [0]))

    def 𝒻(self):
        exec(compile("hold('astral ' + 'names')", "<made 𝓊𝓅>", "exec"), globals())


def deep(count):
    if count:
        return deep(count - 1)
    return hold("deep")


def worker(function, *arguments):
    threading.stack_size(64 << 20)
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()


WANTED = 6
sys.setrecursionlimit(10000)
worker(Shapes().method, 30)
worker(lambda: next(Shapes.générateur_ß()))
worker(Shapes.日本語の関数)
worker(Shapes().𝒻)
worker(deep, 3900)


def main():
    hold("main")


reporter_out = os.dup(1)


def report():
    held.wait()
    lines = []
    for name, (ident, frames) in ready.items():
        lines.append(["thread", name, ident, len(frames)])
        lines.extend(["frame", *frame] for frame in frames)
    lines.append(["end"])
    text = "".join("\t".join(map(str, line)) + "\n" for line in lines).encode()
    while text:
        text = text[os.write(reporter_out, text):]
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=report, daemon=True).start()
main()
