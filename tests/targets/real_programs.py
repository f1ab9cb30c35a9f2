# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Real libraries at work: real_programs.py NAME SECONDS; each tells its window after start-up.

A program prints {"unavailable": why} where the interpreter lacks what it needs.
"""

import base64
import gc
import marshal
import os
import sys
import types

import declared
from declared import SECOND, as_window, monotonic


def work_until(deadline, step):
    times = 0
    while monotonic() < deadline:
        step()
        times += 1
    return times


# ---- sympy ----


def algebra():
    import sympy
    from sympy.core.cache import clear_cache

    x, y = sympy.symbols("x y")

    def step():
        clear_cache()
        sympy.integrate(x * sympy.exp(x) * sympy.sin(x), x)
        sympy.factor(x**6 - y**6)
        sympy.solve(x**3 - 2 * x + y, x)
        sympy.simplify(sympy.sin(x) ** 2 + sympy.cos(x) ** 2)
        sympy.N(sympy.pi, 40)

    return step


# ---- flask and jinja2 ----

PAGE = """
{% macro cell(value) %}<td>{{ value|upper }}</td>{% endmacro %}
<table>{% for row in rows %}<tr class="{{ loop.cycle('odd', 'even') }}">
{% for value in row %}{{ cell(value) }}{% endfor %}</tr>{% else %}none{% endfor %}</table>
"""


def web():
    import flask
    import jinja2

    app = flask.Flask("shop")
    app.secret_key = "a secret of the test"
    environment = jinja2.Environment(loader=jinja2.DictLoader({"page": PAGE}), autoescape=True)

    @app.before_request
    def count():
        flask.session["visits"] = flask.session.get("visits", 0) + 1

    @app.route("/table/<int:rows>")
    def table(rows):
        cells = [["%d <%d>" % (row, column) for column in range(4)] for row in range(rows)]
        return environment.get_template("page").render(rows=cells)

    @app.route("/json")
    def document():
        return flask.jsonify(numbers=list(range(50)), visits=flask.session["visits"])

    @app.errorhandler(404)
    def absent(error):
        return str(error), 404

    client = app.test_client()

    def step():
        assert client.get("/table/20").status_code == 200
        assert client.get("/json").get_json()["numbers"][49] == 49
        assert client.get("/nowhere").status_code == 404

    return step


# ---- asyncio ----


async def serve(reader, writer):
    while True:
        line = await reader.readline()
        if not line:
            break
        number = int(line)
        writer.write(b"%d\n" % sum(value * value for value in range(number % 200)))
        await writer.drain()
    writer.close()


async def ask(port, questions_nr):
    import asyncio

    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(questions_nr):
        writer.write(b"%d\n" % number)
        await writer.drain()
        await reader.readline()
    writer.close()


def server():
    import asyncio

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    listening = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    port = listening.sockets[0].getsockname()[1]

    def step():
        asks = [loop.create_task(ask(port, 50)) for _ in range(4)]
        loop.run_until_complete(asyncio.gather(*asks))

    return step


# ---- numpy ----


def arrays():
    import numpy

    numbers = numpy.random.default_rng(7).random((120, 120))
    things = numpy.array([str(n * 7919 % 1000) for n in range(300)], dtype=object)
    clip = numpy.vectorize(lambda value: min(value, 0.5))

    def step():
        clip(numbers[:20])
        numpy.apply_along_axis(lambda row: row.max() - row.min(), 1, numbers)
        numpy.sort(things)
        numpy.linalg.inv(numbers @ numbers.T + numpy.eye(120))
        numpy.fromfunction(lambda i, j: i * j + 1, (50, 50)).mean(axis=0)

    return step


# ---- multiprocessing ----


def collatz(number):
    steps = 0
    while number > 1:
        number = number * 3 + 1 if number % 2 else number // 2
        steps += 1
    return steps


def pool():
    import multiprocessing

    pools = [multiprocessing.get_context(m).Pool(1) for m in ("fork", "spawn", "forkserver")]

    def step():
        results = [one.map_async(collatz, range(1, 400)) for one in pools]
        assert len({tuple(result.get(60)) for result in results}) == 1

    return step


PROGRAMS = {f.__name__: f for f in (algebra, web, server, arrays, pool)}


def main(name, seconds):
    try:
        step = PROGRAMS[name]()
        step()
    except ImportError as error:
        declared.emit(unavailable=str(error))
        return
    begin = monotonic()
    times = work_until(begin + seconds * SECOND, step)
    window = as_window(begin, monotonic())
    made = made_codes()
    declared.emit(
        window=window,
        steps=times,
        files=known_files() + sorted({code.co_filename for code in made}),
        made=[base64.b64encode(marshal.dumps(code)).decode() for code in made],
        texts=sorted(command_texts()),
        **declared.identity()
    )


def known_files():
    """co_filename of all modules; the frozen ones are called by their names."""
    frozen = ["importlib._bootstrap", "importlib._bootstrap_external"] + list(sys.modules)
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    return sorted({"<frozen %s>" % name for name in frozen} | set(filter(None, files)))


def made_codes():
    """Code objects of functions that come from no file: of templates, named tuples, wrappers."""
    functions = [thing for thing in gc.get_objects() if isinstance(thing, types.FunctionType)]
    codes = {function.__code__ for function in functions}
    return [c for c in codes if c.co_filename[0] == "<" and not c.co_filename.startswith("<frozen ")]


def command_texts():
    """What this process's children were given with -c."""
    with open("/proc/self/task/%d/children" % os.getpid()) as file:
        children = file.read().split()
    for child in children:
        with open("/proc/%s/cmdline" % child) as file:
            words = file.read().split("\0")
        if "-c" in words:
            yield words[words.index("-c") + 1]


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
