/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A C program with Python inside: C functions that are known by name call Python, which calls C,
 * which calls Python. All of its own are called host_….
 *
 *	embed KEYS_NR CYCLES_NR SCRIPT ARGUMENT…
 *
 * Makes KEYS_NR keys of thread-specific data, then CYCLES_NR times: Py_Initialize(), SCRIPT,
 * Py_Finalize(). A thread that is older than all of these waits; host.older_thread() lets it call
 * Python. With -DEMBED_BODY it is a shared object without main(), for tests/targets/embed_late.c.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define OWN_FRAME __attribute__((noipa, optimize("no-optimize-sibling-calls")))

struct host_job {
	PyObject *callable;
	double native_seconds; /* to compute in C after Python is done with */
	pthread_t thread;
	long tid;
	double begin_s, end_s;
};

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct host_job *job; /* for the older thread */
	int is_done;
	pthread_t thread;
} host_older = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

int host_main(int argc, char **argv);
void host_burn_cpu(double seconds, double *begin_s, double *end_s);
PyObject *host_inner(PyObject *callable);
PyObject *host_call(PyObject *module, PyObject *callable);
PyObject *host_burn(PyObject *module, PyObject *seconds);
void host_call_from_c(PyObject *callable);
void *host_thread_main(void *context);
void *host_older_main(void *context);
int host_run_script(const char *path, int argc, char **argv);

static double host_now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Compute. The times are taken inside. */
OWN_FRAME void host_burn_cpu(double seconds, double *begin_s, double *end_s)
{
	volatile unsigned int value = 1;

	*begin_s = host_now_s();
	do {
		for (int i = 0; i < 10000; i++)
			value = value * 31 % 1000003;
		*end_s = host_now_s();
	} while (*end_s < *begin_s + seconds);
}

OWN_FRAME PyObject *host_inner(PyObject *callable)
{
	return PyObject_CallObject(callable, NULL);
}

OWN_FRAME PyObject *host_call(PyObject *module, PyObject *callable)
{
	(void)module;
	return host_inner(callable);
}

/* burn(seconds): without the GIL. Return: (begin, end) in seconds. */
OWN_FRAME PyObject *host_burn(PyObject *module, PyObject *seconds)
{
	double wanted = PyFloat_AsDouble(seconds);
	double begin_s, end_s;

	(void)module;
	Py_BEGIN_ALLOW_THREADS host_burn_cpu(wanted, &begin_s, &end_s);
	Py_END_ALLOW_THREADS return Py_BuildValue("(dd)", begin_s, end_s);
}

/* A thread that Python did not make, while it has a state. */
OWN_FRAME void host_call_from_c(PyObject *callable)
{
	PyGILState_STATE state = PyGILState_Ensure();
	PyObject *result = host_inner(callable);

	if (!result)
		PyErr_Print();
	Py_XDECREF(result);
	PyGILState_Release(state);
}

OWN_FRAME void *host_thread_main(void *context)
{
	struct host_job *job = context;

	job->tid = syscall(SYS_gettid);
	pthread_setname_np(pthread_self(), "host worker");
	host_call_from_c(job->callable);
	host_burn_cpu(job->native_seconds, &job->begin_s, &job->end_s);
	return NULL;
}

OWN_FRAME void *host_older_main(void *context)
{
	(void)context;
	pthread_mutex_lock(&host_older.mutex);
	while (!host_older.is_done) {
		if (host_older.job) {
			host_thread_main(host_older.job);
			host_older.job = NULL;
			pthread_cond_broadcast(&host_older.changed);
		}
		pthread_cond_wait(&host_older.changed, &host_older.mutex);
	}
	pthread_mutex_unlock(&host_older.mutex);
	return NULL;
}

static PyObject *host_job_result(const struct host_job *job)
{
	return Py_BuildValue("(ldd)", job->tid, job->begin_s, job->end_s);
}

/* thread(callable, native_seconds): in a new thread. Return: (tid, begin, end) of its time in C. */
static PyObject *host_thread(PyObject *module, PyObject *arguments)
{
	struct host_job job = {0};
	int failed;

	(void)module;
	if (!PyArg_ParseTuple(arguments, "Od", &job.callable, &job.native_seconds))
		return NULL;
	Py_BEGIN_ALLOW_THREADS failed = pthread_create(&job.thread, NULL, host_thread_main, &job);
	if (!failed)
		pthread_join(job.thread, NULL);
	Py_END_ALLOW_THREADS return failed ? PyErr_NoMemory() : host_job_result(&job);
}

/* older_thread(callable, native_seconds): the same in the thread that is older than Python. */
static PyObject *host_older_thread(PyObject *module, PyObject *arguments)
{
	struct host_job job = {0};

	(void)module;
	if (!PyArg_ParseTuple(arguments, "Od", &job.callable, &job.native_seconds))
		return NULL;
	Py_BEGIN_ALLOW_THREADS pthread_mutex_lock(&host_older.mutex);
	host_older.job = &job;
	pthread_cond_broadcast(&host_older.changed);
	while (host_older.job)
		pthread_cond_wait(&host_older.changed, &host_older.mutex);
	pthread_mutex_unlock(&host_older.mutex);
	Py_END_ALLOW_THREADS return host_job_result(&job);
}

static PyMethodDef host_methods[] = {
    {"call", host_call, METH_O, "Call the argument through two C functions."},
    {"burn", host_burn, METH_O, "Compute in C without the GIL."},
    {"thread", host_thread, METH_VARARGS, "Call from a thread made by C."},
    {"older_thread", host_older_thread, METH_VARARGS, "Call from a thread older than Python."},
    {NULL, NULL, 0, NULL},
};

#if PY_MAJOR_VERSION >= 3
static struct PyModuleDef host_definition = {PyModuleDef_HEAD_INIT, .m_name = "host", .m_size = -1,
					     .m_methods = host_methods};

static PyObject *host_module_init(void)
{
	return PyModule_Create(&host_definition);
}
#else
static void host_module_init(void)
{
	Py_InitModule("host", host_methods);
}
#endif

/* sys.argv is the script's own business: the API for it is not the same in all versions. */
static int host_set_arguments(int argc, char **argv)
{
	PyObject *list = PyList_New(argc);

	for (int i = 0; list && i < argc; i++)
		PyList_SET_ITEM(list, i, Py_BuildValue("s", argv[i]));
	return list ? PySys_SetObject("argv", list) : -1;
}

OWN_FRAME int host_run_script(const char *path, int argc, char **argv)
{
	FILE *script = fopen(path, "r");
	int failed;

	if (!script) {
		perror(path);
		return 1;
	}
	failed = host_set_arguments(argc, argv) || PyRun_SimpleFile(script, path);
	fclose(script);
	return failed;
}

static void host_keys_make(int nr)
{
	pthread_key_t key;

	for (int i = 0; i < nr; i++)
		if (pthread_key_create(&key, NULL))
			abort();
}

static void host_older_stop(void)
{
	pthread_mutex_lock(&host_older.mutex);
	host_older.is_done = 1;
	pthread_cond_broadcast(&host_older.changed);
	pthread_mutex_unlock(&host_older.mutex);
	pthread_join(host_older.thread, NULL);
}

OWN_FRAME int host_main(int argc, char **argv)
{
	int failed = 0;

	if (argc < 4)
		return 2;
	host_keys_make(atoi(argv[1]));
	if (pthread_create(&host_older.thread, NULL, host_older_main, NULL))
		return 1;
	PyImport_AppendInittab("host", host_module_init);
	for (int cycle = 0; !failed && cycle < atoi(argv[2]); cycle++) {
		char number[16];

		snprintf(number, sizeof(number), "%d", cycle);
		setenv("EMBED_CYCLE", number, 1);
		Py_Initialize();
#if PY_VERSION_HEX < 0x03070000
		PyEval_InitThreads();
#endif
		failed = host_run_script(argv[3], argc - 3, argv + 3);
		Py_Finalize();
	}
	host_older_stop();
	return failed;
}

#ifndef EMBED_BODY
int main(int argc, char **argv)
{
	return host_main(argc, argv);
}
#endif
