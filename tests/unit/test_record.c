/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "format/payload.h"
#include "format/record.h"

static const struct record_layout pyrec_layout = {
    .sample_type = PYREC_SAMPLE_TYPE,
    .sample_regs_user = PYREC_REGS_USER,
    .sample_id_all = true,
};

/* Decode from memory of just that size, so that the sanitizer sees every byte too far. */
static int decode(const struct strbuf *bytes, const struct record_layout *layout,
		  struct record *ret, uint64_t **keep)
{
	uint64_t *copy = malloc(bytes->nr + 1);

	assert_non_null(copy);
	memcpy(copy, bytes->bytes, bytes->nr);
	free(*keep);
	*keep = copy;
	return record_decode(copy, bytes->nr, layout, ret);
}

static void header_append(struct strbuf *out, uint32_t type, uint16_t misc, size_t size)
{
	strbuf_append_u32(out, type);
	strbuf_append_u16(out, misc);
	strbuf_append_u16(out, (uint16_t)size);
}

/* ---- Side-band ---- */

static void test_mmap2_with_build_id(void **state)
{
	const struct record record = {
	    .type = PERF_RECORD_MMAP2,
	    .misc = PERF_RECORD_MISC_USER,
	    .id = {.pid = 1, .tid = 2, .time_ns = 3, .id = 4, .cpu = 5},
	    .mmap = {.pid = 10,
		     .tid = 11,
		     .start = 0x7f0000001000,
		     .bytes = 0x2000,
		     .file_offset = 0x3000,
		     .prot = 5,
		     .flags = 2,
		     .build_id = {0xde, 0xad, 0xbe},
		     .build_id_nr = 3,
		     .path = "/usr/lib/libc.so.6"},
	};
	auto_strbuf struct strbuf out = {0};
	auto_strbuf struct strbuf expected = {0};
	auto_free uint64_t *keep = NULL;
	struct record got;

	(void)state;
	assert_int_equal(record_encode(&out, &pyrec_layout, &record), 0);
	header_append(&expected, 10, 2 | 1 << 14, 128);
	strbuf_append_u32(&expected, 10);
	strbuf_append_u32(&expected, 11);
	strbuf_append_u64(&expected, 0x7f0000001000);
	strbuf_append_u64(&expected, 0x2000);
	strbuf_append_u64(&expected, 0x3000);
	strbuf_append_u32(&expected, 3);
	strbuf_append(&expected, "\xde\xad\xbe", 3);
	strbuf_append_zeros(&expected, 17);
	strbuf_append_u32(&expected, 5);
	strbuf_append_u32(&expected, 2);
	strbuf_append(&expected, "/usr/lib/libc.so.6\0\0\0\0\0\0", 24);
	strbuf_append_u32(&expected, 1);
	strbuf_append_u32(&expected, 2);
	strbuf_append_u64(&expected, 3);
	strbuf_append_u64(&expected, 5);
	strbuf_append_u64(&expected, 4);
	assert_int_equal(out.nr, expected.nr);
	assert_memory_equal(out.bytes, expected.bytes, out.nr);
	assert_int_equal(decode(&out, &pyrec_layout, &got, &keep), 0);
	assert_int_equal(got.mmap.build_id_nr, 3);
	assert_memory_equal(got.mmap.build_id, record.mmap.build_id, 20);
	assert_int_equal(got.mmap.prot, 5);
	assert_string_equal(got.mmap.path, "/usr/lib/libc.so.6");
	assert_int_equal(got.id.cpu, 5);
	assert_true(got.id.id == 4 && got.id.time_ns == 3);
}

static void test_mmap2_with_inode(void **state)
{
	const struct record record = {
	    .type = PERF_RECORD_MMAP2,
	    .misc = PERF_RECORD_MISC_USER | PERF_RECORD_MISC_MMAP_BUILD_ID, /* is corrected */
	    .mmap = {.device_major = 8, .device_minor = 1, .inode = 77, .path = "1234567"},
	};
	auto_strbuf struct strbuf out = {0};
	auto_free uint64_t *keep = NULL;
	struct record got;

	(void)state;
	assert_int_equal(record_encode(&out, &pyrec_layout, &record), 0);
	assert_int_equal(out.nr % 8, 0);
	assert_int_equal(decode(&out, &pyrec_layout, &got, &keep), 0);
	assert_int_equal(got.misc, PERF_RECORD_MISC_USER);
	assert_int_equal(got.mmap.build_id_nr, 0);
	assert_int_equal(got.mmap.device_major, 8);
	assert_true(got.mmap.inode == 77);
	assert_string_equal(got.mmap.path, "1234567");
}

/* What the kernel sends to others while one listener on the machine asks for build ids. */
static void test_mmap2_with_inode_and_misleading_bit(void **state)
{
	static const struct record_mmap files[] = {
	    {.device_major = 254, .inode = 247970, .path = "/usr/bin/python3.11"},
	    {.device_major = 259, .device_minor = 1, .inode = 77, .path = "nvme"},
	    {.device_major = 8,
	     .device_minor = 1,
	     .inode = 77,
	     .inode_generation = 5,
	     .path = "sda"},
	    {.path = "//anon"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(files); i++) {
		const struct record record = {.type = PERF_RECORD_MMAP2, .mmap = files[i]};
		auto_strbuf struct strbuf out = {0};
		auto_free uint64_t *keep = NULL;
		struct record got;

		assert_int_equal(record_encode(&out, &pyrec_layout, &record), 0);
		out.bytes[5] |= PERF_RECORD_MISC_MMAP_BUILD_ID >> 8;
		assert_int_equal(decode(&out, &pyrec_layout, &got, &keep), 0);
		assert_int_equal(got.mmap.build_id_nr, 0);
		assert_int_equal(got.mmap.device_major, files[i].device_major);
		assert_int_equal(got.mmap.device_minor, files[i].device_minor);
		assert_true(got.mmap.inode == files[i].inode);
		assert_true(got.mmap.inode_generation == files[i].inode_generation);
		assert_string_equal(got.mmap.path, files[i].path);
	}
}

static void test_small_records(void **state)
{
	static const struct record records[] = {
	    {.type = PERF_RECORD_COMM, .comm = {1, 2, true, "python3"}},
	    {.type = PERF_RECORD_FORK, .task = {1, 2, 3, 4, 5}},
	    {.type = PERF_RECORD_EXIT, .task = {1, 2, 3, 4, 5}},
	    {.type = PERF_RECORD_LOST, .lost = {6, 7}},
	    {.type = PERF_RECORD_LOST_SAMPLES, .lost = {0, 7}},
	    {.type = PERF_RECORD_FINISHED_ROUND_TYPE},
	};
	static const size_t sizes[] = {24 + 32, 32 + 32, 32 + 32, 24 + 32, 16 + 32, 8};
	auto_strbuf struct strbuf out = {0};
	auto_free uint64_t *keep = NULL;
	struct record got;

	(void)state;
	for (size_t i = 0; i < array_size(records); i++) {
		strbuf_reset(&out);
		assert_int_equal(record_encode(&out, &pyrec_layout, &records[i]), 0);
		assert_int_equal(out.nr, sizes[i]);
		assert_int_equal(decode(&out, &pyrec_layout, &got, &keep), 0);
		assert_int_equal(got.type, records[i].type);
		if (got.type == PERF_RECORD_COMM)
			assert_true(got.comm.is_exec && strcmp(got.comm.comm, "python3") == 0);
		if (got.type == PERF_RECORD_FORK)
			assert_memory_equal(&got.task, &records[i].task, sizeof(got.task));
		if (got.type == PERF_RECORD_LOST || got.type == PERF_RECORD_LOST_SAMPLES)
			assert_true(got.lost.lost_nr == 7);
	}
}

static void test_text_without_end(void **state)
{
	static const struct record_layout no_trailer = {.sample_type = PERF_SAMPLE_TIME};
	auto_strbuf struct strbuf out = {0};
	auto_free uint64_t *keep = NULL;
	struct record got;

	(void)state;
	header_append(&out, PERF_RECORD_COMM, 0, 24);
	strbuf_append_zeros(&out, 8);
	strbuf_append(&out, "12345678", 8);
	assert_int_equal(decode(&out, &no_trailer, &got, &keep), -EBADMSG);
	out.bytes[23] = 0;
	assert_int_equal(decode(&out, &no_trailer, &got, &keep), 0);
	assert_string_equal(got.comm.comm, "1234567");
}

static void test_build_id_too_long(void **state)
{
	struct record record = {.type = PERF_RECORD_MMAP2,
				.mmap = {.build_id_nr = 20, .path = "x"}};
	auto_strbuf struct strbuf out = {0};
	auto_free uint64_t *keep = NULL;
	struct record got;

	(void)state;
	assert_int_equal(record_encode(&out, &pyrec_layout, &record), 0);
	out.bytes[40] = 21;
	assert_int_equal(decode(&out, &pyrec_layout, &got, &keep), 0);
	assert_int_equal(got.mmap.build_id_nr, 0);
	record.mmap.build_id_nr = 21;
	strbuf_reset(&out);
	assert_int_equal(record_encode(&out, &pyrec_layout, &record), -EINVAL);
	assert_int_equal(out.nr, 0);
}

/* ---- Samples ---- */

static const uint64_t chain[] = {(uint64_t)PERF_CONTEXT_KERNEL, 0xffffffff81000000,
				 (uint64_t)PERF_CONTEXT_USER, 0x401000};

static struct record sample_make(const uint64_t *regs, const uint8_t *stack, uint64_t stack_bytes)
{
	return (struct record){.type = PERF_RECORD_SAMPLE,
			       .misc = PERF_RECORD_MISC_USER,
			       .sample = {.id = 1,
					  .ip = 0x401000,
					  .pid = 100,
					  .tid = 101,
					  .time_ns = 12,
					  .cpu = 3,
					  .period = 13,
					  .callchain = chain,
					  .callchain_nr = array_size(chain),
					  .raw = "PYFR-",
					  .raw_bytes = 5,
					  .regs_abi = PERF_SAMPLE_REGS_ABI_64,
					  .regs = regs,
					  .stack = stack,
					  .stack_bytes = stack_bytes}};
}

static void test_sample_bytes(void **state)
{
	uint64_t regs[PYREC_REGS_NR] = {0};
	const struct record record = sample_make(regs, (const uint8_t *)"0123456789abcdef", 11);
	auto_strbuf struct strbuf out = {0};
	auto_strbuf struct strbuf expected = {0};

	(void)state;
	for (size_t i = 0; i < PYREC_REGS_NR; i++)
		regs[i] = i * i;
	header_append(&expected, 9, 2, 312);
	strbuf_append_u64(&expected, 1); /* identifier */
	strbuf_append_u64(&expected, 0x401000);
	strbuf_append_u32(&expected, 100);
	strbuf_append_u32(&expected, 101);
	strbuf_append_u64(&expected, 12);
	strbuf_append_u64(&expected, 3); /* cpu, reserved */
	strbuf_append_u64(&expected, 13);
	strbuf_append_u64(&expected, 4);
	strbuf_append(&expected, chain, sizeof(chain));
	strbuf_append_u32(&expected, 12); /* 4 + 12 is a multiple of 8 */
	strbuf_append(&expected, "PYFR-\0\0\0\0\0\0\0", 12);
	strbuf_append_u64(&expected, 2); /* 64-bit registers */
	strbuf_append(&expected, regs, sizeof(regs));
	strbuf_append_u64(&expected, 16);
	strbuf_append(&expected, "0123456789a\0\0\0\0\0", 16);
	strbuf_append_u64(&expected, 11);
	assert_int_equal(record_encode(&out, &pyrec_layout, &record), 0);
	assert_int_equal(out.nr, expected.nr);
	assert_int_equal((uint8_t)out.bytes[6] | (uint8_t)out.bytes[7] << 8, out.nr);
	assert_memory_equal(out.bytes, expected.bytes, out.nr);
}

static void test_sample_decode(void **state)
{
	uint64_t regs[PYREC_REGS_NR] = {7, 8};
	const struct record record = sample_make(regs, (const uint8_t *)"0123456789abcdef", 16);
	auto_strbuf struct strbuf out = {0};
	auto_free uint64_t *keep = NULL;
	struct record got;

	(void)state;
	assert_int_equal(record_encode(&out, &pyrec_layout, &record), 0);
	assert_int_equal(decode(&out, &pyrec_layout, &got, &keep), 0);
	assert_int_equal(got.sample.tid, 101);
	assert_int_equal(got.sample.cpu, 3);
	assert_true(got.sample.time_ns == 12 && got.sample.period == 13 && got.sample.id == 1);
	assert_int_equal(got.sample.callchain_nr, 4);
	assert_memory_equal(got.sample.callchain, chain, sizeof(chain));
	assert_int_equal(got.sample.raw_bytes, 12);
	assert_memory_equal(got.sample.raw, "PYFR-", 6);
	assert_memory_equal(got.sample.regs, regs, sizeof(regs));
	assert_int_equal(got.sample.stack_bytes, 16);
	assert_memory_equal(got.sample.stack, "0123456789abcdef", 16);
	assert_int_equal(got.id.tid, 101);
}

static void test_sample_without_registers_and_stack(void **state)
{
	struct record record = sample_make(NULL, NULL, 0);
	auto_strbuf struct strbuf out = {0};
	auto_free uint64_t *keep = NULL;
	struct record got;

	(void)state;
	record.sample.regs_abi = PERF_SAMPLE_REGS_ABI_NONE;
	record.sample.callchain_nr = 0;
	record.sample.raw_bytes = 0;
	assert_int_equal(record_encode(&out, &pyrec_layout, &record), 0);
	assert_int_equal(out.nr, 8 + 48 + 8 + 8 + 8 + 8);
	assert_int_equal(decode(&out, &pyrec_layout, &got, &keep), 0);
	assert_null(got.sample.regs);
	assert_null(got.sample.stack);
	assert_int_equal(got.sample.stack_bytes, 0);
}

static void test_sample_too_big(void **state)
{
	uint64_t regs[PYREC_REGS_NR] = {0};
	auto_free uint8_t *stack = calloc(70000, 1);
	struct record record = sample_make(regs, stack, 65232);
	auto_strbuf struct strbuf out = {0};

	(void)state;
	assert_non_null(stack);
	assert_int_equal(record_encode(&out, &pyrec_layout, &record), 0);
	assert_true(out.nr <= PERF_RECORD_BYTES_MAX);
	strbuf_reset(&out);
	record.sample.stack_bytes = 65528;
	assert_int_equal(record_encode(&out, &pyrec_layout, &record), -E2BIG);
	record.sample.stack_bytes = 70000;
	assert_int_equal(record_encode(&out, &pyrec_layout, &record), -E2BIG);
	assert_int_equal(out.nr, 0);
}

static void test_not_written(void **state)
{
	const struct record_layout layout = {.sample_type = PERF_SAMPLE_READ};
	const struct record sample = {.type = PERF_RECORD_SAMPLE};
	const struct record mmap = {.type = PERF_RECORD_MMAP, .mmap = {.path = ""}};
	const struct record unknown = {.type = 1234};
	auto_strbuf struct strbuf out = {0};

	(void)state;
	assert_int_equal(record_encode(&out, &layout, &sample), -EINVAL);
	assert_int_equal(record_encode(&out, &pyrec_layout, &mmap), -EINVAL);
	assert_int_equal(record_encode(&out, &pyrec_layout, &unknown), -EINVAL);
	assert_int_equal(out.nr, 0);
}

/* Every field that perf can put before the stack, in the order of perf_event_open(2). */
static void rich_sample_append(struct strbuf *out)
{
	header_append(out, PERF_RECORD_SAMPLE, 2, 0);
	strbuf_append_u64(out, 42);	/* IDENTIFIER */
	strbuf_append_u64(out, 0x1234); /* IP */
	strbuf_append_u32(out, 5);
	strbuf_append_u32(out, 6);
	strbuf_append_u64(out, 777);   /* TIME */
	strbuf_append_u64(out, 0xadd); /* ADDR */
	strbuf_append_u64(out, 42);    /* ID */
	strbuf_append_u64(out, 0x57);  /* STREAM_ID */
	strbuf_append_u64(out, 1);     /* CPU */
	strbuf_append_u64(out, 100);   /* PERIOD */
	strbuf_append_u64(out, 2);     /* READ: nr, enabled, running, 2 x {value, id, lost} */
	strbuf_append_zeros(out, 2 * 8 + 2 * 24);
	strbuf_append_u64(out, 1); /* CALLCHAIN */
	strbuf_append_u64(out, 0x99);
	strbuf_append_u32(out, 4); /* RAW */
	strbuf_append_u32(out, 0x1a1a);
	strbuf_append_u64(out, 2); /* BRANCH_STACK: nr, hw_idx, 2 x 24 */
	strbuf_append_zeros(out, 8 + 48);
	strbuf_append_u64(out, 1); /* REGS_USER: 32-bit abi, three registers */
	strbuf_append_u64(out, 71);
	strbuf_append_u64(out, 72);
	strbuf_append_u64(out, 73);
	strbuf_append_u64(out, 16); /* STACK_USER */
	strbuf_append(out, "stackstack......", 16);
	strbuf_append_u64(out, 10);
	strbuf_append_zeros(out, 4 * 8); /* WEIGHT, DATA_SRC, TRANSACTION, PHYS_ADDR: not read */
	out->bytes[6] = (char)out->nr;
	out->bytes[7] = (char)(out->nr >> 8);
}

static const struct record_layout rich_layout = {
    .sample_type = PYREC_SAMPLE_TYPE | PERF_SAMPLE_ADDR | PERF_SAMPLE_ID | PERF_SAMPLE_STREAM_ID |
		   PERF_SAMPLE_READ | PERF_SAMPLE_BRANCH_STACK | PERF_SAMPLE_WEIGHT |
		   PERF_SAMPLE_DATA_SRC | PERF_SAMPLE_TRANSACTION | PERF_SAMPLE_PHYS_ADDR,
    .sample_regs_user = 1 << 1 | 1 << 7 | 1 << 8,
    .branch_sample_type = PERF_SAMPLE_BRANCH_HW_INDEX,
    .read_format = PERF_FORMAT_GROUP | PERF_FORMAT_ID | PERF_FORMAT_LOST |
		   PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
};

static void test_foreign_sample(void **state)
{
	auto_strbuf struct strbuf out = {0};
	auto_free uint64_t *keep = NULL;
	struct record got;

	(void)state;
	rich_sample_append(&out);
	assert_int_equal(decode(&out, &rich_layout, &got, &keep), 0);
	assert_true(got.sample.id == 42 && got.sample.ip == 0x1234 && got.sample.time_ns == 777);
	assert_int_equal(got.sample.tid, 6);
	assert_int_equal(got.sample.cpu, 1);
	assert_int_equal(got.sample.callchain_nr, 1);
	assert_true(got.sample.callchain[0] == 0x99);
	assert_memory_equal(got.sample.raw, "\x1a\x1a\0\0", 4);
	assert_true(got.sample.regs[2] == 73);
	assert_int_equal(got.sample.stack_bytes, 10);
	assert_memory_equal(got.sample.stack, "stackstack", 10);
}

static void test_foreign_sample_read_alone(void **state)
{
	const struct record_layout layout = {
	    .sample_type = PERF_SAMPLE_READ | PERF_SAMPLE_CALLCHAIN, .read_format = PERF_FORMAT_ID};
	auto_strbuf struct strbuf out = {0};
	auto_free uint64_t *keep = NULL;
	struct record got;

	(void)state;
	header_append(&out, PERF_RECORD_SAMPLE, 0, 40);
	strbuf_append_zeros(&out, 16);
	strbuf_append_u64(&out, 1);
	strbuf_append_u64(&out, 0x77);
	assert_int_equal(decode(&out, &layout, &got, &keep), 0);
	assert_true(got.sample.callchain[0] == 0x77);
	assert_int_equal(got.sample.cpu, UINT32_MAX);
}

/* A record cut short anywhere up to its last needed byte is damage and never a wild read. */
static void test_foreign_sample_cut_anywhere(void **state)
{
	auto_strbuf struct strbuf out = {0};
	auto_free uint64_t *keep = NULL;
	struct record got;
	size_t needed;

	(void)state;
	rich_sample_append(&out);
	needed = out.nr - 4 * 8;
	for (size_t nr = 0; nr < needed; nr++) {
		strbuf_reset(&out);
		rich_sample_append(&out);
		out.bytes[6] = (char)nr;
		out.bytes[7] = (char)(nr >> 8);
		out.nr = nr;
		assert_int_equal(decode(&out, &rich_layout, &got, &keep), -EBADMSG);
	}
}

static void test_counts_that_overflow(void **state)
{
	static const uint64_t counts[] = {UINT64_MAX, UINT64_C(1) << 61, UINT64_C(1) << 32, 1000};
	static const size_t fields[] = {80, 152, 176}; /* READ, CALLCHAIN, BRANCH_STACK */
	auto_strbuf struct strbuf out = {0};
	auto_free uint64_t *keep = NULL;
	struct record got;

	(void)state;
	for (size_t i = 0; i < array_size(counts) * array_size(fields); i++) {
		strbuf_reset(&out);
		rich_sample_append(&out);
		memcpy(out.bytes + fields[i % array_size(fields)], &counts[i / array_size(fields)],
		       8);
		assert_int_equal(decode(&out, &rich_layout, &got, &keep), -EBADMSG);
	}
}

static void test_stack_larger_than_its_dump(void **state)
{
	auto_strbuf struct strbuf out = {0};
	auto_free uint64_t *keep = NULL;
	struct record got;

	(void)state;
	rich_sample_append(&out);
	out.bytes[out.nr - 40] = 17;
	assert_int_equal(decode(&out, &rich_layout, &got, &keep), -EBADMSG);
}

static void test_raw_of_odd_size(void **state)
{
	const struct record_layout layout = {.sample_type = PERF_SAMPLE_RAW | PERF_SAMPLE_REGS_USER,
					     .sample_regs_user = 1};
	auto_strbuf struct strbuf out = {0};
	auto_free uint64_t *keep = NULL;
	struct record got;

	(void)state;
	header_append(&out, PERF_RECORD_SAMPLE, 0, 8 + 4 + 5 + 16);
	strbuf_append_u32(&out, 5);
	strbuf_append_zeros(&out, 5);
	strbuf_append_u64(&out, 2);
	strbuf_append_u64(&out, 1);
	assert_int_equal(decode(&out, &layout, &got, &keep), -EBADMSG);
}

/* ---- The rest ---- */

static void test_sizes_that_lie(void **state)
{
	auto_strbuf struct strbuf out = {0};
	auto_free uint64_t *keep = NULL;
	struct record got;

	(void)state;
	header_append(&out, 1234, 0, 8);
	assert_int_equal(decode(&out, &pyrec_layout, &got, &keep), 0);
	assert_int_equal(got.type, 1234);
	out.bytes[6] = 7;
	assert_int_equal(decode(&out, &pyrec_layout, &got, &keep), -EBADMSG);
	out.bytes[6] = 9;
	assert_int_equal(decode(&out, &pyrec_layout, &got, &keep), -EBADMSG);
	out.bytes[6] = 8;
	out.bytes[0] = PERF_RECORD_COMM; /* no room for its trailer */
	out.bytes[1] = 0;
	assert_int_equal(decode(&out, &pyrec_layout, &got, &keep), -EBADMSG);
	out.nr = 5;
	assert_int_equal(decode(&out, &pyrec_layout, &got, &keep), -EBADMSG);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(record_type_name(PERF_RECORD_SAMPLE), "SAMPLE");
	assert_string_equal(record_type_name(65), "ENVELOPE");
	assert_null(record_type_name(200));
}

static void print(char *text, size_t nr, const struct strbuf *bytes)
{
	FILE *out = fmemopen(text, nr, "w");

	assert_non_null(out);
	record_print(out, bytes->bytes, bytes->nr, &pyrec_layout, 0x10);
	fclose(out);
}

static void test_print_escapes(void **state)
{
	const struct record record = {.type = PERF_RECORD_COMM,
				      .comm = {1, 2, false, "a\033]0;b\007"}};
	auto_strbuf struct strbuf out = {0};
	char text[1024] = "";

	(void)state;
	assert_int_equal(record_encode(&out, &pyrec_layout, &record), 0);
	print(text, sizeof(text), &out);
	assert_string_equal(text, "0x10 COMM type 3 misc 0x0 size 56\n"
				  "  pid 1 tid 2\n"
				  "  comm a\\x1b]0;b\\x07\n"
				  "  trailer pid 0 tid 0 cpu 0 time 0.000000000 id 0\n");
}

static void test_print_damaged(void **state)
{
	auto_strbuf struct strbuf out = {0};
	char text[1024] = "";

	(void)state;
	header_append(&out, PERF_RECORD_SAMPLE, 0, 16);
	strbuf_append_zeros(&out, 8);
	print(text, sizeof(text), &out);
	assert_string_equal(text, "0x10 SAMPLE type 9 misc 0x0 size 16\n  damaged\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_mmap2_with_build_id),
	    cmocka_unit_test(test_mmap2_with_inode),
	    cmocka_unit_test(test_small_records),
	    cmocka_unit_test(test_text_without_end),
	    cmocka_unit_test(test_build_id_too_long),
	    cmocka_unit_test(test_mmap2_with_inode_and_misleading_bit),
	    cmocka_unit_test(test_sample_bytes),
	    cmocka_unit_test(test_sample_decode),
	    cmocka_unit_test(test_sample_without_registers_and_stack),
	    cmocka_unit_test(test_sample_too_big),
	    cmocka_unit_test(test_not_written),
	    cmocka_unit_test(test_foreign_sample),
	    cmocka_unit_test(test_foreign_sample_read_alone),
	    cmocka_unit_test(test_foreign_sample_cut_anywhere),
	    cmocka_unit_test(test_counts_that_overflow),
	    cmocka_unit_test(test_stack_larger_than_its_dump),
	    cmocka_unit_test(test_raw_of_odd_size),
	    cmocka_unit_test(test_sizes_that_lie),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_print_escapes),
	    cmocka_unit_test(test_print_damaged),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
