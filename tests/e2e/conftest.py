# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Fixtures of the end-to-end tests."""

import tempfile

import pytest

from pyrec_harness import HEAP_FRAME_MINORS, MINORS, find_python


@pytest.fixture
def workdir():
    """A folder that is gone after the test; short, so that paths of targets stay readable."""
    with tempfile.TemporaryDirectory(prefix="pyrec-e2e-") as folder:
        yield folder


@pytest.fixture(params=MINORS + ["system"])
def python(request):
    return find_python(request.param)


@pytest.fixture(params=MINORS)
def pyenv_python(request):
    return find_python(request.param)


@pytest.fixture(params=HEAP_FRAME_MINORS + MINORS + ["system"])
def any_python(request):
    """Each version that is walked; those before 3.11 are paired by counting evaluation loops."""
    return find_python(request.param)


@pytest.fixture(params=[m for m in HEAP_FRAME_MINORS if m != "2.7"] + MINORS + ["system"])
def python3(request):
    """As any_python, for targets in the language of Python 3."""
    return find_python(request.param)


@pytest.fixture(params=["2.7", "3.8"] + MINORS + ["system"])
def work_python(request):
    """Of those before 3.11 one of each kind, for tests that take long."""
    return find_python(request.param)
