// SPDX-License-Identifier: GPL-2.0-only
/* KDBUS_EXT_ATTACH: what is told with it */

#include <string.h>
#include <unistd.h>

#include "meta-util.h"

#define POOL	(256 * KIB)
#define EXT	((u64)KDBUS_EXT_ATTACH)
#define SEND	KDBUS_ITEM_ATTACH_FLAGS_SEND
#define NAME	"foo.bar"

static struct bus bus;
static struct conn a, b;	/* a sends */
static struct facts *facts;

static void offer_open(struct conn *c, u64 flags, u64 send)
{
	struct blob h;

	hello_init(&h, EXT | flags, POOL);
	if (flags & (ACT | HOLDER))
		blob_add_str(&h, KDBUS_ITEM_NAME, NAME);
	blob_add_str(&h, KDBUS_ITEM_CONN_NAME, "sender");
	blob_add(&h, SEND, &send, sizeof(send));
	conn_hello(c, &bus, &h);
}

static void bus_with(u64 type, u64 mask)
{
	struct blob m;

	bus.fd = open_control();
	bus_name(bus.name, sizeof(bus.name));
	bus_paths(&bus);
	make_std(&m, EXT | KDBUS_MAKE_ACCESS_WORLD, bus.name);
	blob_add(&m, type, &mask, sizeof(mask));
	kt_assert_ret(kt_cmd(bus.fd, KDBUS_CMD_BUS_MAKE, &m), 0, "BUS_MAKE");
}

static void prepare(u64 send, u64 mask)
{
	facts = facts_new();
	facts_now(facts);
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	offer_open(&a, 0, send);
	meta_open(&b, &bus, mask, NULL);
	kt_assert_ret(name_acquire(&a, "own.name", 0), 0, "acquire");
}

static void offer(struct conn *c, u64 send)
{
	struct blob u;

	update_init(&u, EXT);
	blob_add(&u, SEND, &send, sizeof(send));
	kt_assert_ret(update(c, &u), 0, "offer %#llx", send);
}

static void expect(struct conn *to, u64 cookie, u64 mask)
{
	facts_recv(facts, to, cookie, mask & TASK, mask & ALL & ~TASK);
}

START_TEST(both_masks)
{
	u32 state = kt_seed;
	int i;

	prepare(0, 0);
	for (i = 0; i < 150; i++) {
		u64 send = kt_rand(&state) & ALL, recv = kt_rand(&state);

		if (i < 26) {
			send = i < 13 ? 1ULL << i : ALL & ~(1ULL << (i - 13));
			recv = ALL;
		}
		offer(&a, send);
		update_mask(&b, recv);
		send_ok(&a, &b, i);
		expect(&b, i, send & recv);
	}
	offer(&a, ~0ULL);
	update_mask(&b, ~0ULL);
	send_ok(&a, &b, i);
	expect(&b, i, ALL);
}
END_TEST

START_TEST(from_hello)
{
	static const u64 sends[] = { 0, ALL, ~0ULL, CREDS, STAMP | NAMES };
	struct conn c;
	size_t i;

	prepare(ALL, ALL);
	for (i = 0; i < ARRAY_SIZE(sends); i++) {
		offer_open(&c, 0, sends[i]);
		send_ok(&c, &b, i);
		expect(&b, i, sends[i] & ~NAMES & ALL);
	}
}
END_TEST

/* who says nothing offers all, with the flag and without */
START_TEST(by_default)
{
	struct blob h;
	struct conn c;

	prepare(ALL, ALL);
	hello_init(&h, EXT, POOL);
	conn_hello(&c, &bus, &h);
	send_ok(&c, &b, 1);
	expect(&b, 1, TASK | STAMP);
	update_init(&h, EXT);
	kt_check_ret(update(&c, &h), 0, "update without items");
	send_ok(&c, &b, 2);
	expect(&b, 2, TASK | STAMP);
	meta_open(&c, &bus, 0, NULL);
	send_ok(&c, &b, 3);
	expect(&b, 3, TASK | STAMP);
	/* a connection of version 1 may change its mind */
	offer(&c, STAMP);
	send_ok(&c, &b, 4);
	expect(&b, 4, STAMP);
	/* which an update of version 1 does not undo */
	update_mask(&c, ALL);
	send_ok(&c, &b, 5);
	expect(&b, 5, STAMP);
}
END_TEST

/* messages that wait stay what they are */
START_TEST(from_now_on)
{
	prepare(CREDS | STAMP, ALL);
	send_ok(&a, &b, 1);
	offer(&a, 0);
	send_ok(&a, &b, 2);
	offer(&a, ALL);
	send_ok(&a, &b, 3);
	offer(&a, 0);
	expect(&b, 1, CREDS | STAMP);
	expect(&b, 2, 0);
	expect(&b, 3, ALL);
}
END_TEST

START_TEST(every_receiver)
{
	static const u64 masks[] = { 0, ALL, CREDS, STAMP | CAPS, EXE, NAMES };
	struct conn c[ARRAY_SIZE(masks)], mon;
	const u64 send = CREDS | CAPS | NAMES;
	size_t i;

	prepare(send, ALL);
	meta_special(&mon, &bus, MON, ALL & ~CAPS, NULL);
	for (i = 0; i < ARRAY_SIZE(masks); i++) {
		meta_open(&c[i], &bus, masks[i], NULL);
		match_all(&c[i]);
	}
	for (i = 0; i < ARRAY_SIZE(masks); i++)
		conn_drain(&c[i]);
	kt_assert_ret(cast(&a, 1), 0, "broadcast");
	for (i = 0; i < ARRAY_SIZE(masks); i++)
		expect(&c[i], 1, send & masks[i]);
	send_ok(&a, &b, 2);
	expect(&b, 2, send);
	expect(&mon, 2, CREDS | NAMES);
	/* the mask is about what is sent, not about what is received */
	update_mask(&a, ALL);
	send_ok(&b, &a, 3);
	expect(&a, 3, TASK | STAMP);
}
END_TEST

START_TEST(replies)
{
	struct call call;
	struct meta m;

	prepare(CREDS | STAMP, ALL);
	call_start(&call, &b, a.id, 6, NEVER);
	expect_msg(&a, 6, 0);
	kt_assert_ret(reply(&a, b.id, 6), 0, "reply");
	kt_assert_ret(call_end(&call), 0, "synchronous request");
	meta_of_msg(&m, conn_msg(&b, call.m.msg.offset_reply));
	facts_expect(facts, &m, CREDS, STAMP, "reply");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* CONN_INFO, BUS_CREATOR_INFO */

static void check_info(struct conn *of, u64 send, u64 ask)
{
	struct meta m;

	conn_info_meta(&b, of->id, ask, &m);
	facts_expect(facts, &m, RECORD & send,
		     send & ask & (NAMES | CONN_NAME), "CONN_INFO");
}

START_TEST(conn_info_tells)
{
	u32 state = kt_seed;
	int i;

	prepare(0, 0);
	for (i = 0; i < 60; i++) {
		u64 send = kt_rand(&state) & ALL, ask = kt_rand(&state) & ALL;

		if (i < 26) {
			send = i < 13 ? 1ULL << i : ALL & ~(1ULL << (i - 13));
			ask = ALL;
		}
		offer(&a, send);
		check_info(&a, send, ask);
	}
	offer(&a, ALL);
	check_info(&a, ALL, 0);
	/* about itself as well */
	offer(&a, CREDS);
	offer(&b, EXE);
	check_info(&a, CREDS, ALL);
	{
		struct meta m;

		conn_info_meta(&b, b.id, ALL, &m);
		facts_expect(facts, &m, EXE, 0, "itself");
	}
}
END_TEST

START_TEST(conn_info_of_special)
{
	static const u64 flags[] = { ACT, HOLDER, MON };
	struct conn c;
	size_t i;

	prepare(0, 0);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		struct meta m;

		offer_open(&c, flags[i], CREDS | CONN_NAME);
		conn_info_meta(&b, c.id, ALL, &m);
		facts_expect(facts, &m, CREDS, CONN_NAME, "special");
		conn_close(&c);
	}
}
END_TEST

START_TEST(creator_info_tells)
{
	u32 state = kt_seed;
	struct meta m;
	int i;

	facts = facts_new();
	facts_now(facts);
	for (i = 0; i < 30; i++) {
		u64 own = i < 13 ? 1ULL << i : kt_rand(&state) & ALL;

		if (i == 13)
			own = 0;
		bus_with(KDBUS_ITEM_ATTACH_FLAGS_OWNER, i == 14 ? ~0ULL : own);
		if (i == 14)
			own = ALL;
		meta_open(&b, &bus, 0, NULL);
		creator_info_meta(&b, i & 1 ? ALL : 0, &m);
		facts_expect(facts, &m, RECORD & own, 0, "creator");
		/* it says nothing about connections of the creator */
		check_info(&b, ALL, 0);
		conn_close(&b);
		bus_close(&bus);
	}
	/* all by default, whatever is demanded of others */
	bus_with(KDBUS_ITEM_ATTACH_FLAGS_REQUIRED, STAMP);
	meta_open(&b, &bus, 0, NULL);
	creator_info_meta(&b, 0, &m);
	facts_expect(facts, &m, RECORD, 0, "default");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* CONN_UPDATE against the demand of the bus */

static int try_update(struct conn *c, u64 send, u64 recv)
{
	struct blob u;

	update_init(&u, EXT);
	update_add_mask(&u, recv);
	blob_add(&u, SEND, &send, sizeof(send));
	return update(c, &u);
}

START_TEST(update_demanded)
{
	facts = facts_new();
	facts_now(facts);
	bus_with(KDBUS_ITEM_ATTACH_FLAGS_REQUIRED, CREDS | STAMP);
	offer_open(&a, 0, CREDS | STAMP | CAPS);
	meta_open(&b, &bus, ALL, NULL);
	kt_check_ret(try_update(&a, 0, 0), -EINVAL, "nothing");
	kt_check_ret(try_update(&a, CREDS, 0), -EINVAL, "half of it");
	kt_check_ret(try_update(&a, ALL & ~STAMP, 0), -EINVAL, "all but one");
	kt_check_ret(try_update(&a, CREDS | STAMP | 1ULL << 13, 0), -EINVAL,
		     "unknown");
	send_ok(&a, &b, 1);
	expect(&b, 1, CREDS | STAMP | CAPS);
	kt_check_ret(try_update(&a, CREDS | STAMP, 0), 0, "enough");
	send_ok(&a, &b, 2);
	expect(&b, 2, CREDS | STAMP);
	kt_check_ret(try_update(&a, ~0ULL, 0), 0, "~0");
	send_ok(&a, &b, 3);
	expect(&b, 3, TASK | STAMP | CONN_NAME);
	/* without the flag nothing is judged */
	{
		u64 none = 0;
		struct blob u;

		update_init(&u, 0);
		blob_add(&u, SEND, &none, sizeof(none));
		kt_check_ret(update(&a, &u), 0, "version 1");
	}
}
END_TEST

/* a refused update leaves both masks, in whatever order they come */
START_TEST(update_refused)
{
	struct blob u;
	u64 bad = CAPS;

	facts = facts_new();
	facts_now(facts);
	bus_with(KDBUS_ITEM_ATTACH_FLAGS_REQUIRED, CREDS);
	offer_open(&a, 0, CREDS | STAMP);
	meta_open(&b, &bus, CREDS | STAMP, NULL);
	kt_check_ret(try_update(&b, CAPS, ALL), -EINVAL, "receive, send");
	update_init(&u, EXT);
	blob_add(&u, SEND, &bad, sizeof(bad));
	update_add_mask(&u, ALL);
	kt_check_ret(update(&b, &u), -EINVAL, "send, receive");
	update_init(&u, EXT);
	bad = CREDS;
	blob_add(&u, SEND, &bad, sizeof(bad));
	blob_add_str(&u, KDBUS_ITEM_NAME, NAME);
	kt_check_ret(update(&a, &u), -EOPNOTSUPP, "with a name");
	send_ok(&a, &b, 1);
	expect(&b, 1, CREDS | STAMP);
}
END_TEST

START_TEST(update_types)
{
	static const struct {
		u64 flags;
		int err;
	} rows[] = {
		{ 0, 0 }, { MON, 0 }, { ACT, EOPNOTSUPP },
		{ HOLDER, EOPNOTSUPP },
	};
	struct conn c;
	struct blob u;
	u64 all = ALL;
	size_t i;

	prepare(0, 0);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		offer_open(&c, rows[i].flags, ALL);
		update_init(&u, EXT);
		blob_add(&u, SEND, &all, sizeof(all));
		kt_check_ret(update(&c, &u), -rows[i].err, "flags %#llx",
			     rows[i].flags);
		/* version 1 ignores it, where it may be called at all */
		update_init(&u, 0);
		blob_add(&u, SEND, &all, sizeof(all));
		kt_check_ret(update(&c, &u),
			     rows[i].flags == ACT ? -EOPNOTSUPP : 0,
			     "flags %#llx, version 1", rows[i].flags);
		conn_close(&c);
	}
}
END_TEST

KT_SUITE("attach-use")
{
	kt_test(both_masks);
	kt_test(from_hello);
	kt_test(by_default);
	kt_test(from_now_on);
	kt_test(every_receiver);
	kt_test(replies);
	kt_test(conn_info_tells);
	kt_test(conn_info_of_special);
	kt_test(creator_info_tells);
	kt_test(update_demanded);
	kt_test(update_refused);
	kt_test(update_types);
}
