// SPDX-License-Identifier: GPL-2.0-only
/*
 * A service takes its name from an activator, and not all that waits there fits
 * into its pool: the rest follows, in order, when there is room.
 */
#include <poll.h>

#include "act-world.h"
#include "slow-util.h"
#include "wait-util.h"

#define N	20

static struct conn small;

static void send_large(u64 cookie, size_t size, u64 flags)
{
	static u8 bytes[40 * KIB];
	struct blob m;

	msg_init(&m, 0, cookie);
	m.msg.flags = flags;
	m.msg.timeout_ns = flags ? NEVER : 0;
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
	msg_vec(&m, bytes, size);
	kt_assert_ret(conn_send(&a, &m), 0, "send %llu", cookie);
}

static void behind_world(u64 pool)
{
	act_world(0);
	conn_open(&small, &bus, pool);
}

static u64 waiting(void)
{
	return fdinfo(&act, "queued:");
}

/* ------------------------------------------------------------------------ */
/* Each way to give memory back lets the next one in */

static void by_free(u64 off)
{
	kt_check_ret(conn_free(&small, off), 0, "FREE");
}

static void by_recv(u64 off)
{
	struct kdbus_cmd_recv r = {
		.flags = KDBUS_RECV_EXT_FREE | KDBUS_RECV_PEEK, .offset = off,
	};
	int ret = kt_cmd(small.fd, KDBUS_CMD_MSG_RECV, &r);

	kt_check(!ret || ret == -EAGAIN, "RECV: %s", kt_err(ret));
}

static void by_send(u64 off)
{
	struct blob m;

	msg_init(&m, s.id, 1);
	m.msg.flags = KDBUS_MSG_EXT_FREE;
	blob_add(&m, KDBUS_ITEM_FREE, &off, sizeof(off));
	kt_check_ret(conn_send(&small, &m), 0, "MSG_SEND");
	expect_msg(&s, 1, 0);
}

static void (*const ways[])(u64 off) = { by_free, by_recv, by_send };

/* whatever fits at a time, all of them come, in order, and can be answered */
static void all_follow(void (*give_back)(u64 off))
{
	u64 off, i;

	behind_world(KT_PAGE);
	for (i = 1; i <= N; i++)
		send_large(i, 1500, EXPECT);
	take(&small);
	check_owner(small.id);
	kt_check(waiting() == N - 2, "%llu wait", waiting());
	for (i = 1; i <= N; i++) {
		kt_check(fd_poll(small.fd, 0) & POLLIN, "%llu: no POLLIN", i);
		kt_check(conn_recv_msg(&small, &off)->cookie == i, "not %llu",
			 i);
		kt_check_ret(reply(&small, a.id, i), 0, "reply");
		expect_msg(&a, 1000 + i, i);
		give_back(off);
	}
	expect_empty(&small);
	kt_check(!pool_used(&act) && !pool_used(&small), "pools");
	send_n(N + 1, 1);
	expect_n(&small, N + 1, 1);
	bus_close(&bus);
}

START_TEST(follow)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ways); i++)
		all_follow(ways[i]);
}
END_TEST

START_TEST(follow_dropped)
{
	int i;

	behind_world(KT_PAGE);
	for (i = 1; i <= N; i++)
		send_large(i, 1500, EXPECT);
	take(&small);
	for (i = 1; i <= N; i++) {
		kt_check_ret(drop(&small), 0, "DROP %d", i);
		expect_note(&a, KDBUS_ITEM_REPLY_DEAD, i);
	}
	expect_empty(&small);
	kt_check(!pool_used(&act), "pool of the activator");
}
END_TEST

/* nothing gets ahead of what waits, by the name; the name is full */
START_TEST(order)
{
	u64 off;

	behind_world(4 * KT_PAGE);
	send_large(1, 3000, 0);
	send_large(2, 14000, 0);
	send_n(3, 1);
	take(&small);
	kt_check(waiting() == 2, "%llu wait", waiting());
	kt_check_ret(send_name(&a, NAME, 4), -ENOBUFS, "ahead of them");
	kt_check_ret(conn_send_bytes(&a, small.id, 5, "x", 1), 0, "by id");
	kt_check(conn_recv_msg(&small, &off)->cookie == 1, "not the first");
	kt_check_ret(conn_free(&small, off), 0, "FREE");
	/* that of 14000 bytes does not fit beside it */
	kt_check(waiting() == 2, "%llu wait", waiting());
	expect_msg(&small, 5, 0);
	kt_check(waiting() == 0, "%llu wait", waiting());
	send_n(6, 1);
	expect_msg(&small, 2, 0);
	expect_msg(&small, 3, 0);
	expect_n(&small, 6, 1);
}
END_TEST

/* and by other names of the service; what others send is let past */
START_TEST(others_pass)
{
	behind_world(4 * KT_PAGE);
	send_large(1, 3000, 0);
	send_large(2, 14000, 0);
	kt_check_ret(send_name(&t, NAME, 21), 0, "another sender");
	send_n(3, 1);
	take(&small);
	kt_check(waiting() == 2, "%llu wait", waiting());
	kt_check_ret(send_name(&t, NAME, 22), 0, "another sender");
	kt_assert_ret(request_name(&s, NAME, 31, NEVER), 0, "a request");
	kt_assert_ret(name_acquire(&small, "a.b", 0), 0, "another name");
	kt_check_ret(send_name(&t, "a.b", 23), 0, "another sender");
	kt_check_ret(send_name(&a, NAME, 4), -ENOBUFS, "ahead of its own");
	kt_check_ret(send_name(&a, "a.b", 4), -ENOBUFS, "ahead of its own");
	expect_msg(&small, 1, 0);
	kt_check(waiting() == 2, "%llu wait", waiting());
	expect_msg(&small, 21, 0);
	expect_msg(&small, 22, 0);
	expect_msg(&small, 31, 0);
	kt_check_ret(reply(&small, s.id, 31), 0, "reply");
	expect_msg(&s, 1031, 31);
	expect_msg(&small, 23, 0);
	kt_check(waiting() == 0, "%llu wait", waiting());
	kt_check_ret(send_name(&a, "a.b", 4), 0, "after its own");
	expect_n(&small, 2, 3);
}
END_TEST

/* a monitor sees in which order they come */
START_TEST(others_pass_monitor)
{
	struct conn mon;

	behind_world(4 * KT_PAGE);
	special_try_open(&mon, &bus, KDBUS_HELLO_MONITOR, NULL, POOL);
	send_large(1, 3000, 0);
	send_large(2, 14000, 0);
	take(&small);
	conn_drain(&mon);
	kt_check_ret(send_name(&t, NAME, 21), 0, "another sender");
	kt_check_ret(send_name(&a, NAME, 3), -ENOBUFS, "ahead of its own");
	expect_n(&mon, 21, 1);
	expect_msg(&small, 1, 0);
	expect_msg(&small, 21, 0);
	expect_n(&small, 2, 1);
}
END_TEST

/* past that many only: not too much is looked at each time */
START_TEST(passed_by_few)
{
	const u64 n = 80, most = 63;
	u64 i, before = 0, off, cookie, last = 0;

	behind_world(KT_PAGE);
	for (i = 1; i <= n; i++)
		send_large(i, 500, 0);
	kt_check_ret(send_name(&t, NAME, 1001), 0, "another sender");
	take(&small);
	for (i = 0; i <= n; i++) {
		cookie = conn_recv_msg(&small, &off)->cookie;
		kt_assert_ret(conn_free(&small, off), 0, "FREE");
		if (cookie == 1001) {
			before = last;
			continue;
		}
		kt_check(cookie == last + 1, "%llu after %llu", cookie, last);
		last = cookie;
	}
	kt_check(before >= n - most && before < n, "%llu before it", before);
	expect_empty(&small);
}
END_TEST

/* nor does a message that will never fit keep the others waiting */
START_TEST(too_large)
{
	behind_world(KT_PAGE);
	send_n(1, 1);
	send_large(2, 5000, EXPECT);
	send_large(3, 5000, 0);
	send_n(4, 1);
	take(&small);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 2);
	expect_empty(&a);
	kt_check(fdinfo(&small, "lost:") == 2, "%llu lost",
		 fdinfo(&small, "lost:"));
	expect_msg(&small, 1, 0);
	expect_n(&small, 4, 1);
	kt_check(!pool_used(&act), "pool of the activator");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Who waits for an answer */

START_TEST(deadline)
{
	behind_world(KT_PAGE);
	send_large(1, 3000, 0);
	kt_assert_ret(request_name(&a, NAME, 2, in_ms(50)), 0, "request");
	send_large(3, 1500, 0);
	take(&small);
	expect_note(&a, KDBUS_ITEM_REPLY_TIMEOUT, 2);
	expect_msg(&small, 1, 0);
	expect_msg(&small, 2, 0);
	expect_n(&small, 3, 1);
	expect_empty(&a);
}
END_TEST

START_TEST(synchronous)
{
	static struct call call;

	behind_world(KT_PAGE);
	send_large(1, 3900, 0);
	call_init(&call, &a, 0, 7, in_ms(20000));
	blob_add_str(&call.m, KDBUS_ITEM_DST_NAME, NAME);
	call_run(&call);
	take(&small);
	kt_check(waiting() == 1, "%llu wait", waiting());
	expect_msg(&small, 1, 0);
	expect_msg(&small, 7, 0);
	kt_check_ret(reply(&small, a.id, 7), 0, "reply");
	kt_check_ret(call_end(&call), 0, "synchronous request");
	expect_empty(&small);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Somebody goes */

static void two_and_two(void)
{
	int i;

	behind_world(KT_PAGE);
	for (i = 1; i <= 4; i++)
		send_large(i, 1500, EXPECT);
	kt_assert_ret(name_acquire(&small, NAME, ALLOW), 0, "take over");
	kt_check(waiting() == 2, "%llu wait", waiting());
}

START_TEST(activator_goes)
{
	two_and_two();
	conn_close(&act);
	check_owner(small.id);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 3);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 4);
	expect_empty(&a);
	send_n(5, 1);
	expect_msg(&small, 1, 0);
	expect_msg(&small, 2, 0);
	expect_n(&small, 5, 1);
}
END_TEST

START_TEST(owner_goes)
{
	two_and_two();
	expect_msg(&small, 1, 0);
	kt_check(waiting() == 1, "%llu wait", waiting());
	conn_close(&small);
	check_owner(act.id);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 1);
	expect_empty(&a);
	send_n(5, 1);
	take(&s);
	expect_n(&s, 2, 4);
}
END_TEST

START_TEST(owner_releases)
{
	two_and_two();
	kt_assert_ret(name_release(&small, NAME), 0, "release");
	expect_empty(&small);
	send_n(5, 1);
	take(&s);
	expect_n(&s, 1, 5);
	/* it takes what others send, as before */
	kt_assert_ret(name_acquire(&small, "a.b", 0), 0, "another name");
	kt_check_ret(send_name(&a, "a.b", 6), 0, "to the other name");
	expect_n(&small, 6, 1);
}
END_TEST

/* what has not moved is for who replaces; what has, stays */
START_TEST(owner_is_replaced)
{
	two_and_two();
	kt_assert_ret(name_acquire(&s, NAME, REPLACE), 0, "replace");
	wait_readable(&s);
	expect_n(&s, 3, 2);
	send_n(5, 1);
	expect_n(&s, 5, 1);
	expect_n(&small, 1, 2);
}
END_TEST

START_TEST(waiter_is_next)
{
	two_and_two();
	kt_assert_ret(name_acquire(&s, NAME, QUEUE), 0, "wait");
	conn_close(&small);
	check_owner(s.id);
	wait_readable(&s);
	expect_n(&s, 3, 2);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 1);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 2);
	expect_empty(&a);
}
END_TEST

START_TEST(bus_goes)
{
	two_and_two();
	bus_close(&bus);
	kt_check_ret(conn_recv(&small, NULL), -ECONNRESET, "the bus is gone");
}
END_TEST

/* a sender that gives up leaves room, and nobody frees anything */
START_TEST(sender_gives_up)
{
	static struct slow_send slow;

	behind_world(10 * KT_PAGE);
	slow_send_to(&slow, &t, small.id, NULL);
	send_large(1, 7 * KT_PAGE, 0);
	take(&small);
	kt_check(waiting() == 1, "%llu wait", waiting());
	kt_check_ret(conn_byebye(&t), 0, "BYEBYE");
	kt_check_ret(slow_send_end(&slow), -ECONNRESET, "the slow send");
	kt_check(waiting() == 0, "%llu wait", waiting());
	expect_n(&small, 1, 1);
}
END_TEST

/* nor if its payload cannot be read */
START_TEST(sender_faults)
{
	static struct slow_send slow;

	behind_world(10 * KT_PAGE);
	slow_send_to(&slow, &t, small.id, NULL);
	send_large(1, 7 * KT_PAGE, 0);
	take(&small);
	kt_check(waiting() == 1, "%llu wait", waiting());
	kt_check_ret(slow_send_fault(&slow), -EFAULT, "the slow send");
	kt_check(waiting() == 0, "%llu wait", waiting());
	kt_check_ret(send_name(&a, NAME, 2), 0, "after it");
	expect_n(&small, 1, 2);
}
END_TEST

/* whoever manages the activator may throw away what waits there */
START_TEST(manager_drops)
{
	u64 off;

	behind_world(4 * KT_PAGE);
	send_large(1, 3000, 0);
	send_large(2, 14000, EXPECT);
	take(&small);
	kt_check(conn_recv_msg(&small, &off)->cookie == 1, "not the first");
	kt_check(waiting() == 1, "%llu wait", waiting());
	kt_check_ret(drop(&act), 0, "DROP");
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 2);
	/* the service has not freed anything */
	send_n(3, 1);
	expect_n(&small, 3, 1);
}
END_TEST

/* an answer that nobody takes any more leaves room as well */
START_TEST(answer_is_dropped)
{
	static u8 bytes[4 * KT_PAGE];
	static struct call call;
	struct blob m;

	behind_world(10 * KT_PAGE);
	on_signal(0);
	call_start(&call, &small, s.id, 7, NEVER);
	hit_thread(call.thread);
	kt_check_ret(call_end(&call), -EINTR, "synchronous request");
	expect_msg(&s, 7, 0);
	reply_init(&m, small.id, 7);
	msg_vec(&m, bytes, sizeof(bytes));
	kt_assert_ret(conn_send(&s, &m), 0, "reply");
	send_large(1, 7 * KT_PAGE, 0);
	take(&small);
	kt_check(waiting() == 1, "%llu wait", waiting());
	kt_check_ret(cancel(&small, 7), 0, "MSG_CANCEL");
	kt_check(waiting() == 0, "%llu wait", waiting());
	expect_n(&small, 1, 1);
}
END_TEST

/* what goes back to one activator leaves room for what waits at another */
START_TEST(another_goes_back)
{
	static u8 bytes[3000];
	struct conn other;
	struct blob m;

	behind_world(4 * KT_PAGE);
	activator_open(&other, &bus, 0, "an.other", POOL);
	kt_assert_ret(name_acquire(&small, "an.other", 0), 0, "the other");
	msg_init(&m, 0, 1);
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, "an.other");
	msg_vec(&m, bytes, sizeof(bytes));
	kt_assert_ret(conn_send(&a, &m), 0, "to the other name");
	send_large(2, 14000, 0);
	take(&small);
	kt_check(waiting() == 1, "%llu wait", waiting());
	kt_check_ret(name_release(&small, "an.other"), 0, "release");
	kt_check(fdinfo(&other, "queued:") == 1, "not handed back");
	wait_readable(&small);
	expect_n(&small, 2, 1);
	kt_check(waiting() == 0, "%llu wait", waiting());
}
END_TEST

/* ------------------------------------------------------------------------ */
/* All at once */

#define RACE_MS	1000
#define MOST	2000		/* messages; enough for any machine */

static bool over;
static u64 sent;		/* so many, numbered from 1 on */

/* one number after the other; what is refused is sent again */
static void *send_in_order(void *arg)
{
	u32 state = kt_seed;
	int ret;

	(void)arg;
	while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST) && sent < MOST) {
		ret = send_name(&a, NAME, sent + 1);
		kt_check(!ret || ret == -ENOBUFS || ret == -EXFULL, "send: %s",
			 kt_err(ret));
		sent += !ret;
		kt_spin(&state, 2000);
	}
	return NULL;
}

/* takes the name, some messages, and lets go; returns the last number */
static u64 serve_some(struct conn *c, unsigned int max, u64 last)
{
	u64 off;

	take(c);
	while (max-- && !conn_recv(c, &off)) {
		kt_check(conn_msg(c, off)->cookie == last + 1,
			 "number %llu after %llu", conn_msg(c, off)->cookie,
			 last);
		last = conn_msg(c, off)->cookie;
		kt_check_ret(conn_free(c, off), 0, "FREE");
	}
	release(c);
	expect_empty(c);
	return last;
}

/* through pools that are too small, none is lost and none gets ahead */
START_TEST(in_order_through_many)
{
	u64 end = kt_now_ms() + RACE_MS, last = 0, off;
	u32 state = kt_seed + 1;
	struct conn c[2];
	unsigned int i;
	pthread_t thread;

	behind_world(KT_PAGE);
	for (i = 0; i < ARRAY_SIZE(c); i++)
		conn_open(&c[i], &bus, KT_PAGE);
	thread = kt_thread(send_in_order, NULL);
	for (i = 0; kt_go_on(end, last > 100) && !kt->failures; i++)
		last = serve_some(&c[i % 2], kt_rand(&state) % 40, last);
	__atomic_store_n(&over, true, __ATOMIC_SEQ_CST);
	kt_join(thread);
	take(&s);
	while (!conn_recv(&s, &off)) {
		kt_check(conn_msg(&s, off)->cookie == ++last, "number %llu",
			 conn_msg(&s, off)->cookie);
		kt_check_ret(conn_free(&s, off), 0, "FREE");
	}
	kt_check(last == sent, "%llu of %llu", last, sent);
	kt_note("%llu messages, %u owners", sent, i);
}
END_TEST

KT_SUITE("behind")
{
	kt_test(follow);
	kt_test(follow_dropped);
	kt_test(order);
	kt_test(others_pass);
	kt_test(others_pass_monitor);
	kt_test(passed_by_few);
	kt_test(too_large);
	kt_test(deadline);
	kt_test(synchronous);
	kt_test(activator_goes);
	kt_test(owner_goes);
	kt_test(owner_releases);
	kt_test(owner_is_replaced);
	kt_test(waiter_is_next);
	kt_test(bus_goes);
	kt_test(sender_gives_up);
	kt_test(sender_faults);
	kt_test(manager_drops);
	kt_test(answer_is_dropped);
	kt_test(another_goes_back);
	kt_test(in_order_through_many);
}
