// SPDX-License-Identifier: GPL-2.0-only
/* Faked credentials: a connection that speaks for somebody else */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "meta-util.h"

#define POOL	(64 * KIB)
#define NAME	"foo.bar"
#define OWNER	20251
#define USER	20252

static struct bus bus;
static struct conn a, b;	/* a is faked */

static const struct kdbus_creds fake = {
	.uid = 11, .gid = 22, .pid = 33, .tid = 44, .starttime = 55,
};

static const char label[] = "some_u:some_r:label";

static void fake_init(struct blob *h, u64 kinds)
{
	hello_init(h, 0, POOL);
	if (kinds & CREDS)
		blob_add(h, KDBUS_ITEM_CREDS, &fake, sizeof(fake));
	if (kinds & SECLABEL)
		blob_add_str(h, KDBUS_ITEM_SECLABEL, label);
	blob_add_str(h, KDBUS_ITEM_CONN_NAME, "proxy");
}

static void fake_open(struct conn *c, u64 kinds)
{
	struct blob h;

	fake_init(&h, kinds);
	conn_hello(c, &bus, &h);
}

static void prepare(u64 kinds, u64 mask)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	fake_open(&a, kinds);
	meta_open(&b, &bus, mask, NULL);
}

static void check(const struct meta *m, u64 bits)
{
	const struct kdbus_item *i;

	meta_expect_bits(m, bits, "faked");
	i = meta_find(m, KDBUS_ITEM_CREDS, 0);
	if (i)
		kt_check(i->size == HDR + sizeof(fake) &&
			 !memcmp(&i->creds, &fake, sizeof(fake)),
			 "credentials changed");
	i = meta_find(m, KDBUS_ITEM_SECLABEL, 0);
	if (i)
		kt_check(i->size == HDR + sizeof(label) &&
			 !memcmp(i->str, label, sizeof(label)),
			 "label of size %llu: \"%s\"", i->size, i->str);
	i = meta_find(m, KDBUS_ITEM_CONN_NAME, 0);
	if (i)
		kt_check(!strcmp(i->str, "proxy"), "name \"%s\"", i->str);
}

static void expect(struct conn *to, u64 cookie, u64 bits)
{
	const struct kdbus_msg *msg;
	struct meta m;

	msg = meta_recv(to, cookie, &m);
	check(&m, bits);
	kt_check_ret(conn_free(to, (const u8 *)msg - to->pool), 0, "FREE");
}

/* ------------------------------------------------------------------------ */

static int try_kinds(uid_t uid, u64 kinds)
{
	struct blob h;
	struct conn c;
	int ret;

	kt_become(uid);
	fake_init(&h, kinds);
	ret = conn_try_hello(&c, &bus, -1, &h);
	if (!ret)
		conn_close(&c);
	kt_become(0);
	return ret;
}

START_TEST(privilege)
{
	static const u64 kinds[] = { CREDS, SECLABEL, CREDS | SECLABEL };
	size_t i;

	kt_become(OWNER);
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	kt_become(0);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		kt_check_ret(try_kinds(0, kinds[i]), 0, "root");
		kt_check_ret(try_kinds(OWNER, kinds[i]), 0, "owner");
		kt_check_ret(try_kinds(USER, kinds[i]), -EPERM, "user");
	}
	kt_check_ret(try_kinds(USER, 0), 0, "user, without");
	/* of the caller, not of who opened the node */
	{
		int fd = open_endpoint(&bus);
		struct blob h;
		struct conn c;

		fake_init(&h, CREDS);
		kt_become(USER);
		kt_check_ret(conn_try_hello(&c, &bus, fd, &h), -EPERM,
			     "user, opened by root");
		fd = open_endpoint(&bus);
		kt_become(0);
		kt_check_ret(conn_try_hello(&c, &bus, fd, &h), 0,
			     "root, opened by user");
	}
	/* root without capabilities is nobody on this bus */
	kt_drop_caps();
	{
		struct blob h;
		struct conn c;

		fake_init(&h, CREDS);
		kt_check_ret(conn_try_hello(&c, &bus, -1, &h), -EPERM,
			     "root without capabilities");
	}
}
END_TEST

START_TEST(sizes)
{
	static const size_t bad[] = { 1, 8, 32, 39, 41, 48 };
	struct conn c;
	struct blob h;
	size_t i;

	bus_make(&bus, 0);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		hello_init(&h, 0, POOL);
		blob_add(&h, KDBUS_ITEM_CREDS, NULL, bad[i]);
		kt_check_ret(conn_try_hello(&c, &bus, -1, &h), -EINVAL,
			     "credentials of %zu bytes", bad[i]);
	}
	hello_init(&h, 0, POOL);
	blob_add(&h, KDBUS_ITEM_SECLABEL, "abc", 3);
	kt_check_ret(conn_try_hello(&c, &bus, -1, &h), -EINVAL, "no NUL");
	hello_init(&h, 0, POOL);
	blob_add(&h, KDBUS_ITEM_SECLABEL, "abc\0d", 6);
	kt_check_ret(conn_try_hello(&c, &bus, -1, &h), -EINVAL, "two NUL");
}
END_TEST

/* exactly these, however much or little the receiver wants */
START_TEST(whatever_the_mask)
{
	static const u64 kinds[] = { CREDS, SECLABEL, CREDS | SECLABEL };
	u32 state = kt_seed;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		prepare(kinds[i], 0);
		kt_assert_ret(name_acquire(&a, NAME, 0), 0, "acquire");
		for (j = 0; j < 40; j++) {
			u64 mask = j < 13 ? 1ULL << j : kt_rand(&state);

			if (j == 13)
				mask = 0;
			if (j == 14)
				mask = ~0ULL;
			update_mask(&b, mask);
			send_ok(&a, &b, j);
			expect(&b, j, kinds[i] | (mask & (NAMES | CONN_NAME)));
		}
	}
}
END_TEST

START_TEST(no_name)
{
	prepare(CREDS, ALL);
	send_ok(&a, &b, 1);
	expect(&b, 1, CREDS | CONN_NAME);
}
END_TEST

START_TEST(last_wins)
{
	static const struct kdbus_creds other = { .uid = 99 };
	struct blob h;

	bus_make(&bus, 0);
	meta_open(&b, &bus, 0, NULL);
	hello_init(&h, 0, POOL);
	blob_add(&h, KDBUS_ITEM_CREDS, &other, sizeof(other));
	blob_add_str(&h, KDBUS_ITEM_SECLABEL, "a first label that is longer");
	blob_add(&h, KDBUS_ITEM_CREDS, &other, sizeof(other));
	blob_add(&h, KDBUS_ITEM_CREDS, &fake, sizeof(fake));
	blob_add_str(&h, KDBUS_ITEM_SECLABEL, label);
	conn_hello(&a, &bus, &h);
	send_ok(&a, &b, 1);
	expect(&b, 1, CREDS | SECLABEL);
}
END_TEST

/* nobody checks or translates them */
START_TEST(any_value)
{
	struct kdbus_creds odd = {
		.uid = ~0ULL, .gid = 1ULL << 63, .pid = 0, .tid = 1ULL << 40,
		.starttime = ~0ULL,
	};
	static char longest[8000];
	const struct kdbus_item *i;
	struct meta m;
	struct blob h;

	bus_make(&bus, 0);
	meta_open(&b, &bus, 0, NULL);
	memset(longest, 'l', sizeof(longest) - 1);
	longest[17] = '\n';
	longest[18] = '\xff';
	hello_init(&h, 0, POOL);
	blob_add(&h, KDBUS_ITEM_CREDS, &odd, sizeof(odd));
	blob_add_str(&h, KDBUS_ITEM_SECLABEL, longest);
	conn_hello(&a, &bus, &h);
	send_ok(&a, &b, 1);
	meta_recv(&b, 1, &m);
	i = meta_find(&m, KDBUS_ITEM_CREDS, 0);
	kt_check(i && !memcmp(&i->creds, &odd, sizeof(odd)), "credentials");
	meta_expect_str(&m, KDBUS_ITEM_SECLABEL, longest);
	hello_init(&h, 0, POOL);
	blob_add_str(&h, KDBUS_ITEM_SECLABEL, "");
	conn_hello(&a, &bus, &h);
	send_ok(&a, &b, 2);
	meta_recv(&b, 2, &m);
	meta_expect_bits(&m, SECLABEL, "empty label");
	meta_expect_str(&m, KDBUS_ITEM_SECLABEL, "");
}
END_TEST

static int send_fn(void *arg)
{
	(void)arg;
	send_ok(&a, &b, 1);
	return 0;
}

/* who really sends does not matter */
START_TEST(other_senders)
{
	prepare(CREDS, ALL);
	kt_run_as(USER, USER, send_fn, NULL);
	expect(&b, 1, CREDS | CONN_NAME);
	kt_become(USER);
	send_ok(&a, &b, 2);
	expect(&b, 2, CREDS | CONN_NAME);
}
END_TEST

START_TEST(broadcasts_and_monitors)
{
	struct conn plain, mon, mute;

	prepare(CREDS | SECLABEL, ALL);
	meta_open(&plain, &bus, 0, NULL);
	match_all(&b);
	match_all(&plain);
	conn_drain(&b);
	kt_assert_ret(cast(&a, 1), 0, "broadcast");
	expect(&b, 1, CREDS | SECLABEL | CONN_NAME);
	expect(&plain, 1, CREDS | SECLABEL);
	meta_special(&mon, &bus, MON, STAMP | EXE | CONN_NAME, NULL);
	meta_special(&mute, &bus, MON, 0, NULL);
	conn_drain(&b);
	conn_drain(&plain);
	send_ok(&a, &b, 2);
	expect(&b, 2, CREDS | SECLABEL | CONN_NAME);
	expect(&mon, 2, CREDS | SECLABEL | CONN_NAME);
	expect(&mute, 2, CREDS | SECLABEL);
}
END_TEST

/* it is lies about the sender: as a receiver it is told the truth */
START_TEST(as_receiver)
{
	struct facts *f = facts_new();

	prepare(CREDS | SECLABEL, 0);
	update_mask(&a, TASK | STAMP);
	facts_now(f);
	send_ok(&b, &a, 1);
	facts_recv(f, &a, 1, TASK, STAMP);
}
END_TEST

START_TEST(replies)
{
	struct call call;
	struct meta m;

	prepare(CREDS, STAMP | EXE);
	kt_assert_ret(request(&b, a.id, 5, NEVER), 0, "request");
	expect_msg(&a, 5, 0);
	kt_assert_ret(reply(&a, b.id, 5), 0, "reply");
	expect(&b, 1005, CREDS);
	call_start(&call, &b, a.id, 6, NEVER);
	expect_msg(&a, 6, 0);
	kt_assert_ret(reply(&a, b.id, 6), 0, "reply");
	kt_assert_ret(call_end(&call), 0, "synchronous request");
	meta_of_msg(&m, conn_msg(&b, call.m.msg.offset_reply));
	check(&m, CREDS);
}
END_TEST

START_TEST(conn_info_shows)
{
	static const u64 kinds[] = { CREDS, SECLABEL, CREDS | SECLABEL };
	struct meta m;
	size_t i;
	u64 f;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		prepare(kinds[i], 0);
		kt_assert_ret(name_acquire(&a, NAME, 0), 0, "acquire");
		for (f = 0; f <= ALL; f = f * 2 + 1) {
			conn_info_meta(&b, a.id, f, &m);
			check(&m, kinds[i] | (f & (NAMES | CONN_NAME)));
		}
		conn_info_meta(&a, a.id, 0, &m);
		check(&m, kinds[i]);
	}
}
END_TEST

START_TEST(special_connections)
{
	static const u64 flags[] = { ACT, HOLDER, MON };
	struct meta m;
	struct conn c;
	struct blob h;
	size_t i;

	prepare(CREDS, 0);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		fake_init(&h, CREDS | SECLABEL);
		h.hello.flags = flags[i];
		if (flags[i] != MON)
			blob_add_str(&h, KDBUS_ITEM_NAME, NAME);
		conn_hello(&c, &bus, &h);
		conn_info_meta(&b, c.id, 0, &m);
		check(&m, CREDS | SECLABEL);
		kt_become(USER);
		kt_check_ret(kt_cmd(open_endpoint(&bus), KDBUS_CMD_HELLO, &h),
			     -EPERM, "another user");
		kt_become(0);
		conn_close(&c);
	}
}
END_TEST

static struct kdbus_creds creds_of(uid_t uid)
{
	return (struct kdbus_creds) { .uid = uid, .gid = uid };
}

/* access is decided by what is real */
START_TEST(policy)
{
	struct kdbus_creds c = creds_of(USER);
	struct conn user, other;
	struct blob h;

	kt_become(OWNER);
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	hello_init(&h, 0, POOL);
	blob_add(&h, KDBUS_ITEM_CREDS, &c, sizeof(c));
	conn_hello(&a, &bus, &h);
	kt_become(USER);
	conn_open(&user, &bus, POOL);
	conn_open(&other, &bus, POOL);
	kt_check_ret(conn_send_bytes(&user, other.id, 1, NULL, 0), 0,
		     "user to user");
	kt_check_ret(conn_send_bytes(&user, a.id, 1, NULL, 0), -EPERM,
		     "user to somebody who pretends to be user");
	kt_become(OWNER);
	kt_check_ret(name_acquire(&a, NAME, 0), 0, "the owner owns");
	kt_check_ret(conn_send_bytes(&a, user.id, 1, NULL, 0), 0,
		     "and talks to all");
	conn_close(&a);
	/* the other way round: who pretends to be the owner */
	c = creds_of(OWNER);
	kt_become(0);
	hello_init(&h, 0, POOL);
	blob_add(&h, KDBUS_ITEM_CREDS, &c, sizeof(c));
	conn_hello(&a, &bus, &h);
	kt_become(OWNER);
	conn_open(&b, &bus, POOL);
	kt_check_ret(conn_send_bytes(&b, a.id, 1, NULL, 0), 0, "owner");
	kt_become(USER);
	kt_check_ret(conn_send_bytes(&user, a.id, 1, NULL, 0), -EPERM, "user");
}
END_TEST

KT_SUITE("fake")
{
	kt_test(privilege);
	kt_test(sizes);
	kt_test(whatever_the_mask);
	kt_test(no_name);
	kt_test(last_wins);
	kt_test(any_value);
	kt_test(other_senders);
	kt_test(broadcasts_and_monitors);
	kt_test(as_receiver);
	kt_test(replies);
	kt_test(conn_info_shows);
	kt_test(special_connections);
	kt_test(policy);
}
