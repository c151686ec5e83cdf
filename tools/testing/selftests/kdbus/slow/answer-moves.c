// SPDX-License-Identifier: GPL-2.0-only
/*
 * The request moves to another connection, with the name it was sent to, while
 * its receiver is in the middle of the answer. What is owed is owed by the new
 * owner alone.
 */
#include <signal.h>
#include <unistd.h>

#include "act-world.h"
#include "policy-util.h"
#include "slow-util.h"
#include "wait-util.h"

#define USER_S	20301
#define USER_T	20302

static struct slow_send slow;
static struct call call;

static void own_as(uid_t uid, struct conn *c, const struct bus *where)
{
	kt_become(uid);
	conn_open(c, where, POOL);
	kt_become(0);
}

/* @a is root's; @s and @t may own NAME, but not talk to @a */
static void prepare(void)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&a, &bus, 256 * KIB);
	kt_assert_ret(holder_try_open(&act, &bus, ACTIVATOR,
				      NAME " u%u:o u%u:o", USER_S, USER_T), 0,
		      "activator");
	own_as(USER_S, &s, &bus);
	own_as(USER_T, &t, &bus);
	take(&s);
}

/* @s answers what is still in its queue */
static void start_answer(void)
{
	reply_init(&slow.m, a.id, 7);
	slow.m.msg.cookie = 1;
	slow_send_start(&slow, &s);
}

static void *to_other(void *arg)
{
	(void)arg;
	release(&s);
	take(&t);
	expect_msg(&t, 7, 0);
	return NULL;
}

static void *to_activator(void *arg)
{
	(void)arg;
	release(&s);
	return NULL;
}

static void *to_and_fro(void *arg)
{
	to_activator(arg);
	take(&s);
	return NULL;
}

static void prepare_async(void)
{
	prepare();
	kt_assert_ret(request_name(&a, NAME, 7, NEVER), 0, "request");
	start_answer();
}

START_TEST(moved_to_other)
{
	prepare_async();
	must_return(to_other, NULL, "hand-over");
	kt_check_ret(slow_send_end(&slow), -EPERM, "answer of the old owner");
	expect_empty(&a);
	kt_check_ret(reply(&t, a.id, 7), 0, "answer of the new owner");
	expect_msg(&a, 1007, 7);
	kt_check_ret(reply(&t, a.id, 7), -EPERM, "once more");
}
END_TEST

START_TEST(moved_to_activator)
{
	prepare_async();
	must_return(to_activator, NULL, "hand-back");
	kt_check_ret(slow_send_end(&slow), -EPERM, "answer of the old owner");
	expect_empty(&a);
	kt_check_ret(drop(&act), 0, "DROP");
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 7);
	expect_empty(&a);
}
END_TEST

/* who owes it again may answer */
START_TEST(moved_and_back)
{
	prepare_async();
	must_return(to_and_fro, NULL, "to and fro");
	kt_check_ret(slow_send_end(&slow), 0, "answer");
	expect_msg(&a, 1, 7);
	expect_msg(&s, 7, 0);
}
END_TEST

/* to one that may talk to @a, the answer is a message, and nothing else */
START_TEST(moved_is_message)
{
	struct conn old;

	prepare();
	release(&s);
	conn_open(&old, &bus, POOL);
	take(&old);
	kt_assert_ret(request_name(&a, NAME, 7, NEVER), 0, "request");
	reply_init(&slow.m, a.id, 7);
	slow.m.msg.cookie = 1;
	slow_send_start(&slow, &old);
	release(&old);
	take(&t);
	kt_check_ret(slow_send_end(&slow), 0, "a message");
	expect_msg(&a, 1, 7);
	kt_check_ret(reply(&t, a.id, 7), 0, "answer of the new owner");
	expect_msg(&a, 1007, 7);
	expect_empty(&a);
}
END_TEST

static void prepare_sync(void)
{
	prepare();
	call_init(&call, &a, KDBUS_DST_ID_NAME, 7, NEVER);
	blob_add_str(&call.m, KDBUS_ITEM_DST_NAME, NAME);
	call_run(&call);
	start_answer();
}

static void call_answered(u64 cookie, u64 by)
{
	const struct kdbus_msg *m;

	kt_assert_ret(call_end(&call), 0, "call");
	m = conn_msg(&a, call.m.msg.offset_reply);
	kt_check(m->cookie == cookie && m->src_id == by,
		 "cookie %llu from %llu, not %llu from %llu", m->cookie,
		 m->src_id, cookie, by);
	kt_check_ret(conn_free(&a, call.m.msg.offset_reply), 0, "FREE");
	kt_check(pool_used(&a) == 0, "%llu bytes in use", pool_used(&a));
}

static void check_waits(void)
{
	kt_check(!__atomic_load_n(&call.done, __ATOMIC_SEQ_CST),
		 "the call returned");
	expect_empty(&a);
}

START_TEST(sync_to_other)
{
	prepare_sync();
	must_return(to_other, NULL, "hand-over");
	kt_check_ret(slow_send_end(&slow), -EPERM, "answer of the old owner");
	check_waits();
	kt_check_ret(reply(&t, a.id, 7), 0, "answer of the new owner");
	call_answered(1007, t.id);
}
END_TEST

START_TEST(sync_to_activator)
{
	prepare_sync();
	must_return(to_activator, NULL, "hand-back");
	kt_check_ret(slow_send_end(&slow), -EPERM, "answer of the old owner");
	check_waits();
	kt_check_ret(drop(&act), 0, "DROP");
	kt_check_ret(call_end(&call), -EPIPE, "call");
}
END_TEST

START_TEST(sync_and_back)
{
	prepare_sync();
	must_return(to_and_fro, NULL, "to and fro");
	kt_check_ret(slow_send_end(&slow), 0, "answer");
	call_answered(1, s.id);
	expect_msg(&s, 7, 0);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* The endpoint of the one that answers ends meanwhile */

static struct bus ep;

static void *ends(void *arg)
{
	(void)arg;
	close(ep.fd);
	return NULL;
}

START_TEST(endpoint_ends)
{
	prepare();
	release(&s);
	conn_close(&s);
	ep_make(&ep, &bus, NAME " w:o");
	own_as(USER_S, &s, &ep);
	take(&s);
	on_signal(0);
	call_init(&call, &a, KDBUS_DST_ID_NAME, 7, NEVER);
	blob_add_str(&call.m, KDBUS_ITEM_DST_NAME, NAME);
	call_run(&call);
	start_answer();
	hit_thread(call.thread);
	kt_check_ret(call_end(&call), -EINTR, "call");
	must_return(ends, NULL, "end of the endpoint");
	kt_check_ret(slow_send_end(&slow), -ECONNRESET, "answer");
	conn_close(&a);
	kt_check_ret(drop(&act), 0, "DROP");
	kt_check_ret(drop(&act), -EAGAIN, "DROP");
}
END_TEST

KT_SUITE("answer-moves")
{
	kt_test(moved_to_other);
	kt_test(moved_to_activator);
	kt_test(moved_and_back);
	kt_test(moved_is_message);
	kt_test(sync_to_other);
	kt_test(sync_to_activator);
	kt_test(sync_and_back);
	kt_test(endpoint_ends);
}
