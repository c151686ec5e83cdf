// SPDX-License-Identifier: GPL-2.0-only
/* MATCH_ADD, MATCH_REMOVE, and what the rules accept */

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cast.h"
#include "pair.h"

static bool hears(unsigned int bit)
{
	return hears_bit(&a, &b, bit);
}

static const struct item_row {
	u64 type;
	size_t len;
	const char *data;	/* NULL: zeroes */
	int err;
} item_rows[] = {
	{ KDBUS_ITEM_ID, 8, NULL, 0 },
	{ KDBUS_ITEM_ID, 4, NULL, EINVAL },
	{ KDBUS_ITEM_ID, 7, NULL, EINVAL },
	{ KDBUS_ITEM_ID, 16, NULL, EINVAL },
	{ KDBUS_ITEM_ID_ADD, 16, NULL, 0 },
	{ KDBUS_ITEM_ID_ADD, 8, NULL, EINVAL },
	{ KDBUS_ITEM_ID_ADD, 24, NULL, EINVAL },
	{ KDBUS_ITEM_ID_REMOVE, 16, NULL, 0 },
	{ KDBUS_ITEM_ID_REMOVE, 15, NULL, EINVAL },
	{ KDBUS_ITEM_ID_REMOVE, 17, NULL, EINVAL },
	{ KDBUS_ITEM_NAME_ADD, 32, NULL, 0 },
	{ KDBUS_ITEM_NAME_ADD, 31, NULL, EINVAL },
	{ KDBUS_ITEM_NAME_ADD, 33, NULL, 0 },
	{ KDBUS_ITEM_NAME_ADD, 34, NULL, EINVAL },
	{ KDBUS_ITEM_NAME_REMOVE, 32, NULL, 0 },
	{ KDBUS_ITEM_NAME_REMOVE, 24, NULL, EINVAL },
	{ KDBUS_ITEM_NAME_REMOVE, 33, NULL, 0 },
	{ KDBUS_ITEM_NAME_REMOVE, 36, NULL, EINVAL },
	{ KDBUS_ITEM_NAME_CHANGE, 32, NULL, 0 },
	{ KDBUS_ITEM_NAME_CHANGE, 1, NULL, EINVAL },
	{ KDBUS_ITEM_NAME_CHANGE, 33, "0123456789abcdef0123456789abcdefX",
	  EINVAL },
	{ KDBUS_ITEM_NAME_CHANGE, 34, "0123456789abcdef0123456789abcdefX",
	  0 },
	/* not syntax-checked */
	{ KDBUS_ITEM_NAME_ADD, 38, "0123456789abcdef0123456789abcdef..-/ ",
	  0 },
	{ KDBUS_ITEM_NAME, 8, "foo.bar", 0 },
	{ KDBUS_ITEM_NAME, 7, "foo.bar", EINVAL },
	{ KDBUS_ITEM_NAME, 9, "foo.bar\0", EINVAL },
	{ KDBUS_ITEM_NAME, 8, "foo\0bar", EINVAL },
	{ KDBUS_ITEM_NAME, 1, "", EINVAL },
	{ KDBUS_ITEM_NAME, 4, "foo", 0 },
	{ KDBUS_ITEM_NAME, 4, "a b", EINVAL },
	{ KDBUS_ITEM_NAME, 4, "a/b", EINVAL },
	{ KDBUS_ITEM_NAME, 4, "a.*", EINVAL },
	{ KDBUS_ITEM_BLOOM_MASK, 64, NULL, 0 },
	{ KDBUS_ITEM_BLOOM_MASK, 128, NULL, 0 },
	{ KDBUS_ITEM_BLOOM_MASK, 64 * 100, NULL, 0 },
	{ KDBUS_ITEM_BLOOM_MASK, 0, NULL, EINVAL },
	{ KDBUS_ITEM_BLOOM_MASK, 1, NULL, EDOM },
	{ KDBUS_ITEM_BLOOM_MASK, 8, NULL, EDOM },
	{ KDBUS_ITEM_BLOOM_MASK, 63, NULL, EDOM },
	{ KDBUS_ITEM_BLOOM_MASK, 65, NULL, EDOM },
	{ KDBUS_ITEM_BLOOM_MASK, 72, NULL, EDOM },
	{ KDBUS_ITEM_BLOOM_MASK, 96, NULL, EDOM },
	{ KDBUS_ITEM_BLOOM_MASK, 127, NULL, EDOM },
	/* always malformed */
	{ KDBUS_ITEM_REPLY_DEAD, 8, NULL, EINVAL },
	{ KDBUS_ITEM_REPLY_TIMEOUT, 8, NULL, EINVAL },
	/* not for matches, but looked at */
	{ KDBUS_ITEM_CREDS, 8, NULL, EINVAL },
	{ KDBUS_ITEM_CREDS, 40, NULL, 0 },
	{ KT_ITEM_IGNORED, 3, NULL, 0 },
	{ 0, 8, NULL, 0 },
};

START_TEST(items)
{
	struct blob m;
	size_t i;

	pair_open();
	for (i = 0; i < ARRAY_SIZE(item_rows); i++) {
		const struct item_row *r = &item_rows[i];

		match_init(&m, i, 0);
		blob_add(&m, r->type, r->data, r->len);
		kt_check_ret(match_add(&b, &m), -r->err,
			     "row %zu: item %#llx of %zu bytes", i, r->type,
			     r->len);
		kt_check_ret(match_remove(&b, i), r->err ? -ENOENT : 0,
			     "row %zu: removal", i);
	}
}
END_TEST

/* the framing of all items comes before what the rules say, item by item */
START_TEST(item_order)
{
	static const struct {
		u64 type[3];
		size_t len[3];
		int err;
	} rows[] = {
		{ { KDBUS_ITEM_BLOOM_MASK, KDBUS_ITEM_ID }, { 8, 4 }, EINVAL },
		{ { KDBUS_ITEM_ID, KDBUS_ITEM_BLOOM_MASK }, { 8, 8 }, EDOM },
		{ { KDBUS_ITEM_BLOOM_MASK, KDBUS_ITEM_NAME }, { 8, 1 },
		  EDOM },
		{ { KDBUS_ITEM_NAME, KDBUS_ITEM_BLOOM_MASK }, { 1, 8 },
		  EINVAL },
		{ { KDBUS_ITEM_BLOOM_MASK, KDBUS_ITEM_BLOOM_MASK }, { 64, 8 },
		  EDOM },
		{ { KDBUS_ITEM_ID, KDBUS_ITEM_ID_ADD, KDBUS_ITEM_NAME_ADD },
		  { 8, 16, 32 }, 0 },
	};
	struct blob m;
	size_t i;
	int j;

	pair_open();
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		match_init(&m, i, 0);
		for (j = 0; j < 3 && rows[i].type[j]; j++)
			blob_add(&m, rows[i].type[j], NULL, rows[i].len[j]);
		kt_check_ret(match_add(&b, &m), -rows[i].err, "row %zu", i);
	}
}
END_TEST

static int add_sized(size_t size)
{
	struct blob m;

	match_init(&m, 1, 0);
	if (size > 32 + HDR)
		blob_fill_to(&m, size);
	m.size = size;
	return match_add(&b, &m);
}

START_TEST(sizes)
{
	struct blob m;

	pair_open();
	kt_check_ret(add_sized(0), -EINVAL, "0 bytes");
	kt_check_ret(add_sized(24), -EINVAL, "24 bytes");
	kt_check_ret(add_sized(31), -EINVAL, "31 bytes");
	kt_check_ret(add_sized(32), 0, "32 bytes");
	kt_check_ret(add_sized(33), -EINVAL, "33 bytes");
	kt_check_ret(add_sized(32768), 0, "32 KiB");
	kt_check_ret(add_sized(32769), -EMSGSIZE, "more than 32 KiB");
	kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MATCH_ADD, kt_unmapped()), -EFAULT,
		     "nothing there");
	match_init(&m, 1, 0);
	kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MATCH_ADD, m.raw + 4), -EFAULT,
		     "unaligned");
	m.size = 31;
	kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MATCH_REMOVE, &m), -EINVAL,
		     "removal with 31 bytes");
	blob_fill_to(&m, 56);
	kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MATCH_REMOVE, &m), -EMSGSIZE,
		     "removal with an item");
	kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MATCH_REMOVE, kt_unmapped()),
		     -EFAULT, "removal: nothing there");
	kt_check_ret(match_remove(&b, 1), 0, "removal");
}
END_TEST

START_TEST(flags)
{
	struct kdbus_cmd_match *cmd;
	struct blob m;
	int bit;

	pair_open();
	cmd = (void *)&m;
	for (bit = 0; bit < 64; bit++) {
		match_init(&m, 7, 1ULL << bit);
		cmd->kernel_flags = 0x77;
		kt_check_ret(match_add(&b, &m), bit ? -EINVAL : 0,
			     "MATCH_ADD with bit %d", bit);
		kt_check(cmd->kernel_flags == (KDBUS_FLAG_KERNEL | 1),
			 "MATCH_ADD: kernel_flags %#llx", cmd->kernel_flags);
		match_init(&m, 7, 1ULL << bit);
		kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MATCH_REMOVE, &m), -EINVAL,
			     "MATCH_REMOVE with bit %d", bit);
		kt_check(cmd->kernel_flags == KDBUS_FLAG_KERNEL,
			 "MATCH_REMOVE: kernel_flags %#llx",
			 cmd->kernel_flags);
	}
	/* the flags come before the items */
	match_init(&m, 7, 2);
	blob_add(&m, KDBUS_ITEM_BLOOM_MASK, NULL, 8);
	kt_check_ret(match_add(&b, &m), -EINVAL, "bad flag, bad mask");
}
END_TEST

START_TEST(connection_types)
{
	struct conn act, mon;

	pair_open();
	activator_open(&act, &bus, 0, "an.activator", POOL);
	kt_check_ret(kt_cmd(act.fd, KDBUS_CMD_MATCH_ADD, NULL), -EOPNOTSUPP,
		     "MATCH_ADD of an activator");
	kt_check_ret(kt_cmd(act.fd, KDBUS_CMD_MATCH_REMOVE, NULL), -EOPNOTSUPP,
		     "MATCH_REMOVE of an activator");
	kt_assert_ret(special_try_open(&mon, &bus, KDBUS_HELLO_MONITOR, NULL,
				       POOL), 0, "HELLO of a monitor");
	match_all(&mon);
	kt_check_ret(match_remove(&mon, 0), 0, "MATCH_REMOVE of a monitor");
	kt_check_ret(match_remove(&mon, 0), -ENOENT, "again");
}
END_TEST

static int add_bit(u64 cookie, u64 flags, unsigned int bit)
{
	struct blob m;

	match_init(&m, cookie, flags);
	rule_bit(&m, KT_BLOOM_SIZE, bit);
	return match_add(&b, &m);
}

static int add_bad(u64 cookie, u64 flags)
{
	struct blob m;

	match_init(&m, cookie, flags);
	rule_bit(&m, KT_BLOOM_SIZE, 1);
	blob_add(&m, KDBUS_ITEM_BLOOM_MASK, NULL, 8);
	return match_add(&b, &m);
}

START_TEST(limit)
{
	int i;

	pair_open();
	for (i = 0; i < 300; i++)
		kt_check_ret(add_bad(i, i & 1), -EDOM, "bad entry");
	for (i = 0; i < 256; i++)
		kt_check_ret(add_bit(i, 0, i), 0, "entry %d", i + 1);
	kt_check_ret(add_bit(256, 0, 256), -EMFILE, "entry 257");
	kt_check_ret(add_bit(256, 1, 256), -EMFILE, "replacing nothing");
	kt_check_ret(add_bad(256, 0), -EDOM, "bad entry at the limit");
	kt_check(!hears(256) && hears(255) && hears(0), "wrong entries");
	kt_check_ret(add_bit(100, 1, 300), 0, "replacement at the limit");
	kt_check(!hears(100) && hears(300), "not replaced");
	kt_check_ret(add_bit(256, 0, 256), -EMFILE, "entry 257 again");
	kt_check_ret(match_remove(&b, 5), 0, "removal");
	kt_check_ret(add_bit(256, 0, 256), 0, "entry 256");
	kt_check_ret(add_bit(257, 0, 257), -EMFILE, "entry 257 at last");
	kt_check(!hears(5) && hears(256), "wrong entries");
	/* the limit is one of the connection */
	match_all(&a);
}
END_TEST

START_TEST(cookies)
{
	static const u64 values[] = { 0, 1, 1ULL << 32, 1ULL << 63, ~0ULL };
	size_t i;

	pair_open();
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		kt_check_ret(match_remove(&b, values[i]), -ENOENT, "none");
		kt_check_ret(add_bit(values[i], 0, i), 0, "add");
		kt_check_ret(add_bit(values[i], 0, i + 64), 0, "second");
	}
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		kt_check(hears(i) && hears(i + 64), "cookie %#llx: not heard",
			 values[i]);
		kt_check_ret(match_remove(&a, values[i]), -ENOENT,
			     "cookie of another connection");
		kt_check_ret(match_remove(&b, values[i]), 0, "remove");
		kt_check(!hears(i) && !hears(i + 64),
			 "cookie %#llx: heard after removal", values[i]);
		kt_check_ret(match_remove(&b, values[i]), -ENOENT, "again");
	}
}
END_TEST

START_TEST(replace)
{
	int i;

	pair_open();
	for (i = 0; i < 5; i++)
		kt_assert_ret(add_bit(1, 0, i), 0, "add");
	kt_assert_ret(add_bit(2, 0, 10), 0, "another cookie");
	kt_check_ret(add_bit(1, KDBUS_MATCH_REPLACE, 20), 0, "replace");
	for (i = 0; i < 5; i++)
		kt_check(!hears(i), "entry %d is still there", i);
	kt_check(hears(10) && hears(20), "an entry is missing");
	kt_check_ret(add_bit(3, KDBUS_MATCH_REPLACE, 30), 0, "plain add");
	kt_check(hears(10) && hears(20) && hears(30), "an entry is missing");
}
END_TEST

START_TEST(failed_replace)
{
	struct blob m;

	pair_open();
	kt_assert_ret(add_bit(1, 0, 1), 0, "add");
	kt_assert_ret(add_bit(1, 0, 2), 0, "add");
	kt_check_ret(add_bad(1, KDBUS_MATCH_REPLACE), -EDOM, "bad mask");
	kt_check(hears(1) && hears(2), "gone after EDOM");
	match_init(&m, 1, KDBUS_MATCH_REPLACE);
	rule_name(&m, "");
	kt_check_ret(match_add(&b, &m), -EINVAL, "bad name");
	kt_check(hears(1) && hears(2), "gone after EINVAL");
	match_init(&m, 1, KDBUS_MATCH_REPLACE | 4);
	kt_check_ret(match_add(&b, &m), -EINVAL, "bad flag");
	kt_check(hears(1) && hears(2), "gone after bad flags");
}
END_TEST

struct caster {
	int n;
	volatile bool stop;
};

static void *replaces(void *arg)
{
	struct caster *c = arg;
	struct blob m;

	while (!c->stop) {
		match_init(&m, 1, KDBUS_MATCH_REPLACE);
		if (c->n++ & 1)
			rule_id(&m, a.id);
		kt_assert_ret(match_add(&b, &m), 0, "replace");
	}
	return NULL;
}

/* at no time is there none or are there two */
START_TEST(replace_is_atomic)
{
	struct caster c = { .stop = false };
	pthread_t thread;
	struct blob m;
	u64 i, end;

	pair_open();
	match_init(&m, 1, 0);
	kt_assert_ret(match_add(&b, &m), 0, "add");
	thread = kt_thread(replaces, &c);
	for (i = 1, end = kt_now_ms() + 1000; kt_now_ms() < end; i++) {
		kt_assert_ret(cast(&a, i), 0, "broadcast");
		expect_cast(&b, a.id, i);
		expect_empty(&b);
	}
	c.stop = true;
	kt_join(thread);
	kt_check(c.n > 1, "%d replacements", c.n);
}
END_TEST

/* several entries match: one copy */
START_TEST(one_copy)
{
	pair_open();
	match_all(&b);
	match_all(&b);
	kt_assert_ret(add_bit(1, 0, 3), 0, "add");
	kt_assert_ret(add_bit(2, 0, 3), 0, "add");
	kt_check(hears(3) && hears(4), "not heard");
	kt_check_ret(match_remove(&b, 0), 0, "remove both");
	kt_check(hears(3) && !hears(4), "wrong entries");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Many long matches */

#define MATCHES		256
#define NAMES		64	/* that the sender owns */
#define RULES		115	/* with the last of these */

/* names of 255 characters that differ in the last */
static const char *long_name(int i)
{
	static char name[256];

	memset(name, 'x', 255);
	name[1] = '.';
	sprintf(name + 253, "%02d", i);
	return name;
}

/* the best of some */
static u64 time_cast(struct conn *c)
{
	u64 begin, took, best = ~0ULL;
	int i;

	for (i = 0; i < 5; i++) {
		begin = now_ns();
		kt_check_ret(cast(c, 1), 0, "broadcast");
		took = now_ns() - begin;
		best = took < best ? took : best;
	}
	return best;
}

/* all but the last of their rules hold for each broadcast */
static void add_matches(struct conn *c, unsigned int n_rules)
{
	static struct blob b;
	unsigned int i;

	match_init(&b, 1, 0);
	for (i = 0; i < n_rules; i++)
		rule_name(&b, long_name(NAMES - 1));
	rule_bit(&b, KT_BLOOM_SIZE, 0);
	for (i = 0; i < MATCHES; i++)
		kt_assert_ret(match_add(c, &b), 0, "match %d", i);
}

/*
 * However many rules a match has, it takes as long to see that it does not hold:
 * nothing near as many times as long as there are more of them.
 */
START_TEST(long_ones_take_no_longer)
{
	struct conn from, to;
	u64 few, many;
	int i;

	bus_make(&bus, 0);
	conn_open(&from, &bus, KT_PAGE);
	for (i = 0; i < NAMES; i++)
		kt_assert_ret(name_acquire(&from, long_name(i), 0), 0, "name");
	conn_open(&to, &bus, KT_PAGE);
	add_matches(&to, 1);
	few = time_cast(&from);
	kt_assert_ret(match_remove(&to, 1), 0, "remove");
	add_matches(&to, RULES);
	many = time_cast(&from);
	kt_note("a broadcast takes %llu us, with long matches %llu", few / 1000,
		many / 1000);
	kt_check(many < few * RULES / 4,
		 "with matches of %d rules %llu us, of one rule %llu us", RULES,
		 many / 1000, few / 1000);
	expect_empty(&to);
}
END_TEST

KT_SUITE("match")
{
	kt_test(items);
	kt_test(item_order);
	kt_test(sizes);
	kt_test(flags);
	kt_test(connection_types);
	kt_test(limit);
	kt_test(cookies);
	kt_test(replace);
	kt_test(failed_replace);
	kt_test(replace_is_atomic);
	kt_test(one_copy);
	kt_test(long_ones_take_no_longer);
}
