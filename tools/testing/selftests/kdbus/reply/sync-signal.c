// SPDX-License-Identifier: GPL-2.0-only
/* Requests that wait for their reply, interrupted by signals */

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "sync-util.h"
#include "wait-util.h"

static struct call call, call2;

static void interrupt_call(struct conn *replier, u64 deadline)
{
	on_signal(0);
	call_start(&call, &a, replier->id, 7, deadline);
	hit_thread(call.thread);
	end_failed(&call, EINTR);
}

static void start_interrupted(u64 deadline)
{
	interrupt_call(&b, deadline);
}

START_TEST(signal_restart)
{
	int i;

	pair_open();
	on_signal(SA_RESTART);
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	for (i = 0; i < 50; i++) {
		hit_thread(call.thread);
		kt_wait_asleep(call.tid);
	}
	kt_check(!call.done, "the call returned");
	kt_check(conn_drain(&b) == 1, "the request was sent again");
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	end_replied(&call, 7);
	expect_empty(&a);
	expect_empty(&b);
}
END_TEST

START_TEST(signal_restart_deadline)
{
	u64 deadline = in_ms(1000);

	pair_open();
	on_signal(SA_RESTART);
	call_start(&call, &a, b.id, 7, deadline);
	hit_thread(call.thread);
	hit_thread(call.thread);
	end_failed(&call, ETIMEDOUT);
	kt_check(call.end >= deadline, "early");
	kt_check(conn_drain(&b) == 1, "the request was sent again");
	expect_empty(&a);
}
END_TEST

/* the restarted call is ended by whatever would have ended it before */
START_TEST(signal_restart_end)
{
	pair_open();
	on_signal(SA_RESTART);
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	hit_thread(call.thread);
	kt_wait_asleep(call.tid);
	kt_check_ret(cancel(&a, 7), 0, "cancel");
	end_failed(&call, ECANCELED);
	call_start(&call, &a, b.id, 8, in_ms(LONG));
	hit_thread(call.thread);
	kt_wait_asleep(call.tid);
	conn_close(&b);
	end_failed(&call, EPIPE);
	expect_empty(&a);
}
END_TEST

START_TEST(signal_then_resume)
{
	int i;

	pair_open();
	start_interrupted(in_ms(LONG));
	for (i = 0; i < 3; i++) {
		call_run(&call);
		hit_thread(call.thread);
		end_failed(&call, EINTR);
	}
	call_run(&call);
	kt_check(conn_drain(&b) == 1, "the request was sent again");
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	end_replied(&call, 7);
	expect_empty(&a);
	expect_empty(&b);
}
END_TEST

/* a reply that comes meanwhile waits as well */
START_TEST(signal_then_reply)
{
	pair_open();
	start_interrupted(in_ms(LONG));
	kt_check_ret(reply(&b, a.id, 7), 0, "reply while interrupted");
	kt_check(!(fd_poll(a.fd, 0) & POLLIN), "POLLIN");
	expect_empty(&a);
	call_run_now(&call);
	end_replied(&call, 7);
	kt_check(conn_drain(&b) == 1, "the request was sent again");
	/* that was the reply; the next one is a message */
	kt_check_ret(reply(&b, a.id, 7), 0, "second reply");
	expect_msg(&a, 1007, 7);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

START_TEST(signal_then_files)
{
	int p[2];

	pair_open_as(KDBUS_HELLO_ACCEPT_FD, POOL);
	start_interrupted(in_ms(LONG));
	reply_with_files(p);
	call_run_now(&call);
	kt_assert_ret(call_end(&call), 0, "resumed");
	check_files(reply_offset(&call));
}
END_TEST

/* another cookie or receiver is another request */
START_TEST(signal_then_other)
{
	struct conn other;

	pair_open();
	conn_open(&other, &bus, POOL);
	start_interrupted(in_ms(LONG));
	kt_check_ret(reply(&b, a.id, 7), 0, "reply while interrupted");
	call_start(&call2, &a, b.id, 8, in_ms(LONG));
	kt_check_ret(reply(&b, a.id, 8), 0, "reply");
	end_replied(&call2, 8);
	call_start(&call2, &a, other.id, 7, in_ms(LONG));
	kt_check_ret(reply(&other, a.id, 7), 0, "reply");
	end_replied(&call2, 7);
	kt_check_ret(request(&a, b.id, 7, NEVER), 0, "asynchronous");
	kt_check(conn_drain(&b) == 3, "requests");
	call_run_now(&call);
	end_replied(&call, 7);
	expect_empty(&b);
	expect_empty(&a);
}
END_TEST

START_TEST(signal_then_nothing)
{
	pair_open();
	start_interrupted(in_ms(200));
	kt_check_ret(request(&a, b.id, 9, in_ms(300)), 0, "request");
	expect_note(&a, KDBUS_ITEM_REPLY_TIMEOUT, 9);
	expect_empty(&a);
	kt_check(conn_drain(&b) == 2, "requests");
	kt_check_ret(reply(&b, a.id, 7), 0, "a message");
	expect_msg(&a, 1007, 7);
	conn_close(&b);
	expect_empty(&a);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

/* the reply nobody came back for is thrown away */
START_TEST(signal_then_reply_for_nobody)
{
	u64 end = in_ms(20000);

	pair_open();
	start_interrupted(in_ms(300));
	kt_check_ret(reply(&b, a.id, 7), 0, "reply while interrupted");
	kt_check(pool_used(&a) != 0, "it is not kept");
	while (pool_used(&a) && now_ns() < end)
		sched_yield();
	kt_check(pool_used(&a) == 0, "it is kept for ever");
	expect_empty(&a);
}
END_TEST

/* the result is that of a call that was not interrupted */
START_TEST(signal_then_death)
{
	pair_open();
	start_interrupted(in_ms(LONG));
	conn_close(&b);
	expect_empty(&a);
	call_run_now(&call);
	end_failed(&call, EPIPE);
	expect_empty(&a);
	kt_check(pool_used(&a) == 0, "pool");
	/* that was told */
	call_run_now(&call);
	end_failed(&call, ENXIO);
}
END_TEST

/* what was answered in time is not asked again, whoever is there by now */
START_TEST(signal_then_reply_and_death)
{
	pair_open();
	start_interrupted(in_ms(LONG));
	kt_check_ret(reply(&b, a.id, 7), 0, "reply while interrupted");
	conn_close(&b);
	call_run_now(&call);
	end_replied(&call, 7);
	expect_empty(&a);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

static void start_named(void)
{
	pair_open();
	kt_assert_ret(name_acquire(&b, "a.name", 0), 0, "acquire");
	on_signal(0);
	call_init(&call, &a, KDBUS_DST_ID_NAME, 7, NEVER);
	blob_add_str(&call.m, KDBUS_ITEM_DST_NAME, "a.name");
	call_run(&call);
	hit_thread(call.thread);
	end_failed(&call, EINTR);
}

/* nor is the next owner of the name asked */
START_TEST(signal_then_new_owner)
{
	struct conn next;

	start_named();
	kt_check_ret(reply(&b, a.id, 7), 0, "reply while interrupted");
	conn_close(&b);
	conn_open(&next, &bus, POOL);
	kt_assert_ret(name_acquire(&next, "a.name", 0), 0, "acquire");
	call_run_now(&call);
	end_replied(&call, 7);
	expect_empty(&next);
	/* what is asked by id is something else */
	interrupt_call(&next, NEVER);
	kt_check_ret(reply(&next, a.id, 7), 0, "reply");
	call_run_now(&call);
	end_replied(&call, 7);
	kt_check(conn_drain(&next) == 1, "request");
}
END_TEST

/* while the old owner still works on it, the call waits for that */
START_TEST(signal_then_moved_name)
{
	struct conn next;

	start_named();
	kt_assert_ret(name_release(&b, "a.name"), 0, "release");
	conn_open(&next, &bus, POOL);
	kt_assert_ret(name_acquire(&next, "a.name", 0), 0, "acquire");
	call_run(&call);
	expect_empty(&next);
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	end_replied(&call, 7);
	kt_check(conn_drain(&b) == 1, "request");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Calls that never come back */

#define PENDING	128

static void interrupt_one(u64 cookie)
{
	call_init(&call, &a, b.id, cookie, NEVER);
	call_run_now(&call);
	wait_readable(&b);
	expect_msg(&b, cookie, 0);
	kt_wait_asleep(call.tid);
	hit_thread(call.thread);
	end_failed(&call, EINTR);
}

static void come_back(u64 cookie)
{
	call_init(&call, &a, b.id, cookie, NEVER);
	call_run_now(&call);
}

START_TEST(signal_then_cancel)
{
	char c;
	int p[2];

	pair_open_as(KDBUS_HELLO_ACCEPT_FD, POOL);
	start_interrupted(NEVER);
	kt_assert(conn_drain(&b) == 1, "request");
	close(reply_with_files(p));
	close(p[1]);
	kt_check(pool_used(&a) != 0, "it is not kept");
	kt_check_ret(cancel(&a, 7), 0, "MSG_CANCEL");
	kt_check(pool_used(&a) == 0, "%llu bytes in use", pool_used(&a));
	/* nobody has the other end any more */
	kt_check(read(p[0], &c, 1) == 0, "the files are kept");
	kt_check_ret(cancel(&a, 7), -ENOENT, "MSG_CANCEL again");
	call_run_now(&call);
	end_failed(&call, ECANCELED);
	expect_empty(&b);
	kt_check_ret(cancel(&a, 7), -ENOENT, "MSG_CANCEL after that");
	expect_empty(&a);
}
END_TEST

START_TEST(signal_then_cancel_first)
{
	pair_open();
	start_interrupted(NEVER);
	kt_check_ret(cancel(&a, 7), 0, "MSG_CANCEL");
	kt_check_ret(reply(&b, a.id, 7), 0, "a message");
	expect_msg(&a, 1007, 7);
	call_run_now(&call);
	end_failed(&call, ECANCELED);
	kt_check(conn_drain(&b) == 1, "the request was sent again");
}
END_TEST

/* they do not keep others from being made, and the latest may come back */
START_TEST(signal_then_never)
{
	u64 i;

	on_signal(0);
	pair_open();
	for (i = 1; i <= PENDING + 3; i++)
		interrupt_one(i);
	kt_check_ret(request(&a, b.id, 1000, NEVER), 0, "asynchronous");
	kt_check(conn_drain(&b) == 1, "asynchronous request");
	/* the first four were given up: a message, and a new call */
	kt_check_ret(reply(&b, a.id, 4), 0, "answer to the fourth");
	expect_msg(&a, 1004, 4);
	kt_check_ret(reply(&b, a.id, 5), 0, "answer to the fifth");
	expect_empty(&a);
	come_back(5);
	end_replied(&call, 5);
	come_back(PENDING + 3);
	kt_check_ret(reply(&b, a.id, PENDING + 3), 0, "answer to the last");
	end_replied(&call, PENDING + 3);
	expect_empty(&b);
	come_back(4);
	wait_readable(&b);
	expect_msg(&b, 4, 0);
	kt_check_ret(reply(&b, a.id, 4), 0, "answer");
	end_replied(&call, 4);
}
END_TEST

/* neither if they have been answered, or cancelled */
START_TEST(signal_then_never_answered)
{
	u64 i;

	on_signal(0);
	pair_open();
	for (i = 1; i <= PENDING + 3; i++) {
		interrupt_one(i);
		if (i & 1)
			kt_check_ret(reply(&b, a.id, i), 0, "answer %llu", i);
		if (i % 3 == 0)
			kt_check_ret(cancel(&a, i), 0, "cancel %llu", i);
	}
	come_back(5);
	end_replied(&call, 5);
	come_back(9);
	end_failed(&call, ECANCELED);
	expect_empty(&a);
	expect_empty(&b);
}
END_TEST

/* who waits is not given up */
START_TEST(signal_among_waiting)
{
	u64 i;

	on_signal(0);
	pair_open_as(0, 256 * KIB);
	interrupt_one(1);
	for (i = 2; i <= PENDING; i++) {
		kt_assert_ret(request(&a, b.id, i, NEVER), 0, "request");
		kt_assert(conn_drain(&b) == 1, "request");
	}
	kt_check_ret(request(&a, b.id, 1001, NEVER), 0, "in its place");
	kt_check_ret(request(&a, b.id, 1002, NEVER), -EMLINK, "one too many");
	call_init(&call2, &a, b.id, 1003, NEVER);
	call_run_now(&call2);
	end_failed(&call2, EMLINK);
}
END_TEST

/* what was interrupted is not what is asked another connection, ever */
START_TEST(signal_then_successor)
{
	struct conn next;
	int i;

	one_processor();
	pair_open();
	for (i = 0; i < 30 && !kt->failures; i++) {
		start_interrupted(in_ms(LONG));
		conn_close(&b);
		/* its memory is free, and most likely used next */
		usleep(50000);
		conn_open(&next, &bus, POOL);
		call_init(&call2, &a, next.id, 7, in_ms(LONG));
		call_run_now(&call2);
		wait_readable(&next);
		conn_close(&next);
		end_failed(&call2, EPIPE);
		conn_open(&b, &bus, POOL);
	}
	expect_empty(&a);
}
END_TEST

/* a call that cannot be resumed any more does not count */
START_TEST(signal_then_deaths)
{
	int i;

	on_signal(0);
	pair_open();
	for (i = 0; i < 130; i++) {
		call_init(&call, &a, b.id, 7, NEVER);
		call_run_now(&call);
		wait_readable(&b);
		kt_wait_asleep(call.tid);
		hit_thread(call.thread);
		end_failed(&call, EINTR);
		conn_close(&b);
		conn_open(&b, &bus, POOL);
	}
}
END_TEST

KT_SUITE("sync")
{
	kt_test(signal_restart);
	kt_test(signal_restart_deadline);
	kt_test(signal_restart_end);
	kt_test(signal_then_resume);
	kt_test(signal_then_reply);
	kt_test(signal_then_files);
	kt_test(signal_then_other);
	kt_test(signal_then_nothing);
	kt_test(signal_then_reply_for_nobody);
	kt_test(signal_then_death);
	kt_test(signal_then_reply_and_death);
	kt_test(signal_then_new_owner);
	kt_test(signal_then_moved_name);
	kt_test(signal_then_cancel);
	kt_test(signal_then_cancel_first);
	kt_test(signal_then_never);
	kt_test(signal_then_never_answered);
	kt_test(signal_among_waiting);
	kt_test(signal_then_successor);
	kt_test(signal_then_deaths);
}
