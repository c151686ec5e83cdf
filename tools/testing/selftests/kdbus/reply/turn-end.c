// SPDX-License-Identifier: GPL-2.0-only
/* How MSG_SEND that also waits and frees ends; many of them */

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "pair.h"
#include "wait-util.h"

/* waking up another processor takes long in a virtual machine */
#define TURNS	10000
#define TURNS_ANYWHERE	1000

static struct blob m;
static struct waiter waiter;
static u64 held;

/* @m: frees what @a holds, then receives */
static void both_init(u64 cookie)
{
	held = hold_one(&b, &a, 50);
	turn_init(&m, b.id, cookie);
	turn_free(&m, held);
}

/* it was sent, it freed, and there was nothing to receive */
static void end_with_none(const char *what)
{
	kt_check_ret(wait_end(&waiter), 0, "%s", what);
	kt_check(m.msg.offset_reply == NONE, "%s: offset %#llx", what,
		 m.msg.offset_reply);
}

static void sent_once(u64 cookie)
{
	expect_msg(&b, cookie, 0);
	expect_empty(&b);
}

/* also if the handler asks for a restart: it would be sent again */
START_TEST(ended_by_signal)
{
	static const int flags[] = { 0, SA_RESTART };
	size_t i;

	pair_open();
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		on_signal(flags[i]);
		both_init(i);
		wait_send(&waiter, &a, &m);
		wait_hit(&waiter);
		end_with_none("signal");
		kt_check_ret(conn_free(&a, held), -ENXIO, "not freed");
		sent_once(i);
		expect_empty(&a);
	}
}
END_TEST

START_TEST(ended_by_byebye)
{
	pair_open();
	both_init(1);
	wait_send(&waiter, &a, &m);
	kt_check_ret(conn_byebye(&a), 0, "BYEBYE");
	end_with_none("BYEBYE");
	sent_once(1);
	kt_check_ret(conn_send(&a, &m), -ECONNRESET, "send again");
}
END_TEST

START_TEST(ended_by_bus)
{
	pair_open();
	both_init(1);
	wait_send(&waiter, &a, &m);
	bus_close(&bus);
	end_with_none("end of the bus");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Messages with files */

static void send_pipe(int p[2])
{
	struct blob f;

	kt_assert(!pipe(p), "pipe: %m");
	msg_init(&f, a.id, 2);
	msg_fds(&f, &p[1], 1);
	kt_assert_ret(conn_send(&b, &f), 0, "send files");
	close(p[1]);
}

START_TEST(files)
{
	const struct kdbus_item *item;
	int p[2];
	char c;

	pair_open_as(KDBUS_HELLO_ACCEPT_FD, POOL);
	both_init(1);
	wait_send(&waiter, &a, &m);
	send_pipe(p);
	kt_assert_ret(wait_end(&waiter), 0, "turn");
	item = item_find(conn_msg(&a, m.msg.offset_reply), KDBUS_ITEM_FDS, 0);
	kt_assert(item, "no files");
	kt_check(write(item->fds[0], "y", 1) == 1, "write: %m");
	kt_check(read(p[0], &c, 1) == 1 && c == 'y', "another file");
	take_at(&a, m.msg.offset_reply, 2);
	sent_once(1);
}
END_TEST

/* nothing that ends the call after the message was sent is an error of it */
START_TEST(no_descriptor_left)
{
	struct rlimit was, none;
	int p[2];
	u64 off;

	pair_open_as(KDBUS_HELLO_ACCEPT_FD, POOL);
	both_init(1);
	send_pipe(p);
	kt_assert(!getrlimit(RLIMIT_NOFILE, &was), "getrlimit: %m");
	none = was;
	none.rlim_cur = 0;
	kt_assert(!setrlimit(RLIMIT_NOFILE, &none), "setrlimit: %m");
	kt_check_ret(conn_send(&a, &m), 0, "turn");
	kt_assert(!setrlimit(RLIMIT_NOFILE, &was), "setrlimit: %m");
	kt_check(m.msg.offset_reply == NONE, "offset %#llx",
		 m.msg.offset_reply);
	sent_once(1);
	kt_check_ret(conn_free(&a, held), -ENXIO, "not freed");
	conn_recv_msg(&a, &off);
	take_at(&a, off, 2);
}
END_TEST

static void check_not_writable(struct blob *ro, const char *what)
{
	kt_check_ret(conn_send(&a, ro), -EFAULT, "%s", what);
	kt_check_ret(conn_free(&a, held), -ENXIO, "%s: not freed", what);
	sent_once(1);
}

START_TEST(offset_not_writable)
{
	int next = dup(0), p[2];

	close(next);
	pair_open_as(KDBUS_HELLO_ACCEPT_FD, POOL);
	both_init(1);
	send_one(&b, &a, 2);
	check_not_writable(kt_half_ro(&m, m.size,
				      offsetof(struct kdbus_msg, offset_reply)),
			   "a message");
	expect_msg(&a, 2, 0);
	expect_empty(&a);

	both_init(1);
	send_pipe(p);
	next = dup(0);
	close(next);
	check_not_writable(kt_half_ro(&m, m.size,
				      offsetof(struct kdbus_msg, offset_reply)),
			   "files");
	kt_check(dup(0) == next, "a descriptor was installed or lost");
	expect_msg(&a, 2, 0);
	expect_empty(&a);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* The client's turn */

static void sync_init(u64 deadline)
{
	held = hold_one(&b, &a, 50);
	msg_init(&m, b.id, 7);
	m.msg.flags = SYNC;
	m.msg.timeout_ns = deadline;
	turn_free(&m, held);
}

static void answered(void)
{
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	kt_assert_ret(wait_end(&waiter), 0, "answered");
	kt_check_ret(conn_free(&a, held), -ENXIO, "the old one: not freed");
	take_at(&a, m.msg.offset_reply, 1007);
	kt_check(pool_used(&a) == 0, "pool");
}

static void kept(int ret, int want, u64 deadline)
{
	kt_check_ret(ret, want, "synchronous request");
	kt_check(m.msg.timeout_ns == deadline, "the message was changed");
	take_at(&a, held, 50);
	kt_check(pool_used(&a) == 0, "pool");
}

START_TEST(sync_answered)
{
	pair_open();
	sync_init(NEVER);
	wait_send(&waiter, &a, &m);
	kt_check(conn_msg(&a, held)->cookie == 50, "freed before the answer");
	kt_check(pool_used(&a) != 0, "freed before the answer");
	answered();
}
END_TEST

START_TEST(sync_failed)
{
	pair_open();
	sync_init(1);
	kept(conn_send(&a, &m), -ETIMEDOUT, 1);

	sync_init(NEVER);
	wait_send(&waiter, &a, &m);
	kt_check_ret(cancel(&a, 7), 0, "CANCEL");
	kept(wait_end(&waiter), -ECANCELED, NEVER);

	sync_init(NEVER);
	wait_send(&waiter, &a, &m);
	conn_close(&b);
	kept(wait_end(&waiter), -EPIPE, NEVER);
}
END_TEST

START_TEST(sync_interrupted)
{
	pair_open();
	on_signal(0);
	sync_init(NEVER);
	wait_send(&waiter, &a, &m);
	wait_hit(&waiter);
	kt_check_ret(wait_end(&waiter), -EINTR, "signal");
	kt_check(conn_msg(&a, held)->cookie == 50, "freed");
	/* it goes on as it was, and then frees */
	wait_send(&waiter, &a, &m);
	kt_check(conn_drain(&b) == 1, "sent again");
	answered();
}
END_TEST

START_TEST(sync_restarted)
{
	pair_open();
	on_signal(SA_RESTART);
	sync_init(NEVER);
	wait_send(&waiter, &a, &m);
	wait_restarts(&waiter);
	kt_check(conn_drain(&b) == 1, "sent again");
	answered();
}
END_TEST

/* while it waits, somebody else may free it */
START_TEST(freed_by_another)
{
	struct blob r;
	u64 next;

	pair_open();
	sync_init(NEVER);
	next = hold_one(&b, &a, 51);
	wait_send(&waiter, &a, &m);
	kt_check_ret(conn_free(&a, held), 0, "FREE");
	/* does not fit where the other one was */
	reply_init(&r, a.id, 7);
	msg_vec(&r, &r, 400);
	kt_check_ret(conn_send(&b, &r), 0, "reply");
	kt_assert_ret(wait_end(&waiter), 0, "answered");
	kt_check(m.msg.offset_reply != held, "test bug: the same place");
	take_at(&a, m.msg.offset_reply, 1007);
	take_at(&a, next, 51);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

/* ------------------------------------------------------------------------ */

/* one command a turn, until the connection ends: how many requests came */
static void *serve(void *arg)
{
	struct kdbus_cmd_recv r = { .flags = WAIT };
	static struct blob answer;
	u64 off, *n = arg;

	kt_assert_ret(kt_cmd(b.fd, KDBUS_CMD_MSG_RECV, &r), 0, "MSG_RECV");
	for (off = r.offset; off != NONE; off = answer.msg.offset_reply) {
		const struct kdbus_msg *req = conn_msg(&b, off);

		turn_init(&answer, req->src_id, ++*n);
		answer.msg.cookie_reply = req->cookie;
		msg_vec(&answer, (const u8 *)req + req->size, 8);
		turn_free(&answer, off);
		kt_assert_ret(conn_send(&b, &answer), 0, "turn %llu", *n);
	}
	return NULL;
}

/* one turn of the client: where the answer is */
static u64 turn(u64 i, u64 last)
{
	const struct kdbus_msg *got;

	msg_init(&m, b.id, i);
	m.msg.flags = SYNC;
	m.msg.timeout_ns = NEVER;
	msg_vec(&m, &i, sizeof(i));
	if (last != NONE)
		turn_free(&m, last);
	kt_assert_ret(conn_send(&a, &m), 0, "turn %llu", i);
	got = conn_msg(&a, m.msg.offset_reply);
	kt_assert(got->cookie == i && got->cookie_reply == i,
		  "turn %llu: cookies %llu, %llu", i, got->cookie,
		  got->cookie_reply);
	kt_assert(*(const u64 *)((const u8 *)got + got->size) == i,
		  "turn %llu: payload", i);
	return m.msg.offset_reply;
}

static void turns(u64 turns)
{
	u64 i, n = 0, off = NONE, most_a = 0, most_b = 0;
	pthread_t t;

	pair_open();
	t = kt_thread(serve, &n);
	for (i = 1; i <= turns; i++) {
		off = turn(i, off);
		if (i == 2) {
			most_a = pool_used(&a);
			most_b = pool_used(&b);
		}
		/* the service may not have freed its last one yet, or may have */
		if (i > 2 && i % 100 == 0)
			kt_check(pool_used(&a) <= most_a &&
				 pool_used(&b) <= most_b + 200,
				 "turn %llu: %llu and %llu bytes, not %llu, %llu",
				 i, pool_used(&a), pool_used(&b), most_a,
				 most_b);
	}
	while (conn_byebye(&b) == -EBUSY)
		;
	kt_join(t);
	kt_check(n == turns, "%llu requests were served", n);
	take_at(&a, off, turns);
	kt_check(pool_used(&a) == 0, "pool of the client: %llu", pool_used(&a));
	kt_check(pool_used(&b) == 0, "pool of the service: %llu",
		 pool_used(&b));
}

START_TEST(many)
{
	one_processor();
	turns(TURNS);
}
END_TEST

START_TEST(many_anywhere)
{
	turns(TURNS_ANYWHERE);
}
END_TEST

KT_SUITE("turn-end")
{
	kt_test(ended_by_signal);
	kt_test(ended_by_byebye);
	kt_test(ended_by_bus);
	kt_test(files);
	kt_test(no_descriptor_left);
	kt_test(offset_not_writable);
	kt_test(sync_answered);
	kt_test(sync_failed);
	kt_test(sync_interrupted);
	kt_test(sync_restarted);
	kt_test(freed_by_another);
	kt_test_slow(many, 180);
	kt_test_slow(many_anywhere, 180);
}
