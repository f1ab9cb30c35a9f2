/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "format/bundle.h"
#include "format/bundle_layout.h"
#include "format/compressor.h"

static const uint8_t eh_frame[] = {0x14, 0, 0, 0, 1, 2, 3};
static const char names[] = "zebra\0main\0_start";
static const struct bundle_segment segments[] = {{0, 0x1000, 0x400000, 0x1000, 4},
						 {0x21000, 0x2a0000, 0x421000, 0x2b0000, 5}};
/* Out of the order of their names, overlapping, of the same address, without a size. */
static const struct bundle_symbol symbols[] = {{0x421000, 0x100, 6, BUNDLE_SYMBOL_GLOBAL},
					       {0x421080, 0x10, 0, BUNDLE_SYMBOL_LOCAL},
					       {0x421080, 0, 11, BUNDLE_SYMBOL_WEAK},
					       {UINT64_MAX - 15, 16, 0, BUNDLE_SYMBOL_LOCAL}};

static struct bundle_module module_make(void)
{
	return (struct bundle_module){
	    .build_id = {1, 2, 3},
	    .build_id_nr = 3,
	    .path = "/usr/bin/python3",
	    .is_executable_type = true,
	    .segments = segments,
	    .segments_nr = array_size(segments),
	    .eh_frame = {0x8e0518, 0x4e0518, eh_frame, sizeof(eh_frame)},
	    .symbols = symbols,
	    .symbols_nr = array_size(symbols),
	    .names = names,
	    .names_nr = sizeof(names),
	};
}

static void bundle_make(struct strbuf *out)
{
	static const struct bundle_kernel_symbol kernel[] = {
	    {0xffffffff81000000, "startup_64", ""},
	    {0xffffffffc0000010, "nf_hook", "nf_tables"},
	};
	static const uint64_t ends[] = {0xffffffff81000100, 0xffffffffc0000020};
	const struct bundle_module module = module_make();
	const struct bundle_module bare = {.path = "[vdso]"};

	assert_int_equal(bundle_begin(out), 0);
	assert_int_equal(bundle_add_module(out, &module), 0);
	assert_int_equal(bundle_add_module(out, &bare), 0);
	assert_int_equal(bundle_add_kernel_symbols(out, kernel, ends, array_size(kernel)), 0);
	assert_int_equal(bundle_end(out), 0);
}

static struct bundle *bundle_open_sound(const struct strbuf *bytes)
{
	struct bundle *bundle = NULL;

	assert_int_equal(bundle_open((const uint8_t *)bytes->bytes, bytes->nr, &bundle), 0);
	return bundle;
}

static void test_module(void **state)
{
	auto_strbuf struct strbuf bytes = {0};
	const struct bundle_module *module;
	const struct bundle_module *again;
	struct bundle *bundle;

	(void)state;
	bundle_make(&bytes);
	bundle = bundle_open_sound(&bytes);
	assert_int_equal(bundle_load(bundle, 0, &module), 0);
	assert_int_equal(bundle_load(bundle, 0, &again), 0);
	assert_ptr_equal(module, again);
	assert_string_equal(module->path, "/usr/bin/python3");
	assert_int_equal(module->build_id_nr, 3);
	assert_memory_equal(module->build_id, "\1\2\3", 3);
	assert_true(module->is_executable_type);
	assert_int_equal(module->segments_nr, 2);
	for (size_t i = 0; i < array_size(segments); i++) {
		assert_true(module->segments[i].vaddr == segments[i].vaddr);
		assert_true(module->segments[i].memory_bytes == segments[i].memory_bytes);
		assert_true(module->segments[i].file_offset == segments[i].file_offset);
		assert_int_equal(module->segments[i].flags, segments[i].flags);
	}
	assert_true(module->eh_frame.vaddr == 0x8e0518 && module->eh_frame.file_offset == 0x4e0518);
	assert_int_equal(module->eh_frame.nr, sizeof(eh_frame));
	assert_memory_equal(module->eh_frame.bytes, eh_frame, sizeof(eh_frame));
	assert_null(module->eh_frame_hdr.bytes);
	bundle_close(bundle);
}

static void test_symbols(void **state)
{
	auto_strbuf struct strbuf bytes = {0};
	const struct bundle_module *module;
	struct bundle *bundle;

	(void)state;
	bundle_make(&bytes);
	bundle = bundle_open_sound(&bytes);
	assert_int_equal(bundle_load(bundle, 0, &module), 0);
	assert_int_equal(module->symbols_nr, array_size(symbols));
	for (size_t i = 0; i < array_size(symbols); i++) {
		assert_true(module->symbols[i].vaddr == symbols[i].vaddr);
		assert_true(module->symbols[i].bytes == symbols[i].bytes);
		assert_int_equal(module->symbols[i].bind, symbols[i].bind);
		assert_string_equal(module->names + module->symbols[i].name,
				    names + symbols[i].name);
	}
	assert_int_equal(module->names[module->names_nr - 1], 0);
	assert_int_equal(bundle_load(bundle, 1, &module), 0);
	assert_int_equal(module->symbols_nr + module->segments_nr, 0);
	bundle_close(bundle);
}

static void test_find(void **state)
{
	auto_strbuf struct strbuf bytes = {0};
	struct bundle *bundle;

	(void)state;
	bundle_make(&bytes);
	bundle = bundle_open_sound(&bytes);
	assert_int_equal(bundle_modules_nr(bundle), 2);
	assert_string_equal(bundle_module_entry(bundle, 1).path, "[vdso]");
	assert_int_equal(bundle_find(bundle, (const uint8_t *)"\1\2\3", 3, "other"), 0);
	assert_int_equal(bundle_find(bundle, (const uint8_t *)"\1\2\4", 3, "other"), -ENOENT);
	assert_int_equal(bundle_find(bundle, NULL, 0, "[vdso]"), 1);
	assert_int_equal(bundle_find(bundle, NULL, 0, "/usr/bin/python3"), -ENOENT);
	bundle_close(bundle);
}

/* Files of two containers have the same path; one of an older writer tells no identity. */
static void test_find_file(void **state)
{
	static const struct bundle_module modules[] = {
	    {.path = "/usr/bin/x", .identity = {8, 1, 77}},
	    {.path = "/usr/bin/x", .identity = {8, 2, 77}},
	    {.path = "/usr/bin/x", .identity = {8, 2, 77}, .build_id = {1}, .build_id_nr = 20},
	    {.path = "/old"},
	};
	auto_strbuf struct strbuf bytes = {0};
	struct bundle *bundle;

	(void)state;
	assert_int_equal(bundle_begin(&bytes), 0);
	for (size_t i = 0; i < array_size(modules); i++)
		assert_int_equal(bundle_add_module(&bytes, &modules[i]), 0);
	assert_int_equal(bundle_end(&bytes), 0);
	bundle = bundle_open_sound(&bytes);
	for (uint32_t i = 0; i < 2; i++) {
		const struct bundle_entry entry = bundle_module_entry(bundle, i);

		assert_true(file_identity_is_same(&entry.identity, &modules[i].identity));
		assert_int_equal(bundle_find_file(bundle, "/usr/bin/x", &modules[i].identity), i);
	}
	assert_int_equal(bundle_find_file(bundle, "/usr/bin/x", &(struct file_identity){8, 3, 77}),
			 -ENOENT);
	assert_int_equal(bundle_find_file(bundle, "/usr/bin/x", &(struct file_identity){8, 1, 78}),
			 -ENOENT);
	assert_int_equal(bundle_find_file(bundle, "/usr/bin/y", &modules[0].identity), -ENOENT);
	assert_int_equal(bundle_find_file(bundle, "/old", &modules[0].identity), 3);
	bundle_close(bundle);
}

static void test_kernel_symbols(void **state)
{
	auto_strbuf struct strbuf bytes = {0};
	struct bundle_kernel_symbol symbol;
	struct bundle *bundle;

	(void)state;
	bundle_make(&bytes);
	bundle = bundle_open_sound(&bytes);
	assert_int_equal(bundle_kernel_symbols_nr(bundle), 2);
	assert_int_equal(bundle_kernel_symbol(bundle, 0xffffffff81000000, &symbol), 0);
	assert_string_equal(symbol.name, "startup_64");
	assert_string_equal(symbol.module, "");
	assert_int_equal(bundle_kernel_symbol(bundle, 0xffffffff810000ff, &symbol), 0);
	assert_int_equal(bundle_kernel_symbol(bundle, 0xffffffff81000100, &symbol), -ENOENT);
	assert_int_equal(bundle_kernel_symbol(bundle, 0xffffffff80ffffff, &symbol), -ENOENT);
	assert_int_equal(bundle_kernel_symbol(bundle, 0xffffffffc000001f, &symbol), 0);
	assert_string_equal(symbol.module, "nf_tables");
	assert_int_equal(bundle_kernel_symbol(bundle, UINT64_MAX, &symbol), -ENOENT);
	bundle_close(bundle);
}

static void test_unsound_input_to_the_writer(void **state)
{
	struct bundle_symbol swapped[] = {symbols[1], symbols[0]};
	struct bundle_module module = module_make();
	auto_strbuf struct strbuf out = {0};
	size_t nr;

	(void)state;
	assert_int_equal(bundle_begin(&out), 0);
	assert_int_equal(bundle_begin(&out), -EINVAL);
	nr = out.nr;
	module.symbols = swapped;
	module.symbols_nr = 2;
	assert_int_equal(bundle_add_module(&out, &module), -EINVAL);
	module = module_make();
	module.names_nr--;
	assert_int_equal(bundle_add_module(&out, &module), -EINVAL);
	module = module_make();
	module.build_id_nr = 21;
	assert_int_equal(bundle_add_module(&out, &module), -EINVAL);
	assert_int_equal(out.nr, nr);
}

/* Load everything from memory of just that size: damage may be found or not, nothing else. */
static void read_all(const char *bytes, size_t nr)
{
	uint8_t *copy = malloc(nr + 1);
	struct bundle *bundle;

	assert_non_null(copy);
	memcpy(copy + 1, bytes, nr);
	if (bundle_open(copy + 1, nr, &bundle) == 0) {
		for (uint32_t i = 0; i < bundle_modules_nr(bundle); i++) {
			const struct bundle_module *module;
			const int ret = bundle_load(bundle, i, &module);

			assert_true(ret == 0 || ret == -EBADMSG);
			for (uint32_t k = 0; ret == 0 && k < module->symbols_nr; k++)
				assert_true(strlen(module->names + module->symbols[k].name) <
					    nr * 9);
		}
		bundle_close(bundle);
	}
	free(copy);
}

static void test_cut_anywhere(void **state)
{
	auto_strbuf struct strbuf bytes = {0};
	struct bundle *bundle;

	(void)state;
	bundle_make(&bytes);
	for (size_t nr = 0; nr < bytes.nr; nr++) {
		read_all(bytes.bytes, nr);
		assert_int_equal(bundle_open((const uint8_t *)bytes.bytes, nr, &bundle), -EBADMSG);
	}
}

static void test_every_bit_flipped(void **state)
{
	auto_strbuf struct strbuf bytes = {0};

	(void)state;
	bundle_make(&bytes);
	for (size_t bit = 0; bit < bytes.nr * 8; bit++) {
		bytes.bytes[bit / 8] ^= (char)(1 << bit % 8);
		read_all(bytes.bytes, bytes.nr);
		bytes.bytes[bit / 8] ^= (char)(1 << bit % 8);
	}
}

static void entry_append(struct strbuf *out, uint32_t kind, uint64_t unpacked_nr,
			 const struct strbuf *packed)
{
	strbuf_append_u32(out, kind);
	strbuf_append_u32(out, 26);
	strbuf_append_u64(out, packed->nr);
	strbuf_append_u64(out, unpacked_nr);
	strbuf_append_zeros(out, 21); /* no build id */
	strbuf_append_string(out, "x", 1);
	strbuf_append(out, packed->bytes, packed->nr);
	strbuf_align(out, 8);
}

/* Sixteen million zeros in a few hundred bytes are a trap, whatever the header promises. */
static void test_traps(void **state)
{
	static const uint64_t sizes[] = {16 << 20, 1000, UINT64_C(1) << 31, UINT64_MAX};
	auto_free char *zeros = calloc(16 << 20, 1);
	auto_strbuf struct strbuf packed = {0};

	(void)state;
	assert_non_null(zeros);
	assert_int_equal(frame_compress(&packed, zeros, 16 << 20, 9), 0);
	for (size_t i = 0; i < array_size(sizes); i++) {
		auto_strbuf struct strbuf bytes = {0};
		const struct bundle_module *module;
		struct bundle *bundle;

		assert_int_equal(bundle_begin(&bytes), 0);
		entry_append(&bytes, BUNDLE_ENTRY_MODULE, sizes[i], &packed);
		assert_int_equal(bundle_end(&bytes), 0);
		if (bundle_open((const uint8_t *)bytes.bytes, bytes.nr, &bundle))
			continue;
		assert_int_equal(bundle_load(bundle, 0, &module), -EBADMSG);
		bundle_close(bundle);
	}
}

static void test_unknown_entries_are_skipped(void **state)
{
	auto_strbuf struct strbuf bytes = {0};
	auto_strbuf struct strbuf packed = {0};
	struct bundle *bundle;

	(void)state;
	strbuf_append_text(&packed, "from the future");
	assert_int_equal(bundle_begin(&bytes), 0);
	entry_append(&bytes, 77, 100, &packed);
	assert_int_equal(bundle_add_module(&bytes, &(struct bundle_module){.path = "a"}), 0);
	assert_int_equal(bundle_end(&bytes), 0);
	bundle = bundle_open_sound(&bytes);
	assert_int_equal(bundle_modules_nr(bundle), 1);
	bundle_close(bundle);
	bytes.bytes[8] = 2; /* another version of the whole */
	assert_int_equal(bundle_open((const uint8_t *)bytes.bytes, bytes.nr, &bundle), -EBADMSG);
	bundle_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_module),
	    cmocka_unit_test(test_symbols),
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_find_file),
	    cmocka_unit_test(test_kernel_symbols),
	    cmocka_unit_test(test_unsound_input_to_the_writer),
	    cmocka_unit_test(test_cut_anywhere),
	    cmocka_unit_test(test_every_bit_flipped),
	    cmocka_unit_test(test_traps),
	    cmocka_unit_test(test_unknown_entries_are_skipped),
	};

	return cmocka_run_group_tests_name("bundle", tests, NULL, NULL);
}
