/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/method_reader.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "record/code_reader.h"
#include "record/remote_memory.h"

/* Offsets that are the same in 2.7 and 3.6 to 3.10; each is compared with DWARF in
 * tests/e2e/test_layout_oracle.py. */
enum {
	OBJECT_TYPE = 8,
	TYPE_NAME = 24, /* tp_name */
	TYPE_FLAGS = 168,
	TYPE_DICT = 264,
	TYPE_MRO = 344,
	TUPLE_SIZE = 16,
	TUPLE_ITEMS = 24,
	WRAPPER_WORDS = 16,  /* cm_callable, sm_callable; prop_get, prop_set, prop_del */
	INSTANCE_CLASS = 16, /* 2.7: PyInstanceObject.in_class */
	CLASS_BASES = 16,    /* 2.7: PyClassObject, of old-style classes */
	CLASS_DICT = 24,
	CLASS_NAME = 32,
	DICT_TABLE_2 = 40, /* 2.7: ma_mask and ma_table */
	DICT_MASK_2 = 32,
	DICT_KEYS = 32, /* ma_keys, ma_values */
	DICT_VALUES = 40,
	KEYS_SIZE = 8, /* PyDictKeysObject.dk_size, dk_nentries, dk_indices */
	KEYS_USED = 32,
	KEYS_INDICES = 40,
};

/* Include/object.h, Include/code.h */
enum { FLAG_HEAP_TYPE = 1 << 9, CODE_NESTED = 0x10 };
#define FLAG_TYPE_SUBCLASS (UINT64_C(1) << 31)

enum {
	READS_MAX = 2000,
	CLASSES_MAX = 64,
	ENTRIES_MAX = 8192,
	WRAPPED_MAX = 8,
};

struct dict_entry { /* PyDictKeyEntry, PyDictEntry */
	uint64_t hash;
	uint64_t key;
	uint64_t value;
};

struct method_search {
	const struct method_question *question;
	const struct code_layout *layout;
	uint32_t reads_nr;
	uint64_t name;	/* the co_name object: interned, so the key of the class's dictionary too */
	uint32_t flags; /* co_flags */
	uint64_t function_type; /* once one was seen */
	uint64_t function;	/* found */
	uint64_t class_name;	/* 2.7: its class's name object */
};

static int search_read(struct method_search *search, uint64_t address, void *to, size_t nr)
{
	if (search->reads_nr++ >= READS_MAX)
		return -E2BIG;
	return remote_read(search->question->tgid, address, to, nr);
}

static int search_word(struct method_search *search, uint64_t address, uint64_t *ret)
{
	return search_read(search, address, ret, sizeof(*ret));
}

static bool is_2_7(const struct method_search *search)
{
	return search->layout->methods.function_qualname == 0;
}

/* Does @type call itself @name? */
static bool type_is(struct method_search *search, uint64_t type, const char *name)
{
	const size_t nr = strlen(name) + 1;
	uint64_t address;
	char text[16];

	return nr <= sizeof(text) && !search_word(search, type + TYPE_NAME, &address) &&
	       !search_read(search, address, text, nr) && memcmp(text, name, nr) == 0;
}

static bool is_function(struct method_search *search, uint64_t object)
{
	uint64_t type;

	if (search_word(search, object + OBJECT_TYPE, &type))
		return false;
	if (!search->function_type && type_is(search, type, "function"))
		search->function_type = type;
	return search->function_type && type == search->function_type;
}

/* ---- Dictionaries ---- */

/* Where the entries of a dictionary of 3.6 to 3.10 are; a split table, as of instances, is none. */
static int dict_find_entries(struct method_search *search, uint64_t dict, uint64_t *entries,
			     uint64_t *nr)
{
	uint64_t keys[2]; /* ma_keys, ma_values */
	uint64_t size;
	int error = search_read(search, dict + DICT_KEYS, keys, sizeof(keys));

	if (!error && keys[1])
		return -ENOENT;
	if (!error)
		error = search_word(search, keys[0] + KEYS_SIZE, &size);
	if (!error)
		error = search_word(search, keys[0] + KEYS_USED, nr);
	if (error)
		return error;
	if (size > 2 * ENTRIES_MAX || *nr > size)
		return -E2BIG;
	*entries = keys[0] + KEYS_INDICES + size * (size <= 0xff ? 1 : 2);
	return 0;
}

static int dict_find_table(struct method_search *search, uint64_t dict, uint64_t *entries,
			   uint64_t *nr)
{
	uint64_t words[2]; /* ma_mask, ma_table */
	int error = search_read(search, dict + DICT_MASK_2, words, sizeof(words));

	if (error)
		return error;
	*nr = words[0] + 1;
	*entries = words[1];
	return 0;
}

/* All entries of @dict, for the caller to free; some are empty. */
static int dict_read(struct method_search *search, uint64_t dict, struct dict_entry **ret,
		     size_t *ret_nr)
{
	struct dict_entry *entries;
	uint64_t address = 0;
	uint64_t nr = 0;
	int error = is_2_7(search) ? dict_find_table(search, dict, &address, &nr)
				   : dict_find_entries(search, dict, &address, &nr);

	if (error)
		return error;
	if (nr == 0 || nr > ENTRIES_MAX)
		return nr ? -E2BIG : -ENOENT;
	entries = malloc(nr * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	error = search_read(search, address, entries, nr * sizeof(*entries));
	if (error) {
		free(entries);
		return error;
	}
	*ret = entries;
	*ret_nr = nr;
	return 0;
}

/* What __wrapped__ of a function is (functools.wraps, from 3.2 on); 0: it has none. */
static uint64_t function_wrapped(struct method_search *search, uint64_t function)
{
	auto_free struct dict_entry *entries = NULL;
	uint64_t dict = 0;
	size_t nr = 0;

	if (search_word(search, function + search->layout->methods.function_dict, &dict) || !dict ||
	    dict_read(search, dict, &entries, &nr))
		return 0;
	for (size_t i = 0; i < nr; i++) {
		auto_strbuf struct strbuf key = {0};

		if (!entries[i].value || search->reads_nr++ >= READS_MAX ||
		    text_read(search->question->tgid, entries[i].key, &search->layout->walk, &key))
			continue;
		if (strcmp(strbuf_text(&key), "__wrapped__") == 0)
			return entries[i].value;
	}
	return 0;
}

/* ---- Functions ---- */

/* Is @object a function of the code, or one around it? Then it is the one searched for. */
static bool match_function(struct method_search *search, uint64_t object)
{
	for (int i = 0; object && i < WRAPPED_MAX && is_function(search, object); i++) {
		uint64_t code;

		if (search_word(search, object + search->layout->methods.function_code, &code))
			return false;
		if (code == search->question->code) {
			search->function = object;
			return true;
		}
		object = function_wrapped(search, object);
	}
	return false;
}

/* A class's attribute: a function, or what holds functions (classmethod, staticmethod, property).
 */
static bool match_value(struct method_search *search, uint64_t value)
{
	uint64_t words[3];

	if (is_function(search, value))
		return match_function(search, value);
	for (size_t i = 0; i < array_size(words); i++)
		if (search_word(search, value + WRAPPER_WORDS + i * 8, &words[i]) == 0 &&
		    match_function(search, words[i]))
			return true;
	return false;
}

/* __name is kept as _Class__name: not the same object as co_name. */
static bool is_mangled(const char *name)
{
	const size_t nr = strlen(name);

	return strncmp(name, "__", 2) == 0 && (nr < 4 || strcmp(name + nr - 2, "__") != 0);
}

static bool match_dict(struct method_search *search, uint64_t dict)
{
	const bool is_any = is_mangled(search->question->name);
	auto_free struct dict_entry *entries = NULL;
	size_t nr = 0;

	if (!dict || dict_read(search, dict, &entries, &nr))
		return false;
	for (size_t i = 0; i < nr; i++)
		if (entries[i].value && (is_any || entries[i].key == search->name) &&
		    match_value(search, entries[i].value))
			return true;
	return false;
}

/* ---- Classes ---- */

static int tuple_read(struct method_search *search, uint64_t tuple, uint64_t *items, uint64_t *nr)
{
	int error = search_word(search, tuple + TUPLE_SIZE, nr);

	if (error)
		return error;
	if (*nr == 0 || *nr > CLASSES_MAX)
		return -E2BIG;
	return search_read(search, tuple + TUPLE_ITEMS, items, *nr * sizeof(*items));
}

/* Only types that a class statement made hold functions of Python. */
static bool match_type(struct method_search *search, uint64_t type)
{
	uint64_t classes[CLASSES_MAX];
	uint64_t nr;
	uint64_t mro;

	if (search_word(search, type + TYPE_MRO, &mro) || !mro ||
	    tuple_read(search, mro, classes, &nr))
		return false;
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t flags;
		uint64_t dict;

		if (search_word(search, classes[i] + TYPE_FLAGS, &flags) ||
		    !(flags & FLAG_HEAP_TYPE) ||
		    search_word(search, classes[i] + TYPE_DICT, &dict) || !match_dict(search, dict))
			continue;
		return !is_2_7(search) ||
		       !search_word(search, classes[i] + search->layout->methods.class_name,
				    &search->class_name);
	}
	return false;
}

/* 2.7: a class that does not derive from object, and its bases, nearest first. */
static bool match_old_class(struct method_search *search, uint64_t class)
{
	uint64_t classes[CLASSES_MAX] = {class};
	uint64_t nr = 1;

	for (uint64_t i = 0; i < nr; i++) {
		uint64_t bases[CLASSES_MAX];
		uint64_t bases_nr = 0;
		uint64_t words[3]; /* cl_bases, cl_dict, cl_name */

		if (search_read(search, classes[i] + CLASS_BASES, words, sizeof(words)))
			return false;
		if (match_dict(search, words[1])) {
			search->class_name = words[2];
			return true;
		}
		if (words[0] && tuple_read(search, words[0], bases, &bases_nr))
			bases_nr = 0;
		for (uint64_t b = 0; b < bases_nr && nr < CLASSES_MAX; b++)
			classes[nr++] = bases[b];
	}
	return false;
}

static bool match_owner(struct method_search *search)
{
	const uint64_t owner = search->question->owner;
	const uint64_t type = search->question->owner_type;
	uint64_t flags;
	uint64_t class;

	if (search_word(search, type + TYPE_FLAGS, &flags))
		return false;
	if (flags & FLAG_TYPE_SUBCLASS && match_type(search, owner))
		return true;
	if (flags & FLAG_HEAP_TYPE)
		return match_type(search, type);
	if (!is_2_7(search))
		return false;
	if (type_is(search, type, "classobj"))
		return match_old_class(search, owner);
	return type_is(search, type, "instance") &&
	       !search_word(search, owner + INSTANCE_CLASS, &class) &&
	       match_old_class(search, class);
}

/* ---- Is the name its own? ---- */

/*
 * The function's __qualname__ is what the compiler made of it unless somebody set it: then it is
 * not of this code's name, or does not say that the code is inside of a function. One with
 * __wrapped__ bears the name of another.
 */
static int take_qualname(struct method_search *search, struct strbuf *ret)
{
	const char *name = search->question->name;
	auto_strbuf struct strbuf text = {0};
	const char *dot;
	uint64_t object;
	int error = search_word(
	    search, search->function + search->layout->methods.function_qualname, &object);

	if (!error)
		error = text_read(search->question->tgid, object, &search->layout->walk, &text);
	if (error)
		return error;
	dot = strrchr(strbuf_text(&text), '.');
	if (!dot || strcmp(dot + 1, name) != 0 || function_wrapped(search, search->function) ||
	    !(search->flags & CODE_NESTED) != !strstr(strbuf_text(&text), "<locals>."))
		return -ENOENT;
	strbuf_append(ret, text.bytes, text.nr);
	return ret->error;
}

/* Is the function found a global of its module too? Then that is where it was defined. */
static bool is_global(struct method_search *search)
{
	auto_free struct dict_entry *entries = NULL;
	uint64_t globals;
	size_t nr = 0;

	if (search_word(search, search->function + search->layout->methods.function_globals,
			&globals) ||
	    dict_read(search, globals, &entries, &nr))
		return true; /* not known */
	for (size_t i = 0; i < nr; i++)
		if (entries[i].value == search->function)
			return true;
	return false;
}

/* 2.7 keeps no such name: the class's own, and the function's. A function that was made by another
 * one may be in any class. */
static int take_class_name(struct method_search *search, struct strbuf *ret)
{
	auto_strbuf struct strbuf text = {0};
	int error;

	if (search->flags & CODE_NESTED || is_global(search))
		return -ENOENT;
	error = text_read(search->question->tgid, search->class_name, &search->layout->walk, &text);
	if (error)
		return error;
	strbuf_append(ret, text.bytes, text.nr);
	strbuf_append_char(ret, '.');
	strbuf_append_text(ret, search->question->name);
	return ret->error;
}

int method_read_qualname(const struct method_question *question, const struct code_layout *layout,
			 struct strbuf *ret)
{
	struct method_search search = {.question = question, .layout = layout};
	int error = search_word(&search, question->code + layout->walk.code_name, &search.name);

	if (!error)
		error = search_read(&search, question->code + layout->methods.code_flags,
				    &search.flags, sizeof(search.flags));
	if (error)
		return error;
	if (!match_owner(&search))
		return -ENOENT;
	return is_2_7(&search) ? take_class_name(&search, ret) : take_qualname(&search, ret);
}
