/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <linux/types.h>
#include <cmocka.h>

#include "bpf/pyrec_bpf.h"
#include "common/cleanup.h"
#include "common/hash.h"

/* fmix64 of MurmurHash3, computed apart with Python's integers. */
static void test_mix64(void **state)
{
	static const uint64_t rows[][2] = {
	    {0, 0},
	    {1, UINT64_C(0xb456bcfc34c2cb2c)},
	    {UINT64_C(0x123456789abcdef0), UINT64_C(0x18b8c062f6f42398)},
	    {UINT64_MAX, UINT64_C(0x64b5720b4b825f21)},
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		assert_true(hash_mix64(rows[i][0]) == rows[i][1]);
		assert_true(pyrec_mix64(rows[i][0]) == rows[i][1]);
	}
}

static void test_mix64_avalanche(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < 64; bit++) {
		unsigned int changed_nr = 0;

		for (uint64_t value = 1; value <= 64; value++)
			changed_nr += (unsigned int)__builtin_popcountll(
			    hash_mix64(value) ^ hash_mix64(value ^ UINT64_C(1) << bit));
		assert_in_range(changed_nr / 64, 24, 40);
	}
}

/* Each byte, the length and the seed count; bytes behind the end do not. */
static void test_bytes(void **state)
{
	uint8_t bytes[24] = {0};

	(void)state;
	for (size_t nr = 0; nr < sizeof(bytes); nr++) {
		const uint64_t hash = hash_bytes(bytes, nr, 0);

		assert_true(hash != hash_bytes(bytes, nr + 1, 0)); /* zeros are bytes too */
		assert_true(hash != hash_bytes(bytes, nr, 1));
		for (size_t i = 0; i < sizeof(bytes); i++) {
			bytes[i] ^= 0x40;
			assert_int_equal(hash != hash_bytes(bytes, nr, 0), i < nr);
			bytes[i] ^= 0x40;
		}
	}
}

static void test_bytes_unaligned(void **state)
{
	auto_free uint8_t *bytes = malloc(17);

	(void)state;
	memcpy(bytes, "xabcdefghijklmnop", 17);
	assert_true(hash_bytes(bytes + 1, 16, 5) == hash_bytes("abcdefghijklmnop", 16, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_mix64),
	    cmocka_unit_test(test_mix64_avalanche),
	    cmocka_unit_test(test_bytes),
	    cmocka_unit_test(test_bytes_unaligned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
