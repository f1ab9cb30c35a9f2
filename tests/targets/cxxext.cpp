/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A CPython extension of C++ whose callbacks run below plain calls, in a destructor while an exception
 * passes, and in its handler. Built several times with other options: -DMODULE=name.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdexcept>

#define OWN_FRAME __attribute__((noipa, noinline, optimize("no-optimize-sibling-calls")))
#define JOINED_(a, b) a##b
#define JOINED(a, b) JOINED_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

struct Guard {
	PyObject *callback;
	PyObject *&result;
	OWN_FRAME ~Guard();
};

Guard::~Guard()
{
	result = PyObject_CallObject(callback, NULL);
}

extern "C" {

OWN_FRAME PyObject *cxx_inner(PyObject *callback)
{
	return PyObject_CallObject(callback, NULL);
}

OWN_FRAME PyObject *cxx_call(PyObject *, PyObject *callback)
{
	return cxx_inner(callback);
}

OWN_FRAME void cxx_throw(int depth)
{
	if (depth == 0)
		throw std::runtime_error("thrown through frames of C++");
	cxx_throw(depth - 1);
}

OWN_FRAME void cxx_guarded(PyObject *callback, PyObject *&result)
{
	Guard guard{callback, result};

	cxx_throw(3);
}

OWN_FRAME PyObject *cxx_unwind(PyObject *, PyObject *callback)
{
	PyObject *result = NULL;

	try {
		cxx_guarded(callback, result);
	} catch (const std::runtime_error &) {
	}
	return result;
}

OWN_FRAME PyObject *cxx_catch(PyObject *, PyObject *callback)
{
	try {
		cxx_throw(3);
	} catch (const std::runtime_error &) {
		return PyObject_CallObject(callback, NULL);
	}
	return NULL;
}

static PyMethodDef methods[] = {
    {"call", cxx_call, METH_O, "Call the argument."},
    {"unwind", cxx_unwind, METH_O, "Call the argument from a destructor that an exception runs."},
    {"catch", cxx_catch, METH_O, "Call the argument from a handler."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, TEXT(MODULE), NULL, -1, methods,
					NULL, NULL, NULL, NULL};

PyMODINIT_FUNC JOINED(PyInit_, MODULE)(void)
{
	return PyModule_Create(&definition);
}
}
