// SPDX-License-Identifier: GPL-2.0-only
/* Items: framing, and the rules for each type, in every command with items */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "item-carrier.h"

/*
 * An item of an ignored type whose header says @size; the list ends @left
 * bytes after the start of that item; all else is zero.
 */
static const struct frame {
	u64 size;
	size_t left;
	int err;
} frames[] = {
	/* too small for a header and one byte */
	{ 0, 24, EINVAL }, { 1, 24, EINVAL }, { 8, 24, EINVAL },
	{ 15, 24, EINVAL }, { 16, 24, EINVAL }, { 16, 16, EINVAL },
	{ 0, 16, EINVAL },
	/* the list ends after the payload or after its padding */
	{ 17, 17, 0 }, { 17, 24, 0 }, { 23, 23, 0 }, { 23, 24, 0 },
	{ 24, 24, 0 }, { 25, 25, 0 }, { 25, 32, 0 }, { 32, 32, 0 },
	/* the item reaches beyond the list */
	{ 17, 16, EINVAL }, { 24, 23, EINVAL }, { 25, 24, EINVAL },
	{ 24, 17, EINVAL }, { 32, 24, EINVAL }, { 4096, 24, EINVAL },
	{ 32769, 24, EINVAL }, { 1ULL << 31, 24, EINVAL },
	{ 1ULL << 32, 24, EINVAL }, { (1ULL << 32) + 24, 24, EINVAL },
	{ 1ULL << 63, 24, EINVAL }, { (1ULL << 63) + 24, 24, EINVAL },
	{ LLONG_MAX, 24, EINVAL }, { -1ULL, 24, EINVAL },
	{ -7ULL, 24, EINVAL }, { -8ULL, 24, EINVAL }, { -9ULL, 24, EINVAL },
	{ -15ULL, 24, EINVAL }, { -16ULL, 24, EINVAL }, { -24ULL, 24, EINVAL },
	{ -32ULL, 24, EINVAL }, { -4096ULL, 24, EINVAL },
	/* no complete header */
	{ 24, 1, EINVAL }, { 24, 7, EINVAL }, { 24, 8, EINVAL },
	{ 24, 15, EINVAL },
	/* something after the padding that is no item */
	{ 24, 25, EINVAL }, { 24, 31, EINVAL }, { 24, 32, EINVAL },
	{ 17, 25, EINVAL }, { 17, 32, EINVAL }, { 24, 39, EINVAL },
	{ 24, 40, EINVAL },
};

static void try_frame(const struct carrier *c, const struct frame *f)
{
	struct kdbus_item *item;
	struct blob b;
	size_t at;

	c->begin(&b);
	at = b.size;
	item = blob_add(&b, KT_ITEM_IGNORED, NULL, 64);
	item->size = f->size;
	b.size = at + f->left;
	kt_check_ret(c->fire(&b), -f->err, "%s: item size %#llx, %zu left",
		     c->name, f->size, f->left);
}

START_TEST(framing)
{
	const struct carrier *c;
	size_t i;

	carriers_prepare();
	for_each_carrier(c)
		for (i = 0; i < ARRAY_SIZE(frames); i++)
			try_frame(c, &frames[i]);
	carriers_check_pool_empty();
}
END_TEST

/* sizes that lead from the second item back to the first, for ever */
START_TEST(framing_wraps_to_start)
{
	const struct carrier *c;
	struct blob b;
	int back;

	carriers_prepare();
	for_each_carrier(c) {
		for (back = 8; back <= 64; back += 8) {
			struct kdbus_item *item;

			c->begin(&b);
			blob_add(&b, KT_ITEM_IGNORED, NULL, 16);
			blob_add(&b, KT_ITEM_IGNORED, NULL, 16);
			item = blob_add(&b, KT_ITEM_IGNORED, NULL, 16);
			item->size = -(u64)back;
			kt_check_ret(c->fire(&b), -EINVAL, "%s: back by %d",
				     c->name, back);
		}
	}
}
END_TEST

/* the list and the memory end together: nothing beyond may be read */
START_TEST(framing_at_end_of_memory)
{
	const struct carrier *c;
	struct blob b;
	size_t left;

	carriers_prepare();
	for_each_carrier(c) {
		for (left = 8; left <= 40; left += 8) {
			size_t end;

			c->begin(&b);
			end = b.size + left;
			blob_add(&b, KT_ITEM_IGNORED, NULL, 64)->size = 24;
			b.size = end;
			kt_check_ret(c->fire(kt_guard_copy(&b, end)),
				     left == 24 ? 0 : -EINVAL,
				     "%s: %zu bytes", c->name, left);
		}
	}
}
END_TEST

START_TEST(padding_not_inspected)
{
	const struct carrier *c;
	struct blob b;

	carriers_prepare();
	for_each_carrier(c) {
		c->begin(&b);
		memset(blob_add(&b, KT_ITEM_IGNORED, NULL, 3)->data + 3, 0xff,
		       5);
		blob_add(&b, KT_ITEM_IGNORED, NULL, 8);
		kt_check_ret(c->fire(&b), 0, "%s: garbage as padding", c->name);
	}
}
END_TEST

START_TEST(many_items)
{
	const struct carrier *c;
	struct blob b;
	int i;

	carriers_prepare();
	for_each_carrier(c) {
		c->begin(&b);
		/* as many of 120 as there is room for */
		for (i = 0; i < 120 && b.size + 40 <= c->max; i++)
			blob_add(&b, KT_ITEM_IGNORED, NULL, 1 + i % 24);
		kt_check_ret(c->fire(&b), 0, "%s: %d ignored items",
			     c->name, i);
	}
}
END_TEST

/* the first bad item decides */
START_TEST(first_error_wins)
{
	const struct carrier *c;
	char name[70];
	struct blob b;

	carriers_prepare();
	memset(name, 'a', sizeof(name));
	name[69] = '\0';
	for_each_carrier(c) {
		c->begin(&b);
		blob_add(&b, KDBUS_ITEM_CONN_NAME, name, sizeof(name));
		blob_add(&b, KT_ITEM_IGNORED, NULL, 8)->size = 0;
		kt_check_ret(c->fire(&b), -ENAMETOOLONG,
			     "%s: long name, then bad frame", c->name);
		c->begin(&b);
		msg_memfd(&b, -1, 1);
		blob_add(&b, KDBUS_ITEM_CONN_NAME, name, sizeof(name));
		kt_check_ret(c->fire(&b), -EBADF,
			     "%s: bad fd, then long name", c->name);
		c->begin(&b);
		blob_add(&b, KDBUS_ITEM_CONN_NAME, name, sizeof(name));
		msg_memfd(&b, -1, 1);
		kt_check_ret(c->fire(&b), -ENAMETOOLONG,
			     "%s: long name, then bad fd", c->name);
		c->begin(&b);
		blob_add(&b, KDBUS_ITEM_ID, NULL, 7);
		blob_add(&b, KDBUS_ITEM_CONN_NAME, name, sizeof(name));
		kt_check_ret(c->fire(&b), -EINVAL,
			     "%s: bad id, then long name", c->name);
	}
}
END_TEST

/* ------------------------------------------------------------------------ */
/* One item of each type, in all lengths that matter */

static void try_payload(u64 type, const void *data, size_t len, int err,
			const char *what)
{
	const struct carrier *c;
	struct blob b;

	for_each_carrier(c) {
		int want = err ? -err : c->accept(type);

		if (want > 0)
			continue;
		c->begin(&b);
		blob_add(&b, type, data, len);
		kt_check_ret(c->fire(&b), want,
			     "%s: type %#llx, %zu bytes of payload%s%s",
			     c->name, type, len, what ? ", " : "", what ?: "");
	}
}

/* types whose payload is zeroes here, and only its length is checked */
static const struct {
	u64 type;
	size_t good[4], bad[8];
} lengths[] = {
	{ KDBUS_ITEM_FDS, { 0 }, { 1, 2, 3, 5, 6, 7, 9 } },
	{ KDBUS_ITEM_BLOOM_PARAMETER, { 16 }, { 1, 8, 15, 17, 24, 32 } },
	{ KDBUS_ITEM_BLOOM_FILTER, { 8, 16, 72 }, { 1, 4, 7 } },
	{ KDBUS_ITEM_BLOOM_MASK, { 1, 7, 8, 100 }, { 0 } },
	{ KDBUS_ITEM_ATTACH_FLAGS, { 8 }, { 1, 4, 7, 9, 16 } },
	{ KDBUS_ITEM_ID, { 8 }, { 1, 4, 7, 9, 16 } },
	{ KDBUS_ITEM_TIMESTAMP, { 24 }, { 8, 16, 23, 25, 32 } },
	{ KDBUS_ITEM_CREDS, { 40 }, { 8, 32, 39, 41, 48 } },
	{ KDBUS_ITEM_AUXGROUPS, { 8, 16, 80 }, { 1, 4, 7, 9, 12 } },
	{ KDBUS_ITEM_AUDIT, { 16 }, { 1, 8, 15, 17, 24 } },
	{ KDBUS_ITEM_CAPS, { 1, 4, 33, 100 }, { 0 } },
	{ KDBUS_ITEM_POLICY_ACCESS, { 24 }, { 8, 16, 23, 25, 32 } },
	{ KDBUS_ITEM_ID_ADD, { 16 }, { 8, 15, 17, 24 } },
	{ KDBUS_ITEM_ID_REMOVE, { 16 }, { 8, 15, 17, 24 } },
	{ KDBUS_ITEM_NAME_ADD, { 32, 33 }, { 1, 8, 16, 31, 34, 40 } },
	{ KDBUS_ITEM_NAME_REMOVE, { 32, 33 }, { 1, 8, 16, 31, 34, 40 } },
	{ KDBUS_ITEM_NAME_CHANGE, { 32, 33 }, { 1, 8, 16, 31, 34, 40 } },
	{ KDBUS_ITEM_REPLY_TIMEOUT, { 0 }, { 1, 8, 16 } },
	{ KDBUS_ITEM_REPLY_DEAD, { 0 }, { 1, 8, 16 } },
	/* no command knows these */
	{ _KDBUS_ITEM_NULL, { 1, 8, 100 }, { 0 } },
	{ 0xb, { 1, 8, 100 }, { 0 } },
	{ 0xfff, { 1, 8, 100 }, { 0 } },
	{ 0x100e, { 1, 8, 100 }, { 0 } },
	{ 0x2001, { 1, 8, 100 }, { 0 } },
	{ 0x8007, { 1, 8, 100 }, { 0 } },
	{ (1ULL << 32) | KDBUS_ITEM_PAYLOAD_VEC, { 1, 8, 100 }, { 0 } },
	{ (1ULL << 32) | KDBUS_ITEM_MAKE_NAME, { 1, 8, 100 }, { 0 } },
	{ 1ULL << 63, { 1, 8, 100 }, { 0 } },
	{ ~0ULL, { 1, 8, 100 }, { 0 } },
};

START_TEST(payload_lengths)
{
	size_t i, j;

	carriers_prepare();
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (j = 0; j < 4 && lengths[i].good[j]; j++)
			try_payload(lengths[i].type, NULL, lengths[i].good[j],
				    0, NULL);
		for (j = 0; j < 8 && lengths[i].bad[j]; j++)
			try_payload(lengths[i].type, NULL, lengths[i].bad[j],
				    EINVAL, NULL);
	}
}
END_TEST

START_TEST(payload_vec)
{
	static const u64 types[] = { KDBUS_ITEM_PAYLOAD_VEC,
				     KDBUS_ITEM_PAYLOAD_OFF };
	static const size_t bad[] = { 1, 8, 15, 17, 24, 32 };
	u64 v[4] = { 8, 0, 8, 0 };
	size_t i, j;

	carriers_prepare();
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		for (j = 0; j < ARRAY_SIZE(bad); j++)
			try_payload(types[i], v, bad[j], EINVAL, "a vec");
		v[0] = 0;
		try_payload(types[i], v, 16, EINVAL, "vec of size 0");
		v[0] = 8;
		try_payload(types[i], v, 16, 0, "vec of size 8");
	}
}
END_TEST

START_TEST(payload_memfd)
{
	static const size_t bad[] = { 1, 8, 12, 15, 17, 24 };
	struct kdbus_memfd m[2] = { { .size = 1 }, { .size = 0 } };
	size_t j;

	carriers_prepare();
	for (j = 0; j < ARRAY_SIZE(bad); j++)
		try_payload(KDBUS_ITEM_PAYLOAD_MEMFD, m, bad[j], EINVAL, NULL);
	try_payload(KDBUS_ITEM_PAYLOAD_MEMFD, m, 16, 0, "fd 0");
	m[0].fd = -1;
	try_payload(KDBUS_ITEM_PAYLOAD_MEMFD, m, 16, EBADF, "fd -1");
	m[0].fd = INT_MIN;
	try_payload(KDBUS_ITEM_PAYLOAD_MEMFD, m, 16, EBADF, "fd INT_MIN");
	m[0].size = 0;
	try_payload(KDBUS_ITEM_PAYLOAD_MEMFD, m, 16, EINVAL,
		    "size 0, fd INT_MIN");
	m[0].fd = 0;
	try_payload(KDBUS_ITEM_PAYLOAD_MEMFD, m, 16, EINVAL, "size 0, fd 0");
}
END_TEST

/* a string as an array, so that it may hold NULs and end without one */
struct text {
	const char *bytes;
	size_t len;
	int err;
};

#define TEXT(s, err)	{ s, sizeof(s) - 1, err }	/* without final NUL */

static const char sixty_three[] =
	"a23456789b123456789c123456789d123456789e123456789f123456789g123";
static const char sixty_four[] =
	"a23456789b123456789c123456789d123456789e123456789f123456789g1234";

START_TEST(system_names)
{
	static const struct text texts[] = {
		TEXT("a\0", 0), TEXT("_\0", 0), TEXT("9\0", 0),
		TEXT("a-b\0", 0), TEXT("a.b\0", 0), TEXT("a..--b\0", 0),
		TEXT("_a_\0", 0), TEXT("AZaz09_\0", 0),
		TEXT("\0", EINVAL), TEXT("a", EINVAL), TEXT("ab", EINVAL),
		TEXT("abcdefgh", EINVAL), TEXT("\0\0", EINVAL),
		TEXT("a\0\0", EINVAL), TEXT("a\0b", EINVAL),
		TEXT("a\0b\0", EINVAL), TEXT("\0a\0", EINVAL),
		TEXT("-a\0", EINVAL), TEXT("a-\0", EINVAL),
		TEXT(".a\0", EINVAL), TEXT("a.\0", EINVAL),
		TEXT(".\0", EINVAL), TEXT("-\0", EINVAL), TEXT("..\0", EINVAL),
		TEXT("a b\0", EINVAL), TEXT("a/b\0", EINVAL),
		TEXT("a!b\0", EINVAL), TEXT("a\nb\0", EINVAL),
		TEXT("a:b\0", EINVAL), TEXT("a*\0", EINVAL),
		TEXT("\xe4\0", EINVAL), TEXT("a\xc3\xa4z\0", EINVAL),
	};
	static const u64 types[] = { KDBUS_ITEM_MAKE_NAME,
				     KDBUS_ITEM_CONN_NAME };
	char zeroes[100] = "";
	size_t i, j;

	carriers_prepare();
	kt_assert(strlen(sixty_three) == 63 && strlen(sixty_four) == 64,
		  "test bug");
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		for (j = 0; j < ARRAY_SIZE(texts); j++)
			try_payload(types[i], texts[j].bytes, texts[j].len,
				    texts[j].err, texts[j].bytes);
		try_payload(types[i], sixty_three, 64, 0, "63 bytes");
		try_payload(types[i], sixty_four, 65, ENAMETOOLONG,
			    "64 bytes");
		try_payload(types[i], sixty_four, 64, EINVAL,
			    "64 bytes without NUL");
		try_payload(types[i], zeroes, 65, ENAMETOOLONG, "65 NULs");
		try_payload(types[i], zeroes, 64, EINVAL, "64 NULs");
		try_payload(types[i], zeroes, 100, ENAMETOOLONG, "100 NULs");
	}
}
END_TEST

START_TEST(strings)
{
	static const struct text texts[] = {
		TEXT("\0", 0), TEXT("a\0", 0), TEXT("a.b\0", 0),
		TEXT("/some where/\xff else\0", 0),
		TEXT("a", EINVAL), TEXT("abcdefgh", EINVAL),
		TEXT("\0\0", EINVAL), TEXT("a\0\0", EINVAL),
		TEXT("a\0b", EINVAL), TEXT("a\0b\0", EINVAL),
		TEXT("\0a", EINVAL), TEXT("abcdefg\0\0", EINVAL),
	};
	static const u64 types[] = {
		KDBUS_ITEM_NAME, KDBUS_ITEM_DST_NAME, KDBUS_ITEM_PID_COMM,
		KDBUS_ITEM_TID_COMM, KDBUS_ITEM_EXE, KDBUS_ITEM_CMDLINE,
		KDBUS_ITEM_CGROUP, KDBUS_ITEM_SECLABEL,
	};
	size_t i, j;

	carriers_prepare();
	for (i = 0; i < ARRAY_SIZE(types); i++)
		for (j = 0; j < ARRAY_SIZE(texts); j++)
			try_payload(types[i], texts[j].bytes, texts[j].len,
				    texts[j].err, texts[j].bytes);
}
END_TEST

START_TEST(name_change_strings)
{
	static const struct text texts[] = {
		TEXT("\0", 0), TEXT("a\0", 0), TEXT("foo.bar\0", 0),
		TEXT("a", EINVAL), TEXT("foo.bar", EINVAL),
		TEXT("\0\0", EINVAL), TEXT("a\0\0", EINVAL),
		TEXT("a\0b", EINVAL), TEXT("a\0b\0", EINVAL),
	};
	static const u64 types[] = {
		KDBUS_ITEM_NAME_ADD, KDBUS_ITEM_NAME_REMOVE,
		KDBUS_ITEM_NAME_CHANGE,
	};
	char buf[64] = "";
	size_t i, j;

	carriers_prepare();
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		for (j = 0; j < ARRAY_SIZE(texts); j++) {
			memcpy(buf + 32, texts[j].bytes, texts[j].len);
			try_payload(types[i], buf, 32 + texts[j].len,
				    texts[j].err, texts[j].bytes);
		}
	}
}
END_TEST

KT_SUITE("item")
{
	kt_test(framing);
	kt_test(framing_wraps_to_start);
	kt_test(framing_at_end_of_memory);
	kt_test(padding_not_inspected);
	kt_test(many_items);
	kt_test(first_error_wins);
	kt_test(payload_lengths);
	kt_test(payload_vec);
	kt_test(payload_memfd);
	kt_test(system_names);
	kt_test(strings);
	kt_test(name_change_strings);
}
