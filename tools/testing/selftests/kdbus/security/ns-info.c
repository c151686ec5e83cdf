// SPDX-License-Identifier: GPL-2.0-only
/* Pid and user namespaces: faked credentials, questions, privilege */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ns-world.h"

#define NAME	"foo.bar"
#define OWNER	20261
#define USER	20262

/* ------------------------------------------------------------------------ */
/* Faked credentials: where HELLO was */

START_TEST(faked)
{
	static const struct kdbus_creds fake = { .uid = 4711 };
	struct conn c, in;
	struct blob h;
	size_t i;

	ns_world(ALL);
	hello_init(&h, 0, POOL);
	h.hello.attach_flags = ALL;
	blob_add(&h, KDBUS_ITEM_CREDS, &fake, sizeof(fake));
	for_each_ns(i) {
		/* opened here, HELLO there */
		ns_hello(&c, &bus, both[i], &h);
		send_ok(&c, &b, 1);
		meta_recv_bits(&b, 1, 0);
		send_x(&c, 2);
		meta_recv_bare(&c, 2);
		conn_close(&c);
		/* opened there, HELLO here */
		kt_assert_ret(conn_try_hello(&c, &bus, ns_open(both[i], &bus),
					     &h), 0, "HELLO");
		send_ok(&c, &b, 3);
		meta_recv_bits(&b, 3, CREDS);
		send_x(&c, 4);
		expect_all(&c, 4);
		ns_conn_open(&in, &bus, both[i], 0, ALL, NULL);
		send_ok(&c, &in, 5);
		meta_recv_bits(&in, 5, 0);
		conn_close(&c);
		conn_close(&in);
	}
}
END_TEST

START_TEST(faked_info)
{
	static const struct kdbus_creds fake = { .uid = 4711 };
	struct conn c;
	struct meta m;
	struct blob h;

	ns_world(0);
	hello_init(&h, 0, POOL);
	blob_add(&h, KDBUS_ITEM_CREDS, &fake, sizeof(fake));
	ns_hello(&c, &bus, PID, &h);
	conn_info_meta(&b, c.id, ALL, &m);
	meta_expect_bits(&m, 0, "HELLO elsewhere");
	kt_assert_ret(conn_try_hello(&c, &bus, ns_open(PID, &bus), &h), 0,
		      "HELLO");
	conn_info_meta(&b, c.id, ALL, &m);
	meta_expect_bits(&m, CREDS, "HELLO here");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* CONN_INFO, BUS_CREATOR_INFO */

static int ask_inside(void *arg)
{
	struct conn in;
	struct meta m;

	(void)arg;
	/* the connection counts, not who asks */
	conn_info_meta(&b, a.id, ALL, &m);
	facts_expect(facts, &m, RECORD, NAMES | CONN_NAME, "used inside");
	creator_info_meta(&b, 0, &m);
	facts_expect(facts, &m, RECORD, 0, "used inside");
	meta_open(&in, &bus, 0, NULL);
	facts_now(facts);
	conn_info_meta(&in, in.id, 0, &m);
	facts_expect(facts, &m, RECORD, 0, "about itself");
	conn_info_meta(&in, a.id, NAMES, &m);
	meta_expect_bits(&m, NAMES, "asked inside");
	return 0;
}

START_TEST(conn_infos)
{
	const struct kdbus_info *info;
	struct conn in;
	struct meta m;
	size_t i;

	ns_world(0);
	for_each_ns(i) {
		ns_conn_open(&in, &bus, both[i], 0, 0, NULL);
		kt_assert_ret(name_acquire(&in, NAME, 0), 0, "acquire");
		conn_info_meta(&b, in.id, ALL, &m);
		meta_expect_bits(&m, NAMES | CONN_NAME, "about an inner");
		conn_info_meta(&b, in.id, 0, &m);
		meta_expect_bits(&m, 0, "about an inner, no flags");
		kt_assert_ret(conn_info(&b, 0, NAME, CONN_NAME, &info), 0,
			      "by name");
		meta_of_info(&m, info);
		meta_expect_bits(&m, CONN_NAME, "by name");
		conn_info_meta(&in, a.id, ALL, &m);
		meta_expect_bits(&m, NAMES | CONN_NAME, "about an outer");
		conn_info_meta(&in, in.id, 0, &m);
		kt_check(meta_bits(&m) & CREDS, "about itself");
		conn_close(&in);
		facts_now(facts);
		kt_assert(!ns_run(both[i], 0, ask_inside, NULL), "child");
	}
}
END_TEST

static int creator(struct conn *c, u64 flags)
{
	struct blob b;

	info_init(&b, 0, NULL, flags);
	return info_cmd(c, KDBUS_CMD_BUS_CREATOR_INFO, &b, NULL);
}

static int make_fn(void *arg)
{
	struct bus *bus = arg;
	struct conn in;
	struct meta m;

	facts_now(facts);
	kt_assert_ret(bus_try_make(bus->fd, KDBUS_MAKE_ACCESS_WORLD,
				   bus->name), 0, "BUS_MAKE");
	meta_open(&in, bus, 0, NULL);
	creator_info_meta(&in, 0, &m);
	facts_expect(facts, &m, RECORD, 0, "bus made inside");
	conn_close(&in);
	return 0;
}

START_TEST(creator_info)
{
	struct bus inner;
	struct conn in;
	size_t i;

	ns_world(0);
	for_each_ns(i) {
		ns_conn_open(&in, &bus, both[i], 0, 0, NULL);
		kt_check_ret(creator(&in, 0), -EPERM, "opened inside");
		kt_check_ret(creator(&in, 1ULL << 13), -EINVAL, "bad flags");
		kt_check(pool_used(&in) == 0, "pool");
		kt_check_ret(creator(&b, 0), 0, "opened outside");
		conn_close(&in);
		inner.fd = open_control();
		snprintf(inner.name, sizeof(inner.name), "0-t%d-in%zu",
			 getpid(), i);
		bus_paths(&inner);
		kt_assert(!ns_run(both[i], 0, make_fn, &inner), "child");
		meta_open(&in, &inner, 0, NULL);
		kt_check_ret(creator(&in, 0), -EPERM, "bus made inside");
	}
}
END_TEST

/* ------------------------------------------------------------------------ */
/* All capabilities there are nothing here */

static int try_flags(u64 flags, const char *name, bool fake)
{
	struct conn c;
	struct blob h;

	hello_init(&h, flags, POOL);
	if (name)
		blob_add_str(&h, KDBUS_ITEM_NAME, name);
	if (fake)
		blob_add(&h, KDBUS_ITEM_CREDS, NULL, 40);
	return conn_try_hello(&c, &bus, -1, &h);
}

static int root_fn(void *arg)
{
	struct conn c;
	struct bus ep;

	(void)arg;
	kt_check(getuid() == 0, "test bug: uid %u", getuid());
	kt_check_ret(try_flags(MON, NULL, false), -EPERM, "monitor");
	kt_check_ret(try_flags(ACT, NAME, false), -EPERM, "activator");
	kt_check_ret(try_flags(HOLDER, NAME, false), -EPERM, "holder");
	kt_check_ret(try_flags(0, NULL, true), -EPERM, "faked credentials");
	kt_check_ret(endpoint_make(&ep, &bus, NULL, 0), -EPERM,
		     "ENDPOINT_MAKE");
	meta_open(&c, &bus, 0, NULL);
	kt_check_ret(name_acquire(&c, NAME, 0), -EPERM, "NAME_ACQUIRE");
	kt_check_ret(conn_send_bytes(&c, b.id, 1, NULL, 0), -EPERM, "send");
	return 0;
}

START_TEST(root_of_child)
{
	kt_become(OWNER);
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	meta_open(&b, &bus, 0, NULL);
	kt_become(0);
	kt_assert(!ns_run(USR, 0, root_fn, NULL), "root that was root");
	kt_assert(!setresgid(USER, USER, USER), "setresgid: %m");
	kt_assert(!setresuid(USER, USER, USER), "setresuid: %m");
	kt_assert(!ns_run(USR, 0, root_fn, NULL), "root that was a user");
}
END_TEST

KT_SUITE("ns-info")
{
	kt_test(faked);
	kt_test(faked_info);
	kt_test(conn_infos);
	kt_test(creator_info);
	kt_test(root_of_child);
}
