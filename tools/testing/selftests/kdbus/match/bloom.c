// SPDX-License-Identifier: GPL-2.0-only
/* Bloom filters and masks */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cast.h"
#include "pair.h"

static void bloom_bus(size_t size)
{
	struct blob m;

	bus.fd = open_control();
	bus_name(bus.name, sizeof(bus.name));
	bus_paths(&bus);
	make_init(&m, 0);
	make_add_bloom(&m, size, 1);
	blob_add_str(&m, KDBUS_ITEM_MAKE_NAME, bus.name);
	kt_assert_ret(kt_cmd(bus.fd, KDBUS_CMD_BUS_MAKE, &m), 0, "BUS_MAKE");
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, POOL);
}

static bool passes(const u64 *filter, size_t size, u64 generation,
		   const u64 *mask, unsigned int k)
{
	struct kdbus_item *item;
	unsigned int n;
	struct blob m;

	match_init(&m, 1, KDBUS_MATCH_REPLACE);
	blob_add(&m, KDBUS_ITEM_BLOOM_MASK, mask, size * k);
	kt_assert_ret(match_add(&b, &m), 0, "MATCH_ADD");
	msg_init(&m, KDBUS_DST_ID_BROADCAST, 1);
	item = blob_add(&m, KDBUS_ITEM_BLOOM_FILTER, NULL, 8 + size);
	item->data64[0] = generation;
	memcpy(&item->data64[1], filter, size);
	kt_assert_ret(conn_send(&a, &m), 0, "broadcast");
	n = conn_drain(&b);
	kt_assert(n <= 1, "came %u times", n);
	return n;
}

static bool contained(const u64 *filter, const u64 *mask, size_t words)
{
	size_t w;

	for (w = 0; w < words; w++)
		if ((filter[w] & mask[w]) != mask[w])
			return false;
	return true;
}

START_TEST(bloom_words)
{
	static const struct {
		u64 filter[2], mask[2];
		bool passes;
	} rows[] = {
		{ { 0, 0 }, { 0, 0 }, true },
		{ { ~0ULL, ~0ULL }, { 0, 0 }, true },
		{ { ~0ULL, ~0ULL }, { ~0ULL, ~0ULL }, true },
		{ { ~0ULL, ~0ULL ^ 1 }, { ~0ULL, ~0ULL }, false },
		{ { ~0ULL >> 1, ~0ULL }, { ~0ULL, ~0ULL }, false },
		{ { 0, 0 }, { 1, 0 }, false },
		{ { 0, 0 }, { 0, 1ULL << 63 }, false },
		{ { 1, 0 }, { 1, 0 }, true },
		{ { 1, 0 }, { 0, 1 }, false },
		{ { 3, 0 }, { 1, 0 }, true },
		{ { 1, 0 }, { 3, 0 }, false },
		{ { 3, 0 }, { 6, 0 }, false },
		{ { 0xf0, 0x0f }, { 0x50, 0x05 }, true },
		{ { 0xf0, 0x0f }, { 0x50, 0x15 }, false },
		{ { 0xf0, 0x0f }, { 0x51, 0x05 }, false },
		{ { 1ULL << 63, 0 }, { 1ULL << 63, 0 }, true },
		{ { 1ULL << 31, 0 }, { 1ULL << 63, 0 }, false },
	};
	size_t i;

	bloom_bus(16);
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		kt_check(passes(rows[i].filter, 16, 0, rows[i].mask, 1) ==
			 rows[i].passes, "row %zu", i);
}
END_TEST

/* block g of the mask asks for bit g only */
static void try_generation(unsigned int k, u64 generation)
{
	u64 block = generation < k ? generation : k - 1;
	u64 mask[8], filter;
	unsigned int i;

	for (i = 0; i < k; i++)
		mask[i] = 1ULL << (i * 7);
	filter = 1ULL << (block * 7);
	kt_check(passes(&filter, 8, generation, mask, k),
		 "%u generations, generation %#llx: not delivered", k,
		 generation);
	filter = ~filter;
	kt_check(!passes(&filter, 8, generation, mask, k),
		 "%u generations, generation %#llx: delivered", k, generation);
}

START_TEST(bloom_generations)
{
	static const u64 gens[] = {
		0, 1, 2, 3, 4, 7, 8, 100, 1ULL << 32, 1ULL << 61, 1ULL << 63,
		~0ULL,
	};
	unsigned int k;
	size_t i;

	bloom_bus(8);
	for (k = 1; k <= 8; k++)
		for (i = 0; i < ARRAY_SIZE(gens); i++)
			try_generation(k, gens[i]);
}
END_TEST

/* all blocks of a mask are zero but one */
START_TEST(bloom_empty_blocks)
{
	u64 mask[3] = { 0, 1, 0 }, none = 0, one = 1;

	bloom_bus(8);
	kt_check(passes(&none, 8, 0, mask, 3), "generation 0");
	kt_check(!passes(&none, 8, 1, mask, 3), "generation 1, no bit");
	kt_check(passes(&one, 8, 1, mask, 3), "generation 1");
	kt_check(passes(&none, 8, 2, mask, 3), "generation 2");
	kt_check(passes(&none, 8, 3, mask, 3), "generation 3");
}
END_TEST

static u64 sparse(u32 *rnd)
{
	return 1ULL << kt_rand(rnd) % 64 & -(u64)(kt_rand(rnd) % 3 == 0);
}

START_TEST(bloom_random)
{
	static const size_t sizes[] = { 8, 24, 64, 1000, 4096 };
	static u64 filter[512], mask[3 * 512];
	u32 rnd = kt_seed;
	unsigned int hits[2] = { 0 };
	size_t i, w;
	int round;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t words = sizes[i] / 8;

		bloom_bus(sizes[i]);
		for (round = 0; round < 200; round++) {
			unsigned int g = kt_rand(&rnd) % 4;
			const u64 *block = mask + (g < 3 ? g : 2) * words;
			bool want;

			for (w = 0; w < 3 * words; w++)
				mask[w] = sparse(&rnd);
			for (w = 0; w < words; w++)
				filter[w] = block[w] | sparse(&rnd);
			if (round & 1) {
				w = kt_rand(&rnd) % words;
				filter[w] &= sparse(&rnd);
			}
			want = contained(filter, block, words);
			hits[want]++;
			kt_check(passes(filter, sizes[i], g, mask, 3) == want,
				 "size %zu, round %d, seed %u: expected %d",
				 sizes[i], round, kt_seed, want);
		}
	}
	kt_check(hits[0] && hits[1], "%u misses, %u hits", hits[0], hits[1]);
}
END_TEST

/* the size of a mask is that of the bus, up to the size of the command */
START_TEST(bloom_sizes)
{
	static const struct {
		size_t bus, mask;
		int err;
	} rows[] = {
		{ 8, 8, 0 }, { 8, 16, 0 }, { 8, 4, EDOM }, { 8, 12, EDOM },
		{ 8, 32720, 0 },
		{ 24, 24, 0 }, { 24, 48, 0 }, { 24, 32, EDOM },
		{ 24, 8, EDOM }, { 24, 16, EDOM },
		{ 4096, 4096, 0 }, { 4096, 7 * 4096, 0 },
		{ 4096, 4088, EDOM }, { 4096, 4104, EDOM },
		{ 4096, 6144, EDOM }, { 4096, 4095, EDOM },
	};
	struct blob m;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		bloom_bus(rows[i].bus);
		match_init(&m, 1, 0);
		blob_add(&m, KDBUS_ITEM_BLOOM_MASK, NULL, rows[i].mask);
		kt_check_ret(match_add(&b, &m), -rows[i].err,
			     "mask of %zu bytes on a bus of %zu", rows[i].mask,
			     rows[i].bus);
		bus_close(&bus);
	}
}
END_TEST

/* matches go with their connection */
START_TEST(gone_with_connection)
{
	struct conn c;
	int i;

	pair_open();
	for (i = 0; i < 50; i++) {
		conn_open(&c, &bus, POOL);
		match_all(&c);
		kt_assert_ret(cast(&a, i), 0, "broadcast");
		if (i & 1) {
			expect_cast(&c, a.id, i);
			kt_assert_ret(conn_byebye(&c), 0, "BYEBYE");
			kt_check_ret(match_remove(&c, 0), -ECONNRESET,
				     "MATCH_REMOVE after BYEBYE");
		}
		conn_close(&c);
		kt_assert_ret(cast(&a, i), 0, "broadcast");
	}
}
END_TEST

KT_SUITE("bloom")
{
	kt_test(bloom_words);
	kt_test(bloom_generations);
	kt_test(bloom_empty_blocks);
	kt_test(bloom_random);
	kt_test(bloom_sizes);
	kt_test(gone_with_connection);
}
