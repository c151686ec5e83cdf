// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several threads wait in MSG_RECV on one connection: a message wakes one of
 * them, one that wants it, and none is lost when that one does not take it. @a
 * sends, the threads are on @b.
 */

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "pair.h"
#include "policy-util.h"
#include "wait-util.h"

#define N	4

static struct waiter w[N];
static struct kdbus_cmd_recv r[N];
static u64 slept[N];

/*
 * On one processor, tasks of this policy run until they sleep: several messages
 * are there before any of the threads gets to look.
 */
static void in_order(void)
{
	struct sched_param param = { .sched_priority = 1 };

	one_processor();
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		kt_skip("no SCHED_FIFO: %m");
}

static void start(unsigned int i, u64 flags, __s64 priority)
{
	r[i] = (struct kdbus_cmd_recv) {
		.flags = flags | WAIT, .priority = priority,
	};
	wait_recv(&w[i], &b, &r[i]);
}

/* how often each has slept until now; all of them do */
static void note(void)
{
	unsigned int i;

	for (i = 0; i < N; i++) {
		if (wait_is_done(&w[i]))
			continue;
		wait_check_asleep(&w[i]);
		slept[i] = kt_times_slept(w[i].tid);
	}
}

/* none has run since then, but for those that are done */
static void check_undisturbed(const char *what)
{
	unsigned int i;

	for (i = 0; i < N; i++) {
		if (wait_is_done(&w[i]))
			continue;
		wait_check_asleep(&w[i]);
		kt_check(kt_times_slept(w[i].tid) == slept[i],
			 "%s: thread %u was woken up %llu times for nothing",
			 what, i, kt_times_slept(w[i].tid) - slept[i]);
	}
}

static unsigned int n_done(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < N; i++)
		n += wait_is_done(&w[i]);
	return n;
}

static void until_done(unsigned int n)
{
	u64 end = kt_now_ms() + 20000;

	while (n_done() < n && kt_now_ms() < end)
		usleep(100);
	kt_assert(n_done() >= n, "%u threads of %u have returned", n_done(), n);
}

static void finish(unsigned int i, u64 cookie)
{
	kt_assert_ret(wait_end(&w[i]), 0, "thread %u", i);
	take_at(&b, r[i].offset, cookie);
}

START_TEST(one_message_wakes_one)
{
	unsigned int i;

	pair_open();
	for (i = 0; i < N; i++)
		start(i, 0, 0);
	for (i = 0; i < N; i++) {
		note();
		send_prio(&a, &b, i, 0);
		until_done(i + 1);
		check_undisturbed("a message");
		kt_check(n_done() == i + 1, "%u threads for %u messages",
			 n_done(), i + 1);
	}
	/* in the order in which they came */
	for (i = 0; i < N; i++)
		finish(i, i);
	expect_empty(&b);
}
END_TEST

/* as many messages as threads, before one of them runs: none is left over */
START_TEST(a_burst)
{
	unsigned int i;

	in_order();
	pair_open();
	for (i = 0; i < N; i++)
		start(i, 0, 0);
	note();
	for (i = 0; i < N - 1; i++)
		send_prio(&a, &b, i, 0);
	until_done(N - 1);
	check_undisturbed("a burst");
	send_prio(&a, &b, i, 0);
	until_done(N);
	for (i = 0; i < N; i++)
		finish(i, i);
	expect_empty(&b);
}
END_TEST

/* it wakes who wants it, not who came first */
START_TEST(who_wants_it)
{
	pair_open();
	start(0, URGENT, -10);
	start(1, URGENT, -5);
	start(2, 0, 0);
	start(3, URGENT, -20);
	note();
	send_prio(&a, &b, 1, 0);
	until_done(1);
	finish(2, 1);
	check_undisturbed("of priority 0");
	send_prio(&a, &b, 2, -7);
	until_done(2);
	finish(1, 2);
	check_undisturbed("of priority -7");
	send_prio(&a, &b, 3, -20);
	until_done(3);
	finish(0, 3);
	check_undisturbed("of priority -20");
	send_prio(&a, &b, 4, -19);
	expect_msg(&b, 4, 0);
	check_undisturbed("of priority -19");
	send_prio(&a, &b, 5, -21);
	finish(3, 5);
	expect_empty(&b);
}
END_TEST

/*
 * Two that want what is urgent are first. The second message finds the first one
 * still there, and may wake the second of them, which has to pass that on.
 */
START_TEST(passed_on)
{
	in_order();
	pair_open();
	start(0, URGENT, -10);
	start(1, URGENT, -10);
	start(2, 0, 0);
	start(3, 0, 0);
	note();
	send_prio(&a, &b, 1, -10);
	send_prio(&a, &b, 2, 0);
	until_done(2);
	finish(0, 1);
	finish(2, 2);
	wait_check_asleep(&w[1]);
	wait_check_asleep(&w[3]);
	/* one of them had to wait again, and is behind the other one now */
	send_prio(&a, &b, 3, -10);
	until_done(3);
	finish(3, 3);
	send_prio(&a, &b, 4, -10);
	finish(1, 4);
	expect_empty(&b);
}
END_TEST

/* who only looks leaves it to the next one */
START_TEST(peek_leaves_it)
{
	pair_open();
	start(0, PEEK, 0);
	start(1, PEEK, 0);
	start(2, 0, 0);
	start(3, DROP, 0);
	send_prio(&a, &b, 1, 0);
	until_done(3);
	kt_assert_ret(wait_end(&w[0]), 0, "peek");
	kt_assert_ret(wait_end(&w[1]), 0, "peek");
	finish(2, 1);
	note();
	check_undisturbed("peeked at");
	send_prio(&a, &b, 2, 0);
	kt_assert_ret(wait_end(&w[3]), 0, "drop");
	expect_empty(&b);
}
END_TEST

/* who fails leaves it to the next one, too */
START_TEST(failure_leaves_it)
{
	struct kdbus_cmd_recv *ro;
	unsigned int i;

	pair_open();
	r[0] = (struct kdbus_cmd_recv) { .flags = WAIT };
	ro = kt_half_ro(&r[0], sizeof(r[0]),
			offsetof(struct kdbus_cmd_recv, offset));
	wait_recv(&w[0], &b, ro);
	for (i = 1; i < N; i++)
		start(i, 0, 0);
	note();
	send_prio(&a, &b, 1, 0);
	until_done(2);
	kt_check_ret(wait_end(&w[0]), -EFAULT, "read-only");
	finish(1, 1);
	check_undisturbed("one message");
	/* not both at once: two that are awake take what they find */
	for (i = 2; i < N; i++) {
		send_prio(&a, &b, i, 0);
		finish(i, i);
	}
	expect_empty(&b);
}
END_TEST

/* a message and a signal at once: it is received by one or the other */
static void signal_and_message(bool signal_first)
{
	pair_open();
	start(0, 0, 0);
	start(1, 0, 0);
	if (signal_first)
		kt_assert(!pthread_kill(w[0].thread, SIGUSR1), "pthread_kill");
	send_prio(&a, &b, 1, 0);
	if (!signal_first)
		kt_assert(!pthread_kill(w[0].thread, SIGUSR1), "pthread_kill");
	while (!wait_is_done(&w[0]))
		usleep(100);
	if (wait_end(&w[0]) == 0) {
		take_at(&b, r[0].offset, 1);
		wait_check_asleep(&w[1]);
		send_prio(&a, &b, 2, 0);
		finish(1, 2);
	} else {
		kt_check_ret(w[0].ret, -EINTR, "a signal");
		until_done(1);
		finish(1, 1);
	}
	expect_empty(&b);
	conn_close(&a);
	conn_close(&b);
	bus_close(&bus);
}

START_TEST(signal_leaves_it)
{
	int i;

	on_signal(0);
	w[2].done = true;
	w[3].done = true;
	for (i = 0; i < 20; i++)
		signal_and_message(i & 1);
	in_order();
	for (i = 0; i < 4; i++)
		signal_and_message(i & 1);
}
END_TEST

/* taken by another thread before the one that was woken runs */
START_TEST(taken_by_another)
{
	unsigned int i;

	in_order();
	pair_open();
	for (i = 0; i < N; i++)
		start(i, i % 2 ? URGENT : 0, -1);
	send_prio(&a, &b, 1, 0);
	expect_msg(&b, 1, 0);
	for (i = 0; i < N; i++)
		wait_check_asleep(&w[i]);
	for (i = 0; i < N; i++)
		send_prio(&a, &b, 10 + i, -1);
	until_done(N);
	for (i = 0; i < N; i++)
		kt_assert_ret(wait_end(&w[i]), 0, "thread %u", i);
	expect_empty(&b);
}
END_TEST

START_TEST(all_end)
{
	unsigned int i;

	pair_open();
	for (i = 0; i < N; i++)
		start(i, i % 2 ? URGENT : 0, -1);
	kt_check_ret(conn_byebye(&b), 0, "BYEBYE");
	for (i = 0; i < N; i++)
		kt_check_ret(wait_end(&w[i]), -ECONNRESET, "thread %u", i);
}
END_TEST

/* several come at once when a name is handed over */
START_TEST(handed_over)
{
	struct conn act;
	unsigned int i;

	pair_open();
	activator_open(&act, &bus, 0, "a.b", POOL);
	for (i = 0; i < N - 1; i++)
		kt_assert_ret(send_name(&a, "a.b", i), 0, "send");
	for (i = 0; i < N; i++)
		start(i, 0, 0);
	kt_assert_ret(name_acquire(&b, "a.b", 0), 0, "acquire");
	until_done(N - 1);
	send_prio(&a, &b, i, 0);
	until_done(N);
	for (i = 0; i < N; i++)
		kt_assert_ret(wait_end(&w[i]), 0, "thread %u", i);
	expect_empty(&b);
}
END_TEST

/* who polls is woken as well, in whichever way */
START_TEST(with_pollers)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET }, got;
	int ep = epoll_create1(EPOLL_CLOEXEC), ex[2], i;

	pair_open();
	kt_assert(!epoll_ctl(ep, EPOLL_CTL_ADD, b.fd, &ev), "epoll_ctl: %m");
	ev.events = EPOLLIN | EPOLLEXCLUSIVE;
	for (i = 0; i < 2; i++) {
		ex[i] = epoll_create1(EPOLL_CLOEXEC);
		kt_assert(!epoll_ctl(ex[i], EPOLL_CTL_ADD, b.fd, &ev),
			  "epoll_ctl: %m");
	}
	for (i = 0; i < N; i++)
		start(i, 0, 0);
	note();
	for (i = 0; i < N; i++) {
		send_prio(&a, &b, i, 0);
		kt_check(epoll_wait(ep, &got, 1, 0) >= 0, "epoll: %m");
		until_done(i + 1);
		check_undisturbed("with pollers");
		finish(i, i);
	}
	expect_empty(&b);
	send_prio(&a, &b, i, 0);
	kt_check(epoll_wait(ep, &got, 1, 0) == 1, "edge-triggered");
	bus_close(&bus);
	for (i = 0; i < 2; i++)
		kt_check(epoll_wait(ex[i], &got, 1, 0) == 1 &&
			 got.events & EPOLLHUP, "the end, exclusive %d", i);
}
END_TEST

KT_SUITE("recv-one")
{
	kt_test(one_message_wakes_one);
	kt_test(a_burst);
	kt_test(who_wants_it);
	kt_test(passed_on);
	kt_test(peek_leaves_it);
	kt_test(failure_leaves_it);
	kt_test(signal_leaves_it);
	kt_test(taken_by_another);
	kt_test(all_end);
	kt_test(handed_over);
	kt_test(with_pollers);
}
