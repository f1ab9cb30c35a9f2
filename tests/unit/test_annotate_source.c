/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Source files: taken apart into lines, made printable, found, and told from others. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "report/annotate_python.h"
#include "report/annotate_source.h"

static struct source_text *text_create(const char *bytes, size_t nr)
{
	struct source_text *text = calloc(1, sizeof(*text));

	assert_non_null(text);
	strbuf_append(&text->bytes, bytes, nr);
	assert_int_equal(source_text_split(text), 0);
	return text;
}

static void check_line(const struct source_text *text, int64_t line, const char *expected)
{
	auto_strbuf struct strbuf printable = {0};

	source_text_append(text, line, &printable);
	assert_int_equal(printable.error, 0);
	assert_string_equal(strbuf_text(&printable), expected);
}

#define CHECK_LINES_NR(bytes, expected)                                        \
	do {                                                                   \
		struct source_text *text_ = text_create(bytes, strlen(bytes)); \
		assert_int_equal(source_text_lines_nr(text_), expected);       \
		source_text_destroy(text_);                                    \
	} while (0)

/* As many as str.splitlines() counts, but for the ends that Python's tokenizer does not know. */
static void test_line_ends(void **state)
{
	struct source_text *text = text_create("\xef\xbb\xbfone\r\ntwo\rthree\n\n\ffive", 24);
	size_t nr;

	(void)state;
	assert_int_equal(source_text_lines_nr(text), 5);
	check_line(text, 1, "one");
	check_line(text, 2, "two");
	check_line(text, 3, "three");
	check_line(text, 4, "");
	check_line(text, 5, "\\x0cfive");
	assert_null(source_text_line(text, 0, &nr));
	assert_null(source_text_line(text, 6, &nr));
	assert_null(source_text_line(text, INT64_MIN, &nr));
	source_text_destroy(text);
	CHECK_LINES_NR("", 0);
	CHECK_LINES_NR("\n", 1);
	CHECK_LINES_NR("\r", 1);
	CHECK_LINES_NR("a", 1);
	CHECK_LINES_NR("a\n", 1);
	CHECK_LINES_NR("a\n\n", 2);
}

static void test_printable(void **state)
{
	static const char bytes[] = "a\tb\t\tc\n\té\t|\n\x1b[31mred\xff\0end\n12345678\t9";
	struct source_text *text = text_create(bytes, sizeof(bytes) - 1);

	(void)state;
	check_line(text, 1, "a       b               c");
	check_line(text, 2, "        é       |");
	check_line(text, 3, "\\x1b[31mred\\xff\\x00end");
	check_line(text, 4, "12345678        9");
	source_text_destroy(text);
}

static void check_function(const char *bytes, const char *symbol, int32_t line, bool expected)
{
	struct source_text *text = text_create(bytes, strlen(bytes));

	assert_int_equal(source_has_function(text, symbol, line), expected);
	source_text_destroy(text);
}

static void test_functions(void **state)
{
	static const char source[] = "import os\n"
				     "@wraps(\n"
				     "    run)\n"
				     "async  def\tget(self):\n"
				     "    return [x for x in (lambda: 1)()]\n"
				     "class get_all: pass\n"
				     "\n"
				     "def größe(): pass\n";

	(void)state;
	check_function(source, "Handler.get", 2, true);
	check_function(source, "get", 4, true);
	check_function(source, "get", 3, false);
	check_function(source, "get", 6, false);
	check_function(source, "get_al", 6, false);
	check_function(source, "f.<locals>.get_all", 6, true);
	check_function(source, "other", 2, false);
	check_function(source, "get.<locals>.<lambda>", 5, true);
	check_function(source, "<lambda>", 4, false);
	check_function(source, "get.<locals>.<listcomp>", 5, true);
	check_function(source, "<listcomp>", 7, false);
	check_function(source, "<listcomp>", 9, false);
	check_function(source, "größe", 8, true);
	check_function(source, "größe", 7, false);
	check_function(source, "<module>", 1, true);
	check_function(source, "get", INT32_MIN, false);
	check_function(source, "", 4, false);
}

/* ---- Files ---- */

struct folder {
	char path[64];
	char command[256];
};

static void folder_make(struct folder *folder)
{
	strcpy(folder->path, "/tmp/pyrec-source-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	snprintf(folder->command, sizeof(folder->command), "rm -rf %s", folder->path);
}

static void folder_remove(const struct folder *folder)
{
	assert_int_equal(system(folder->command), 0);
}

static void file_write(const struct folder *folder, const char *name, const char *bytes)
{
	char command[256];
	FILE *file;

	snprintf(command, sizeof(command), "mkdir -p $(dirname %s/%s)", folder->path, name);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof(command), "%s/%s", folder->path, name);
	file = fopen(command, "w");
	assert_non_null(file);
	assert_int_equal(fputs(bytes, file) >= 0, 1);
	assert_int_equal(fclose(file), 0);
}

static bool begins_as(const void *context, const struct source_text *text)
{
	const char *begin = context;

	return strncmp(strbuf_text(&text->bytes), begin, strlen(begin)) == 0;
}

static void check_find(const struct source_places *places, const char *name, const char *begin,
		       int expected, const char *path)
{
	struct source_text *text = NULL;

	assert_int_equal(source_find(places, name, begins_as, begin, &text), expected);
	if (expected == -ENOENT) {
		assert_null(text);
	} else {
		assert_non_null(text);
		assert_string_equal(
		    text->path + strlen(places->folder ? places->folder : places->symfs), path);
	}
	source_text_destroy(text);
}

static void test_folder(void **state)
{
	struct folder folder;
	struct source_places places = {.folder = folder.path};

	(void)state;
	folder_make(&folder);
	file_write(&folder, "pkg/app.py", "inner");
	file_write(&folder, "app.py", "outer");
	file_write(&folder, "big.py", "");
	check_find(&places, "/srv/site/pkg/app.py", "inner", 0, "/pkg/app.py");
	check_find(&places, "pkg//app.py", "inner", 0, "/pkg//app.py");
	check_find(&places, "/srv/site/pkg/app.py", "outer", 0, "/app.py");
	check_find(&places, "/srv/site/pkg/app.py", "neither", -ESTALE, "/pkg/app.py");
	check_find(&places, "/srv/other.py", "", -ENOENT, "");
	check_find(&places, "/srv/pkg/../app.py", "", -ENOENT, "");
	check_find(&places, "", "", -ENOENT, "");
	check_find(&places, "pkg", "", -ENOENT, "");
	check_find(&places, "big.py", "", 0, "/big.py");
	folder_remove(&folder);
}

/* What is no regular file is not even opened for long; what is too large is not read. */
static void test_other_files(void **state)
{
	struct folder folder;
	struct source_places places = {.folder = folder.path};
	char path[128];

	(void)state;
	folder_make(&folder);
	snprintf(path, sizeof(path), "%s/fifo.py", folder.path);
	assert_int_equal(mkfifo(path, 0600), 0);
	file_write(&folder, "large.py", "");
	snprintf(path, sizeof(path), "%s/large.py", folder.path);
	assert_int_equal(truncate(path, SOURCE_BYTES_MAX), 0);
	check_find(&places, "fifo.py", "", -ENOENT, "");
	check_find(&places, "large.py", "", 0, "/large.py");
	assert_int_equal(truncate(path, SOURCE_BYTES_MAX + 1), 0);
	check_find(&places, "large.py", "", -ENOENT, "");
	folder_remove(&folder);
}

static void test_own_path(void **state)
{
	struct folder folder;
	struct source_places places = {.symfs = folder.path, .use_local_files = true};

	(void)state;
	folder_make(&folder);
	file_write(&folder, "srv/app.py", "own");
	check_find(&places, "/srv/app.py", "own", 0, "/srv/app.py");
	check_find(&places, "/srv/app.py", "other", -ESTALE, "/srv/app.py");
	check_find(&places, "/srv/../srv/app.py", "own", -ENOENT, "");
	check_find(&places, "srv/app.py", "own", -ENOENT, "");
	places.use_local_files = false;
	check_find(&places, "/srv/app.py", "own", -ENOENT, "");
	folder_remove(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_line_ends),	cmocka_unit_test(test_printable),
	    cmocka_unit_test(test_functions),	cmocka_unit_test(test_folder),
	    cmocka_unit_test(test_other_files), cmocka_unit_test(test_own_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
