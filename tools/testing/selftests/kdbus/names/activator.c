// SPDX-License-Identifier: GPL-2.0-only
/* Activators: what they may do, and who owns their name */

#include <poll.h>
#include <unistd.h>

#include "act-world.h"

#define USER	20091
#define ACT	KDBUS_HELLO_ACTIVATOR
#define MON	KDBUS_HELLO_MONITOR
#define FDS	KDBUS_HELLO_ACCEPT_FD

START_TEST(hello_errors)
{
	static const struct {
		u64 flags;
		const char *name, *second;
		int err;
	} rows[] = {
		{ MON | ACT, NAME, NULL, EINVAL },
		{ MON | ACT, NULL, NULL, EINVAL },
		{ ACT, NULL, NULL, EINVAL },
		{ ACT, "foo", NULL, EINVAL },
		{ ACT, "", NULL, EINVAL },
		{ ACT, "a.*", NULL, EINVAL },
		{ ACT, "a.b", "a.b", EINVAL },
		{ ACT, "a.b", "a.c", EINVAL },
		{ MON, "a.b", NULL, EINVAL },
		{ 0, "a.b", NULL, EINVAL },
		{ FDS, "a.b", NULL, EINVAL },
		{ ACT, "a.b", NULL, 0 },
		{ ACT | FDS, "a.b", NULL, 0 },
		{ MON, NULL, NULL, 0 },
		{ MON | FDS, NULL, NULL, 0 },
	};
	struct blob b;
	size_t i;
	int fd;

	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&a, &bus, POOL);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		hello_init(&b, rows[i].flags, POOL);
		if (rows[i].name)
			blob_add_str(&b, KDBUS_ITEM_NAME, rows[i].name);
		if (rows[i].second)
			blob_add_str(&b, KDBUS_ITEM_NAME, rows[i].second);
		fd = open_endpoint(&bus);
		kt_check_ret(kt_cmd(fd, KDBUS_CMD_HELLO, &b), -rows[i].err,
			     "row %zu", i);
		close(fd);
		kt_check(!name_owner(&a, "a.b", NULL), "row %zu: the name", i);
		if (!rows[i].flags || rows[i].flags == FDS)
			continue;
		kt_become(USER);
		fd = open_endpoint(&bus);
		kt_check_ret(kt_cmd(fd, KDBUS_CMD_HELLO, &b),
			     rows[i].flags == (MON | ACT) ? -EINVAL : -EPERM,
			     "row %zu, unprivileged", i);
		close(fd);
		kt_become(0);
	}
}
END_TEST

/* the name has one; pool size comes before all of that */
START_TEST(hello_second)
{
	struct conn second;
	struct blob b;

	act_world(0);
	kt_check_ret(special_try_open(&second, &bus, ACT, NAME, POOL), -EEXIST,
		     "second activator");
	hello_init(&b, MON | ACT, 0);
	kt_check_ret(kt_cmd(open_endpoint(&bus), KDBUS_CMD_HELLO, &b), -EFAULT,
		     "no pool");
	check_owner(act.id);
	conn_close(&act);
	check_owner(0);
	activator_open(&act, &bus, 0, NAME, POOL);
	check_owner(act.id);
}
END_TEST

static const unsigned long forbidden[] = {
	KDBUS_CMD_MSG_SEND, KDBUS_CMD_MSG_CANCEL, KDBUS_CMD_NAME_ACQUIRE,
	KDBUS_CMD_NAME_RELEASE, KDBUS_CMD_BYEBYE,
};

/* the argument is not looked at */
START_TEST(commands)
{
	struct conn mon;
	size_t i;

	act_world(0);
	kt_assert_ret(special_try_open(&mon, &bus, MON, NULL, POOL), 0,
		      "HELLO of a monitor");
	for (i = 0; i < ARRAY_SIZE(forbidden); i++) {
		kt_check_ret(kt_cmd(act.fd, forbidden[i], NULL), -EOPNOTSUPP,
			     "activator, command %zu", i);
		kt_check_ret(kt_cmd(mon.fd, forbidden[i], NULL), -EOPNOTSUPP,
			     "monitor, command %zu", i);
	}
	kt_check_ret(kt_cmd(act.fd, KDBUS_CMD_FREE, NULL), -EOPNOTSUPP,
		     "FREE of an activator");
	kt_check_ret(kt_cmd(mon.fd, KDBUS_CMD_FREE, NULL), -EFAULT,
		     "FREE of a monitor");
	kt_check_ret(conn_recv(&mon, NULL), -EAGAIN, "RECV of a monitor");
	kt_check_ret(conn_send_bytes(&a, act.id, 1, "x", 1), -ENXIO,
		     "activator by id");
	kt_check_ret(conn_send_bytes(&a, mon.id, 1, "x", 1), -ENXIO,
		     "monitor by id");
	bus_close(&bus);
	kt_check_ret(kt_cmd(act.fd, KDBUS_CMD_BYEBYE, NULL), -EOPNOTSUPP,
		     "BYEBYE, dead");
	kt_check_ret(kt_cmd(act.fd, KDBUS_CMD_FREE, NULL), -ECONNRESET,
		     "FREE, dead");
}
END_TEST

START_TEST(receive)
{
	static const struct {
		u64 flags;
		int empty, full;
	} rows[] = {
		{ 0, EOPNOTSUPP, EOPNOTSUPP },
		{ KDBUS_RECV_USE_PRIORITY, EOPNOTSUPP, EOPNOTSUPP },
		{ KDBUS_RECV_USE_PRIORITY | KDBUS_RECV_PEEK, EOPNOTSUPP,
		  EOPNOTSUPP },
		{ KDBUS_RECV_PEEK, EAGAIN, 0 },
		{ KDBUS_RECV_DROP, EAGAIN, 0 },
		{ KDBUS_RECV_DROP | KDBUS_RECV_PEEK, EAGAIN, 0 },
		{ KDBUS_RECV_DROP | KDBUS_RECV_USE_PRIORITY, EAGAIN, 0 },
	};
	size_t i;
	u64 off;

	act_world(0);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		kt_check_ret(conn_recv_flags(&act, rows[i].flags, &off),
			     -rows[i].empty, "row %zu, empty", i);
		send_n(10 + i, 1);
		kt_check_ret(conn_recv_flags(&act, rows[i].flags, &off),
			     -rows[i].full, "row %zu", i);
		if (rows[i].flags == KDBUS_RECV_PEEK) {
			kt_check(conn_msg(&act, off)->cookie == 10 + i,
				 "message");
			kt_check_ret(conn_free(&act, off), -EOPNOTSUPP,
				     "FREE");
		}
		kt_check_ret(drop(&act), rows[i].flags & KDBUS_RECV_DROP ?
			     -EAGAIN : 0, "row %zu: what is left", i);
		kt_check(pool_used(&act) == 0, "pool");
	}
}
END_TEST

START_TEST(drop_tells_requester)
{
	act_world(0);
	kt_check_ret(request_name(&a, NAME, 7, NEVER), 0, "request");
	kt_check_ret(drop(&act), 0, "drop");
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 7);
	expect_empty(&a);
}
END_TEST

START_TEST(poll_and_no_auto_start)
{
	struct blob m;

	act_world(0);
	kt_check(!(fd_poll(act.fd, 0) & POLLIN), "POLLIN");
	msg_init(&m, 0, 1);
	m.msg.flags = NOAUTO;
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
	kt_check_ret(conn_send(&a, &m), -EADDRNOTAVAIL, "NO_AUTO_START");
	kt_check(!(fd_poll(act.fd, 0) & POLLIN), "POLLIN");
	m.msg.dst_id = s.id;
	kt_check_ret(conn_send(&a, &m), -EREMCHG, "another id");
	m.msg.dst_id = act.id;
	kt_check_ret(conn_send(&a, &m), -EADDRNOTAVAIL, "its id");
	m.msg.flags = 0;
	kt_check_ret(conn_send(&a, &m), 0, "name and id");
	kt_check(fd_poll(act.fd, 0) & POLLIN, "no POLLIN");
	take(&s);
	kt_check(!(fd_poll(act.fd, 0) & POLLIN), "POLLIN");
	kt_check(fd_poll(s.fd, 0) & POLLIN, "no POLLIN");
	expect_n(&s, 1, 1);
	m.msg.flags = NOAUTO;
	m.msg.dst_id = 0;
	kt_check_ret(conn_send(&a, &m), 0, "NO_AUTO_START, it runs");
	expect_n(&s, 1, 1);
}
END_TEST

START_TEST(owner_dies)
{
	act_world(0);
	take(&s);
	kt_assert_ret(request_name(&a, NAME, 1, NEVER), 0, "request");
	kt_assert_ret(request_name(&a, NAME, 2, NEVER), 0, "request");
	kt_assert_ret(request(&a, s.id, 3, NEVER), 0, "request");
	expect_msg(&s, 1, 0);
	conn_close(&s);
	check_owner(act.id);
	/* the one read and the one by id are lost */
	kt_check(conn_drain(&a) == 2, "REPLY_DEAD");
	take(&t);
	expect_n(&t, 2, 1);
	kt_check_ret(reply(&t, a.id, 2), 0, "reply");
	expect_msg(&a, 1002, 2);
	expect_empty(&a);
}
END_TEST

START_TEST(waiter_before_activator)
{
	u64 flags;

	act_world(0);
	take(&s);
	flags = QUEUE;
	kt_check_ret(name_cmd(&t, KDBUS_CMD_NAME_ACQUIRE, NAME, &flags), 0,
		     "wait");
	kt_check(flags == (QUEUE | IN_QUEUE), "flags %#llx", flags);
	send_n(1, 1);
	release(&s);
	check_owner(t.id);
	kt_check_ret(drop(&act), -EAGAIN, "at the activator");
	expect_empty(&t);
	expect_n(&s, 1, 1);
	release(&t);
	check_owner(act.id);
	/* nobody waits behind an activator */
	flags = QUEUE;
	kt_check_ret(name_cmd(&t, KDBUS_CMD_NAME_ACQUIRE, NAME, &flags), 0,
		     "take over with QUEUE");
	kt_check(flags == QUEUE, "flags %#llx", flags);
	check_owner(t.id);
}
END_TEST

START_TEST(activator_dies)
{
	act_world(0);
	kt_assert_ret(request_name(&a, NAME, 1, NEVER), 0, "request");
	send_n(2, 1);
	conn_close(&act);
	check_owner(0);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 1);
	expect_empty(&a);
	kt_check_ret(send_name(&a, NAME, 1), -ESRCH, "send");
	activator_open(&act, &bus, 0, NAME, POOL);
	take(&s);
	conn_close(&act);
	check_owner(s.id);
	send_n(1, 1);
	release(&s);
	check_owner(0);
	expect_n(&s, 1, 1);
}
END_TEST

KT_SUITE("activator")
{
	kt_test(hello_errors);
	kt_test(hello_second);
	kt_test(commands);
	kt_test(receive);
	kt_test(drop_tells_requester);
	kt_test(poll_and_no_auto_start);
	kt_test(owner_dies);
	kt_test(waiter_before_activator);
	kt_test(activator_dies);
}
