// SPDX-License-Identifier: GPL-2.0-only
/* What a message looks like in the pool of its receiver, byte for byte */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util.h"

#define POOL	(1 * MIB)

/* v: vec, n: NUL vec, m: memfd, i: ignored item */
struct part {
	char kind;
	u32 size;
};

static struct bus bus;
static struct conn a, b;
static u8 source[1 * MIB];
static u8 expected[1 * MIB];
static int memfd;

static void prepare(void)
{
	bus_make(&bus, 0);
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, POOL);
	kt_fill(source, sizeof(source), 77);
	memfd = kt_memfd(64 * KIB, KT_SEALS, 0);
}

/* leave garbage in the pool, so that what is not written shows */
static void dirty_pool(void)
{
	static u8 ones[POOL / 2];
	int i;

	memset(ones, 0xff, sizeof(ones));
	for (i = 0; i < 3; i++)
		kt_assert_ret(conn_send_want(&a, b.id, ones, POOL >> (i + 1)),
			      0, "garbage");
	kt_assert(conn_drain(&b) == 3, "garbage was not delivered");
}

static u8 *part_source(size_t i)
{
	return source + i * 37;		/* any alignment */
}

static void build(struct blob *m, const struct part *parts, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		switch (parts[i].kind) {
		case 'v':
			msg_vec(m, part_source(i), parts[i].size);
			break;
		case 'n':
			msg_vec_at(m, 0, parts[i].size);
			break;
		case 'm':
			msg_memfd(m, memfd, parts[i].size);
			break;
		default:
			memset(blob_add(m, KT_ITEM_IGNORED, NULL,
					parts[i].size)->data, 0xcc,
			       parts[i].size);
		}
	}
}

static int lowest_fd(void)
{
	int fd = fcntl(0, F_DUPFD, 0);

	kt_assert(fd >= 0, "F_DUPFD: %m");
	close(fd);
	return fd;
}

/* returns the number of bytes of the expected image */
static size_t expect(const struct kdbus_msg *sent, const struct part *parts,
		     size_t n, bool peek)
{
	struct kdbus_msg *m = (void *)expected;
	size_t i, items = 0, data;
	int fd = lowest_fd();
	struct kdbus_item *item;

	for (i = 0; i < n; i++)
		items += parts[i].kind != 'i';
	data = sizeof(*m) + items * 32;
	memset(expected, 0, data);
	memcpy(m, sent, sizeof(*m));
	m->size = data;
	m->src_id = a.id;
	m->kernel_flags = 0;
	item = m->items;
	for (i = 0; i < n; i++) {
		u32 size = parts[i].size;

		if (parts[i].kind == 'i')
			continue;
		item->size = 32;
		item->type = KDBUS_ITEM_PAYLOAD_OFF;
		item->vec.size = size;
		item->vec.offset = data;
		if (parts[i].kind == 'v') {
			memcpy(expected + data, part_source(i), size);
			data += size;
		} else if (parts[i].kind == 'n') {
			item->vec.offset = ~0ULL;
			memset(expected + data, 0, size % 8);
			data += size % 8;
		} else {
			item->type = KDBUS_ITEM_PAYLOAD_MEMFD;
			item->memfd.size = size;
			item->memfd.fd = peek ? -1 : fd++;
			item->memfd.__pad = 0;
		}
		item = (void *)((u8 *)item + 32);
	}
	return data;
}

static void compare(u64 off, size_t size, const char *what, size_t number)
{
	const u8 *got = b.pool + off;
	size_t i;

	kt_assert(size <= b.pool_size - off, "%s %zu: does not fit the pool",
		  what, number);
	for (i = 0; i < size; i++) {
		if (got[i] == expected[i])
			continue;
		kt_check(false, "%s %zu: byte %zu of %zu is %#x, expected %#x",
			 what, number, i, size, got[i], expected[i]);
		return;
	}
}

static void close_from(int first, size_t n)
{
	while (n--)
		close(first++);
}

static void try_layout(struct blob *m, const struct part *parts, size_t n,
		       const char *what, size_t number)
{
	size_t size, i, memfds = 0;
	u64 off, peeked;
	int first;

	build(m, parts, n);
	kt_assert_ret(conn_send(&a, m), 0, "%s %zu: send", what, number);
	size = expect(&m->msg, parts, n, true);
	kt_assert_ret(conn_recv_flags(&b, KDBUS_RECV_PEEK, &peeked), 0,
		      "%s %zu: peek", what, number);
	compare(peeked, size, what, number);
	first = lowest_fd();
	size = expect(&m->msg, parts, n, false);
	kt_assert_ret(conn_recv(&b, &off), 0, "%s %zu: recv", what, number);
	kt_check(off == peeked, "%s %zu: peek said %llu, recv %llu", what,
		 number, peeked, off);
	compare(off, size, what, number);
	for (i = 0; i < n; i++)
		memfds += parts[i].kind == 'm';
	close_from(first, memfds);
	kt_assert_ret(conn_free(&b, off), 0, "free");
}

static const struct {
	size_t n;
	struct part parts[8];
} layouts[] = {
	{ 0, { { 0, 0 } } },
	{ 1, { { 'i', 9 } } },
	{ 1, { { 'v', 1 } } },
	{ 1, { { 'v', 7 } } },
	{ 1, { { 'v', 8 } } },
	{ 1, { { 'v', 4096 } } },
	{ 1, { { 'v', 5000 } } },
	{ 1, { { 'v', 300000 } } },
	{ 1, { { 'n', 1 } } },
	{ 1, { { 'n', 7 } } },
	{ 1, { { 'n', 8 } } },
	{ 1, { { 'n', 4096 } } },
	{ 1, { { 'n', 2097151 } } },
	{ 1, { { 'n', 2097152 } } },
	{ 1, { { 'm', 1 } } },
	{ 1, { { 'm', 65536 } } },
	{ 2, { { 'm', 5 }, { 'm', 6 } } },
	{ 2, { { 'v', 3 }, { 'v', 5 } } },
	{ 3, { { 'v', 1 }, { 'v', 1 }, { 'v', 1 } } },
	{ 3, { { 'v', 13 }, { 'n', 3 }, { 'v', 13 } } },
	{ 3, { { 'v', 8 }, { 'n', 16 }, { 'v', 8 } } },
	{ 3, { { 'n', 5 }, { 'v', 3 }, { 'n', 5 } } },
	{ 3, { { 'n', 7 }, { 'n', 7 }, { 'v', 7 } } },
	{ 3, { { 'v', 5 }, { 'm', 7 }, { 'v', 5 } } },
	{ 3, { { 'm', 7 }, { 'v', 5 }, { 'm', 9 } } },
	{ 4, { { 'i', 1 }, { 'v', 3 }, { 'i', 100 }, { 'v', 4 } } },
	{ 4, { { 'v', 4095 }, { 'v', 1 }, { 'v', 4096 }, { 'v', 1 } } },
	{ 5, { { 'v', 3000 }, { 'n', 2001 }, { 'm', 12 }, { 'n', 70003 },
	       { 'v', 3000 } } },
	{ 8, { { 'i', 3 }, { 'm', 1 }, { 'n', 9 }, { 'v', 100 }, { 'm', 2 },
	       { 'n', 10 }, { 'v', 10000 }, { 'i', 8 } } },
};

START_TEST(parts)
{
	struct blob m;
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(layouts); i++) {
		dirty_pool();
		msg_init(&m, b.id, i);
		try_layout(&m, layouts[i].parts, layouts[i].n, "layout", i);
	}
}
END_TEST

/* header members, each with a value of its own in every byte */
START_TEST(header)
{
	static const struct part part = { 'v', 11 };
	static const __s64 priorities[] = {
		0, 1, -1, 0x7fffffffffffffffLL, -0x7fffffffffffffffLL - 1,
	};
	struct blob m;
	size_t i;

	prepare();
	dirty_pool();
	for (i = 0; i < ARRAY_SIZE(priorities); i++) {
		msg_init(&m, b.id, 0x1122334455667788ULL);
		m.msg.flags = KDBUS_MSG_FLAGS_NO_AUTO_START;
		m.msg.kernel_flags = 0xaaaaaaaaaaaaaaaaULL;
		m.msg.priority = priorities[i];
		m.msg.payload_type = 0x99aabbccddeeff00ULL;
		m.msg.cookie_reply = 0x1020304050607080ULL;
		m.msg.src_id = i & 1 ? a.id : 0;
		try_layout(&m, &part, 1, "priority", i);
	}
}
END_TEST

/* the size the sender gave does not count, with or without padding */
START_TEST(size_is_padded)
{
	struct blob m;
	u64 off;

	prepare();
	msg_init(&m, b.id, 1);
	msg_vec(&m, source, 5);
	blob_add(&m, KT_ITEM_IGNORED, NULL, 5);
	m.size -= 3;
	kt_assert_ret(conn_send(&a, &m), 0, "send");
	kt_check(conn_recv_msg(&b, &off)->size == 104, "size %llu",
		 conn_msg(&b, off)->size);
}
END_TEST

/* metadata-like items of the sender are not forwarded */
START_TEST(forged_metadata)
{
	static const struct {
		u64 type;
		size_t len;
	} items[] = {
		{ KDBUS_ITEM_CREDS, 40 }, { KDBUS_ITEM_TIMESTAMP, 24 },
		{ KDBUS_ITEM_ID, 8 }, { KDBUS_ITEM_AUDIT, 16 },
		{ KDBUS_ITEM_AUXGROUPS, 8 }, { KDBUS_ITEM_CAPS, 36 },
		{ KDBUS_ITEM_ID_ADD, 16 }, { KDBUS_ITEM_NAME_ADD, 32 },
		{ KDBUS_ITEM_PAYLOAD_OFF, 16 }, { KDBUS_ITEM_ATTACH_FLAGS, 8 },
		{ KDBUS_ITEM_BLOOM_MASK, 8 }, { KDBUS_ITEM_POLICY_ACCESS, 24 },
	};
	struct kdbus_item *item;
	struct blob m;
	size_t i;
	u64 off;

	prepare();
	msg_init(&m, b.id, 1);
	blob_add_str(&m, KDBUS_ITEM_SECLABEL, "forged");
	blob_add_str(&m, KDBUS_ITEM_EXE, "/bin/forged");
	blob_add_str(&m, KDBUS_ITEM_CONN_NAME, "forged");
	for (i = 0; i < ARRAY_SIZE(items); i++) {
		item = blob_add(&m, items[i].type, NULL, items[i].len);
		memset(item->data, 1, items[i].len);
		/* its size has to be one that every kernel has a number for */
		if (items[i].type == KDBUS_ITEM_PAYLOAD_OFF)
			item->vec.size = 0x01010101;
	}
	kt_assert_ret(conn_send(&a, &m), 0, "send");
	kt_check(conn_recv_msg(&b, &off)->size == 72, "size %llu",
		 conn_msg(&b, off)->size);
}
END_TEST

START_TEST(most_items)
{
	struct part parts[KT_MSG_MAX_ITEMS];
	struct blob m;
	size_t i;

	prepare();
	dirty_pool();
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		parts[i].kind = "vnvm"[i % 4];
		parts[i].size = 1 + i * 5;
	}
	msg_init(&m, b.id, 1);
	try_layout(&m, parts, ARRAY_SIZE(parts), "parts", i);
}
END_TEST

START_TEST(random_parts)
{
	struct part parts[KT_MSG_MAX_ITEMS];
	u32 rnd = kt_seed;
	int round;

	prepare();
	dirty_pool();
	for (round = 0; round < 300; round++) {
		size_t n = kt_rand(&rnd) % 20, i;
		struct blob m;

		for (i = 0; i < n; i++) {
			parts[i].kind = "vvvnmi"[kt_rand(&rnd) % 6];
			parts[i].size = 1 + kt_rand(&rnd) % 9000;
			if (parts[i].kind == 'i')
				parts[i].size = 1 + parts[i].size % 50;
		}
		msg_init(&m, b.id, round);
		try_layout(&m, parts, n, "random", round);
	}
}
END_TEST

KT_SUITE("layout")
{
	kt_test(parts);
	kt_test(header);
	kt_test(size_is_padded);
	kt_test(forged_metadata);
	kt_test(most_items);
	kt_test(random_parts);
}
