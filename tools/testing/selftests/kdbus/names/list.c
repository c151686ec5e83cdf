// SPDX-License-Identifier: GPL-2.0-only
/* NAME_LIST, byte by byte */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"

#define POOL	(64 * KIB)
#define UNIQUE	KDBUS_NAME_LIST_UNIQUE
#define NAMES	KDBUS_NAME_LIST_NAMES
#define ACTS	KDBUS_NAME_LIST_ACTIVATORS
#define QUEUED	KDBUS_NAME_LIST_QUEUED

/*
 * me: asks, owns nothing; owner: owns "foo.bla.blaz" (with activator `act'),
 * and "x.y"; waiter: waits for "x.y"; idle: "a.lonely" belongs to this
 * activator; mon: a monitor
 */
static struct bus bus;
static struct conn me, owner, waiter, act, idle, mon;

static void prepare(void)
{
	bus_make(&bus, 0);
	conn_open(&me, &bus, POOL);
	kt_assert_ret(conn_try_open(&owner, &bus, KDBUS_HELLO_ACCEPT_FD, POOL),
		      0, "HELLO");
	conn_open(&waiter, &bus, POOL);
	kt_assert_ret(name_acquire(&owner, "foo.bla.blaz", ALLOW), 0, "name");
	kt_assert_ret(name_acquire(&owner, "x.y", 0), 0, "name");
	kt_assert_ret(name_acquire(&waiter, "x.y", QUEUE | ALLOW), 0, "name");
	activator_open(&act, &bus, 0, "foo.bla.blaz", POOL);
	activator_open(&idle, &bus, KDBUS_HELLO_ACCEPT_FD, "a.lonely", POOL);
	kt_assert_ret(special_try_open(&mon, &bus, KDBUS_HELLO_MONITOR, NULL,
				       POOL), 0, "HELLO of a monitor");
}

struct record {
	u64 id, conn_flags, flags;
	const char *name;
};

/* byte exact: is there a record like this at @at? */
static bool record_is(const u8 *at, const struct record *r)
{
	u64 head[6] = { 32, r->flags, r->conn_flags, r->id };
	size_t n = r->name ? strlen(r->name) + 1 : 0;

	if (!r->name)
		return !memcmp(at, head, 32);
	head[0] = 32 + ALIGN8(HDR + n);
	head[4] = HDR + n;
	head[5] = KDBUS_ITEM_NAME;
	return !memcmp(at, head, 48) && !memcmp(at + 48, r->name, n) &&
	       kt_zero(at + 48 + n, ALIGN8(n) - n);
}

static unsigned int count_like(const u8 *list, const struct record *r)
{
	u64 at, size = *(const u64 *)list;
	unsigned int n = 0;

	for (at = 8; at < size; at += ALIGN8(*(const u64 *)(list + at)))
		n += record_is(list + at, r);
	return n;
}

static unsigned int count_all(const u8 *list)
{
	u64 at, size = *(const u64 *)list, record;
	unsigned int n = 0;

	for (at = 8; at < size; at += ALIGN8(record), n++) {
		record = *(const u64 *)(list + at);
		kt_assert(record >= 32 && record <= size - at,
			  "record of %llu bytes at %llu of %llu", record, at,
			  size);
	}
	kt_check(at == size, "records end at %llu of %llu", at, size);
	return n;
}

static unsigned int add(struct record *r, unsigned int n, u64 id,
			u64 conn_flags, u64 flags, const char *name)
{
	r[n] = (struct record){
		.id = id, .conn_flags = conn_flags, .flags = flags,
		.name = name,
	};
	return n + 1;
}

/* what section 3.7 says there is */
static unsigned int expected(struct record *r, u64 f)
{
	const u64 activator = KDBUS_HELLO_ACTIVATOR;
	unsigned int n = 0, was;

	if (f & UNIQUE)
		n = add(r, n, me.id, 0, 0, NULL);
	was = n;
	if (f & ACTS)
		n = add(r, n, act.id, activator, KDBUS_NAME_ACTIVATOR,
			"foo.bla.blaz");
	if (f & NAMES)
		n = add(r, n, owner.id, KDBUS_HELLO_ACCEPT_FD, ALLOW,
			"foo.bla.blaz");
	if (f & NAMES)
		n = add(r, n, owner.id, KDBUS_HELLO_ACCEPT_FD, 0, "x.y");
	if (n == was && (f & UNIQUE))
		n = add(r, n, owner.id, KDBUS_HELLO_ACCEPT_FD, 0, NULL);
	if (f & QUEUED)
		n = add(r, n, waiter.id, 0, QUEUE | ALLOW | IN_QUEUE, "x.y");
	else if (f & UNIQUE)
		n = add(r, n, waiter.id, 0, 0, NULL);
	if (f & ACTS)
		n = add(r, n, idle.id, activator | KDBUS_HELLO_ACCEPT_FD,
			KDBUS_NAME_ACTIVATOR, "a.lonely");
	/* this one owns nothing at the moment */
	if ((f & ACTS) && (f & UNIQUE))
		n = add(r, n, act.id, activator, 0, NULL);
	if (f & UNIQUE)
		n = add(r, n, mon.id, KDBUS_HELLO_MONITOR, 0, NULL);
	return n;
}

static void check_list(struct conn *asks, u64 flags)
{
	struct record want[16];
	unsigned int n = expected(want, flags), i;
	u64 off;

	kt_assert_ret(name_list(asks, flags, &off), 0, "flags %#llx", flags);
	kt_assert(!(off & 7) && off < asks->pool_size, "offset %llu", off);
	kt_check(count_all(asks->pool + off) == n,
		 "flags %#llx: %u records, not %u", flags,
		 count_all(asks->pool + off), n);
	for (i = 0; i < n; i++)
		kt_check(count_like(asks->pool + off, &want[i]) == 1,
			 "flags %#llx: record of %llu, %s", flags, want[i].id,
			 want[i].name ?: "unique");
	if (asks == &me) {
		kt_check_ret(conn_free(asks, off), 0, "FREE");
		kt_check(pool_used(asks) == 0, "pool");
	}
}

START_TEST(every_combination)
{
	u64 f;

	prepare();
	for (f = 0; f < 16; f++)
		check_list(&me, f);
}
END_TEST

/* any kind of connection may ask */
START_TEST(special_may_ask)
{
	prepare();
	check_list(&mon, UNIQUE | NAMES | ACTS | QUEUED);
	check_list(&act, UNIQUE | NAMES | ACTS | QUEUED);
	check_list(&owner, UNIQUE | NAMES);
}
END_TEST

START_TEST(empty_list)
{
	u64 off;

	prepare();
	kt_assert_ret(name_list(&me, 0, &off), 0, "NAME_LIST");
	kt_check(*(const u64 *)(me.pool + off) == 8, "size");
	kt_check(pool_used(&me) == 8, "pool");
}
END_TEST

START_TEST(errors)
{
	struct kdbus_cmd_name_list cmd = { 0 };
	int bit;

	prepare();
	for (bit = 0; bit < 64; bit++) {
		cmd.flags = 1ULL << bit;
		cmd.kernel_flags = 0;
		kt_check_ret(kt_cmd(me.fd, KDBUS_CMD_NAME_LIST, &cmd),
			     bit < 4 ? 0 : -EINVAL, "flag %d", bit);
		kt_check(cmd.kernel_flags == (0xf | KDBUS_FLAG_KERNEL),
			 "kernel_flags %#llx", cmd.kernel_flags);
		kt_check(cmd.flags == 1ULL << bit, "flags %#llx", cmd.flags);
		if (bit < 4)
			kt_check_ret(conn_free(&me, cmd.offset), 0, "FREE");
	}
	cmd.flags = 0;
	kt_check_ret(kt_cmd(me.fd, KDBUS_CMD_NAME_LIST, (u8 *)&cmd + 4),
		     -EFAULT, "unaligned");
	kt_check_ret(kt_cmd(me.fd, KDBUS_CMD_NAME_LIST, kt_unmapped()),
		     -EFAULT, "unmapped");
	kt_check_ret(kt_cmd(open_endpoint(&bus), KDBUS_CMD_NAME_LIST, &cmd),
		     -ENOTTY, "not connected");
	/* the offset cannot be stored: nothing stays in the pool */
	kt_check_ret(kt_cmd(me.fd, KDBUS_CMD_NAME_LIST,
			    kt_half_ro(&cmd, sizeof(cmd), 16)), -EFAULT,
		     "offset not writable");
	kt_check(pool_used(&me) == 0, "pool");
	bus_close(&bus);
	kt_check_ret(kt_cmd(me.fd, KDBUS_CMD_NAME_LIST, NULL), -ECONNRESET,
		     "disconnected");
}
END_TEST

/* it only has to fit; the half rule is for messages */
START_TEST(no_space)
{
	struct conn small;
	static u8 bytes[2048];
	u64 off;
	int n = 0;

	prepare();
	conn_open(&small, &bus, KT_PAGE);
	kt_assert_ret(conn_send_want(&me, small.id, bytes, 2048), 0, "send");
	kt_assert_ret(conn_send_want(&me, small.id, bytes, 1024), 0, "send");
	kt_assert_ret(conn_send_want(&me, small.id, bytes, 512), 0, "send");
	/* 512 bytes left: 8 + 32 each of five that own no name */
	while (n < 10 && !name_list(&small, UNIQUE, &off))
		n++;
	kt_check(n == 3, "%d lists of 168 bytes in 512", n);
	kt_check_ret(name_list(&small, UNIQUE, &off), -ENOBUFS, "no space");
	kt_check_ret(name_list(&small, 0, &off), 0, "empty list");
}
END_TEST

KT_SUITE("name-list")
{
	kt_test(every_combination);
	kt_test(special_may_ask);
	kt_test(empty_list);
	kt_test(errors);
	kt_test(no_space);
}
