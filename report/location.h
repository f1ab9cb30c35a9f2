/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an address is called, found once for each distinct address: native addresses by
 * (module, offset in the file), so that all processes that map a file share them; Python frames by
 * (code object, instruction offset); kernel addresses as they are.
 */
#ifndef PYREC_REPORT_LOCATION_H
#define PYREC_REPORT_LOCATION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/id_index.h"
#include "common/intern.h"
#include "format/payload.h"
#include "report/code_table.h"
#include "report/kernel_symbols.h"
#include "report/module.h"
#include "report/unwind.h"

enum location_kind {
	LOCATION_PYTHON,
	LOCATION_NATIVE,
	LOCATION_KERNEL,
	LOCATION_NOTE, /* not a frame: what is missing at this place of the stack */
};

enum location_role {
	ROLE_NONE,
	ROLE_EVAL,	      /* the C evaluation loop of CPython */
	ROLE_GREENLET_START,  /* of the package greenlet: the first one on a greenlet's own stack */
	ROLE_GREENLET_SWITCH, /* what exchanges stacks: neither that nor the Python state is whole
			       */
};

struct location {
	enum location_kind kind;
	bool has_symbol;	 /* else symbol is "[unknown]" */
	bool has_dso;		 /* else dso is "[unknown]" */
	enum location_role role; /* native: what the function is to a Python stack */
	bool is_entry;		 /* Python: struct code */
	bool is_shim;		 /* Python: no function of the program, struct code */
	bool is_inlined;	 /* native: into the function that the others of its address tell */
	/* Native: so many locations follow, of the functions inlined here, the innermost last. */
	uint8_t inlined_nr;
	const char *symbol;	       /* escaped, like dso */
	const char *dso;	       /* mapped file; Python: source file */
	const char *source_file;       /* native, escaped; NULL: not known, or not asked for */
	struct line_position position; /* line LINE_NONE: not known; columns: Python only */
	/* Into the symbol: bytes of machine code; Python: bytes of bytecode. 0 for kernel frames
	 * without a symbol. */
	uint64_t symbol_offset;
	uint32_t code_id;      /* Python: of its code object */
	int32_t first_line;    /* Python: of its function; LINE_NONE: not known */
	struct module *module; /* native: the file of its symbol, if has_symbol */
	uint64_t vaddr;	       /* native: where in that file */
	/* perf-script: the frame's line, with line_address in it; malloc'ed, NULL at first. */
	char *line;
	uint32_t line_nr;
	uint64_t line_address;
};

struct location_key {
	uint64_t object; /* kind, and the module's address or the code id */
	uint64_t address;
};

/* The ids asked for last, by a hash of their key: nearly every look-up ends here. */
enum { LOCATION_RECENT_NR = 4096 };

enum { LOCATION_CHUNK_NR = 1024, LOCATION_CHUNKS_NR = 16384 };

struct location_chunk {
	/* What the output calls each, ID_NONE at first; close together, it is asked at every frame.
	 */
	uint32_t frame_ids[LOCATION_CHUNK_NR];
	struct location items[LOCATION_CHUNK_NR];
};

/* Names met last, as they are shown, by a hash of the address of the file's own spelling. */
enum { LOCATION_NAMES_NR = 1024 };

struct location_name {
	const char *name; /* owned by its module; NULL: empty */
	const char *shown;
	enum location_role role;
};

struct location_options {
	bool with_inlines; /* of native code, where its DWARF is on this machine */
	bool with_lines;   /* the same */
	bool keep_mangled; /* names of C++ and Rust as linkers see them */
};

struct location_recent {
	struct location_key key;
	uint32_t id_plus_1; /* 0: empty */
};

struct location_table {
	struct location_recent recent[LOCATION_RECENT_NR];
	struct location_name names[LOCATION_NAMES_NR];
	/*
	 * In chunks that never move: what was handed to another thread stays where it is. The
	 * frame ids and an item's line… belong to the output, all else does not change.
	 */
	struct location_chunk **chunks; /* LOCATION_CHUNKS_NR; NULL from the first unused on */
	struct location_key *keys;
	size_t nr;
	size_t keys_capacity;
	struct id_index index;
	struct intern texts;
	const struct module *last_module; /* last_dso is the escaped path of */
	const char *last_dso;
	struct location_options options;
	struct kernel_symbols *kernel;
	struct code_table *codes;
};

/** @kernel and @codes are borrowed. Return: 0 or -ENOMEM. */
must_check int location_table_init(struct location_table *table,
				   const struct location_options *options,
				   struct kernel_symbols *kernel, struct code_table *codes);
void location_table_deinit(struct location_table *table);

/* Ids of locations. Return: 0 or -ENOMEM. */
must_check int location_find_native(struct location_table *table, const struct native_frame *frame,
				    uint32_t *ret);
must_check int location_find_python(struct location_table *table, const struct py_frame *frame,
				    uint32_t *ret);
must_check int location_find_kernel(struct location_table *table, uint64_t address, uint32_t *ret);
/** @text is shown as it is, for example "[incomplete stack: torn]". */
must_check int location_find_note(struct location_table *table, const char *text, uint32_t *ret);

static inline struct location *location_get(const struct location_table *table, uint32_t id)
{
	return &table->chunks[id / LOCATION_CHUNK_NR]->items[id % LOCATION_CHUNK_NR];
}

static inline uint32_t *location_frame_id(const struct location_table *table, uint32_t id)
{
	return &table->chunks[id / LOCATION_CHUNK_NR]->frame_ids[id % LOCATION_CHUNK_NR];
}

/**
 * Append where a Python frame executes, to stand behind its dso: ":LINE"; with columns, in bytes
 * from 1, both ends included, ":LINE:COLUMN-END" or ":LINE:COLUMN-ENDLINE:END", as far as the table
 * has them; ":?" where the line is not known. Nothing for other kinds.
 */
void location_append_line(const struct location *location, bool with_columns, struct strbuf *ret);

/** Append "FILE:LINE": of a Python frame as above, of a native one where it is known. */
void location_append_source(const struct location *location, bool with_columns, struct strbuf *ret);

#endif
