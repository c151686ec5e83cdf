// SPDX-License-Identifier: GPL-2.0-only
/* Requests that wait for their reply, interrupted by signals */

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "suites.h"
#include "sync-util.h"
#include "wait-util.h"

static struct call call, call2;

static void start_interrupted(u64 deadline)
{
	on_signal(0);
	call_start(&call, &a, b.id, 7, deadline);
	hit_thread(call.thread);
	end_failed(&call, EINTR);
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
	u64 deadline = in_ms(200);

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

START_TEST(signal_then_death)
{
	pair_open();
	start_interrupted(in_ms(LONG));
	conn_close(&b);
	expect_empty(&a);
	call_run_now(&call);
	end_failed(&call, ENXIO);
	expect_empty(&a);
	kt_check(pool_used(&a) == 0, "pool");
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

void suite_sync_signal(void)
{
	kt_suite("sync");
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
	kt_test(signal_then_successor);
	kt_test(signal_then_deaths);
}
