# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The ways in which C calls Python, and which C functions then stand on the stack.

A way is a function that takes the innermost Python function, work, and returns what is to be called.
Its `through` says, for the plain name of a Python frame (or "caller>callee"), what must stand between
it and its caller: (regular expression of names, of objects) from root to leaf. Names are those of
CPython's sources, 3.6 to 3.15, functions that the compiler cannot leave by a sibling call; a stripped
interpreter has [unknown] instead.
"""

import collections
import functools
import gc
import heapq
import importlib
import itertools
import json
import operator
import os
import pickle
import re
import signal
import sys
import weakref

Way = collections.namedtuple("Way", "name call through value objects is_repeated")
MAKERS = []


def way(through, value=0, objects="", needs=(), is_repeated=True):
    """needs: modules that the way uses and that need not be there. is_repeated: tracing tells all."""

    def register(make):
        rest = {"through": through, "value": value, "objects": objects, "is_repeated": is_repeated}
        MAKERS.append((make, needs, rest))
        return make

    return register


def find_ways():
    """(ways that this interpreter has, [(name, what it lacks)])."""
    ways, absent = [], []
    for make, needs, rest in MAKERS:
        try:
            modules = [importlib.import_module(name) for name in needs]
        except ImportError:
            absent.append((make.__name__, " ".join(needs)))
            continue
        ways.append(Way(make.__name__, functools.partial(make, *modules), **rest))
    return ways, absent


# ---- Builtins and types ----


@way({"work": [("builtin_sorted", ""), (r"list_?sort\w*", "")]})
def sorted_key(work):
    return lambda: sorted([2, 1], key=work)


@way({"work": [(r"list_?sort\w*", ""), ("keyobject_richcompare", "")]})
def compare_key(work):
    return lambda: sorted([2, 1], key=functools.cmp_to_key(work))


@way({"work": [("map_next", "")]})
def map_items(work):
    return lambda: list(map(work, [1]))


@way({"work": [("filter_next", "")]})
def filter_items(work):
    return lambda: list(filter(work, [1]))


@way({"work": [("starmap_next", "")]})
def starmap_items(work):
    return lambda: list(itertools.starmap(work, [(1, 2)]))


@way({"<genexpr>": [(r"builtin_sum\w*", ""), (r"gen_iternext|gen_send_ex\w*", "")]})
def sum_generator(work):
    return lambda: sum(work(number) for number in (1, 2))


@way({"__repr__": [(r"list_repr\w*", ""), ("PyObject_Repr", "")]}, value="x")
def repr_of_list(work):
    class Shown:
        def __repr__(self):
            return work()

    shown = [Shown()]
    return lambda: repr(shown)


@way({"__init__": [("map_next", ""), ("slot_tp_init", "")]}, value=None)
def init_from_map(work):
    class Made:
        def __init__(self, _):
            work()

    return lambda: list(map(Made, [1]))


@way({"__init_subclass__": [(r"type_new\w*", "")]})
def made_type(work):
    class Base:
        def __init_subclass__(cls):
            work()

    return lambda: type("Made", (Base,), {})


@way({"__getattr__": [(r"\w*slot_tp_getattr_hook", "")]})
def missing_attribute(work):
    class Open:
        def __getattr__(self, name):
            return work(name)

    thing = Open()
    return lambda: getattr(thing, "missing")


@way({"__eq__": [(r"dict_get\w*", ""), ("slot_tp_richcompare", "")], "__hash__": [("slot_tp_hash", "")]})
def equal_keys(work):
    class Key:
        def __hash__(self):
            return 1

        def __eq__(self, other):
            return work(other)

    table, key = {Key(): 1}, Key()
    return lambda: table.get(key)


@way({"<module>": [(r"builtin_exec\w*", "")]})
def executed_code(work):
    code = compile("work(1)\n", "<made up>", "exec")
    return lambda: exec(code, {"work": work})


# ---- Objects that die, signals ----
# Held by no local variable: tracing keeps copies of those.


@way({"__del__": [("subtype_dealloc", ""), ("slot_tp_finalize", "")]})
def finalizer(work):
    class Doomed:
        def __del__(self):
            work()

    return lambda: Doomed()


@way({"__del__": [(r"gc_\w+|collect\w*|finalize_garbage|_?PyGC_\w+", ""), ("slot_tp_finalize", "")]})
def collected_cycle(work):
    class Doomed:
        def __del__(self):
            work()

    def make():
        doomed = Doomed()
        doomed.itself = doomed

    return lambda: (make(), gc.collect(0))


@way({"work": [("subtype_dealloc", "")]})
def weak_reference(work):
    class Doomed:
        pass

    return lambda: weakref.ref(Doomed(), work)


@way({"work": [(r"_?PyErr_CheckSignals\w*", "")]})
def signal_handler(work):
    signal.signal(signal.SIGUSR1, work)
    pid = os.getpid()
    return lambda: os.kill(pid, signal.SIGUSR1)


# ---- Modules of C ----


@way({"work": [(r"_?functools_reduce\w*", "")]})
def reduce_items(work):
    return lambda: functools.reduce(work, [1, 2])


@way({"work": [(r"partial_\w+", "")]})
def partial_call(work):
    partial = functools.partial(work, 1)
    return lambda: partial(2)


@way({"work": [(r"bounded_lru_cache_\w+|lru_cache_call", "")]})
def cached_call(work):
    cached = functools.lru_cache(maxsize=4)(work)
    numbers = itertools.count()
    return lambda: cached(next(numbers))


if hasattr(functools, "cached_property"):

    # Up to 3.9 tracing does not tell a jump into the middle of a line, as `with` makes them there.
    @way(
        {"__get__": [(r"slot_tp_descr_get|_?PyObject_\w*Attr\w*", "")]},
        is_repeated=sys.version_info >= (3, 10),
    )
    def cached_property(work):
        class Holder:
            kept = functools.cached_property(work)

        return lambda: Holder().kept


@way({"work": [(r"_?PyObject_\w*Attr\w*", "")]})
def property_getter(work):
    class Holder:
        value = property(work)

    getter, holder = operator.attrgetter("value"), Holder()
    return lambda: getter(holder)


@way({"__lt__": [(r"\w*heapify\w*", ""), ("slot_tp_richcompare", "")]})
def heap_order(work):
    class Item:
        def __lt__(self, other):
            return work(other)

    items = [Item(), Item()]
    return lambda: heapq.heapify(items)


@way({"work": [(r"pattern_subx?|_sre_SRE_Pattern_sub\w*", "")]}, value="x")
def substituted_text(work):
    pattern = re.compile("b")
    return lambda: pattern.sub(work, "abc")


@way({"work": [(r"encoder_call\w*", ""), (r"encoder_listencode_\w+", "")]}, value="x")
def json_default(work):
    encoder, things = json.JSONEncoder(default=work), [object()]
    return lambda: encoder.encode(things)


@way({"work": [(r"scanner_call\w*", ""), (r"_parse_object_unicode|scan_once_unicode", "")]})
def json_hook(work):
    decoder = json.JSONDecoder(object_hook=work)
    return lambda: decoder.decode("{}")


@way({"__reduce__": [(r"save\w*|dump\w*|_pickle_\w+", ""), (r"object_{1,3}reduce_ex\w*", "")]})
def pickled_object(work):
    class Reduced:
        def __reduce__(self):
            work()
            return int, ()

    thing = Reduced()
    return lambda: pickle.dumps(thing)


@way({"work": [("context_run", "")]}, needs=["contextvars"])
def context_run(contextvars, work):
    context = contextvars.copy_context()
    return lambda: context.run(work, 1)


@way({"work": [(r"q?sort\w*|msort_with_tmp\w*", r"libc\b|musl"), (".*", "ffi|_ctypes")]}, objects="libffi", needs=["ctypes"])
def qsort_callback(ctypes, work):
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(work)
    qsort, numbers = ctypes.CDLL(None).qsort, (ctypes.c_int * 2)(2, 1)
    size = ctypes.c_size_t
    return lambda: qsort(numbers, size(2), size(4), compare)


@way({"work": [(".*", "sqlite3")]}, objects="sqlite3", needs=["sqlite3"])
def sql_function(sqlite3, work):
    connection = sqlite3.connect(":memory:")
    connection.create_function("work", 1, work)
    return lambda: connection.execute("select work(1)").fetchone()


@way({"work": [("my_StartElementHandler", "")]}, objects="expat", needs=["xml.parsers.expat"])
def xml_handler(expat, work):
    def call():
        parser = expat.ParserCreate()
        parser.StartElementHandler = work
        parser.Parse(b"<a/>", True)

    return call


# ---- Extensions: C, C++, Cython, numpy ----


@way({"work": [("ext_call", "spinext"), ("ext_inner", "spinext")]}, objects="spinext", needs=["spinext"])
def c_extension(spinext, work):
    return lambda: spinext.call(work)


def add_cxx_ways(name):
    nested = [("cxx_call", name), ("cxx_inner", name)]
    unwound = [("cxx_unwind", name), ("cxx_guarded", name), (r"_ZN5GuardD[012]Ev|Guard::~Guard.*", name)]
    caught = [("cxx_catch", name)]
    for function, natives in (("call", nested), ("unwind", unwound), ("catch", caught)):

        def make(module, work, function=function):
            method = getattr(module, function)
            return lambda: method(work)

        make.__name__ = name + "_" + function
        way({"work": natives}, objects=name, needs=[name])(make)


for _flavour in ("o0", "o2", "o3", "fp"):
    add_cxx_ways("cxxext_" + _flavour)

CYTHON = [(r"__pyx_\w+", "cyext")]


@way({"work": CYTHON}, objects="cyext", needs=["cyext"])
def cython_call(cyext, work):
    return lambda: cyext.call(work)


@way({"work": [(r"builtin_sum\w*", ""), *CYTHON]}, objects="cyext", needs=["cyext"])
def cython_generator(cyext, work):
    return lambda: sum(cyext.iterate(work))


@way({"work": [("builtin_sorted", ""), (r"list_?sort\w*", ""), *CYTHON]}, objects="cyext", needs=["cyext"])
def cython_compare(cyext, work):
    items = [cyext.Item(work), cyext.Item(work)]
    return lambda: sorted(items)


NUMPY = "_multiarray_umath|_umath|libblas|libopenblas|libm\\b"


@way({"work": [(".*", "_multiarray_umath")]}, objects=NUMPY, needs=["numpy"])
def numpy_vectorize(numpy, work):
    vectorized, numbers = numpy.vectorize(work, otypes=[int]), numpy.arange(2)
    return lambda: vectorized(numbers)


@way({"apply_along_axis>apply_along_axis": [(".*", "_multiarray_umath")]}, objects=NUMPY, needs=["numpy"])
def numpy_apply(numpy, work):
    numbers = numpy.ones((2, 2))
    return lambda: numpy.apply_along_axis(work, 0, numbers)


@way({"__lt__": [(".*", "_multiarray_umath"), ("slot_tp_richcompare", "")]}, objects=NUMPY, needs=["numpy"])
def numpy_sort(numpy, work):
    class Item:
        def __lt__(self, other):
            return work(other)

    items = numpy.array([Item(), Item()], dtype=object)
    return lambda: items.sort()


@way({}, objects=NUMPY, needs=["numpy"])
def numpy_matmul(numpy, work):
    numbers = numpy.ones((150, 150))
    return lambda: (work(), numbers @ numbers)
