// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time namespaces: deadlines are the caller's clock, and times that are told are
 * the receiver's as it was at HELLO
 */

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "act-world.h"
#include "meta-util.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME	0x80
#endif

#define SEC	1000000000LL
#define AHEAD	1000		/* seconds */

/* children that are made from now on have a clock that is ahead */
static void clock_ahead(int seconds)
{
	char line[80];

	if (unshare(CLONE_NEWTIME))
		kt_skip("no time namespaces: %m");
	snprintf(line, sizeof(line), "monotonic %d 0\nboottime %d 0\n", seconds,
		 seconds);
	kt_assert(kt_write_file("/proc/self/timens_offsets", line),
		  "timens_offsets: %m");
}

static void inside(int (*fn)(void *arg), void *arg)
{
	kt_run_as(0, 0, fn, arg);
}

/* ------------------------------------------------------------------------ */
/* Deadlines */

static bool readable_soon(struct conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	return poll(&p, 1, 10000) == 1 && p.revents & POLLIN;
}

/* when each ends is said in the time of the caller */
static int ask_async(void *arg)
{
	u64 ms = *(u64 *)arg, end = in_ms(ms);

	kt_assert_ret(request(&a, b.id, 1, end), 0, "request");
	kt_assert(readable_soon(&a),
		  "no timeout after 10 s of a deadline of %llu ms", ms);
	kt_check(now_ns() >= end, "ended %llu us early",
		 (end - now_ns()) / 1000);
	expect_note(&a, KDBUS_ITEM_REPLY_TIMEOUT, 1);
	return 0;
}

static void *end_call(void *arg)
{
	/* should the deadline be another: do not wait for that */
	usleep(5000000);
	cancel(arg, 2);
	return NULL;
}

static int ask_sync(void *arg)
{
	u64 end = in_ms(*(u64 *)arg);
	struct call call;

	kt_thread(end_call, &a);
	call_init(&call, &a, b.id, 2, end);
	kt_check_ret(conn_send(&a, &call.m), -ETIMEDOUT, "call");
	kt_check(now_ns() >= end, "ended %llu us early",
		 (end - now_ns()) / 1000);
	return 0;
}

START_TEST(deadline)
{
	u64 ms = 200;

	pair_open();
	clock_ahead(AHEAD);
	inside(ask_async, &ms);
	conn_drain(&b);
	inside(ask_sync, &ms);
}
END_TEST

/* such a deadline is over by the kernel's own clock */
START_TEST(deadline_behind)
{
	u64 ms = 500;

	pair_open();
	/* the machine has run for that long, and clocks begin at 0 */
	if (now_ns() < 3 * SEC)
		sleep(3);
	clock_ahead(-1);
	inside(ask_async, &ms);
	conn_drain(&b);
	inside(ask_sync, &ms);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* The deadline that a receiver is told */

static u64 told_deadline(struct conn *c, u64 cookie)
{
	const struct kdbus_msg *m;
	u64 off, told;

	m = conn_recv_msg(c, &off);
	kt_check(m->cookie == cookie, "cookie %llu", m->cookie);
	told = m->timeout_ns;
	kt_assert_ret(conn_free(c, off), 0, "FREE");
	return told;
}

static int ask_outside(void *arg)
{
	const u64 *deadline = arg;

	kt_assert_ret(request(&a, b.id, 1, *deadline), 0, "request");
	return 0;
}

/* HELLO is said inside, on a handle of ours */
struct inner {
	struct conn c;
	struct blob h;
};

static int inner_hello(void *arg)
{
	struct inner *in = arg;

	return -kt_cmd(in->c.fd, KDBUS_CMD_HELLO, &in->h);
}

static void inner_open(struct conn *c, u64 flags, u64 mask, const char *name)
{
	struct inner *in = mmap(NULL, sizeof(*in), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	kt_assert(in != MAP_FAILED, "mmap: %m");
	in->c.fd = open_endpoint(&bus);
	hello_init(&in->h, flags, POOL);
	in->h.hello.attach_flags = mask;
	if (name)
		blob_add_str(&in->h, KDBUS_ITEM_NAME, name);
	inside(inner_hello, in);
	*c = in->c;
	c->id = in->h.hello.id;
	c->pool_size = POOL;
	c->pool = mmap(NULL, POOL, PROT_READ, MAP_PRIVATE, c->fd, 0);
	kt_assert(c->pool != MAP_FAILED, "mmap of a pool: %m");
	munmap(in, sizeof(*in));
}

START_TEST(deadline_told)
{
	static const u64 never[] = { NEVER, 1ULL << 63, (1ULL << 63) - 1 };
	struct conn in;
	u64 d, t;
	size_t i;

	pair_open();
	clock_ahead(AHEAD);
	inner_open(&in, 0, 0, NULL);
	d = in_ms(3600 * 1000);
	kt_assert_ret(request(&a, in.id, 1, d), 0, "request");
	kt_check(told_deadline(&in, 1) == d + AHEAD * SEC, "told inside");
	kt_assert_ret(request(&a, b.id, 2, d), 0, "request");
	kt_check(told_deadline(&b, 2) == d, "told outside");
	d += AHEAD * SEC;
	inside(ask_outside, &d);
	t = told_deadline(&b, 1);
	kt_check(t == d - AHEAD * SEC, "asked inside: told %lld, not %lld", t,
		 d - AHEAD * SEC);
	for (i = 0; i < ARRAY_SIZE(never); i++) {
		kt_assert_ret(request(&a, in.id, 1, never[i]), 0, "request");
		t = told_deadline(&in, 1);
		kt_check(t == never[i], "never: told %#llx, not %#llx", t,
			 never[i]);
	}
	/* before that clock began, which is over just as well */
	d = 5 * SEC;
	inside(ask_outside, &d);
	t = told_deadline(&b, 1);
	kt_check(t == 1, "long over: told %llu", t);
	expect_note(&a, KDBUS_ITEM_REPLY_TIMEOUT, 1);
	/* an answer has a cookie there */
	kt_assert_ret(request(&in, a.id, 77, NEVER), 0, "request");
	kt_check(told_deadline(&a, 77) == NEVER, "told outside");
	kt_assert_ret(reply(&a, in.id, 77), 0, "reply");
	expect_msg(&in, 1077, 77);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Metadata */

struct times {
	struct kdbus_timestamp stamp;
	u64 start;
};

static struct times times_of(const struct meta *m)
{
	return (struct times) { *meta_stamp(m), meta_creds(m)->starttime };
}

static struct times recv_times(struct conn *c, u64 cookie, const char *what)
{
	struct meta m;

	kt_assert(readable_soon(c), "%s: no message", what);
	meta_recv(c, cookie, &m);
	return times_of(&m);
}

static void check_ahead(const struct times *t, const struct times *outside,
			__s64 ahead, const char *what)
{
	__s64 is;

	is = t->stamp.monotonic_ns - outside->stamp.monotonic_ns;
	kt_check(is == ahead, "%s: the message is %lld ns ahead, not %lld",
		 what, is, ahead);
	is = t->start - outside->start;
	kt_check(is == ahead, "%s: the start is %lld ns ahead, not %lld", what,
		 is, ahead);
	kt_check(t->stamp.realtime_ns == outside->stamp.realtime_ns,
		 "%s: the realtime clock differs", what);
}

/* one message for all of them, by whoever */
static int cast_now(void *arg)
{
	kt_assert_ret(cast(arg, 1), 0, "broadcast");
	return 0;
}

static void check_cast(struct conn *from, struct conn *in, struct conn *mon,
		       bool from_inside)
{
	u64 before = now_ns(), after;
	struct times t, i, m;

	if (from_inside)
		inside(cast_now, from);
	else
		cast_now(from);
	after = now_ns();
	t = recv_times(&b, 1, "outside");
	i = recv_times(in, 1, "inside");
	m = recv_times(mon, 1, "monitor");
	kt_check(t.stamp.monotonic_ns >= before &&
		 t.stamp.monotonic_ns <= after, "sent at %llu, not %llu to %llu",
		 t.stamp.monotonic_ns, before, after);
	kt_check(t.start <= t.stamp.monotonic_ns, "started at %llu", t.start);
	check_ahead(&i, &t, AHEAD * SEC, "receiver inside");
	check_ahead(&m, &t, AHEAD * SEC, "monitor inside");
}

START_TEST(messages)
{
	struct conn in, mon, from;

	bus_make(&bus, 0);
	meta_open(&from, &bus, 0, NULL);
	meta_open(&b, &bus, ALL, NULL);
	clock_ahead(AHEAD);
	inner_open(&in, 0, ALL, NULL);
	inner_open(&mon, MON, CREDS | STAMP, NULL);
	match_all(&b);
	match_all(&mon);
	match_all(&in);
	check_cast(&from, &in, &mon, false);
	check_cast(&from, &in, &mon, true);
	check_cast(&from, &in, &mon, false);
}
END_TEST

/* what is known of tasks is theirs, what is told is the reader's */
START_TEST(infos)
{
	struct conn in;
	struct meta m;
	u64 out;

	bus_make(&bus, 0);
	meta_open(&a, &bus, ALL, NULL);
	clock_ahead(AHEAD);
	inner_open(&in, 0, ALL, NULL);
	conn_info_meta(&a, a.id, 0, &m);
	out = meta_creds(&m)->starttime;
	conn_info_meta(&in, a.id, 0, &m);
	kt_check(meta_creds(&m)->starttime == out + AHEAD * SEC, "CONN_INFO");
	conn_info_meta(&a, in.id, 0, &m);
	kt_check(meta_creds(&m)->starttime == out, "CONN_INFO of it");
	creator_info_meta(&a, 0, &m);
	kt_check(meta_creds(&m)->starttime == out, "creator");
	creator_info_meta(&in, 0, &m);
	kt_check(meta_creds(&m)->starttime == out + AHEAD * SEC,
		 "creator, from inside");
}
END_TEST

static const struct kdbus_creds claim = {
	.uid = 1, .gid = 2, .pid = 3, .tid = 4, .starttime = 55,
};

/* what waited outside, for a service inside */
START_TEST(moved)
{
	struct conn in, fake;
	struct times t, i;
	struct blob h;
	struct meta m;
	u64 d;

	bus_make(&bus, 0);
	meta_open(&a, &bus, 0, NULL);
	meta_open(&s, &bus, CREDS | STAMP, NULL);
	meta_special(&act, &bus, ACT, CREDS | STAMP, NAME);
	hello_init(&h, 0, POOL);
	blob_add(&h, KDBUS_ITEM_CREDS, &claim, sizeof(claim));
	conn_hello(&fake, &bus, &h);
	clock_ahead(AHEAD);
	inner_open(&in, 0, CREDS | STAMP, NULL);

	d = in_ms(3600 * 1000);
	kt_assert_ret(request_name(&a, NAME, 1, d), 0, "request");
	kt_assert_ret(send_name(&a, NAME, 2), 0, "send");
	kt_assert_ret(send_name(&fake, NAME, 3), 0, "send");
	take(&in);
	kt_check(told_deadline(&in, 1) == d + AHEAD * SEC, "deadline");
	i = recv_times(&in, 2, "inside");
	meta_recv(&in, 3, &m);
	kt_check(meta_creds(&m)->starttime == claim.starttime, "claim");
	send_ok(&a, &s, 4);
	t = recv_times(&s, 4, "outside");
	kt_check(i.start == t.start + AHEAD * SEC, "start");
	kt_check(i.stamp.monotonic_ns < t.stamp.monotonic_ns + AHEAD * SEC &&
		 i.stamp.monotonic_ns > t.stamp.monotonic_ns, "time sent");
}
END_TEST

/* nobody knows of which clock a claim is */
START_TEST(claims)
{
	struct conn in, fake;
	struct blob h;
	struct meta m;

	bus_make(&bus, 0);
	hello_init(&h, 0, POOL);
	blob_add(&h, KDBUS_ITEM_CREDS, &claim, sizeof(claim));
	conn_hello(&fake, &bus, &h);
	clock_ahead(AHEAD);
	inner_open(&in, 0, CREDS, NULL);
	send_ok(&fake, &in, 1);
	meta_recv(&in, 1, &m);
	kt_check(meta_creds(&m)->starttime == 55, "message: %llu",
		 meta_creds(&m)->starttime);
	conn_info_meta(&in, fake.id, 0, &m);
	kt_check(meta_creds(&m)->starttime == 55, "CONN_INFO: %llu",
		 meta_creds(&m)->starttime);
}
END_TEST

KT_SUITE("timens")
{
	kt_test(deadline);
	kt_test(deadline_behind);
	kt_test(deadline_told);
	kt_test(messages);
	kt_test(infos);
	kt_test(moved);
	kt_test(claims);
}
