// SPDX-License-Identifier: GPL-2.0-only
/* Asynchronous requests: each ends exactly once */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pair.h"

#define USER	20071
#define TIMEOUT	KDBUS_ITEM_REPLY_TIMEOUT
#define DEAD	KDBUS_ITEM_REPLY_DEAD

/* @a asks, @b answers; @b may talk to @a only in reply */
static void prepare_stranger(u64 pool)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&a, &bus, pool);
	kt_become(USER);
	conn_open(&b, &bus, POOL);
	kt_become(0);
}

static int reply_as_stranger(u64 cookie_reply)
{
	return reply_as(USER, &b, a.id, cookie_reply);
}

static void ask(u64 cookie, u64 deadline)
{
	kt_assert_ret(request(&a, b.id, cookie, deadline), 0, "request %llu",
		      cookie);
}

START_TEST(request_errors)
{
	static const struct {
		u64 flags, timeout, dst;
		int err;
	} rows[] = {
		{ EXPECT, 0, 0, EINVAL },
		{ SYNC, 0, 0, EINVAL },
		{ SYNC & ~EXPECT, NEVER, 0, EINVAL },
		{ EXPECT, 0, KDBUS_DST_ID_BROADCAST, EINVAL },
		{ EXPECT, NEVER, KDBUS_DST_ID_BROADCAST, ENOTUNIQ },
		{ SYNC, NEVER, KDBUS_DST_ID_BROADCAST, ENOTUNIQ },
		{ EXPECT, NEVER, 999, ENXIO },
		{ SYNC, NEVER, 999, ENXIO },
		{ EXPECT | 8, NEVER, 0, EINVAL },
	};
	struct blob m;
	size_t i;

	pair_open();
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		msg_init(&m, rows[i].dst ?: b.id, 1);
		m.msg.flags = rows[i].flags;
		m.msg.timeout_ns = rows[i].timeout;
		if (rows[i].dst == KDBUS_DST_ID_BROADCAST)
			msg_bloom(&m, KT_BLOOM_SIZE);
		kt_check_ret(conn_send(&a, &m), -rows[i].err, "row %zu", i);
		kt_check(m.msg.timeout_ns == rows[i].timeout,
			 "row %zu: timeout was changed", i);
		expect_empty(&b);
	}
	conn_close(&b);
	expect_empty(&a);
}
END_TEST

START_TEST(header_of_request)
{
	u64 deadline = in_ms(3600 * 1000);
	const struct kdbus_msg *m;

	pair_open();
	ask(7, deadline);
	m = conn_recv_msg(&b, NULL);
	kt_check(m->size == 72, "size %llu", m->size);
	kt_check(m->flags == EXPECT, "flags %#llx", m->flags);
	kt_check(m->timeout_ns == deadline, "timeout %llu, not %llu",
		 m->timeout_ns, deadline);
	kt_check(m->src_id == a.id && m->dst_id == b.id && m->cookie == 7,
		 "from %llu to %llu, cookie %llu", m->src_id, m->dst_id,
		 m->cookie);
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	m = conn_recv_msg(&a, NULL);
	kt_check(m->size == 72 && m->flags == 0, "size %llu, flags %#llx",
		 m->size, m->flags);
	kt_check(m->cookie_reply == 7 && m->cookie == 1007,
		 "cookies %llu, %llu", m->cookie, m->cookie_reply);
	kt_check(m->src_id == b.id && m->dst_id == a.id, "from %llu to %llu",
		 m->src_id, m->dst_id);
	expect_empty(&a);
	expect_empty(&b);
}
END_TEST

/* a reply is welcome exactly once, unread request or not */
START_TEST(reply_once)
{
	int read;

	prepare_stranger(POOL);
	for (read = 0; read < 2; read++) {
		kt_check_ret(reply_as_stranger(7), -EPERM, "not asked yet");
		ask(7, NEVER);
		if (read)
			conn_drain(&b);
		kt_check_ret(reply_as_stranger(0), -EPERM, "no reply");
		kt_check_ret(reply_as_stranger(8), -EPERM, "wrong cookie");
		kt_check_ret(reply_as_stranger(7), 0, "reply");
		kt_check_ret(reply_as_stranger(7), -EPERM, "second reply");
		expect_msg(&a, 1007, 7);
		expect_empty(&a);
		conn_drain(&b);
	}
	conn_close(&b);
	expect_empty(&a);
}
END_TEST

START_TEST(second_reply_is_message)
{
	pair_open();
	ask(7, NEVER);
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	kt_check_ret(reply(&b, a.id, 7), 0, "second reply");
	expect_msg(&a, 1007, 7);
	expect_msg(&a, 1007, 7);
	conn_close(&b);
	expect_empty(&a);
}
END_TEST

/* nobody but the one who was asked can end a request, and only that one */
START_TEST(mismatch)
{
	struct conn other;

	pair_open();
	conn_open(&other, &bus, POOL);
	ask(7, NEVER);
	kt_check_ret(reply(&b, a.id, 6), 0, "wrong cookie");
	kt_check_ret(reply(&b, other.id, 7), 0, "wrong destination");
	kt_check_ret(reply(&other, a.id, 7), 0, "wrong replier");
	kt_check_ret(reply(&a, b.id, 7), 0, "the requester itself");
	expect_msg(&a, 1006, 6);
	expect_msg(&a, 1007, 7);
	expect_msg(&other, 1007, 7);
	conn_close(&other);
	expect_empty(&a);
	conn_close(&b);
	expect_note(&a, DEAD, 7);
	expect_empty(&a);
}
END_TEST

/* a request is no reply, although the place of its timeout has a cookie */
START_TEST(request_is_no_reply)
{
	pair_open();
	ask(7, NEVER);
	kt_check_ret(request(&b, a.id, 5, 7), 0, "request with deadline 7");
	expect_msg(&b, 7, 0);
	expect_note(&b, TIMEOUT, 5);
	expect_msg(&a, 5, 0);
	conn_close(&b);
	expect_note(&a, DEAD, 7);
	expect_empty(&a);
}
END_TEST

/* cookie 0 cannot be answered */
START_TEST(cookie_zero)
{
	prepare_stranger(POOL);
	ask(0, NEVER);
	kt_check_ret(reply_as_stranger(0), -EPERM, "cookie_reply 0");
	conn_close(&b);
	expect_note(&a, DEAD, 0);
	expect_empty(&a);
}
END_TEST

START_TEST(latest_of_equals)
{
	pair_open();
	/* the reply is for the second, the first is late */
	ask(7, in_ms(300));
	ask(7, NEVER);
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	expect_msg(&a, 1007, 7);
	expect_note(&a, TIMEOUT, 7);
	/* the reply is for the second, the first outlives its deadline */
	ask(8, NEVER);
	ask(8, in_ms(300));
	kt_check_ret(reply(&b, a.id, 8), 0, "reply");
	expect_msg(&a, 1008, 8);
	ask(9, in_ms(310));
	expect_note(&a, TIMEOUT, 9);
	conn_close(&b);
	expect_note(&a, DEAD, 8);
	expect_empty(&a);
}
END_TEST

START_TEST(equals_one_by_one)
{
	int i;

	prepare_stranger(POOL);
	for (i = 0; i < 3; i++)
		ask(7, NEVER);
	for (i = 0; i < 3; i++)
		kt_check_ret(reply_as_stranger(7), 0, "reply %d", i);
	kt_check_ret(reply_as_stranger(7), -EPERM, "one too many");
	kt_check(conn_drain(&a) == 3, "replies");
}
END_TEST

START_TEST(timeout_once)
{
	u64 deadline[5];
	int i;

	pair_open();
	for (i = 0; i < 5; i++) {
		deadline[i] = in_ms(10 + 15 * i);
		ask(i, deadline[i]);
	}
	for (i = 0; i < 5; i++) {
		expect_note(&a, TIMEOUT, i);
		kt_check(now_ns() >= deadline[i], "%llu ns early",
			 deadline[i] - now_ns());
	}
	expect_empty(&a);
	kt_check(conn_drain(&b) == 5, "the requests stay");
	conn_close(&b);
	expect_empty(&a);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

/* after the deadline a reply is an ordinary message */
START_TEST(late_reply)
{
	prepare_stranger(POOL);
	ask(7, in_ms(10));
	expect_note(&a, TIMEOUT, 7);
	kt_check_ret(reply_as_stranger(7), -EPERM, "late reply");
	expect_empty(&a);
}
END_TEST

/* an answered request does not time out */
START_TEST(no_timeout_after_reply)
{
	pair_open();
	ask(7, in_ms(300));
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	ask(8, in_ms(310));
	expect_msg(&a, 1007, 7);
	expect_note(&a, TIMEOUT, 8);
	expect_empty(&a);
}
END_TEST

START_TEST(deadline_past)
{
	static const u64 past[] = { 1, 2, 1000000 };
	size_t i;

	pair_open();
	for (i = 0; i < ARRAY_SIZE(past); i++) {
		ask(i, past[i]);
		expect_note(&a, TIMEOUT, i);
		expect_msg(&b, i, 0);
		expect_empty(&a);
	}
	ask(9, now_ns());
	expect_note(&a, TIMEOUT, 9);
	expect_empty(&a);
}
END_TEST

START_TEST(deadline_far)
{
	static const u64 far[] = {
		NEVER, NEVER - 1, 1ULL << 63, (1ULL << 63) - 1, 1ULL << 62,
	};
	size_t i;

	pair_open();
	for (i = 0; i < ARRAY_SIZE(far); i++)
		ask(i, far[i]);
	ask(99, in_ms(30));
	expect_note(&a, TIMEOUT, 99);
	expect_empty(&a);
	for (i = 0; i < ARRAY_SIZE(far); i++) {
		kt_check_ret(reply(&b, a.id, i), 0, "reply %zu", i);
		expect_msg(&a, 1000 + i, i);
	}
	conn_close(&b);
	/* cookie 0 of the first one is none */
	expect_note(&a, DEAD, 0);
	expect_empty(&a);
}
END_TEST

/* the timer is moved forward */
START_TEST(earlier_after_later)
{
	u64 deadline;
	int i;

	pair_open();
	for (i = 0; i < 10; i++) {
		ask(2 * i, in_ms(60000 - i * 1000));
		deadline = in_ms(10);
		ask(2 * i + 1, deadline);
		expect_note(&a, TIMEOUT, 2 * i + 1);
		kt_check(now_ns() < deadline + 5000000000ULL,
			 "much too late");
		kt_check(now_ns() >= deadline, "too early");
	}
	expect_empty(&a);
}
END_TEST

/* unread, read, answered, overdue */
START_TEST(replier_dies)
{
	int bye;

	pair_open();
	for (bye = 0; bye < 2; bye++) {
		ask(1, NEVER);
		ask(2, in_ms(300));
		ask(3, NEVER);
		expect_msg(&b, 1, 0);
		kt_check_ret(reply(&b, a.id, 3), 0, "reply");
		expect_msg(&a, 1003, 3);
		expect_note(&a, TIMEOUT, 2);
		if (bye) {
			conn_drain(&b);
			kt_check_ret(conn_byebye(&b), 0, "BYEBYE");
		} else {
			ask(4, NEVER);
		}
		conn_close(&b);
		expect_note(&a, DEAD, bye ? 1 : 4);
		if (!bye)
			expect_note(&a, DEAD, 1);
		expect_empty(&a);
		conn_open(&b, &bus, POOL);
	}
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

static int drop(struct conn *c)
{
	return conn_recv_flags(c, KDBUS_RECV_DROP, NULL);
}

START_TEST(replier_drops)
{
	pair_open();
	ask(1, NEVER);
	kt_check_ret(drop(&b), 0, "drop");
	expect_note(&a, DEAD, 1);
	ask(2, in_ms(10));
	expect_note(&a, TIMEOUT, 2);
	kt_check_ret(drop(&b), 0, "drop of an overdue request");
	ask(3, NEVER);
	kt_check_ret(reply(&b, a.id, 3), 0, "reply");
	expect_msg(&a, 1003, 3);
	kt_check_ret(drop(&b), 0, "drop of an answered request");
	kt_check_ret(conn_send_bytes(&a, b.id, 4, "x", 1), 0, "send");
	kt_check_ret(drop(&b), 0, "drop of a message");
	expect_empty(&a);
	conn_close(&b);
	expect_empty(&a);
}
END_TEST

/* of two with the same cookie, the one that is dropped ends */
START_TEST(drop_first_of_equals)
{
	pair_open();
	ask(7, in_ms(300));
	ask(7, NEVER);
	kt_check_ret(drop(&b), 0, "drop");
	expect_note(&a, DEAD, 7);
	ask(8, in_ms(310));
	expect_note(&a, TIMEOUT, 8);
	kt_check_ret(drop(&b), 0, "drop");
	expect_note(&a, DEAD, 7);
	expect_empty(&a);
}
END_TEST

START_TEST(no_reply_after_drop)
{
	prepare_stranger(POOL);
	ask(7, NEVER);
	kt_check_ret(drop(&b), 0, "drop");
	kt_check_ret(reply_as_stranger(7), -EPERM, "reply");
	expect_note(&a, DEAD, 7);
	expect_empty(&a);
}
END_TEST

START_TEST(requester_dies)
{
	pair_open();
	ask(7, in_ms(20));
	ask(8, NEVER);
	conn_close(&a);
	kt_check_ret(reply(&b, a.id, 7), -ENXIO, "reply");
	kt_check_ret(drop(&b), 0, "drop of the first");
	expect_msg(&b, 8, 0);
	kt_check_ret(reply(&b, a.id, 8), -ENXIO, "reply");
	expect_empty(&b);
	kt_check_ret(conn_byebye(&b), 0, "BYEBYE");
}
END_TEST

START_TEST(ask_oneself)
{
	pair_open();
	kt_check_ret(request(&a, a.id, 7, NEVER), 0, "request");
	expect_msg(&a, 7, 0);
	kt_check_ret(reply(&a, a.id, 7), 0, "reply");
	expect_msg(&a, 1007, 7);
	kt_check_ret(request(&a, a.id, 8, in_ms(10)), 0, "request");
	expect_msg(&a, 8, 0);
	expect_note(&a, TIMEOUT, 8);
	kt_check_ret(request(&a, a.id, 9, NEVER), 0, "request");
	kt_check_ret(drop(&a), 0, "drop");
	expect_note(&a, DEAD, 9);
	kt_check_ret(request(&a, a.id, 10, NEVER), 0, "request");
	expect_msg(&a, 10, 0);
	kt_check_ret(conn_byebye(&a), 0, "BYEBYE");
}
END_TEST

/* 128 requests, to whomever */
START_TEST(pending_limit)
{
	struct conn other;
	int i;

	pair_open();
	conn_open(&other, &bus, POOL);
	for (i = 1; i <= 128; i++)
		kt_assert_ret(request(&a, i & 1 ? b.id : other.id, i, NEVER),
			      0, "request %d", i);
	kt_check_ret(request(&a, b.id, 129, NEVER), -EMLINK, "request 129");
	kt_check_ret(request(&a, a.id, 129, 1), -EMLINK, "to oneself");
	kt_check_ret(conn_send_bytes(&a, b.id, 5, "x", 1), 0, "a message");
	kt_check_ret(request(&b, a.id, 1, NEVER), 0, "the other way");
	kt_check_ret(reply(&b, a.id, 77), 0, "reply");
	ask(130, NEVER);
	kt_check_ret(request(&a, b.id, 131, NEVER), -EMLINK, "too many again");
	kt_check_ret(drop(&other), 0, "drop");
	ask(132, in_ms(1));
	expect_msg(&a, 1, 0);
	expect_msg(&a, 1077, 77);
	expect_note(&a, DEAD, 2);
	expect_note(&a, TIMEOUT, 132);
	ask(133, NEVER);
	kt_check_ret(request(&a, b.id, 134, NEVER), -EMLINK, "too many again");
	expect_empty(&a);
	conn_close(&other);
	kt_check(conn_drain(&a) == 63, "REPLY_DEAD of those left");
	for (i = 0; i < 63; i++)
		ask(200 + i, NEVER);
	kt_check_ret(request(&a, b.id, 300, NEVER), -EMLINK, "too many again");
	kt_check(conn_drain(&b) == 1 + 64 + 1 + 1 + 1 + 63, "at the receiver");
	conn_close(&b);
	kt_check(conn_drain(&a) == 128, "REPLY_DEAD of those left");
}
END_TEST

enum fault { TOO_BIG, MUCH_TOO_BIG, UNREADABLE, FDS, N_FAULTS };

static const int fault_err[N_FAULTS] = { EXFULL, ENOBUFS, EFAULT, ECOMM };

/* something that does not get into a pool of one page */
static void add_fault(struct blob *m, enum fault f)
{
	static u8 big[8192];
	static int null = -1;

	switch (f) {
	case TOO_BIG:
		msg_vec(m, big, 3000);
		break;
	case MUCH_TOO_BIG:
		msg_vec(m, big, sizeof(big));
		break;
	case UNREADABLE:
		msg_vec(m, kt_noread(KT_PAGE), 8);
		break;
	default:
		if (null < 0)
			null = open("/dev/null", O_RDONLY | O_CLOEXEC);
		blob_add(m, KDBUS_ITEM_FDS, &null, sizeof(null));
	}
}

/* a reply that could not be delivered can be repeated */
START_TEST(failed_reply)
{
	struct blob m;
	int f;

	prepare_stranger(KT_PAGE);
	for (f = 0; f < N_FAULTS; f++) {
		ask(7, NEVER);
		reply_init(&m, a.id, 7);
		add_fault(&m, f);
		kt_become(USER);
		kt_check_ret(conn_send(&b, &m), -fault_err[f], "fault %d", f);
		kt_check_ret(conn_send(&b, &m), -fault_err[f], "again %d", f);
		kt_become(0);
		expect_empty(&a);
		kt_check_ret(reply_as_stranger(7), 0, "reply after %d", f);
		kt_check_ret(reply_as_stranger(7), -EPERM, "after %d", f);
		expect_msg(&a, 1007, 7);
		kt_check(pool_used(&a) == 0, "pool after %d", f);
	}
	conn_close(&b);
	expect_empty(&a);
}
END_TEST

/* and what it was put back for happens nevertheless */
START_TEST(failed_reply_then_end)
{
	struct blob m;
	int f;

	pair_open();
	conn_close(&a);
	conn_open(&a, &bus, KT_PAGE);
	for (f = 0; f < N_FAULTS; f++) {
		ask(7, in_ms(20));
		ask(8, NEVER);
		reply_init(&m, a.id, 7);
		add_fault(&m, f);
		kt_check_ret(conn_send(&b, &m), -fault_err[f], "fault %d", f);
		m.msg.cookie_reply = 8;
		kt_check_ret(conn_send(&b, &m), -fault_err[f], "fault %d", f);
		expect_note(&a, TIMEOUT, 7);
		conn_close(&b);
		expect_note(&a, DEAD, 8);
		expect_empty(&a);
		conn_open(&b, &bus, POOL);
	}
}
END_TEST

/* a request that could not be delivered leaves nothing */
START_TEST(failed_request)
{
	struct blob m;
	int f, i;

	pair_open();
	conn_close(&b);
	conn_open(&b, &bus, KT_PAGE);
	for (f = 0; f < N_FAULTS; f++) {
		request_init(&m, b.id, NULL, 7, in_ms(20));
		add_fault(&m, f);
		for (i = 0; i < 129; i++)
			kt_check_ret(conn_send(&a, &m), -fault_err[f],
				     "fault %d", f);
	}
	ask(9, in_ms(40));
	expect_note(&a, TIMEOUT, 9);
	conn_drain(&b);
	kt_check(pool_used(&b) == 0, "pool");
	conn_close(&b);
	expect_empty(&a);
}
END_TEST

/* the quota refuses it: no notification, however late it is already */
START_TEST(failed_request_past)
{
	int i, n = 0;

	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	kt_become(USER);
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, POOL);
	while (n < 100 && !conn_send_bytes(&a, b.id, 1, "x", 1))
		n++;
	kt_assert(n < 100, "no quota");
	for (i = 0; i < 5000; i++)
		kt_check_ret(request(&a, b.id, 7, 1), -ENOBUFS, "request");
	kt_check_ret(request(&a, a.id, 8, in_ms(1)), 0, "request");
	expect_msg(&a, 8, 0);
	expect_note(&a, TIMEOUT, 8);
	expect_empty(&a);
}
END_TEST

START_TEST(bus_dies)
{
	pair_open();
	ask(7, NEVER);
	ask(8, in_ms(1));
	bus_close(&bus);
	kt_check_ret(reply(&b, a.id, 7), -ECONNRESET, "reply");
	kt_check_ret(conn_recv(&a, NULL), -ECONNRESET, "receive");
}
END_TEST

KT_SUITE("reply")
{
	kt_test(request_errors);
	kt_test(header_of_request);
	kt_test(reply_once);
	kt_test(second_reply_is_message);
	kt_test(mismatch);
	kt_test(request_is_no_reply);
	kt_test(cookie_zero);
	kt_test(latest_of_equals);
	kt_test(equals_one_by_one);
	kt_test(timeout_once);
	kt_test(late_reply);
	kt_test(no_timeout_after_reply);
	kt_test(deadline_past);
	kt_test(deadline_far);
	kt_test(earlier_after_later);
	kt_test(replier_dies);
	kt_test(replier_drops);
	kt_test(drop_first_of_equals);
	kt_test(no_reply_after_drop);
	kt_test(requester_dies);
	kt_test(ask_oneself);
	kt_test(pending_limit);
	kt_test(failed_reply);
	kt_test(failed_reply_then_end);
	kt_test(failed_request);
	kt_test(failed_request_past);
	kt_test(bus_dies);
}
