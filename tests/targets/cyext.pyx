# cython: language_level=3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Cython that calls back: through a C function, from a generator, from a comparison."""


cdef object inner(callback):
    return callback()


def call(callback):
    return inner(callback)


def iterate(callback):
    for _ in range(2):
        yield callback()


cdef class Item:
    cdef object callback

    def __init__(self, callback):
        self.callback = callback

    def __lt__(self, other):
        return self.callback(other)
