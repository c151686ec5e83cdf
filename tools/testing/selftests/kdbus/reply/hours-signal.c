// SPDX-License-Identifier: GPL-2.0-only
/* Deadlines of who is interrupted or stopped meanwhile: see hours-util.h */

#include <signal.h>

#include "hours-util.h"

static struct call call;

static void on_signal(int nr)
{
	(void)nr;
}

static void start_with_signals(int flags, u64 deadline)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };

	kt_assert(!sigaction(SIGUSR1, &sa, NULL), "sigaction: %m");
	start_call(&call, 7, deadline);
}

static void hit_at(u64 when)
{
	until(when);
	kt_assert(!pthread_kill(call.thread, SIGUSR1), "pthread_kill");
}

/* what remains is waited for, however often it is restarted */
START_TEST(signal_restart)
{
	u64 start;
	int i;

	hours_open();
	start = now_ns();
	start_with_signals(SA_RESTART, start + HOUR);
	for (i = 1; i < 6; i++)
		hit_at(start + i * 10 * MINUTE);
	hit_at(start + HOUR - MS);
	end_at(&call, ETIMEDOUT, start + HOUR, "restarted");
	kt_check(conn_drain(&b) == 1, "the request was sent again");
	silent_until(start + DAY);
	leave();
}
END_TEST

START_TEST(signal_then_resume)
{
	u64 start;

	hours_open();
	start = now_ns();
	start_with_signals(0, start + HOUR);
	hit_at(start + 10 * MINUTE);
	end_at(&call, EINTR, start + 10 * MINUTE, "interrupted");
	silent_until(start + 40 * MINUTE);
	run_call(&call);
	hit_at(start + 50 * MINUTE);
	end_at(&call, EINTR, start + 50 * MINUTE, "interrupted again");
	run_call(&call);
	end_at(&call, ETIMEDOUT, start + HOUR, "resumed");
	kt_check(conn_drain(&b) == 1, "the request was sent again");
	expect_empty(&a);
	leave();
}
END_TEST

/* the answer is kept for the call until the deadline, and no longer */
START_TEST(signal_then_nothing)
{
	u64 start;

	hours_open();
	start = now_ns();
	start_with_signals(0, start + DAY);
	hit_at(start + HOUR);
	end_at(&call, EINTR, start + HOUR, "interrupted");
	until(start + 2 * HOUR);
	kt_check_ret(reply(&b, a.id, 7), 0, "reply while interrupted");
	until(start + DAY - MS);
	kt_check(pool_used(&a) != 0, "it is not kept");
	until(start + DAY + LATE);
	kt_check(pool_used(&a) == 0, "it is kept for ever");
	expect_empty(&a);
	leave();
}
END_TEST

struct stop {
	u64 deadline, end;
};

static int child(void *arg)
{
	const struct stop *stop = arg;
	struct blob m;

	msg_init(&m, b.id, 7);
	m.msg.flags = SYNC;
	m.msg.timeout_ns = stop->deadline;
	kt_check_ret(conn_send(&a, &m), -ETIMEDOUT, "synchronous request");
	check_at(now_ns(), stop->end, "child");
	return 0;
}

static void stop_between(pid_t pid, u64 from, u64 to)
{
	until(from);
	kt_assert(!kill(pid, SIGSTOP), "SIGSTOP: %m");
	until(to);
	kt_assert(!kill(pid, SIGCONT), "SIGCONT: %m");
}

static void stop_and_go(u64 from, u64 to)
{
	struct stop stop;
	u64 start;
	pid_t pid;

	hours_open();
	start = now_ns();
	stop.deadline = start + 5 * HOUR;
	stop.end = to > 5 * HOUR ? start + to : stop.deadline;
	pid = kt_fork_as(0, 0, child, &stop);
	stop_between(pid, start + HOUR, start + 2 * HOUR);
	stop_between(pid, start + from, start + to);
	kt_check(kt_wait(pid) == 0, "child");
	/* all that is over, nothing is left */
	silent_until(stop.end + HOUR);
}

/* a process that is stopped and goes on waits for what remains */
START_TEST(stopped)
{
	stop_and_go(3 * HOUR, 4 * HOUR);
	kt_check(conn_drain(&b) == 1, "the request was sent again");
	leave();
}
END_TEST

/*
 * The deadline comes while it is stopped: by the time it goes on the request is
 * forgotten, and the call that is restarted is too late to be sent.
 */
START_TEST(stopped_beyond)
{
	stop_and_go(3 * HOUR, 6 * HOUR);
	kt_check(conn_drain(&b) == 1, "the request was sent again");
	leave();
}
END_TEST

/* and so it is if it was answered meanwhile, in time */
START_TEST(stopped_and_answered)
{
	struct stop stop;
	u64 start;
	pid_t pid;

	hours_open();
	start = now_ns();
	stop.deadline = start + 5 * HOUR;
	stop.end = start + 6 * HOUR;
	pid = kt_fork_as(0, 0, child, &stop);
	until(start + HOUR);
	kt_assert(!kill(pid, SIGSTOP), "SIGSTOP: %m");
	until(start + 2 * HOUR);
	kt_check_ret(reply(&b, a.id, 7), 0, "reply in time");
	until(stop.end);
	kt_assert(!kill(pid, SIGCONT), "SIGCONT: %m");
	kt_check(kt_wait(pid) == 0, "child");
	silent_until(stop.end + HOUR);
	kt_check(conn_drain(&b) == 1, "the request was sent again");
	kt_check(pool_used(&a) == 0, "the answer is kept for ever");
	leave();
}
END_TEST

KT_SUITE("hours")
{
	kt_test_slow(signal_restart, LIMIT);
	kt_test_slow(signal_then_resume, LIMIT);
	kt_test_slow(signal_then_nothing, LIMIT);
	kt_test_slow(stopped, LIMIT);
	kt_test_slow(stopped_beyond, LIMIT);
	kt_test_slow(stopped_and_answered, LIMIT);
}
