// SPDX-License-Identifier: GPL-2.0-only
/* Custom endpoints: what dies with them, who is charged, who is first */

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "policy-util.h"

#define POOL		(64 * KIB)
#define OWNER		20220
#define USER		20221
#define USER2		20222
#define MAX_CONNS	256
#define RACE_MS		2000

#define OPEN		"foo.bar w:o foo.other w:o"

static struct bus bus, ep;
static struct conn in, out;

static void prepare(void)
{
	bus_of(&bus, OWNER);
	ep_make(&ep, &bus, OPEN);
	conn_open(&in, &ep, POOL);
	conn_open(&out, &bus, POOL);
}

static void check_dead(struct conn *c)
{
	kt_check_ret(send_id(c, out.id), -ECONNRESET, "MSG_SEND");
	kt_check_ret(conn_recv(c, NULL), -ECONNRESET, "MSG_RECV");
	kt_check_ret(kt_cmd(c->fd, 0x9577, NULL), -ECONNRESET, "unknown");
	kt_check_ret(conn_byebye(c), -EALREADY, "BYEBYE");
	kt_check(fd_poll(c->fd, 0) == (POLLERR | POLLHUP), "poll: %#x",
		 fd_poll(c->fd, 0));
}

START_TEST(close_disconnects)
{
	int spare = 0;

	prepare();
	match_all(&out);
	kt_assert_ret(name_acquire(&in, "foo.bar", 0), 0, "acquire");
	spare = open_endpoint(&ep);
	conn_drain(&out);
	kt_assert_ret(send_id(&out, in.id), 0, "send");
	kt_assert_ret(request(&out, in.id, 9, NEVER), 0, "request");
	bus_close(&ep);
	kt_check(!path_exists(ep.path), "the node stays");
	check_dead(&in);
	expect_name_note(&out, KDBUS_ITEM_NAME_REMOVE, in.id, 0, 0, 0,
			 "foo.bar");
	expect_note(&out, KDBUS_ITEM_REPLY_DEAD, 9);
	expect_id_note(&out, KDBUS_ITEM_ID_REMOVE, in.id, 0);
	expect_empty(&out);
	kt_check_ret(send_id(&out, in.id), -ENXIO, "send to the dead");
	kt_check_ret(send_name(&out, "foo.bar", 1), -ESRCH, "by name");
	kt_check_ret(hello(spare, 0, 4096), -ESHUTDOWN, "HELLO");
	/* others live on */
	kt_check_ret(send_id(&out, out.id), 0, "send");
}
END_TEST

/* a waiter elsewhere gets the name, an activator its messages back */
START_TEST(names_move_on)
{
	struct conn act, next;

	prepare();
	kt_assert_ret(name_acquire(&in, "foo.bar", 0), 0, "acquire");
	kt_assert_ret(name_acquire(&out, "foo.bar", QUEUE), 0, "wait");
	kt_assert_ret(name_acquire(&in, "foo.other", 0), 0, "acquire");
	kt_assert_ret(holder_try_open(&act, &bus, ACTIVATOR, "foo.other"), 0,
		      "activator");
	kt_assert_ret(send_name(&out, "foo.other", 5), 0, "send");
	bus_close(&ep);
	kt_check(name_owner(&out, "foo.bar", NULL) == out.id, "waiter");
	kt_check(name_owner(&out, "foo.other", NULL) == act.id, "activator");
	conn_open(&next, &bus, POOL);
	kt_assert_ret(name_acquire(&next, "foo.other", 0), 0, "take over");
	expect_msg(&next, 5, 0);
	expect_empty(&next);
}
END_TEST

START_TEST(sync_sender_wakes)
{
	struct call inside, outside;

	prepare();
	ep_set(&ep, "foo.bar w:o");
	kt_assert_ret(name_acquire(&in, "foo.bar", 0), 0, "acquire");
	/* to itself: so it may talk, and waits until it dies */
	call_start(&inside, &in, in.id, 1, NEVER);
	call_start(&outside, &out, in.id, 2, NEVER);
	bus_close(&ep);
	kt_check_ret(call_end(&inside), -ECONNRESET, "inside");
	kt_check_ret(call_end(&outside), -EPIPE, "outside");
}
END_TEST

START_TEST(bus_dies)
{
	struct bus ep2;
	struct blob b;

	prepare();
	ep_make(&ep2, &bus, NO_POLICY);
	bus_close(&bus);
	kt_check(!path_exists(ep.path) && !path_exists(ep2.path) &&
		 !path_exists(bus.dir), "nodes stay");
	check_dead(&in);
	check_dead(&out);
	kt_check_ret(ep_update(&ep, "a.b w:o c.d w:t"), 0, "update");
	kt_check_ret(ep_update(&ep, NO_POLICY), 0, "update");
	kt_check_ret(ep_update(&ep, "a.b a.b"), -EEXIST, "update");
	kt_check_ret(ep_update(&ep, "w:o"), -EINVAL, "update");
	kt_check_ret(kt_cmd(ep.fd, KDBUS_CMD_ENDPOINT_UPDATE, NULL), -EFAULT,
		     "update");
	hello_init(&b, 0, 4096);
	kt_check_ret(kt_cmd(ep.fd, KDBUS_CMD_HELLO, &b), -ENOTTY, "HELLO");
	bus_close(&ep);
}
END_TEST

/* connections that are closed first, and many of them */
START_TEST(many_connections)
{
	struct conn c[40];
	int i;

	prepare();
	for (i = 0; i < 40; i++)
		conn_open(&c[i], i % 4 ? &ep : &bus, POOL);
	for (i = 0; i < 40; i += 3)
		conn_close(&c[i]);
	bus_close(&ep);
	for (i = 0; i < 40; i++) {
		if (i % 3)
			kt_check_ret(send_id(&out, c[i].id),
				     i % 4 ? -ENXIO : 0, "connection %d", i);
	}
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Accounting */

static int connect_one(const struct bus *at)
{
	int fd = open_endpoint(at);
	int ret = hello(fd, 0, 4096);

	if (!ret)
		return fd;
	close(fd);
	return ret;
}

static int connect_many(const struct bus *at, uid_t uid, int n, int *fds)
{
	int i;

	kt_become(uid);
	for (i = 0; i < n; i++) {
		fds[i] = connect_one(at);
		kt_assert(fds[i] >= 0, "connection %d of %u: %s", i + 1, uid,
			  kt_err(fds[i]));
	}
	kt_become(0);
	return 0;
}

static void check_full(const struct bus *at, uid_t uid)
{
	kt_become(uid);
	kt_check_ret(connect_one(at), -EMFILE, "one more of %u", uid);
	kt_become(0);
}

START_TEST(one_budget_for_all)
{
	int fds[MAX_CONNS], more[MAX_CONNS];
	struct bus ep2;

	allow_fds(3 * MAX_CONNS);
	bus_of(&bus, OWNER);
	ep_make(&ep, &bus, NO_POLICY);
	ep_make(&ep2, &bus, NO_POLICY);
	connect_many(&ep, USER, 100, fds);
	/* privileged ones are not charged */
	connect_many(&ep, 0, 5, more);
	connect_many(&ep, OWNER, 5, more);
	connect_many(&ep, USER2, MAX_CONNS - 100, fds + 100);
	check_full(&ep, USER);
	check_full(&ep, USER2);
	check_full(&ep, 20223);
	connect_many(&ep, 0, 1, more);
	connect_many(&ep, OWNER, 1, more);
	/* each endpoint has its own */
	connect_many(&ep2, USER, 3, more);
	close(fds[0]);
	connect_many(&ep, USER2, 1, fds);
	check_full(&ep, USER);
	close(fds[200]);
	close(fds[1]);
	connect_many(&ep, 20223, 2, fds);
	check_full(&ep, USER2);
}
END_TEST

/* a full endpoint leaves the users alone, and the other way round */
START_TEST(not_that_of_the_user)
{
	int fds[MAX_CONNS], more[MAX_CONNS];

	allow_fds(3 * MAX_CONNS);
	bus_of(&bus, OWNER);
	ep_make(&ep, &bus, NO_POLICY);
	connect_many(&ep, USER, MAX_CONNS, fds);
	check_full(&ep, USER);
	connect_many(&bus, USER, MAX_CONNS, more);
	check_full(&bus, USER);
	close(more[3]);
	check_full(&ep, USER);
	connect_many(&bus, USER, 1, more);
	check_full(&bus, USER);
	close(fds[3]);
	check_full(&bus, USER);
	connect_many(&ep, USER, 1, fds);
	check_full(&ep, USER);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Two at a time */

static struct {
	int fd[2];
	char name[2][64];
} race;

static int make(int who)
{
	struct blob b;

	make_init(&b, 0);
	blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, race.name[who]);
	policy_text(&b, OPEN);
	return kt_cmd(race.fd[who], KDBUS_CMD_ENDPOINT_MAKE, &b);
}

static int make_a(void *arg)
{
	(void)arg;
	return make(0);
}

static int make_b(void *arg)
{
	(void)arg;
	return make(1);
}

static int hello_b(void *arg)
{
	(void)arg;
	return hello(race.fd[1], 0, 4096);
}

static bool node_of(int who)
{
	struct bus e;

	ep_paths(&e, &bus, race.name[who]);
	return path_exists(e.path);
}

/* one wins; the other is late by much (ENOTTY) or by little */
static int check_one_wins(const int ret[2], int err, int late)
{
	int winner = !!ret[0];

	kt_check(!ret[winner] && (ret[!winner] == -err ||
				  ret[!winner] == -late),
		 "results %s and %s", kt_err(ret[0]), kt_err(ret[1]));
	return winner;
}

static void race_handle(int (*second)(void *arg))
{
	u64 end = kt_now_ms() + RACE_MS;
	bool makes = second == make_b;
	int ret[2], winner;

	bus_of(&bus, OWNER);
	while (kt_now_ms() < end && !kt->failures) {
		race.fd[0] = open_endpoint(&bus);
		race.fd[1] = race.fd[0];
		bus_name(race.name[0], 64);
		bus_name(race.name[1], 64);
		pair_run(make_a, second, NULL, ret);
		winner = check_one_wins(ret, EBADFD, ENOTTY);
		kt_check(node_of(0) == !winner, "first node");
		kt_check(node_of(1) == (makes && winner), "second node");
		close(race.fd[0]);
		kt_check(!node_of(0) && !node_of(1), "a node stays");
	}
}

START_TEST(two_make_on_one_handle)
{
	race_handle(make_b);
}
END_TEST

START_TEST(make_against_hello)
{
	race_handle(hello_b);
}
END_TEST

START_TEST(two_make_one_name)
{
	u64 end = kt_now_ms() + RACE_MS;
	int ret[2], winner;

	bus_of(&bus, OWNER);
	while (kt_now_ms() < end && !kt->failures) {
		race.fd[0] = open_endpoint(&bus);
		race.fd[1] = open_endpoint(&bus);
		bus_name(race.name[0], 64);
		strcpy(race.name[1], race.name[0]);
		pair_run(make_a, make_b, NULL, ret);
		winner = check_one_wins(ret, EEXIST, EEXIST);
		kt_check(node_of(0), "no node");
		close(race.fd[!winner]);
		kt_check(node_of(0), "the loser took the node");
		close(race.fd[winner]);
		kt_check(!node_of(0), "the node stays");
	}
}
END_TEST

/* who gets in gets in as the policy says, however early */
static int rush_in(void *arg)
{
	struct conn c = { 0 };
	u64 end = kt_now_ms() + 20000;
	struct bus e;
	int ret;

	(void)arg;
	ep_paths(&e, &bus, race.name[0]);
	do
		c.fd = open(e.path, O_RDWR | O_CLOEXEC);
	while (c.fd < 0 && kt_now_ms() < end);
	ret = hello(c.fd, 0, 4096) ?: name_acquire(&c, "foo.bar", 0);
	close(c.fd);
	return ret;
}

START_TEST(no_node_without_policy)
{
	u64 end = kt_now_ms() + RACE_MS;
	int ret[2];

	bus_of(&bus, OWNER);
	while (kt_now_ms() < end && !kt->failures) {
		race.fd[0] = open_endpoint(&bus);
		bus_name(race.name[0], 64);
		pair_run(make_a, rush_in, NULL, ret);
		kt_check_ret(ret[0], 0, "ENDPOINT_MAKE");
		kt_check_ret(ret[1], 0, "the first connection");
		close(race.fd[0]);
	}
}
END_TEST

/* a HELLO that comes too late is heard of by nobody */
START_TEST(hello_too_late)
{
	u64 off;
	int fd;

	prepare();
	match_all(&out);
	fd = open_endpoint(&ep);
	bus_close(&ep);
	conn_drain(&out);
	kt_check_ret(hello(fd, 0, POOL), -ESHUTDOWN, "HELLO");
	kt_check_ret(conn_recv(&out, &off), -EAGAIN, "a notification");
}
END_TEST

KT_SUITE("ep-death")
{
	kt_test(close_disconnects);
	kt_test(names_move_on);
	kt_test(sync_sender_wakes);
	kt_test(bus_dies);
	kt_test(many_connections);
	kt_test(one_budget_for_all);
	kt_test(not_that_of_the_user);
	kt_test(two_make_on_one_handle);
	kt_test(make_against_hello);
	kt_test(two_make_one_name);
	kt_test(no_node_without_policy);
	kt_test(hello_too_late);
}
