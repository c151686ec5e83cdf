// SPDX-License-Identifier: GPL-2.0-only
/* A receiver that holds as many messages as it may: answers, notifications */

#include "call.h"

#define POOL	(256 * KIB)
#define USER	20081
#define MOST	256	/* messages that a connection holds */

static struct bus bus;
static struct conn a, b;	/* a asks, b answers */

static int send_as_user(u64 cookie)
{
	int ret;

	kt_become(USER);
	ret = conn_send_bytes(&b, a.id, cookie, "x", 1);
	kt_become(0);
	return ret;
}

/* that the share of its user is used up ends no request */
START_TEST(answer_beyond_share)
{
	const struct kdbus_msg *m;
	int n = 0, ret, i;
	u64 off;

	/* who may talk is not the question here */
	kt_become(USER);
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, POOL);
	kt_become(0);
	kt_assert_ret(request(&a, b.id, 7, NEVER), 0, "request");
	while (!(ret = send_as_user(++n)))
		kt_assert(n <= MOST, "no limit");
	kt_check_ret(ret, -ENOBUFS, "message %d", n);

	for (i = 0; i < 2; i++)
		kt_check_ret(reply_as(USER, &b, a.id, 7), -ENOBUFS, "answer, full");
	while (--n) {
		m = conn_recv_msg(&a, &off);
		kt_check(!m->cookie_reply, "an answer came");
		kt_assert_ret(conn_free(&a, off), 0, "FREE");
	}
	expect_empty(&a);
	kt_check_ret(reply_as(USER, &b, a.id, 7), 0, "answer");
	expect_msg(&a, 1007, 7);
	kt_check_ret(reply_as(USER, &b, a.id, 7), 0, "once more: a message");
	expect_msg(&a, 1007, 7);
	kt_check(pool_used(&a) == 0, "pool in use");
}
END_TEST

/* what the kernel says about a request has a place beside the messages */
START_TEST(notification_beside_messages)
{
	u64 off;
	int i;

	bus_make(&bus, 0);
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, POOL);
	kt_assert_ret(request(&a, b.id, 7, NEVER), 0, "request");
	for (i = 0; i < MOST; i++)
		kt_assert_ret(conn_send_bytes(&b, a.id, 1, "x", 1), 0,
			      "message %d", i);
	conn_close(&b);
	kt_check(fdinfo(&a, "lost:") == 0, "lost");
	for (i = 0; i < MOST; i++) {
		kt_check(conn_recv_msg(&a, &off)->cookie == 1, "message %d", i);
		kt_assert_ret(conn_free(&a, off), 0, "FREE");
	}
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 7);
	expect_empty(&a);
	kt_check(pool_used(&a) == 0, "pool in use");
}
END_TEST

KT_SUITE("full")
{
	kt_test(answer_beyond_share);
	kt_test(notification_beside_messages);
}
