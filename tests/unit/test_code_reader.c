/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <iconv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "record/code_reader.h"
#include "record/layouts.h"
#include "tests/unit/debug_offsets.h"
#include "tests/unit/fake_python.h"

enum {
	ALL = PYREC_CODE_NAME_CUT | PYREC_CODE_QUALNAME_CUT | PYREC_CODE_FILE_CUT |
	      PYREC_CODE_LINES_CUT,
	VERSION_3_10 = 0x030a0df0,
	VERSION_3_11 = 0x030b07f0,
	VERSION_3_12 = 0x030c01f0,
	VERSION_3_14T = 0x030e0af0, /* free-threaded */
};

static const uint32_t versions[] = {VERSION_3_11, VERSION_3_12, VERSION_3_14T};

static struct pyrec_layout layout_of(uint32_t version_hex)
{
	uint8_t offsets[DEBUG_OFFSETS_3_14_BYTES];
	struct python_layout layout;

	debug_offsets_3_14t(offsets, version_hex);
	assert_int_equal(python_layout_find(version_hex, offsets, sizeof(offsets), &layout), 0);
	return layout.walk;
}

static struct fake_code code_make(const struct pyrec_layout *layout)
{
	struct fake_code code = {
	    .name = fake_ascii(layout, "run"),
	    .qualname = fake_ascii(layout, "Worker.run"),
	    .file = fake_ascii(layout, "/srv/app/worker.py"),
	    .lines = fake_bytes(layout, "\x80\x00\xd8\x00\x01", 5),
	    .first_line = 42,
	    .version = 4711,
	};

	fake_code_write(layout, &code);
	return code;
}

static int code_read_self(const struct pyrec_layout *layout, const struct fake_code *code,
			  uint32_t wanted, struct code_texts *ret)
{
	return code_read((uint32_t)getpid(), fake_code_address(code),
			 fake_code_fingerprint(layout, code), layout, wanted, ret);
}

/* ---- Text ---- */

/* Every code point, against iconv, which refuses lone surrogates. */
static void test_utf8_of_all(void **state)
{
	iconv_t converter = iconv_open("UTF-8", "UCS-4LE");
	auto_strbuf struct strbuf out = {0};

	(void)state;
	assert_true(converter != (iconv_t)-1);
	for (uint32_t c = 0; c < 0x110000; c++) {
		char wanted[8];
		char *from = (char *)&c, *to = wanted;
		size_t from_nr = sizeof(c), to_nr = sizeof(wanted);

		if (c >= 0xd800 && c < 0xe000)
			continue;
		assert_int_equal(iconv(converter, &from, &from_nr, &to, &to_nr), 0);
		strbuf_reset(&out);
		text_append_utf8(&out, (const uint8_t *)&c, sizeof(c), 4);
		assert_int_equal(out.nr, sizeof(wanted) - to_nr);
		assert_memory_equal(out.bytes, wanted, out.nr);
	}
	iconv_close(converter);
}

struct text_row {
	const char *points;
	size_t nr;
	uint32_t unit;
	const char *utf8;
	size_t utf8_nr;
};

static const struct text_row text_rows[] = {
    {"caf\xe9", 4, 1, "caf\xc3\xa9", 5}, /* Latin-1 */
    {"\xff\x00", 2, 1, "\xc3\xbf\0", 3}, /* with a NUL */
    {"\x0d\x54\x61\x00", 4, 2,
     "\xe5\x90\x8d"
     "a",
     4},								/* UCS-2 */
    {"\x00\xd8\x78\x00\xff\xdf", 6, 2, "\xed\xa0\x80x\xed\xbf\xbf", 7}, /* lone surrogates */
    {"\x80\xdc\xff\xdc\x7f\xdc", 6, 2, "\x80\xff\xed\xb1\xbf", 5}, /* of surrogateescape; not */
    {"\x40\xf6\x01\x00\x0d\x54\x00\x00", 8, 4, "\xf0\x9f\x99\x80\xe5\x90\x8d", 7}, /* UCS-4 */
    {"", 0, 1, "", 0},
};

static void test_utf8_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(text_rows); i++) {
		const struct text_row *row = &text_rows[i];
		auto_strbuf struct strbuf out = {0};

		strbuf_append_text(&out, "<");
		text_append_utf8(&out, (const uint8_t *)row->points, row->nr, row->unit);
		assert_int_equal(out.nr, 1 + row->utf8_nr);
		assert_memory_equal(out.bytes + 1, row->utf8, row->utf8_nr);
	}
}

/* 2.7: bytes of an encoding that nobody knows. */
static void test_byte_names(void **state)
{
	static const struct {
		const char *bytes;
		const char *text;
	} rows[] = {
	    {"", ""},
	    {"plain", "plain"},
	    {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
	    {"gr\xfc\xdf.py", "gr\\xfc\\xdf.py"},	      /* Latin-1 */
	    {"a\xe2\x82", "a\\xe2\\x82"},		      /* cut off */
	    {"\xed\xa0\x80\xff\n", "\\xed\\xa0\\x80\\xff\n"}, /* a surrogate */
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		auto_strbuf struct strbuf out = {0};

		text_append_utf8(&out, (const uint8_t *)rows[i].bytes, strlen(rows[i].bytes),
				 PYREC_TEXT_IS_BYTES);
		assert_string_equal(strbuf_text(&out), rows[i].text);
	}
}

static void test_utf8_damaged(void **state)
{
	static const uint32_t units[] = {0, 3, 5, 7, 9, 0x80000000, UINT32_MAX};
	static const uint8_t bytes[64] = {'a'};
	auto_strbuf struct strbuf out = {0};

	(void)state;
	for (size_t i = 0; i < array_size(units); i++)
		text_append_utf8(&out, bytes, sizeof(bytes), units[i]);
	assert_int_equal(out.nr, 0);
	text_append_utf8(&out, (const uint8_t *)"a\0b\0c", 5, 2); /* half a code point at the end */
	assert_string_equal(strbuf_text(&out), "ab");
	strbuf_reset(&out);
	text_append_utf8(&out, (const uint8_t *)"\x00\x00\x11\x00", 4, 4); /* not a code point */
	assert_int_equal(out.nr, 0);
}

/* ---- Objects ---- */

static void test_ascii(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(versions); i++) {
		const struct pyrec_layout layout = layout_of(versions[i]);
		struct fake_code code = code_make(&layout);
		struct code_texts texts = {0};

		assert_int_equal(code_read_self(&layout, &code, ALL, &texts), 0);
		assert_int_equal(texts.first_line, 42);
		assert_string_equal(strbuf_text(&texts.name), "run");
		assert_string_equal(strbuf_text(&texts.qualname), "Worker.run");
		assert_string_equal(strbuf_text(&texts.file), "/srv/app/worker.py");
		assert_int_equal(texts.lines.nr, 5);
		assert_memory_equal(texts.lines.bytes, "\x80\x00\xd8\x00\x01", 5);
		code_texts_deinit(&texts);
		fake_code_free(&code);
	}
}

static void name_is_read(const struct pyrec_layout *layout, const struct text_row *row,
			 enum fake_text_form form)
{
	struct fake_code code = code_make(layout);
	struct code_texts texts = {0};

	free(code.qualname);
	code.qualname = fake_unicode(layout, form, row->points, row->nr / row->unit, row->unit);
	fake_code_write(layout, &code);
	assert_int_equal(code_read_self(layout, &code, ALL, &texts), 0);
	assert_int_equal(texts.qualname.nr, row->utf8_nr);
	assert_memory_equal(strbuf_text(&texts.qualname), row->utf8, row->utf8_nr);
	assert_string_equal(strbuf_text(&texts.name), "run");
	code_texts_deinit(&texts);
	fake_code_free(&code);
}

static void test_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(versions); i++) {
		const struct pyrec_layout layout = layout_of(versions[i]);

		for (size_t row = 0; row < array_size(text_rows); row++) {
			name_is_read(&layout, &text_rows[row], FAKE_COMPACT);
			name_is_read(&layout, &text_rows[row], FAKE_NOT_COMPACT);
		}
	}
}

/* Longer than what BPF copies. */
static void test_long(void **state)
{
	enum { LONG_NR = 100000, LINES_NR = 200000 };
	const struct pyrec_layout layout = layout_of(VERSION_3_11);
	auto_free char *long_text = malloc(LONG_NR + 1);
	auto_free char *lines = malloc(LINES_NR);
	struct fake_code code = code_make(&layout);
	struct code_texts texts = {0};

	(void)state;
	for (size_t i = 0; i < LINES_NR; i++)
		lines[i] = (char)(i * 31 >> 3);
	for (size_t i = 0; i < LONG_NR; i++)
		long_text[i] = (char)('a' + i % 26);
	long_text[LONG_NR] = '\0';
	free(code.file);
	free(code.lines);
	code.file = fake_ascii(&layout, long_text);
	code.lines = fake_bytes(&layout, lines, LINES_NR);
	fake_code_write(&layout, &code);
	assert_int_equal(code_read_self(&layout, &code, ALL, &texts), 0);
	assert_string_equal(strbuf_text(&texts.file), long_text);
	assert_int_equal(texts.lines.nr, LINES_NR);
	assert_memory_equal(texts.lines.bytes, lines, LINES_NR);
	code_texts_deinit(&texts);
	fake_code_free(&code);
}

static void test_only_wanted(void **state)
{
	static const uint32_t parts[] = {PYREC_CODE_NAME_CUT, PYREC_CODE_QUALNAME_CUT,
					 PYREC_CODE_FILE_CUT, PYREC_CODE_LINES_CUT};
	const struct pyrec_layout layout = layout_of(VERSION_3_12);
	struct fake_code code = code_make(&layout);

	(void)state;
	for (uint32_t wanted = 0; wanted <= ALL; wanted++) {
		struct code_texts texts = {0};
		struct strbuf *bufs[] = {&texts.name, &texts.qualname, &texts.file, &texts.lines};

		/* The beginning that BPF sent is replaced, the rest kept. */
		for (size_t i = 0; i < array_size(bufs); i++)
			strbuf_append_text(bufs[i], "sent");
		assert_int_equal(code_read_self(&layout, &code, wanted, &texts), 0);
		for (size_t i = 0; i < array_size(bufs); i++)
			assert_int_equal(strcmp(strbuf_text(bufs[i]), "sent") == 0,
					 !(wanted & parts[i]));
		code_texts_deinit(&texts);
	}
	fake_code_free(&code);
}

/* ---- What must be refused ---- */

static void test_stale(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(versions); i++) {
		const struct pyrec_layout layout = layout_of(versions[i]);
		struct fake_code code = code_make(&layout);
		const uint32_t fingerprint = fake_code_fingerprint(&layout, &code);
		struct code_texts texts = {0};

		code.version++; /* 3.12: a new object at this place */
		((char *)code.qualname)[layout.unicode_ascii] = 'w'; /* 3.11: a new name there */
		fake_code_write(&layout, &code);
		assert_int_equal(code_read((uint32_t)getpid(), fake_code_address(&code),
					   fingerprint, &layout, ALL, &texts),
				 -ESTALE);
		code_texts_deinit(&texts);
		fake_code_free(&code);
	}
}

/* A long text: its ends are looked at. */
static const char long_path[] = "/srv/0123456789012345678901234567890123456789/"
				"0123456789012345678901234567890123456789.py";

static int read_with(const struct pyrec_layout *layout, const struct fake_code *code,
		     uint32_t fingerprint)
{
	struct code_texts texts = {0};
	int error = code_read((uint32_t)getpid(), fake_code_address(code), fingerprint, layout, ALL,
			      &texts);

	code_texts_deinit(&texts);
	return error;
}

/* Everything is where it was, one byte of one text is another. Texts have no hash, or have one. */
static void one_byte_is_stale(uint32_t version_hex, bool has_hash)
{
	const struct pyrec_layout layout = layout_of(version_hex);
	struct fake_code code = code_make(&layout);
	char *name = layout.code_qualname ? code.qualname : code.name;
	uint32_t fingerprint;

	free(code.file);
	code.file = fake_ascii(&layout, long_path);
	fake_code_write(&layout, &code);
	char *const places[] = {
	    has_hash ? name + layout.unicode_length + 8 : name + layout.unicode_ascii,
	    has_hash ? (char *)code.file + layout.unicode_length + 8
		     : (char *)code.file + layout.unicode_ascii + strlen(long_path) - 1,
	    has_hash ? (char *)code.lines + layout.bytes_size + 8
		     : (char *)code.lines + layout.bytes_data + 4,
	};

	for (size_t i = 0; has_hash && i < array_size(places); i++)
		memset(places[i], 0x5a, 8);
	fingerprint = fake_code_fingerprint(&layout, &code);
	assert_int_equal(read_with(&layout, &code, fingerprint), 0);
	for (size_t i = 0; i < array_size(places); i++) {
		*places[i] ^= 1;
		assert_int_equal(read_with(&layout, &code, fingerprint), -ESTALE);
		*places[i] ^= 1;
	}
	fake_code_free(&code);
}

static void test_stale_by_one_byte(void **state)
{
	(void)state;
	one_byte_is_stale(VERSION_3_10, false);
	one_byte_is_stale(VERSION_3_10, true);
	one_byte_is_stale(VERSION_3_11, false);
	one_byte_is_stale(VERSION_3_11, true);
}

/* What BPF could not read was not in memory then; now it is. Each text in turn. */
static void absent_then_present(uint32_t version_hex)
{
	const struct pyrec_layout layout = layout_of(version_hex);
	struct fake_code code = code_make(&layout);

	free(code.qualname);
	code.qualname = fake_ascii(&layout, long_path); /* so the name's hash counts too */
	fake_code_write(&layout, &code);

	const void *const texts[] = {NULL, code.name, code.qualname, code.file, code.lines};

	for (size_t i = 0; i < array_size(texts); i++) {
		uint32_t fingerprint;

		fake_absent = texts[i];
		fingerprint = fake_code_fingerprint(&layout, &code);
		assert_int_not_equal(fingerprint, 0);
		assert_int_equal(read_with(&layout, &code, fingerprint), 0);
		fake_absent = NULL;
		fake_set_half(code.object, layout.code_first_line, 77);
		assert_int_equal(read_with(&layout, &code, fingerprint), -ESTALE);
		fake_code_write(&layout, &code);
	}
	fake_code_free(&code);
}

static void test_absent_then_present(void **state)
{
	(void)state;
	absent_then_present(VERSION_3_10);
	absent_then_present(VERSION_3_11);
	absent_then_present(VERSION_3_12);
}

/* Numbers are never the same: neither are the fingerprints of two objects in one place. */
static void test_versions_are_told_apart(void **state)
{
	struct pyrec_code_facts facts = {.address = 0x7f0012345670, .first_line = 7};
	struct pyrec_code_facts other = facts;

	(void)state;
	for (uint32_t i = 1; i < 1 << 20; i++) {
		facts.version = i;
		other.version = i * 4095;
		assert_int_equal(pyrec_code_fingerprint(&facts) == pyrec_code_fingerprint(&other),
				 facts.version == other.version);
	}
}

static void damaged_length_is_refused(uint64_t length, uint32_t unit)
{
	const struct pyrec_layout layout = layout_of(VERSION_3_12);
	struct fake_code code = code_make(&layout);
	struct code_texts texts = {0};

	fake_set(code.file, layout.unicode_length, length);
	fake_set_half(code.file, layout.unicode_state, unit << 2 | 1 << 5);
	assert_int_equal(code_read_self(&layout, &code, ALL, &texts), -EFAULT);
	code_texts_deinit(&texts);
	fake_code_free(&code);
}

static void test_damaged_text(void **state)
{
	(void)state;
	damaged_length_is_refused(UINT64_MAX, 1);
	damaged_length_is_refused(UINT64_C(1) << 62, 4); /* times 4 is 0 */
	damaged_length_is_refused(UINT64_C(1) << 63, 2);
	damaged_length_is_refused(2 << 20, 1);
	for (uint32_t unit = 0; unit < 8; unit++)
		if (unit != 1 && unit != 2 && unit != 4)
			damaged_length_is_refused(3, unit);
}

static void test_damaged_lines(void **state)
{
	const struct pyrec_layout layout = layout_of(VERSION_3_12);
	static const uint64_t sizes[] = {UINT64_MAX, UINT64_C(1) << 63, 65 << 20};
	struct fake_code code = code_make(&layout);
	struct code_texts texts = {0};

	(void)state;
	for (size_t i = 0; i < array_size(sizes); i++) {
		fake_set(code.lines, layout.bytes_size, sizes[i]);
		assert_int_equal(code_read_self(&layout, &code, ALL, &texts), -EFAULT);
	}
	code_texts_deinit(&texts);
	fake_code_free(&code);
}

/* Pointers that lead nowhere: NULL, an unmapped page, the kernel's half. */
static void test_unreadable(void **state)
{
	static const uint64_t nowhere[] = {0, 8, UINT64_C(0x7fffffffe000),
					   UINT64_C(0xffffffff81000000), UINT64_MAX - 100};
	const struct pyrec_layout layout = layout_of(VERSION_3_12);
	struct fake_code code = code_make(&layout);
	struct code_texts texts = {0};

	(void)state;
	for (size_t i = 0; i < array_size(nowhere); i++) {
		struct fake_code broken = code;

		assert_int_equal(code_read((uint32_t)getpid(), nowhere[i], 1, &layout, ALL, &texts),
				 -EFAULT);
		broken.lines = (void *)(uintptr_t)nowhere[i];
		fake_code_write(&layout, &broken);
		assert_int_equal(code_read_self(&layout, &broken, ALL, &texts), -EFAULT);
		broken.lines = code.lines;
		broken.file = (void *)(uintptr_t)nowhere[i];
		fake_code_write(&layout, &broken);
		assert_int_equal(code_read_self(&layout, &broken, ALL, &texts), -EFAULT);
	}
	code_texts_deinit(&texts);
	fake_code_free(&code);
}

static void test_gone(void **state)
{
	const struct pyrec_layout layout = layout_of(VERSION_3_12);
	struct fake_code code = code_make(&layout);
	struct code_texts texts = {0};
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(code_read((uint32_t)pid, fake_code_address(&code),
				   fake_code_fingerprint(&layout, &code), &layout, ALL, &texts),
			 -ESRCH);
	code_texts_deinit(&texts);
	fake_code_free(&code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_utf8_of_all),
	    cmocka_unit_test(test_utf8_rows),
	    cmocka_unit_test(test_byte_names),
	    cmocka_unit_test(test_utf8_damaged),
	    cmocka_unit_test(test_ascii),
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_long),
	    cmocka_unit_test(test_only_wanted),
	    cmocka_unit_test(test_stale),
	    cmocka_unit_test(test_damaged_text),
	    cmocka_unit_test(test_damaged_lines),
	    cmocka_unit_test(test_unreadable),
	    cmocka_unit_test(test_gone),
	    cmocka_unit_test(test_stale_by_one_byte),
	    cmocka_unit_test(test_absent_then_present),
	    cmocka_unit_test(test_versions_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
