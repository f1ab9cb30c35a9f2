# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Methods of every kind, each for argv[1] seconds of CPU time, with the name that the interpreter has for it.

From 3.3 on that is __qualname__, but for what a decorator or an assignment put in its place; 2.7 has
none: there it is the class's name and the function's. "names": those that may be shown.
"""

import functools
import sys

import declared
from declared import as_window, cpu_seconds, monotonic

SECONDS = float(sys.argv[1])
HAS_QUALNAME = sys.version_info >= (3,)


def spin():
    deadline = cpu_seconds() + SECONDS
    value = 1
    while cpu_seconds() < deadline:
        value = value * 31 % 1000003


def wrapping(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


def renaming(function):
    def named_by_hand(self):
        spin()

    named_by_hand.__name__ = "named_by_hand"
    named_by_hand.__qualname__ = "Elsewhere.named_by_hand"
    return named_by_hand


def shared(self):
    spin()


def namesake(self):
    spin()


class Base(object):
    def inherited(self):
        spin()

    def overridden(self):
        spin()

    @classmethod
    def of_class(cls):
        spin()

    @staticmethod
    def static_of_itself(instance):
        spin()

    @property
    def attribute(self):
        spin()

    @attribute.setter
    def attribute(self, value):
        spin()

    def __mangled(self):
        spin()

    def call_mangled(self):
        self.__mangled()

    def __call__(self):
        spin()

    def in_a_cell(self):
        spin()
        return lambda: self

    def overwrites(self):
        self = None
        spin()
        return self

    def namesake(self):
        """Of the function of that name, too, which is no method."""

    @wrapping
    def decorated(self):
        spin()

    replaced = renaming(None)
    shared = shared

    class Inner(object):
        def nested(self):
            spin()


MANGLED = Base._Base__mangled


class Derived(Base):
    def overridden(self):
        super(Derived, self).overridden()


class Meta(type):
    def of_metaclass(cls):
        spin()


class OldStyle:
    def of_old_style(self):
        spin()


class OldDerived(OldStyle):
    pass


def local_class():
    class Local(object):
        def of_local_class(self):
            spin()

    return Local


def code_of(function):
    for name in ("__func__", "fget"):
        function = getattr(function, name, None) or function
    return getattr(function, "__wrapped__", function)


def own_name(kind, name):
    """As the interpreter has it for an attribute of a class."""
    function = code_of(vars(kind)[name])
    if HAS_QUALNAME:
        return function.__qualname__
    return kind.__name__ + "." + function.__name__


MADE = Meta("MADE", (object,), {})
LOCAL = local_class()
THING = Derived()


def set_attribute():
    THING.attribute = 1


# What is run, and the names that the function that calls spin() may have.
CASES = [
    (THING.inherited, [own_name(Base, "inherited")]),
    (THING.overridden, [own_name(Base, "overridden")]),
    (Derived.of_class, [own_name(Base, "of_class")]),
    (lambda: Base.static_of_itself(THING), [own_name(Base, "static_of_itself")]),
    (lambda: Base.static_of_itself(1), ["static_of_itself", own_name(Base, "static_of_itself")]),
    (lambda: THING.attribute, [own_name(Base, "attribute")]),
    (set_attribute, [own_name(Base, "attribute")]),
    (THING.call_mangled, ["Base.__mangled"]),
    (THING, [own_name(Base, "__call__")]),
    (THING.in_a_cell, [own_name(Base, "in_a_cell")]),
    (THING.overwrites, ["overwrites", own_name(Base, "overwrites")]),
    (THING.decorated, [own_name(Base, "decorated") if HAS_QUALNAME else "decorated"]),
    (THING.replaced, ["named_by_hand"]),
    (THING.shared, ["shared"]),
    (lambda: namesake(THING), ["namesake"]),
    (Base.Inner().nested, [own_name(Base.Inner, "nested")]),
    (MADE.of_metaclass, [own_name(Meta, "of_metaclass")]),
    (OldDerived().of_old_style, [own_name(OldStyle, "of_old_style")]),
    (LOCAL().of_local_class, [own_name(LOCAL, "of_local_class") if HAS_QUALNAME else "of_local_class"]),
]


def main():
    for run, names in CASES:
        begin = monotonic()
        run()
        declared.emit(names=names, window=as_window(begin, monotonic()), **declared.identity())


main()
