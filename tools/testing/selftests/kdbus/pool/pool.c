// SPDX-License-Identifier: GPL-2.0-only
/* The pool: slices, FREE, how much fits */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util.h"

#define POOL	(64 * KIB)

static struct bus bus;
static struct conn a, b;
static u8 bytes[4 * MIB];

static void prepare(u64 pool_size)
{
	bus_make(&bus, 0);
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, pool_size);
	memset(bytes, 0xee, sizeof(bytes));
}

static int try_free(struct conn *c, u64 offset, u64 flags)
{
	struct kdbus_cmd_free f = { .offset = offset, .flags = flags };

	return kt_cmd(c->fd, KDBUS_CMD_FREE, &f);
}

START_TEST(free_received)
{
	u64 off;

	prepare(POOL);
	kt_assert_ret(conn_send_want(&a, b.id, bytes, 1024), 0, "send");
	conn_recv_msg(&b, &off);
	kt_check_ret(try_free(&b, off, 0), 0, "free");
	kt_check_ret(try_free(&b, off, 0), -ENXIO, "free again");
}
END_TEST

START_TEST(free_no_slice)
{
	static const u64 bad[] = {
		1, 4, 7, 8, 16, 72, 1024, 4096, POOL - 8, POOL - 1, POOL,
		POOL + 8, 1ULL << 31, 1ULL << 32, 1ULL << 63, -8ULL, ~0ULL,
	};
	u64 off;
	size_t i;

	prepare(POOL);
	kt_check_ret(try_free(&b, 0, 0), -ENXIO, "offset 0 of an empty pool");
	kt_assert_ret(conn_send_want(&a, b.id, bytes, 2048), 0, "send");
	conn_recv_msg(&b, &off);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		kt_check_ret(try_free(&b, off + bad[i], 0), -ENXIO,
			     "slice + %#llx", bad[i]);
	kt_check_ret(try_free(&b, off + (1ULL << 32), 0), -ENXIO,
		     "offset that is right in 32 bits");
	/* another pool, where this offset is no slice */
	kt_check_ret(try_free(&a, off, 0), -ENXIO, "pool of the sender");
	kt_check_ret(try_free(&b, off, 1), -EINVAL, "flags");
	kt_check_ret(try_free(&b, off + 8, 1), -EINVAL,
		     "flags before offset");
	kt_check_ret(try_free(&b, off, 0), 0, "the real one");
}
END_TEST

START_TEST(free_private)
{
	u64 off, again;

	prepare(POOL);
	kt_assert_ret(conn_send_want(&a, b.id, bytes, 1024), 0, "send");
	kt_assert_ret(conn_recv_flags(&b, KDBUS_RECV_PEEK, &off), 0, "peek");
	kt_check_ret(try_free(&b, off, 0), -EINVAL, "after a peek");
	kt_check_ret(try_free(&b, off, 0), -EINVAL, "after a peek, again");
	conn_recv_msg(&b, &again);
	kt_check(again == off, "peek said %llu, recv %llu", off, again);
	kt_check_ret(try_free(&b, off, 0), 0, "after recv");
}
END_TEST

/* where a message that nobody looked at lies can only be guessed */
START_TEST(free_queued)
{
	u64 off, guess;

	prepare(4096);
	kt_assert_ret(conn_send_want(&a, b.id, bytes, 512), 0, "send");
	for (guess = 0; guess < 4096; guess += 8) {
		int ret = try_free(&b, guess, 0);

		kt_check(ret == -ENXIO || ret == -EINVAL,
			 "offset %llu: %s", guess, kt_err(ret));
	}
	conn_recv_msg(&b, &off);
	kt_check_ret(try_free(&b, off, 0), 0, "after recv");
}
END_TEST

START_TEST(free_dropped)
{
	u64 off, none;

	prepare(POOL);
	kt_assert_ret(conn_send_want(&a, b.id, bytes, 1024), 0, "send");
	kt_assert_ret(conn_recv_flags(&b, KDBUS_RECV_PEEK, &off), 0, "peek");
	kt_assert_ret(conn_recv_flags(&b, KDBUS_RECV_DROP, &none), 0, "drop");
	kt_check_ret(try_free(&b, off, 0), -ENXIO, "dropped already");
	conn_check_pool_empty(&a, &b);
}
END_TEST

/* two messages end up in the order in which they are freed: any */
START_TEST(free_any_order)
{
	static const u8 orders[][4] = {
		{ 0, 1, 2, 3 }, { 3, 2, 1, 0 }, { 1, 3, 0, 2 }, { 2, 0, 3, 1 },
		{ 0, 3, 1, 2 }, { 1, 2, 0, 3 },
	};
	u64 off[4];
	size_t i, j;

	prepare(POOL);
	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		for (j = 0; j < 4; j++) {
			kt_assert_ret(conn_send_want(&a, b.id, bytes, 3000), 0,
				      "send");
			conn_recv_msg(&b, &off[j]);
		}
		for (j = 0; j < 4; j++)
			kt_check_ret(try_free(&b, off[orders[i][j]], 0), 0,
				     "order %zu, %zu", i, j);
		conn_check_pool_empty(&a, &b);
	}
}
END_TEST

/* ------------------------------------------------------------------------ */
/* At most half of what is left */

START_TEST(half_rule_empty)
{
	static const struct {
		size_t pool, want;
		int err;
	} rows[] = {
		{ 65536, 32760, 0 }, { 65536, 32767, 0 }, { 65536, 32768, 0 },
		{ 65536, 32769, EXFULL }, { 65536, 32776, EXFULL },
		{ 65536, 65528, EXFULL }, { 65536, 65535, EXFULL },
		{ 65536, 65536, EXFULL },
		{ 65536, 65537, ENOBUFS }, { 65536, 65544, ENOBUFS },
		{ 65536, 131072, ENOBUFS },
		{ 4096, 2048, 0 }, { 4096, 2049, EXFULL },
		{ 4096, 4096, EXFULL }, { 4096, 4097, ENOBUFS },
		{ 12288, 6144, 0 }, { 12288, 6145, EXFULL },
		{ 12288, 12288, EXFULL }, { 12288, 12289, ENOBUFS },
		{ 2097152, 1048576, 0 }, { 2097152, 1048577, EXFULL },
	};
	struct conn c;
	size_t i;

	prepare(POOL);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		conn_open(&c, &bus, rows[i].pool);
		kt_check_ret(conn_send_want(&a, c.id, bytes, rows[i].want),
			     -rows[i].err, "%zu into a pool of %zu",
			     rows[i].want, rows[i].pool);
		kt_check(conn_drain(&c) == !rows[i].err,
			 "%zu into %zu: wrong number of messages",
			 rows[i].want, rows[i].pool);
		conn_check_pool_empty(&a, &c);
		conn_close(&c);
	}
}
END_TEST

/* without items the header alone counts */
START_TEST(half_rule_header_only)
{
	u64 have;

	prepare(4096);
	for (have = 4096; have / 2 >= 72; have -= 72)
		kt_check_ret(conn_send_bytes(&a, b.id, 1, NULL, 0), 0,
			     "header with %llu left", have);
	kt_check_ret(conn_send_bytes(&a, b.id, 1, NULL, 0), -EXFULL,
		     "header with %llu left", have);
	kt_check(conn_drain(&b) == (4096 - have) / 72, "wrong number");
	conn_check_pool_empty(&a, &b);
}
END_TEST

/* the rule applies again and again to what is left */
START_TEST(half_rule_sequence)
{
	u64 have = POOL, held[16];
	int n = 0, i;

	prepare(POOL);
	while (have / 2 >= 256) {
		size_t half = have / 2;

		kt_check_ret(conn_send_want(&a, b.id, bytes, half + 8),
			     -EXFULL, "half + 8 with %llu left", have);
		kt_check_ret(conn_send_want(&a, b.id, bytes, have), -EXFULL,
			     "all of the %llu left", have);
		kt_check_ret(conn_send_want(&a, b.id, bytes, have + 8),
			     -ENOBUFS, "more than the %llu left", have);
		kt_assert_ret(conn_send_want(&a, b.id, bytes, half), 0,
			      "half with %llu left", have);
		/* received, but not freed: it still counts */
		if (n % 2)
			conn_recv_msg(&b, &held[n / 2]);
		n++;
		have -= half;
	}
	for (i = 0; i < n / 2; i++)
		kt_check_ret(conn_free(&b, held[i]), 0, "free %d", i);
	conn_drain(&b);
	conn_check_pool_empty(&a, &b);
}
END_TEST

/* NUL vecs take a few bytes, memfds none */
START_TEST(space_counts_stored_bytes)
{
	struct blob m;
	int fd = kt_memfd(1 * MIB, KT_SEALS, 0);

	prepare(4096);
	msg_init(&m, b.id, 1);
	msg_vec_at(&m, 0, 1 * MIB);
	msg_memfd(&m, fd, 1 * MIB);
	/* header and items take 168 bytes, the last vec the rest of 2048 */
	msg_vec(&m, bytes, 2048 - 72 - 3 * 32);
	kt_check_ret(conn_send(&a, &m), 0, "just half");
	kt_check(conn_drain(&b) == 1, "not there");

	msg_init(&m, b.id, 1);
	msg_vec_at(&m, 0, 1 * MIB + 1);
	msg_vec(&m, bytes, 2048 - 72 - 2 * 32);
	kt_check_ret(conn_send(&a, &m), -EXFULL, "one byte too many");
	msg_init(&m, b.id, 1);
	msg_vec_at(&m, 0, 1 * MIB + 7);
	msg_vec(&m, bytes, 2048 - 72 - 2 * 32 - 7);
	kt_check_ret(conn_send(&a, &m), 0, "seven bytes stored for the NULs");
	kt_check(conn_drain(&b) == 1, "not there");
	conn_check_pool_empty(&a, &b);
}
END_TEST

static int compare_u64(const void *x, const void *y)
{
	u64 l = *(const u64 *)x, r = *(const u64 *)y;

	return l < r ? -1 : l > r;
}

/* room enough, but not in one piece */
START_TEST(fragmented)
{
	u64 off[128];
	int n = 0, i;

	prepare(POOL);
	while (conn_send_want(&a, b.id, bytes, 1024) == 0)
		conn_recv_msg(&b, &off[n++]);
	kt_check(n == 63, "%d messages of 1 KiB in 64 KiB", n);
	kt_check_ret(conn_send_want(&a, b.id, bytes, 1024), -EXFULL, "full");
	qsort(off, n, sizeof(off[0]), compare_u64);
	for (i = 0; i < n; i += 2)
		kt_check_ret(conn_free(&b, off[i]), 0, "free");
	/* 33 KiB left, no hole larger than 3 */
	kt_check_ret(conn_send_want(&a, b.id, bytes, 8192), -ENOBUFS,
		     "8 KiB in a fragmented pool");
	kt_check_ret(conn_send_want(&a, b.id, bytes, 1024), 0, "1 KiB");
	kt_check(conn_drain(&b) == 1, "not there");
	for (i = 1; i < n; i += 2)
		kt_check_ret(conn_free(&b, off[i]), 0, "free");
	conn_check_pool_empty(&a, &b);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Nothing is lost */

/* a send that fails may be repeated until a leak would have filled the pool */
START_TEST(unreadable_payload_leaves_nothing)
{
	enum { SIZE = 16384 };
	u8 *edge = kt_guard(100);
	struct {
		const char *name;
		u64 at;
		size_t size;
		bool second;
	} rows[] = {
		{ "no access", PTR64(kt_noread(SIZE)), SIZE, false },
		{ "the last byte", PTR64(edge), 101, false },
		{ "second vec", PTR64(kt_noread(SIZE)), SIZE, true },
		{ "beyond a page", PTR64(edge), SIZE, true },
		{ "address 8", 8, SIZE, false },
		/* a program of 32 bits has its stack at their end */
		{ "kernel address", -(u64)(2 * MIB), SIZE, false },
		{ "end of everything", -(u64)8, SIZE, true },
	};
	struct blob m;
	size_t i;
	int j;

	prepare(POOL);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		msg_init(&m, b.id, 1);
		if (rows[i].second)
			msg_vec(&m, bytes, 8192);
		msg_vec_at(&m, rows[i].at, rows[i].size);
		for (j = 0; j < 3 * (int)POOL / SIZE * 8; j++)
			kt_assert_ret(conn_send(&a, &m), -EFAULT,
				      "%s, round %d", rows[i].name, j);
		kt_check_ret(conn_recv(&b, NULL), -EAGAIN, "%s was queued",
			     rows[i].name);
		conn_check_pool_empty(&a, &b);
	}
}
END_TEST

START_TEST(refused_leaves_nothing)
{
	struct blob m;
	int i;

	prepare(POOL);
	for (i = 0; i < 200; i++) {
		kt_assert_ret(conn_send_want(&a, b.id, bytes, 40000), -EXFULL,
			      "too much");
		msg_init(&m, b.id, 1);
		msg_vec(&m, bytes, 16384);
		msg_memfd(&m, 0x7fffffff, 1);
		kt_assert_ret(conn_send(&a, &m), -EBADF, "bad memfd");
	}
	conn_check_pool_empty(&a, &b);
}
END_TEST

START_TEST(drop_gives_back)
{
	int i;

	prepare(POOL);
	for (i = 0; i < 100; i++) {
		kt_assert_ret(conn_send_want(&a, b.id, bytes, POOL / 2), 0,
			      "round %d", i);
		kt_assert_ret(conn_recv_flags(&b, KDBUS_RECV_DROP, NULL), 0,
			      "drop");
	}
	conn_check_pool_empty(&a, &b);
}
END_TEST

/*
 * Messages of all sizes come and go in any order; those that are held keep
 * their bytes, and no two overlap.
 */
struct slot {
	u64 off;
	size_t size;
	u32 seed;
};

static void check_slot(const struct slot *s)
{
	const struct kdbus_msg *m = conn_msg(&b, s->off);

	kt_assert(m->cookie == s->seed && m->size == 104 &&
		  m->items[0].vec.size == s->size &&
		  m->items[0].vec.offset == 104,
		  "header of message %u at %llu was overwritten", s->seed,
		  s->off);
	kt_assert(kt_filled((u8 *)m + 104, s->size, s->seed),
		  "bytes of message %u at %llu were overwritten", s->seed,
		  s->off);
}

static bool add_slot(struct slot *s, u32 seed, size_t size)
{
	const struct kdbus_msg *m;
	int ret;

	kt_fill(bytes, size, seed);
	ret = conn_send_bytes(&a, b.id, seed, bytes, size);
	if (ret == -EXFULL || ret == -ENOBUFS)
		return false;
	kt_assert_ret(ret, 0, "send of %zu bytes", size);
	m = conn_recv_msg(&b, &s->off);
	kt_assert(m->cookie == seed, "message %llu instead of %u", m->cookie,
		  seed);
	s->size = size;
	s->seed = seed;
	return true;
}

START_TEST(random_use)
{
	enum { N = 64, ROUNDS = 3000 };
	struct slot slots[N] = { 0 };
	u32 rnd = kt_seed, round;
	int i;

	prepare(256 * KIB);
	for (round = 1; round <= ROUNDS; round++) {
		struct slot *s = &slots[kt_rand(&rnd) % N];
		size_t size = 1 + kt_rand(&rnd) % (1U << (kt_rand(&rnd) % 15));

		if (s->size) {
			check_slot(s);
			kt_assert_ret(conn_free(&b, s->off), 0, "free");
			s->size = 0;
		} else {
			add_slot(s, round, size);
		}
		if (round % 500)
			continue;
		for (i = 0; i < N; i++)
			if (slots[i].size)
				check_slot(&slots[i]);
	}
	for (i = 0; i < N; i++) {
		if (!slots[i].size)
			continue;
		check_slot(&slots[i]);
		kt_assert_ret(conn_free(&b, slots[i].off), 0, "free");
	}
	conn_check_pool_empty(&a, &b);
}
END_TEST

/* the mapping can be read everywhere whatever was freed */
START_TEST(readable_after_free)
{
	volatile u8 sum = 0;
	size_t i;
	int round;

	prepare(8 * MIB);
	for (round = 0; round < 5; round++) {
		kt_assert_ret(conn_send_want(&a, b.id, bytes, 2 * MIB), 0,
			      "send");
		kt_check(conn_drain(&b) == 1, "not there");
		for (i = 0; i < b.pool_size; i += 4096)
			sum += b.pool[i];
	}
}
END_TEST

/* nothing of the past shows in a fresh pool */
START_TEST(fresh_pool_is_zero)
{
	struct conn c;
	int i;

	prepare(1 * MIB);
	for (i = 0; i < 5; i++) {
		conn_open(&c, &bus, 1 * MIB);
		kt_check(kt_zero(c.pool, c.pool_size), "round %d", i);
		kt_assert_ret(conn_send_want(&a, c.id, bytes, 512 * KIB), 0,
			      "send");
		conn_close(&c);
	}
}
END_TEST

/* pages are zeroed before they show: only what was sent can be there */
START_TEST(tail_of_pages_is_zero)
{
	u64 off;
	size_t end;

	prepare(64 * KIB);
	kt_assert_ret(conn_send_want(&a, b.id, bytes, 5000), 0, "send");
	conn_recv_msg(&b, &off);
	end = off + 5000;
	kt_check(kt_zero(b.pool, off) &&
		 kt_zero(b.pool + end, b.pool_size - end),
		 "bytes around the only message");
}
END_TEST

KT_SUITE("pool")
{
	kt_test(free_received);
	kt_test(free_no_slice);
	kt_test(free_private);
	kt_test(free_queued);
	kt_test(free_dropped);
	kt_test(free_any_order);
	kt_test(half_rule_empty);
	kt_test(half_rule_header_only);
	kt_test(half_rule_sequence);
	kt_test(space_counts_stored_bytes);
	kt_test(fragmented);
	kt_test(unreadable_payload_leaves_nothing);
	kt_test(refused_leaves_nothing);
	kt_test(drop_gives_back);
	kt_test(random_use);
	kt_test(readable_after_free);
	kt_test(fresh_pool_is_zero);
	kt_test(tail_of_pages_is_zero);
}
