/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Held against c++filt, over all names of a C++ library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "report/demangle.h"

static void check(const char *name, const char *wanted)
{
	struct strbuf out = {0};

	strbuf_append_text(&out, "before ");
	demangle_append(name, &out);
	assert_int_equal(out.error, 0);
	assert_memory_equal(strbuf_text(&out), "before ", 7);
	assert_string_equal(strbuf_text(&out) + 7, wanted);
	strbuf_deinit(&out);
}

static void test_names(void **state)
{
	(void)state;
	check("_ZN3foo3barEiPKc", "foo::bar");
	check("_ZN12_GLOBAL__N_11fEv", "(anonymous namespace)::f");
	check("_ZN3fooclEv", "foo::operator()");
	check("_ZNSt6vectorIiSaIiEE9push_backERKi",
	      "std::vector<int, std::allocator<int> >::push_back");
	check("_ZN3foo3barEv.cold", "foo::bar");
	check("_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write");
	check("_RNvCs1234_7mycrate3foo", "mycrate::foo");
	check("_ZN3foo3barEv@plt", "foo::bar@plt");
	check("main", "main");
	check("free@plt", "free@plt");
	check("", "");
	check("_Z", "_Z");
	check("_ZN3fo", "_ZN3fo");
	check("_Rubbish", "_Rubbish");
}

#define LIBRARY_NAMES                                                     \
	"nm -D --defined-only /usr/lib/x86_64-linux-gnu/libstdc++.so.6 |" \
	" sed -n 's/.* \\(_Z[^@]*\\).*/\\1/p'"

/* c++filt, asked for names without parameters, of all that a C++ library exports. */
static void test_library(void **state)
{
	char name[4096];
	char wanted[8192];
	FILE *names = popen(LIBRARY_NAMES, "r");
	FILE *theirs = popen(LIBRARY_NAMES " | c++filt -p -i", "r");
	unsigned int nr = 0;

	(void)state;
	assert_non_null(names);
	assert_non_null(theirs);
	while (fgets(name, sizeof(name), names)) {
		assert_non_null(fgets(wanted, sizeof(wanted), theirs));
		name[strcspn(name, "\n")] = '\0';
		wanted[strcspn(wanted, "\n")] = '\0';
		check(name, wanted);
		nr++;
	}
	assert_int_equal(pclose(names), 0);
	assert_int_equal(pclose(theirs), 0);
	assert_true(nr > 1000);
}

/* Each type is a pair of the one before: the name doubles with every few letters. */
static void test_growing_without_end(void **state)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char name[4096] = "_Z1fI1pIiiE";
	struct strbuf out = {0};
	clock_t begin = clock();

	(void)state;
	for (int i = 0; i < 34; i++) {
		char part[32];

		snprintf(part, sizeof(part), "S0_IS%c_S%c_E", digits[i + 1], digits[i + 1]);
		strcat(name, part);
	}
	strcat(name, "Ev");
	demangle_append(name, &out);
	assert_string_equal(strbuf_text(&out), name);
	assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 1);
	strbuf_deinit(&out);
}

static void test_deep_and_long(void **state)
{
	static char name[1 << 20];
	struct strbuf out = {0};

	(void)state;
	memset(name, 'P', sizeof(name) - 1);
	memcpy(name, "_Z1f", 4);
	demangle_append(name, &out);
	assert_string_equal(strbuf_text(&out), name);
	strbuf_reset(&out);
	name[8000] = '\0';
	demangle_append(name, &out);
	strbuf_reset(&out);
	memcpy(name, "_RNv", 4);
	memset(name + 4, 'B', 4000);
	name[4004] = '\0';
	demangle_append(name, &out);
	strbuf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_library),
	    cmocka_unit_test(test_growing_without_end),
	    cmocka_unit_test(test_deep_and_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
