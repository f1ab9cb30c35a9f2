/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where each CPython version keeps what the walk reads. 3.13 and newer say so themselves in
 * _Py_DebugOffsets; below, one row per minor version. A version without a row, an alpha, beta or
 * release candidate is refused by name, never guessed.
 */
#ifndef PYREC_RECORD_LAYOUTS_H
#define PYREC_RECORD_LAYOUTS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/pyrec_bpf.h"
#include "common/cleanup.h"

/*
 * Up to 3.10: what it takes to find the function of a code object in its class
 * (record/method_reader.h). Include/funcobject.h, Include/object.h, Include/code.h.
 */
struct method_layout {
	uint16_t function_code; /* PyFunctionObject; 0: the version has co_qualname */
	uint16_t function_globals;
	uint16_t function_dict;
	uint16_t function_qualname; /* 0: 2.7 */
	uint16_t class_name;	    /* 2.7: PyHeapTypeObject.ht_name */
	uint16_t code_flags;
};

struct python_layout {
	struct pyrec_layout walk;
	struct method_layout methods;
	/* In _PyRuntime: the Py_tss_t that holds the key of the thread-bound PyThreadState. */
	uint32_t runtime_key;
	uint32_t runtime_interpreters; /* interpreters.head */
	uint32_t runtime_current; /* gilstate.tstate_current; 0: the version has a TLS variable */
	bool
	    needs_bound; /* 3.15: no key; the bound state is in the TLS variable _Py_tss_gilstate */
	bool has_plain_key;   /* 3.6: no _PyRuntime; autoTLSkey is the key itself */
	bool has_thread_list; /* 2.7: no pthread key, a list of its own */
	bool is_free_threaded;
};

/**
 * Layout of the version @version_hex (PY_VERSION_HEX).
 * @debug_offsets: the first @nr bytes of .PyRuntime as the file has them, for 3.13 and newer.
 * Return: 0; -ENOENT: no such row, or a pre-release; -EBADMSG: debug offsets that contradict it.
 */
must_check int python_layout_find(uint32_t version_hex, const uint8_t *debug_offsets, size_t nr,
				  struct python_layout *ret);

#endif
