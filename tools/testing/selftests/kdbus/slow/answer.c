// SPDX-License-Identifier: GPL-2.0-only
/*
 * Answers to requesters that sleep: what they take up in the pool of the
 * requester while the replier's memory is waited for, and until they are taken.
 */
#include <unistd.h>

#include "pair.h"
#include "slow-util.h"
#include "wait-util.h"

#define ASKS	20321
#define REPLIES	20322
#define OTHER	20323

static struct slow_send slow;
static struct call call;
static u8 bytes[POOL];

static void open_as(uid_t uid, struct conn *c)
{
	kt_become(uid);
	conn_open(c, &bus, POOL);
	kt_become(0);
}

static void check_used(u64 want, const char *when)
{
	u64 used = pool_used(&a);

	kt_check(used == want, "%s: %llu bytes in use, not %llu", when, used,
		 want);
}

/* ------------------------------------------------------------------------ */

static void start_slow_answer(u64 deadline)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&a, &bus, POOL);
	open_as(REPLIES, &b);
	call_start(&call, &a, b.id, 7, deadline);
	expect_msg(&b, 7, 0);
	reply_init(&slow.m, a.id, 7);
	slow.m.msg.cookie = 1;
	slow_send_start(&slow, &b);
}

static void end_slow_answer(void)
{
	const struct kdbus_msg *m;

	kt_check_ret(slow_send_end(&slow), 0, "the slow answer");
	kt_assert_ret(call_end(&call), 0, "the request");
	m = conn_msg(&a, call.m.msg.offset_reply);
	kt_check(m->cookie == 1 && slow_mem_filled((const u8 *)m + m->size),
		 "not what was sent");
	kt_check_ret(conn_free(&a, call.m.msg.offset_reply), 0, "FREE");
	check_used(0, "after all");
}

START_TEST(stuck_takes_nothing)
{
	start_slow_answer(NEVER);
	check_used(0, "stuck");
	end_slow_answer();
}
END_TEST

/* at whichever page */
START_TEST(stuck_at_each_page)
{
	unsigned int page;

	start_slow_answer(NEVER);
	for (page = 0; page < SLOW_PAGES - 1; page++) {
		slow_mem_fill(&slow.mem, page);
		kt_check(slow_mem_wait(&slow.mem) == page + 1,
			 "fault at another page");
		check_used(0, "stuck again");
	}
	end_slow_answer();
}
END_TEST

START_TEST(stuck_beyond_the_end)
{
	start_slow_answer(in_ms(300));
	kt_check_ret(call_end(&call), -ETIMEDOUT, "the request");
	check_used(0, "after the deadline");
	kt_check_ret(slow_send_end(&slow), -EPERM, "the slow answer");
	check_used(0, "after the answer");
	expect_empty(&a);
}
END_TEST

/* others take the room meanwhile, and leave it again */
START_TEST(room_is_taken)
{
	unsigned int n = 0;
	struct conn c;

	start_slow_answer(NEVER);
	conn_open(&c, &bus, POOL);
	while (!conn_send_want(&c, a.id, bytes, 8 * KIB))
		n++;
	kt_check(n >= 4, "only %u messages", n);
	kt_check(conn_drain(&a) == n, "messages");
	end_slow_answer();
}
END_TEST

START_TEST(no_room_any_more)
{
	struct conn c;
	int ret;

	start_slow_answer(NEVER);
	conn_open(&c, &bus, POOL);
	while (!conn_send_want(&c, a.id, bytes, 8 * KIB))
		;
	ret = slow_send_end(&slow);
	kt_check(ret == -EXFULL || ret == -ENOBUFS, "answer: %s", kt_err(ret));
	kt_check_ret(call_end(&call), ret, "the request");
	conn_drain(&a);
	check_used(0, "after all");
}
END_TEST

static int sends_unreadable(void)
{
	struct blob m;

	reply_init(&m, a.id, 7);
	msg_vec(&m, bytes, 100);
	msg_vec(&m, kt_noread(KT_PAGE), 10);
	return conn_send(&b, &m);
}

/* what can never be read is the fault of the replier, which may try again */
START_TEST(unreadable)
{
	start_slow_answer(NEVER);
	kt_check_ret(sends_unreadable(), -EFAULT, "answer");
	check_used(0, "after an answer that failed");
	end_slow_answer();
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Answers that nobody has taken yet */

static void interrupted_call(struct conn *replier, u64 cookie)
{
	call_init(&call, &a, replier->id, cookie, NEVER);
	call_run_now(&call);
	wait_readable(replier);
	expect_msg(replier, cookie, 0);
	kt_wait_asleep(call.tid);
	hit_thread(call.thread);
	kt_assert_ret(call_end(&call), -EINTR, "call %llu", cookie);
}

static int answer_want(struct conn *c, u64 cookie, size_t want)
{
	struct blob m;

	reply_init(&m, a.id, cookie);
	msg_vec(&m, bytes, want - 72 - 32);
	return conn_send(c, &m);
}

/* the call comes back: with an answer, or with an errno */
static void come_back(struct conn *replier, u64 cookie, int want)
{
	call_init(&call, &a, replier->id, cookie, NEVER);
	call_run_now(&call);
	kt_check_ret(call_end(&call), want, "call %llu", cookie);
	if (!want)
		kt_check_ret(conn_free(&a, call.m.msg.offset_reply), 0, "FREE");
}

static void prepare_users(uid_t asks)
{
	on_signal(0);
	/* its owner may ask anybody */
	kt_become(asks);
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	kt_become(0);
	open_as(asks, &a);
	open_as(REPLIES, &b);
}

#define EIGHTH	(POOL / 8)

/* as with messages: half of the pool is for all answers of a user */
START_TEST(share_of_answers)
{
	struct conn other;
	int i;

	prepare_users(ASKS);
	open_as(OTHER, &other);
	for (i = 1; i <= 4; i++) {
		interrupted_call(&b, i);
		kt_check_ret(answer_want(&b, i, EIGHTH), 0, "answer %d", i);
	}
	check_used(POOL / 2, "half");
	interrupted_call(&b, 5);
	kt_check_ret(answer_want(&b, 5, 112), -ENOBUFS, "answer 5");
	check_used(POOL / 2, "still half");
	/* another user has a share of its own */
	interrupted_call(&other, 6);
	kt_check_ret(answer_want(&other, 6, POOL / 4), 0, "answer of another");
	come_back(&b, 5, -ENOBUFS);
	for (i = 1; i <= 4; i++)
		come_back(&b, i, 0);
	come_back(&other, 6, 0);
	check_used(0, "all taken");
	/* and the share is free again */
	interrupted_call(&b, 7);
	kt_check_ret(answer_want(&b, 7, POOL / 2), 0, "answer 7");
	come_back(&b, 7, 0);
}
END_TEST

/* messages that wait count as well, and the other way round */
START_TEST(share_with_messages)
{
	prepare_users(ASKS);
	interrupted_call(&b, 1);
	kt_check_ret(answer_want(&b, 1, POOL / 4), 0, "answer");
	/* an answer to an asynchronous request is a message */
	kt_assert_ret(request(&a, b.id, 2, NEVER), 0, "request");
	kt_assert_ret(request(&a, b.id, 3, NEVER), 0, "request");
	kt_check_ret(answer_want(&b, 2, POOL / 4 + 8), -ENOBUFS, "too much");
	kt_check_ret(answer_want(&b, 2, POOL / 4), 0, "message");
	kt_check_ret(answer_want(&b, 3, 112), -ENOBUFS, "the least");
	come_back(&b, 1, 0);
	kt_check_ret(answer_want(&b, 3, 112), 0, "the least");
	kt_check(conn_drain(&a) == 2, "messages");
	check_used(0, "all taken");
}
END_TEST

/* nobody is refused by oneself */
START_TEST(own_answers)
{
	int i;

	prepare_users(REPLIES);
	for (i = 1; i <= 6; i++) {
		interrupted_call(&b, i);
		kt_check_ret(answer_want(&b, i, POOL / 16), 0, "answer %d", i);
	}
	interrupted_call(&b, 7);
	kt_check_ret(answer_want(&b, 7, POOL * 5 / 16), 0, "half of the rest");
	for (i = 1; i <= 7; i++)
		come_back(&b, i, 0);
	check_used(0, "all taken");
}
END_TEST

/* what is not taken any more is given back */
START_TEST(share_after_cancel)
{
	int i;

	prepare_users(ASKS);
	for (i = 1; i <= 3; i++) {
		interrupted_call(&b, 1);
		kt_check_ret(answer_want(&b, 1, POOL / 2), 0, "answer");
		kt_check_ret(cancel(&a, 1), 0, "MSG_CANCEL");
		check_used(0, "cancelled");
		come_back(&b, 1, -ECANCELED);
	}
}
END_TEST

KT_SUITE("slow-answer")
{
	kt_test(stuck_takes_nothing);
	kt_test(stuck_at_each_page);
	kt_test(stuck_beyond_the_end);
	kt_test(room_is_taken);
	kt_test(no_room_any_more);
	kt_test(unreadable);
	kt_test(share_of_answers);
	kt_test(share_with_messages);
	kt_test(own_answers);
	kt_test(share_after_cancel);
}
