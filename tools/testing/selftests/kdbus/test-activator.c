// SPDX-License-Identifier: GPL-2.0-only
/* Activators: messages wait there, and move to whoever takes over */

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "call.h"
#include "suites.h"

#define POOL	(64 * KIB)
#define NAME	"foo.bar"
#define USER	20091
#define ACT	KDBUS_HELLO_ACTIVATOR
#define MON	KDBUS_HELLO_MONITOR
#define FDS	KDBUS_HELLO_ACCEPT_FD

static struct bus bus;
static struct conn a, s, t, act;	/* a asks, s and t are services */
static struct call call;

static void prepare_flags(u64 act_flags)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&a, &bus, POOL);
	conn_open(&s, &bus, POOL);
	conn_open(&t, &bus, POOL);
	activator_open(&act, &bus, act_flags, NAME, POOL);
}

static void prepare(void)
{
	prepare_flags(0);
}

static void take(struct conn *c)
{
	kt_assert_ret(name_acquire(c, NAME, 0), 0, "take over");
}

static void release(struct conn *c)
{
	kt_assert_ret(name_release(c, NAME), 0, "release");
}

static void check_owner(u64 id)
{
	u64 is = name_owner(&a, NAME, NULL);

	kt_check(is == id, "owner is %llu, not %llu", is, id);
}

static void send_n(u64 first, int n)
{
	int i;

	for (i = 0; i < n; i++)
		kt_assert_ret(send_name(&a, NAME, first + i), 0, "message %d",
			      i);
}

static void expect_n(struct conn *c, u64 first, int n)
{
	int i;

	for (i = 0; i < n; i++)
		expect_msg(c, first + i, 0);
	expect_empty(c);
}

/* messages of an activator are counted by dropping them */
static int drop(struct conn *c)
{
	return conn_recv_flags(c, KDBUS_RECV_DROP, NULL);
}

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

	prepare();
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

	prepare();
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

	prepare();
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
	prepare();
	kt_check_ret(request_name(&a, NAME, 7, NEVER), 0, "request");
	kt_check_ret(drop(&act), 0, "drop");
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 7);
	expect_empty(&a);
}
END_TEST

START_TEST(poll_and_no_auto_start)
{
	struct blob m;

	prepare();
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

START_TEST(take_over_moves_all)
{
	u64 flags;

	prepare();
	kt_assert_ret(conn_send_bytes(&a, s.id, 99, "x", 1), 0, "before");
	send_n(1, 40);
	take(&s);
	kt_check(name_owner(&a, NAME, &flags) == s.id && flags == 0,
		 "flags %#llx", flags);
	kt_check_ret(drop(&act), -EAGAIN, "left behind");
	kt_check(pool_used(&act) == 0, "pool of the activator");
	send_n(41, 1);
	expect_msg(&s, 99, 0);
	expect_n(&s, 1, 41);
	kt_check(pool_used(&s) == 0, "pool of the service");
}
END_TEST

static void send_prio(u64 cookie, __s64 prio)
{
	struct blob m;

	msg_init(&m, 0, cookie);
	m.msg.priority = prio;
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
	kt_assert_ret(conn_send(&a, &m), 0, "send");
}

START_TEST(priorities_move)
{
	static const u64 order[] = { 3, 5, 2, 1, 4 };
	size_t i;

	prepare();
	send_prio(1, 5);
	send_prio(2, 0);
	send_prio(3, -7);
	send_prio(4, 5);
	send_prio(5, -7);
	take(&s);
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		struct kdbus_cmd_recv r = {
			.flags = KDBUS_RECV_USE_PRIORITY, .priority = 100,
		};

		kt_assert_ret(kt_cmd(s.fd, KDBUS_CMD_MSG_RECV, &r), 0, "RECV");
		kt_check(conn_msg(&s, r.offset)->cookie == order[i],
			 "%zu: cookie %llu", i,
			 conn_msg(&s, r.offset)->cookie);
	}
	expect_empty(&s);
}
END_TEST

static void send_files(int p[2])
{
	static u8 bytes[1000];
	int memfd = kt_memfd(5000, KT_SEALS, 9);
	struct blob m;

	kt_fill(bytes, sizeof(bytes), 4);
	kt_assert(!pipe2(p, O_CLOEXEC), "pipe: %m");
	msg_init(&m, 0, 1);
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
	msg_vec(&m, bytes, sizeof(bytes));
	msg_memfd(&m, memfd, 5000);
	blob_add(&m, KDBUS_ITEM_FDS, p, 2 * sizeof(int));
	kt_assert_ret(conn_send(&a, &m), 0, "send files");
	close(memfd);
}

/* the taker need not accept descriptors */
START_TEST(files_move)
{
	const struct kdbus_item *f, *i, *v;
	const struct kdbus_msg *m;
	char c = 0;
	int p[2];
	u8 *map;

	prepare_flags(FDS);
	send_files(p);
	take(&s);
	m = conn_recv_msg(&s, NULL);
	v = item_find(m, KDBUS_ITEM_PAYLOAD_OFF, 0);
	i = item_find(m, KDBUS_ITEM_PAYLOAD_MEMFD, 0);
	f = item_find(m, KDBUS_ITEM_FDS, 0);
	kt_assert(v && i && f, "items are missing");
	kt_check(kt_filled((const u8 *)m + v->vec.offset, 1000, 4), "payload");
	kt_check(write(f->fds[1], "y", 1) == 1 && read(p[0], &c, 1) == 1 &&
		 c == 'y', "pipe: %m");
	map = mmap(NULL, 5000, PROT_READ, MAP_SHARED, i->memfd.fd, 0);
	kt_assert(map != MAP_FAILED, "mmap: %m");
	kt_check(kt_filled(map, 5000, 9), "memfd");
}
END_TEST

START_TEST(files_refused)
{
	int p[2];
	struct blob m;

	prepare();
	kt_assert(!pipe2(p, O_CLOEXEC), "pipe: %m");
	msg_init(&m, 0, 1);
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
	blob_add(&m, KDBUS_ITEM_FDS, p, sizeof(p));
	kt_check_ret(conn_send(&a, &m), -ECOMM, "no ACCEPT_FD");
	kt_check_ret(drop(&act), -EAGAIN, "queue");
}
END_TEST

START_TEST(requests_move)
{
	prepare();
	kt_assert_ret(request_name(&a, NAME, 1, NEVER), 0, "request");
	kt_assert_ret(request_name(&a, NAME, 2, in_ms(100)), 0, "request");
	kt_assert_ret(request_name(&a, NAME, 3, NEVER), 0, "request");
	take(&s);
	kt_check_ret(reply(&s, a.id, 1), 0, "reply of the new owner");
	expect_msg(&a, 1001, 1);
	expect_note(&a, KDBUS_ITEM_REPLY_TIMEOUT, 2);
	conn_close(&act);
	expect_empty(&a);
	kt_check(conn_drain(&s) == 3, "requests");
	conn_close(&s);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 3);
	expect_empty(&a);
}
END_TEST

static void start_call(u64 deadline)
{
	call_init(&call, &a, 0, 7, deadline);
	blob_add_str(&call.m, KDBUS_ITEM_DST_NAME, NAME);
	call_run(&call);
}

START_TEST(sync_request_moves)
{
	prepare();
	start_call(in_ms(20000));
	take(&s);
	expect_msg(&s, 7, 0);
	kt_check(!call.done, "it returned");
	kt_check_ret(reply(&s, a.id, 7), 0, "reply");
	kt_check_ret(call_end(&call), 0, "synchronous request");
	start_call(in_ms(20000));
	release(&s);
	kt_check(!call.done, "it returned");
	take(&t);
	expect_msg(&t, 7, 0);
	conn_close(&t);
	kt_check_ret(call_end(&call), -EPIPE, "synchronous request");
	expect_empty(&a);
}
END_TEST

/* only unread ones for the name come back */
START_TEST(hand_back)
{
	prepare();
	kt_assert_ret(name_acquire(&s, "other.name", 0), 0, "acquire");
	take(&s);
	kt_assert_ret(request_name(&a, NAME, 1, NEVER), 0, "request");
	kt_assert_ret(request_name(&a, NAME, 2, NEVER), 0, "request");
	kt_assert_ret(conn_send_bytes(&a, s.id, 3, "x", 1), 0, "by id");
	kt_assert_ret(send_name(&a, "other.name", 4), 0, "other name");
	kt_assert_ret(send_name(&a, NAME, 5), 0, "message");
	expect_msg(&s, 1, 0);
	release(&s);
	check_owner(act.id);
	expect_msg(&s, 3, 0);
	expect_msg(&s, 4, 0);
	expect_empty(&s);
	/* the request that was read is still owed by the old owner */
	kt_check_ret(reply(&s, a.id, 1), 0, "reply");
	expect_msg(&a, 1001, 1);
	conn_close(&s);
	expect_empty(&a);
	take(&t);
	expect_msg(&t, 2, 0);
	expect_msg(&t, 5, 0);
	expect_empty(&t);
	conn_close(&t);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 2);
	expect_empty(&a);
}
END_TEST

/* what was sent to an earlier registration of the name is not concerned */
START_TEST(hand_back_registration)
{
	bus_make(&bus, 0);
	conn_open(&a, &bus, POOL);
	conn_open(&s, &bus, POOL);
	take(&s);
	send_n(1, 1);
	release(&s);
	take(&s);
	send_n(2, 1);
	activator_open(&act, &bus, 0, NAME, POOL);
	check_owner(s.id);
	release(&s);
	check_owner(act.id);
	expect_n(&s, 1, 1);
	kt_check_ret(drop(&act), 0, "the second");
	kt_check_ret(drop(&act), -EAGAIN, "nothing else");
}
END_TEST

START_TEST(owner_dies)
{
	prepare();
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

	prepare();
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
	prepare();
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

static u8 bytes[8192];

/* what does not fit as a whole does not move at all */
START_TEST(taker_too_small)
{
	struct conn small;
	struct blob m;
	int i;

	prepare();
	conn_open(&small, &bus, KT_PAGE);
	for (i = 1; i <= 3; i++) {
		msg_init(&m, 0, i);
		blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
		msg_vec(&m, bytes, 1500);
		kt_assert_ret(conn_send(&a, &m), 0, "send");
	}
	kt_assert_ret(request_name(&a, NAME, 4, NEVER), 0, "request");
	kt_check_ret(name_acquire(&small, NAME, QUEUE | REPLACE), -ENOBUFS,
		     "too small");
	check_owner(act.id);
	expect_empty(&small);
	kt_check(pool_used(&small) == 0, "pool");
	conn_close(&small);
	expect_empty(&a);
	take(&s);
	expect_n(&s, 1, 4);
	kt_check_ret(reply(&s, a.id, 4), 0, "reply");
	expect_msg(&a, 1004, 4);
}
END_TEST

/* two of 1500 fit, although one takes more than half of what is left then */
START_TEST(no_half_rule)
{
	struct conn small;
	struct blob m;
	int i;

	prepare();
	conn_open(&small, &bus, KT_PAGE);
	for (i = 1; i <= 2; i++) {
		msg_init(&m, 0, i);
		blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
		msg_vec(&m, bytes, 1800);
		kt_assert_ret(conn_send(&a, &m), 0, "send");
	}
	kt_check_ret(name_acquire(&small, NAME, 0), 0, "just fits");
	expect_n(&small, 1, 2);
}
END_TEST

/* the activator has no room: the name goes, the messages stay */
START_TEST(hand_back_too_small)
{
	struct blob m;
	int i;

	prepare();
	conn_close(&act);
	activator_open(&act, &bus, 0, NAME, KT_PAGE);
	take(&s);
	for (i = 1; i <= 3; i++) {
		msg_init(&m, 0, i);
		blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
		msg_vec(&m, bytes, 1500);
		kt_assert_ret(conn_send(&a, &m), 0, "send");
	}
	release(&s);
	check_owner(0);
	expect_n(&s, 1, 3);
	kt_check_ret(drop(&act), -EAGAIN, "at the activator");
}
END_TEST

/* for ever back and forth: nothing is lost, the order is kept */
START_TEST(to_and_fro)
{
	int i;

	prepare();
	for (i = 0; i < 50; i++) {
		send_n(3 * i, 1);
		take(&s);
		send_n(3 * i + 1, 1);
		release(&s);
		send_n(3 * i + 2, 1);
	}
	take(&t);
	expect_n(&t, 0, 150);
	kt_check(pool_used(&s) == 0 && pool_used(&act) == 0, "pools");
}
END_TEST

void suite_activator(void)
{
	kt_suite("activator");
	kt_test(hello_errors);
	kt_test(hello_second);
	kt_test(commands);
	kt_test(receive);
	kt_test(drop_tells_requester);
	kt_test(poll_and_no_auto_start);
	kt_test(take_over_moves_all);
	kt_test(priorities_move);
	kt_test(files_move);
	kt_test(files_refused);
	kt_test(requests_move);
	kt_test(sync_request_moves);
	kt_test(hand_back);
	kt_test(hand_back_registration);
	kt_test(owner_dies);
	kt_test(waiter_before_activator);
	kt_test(activator_dies);
	kt_test(taker_too_small);
	kt_test(no_half_rule);
	kt_test(hand_back_too_small);
	kt_test(to_and_fro);
}
