// SPDX-License-Identifier: GPL-2.0-only
/* What users may take up at a receiver: bytes and descriptors */

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "policy-util.h"

#define POOL	(256 * KIB)
#define CHUNK	(8 * KIB)
#define OWNER	20061		/* of the bus, so may send to everybody */
#define USER	20062		/* of the receiver */
#define OTHER	20063		/* may only answer */

static struct bus bus;
static struct conn root, owner, second, receiver, same, other, holder;
static u8 bytes[POOL];

static void prepare(void)
{
	kt_become(OWNER);
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&owner, &bus, 4096);
	conn_open(&second, &bus, 4096);
	kt_become(USER);
	kt_assert_ret(conn_try_open(&receiver, &bus, KDBUS_HELLO_ACCEPT_FD,
				    POOL), 0, "receiver");
	conn_open(&same, &bus, 4096);
	kt_become(OTHER);
	conn_open(&other, &bus, POOL);
	kt_become(0);
	conn_open(&root, &bus, 4096);
}

/* OTHER owns a name that the receiver may send to; nobody may send back */
static void let_receiver_ask(void)
{
	holder_open(&holder, &bus, "an.other u%u:o u%u:t", OTHER, USER);
	kt_assert_ret(name_acquire(&other, "an.other", 0), 0, "name");
}

static int send_as(uid_t uid, struct conn *from, size_t want)
{
	int ret;

	kt_become(uid);
	ret = conn_send_want(from, receiver.id, bytes, want);
	kt_become(0);
	return ret;
}

static void fill_as(uid_t uid, struct conn *from, int n)
{
	int i;

	for (i = 0; i < n; i++)
		kt_assert_ret(send_as(uid, from, CHUNK), 0, "chunk %d", i + 1);
}

static int answer_as_other(u64 cookie, size_t size)
{
	struct blob m;
	int ret;

	/* the policy for its name lets the request through */
	kt_assert_ret(request(&receiver, other.id, cookie, ~0ULL), 0,
		      "request");
	reply_init(&m, receiver.id, cookie);
	msg_vec(&m, bytes, size);
	kt_become(OTHER);
	ret = conn_send(&other, &m);
	kt_become(0);
	return ret;
}

START_TEST(half_for_one_user)
{
	u64 off;
	int i;

	prepare();
	fill_as(OWNER, &owner, POOL / CHUNK / 2);
	kt_check_ret(send_as(OWNER, &owner, 128), -ENOBUFS, "more than half");
	kt_check_ret(send_as(OWNER, &second, 128), -ENOBUFS,
		     "by another connection");
	kt_check_ret(send_as(0, &root, CHUNK), 0, "capable");
	for (i = 0; i < 3; i++) {
		conn_recv_msg(&receiver, &off);
		kt_assert_ret(conn_free(&receiver, off), 0, "free");
		kt_check_ret(send_as(OWNER, &second, 128), 0,
			     "received %d", i + 1);
	}
	conn_drain(&receiver);
}
END_TEST

START_TEST(dropped_gives_back)
{
	int i;

	prepare();
	for (i = 0; i < 5; i++) {
		fill_as(OWNER, &owner, POOL / CHUNK / 2);
		kt_check_ret(send_as(OWNER, &owner, CHUNK), -ENOBUFS,
			     "round %d", i);
		while (!conn_recv_flags(&receiver, KDBUS_RECV_DROP, NULL))
			;
	}
	kt_check(pool_used(&receiver) == 0, "pool");
}
END_TEST

START_TEST(rest_for_the_next)
{
	prepare();
	let_receiver_ask();
	fill_as(OWNER, &owner, POOL / CHUNK / 2);
	/* half of what is left, less the header and one item */
	kt_check_ret(answer_as_other(7, POOL / 4 - 72 - 32 + 1), -EXFULL,
		     "more than half of the rest");
	kt_check_ret(answer_as_other(8, POOL / 4 - 72 - 32), 0,
		     "half of the rest");
	kt_check_ret(answer_as_other(9, 1), -ENOBUFS, "and more");
	kt_check_ret(send_as(OWNER, &owner, 128), -ENOBUFS, "the first");
	conn_drain(&receiver);
	kt_check_ret(answer_as_other(10, 1), 0, "all was received");
}
END_TEST

START_TEST(nobody_starves_themselves)
{
	prepare();
	fill_as(USER, &same, POOL / CHUNK / 2 + 8);
	kt_check(conn_drain(&receiver) == POOL / CHUNK / 2 + 8, "lost some");
}
END_TEST

/* what is refused takes nothing up, at last or on the way */
START_TEST(refused_takes_nothing)
{
	int i;

	prepare();
	fill_as(OWNER, &owner, 4);
	for (i = 0; i < 100; i++) {
		kt_assert_ret(send_as(OWNER, &owner, POOL * 3 / 8 + 8),
			      -ENOBUFS, "too much for the sum");
		kt_assert_ret(send_as(OWNER, &owner, POOL), -ENOBUFS,
			      "too much for the pool");
	}
	fill_as(OWNER, &owner, POOL / CHUNK / 2 - 4);
	kt_check_ret(send_as(OWNER, &owner, 128), -ENOBUFS, "more than half");
	kt_check(conn_drain(&receiver) == POOL / CHUNK / 2, "wrong number");
}
END_TEST

static int send_fds_here(struct conn *from, unsigned int n)
{
	int fds[253] = { 0 };
	struct blob m;

	msg_init(&m, receiver.id, 1);
	msg_fds(&m, fds, n);
	return conn_send(from, &m);
}

static int send_fds(uid_t uid, struct conn *from, unsigned int n)
{
	int ret;

	kt_become(uid);
	ret = send_fds_here(from, n);
	kt_become(0);
	return ret;
}

START_TEST(descriptors)
{
	prepare();
	kt_check_ret(send_fds(OWNER, &owner, 200), 0, "200");
	kt_check_ret(send_fds(OWNER, &second, 54), -ENOBUFS, "254");
	kt_check_ret(send_fds(OWNER, &second, 53), 0, "253");
	kt_check_ret(send_fds(OWNER, &second, 1), -ENOBUFS, "254 again");
	kt_check_ret(send_fds(0, &root, 253), 0, "capable");
	kt_check_ret(conn_recv_flags(&receiver, KDBUS_RECV_DROP, NULL), 0,
		     "drop the 200");
	kt_check_ret(send_fds(OWNER, &owner, 200), 0, "200 again");
	kt_check_ret(send_fds(USER, &same, 253), 0, "the receiver's user");
	kt_check_ret(send_fds(USER, &same, 253), 0, "and again");
}
END_TEST

START_TEST(descriptors_in_flight)
{
	struct rlimit lim;

	prepare();
	kt_assert(!getrlimit(RLIMIT_NOFILE, &lim), "getrlimit: %m");
	lim.rlim_cur = 100;
	kt_assert(!setrlimit(RLIMIT_NOFILE, &lim), "setrlimit: %m");

	kt_check_ret(send_fds(USER, &same, 60), 0, "60");
	kt_check_ret(send_fds(USER, &same, 41), -ETOOMANYREFS, "101");
	kt_check_ret(send_fds(USER, &same, 40), 0, "100");
	kt_check_ret(send_fds(USER, &same, 1), -ETOOMANYREFS, "101 again");
	kt_check_ret(send_fds(OWNER, &owner, 100), 0, "another user");
	kt_check_ret(send_fds(0, &same, 60), 0, "capable");
	kt_check_ret(conn_recv_flags(&receiver, KDBUS_RECV_DROP, NULL), 0,
		     "drop 60");
	kt_check_ret(conn_recv_flags(&receiver, KDBUS_RECV_DROP, NULL), 0,
		     "drop 40");
	kt_check_ret(send_fds(USER, &same, 40), 0, "60 and 40");
	conn_close(&receiver);
}
END_TEST

static struct call call;

/* 60 of the 100 that USER may have; to change users would interrupt it */
static void call_with_files(void)
{
	struct rlimit lim = { .rlim_cur = 100, .rlim_max = 100 };
	int fds[60] = { 0 };

	kt_assert(!setrlimit(RLIMIT_NOFILE, &lim), "setrlimit: %m");
	call_init(&call, &same, receiver.id, 1, NEVER);
	msg_fds(&call.m, fds, 60);
	kt_become(USER);
	call_run(&call);
}

/* those of a call are in flight once, and until they have been received */
START_TEST(descriptors_of_a_call)
{
	prepare();
	call_with_files();
	kt_check_ret(send_fds_here(&same, 41), -ETOOMANYREFS, "101");
	kt_check_ret(send_fds_here(&same, 40), 0, "100");
	kt_check_ret(cancel(&same, 1), 0, "cancel");
	kt_check_ret(call_end(&call), -ECANCELED, "call");
}
END_TEST

/* a call that was interrupted and goes on waiting is not sent again */
START_TEST(descriptors_of_an_interrupted_call)
{
	prepare();
	call_with_files();
	/* a later one with its cookie is not it */
	kt_assert_ret(request(&same, receiver.id, 1, NEVER), 0, "request");
	/* each change is a signal to all threads */
	kt_become(0);
	kt_become(USER);
	kt_wait_asleep(call.tid);
	kt_check(conn_recv_flags(&receiver, KDBUS_RECV_PEEK, NULL) == 0, "peek");
	kt_check_ret(cancel(&same, 1), 0, "cancel");
	kt_check_ret(call_end(&call), -ECANCELED, "call");
	kt_become(0);
}
END_TEST

/* a custom endpoint is no way around it */
START_TEST(descriptors_in_flight_everywhere)
{
	struct rlimit lim = { .rlim_cur = 100, .rlim_max = 100 };
	struct conn inside;
	struct bus ep;

	prepare();
	holder_open(&holder, &bus, "a.receiver u%u:o", USER);
	kt_assert_ret(name_acquire(&receiver, "a.receiver", 0), 0, "name");
	ep_make(&ep, &bus, "a.receiver w:t");
	user_open(&inside, &ep, USER);
	kt_assert(!setrlimit(RLIMIT_NOFILE, &lim), "setrlimit: %m");

	kt_check_ret(send_fds(USER, &same, 60), 0, "60");
	kt_check_ret(send_fds(USER, &inside, 41), -ETOOMANYREFS, "101");
	kt_check_ret(send_fds(USER, &inside, 40), 0, "100");
	kt_check_ret(send_fds(USER, &same, 1), -ETOOMANYREFS, "101 again");
}
END_TEST

KT_SUITE("share")
{
	kt_test(half_for_one_user);
	kt_test(dropped_gives_back);
	kt_test(rest_for_the_next);
	kt_test(nobody_starves_themselves);
	kt_test(refused_takes_nothing);
	kt_test(descriptors);
	kt_test(descriptors_in_flight);
	kt_test(descriptors_of_a_call);
	kt_test(descriptors_of_an_interrupted_call);
	kt_test(descriptors_in_flight_everywhere);
}
