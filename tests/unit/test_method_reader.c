/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Classes, dictionaries and functions of 3.8 and 2.7 made by hand in this process's own memory;
 * what real interpreters have is in tests/e2e/test_methods.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "record/method_reader.h"
#include "tests/unit/fake_python.h"

enum { ENTRIES_NR = 8, OBJECT_BYTES = 1024 };

/* A class of one method; every pointer is set by world_init(), each test then changes one thing. */
struct world {
	struct code_layout layout;
	uint8_t function_type[OBJECT_BYTES];
	uint8_t meta[OBJECT_BYTES];
	uint8_t class[OBJECT_BYTES];
	uint8_t base[OBJECT_BYTES];
	uint8_t mro[OBJECT_BYTES];
	uint8_t instance[OBJECT_BYTES];
	uint8_t dict[OBJECT_BYTES];
	uint8_t keys[OBJECT_BYTES]; /* 2.7: the table */
	uint8_t empty[OBJECT_BYTES];
	uint8_t function[OBJECT_BYTES];
	uint8_t wrapper[OBJECT_BYTES];
	uint8_t code[OBJECT_BYTES];
	void *name;
	void *qualname;
	void *class_name;
};

static uint64_t at(const void *object)
{
	return (uint64_t)(uintptr_t)object;
}

static bool is_2_7(const struct world *world)
{
	return world->layout.version_hex >> 24 == 2;
}

static void *text_make(const struct world *world, const char *text)
{
	return is_2_7(world) ? fake_bytes(&world->layout.walk, text, strlen(text))
			     : fake_ascii(&world->layout.walk, text);
}

static void dict_set(struct world *world, size_t entry, const void *key, const void *value)
{
	/* 3.8: behind the head and 8 indices of a byte each. */
	uint8_t *entries = world->keys + (is_2_7(world) ? 0 : 40 + ENTRIES_NR);

	fake_set(entries, entry * 24 + 8, at(key));
	fake_set(entries, entry * 24 + 16, at(value));
}

static void function_init(const struct world *world, uint8_t *function, const void *code)
{
	fake_set(function, 8, at(world->function_type));
	fake_set(function, world->layout.methods.function_code, at(code));
	fake_set(function, world->layout.methods.function_globals, at(world->empty));
	if (world->layout.methods.function_qualname)
		fake_set(function, world->layout.methods.function_qualname, at(world->qualname));
}

static void class_init(struct world *world, uint8_t *class, const void *dict)
{
	fake_set(class, 8, at(world->meta));
	fake_set(class, 168, 1 << 9);
	fake_set(class, 264, at(dict));
	fake_set(class, 344, at(world->mro));
	if (world->layout.methods.class_name)
		fake_set(class, world->layout.methods.class_name, at(world->class_name));
}

/* The class derives from the base, which has the method. */
static struct world *world_make(uint32_t version_hex)
{
	struct world *world = calloc(1, sizeof(*world));
	struct python_layout layout;

	assert_non_null(world);
	assert_int_equal(python_layout_find(version_hex, NULL, 0, &layout), 0);
	world->layout = (struct code_layout){layout.walk, layout.methods, version_hex};
	world->name = text_make(world, "method");
	world->qualname = text_make(world, "Base.method");
	world->class_name = text_make(world, "Base");
	fake_set(world->function_type, 24, at("function\0......"));
	fake_set(world->meta, 24, at("type\0.........."));
	fake_set(world->meta, 168, UINT64_C(1) << 31);
	fake_set(world->instance, 8, at(world->class));
	fake_set(world->mro, 16, 2);
	fake_set(world->mro, 24, at(world->class));
	fake_set(world->mro, 32, at(world->base));
	fake_set(world->dict, 32, is_2_7(world) ? ENTRIES_NR - 1 : at(world->keys));
	fake_set(world->dict, 40, is_2_7(world) ? at(world->keys) : 0);
	fake_set(world->empty, 32,
		 is_2_7(world) ? 0 : at(world->empty)); /* no entry that is used */
	fake_set(world->empty, 40, is_2_7(world) ? at(world->meta + 512) : 0);
	if (!is_2_7(world)) {
		fake_set(world->keys, 8, ENTRIES_NR);
		fake_set(world->keys, 32, 5);
	}
	fake_set(world->code, world->layout.walk.code_name, at(world->name));
	function_init(world, world->function, world->code);
	function_init(world, world->wrapper, world->empty);
	class_init(world, world->class, world->empty);
	class_init(world, world->base, world->dict);
	dict_set(world, 2, world->name, world->function);
	return world;
}

static void world_free(struct world *world)
{
	free(world->name);
	free(world->qualname);
	free(world->class_name);
	free(world);
}

static int world_ask(const struct world *world, const void *owner, const void *type,
		     struct strbuf *ret)
{
	const struct method_question question = {
	    .tgid = (uint32_t)getpid(),
	    .code = at(world->code),
	    .owner = at(owner),
	    .owner_type = at(type),
	    .name = "method",
	};

	return method_read_qualname(&question, &world->layout, ret);
}

static void assert_name(struct world *world, const char *expected)
{
	auto_strbuf struct strbuf text = {0};
	int error = world_ask(world, world->instance, world->class, &text);

	if (expected)
		assert_int_equal(error, 0);
	else
		assert_true(error < 0);
	assert_string_equal(strbuf_text(&text), expected ? expected : "");
}

static const uint32_t versions[] = {0x020712f0, 0x03060ff0, 0x030812f0, 0x030a0df0};

static void test_method(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(versions); i++) {
		struct world *world = world_make(versions[i]);
		auto_strbuf struct strbuf text = {0};

		assert_name(world, "Base.method");
		/* The class itself, as a class method gets it. */
		assert_int_equal(world_ask(world, world->class, world->meta, &text), 0);
		assert_string_equal(strbuf_text(&text), "Base.method");
		/* In a classmethod or property. */
		for (size_t word = 16; word <= 32; word += 8) {
			uint8_t holder[OBJECT_BYTES] = {0};

			fake_set(holder, 8, at(world->meta));
			fake_set(holder, word, at(world->function));
			dict_set(world, 2, world->name, holder);
			assert_name(world, "Base.method");
			fake_set(holder, word, at(world->wrapper));
			assert_name(world, NULL);
		}
		world_free(world);
	}
}

/* Found, or all but, and yet not its name. */
static void test_not_sure(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(versions); i++) {
		struct world *world = world_make(versions[i]);
		const struct method_layout *methods = &world->layout.methods;

		fake_set(world->function, methods->function_code, at(world->empty));
		assert_name(world, NULL); /* another code object's */
		fake_set(world->function, methods->function_code, at(world->code));
		dict_set(world, 2, world->class_name, world->function);
		assert_name(world, NULL); /* under another name */
		dict_set(world, 2, world->name, world->function);
		fake_set_half(world->code, methods->code_flags, 0x10);
		assert_name(world, NULL); /* nested, and its name does not say so */
		fake_set_half(world->code, methods->code_flags, 0);
		fake_set(world->function_type, 24, at("builtin\0......."));
		assert_name(world, NULL); /* no function */
		fake_set(world->function_type, 24, at("function\0......"));
		fake_set(world->base, 168, 0);
		assert_name(world, NULL); /* not a class of Python */
		fake_set(world->base, 168, 1 << 9);
		fake_set(world->function, methods->function_globals, at(world->dict));
		/* In 2.7 only that tells a function of the module. */
		assert_name(world, is_2_7(world) ? NULL : "Base.method");
		world_free(world);
	}
}

static void test_other_qualname(void **state)
{
	static const char *const others[] = {"method", "Base.other", "", "Base.",
					     "f.<locals>.Base.method"};

	(void)state;
	for (size_t i = 0; i < array_size(others); i++) {
		struct world *world = world_make(0x030812f0);

		free(world->qualname);
		world->qualname = text_make(world, others[i]);
		function_init(world, world->function, world->code);
		assert_name(world, NULL);
		fake_set_half(world->code, world->layout.methods.code_flags, 0x10);
		assert_name(world, strstr(others[i], "<locals>") ? others[i] : NULL);
		world_free(world);
	}
}

/* Words that lead astray: it ends, and says that nothing was found. */
static void test_damaged(void **state)
{
	unsigned int seed = 11;

	(void)state;
	for (size_t i = 0; i < array_size(versions); i++) {
		struct world *world = world_make(versions[i]);
		uint8_t *objects = world->function_type;
		const size_t words_nr = (size_t)((uint8_t *)&world->name - objects) / 8;

		for (int n = 0; n < 4000; n++) {
			static const uint64_t values[] = {0, 1, UINT64_MAX, UINT64_C(1) << 40,
							  0x2000};
			const size_t word = (size_t)rand_r(&seed) % words_nr;
			const size_t choice = (size_t)rand_r(&seed) % (array_size(values) + 3);
			auto_strbuf struct strbuf text = {0};
			uint64_t old;

			memcpy(&old, objects + word * 8, sizeof(old));
			fake_set(objects, word * 8,
				 choice < array_size(values)
				     ? values[choice]
				     : at(objects) + (size_t)rand_r(&seed) % words_nr * 8);
			if (world_ask(world, world->instance, world->class, &text))
				assert_string_equal(strbuf_text(&text), "");
			fake_set(objects, word * 8, old);
		}
		assert_name(world, "Base.method");
		world_free(world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_method),
	    cmocka_unit_test(test_not_sure),
	    cmocka_unit_test(test_other_qualname),
	    cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
