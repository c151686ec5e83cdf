// SPDX-License-Identifier: GPL-2.0-only
/* Metadata of messages: about the connection, and about the message itself */

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "meta-util.h"

static struct bus bus;
static struct conn a, b;	/* a sends */

static void prepare(u64 mask)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	meta_open(&a, &bus, 0, "sender");
	meta_open(&b, &bus, mask, NULL);
}

/* ------------------------------------------------------------------------ */
/* The name of the connection and those it owns */

START_TEST(conn_name)
{
	char name[64];
	struct conn c;
	struct meta m;
	int n;

	prepare(CONN_NAME);
	meta_dirty(&a, &b);
	for (n = 1; n <= 63; n++) {
		memset(name, 'n', n);
		name[n] = '\0';
		meta_open(&c, &bus, 0, name);
		send_ok(&c, &b, n);
		meta_recv(&b, n, &m);
		meta_expect_str(&m, KDBUS_ITEM_CONN_NAME, name);
		kt_check(m.n == 1, "%u items", m.n);
		conn_close(&c);
	}
	meta_open(&c, &bus, 0, NULL);
	send_ok(&c, &b, 1);
	meta_recv_bits(&b, 1, 0);
}
END_TEST

static void expect_names(const char *const *names, const u64 *flags)
{
	struct meta m;

	send_ok(&a, &b, 1);
	meta_recv(&b, 1, &m);
	meta_expect_bits(&m, names[0] ? NAMES : 0, "names");
	meta_expect_names(&m, names, flags);
}

static void acquire(struct conn *c, const char *name, u64 flags)
{
	kt_assert_ret(name_acquire(c, name, flags), 0, "acquire %s", name);
}

/* in order of acquisition, with the flags of the acquisition */
START_TEST(names)
{
	static const u64 flags[] = { 7, 0, 2, 5, 1, 4 };
	const char *const names[] = {
		"z.z", "a.a", "m.m1", "b.longer.name", "a.ab", "y.y-1", NULL,
	};
	const char *const later[] = { "z.z", "m.m1", "a.ab", "a.a", NULL };
	static const u64 later_flags[] = { 7, 2, 1, 0 };
	int i;

	prepare(NAMES);
	meta_dirty(&a, &b);
	expect_names(names + 6, NULL);
	for (i = 0; i < 6; i++)
		acquire(&a, names[i], flags[i]);
	expect_names(names, flags);
	kt_assert_ret(name_release(&a, "a.a"), 0, "release");
	kt_assert_ret(name_release(&a, "b.longer.name"), 0, "release");
	kt_assert_ret(name_release(&a, "y.y-1"), 0, "release");
	acquire(&a, "a.a", 0);
	expect_names(later, later_flags);
}
END_TEST

/* waiting is not owning; who is promoted has the flags of the request */
START_TEST(names_waiting)
{
	const char *const none[] = { NULL };
	const char *const own[] = { "own.name", NULL };
	const char *const both[] = { "own.name", "foo.bar", NULL };
	static const u64 flags[] = { 0, QUEUE | ALLOW };
	struct conn c;

	prepare(NAMES);
	meta_open(&c, &bus, 0, NULL);
	acquire(&c, "foo.bar", ALLOW);
	acquire(&a, "foo.bar", QUEUE | ALLOW);
	expect_names(none, NULL);
	acquire(&a, "own.name", 0);
	expect_names(own, flags);
	kt_assert_ret(name_release(&c, "foo.bar"), 0, "release");
	expect_names(both, flags);
	acquire(&c, "foo.bar", REPLACE);
	expect_names(own, flags);
	/* it went back to the queue */
	conn_close(&c);
	expect_names(both, flags);
}
END_TEST

START_TEST(names_many)
{
	static char text[64][256];
	const char *names[65] = { 0 };
	u64 flags[64] = { 0 };
	int i;

	prepare(NAMES);
	for (i = 0; i < 64; i++) {
		/* all lengths up to 255 in steps, so all paddings */
		memset(text[i], 'a' + i % 26, 255 - 3 * i);
		memcpy(text[i] + i % 20 + 1, ".", 1);
		text[i][0] = 'A' + i % 26;
		names[i] = text[i];
		acquire(&a, names[i], 0);
	}
	expect_names(names, flags);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Time and number */

static struct kdbus_timestamp recv_stamp(struct conn *c, u64 cookie)
{
	struct kdbus_timestamp t;
	struct meta m;

	meta_recv(c, cookie, &m);
	t = *meta_stamp(&m);
	return t;
}

static u64 clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

START_TEST(timestamp)
{
	struct kdbus_timestamp t;
	u64 mono, real;
	int i;

	prepare(STAMP);
	for (i = 0; i < 20; i++) {
		mono = clock_ns(CLOCK_MONOTONIC);
		real = clock_ns(CLOCK_REALTIME);
		send_ok(&a, &b, i);
		t = recv_stamp(&b, i);
		kt_check(t.monotonic_ns >= mono &&
			 t.monotonic_ns <= clock_ns(CLOCK_MONOTONIC),
			 "monotonic %llu", t.monotonic_ns);
		/* may be set; but not in a test machine */
		kt_check(t.realtime_ns >= real &&
			 t.realtime_ns <= clock_ns(CLOCK_REALTIME),
			 "realtime %llu", t.realtime_ns);
	}
}
END_TEST

/* every message has a number, also one that gets nowhere */
START_TEST(seqnum)
{
	struct kdbus_timestamp t, last;
	struct blob m;

	prepare(STAMP);
	match_all(&b);
	send_ok(&a, &b, 1);
	last = recv_stamp(&b, 1);
	kt_check(last.seqnum > 0, "number 0");

	send_ok(&a, &b, 2);
	t = recv_stamp(&b, 2);
	kt_check(t.seqnum == last.seqnum + 1, "unicast: %llu after %llu",
		 t.seqnum, last.seqnum);
	last = t;

	kt_assert_ret(cast(&a, 3), 0, "broadcast");
	t = recv_stamp(&b, 3);
	kt_check(t.seqnum == last.seqnum + 1, "broadcast: %llu after %llu",
		 t.seqnum, last.seqnum);
	last = t;

	kt_check_ret(conn_send_bytes(&a, 9999, 1, NULL, 0), -ENXIO, "ENXIO");
	send_ok(&a, &b, 4);
	t = recv_stamp(&b, 4);
	kt_check(t.seqnum == last.seqnum + 2, "ENXIO: %llu after %llu",
		 t.seqnum, last.seqnum);
	last = t;

	/* what is malformed does not count */
	msg_init(&m, b.id, 1);
	m.msg.payload_type = 0;
	kt_check_ret(conn_send(&a, &m), -EINVAL, "EINVAL");
	send_ok(&a, &b, 5);
	t = recv_stamp(&b, 5);
	kt_check(t.seqnum == last.seqnum + 1, "EINVAL: %llu after %llu",
		 t.seqnum, last.seqnum);
	last = t;

	/* NAME_ADD, and then something like it */
	acquire(&a, "foo.bar", 0);
	expect_name_note(&b, KDBUS_ITEM_NAME_ADD, 0, 0, a.id, 0, "foo.bar");
	send_ok(&a, &b, 6);
	t = recv_stamp(&b, 6);
	kt_check(t.seqnum == last.seqnum + 2, "NAME_ADD: %llu after %llu",
		 t.seqnum, last.seqnum);
}
END_TEST

/* one broadcast, one number, one time */
START_TEST(broadcast_stamp)
{
	struct kdbus_timestamp t[4];
	struct conn c[4];
	int i;

	prepare(0);
	for (i = 0; i < 4; i++) {
		meta_open(&c[i], &bus, STAMP | (i & 1 ? CREDS : 0), NULL);
		match_all(&c[i]);
	}
	for (i = 0; i < 4; i++)
		conn_drain(&c[i]);
	kt_assert_ret(cast(&a, 1), 0, "broadcast");
	for (i = 0; i < 4; i++) {
		t[i] = recv_stamp(&c[i], 1);
		kt_check(!memcmp(&t[i], &t[0], sizeof(t[0])),
			 "receiver %d: number %llu and %llu", i, t[i].seqnum,
			 t[0].seqnum);
	}
}
END_TEST

/* buses of a domain share the counter */
START_TEST(seqnum_of_domain)
{
	struct kdbus_timestamp t, last;
	struct bus other;
	struct conn c;
	int i;

	prepare(STAMP);
	bus_make(&other, 0);
	meta_open(&c, &other, STAMP, NULL);
	send_ok(&a, &b, 0);
	last = recv_stamp(&b, 0);
	for (i = 1; i < 10; i++) {
		struct conn *to = i & 1 ? &c : &b;

		send_ok(i & 1 ? &c : &a, to, i);
		t = recv_stamp(to, i);
		kt_check(t.seqnum == last.seqnum + 1, "%llu after %llu",
			 t.seqnum, last.seqnum);
		last = t;
	}
}
END_TEST

KT_SUITE("meta-conn")
{
	kt_test(conn_name);
	kt_test(names);
	kt_test(names_waiting);
	kt_test(names_many);
	kt_test(timestamp);
	kt_test(seqnum);
	kt_test(broadcast_stamp);
	kt_test(seqnum_of_domain);
}
