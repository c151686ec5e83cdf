// SPDX-License-Identifier: GPL-2.0-only
/* Metadata: each receiver gets what it asked for when the message was sent */

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "meta-util.h"

#define NAME	"foo.bar"
#define N	8

static struct bus bus;
static struct conn a, b, c[N];	/* a sends */
static struct facts *facts;

/* without items that do not exist here, so that sizes can be compared */
static const u64 masks[N] = {
	0, CREDS, ALL, STAMP | NAMES, EXE | CMDLINE | CONN_NAME,
	TID_COMM | CAPS, AUXGROUPS | PID_COMM | CGROUP | SECLABEL | AUDIT,
	~0ULL ^ EXE,
};

static void prepare(u64 mask)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	meta_open(&a, &bus, 0, "sender");
	meta_open(&b, &bus, mask, NULL);
	kt_assert_ret(name_acquire(&a, "own.name", 0), 0, "acquire");
	facts = facts_new();
	facts_now(facts);
}

static void expect(struct conn *to, u64 cookie, u64 mask)
{
	facts_recv(facts, to, cookie, mask & TASK, mask & ALL & ~TASK);
}

START_TEST(broadcast)
{
	int i, round;

	prepare(0);
	for (i = 0; i < N; i++) {
		meta_open(&c[i], &bus, masks[i], NULL);
		match_all(&c[i]);
	}
	for (i = 0; i < N; i++)
		conn_drain(&c[i]);
	for (round = 0; round < 3; round++) {
		kt_assert_ret(cast(&a, round), 0, "broadcast");
		for (i = 0; i < N; i++)
			expect(&c[i], round, masks[i]);
	}
}
END_TEST

START_TEST(monitors)
{
	int i;

	prepare(CREDS | STAMP);
	for (i = 0; i < N; i++)
		meta_special(&c[i], &bus, MON, masks[i], NULL);
	send_ok(&a, &b, 1);
	expect(&b, 1, CREDS | STAMP);
	for (i = 0; i < N; i++)
		expect(&c[i], 1, masks[i]);
	/* and of broadcasts */
	for (i = 0; i < N; i++)
		match_all(&c[i]);
	match_all(&b);
	kt_assert_ret(cast(&a, 2), 0, "broadcast");
	expect(&b, 2, CREDS | STAMP);
	for (i = 0; i < N; i++)
		expect(&c[i], 2, masks[i]);
}
END_TEST

/* one that asks for nothing, watched by one that asks for all */
START_TEST(monitors_of_modest)
{
	const struct kdbus_msg *m;

	prepare(0);
	meta_special(&c[0], &bus, MON, ALL, NULL);
	send_ok(&a, &b, 1);
	m = conn_recv_msg(&b, NULL);
	kt_check(m->size == sizeof(*m), "size %llu", m->size);
	expect(&c[0], 1, ALL);
}
END_TEST

/* the replier is told about, in what the requester asked for */
START_TEST(replies)
{
	struct call call;
	struct meta m;

	prepare(STAMP | EXE);
	update_mask(&a, CREDS | CONN_NAME | CAPS);
	meta_special(&c[0], &bus, MON, STAMP | NAMES | CGROUP, NULL);
	kt_assert_ret(request(&b, a.id, 5, NEVER), 0, "request");
	facts_recv(facts, &a, 5, CREDS | CAPS, 0);
	facts_recv(facts, &c[0], 5, CGROUP, STAMP);
	kt_assert_ret(reply(&a, b.id, 5), 0, "reply");
	facts_recv(facts, &b, 1005, EXE, STAMP);
	facts_recv(facts, &c[0], 1005, CGROUP, STAMP | NAMES);

	call_start(&call, &b, a.id, 6, NEVER);
	meta_recv(&a, 6, &m);
	kt_check(meta_creds(&m)->tid == (u64)call.tid, "tid %llu",
		 meta_creds(&m)->tid);
	facts_expect(facts, &m, CAPS, CREDS, "synchronous request");
	facts_recv(facts, &c[0], 6, CGROUP, STAMP);
	kt_assert_ret(reply(&a, b.id, 6), 0, "reply");
	kt_assert_ret(call_end(&call), 0, "synchronous request");
	meta_of_msg(&m, conn_msg(&b, call.m.msg.offset_reply));
	facts_expect(facts, &m, EXE, STAMP, "synchronous reply");
	kt_check_ret(conn_free(&b, call.m.msg.offset_reply), 0, "FREE");
	facts_recv(facts, &c[0], 1006, CGROUP, STAMP | NAMES);
	kt_check(pool_used(&b) == 0, "pool");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Activators */

#define ACT_MASK	(STAMP | CREDS | NAMES | CMDLINE)

static void prepare_activator(void)
{
	prepare(EXE | CONN_NAME);
	meta_special(&c[0], &bus, ACT, ACT_MASK, NAME);
}

/* what waits has what the activator asked for, not the one who takes over */
START_TEST(activator)
{
	const struct kdbus_msg *m;
	static u8 bytes[8192];
	u64 off;

	prepare_activator();
	kt_assert_ret(send_name(&a, NAME, 1), 0, "send");
	kt_assert_ret(conn_recv_flags(&c[0], KDBUS_RECV_PEEK, &off), 0, "PEEK");
	m = conn_msg(&c[0], off);
	kt_assert(m->size < sizeof(bytes), "size %llu", m->size);
	memcpy(bytes, m, m->size);
	kt_assert_ret(name_acquire(&b, NAME, 0), 0, "take over");
	kt_assert_ret(conn_recv_flags(&b, KDBUS_RECV_PEEK, &off), 0, "PEEK");
	m = conn_msg(&b, off);
	kt_check(!memcmp(m, bytes, m->size), "the message changed");
	expect(&b, 1, ACT_MASK);
	kt_assert_ret(send_name(&a, NAME, 2), 0, "send");
	expect(&b, 2, EXE | CONN_NAME);
}
END_TEST

/* to and fro: it stays what it was for its first receiver */
START_TEST(handed_back)
{
	prepare_activator();
	kt_assert_ret(name_acquire(&b, NAME, 0), 0, "take over");
	kt_assert_ret(send_name(&a, NAME, 1), 0, "send");
	kt_assert_ret(name_release(&b, NAME), 0, "release");
	kt_assert_ret(send_name(&a, NAME, 2), 0, "send");
	update_mask(&b, ALL);
	kt_assert_ret(name_acquire(&b, NAME, 0), 0, "take over");
	kt_assert_ret(send_name(&a, NAME, 3), 0, "send");
	expect(&b, 1, EXE | CONN_NAME);
	expect(&b, 2, ACT_MASK);
	expect(&b, 3, ALL);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* At the time of sending */

START_TEST(frozen)
{
	struct meta m;

	prepare(NAMES | CONN_NAME | AUXGROUPS | TID_COMM);
	send_ok(&a, &b, 1);
	update_mask(&b, STAMP);
	kt_assert_ret(name_release(&a, "own.name"), 0, "release");
	send_ok(&a, &b, 2);
	update_mask(&b, 0);
	send_ok(&a, &b, 3);
	update_mask(&b, ALL);
	conn_close(&a);
	meta_recv(&b, 1, &m);
	meta_expect_names(&m, (const char *[]) { "own.name", NULL },
			  (u64[]) { 0 });
	facts_expect(facts, &m, AUXGROUPS | TID_COMM, NAMES | CONN_NAME,
		     "message 1");
	meta_recv_bits(&b, 2, STAMP);
	meta_recv_bits(&b, 3, 0);
}
END_TEST

START_TEST(frozen_for_monitors)
{
	prepare(CREDS);
	meta_special(&c[0], &bus, MON, CAPS, NULL);
	send_ok(&a, &b, 1);
	update_mask(&c[0], 0);
	send_ok(&a, &b, 2);
	update_mask(&c[0], ALL);
	send_ok(&a, &b, 3);
	update_mask(&c[0], 0);
	expect(&c[0], 1, CAPS);
	expect(&c[0], 2, 0);
	expect(&c[0], 3, ALL);
}
END_TEST

/* peeking shows what receiving brings */
START_TEST(peek)
{
	struct meta m;
	u64 off, off2;

	prepare(ALL);
	send_ok(&a, &b, 1);
	kt_assert_ret(conn_recv_flags(&b, KDBUS_RECV_PEEK, &off), 0, "PEEK");
	meta_of_msg(&m, conn_msg(&b, off));
	facts_expect(facts, &m, TASK, ALL & ~TASK, "peeked");
	update_mask(&b, 0);
	kt_assert_ret(conn_recv(&b, &off2), 0, "RECV");
	kt_check(off == off2, "offset %llu, then %llu", off, off2);
	meta_of_msg(&m, conn_msg(&b, off2));
	facts_expect(facts, &m, TASK, ALL & ~TASK, "received");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Room: metadata belongs to the message */

static void tiny_open(struct conn *t, u64 mask)
{
	struct blob h;

	hello_init(&h, 0, KT_PAGE);
	h.hello.attach_flags = mask;
	conn_hello(t, &bus, &h);
}

START_TEST(no_room)
{
	static u8 args[4096];
	struct conn tiny;

	prepare(CMDLINE);
	set_args(args, 3000);
	facts_now(facts);
	tiny_open(&tiny, CMDLINE);
	kt_check_ret(conn_send_bytes(&a, tiny.id, 1, NULL, 0), -EXFULL,
		     "more than half of the pool");
	set_args(args, 4096);
	kt_check_ret(conn_send_bytes(&a, tiny.id, 1, NULL, 0), -ENOBUFS,
		     "more than the pool");
	kt_check(pool_used(&tiny) == 0, "pool");
	expect_empty(&tiny);
	/* 72 + 16 + 1960 is half of the pool */
	set_args(args, 1961);
	kt_check_ret(conn_send_bytes(&a, tiny.id, 1, NULL, 0), -EXFULL,
		     "just more than half");
	set_args(args, 1960);
	kt_check_ret(conn_send_bytes(&a, tiny.id, 1, NULL, 0), 0, "half");
	facts_now(facts);
	expect(&tiny, 1, CMDLINE);
	kt_check(pool_used(&tiny) == 0, "pool");
}
END_TEST

/* who has no room misses the broadcast, and only who has none */
START_TEST(no_room_broadcast)
{
	static u8 args[4096];
	struct conn tiny, mon;
	int i;

	prepare(0);
	tiny_open(&tiny, CMDLINE);
	match_all(&tiny);
	for (i = 0; i < N; i++) {
		meta_open(&c[i], &bus, masks[i], NULL);
		match_all(&c[i]);
	}
	meta_special(&mon, &bus, MON, ALL, NULL);
	match_all(&mon);
	for (i = 0; i < N; i++)
		conn_drain(&c[i]);
	conn_drain(&tiny);
	conn_drain(&mon);
	set_args(args, 4096);
	facts_now(facts);
	kt_assert_ret(cast(&a, 1), 0, "broadcast");
	for (i = 0; i < N; i++)
		expect(&c[i], 1, masks[i]);
	expect(&mon, 1, ALL);
	expect_empty(&tiny);
	update_mask(&tiny, CREDS);
	kt_assert_ret(cast(&a, 2), 0, "broadcast");
	expect(&tiny, 2, CREDS);
}
END_TEST

/* what fails leaves nothing behind */
START_TEST(failed_sends)
{
	struct blob s;
	int i;

	prepare(ALL);
	for (i = 0; i < 50; i++) {
		msg_init(&s, b.id, i);
		msg_vec(&s, kt_noread(4096), 100);
		kt_check_ret(conn_send(&a, &s), -EFAULT, "unreadable");
	}
	expect_empty(&b);
	kt_check(pool_used(&b) == 0, "pool");
	send_ok(&a, &b, 1);
	expect(&b, 1, ALL);
}
END_TEST

KT_SUITE("meta-each")
{
	kt_test(broadcast);
	kt_test(monitors);
	kt_test(monitors_of_modest);
	kt_test(replies);
	kt_test(activator);
	kt_test(handed_back);
	kt_test(frozen);
	kt_test(frozen_for_monitors);
	kt_test(peek);
	kt_test(no_room);
	kt_test(no_room_broadcast);
	kt_test(failed_sends);
}
