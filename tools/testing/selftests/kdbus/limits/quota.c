// SPDX-License-Identifier: GPL-2.0-only
/* How many messages a receiver holds, of everybody and of one user */

#include <unistd.h>

#include "util.h"

#define POOL	(256 * KIB)
#define OWNER	20051		/* of the bus */
#define USER	20052		/* of the receiver */

static struct bus bus;
static struct conn root, owner, receiver, sender, second;
static u8 bytes[POOL];

static void prepare(void)
{
	kt_become(OWNER);
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&owner, &bus, 4096);
	kt_become(USER);
	conn_open(&receiver, &bus, POOL);
	conn_open(&sender, &bus, POOL);
	conn_open(&second, &bus, 4096);
	kt_become(0);
	conn_open(&root, &bus, POOL);
}

static int send_as(uid_t uid, struct conn *from, size_t size)
{
	int ret;

	kt_become(uid);
	ret = conn_send_bytes(from, receiver.id, 1, bytes, size);
	kt_become(0);
	return ret;
}

/* how many messages until ENOBUFS */
static int fill_as(uid_t uid, struct conn *from)
{
	int n = 0, ret;

	kt_become(uid);
	while (n < 1000) {
		ret = conn_send_bytes(from, receiver.id, 1, bytes, 1);
		if (ret)
			break;
		n++;
	}
	kt_become(0);
	kt_check_ret(ret, -ENOBUFS, "message %d of uid %u", n + 1, uid);
	return n;
}

static void root_sends(int n)
{
	int i;

	for (i = 0; i < n; i++)
		kt_assert_ret(send_as(0, &root, 1), 0, "message %d of root",
			      i + 1);
}

static void take(int n, u64 flags)
{
	u64 off;
	int i;

	for (i = 0; i < n; i++) {
		kt_assert_ret(conn_recv_flags(&receiver, flags, &off), 0,
			      "recv %d", i + 1);
		if (!flags)
			kt_assert_ret(conn_free(&receiver, off), 0, "free");
	}
}

START_TEST(user_limit)
{
	int n, i;

	prepare();
	n = fill_as(USER, &sender);
	kt_check(n == 32 || n == 33, "%d messages of one user", n);
	kt_check_ret(send_as(USER, &second, 1), -ENOBUFS,
		     "another connection of the same user");
	/* again and again, once the queue was empty */
	for (i = 0; i < 3; i++) {
		kt_check((int)conn_drain(&receiver) == n, "lost some");
		kt_check(fill_as(USER, &sender) == n, "round %d", i);
	}
}
END_TEST

/* messages that are dropped count no more, either */
START_TEST(user_limit_and_drop)
{
	int n, i;

	prepare();
	n = fill_as(USER, &sender);
	for (i = 0; i < 3; i++) {
		take(n, KDBUS_RECV_DROP);
		kt_check_ret(conn_recv(&receiver, NULL), -EAGAIN, "more");
		kt_check(fill_as(USER, &sender) == n, "round %d", i);
	}
}
END_TEST

/* the first 16 are nobody's; to take them out does not help */
START_TEST(user_limit_counts_later_messages)
{
	int n;

	prepare();
	n = fill_as(USER, &sender);
	take(10, 0);
	kt_check_ret(send_as(USER, &sender, 1), -ENOBUFS,
		     "ten of the first 16 were taken");
	/* 16 and one of those that counted, less than 16 left or just 16 */
	take(7, 0);
	kt_check_ret(send_as(USER, &sender, 1), 0, "17 were taken");
	kt_check((int)conn_drain(&receiver) == n - 17 + 1, "wrong number");
}
END_TEST

START_TEST(users_have_budgets_of_their_own)
{
	int n, m;

	prepare();
	n = fill_as(USER, &sender);
	m = fill_as(OWNER, &owner);
	kt_check(m == n - 16, "second user: %d messages, the first had %d", m,
		 n);
	kt_check_ret(send_as(USER, &sender, 1), -ENOBUFS, "first user again");
	kt_check_ret(send_as(0, &root, 1), 0, "root");
	kt_check((int)conn_drain(&receiver) == n + m + 1, "wrong number");
}
END_TEST

/* 256 of all; root's messages count, though root is not counted out */
START_TEST(total_limit)
{
	int n;

	prepare();
	root_sends(255);
	kt_check_ret(send_as(USER, &sender, 1), 0, "message 256");
	n = fill_as(USER, &sender);
	kt_check(n <= 1, "%d messages and more", 256 + n);
	kt_check_ret(send_as(OWNER, &owner, 1), -ENOBUFS, "another user");
	kt_check_ret(send_as(USER, &sender, POOL * 3 / 4), -ENOBUFS,
		     "this limit comes before that of the pool");
	root_sends(50);
	kt_check_ret(send_as(USER, &sender, 1), -ENOBUFS, "more than 300");
	take(50 + n + 2, 0);
	kt_check_ret(send_as(USER, &sender, 1), 0, "254 are left");
	kt_check(conn_drain(&receiver) == 255, "wrong number");
}
END_TEST

/* the capability counts that was there at HELLO */
START_TEST(capability_of_hello)
{
	int n;

	prepare();
	n = fill_as(USER, &sender);
	kt_check_ret(send_as(0, &sender, 1), -ENOBUFS,
		     "user's connection, as root");
	kt_check_ret(send_as(USER, &sender, 1), -ENOBUFS, "and as user again");
	kt_check_ret(send_as(USER, &root, 1), 0, "root's, used by the user");
	kt_check((int)conn_drain(&receiver) == n + 1, "wrong number");

	kt_become(USER);
	for (n = 0; n < 300; n++)
		kt_assert_ret(conn_send_bytes(&root, receiver.id, 1, "x", 1),
			      0, "root's, used by the user, message %d", n);
	conn_drain(&receiver);
	kt_become(0);
	kt_drop_caps();
	for (n = 0; n < 300; n++)
		kt_assert_ret(conn_send_bytes(&root, receiver.id, 1, "x", 1),
			      0, "without capabilities, message %d", n);
}
END_TEST

/* to own the bus lets one talk, but not without limit */
START_TEST(owner_is_not_exempt)
{
	int n;

	prepare();
	n = fill_as(0, &owner);
	kt_check(n == 32 || n == 33, "%d messages of the bus owner", n);
}
END_TEST

START_TEST(capable_is_exempt)
{
	prepare();
	root_sends(600);
	kt_check(conn_drain(&receiver) == 600, "wrong number");
}
END_TEST

/* what was refused takes no room in the victim's pool */
START_TEST(refused_takes_no_space)
{
	int i;

	prepare();
	fill_as(USER, &sender);
	for (i = 0; i < 200; i++)
		kt_assert_ret(send_as(USER, &sender, 32 * KIB), -ENOBUFS,
			      "round %d", i);
	kt_check_ret(send_as(0, &root, POOL / 4), 0, "a quarter by root");
	conn_drain(&receiver);
	conn_check_pool_empty(&root, &receiver);
}
END_TEST

/* limits are the receiver's: others do not notice */
START_TEST(other_receivers)
{
	prepare();
	fill_as(USER, &sender);
	kt_become(USER);
	kt_check_ret(conn_send_bytes(&sender, second.id, 1, "x", 1), 0,
		     "to another connection");
	kt_check_ret(conn_send_bytes(&sender, sender.id, 1, "x", 1), 0,
		     "to itself");
}
END_TEST

KT_SUITE("quota")
{
	kt_test(user_limit);
	kt_test(user_limit_and_drop);
	kt_test(user_limit_counts_later_messages);
	kt_test(users_have_budgets_of_their_own);
	kt_test(total_limit);
	kt_test(capability_of_hello);
	kt_test(owner_is_not_exempt);
	kt_test(capable_is_exempt);
	kt_test(refused_takes_no_space);
	kt_test(other_receivers);
}
