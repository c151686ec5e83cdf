// SPDX-License-Identifier: GPL-2.0-only
/* Monitors: what they see and what they cannot do */

#include <string.h>
#include <unistd.h>

#include "cast.h"

#define POOL	(256 * KIB)
#define OWNER	20101
#define USER	20102

static struct bus bus;
static struct conn a, b, mon;

static void monitor_open(struct conn *c, u64 flags, u64 pool_size)
{
	kt_assert_ret(special_try_open(c, &bus, flags | KDBUS_HELLO_MONITOR,
				       NULL, pool_size), 0,
		      "HELLO of a monitor");
}

static void prepare(void)
{
	bus_make(&bus, 0);
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, POOL);
	monitor_open(&mon, 0, POOL);
}

/* the monitor has the same as the receiver, which is then freed */
static void expect_copy(struct conn *receiver)
{
	const struct kdbus_msg *one, *two;
	u64 off, off2;

	one = conn_recv_msg(receiver, &off);
	two = conn_recv_msg(&mon, &off2);
	kt_check(one->size == two->size && !memcmp(one, two, one->size),
		 "the copy differs");
	kt_check_ret(conn_free(receiver, off), 0, "free");
	kt_check_ret(conn_free(&mon, off2), 0, "free of the copy");
}

START_TEST(privilege)
{
	struct conn c;

	kt_become(OWNER);
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	monitor_open(&mon, 0, POOL);
	kt_become(USER);
	kt_check_ret(special_try_open(&c, &bus, KDBUS_HELLO_MONITOR, NULL,
				      POOL), -EPERM, "another user");
	kt_check_ret(special_try_open(&c, &bus, KDBUS_HELLO_MONITOR |
				      KDBUS_HELLO_ACTIVATOR, "foo.bar", POOL),
		     -EINVAL, "monitor and activator");
	kt_become(0);
	monitor_open(&c, 0, POOL);
	kt_check_ret(special_try_open(&c, &bus, KDBUS_HELLO_MONITOR, "foo.bar",
				      POOL), -EINVAL, "with a name");
}
END_TEST

START_TEST(cannot)
{
	struct blob m;

	prepare();
	kt_check_ret(conn_send_bytes(&mon, a.id, 1, "x", 1), -EOPNOTSUPP,
		     "MSG_SEND");
	kt_check_ret(cast(&mon, 1), -EOPNOTSUPP, "broadcast");
	kt_check_ret(kt_cmd(mon.fd, KDBUS_CMD_MSG_SEND, NULL), -EOPNOTSUPP,
		     "MSG_SEND of nothing");
	kt_check_ret(name_acquire(&mon, "foo.bar", 0), -EOPNOTSUPP,
		     "NAME_ACQUIRE");
	kt_check_ret(conn_byebye(&mon), -EOPNOTSUPP, "BYEBYE");
	kt_check_ret(cancel(&mon, 1), -EOPNOTSUPP, "MSG_CANCEL");
	kt_check_ret(conn_send_bytes(&a, mon.id, 1, "x", 1), -ENXIO, "by id");
	request_init(&m, mon.id, NULL, 1, NEVER);
	kt_check_ret(conn_send(&a, &m), -ENXIO, "request by id");
	expect_empty(&mon);
}
END_TEST

START_TEST(sees_unicasts)
{
	struct blob m;

	prepare();
	kt_assert_ret(conn_send_bytes(&a, b.id, 1, "hello", 5), 0, "send");
	expect_copy(&b);
	kt_assert_ret(conn_send_bytes(&a, a.id, 2, "me", 2), 0, "to itself");
	expect_copy(&a);
	msg_init(&m, b.id, 3);
	m.msg.priority = -5;
	m.msg.cookie_reply = 99;
	m.msg.flags = NOAUTO;
	kt_assert_ret(conn_send(&a, &m), 0, "send");
	expect_copy(&b);
	kt_assert_ret(name_acquire(&b, "foo.bar", 0), 0, "acquire");
	kt_assert_ret(send_name(&a, "foo.bar", 4), 0, "by name");
	expect_copy(&b);
	expect_empty(&mon);
}
END_TEST

START_TEST(sees_replies)
{
	struct call call;
	u64 off;

	prepare();
	kt_assert_ret(request(&a, b.id, 5, NEVER), 0, "request");
	expect_copy(&b);
	kt_assert_ret(reply(&b, a.id, 5), 0, "reply");
	expect_copy(&a);

	call_start(&call, &a, b.id, 6, NEVER);
	expect_copy(&b);
	kt_assert_ret(reply(&b, a.id, 6), 0, "reply");
	kt_check_ret(call_end(&call), 0, "synchronous request");
	{
		const struct kdbus_msg *m = conn_recv_msg(&mon, &off);

		kt_check(m->src_id == b.id && m->dst_id == a.id &&
			 m->cookie_reply == 6, "copy of a synchronous reply");
	}
	expect_empty(&mon);
}
END_TEST

/* the clock does not wait for the sender: either may reach the monitor first */
static void expect_both_copies(struct conn *x, struct conn *y)
{
	const struct kdbus_msg *m;
	u64 off;

	wait_readable(&mon);
	kt_assert_ret(conn_recv_flags(&mon, KDBUS_RECV_PEEK, &off), 0, "peek");
	m = conn_msg(&mon, off);
	if (m->dst_id != x->id) {
		expect_both_copies(y, x);
		return;
	}
	expect_copy(x);
	wait_readable(&mon);
	expect_copy(y);
}

START_TEST(sees_reply_notifications)
{
	struct conn c;

	prepare();
	conn_open(&c, &bus, POOL);
	kt_assert_ret(request(&a, c.id, 7, NEVER), 0, "request");
	expect_copy(&c);
	conn_close(&c);
	expect_copy(&a);
	kt_assert_ret(request(&a, b.id, 8, 1), 0, "request too late");
	wait_readable(&a);
	expect_both_copies(&a, &b);
	expect_empty(&mon);
}
END_TEST

START_TEST(sees_no_failures)
{
	static u8 bytes[POOL];
	int fd = 0;
	struct blob m;

	prepare();
	kt_check_ret(conn_send_bytes(&a, 4711, 1, "x", 1), -ENXIO, "no id");
	kt_check_ret(send_name(&a, "no.body", 1), -ESRCH, "no name");
	kt_check_ret(conn_send_bytes(&a, b.id, 1, bytes, POOL - 1000), -EXFULL,
		     "large");
	kt_check_ret(conn_send_bytes(&a, b.id, 1, kt_noread(4096), 8), -EFAULT,
		     "unreadable");
	msg_init(&m, b.id, 1);
	msg_fds(&m, &fd, 1);
	kt_check_ret(conn_send(&a, &m), -ECOMM, "descriptor");
	expect_empty(&mon);
}
END_TEST

START_TEST(broadcasts_by_match)
{
	struct conn c;

	prepare();
	kt_assert_ret(cast(&a, 1), 0, "broadcast");
	conn_open(&c, &bus, 4096);
	expect_empty(&mon);
	match_all(&mon);
	kt_assert_ret(cast(&a, 2), 0, "broadcast");
	expect_cast(&mon, a.id, 2);
	conn_close(&c);
	expect_id_note(&mon, KDBUS_ITEM_ID_REMOVE, c.id, 0);
	kt_assert_ret(conn_send_bytes(&a, b.id, 3, "x", 1), 0, "unicast");
	expect_copy(&b);
	expect_empty(&mon);
}
END_TEST

START_TEST(full_monitor)
{
	static u8 bytes[1000];
	struct conn tiny;
	unsigned int n;
	int i;

	prepare();
	monitor_open(&tiny, 0, 4096);
	for (i = 0; i < 50; i++)
		kt_assert_ret(conn_send_bytes(&a, b.id, i, bytes, 1000), 0,
			      "send %d", i);
	for (i = 0; i < 50; i++)
		expect_copy(&b);
	n = conn_drain(&tiny);
	kt_check(n == 2, "%u copies in the small pool", n);
	kt_assert_ret(conn_send_bytes(&a, b.id, 1, bytes, 1000), 0, "later");
	kt_check(conn_drain(&tiny) == 1, "no copy");
}
END_TEST

/* the limit of a queue holds for copies, the quota of a user does not */
START_TEST(message_limits)
{
	unsigned int n;
	int i;

	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	monitor_open(&mon, 0, POOL);
	kt_become(USER);
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, POOL);
	for (i = 0; i < 300; i++) {
		kt_assert_ret(conn_send_bytes(&a, b.id, i, NULL, 0), 0,
			      "send %d", i);
		expect_msg(&b, i, 0);
	}
	n = conn_drain(&mon);
	kt_check(n == 256 || n == 257, "%u copies", n);
}
END_TEST

START_TEST(descriptors)
{
	struct conn blind, c;
	const struct kdbus_msg *m;
	struct blob s;
	int p[2], i;
	char x;

	prepare();
	blind = mon;
	monitor_open(&mon, KDBUS_HELLO_ACCEPT_FD, POOL);
	kt_assert_ret(conn_try_open(&c, &bus, KDBUS_HELLO_ACCEPT_FD, POOL), 0,
		      "HELLO");
	kt_assert(!pipe(p), "pipe: %m");
	msg_init(&s, c.id, 1);
	msg_fds(&s, &p[1], 1);
	kt_check_ret(conn_send(&a, &s), 0, "send");
	close(p[1]);
	expect_empty(&blind);
	for (i = 0; i < 2; i++) {
		m = conn_recv_msg(i ? &mon : &c, NULL);
		kt_assert(m->size == ALIGN8(72 + HDR + 4) &&
			  m->items[0].type == KDBUS_ITEM_FDS, "no descriptor");
		kt_check(write(m->items[0].fds[0], "x", 1) == 1, "write: %m");
		kt_check(read(p[0], &x, 1) == 1 && x == 'x', "read: %m");
		close(m->items[0].fds[0]);
	}
	kt_check(read(p[0], &x, 1) == 0, "somebody holds the pipe");
	/* payload in memfds needs no permission */
	msg_init(&s, b.id, 2);
	msg_memfd(&s, kt_memfd(100, KT_SEALS, 1), 100);
	kt_check_ret(conn_send(&a, &s), 0, "memfd");
	kt_check(conn_recv_msg(&blind, NULL)->items[0].memfd.fd > 2, "memfd");
}
END_TEST

/* dropping a copy of a request does not end the request */
START_TEST(drop_of_copy)
{
	prepare();
	kt_assert_ret(request(&a, b.id, 5, NEVER), 0, "request");
	kt_check_ret(conn_recv_flags(&mon, KDBUS_RECV_DROP, NULL), 0, "drop");
	expect_empty(&a);
	kt_assert_ret(request(&a, b.id, 6, NEVER), 0, "request");
	conn_close(&mon);
	expect_empty(&a);
	kt_assert_ret(reply(&b, a.id, 5), 0, "reply");
	kt_assert_ret(reply(&b, a.id, 6), 0, "reply");
	expect_msg(&a, 1005, 5);
	expect_msg(&a, 1006, 6);
}
END_TEST

KT_SUITE("monitor")
{
	kt_test(privilege);
	kt_test(cannot);
	kt_test(sees_unicasts);
	kt_test(sees_replies);
	kt_test(sees_reply_notifications);
	kt_test(sees_no_failures);
	kt_test(broadcasts_by_match);
	kt_test(full_monitor);
	kt_test(message_limits);
	kt_test(descriptors);
	kt_test(drop_of_copy);
}
