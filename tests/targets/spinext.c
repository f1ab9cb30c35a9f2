/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A CPython extension with known C frames: call(callback) runs ext_call -> ext_inner -> callback().
 * Both functions must stay frames of their own: no inlining, no clones, no sibling calls.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define OWN_FRAME __attribute__((noipa, optimize("no-optimize-sibling-calls")))

PyObject *ext_inner(PyObject *callback);
PyObject *ext_call(PyObject *module, PyObject *callback);

OWN_FRAME PyObject *ext_inner(PyObject *callback)
{
	return PyObject_CallObject(callback, NULL);
}

OWN_FRAME PyObject *ext_call(PyObject *module, PyObject *callback)
{
	(void)module;
	return ext_inner(callback);
}

static PyMethodDef methods[] = {
    {"call", ext_call, METH_O, "Call the argument through two C functions."},
    {NULL, NULL, 0, NULL},
};

#if PY_MAJOR_VERSION < 3

PyMODINIT_FUNC initspinext(void);

PyMODINIT_FUNC initspinext(void)
{
	Py_InitModule("spinext", methods);
}

#else

PyMODINIT_FUNC PyInit_spinext(void);

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "spinext", .m_size = -1,
					.m_methods = methods};

PyMODINIT_FUNC PyInit_spinext(void)
{
	return PyModule_Create(&definition);
}

#endif
