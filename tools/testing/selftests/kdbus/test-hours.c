// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deadlines of hours and days, where time travels: User-mode Linux with
 * time-travel=inf-cpu. There an idle machine is at its next timer at once, and
 * computing takes no time. So what is late is late because of a wrong timer,
 * and a timer that is missing ends the test by its own limit.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "call.h"
#include "suites.h"

#define POOL		(64 * KIB)
#define TIMEOUT		KDBUS_ITEM_REPLY_TIMEOUT
#define DEAD		KDBUS_ITEM_REPLY_DEAD
#define MS		1000000ULL
#define SECOND		(1000 * MS)
#define MINUTE		(60 * SECOND)
#define HOUR		(60 * MINUTE)
#define DAY		(24 * HOUR)
#define YEAR		(365 * DAY)
/* a reading of the clock costs some ns, and there are a few of them */
#define LATE		(10 * MS)

static struct bus bus;
static struct conn a, b;	/* a asks, b answers */
static struct call call;

static void need_travel(void)
{
	char line[4096];

	kt_assert(kt_read_file("/proc/cmdline", line, sizeof(line)) > 0,
		  "no /proc/cmdline");
	if (!strstr(line, "time-travel=inf-cpu"))
		kt_skip("time does not travel here: no time-travel=inf-cpu on the kernel command line");
}

static void prepare(void)
{
	need_travel();
	bus_make(&bus, 0);
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, POOL);
}

static void until(u64 ns)
{
	struct timespec ts = {
		.tv_sec = ns / SECOND, .tv_nsec = ns % SECOND,
	};
	int err;

	do
		err = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts,
				      NULL);
	while (err == EINTR);
	kt_assert(!err, "clock_nanosleep: %s", strerror(err));
}

static void check_at(u64 now, u64 deadline, const char *what)
{
	kt_check(now >= deadline, "%s: %llu ns early", what, deadline - now);
	kt_check(now < deadline + LATE, "%s: %llu ms late", what,
		 (now - deadline) / MS);
}

static void *sleeper(void *arg)
{
	struct call *c = arg;

	c->ret = conn_send(c->c, &c->m);
	c->end = now_ns();
	return NULL;
}

/* time passes only when everybody sleeps; no turn is lost in yielding */
static void run(struct call *c)
{
	c->thread = kt_thread(sleeper, c);
	until(now_ns() + MS / 100);
}

static void start_call(struct call *c, u64 cookie, u64 deadline)
{
	call_init(c, &a, b.id, cookie, deadline);
	run(c);
}

static void ask(u64 cookie, u64 deadline)
{
	kt_assert_ret(request(&a, b.id, cookie, deadline), 0, "request %llu",
		      cookie);
}

/* the next thing that @a hears, at this very time */
static void note_at(u64 deadline, u64 type, u64 cookie)
{
	struct pollfd p = { .fd = a.fd, .events = POLLIN };
	struct timespec most = {
		.tv_sec = (deadline - now_ns()) / SECOND + 100,
	};

	kt_assert(ppoll(&p, 1, &most, NULL) == 1,
		  "no notification about request %llu", cookie);
	check_at(now_ns(), deadline, "notification");
	expect_note(&a, type, cookie);
}

/* nothing comes until then */
static void silent_until(u64 ns)
{
	until(ns);
	expect_empty(&a);
}

static void end_at(struct call *c, int err, u64 when, const char *what)
{
	kt_check_ret(call_end(c), -err, "%s", what);
	check_at(c->end, when, what);
}

/* instead of a return: libcheck cannot count the microseconds that this took */
static void leave(void)
{
	_exit(!!kt->failures);
}

/* one after the other: an hour, a day, and more */
START_TEST(asynchronous)
{
	static const u64 after[] = { HOUR, DAY, 30 * HOUR };
	u64 deadline;
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(after); i++) {
		deadline = now_ns() + after[i];
		ask(i, deadline);
		note_at(deadline, TIMEOUT, i);
		expect_empty(&a);
	}
	kt_check(conn_drain(&b) == i, "the requests stay");
	kt_check(pool_used(&a) == 0, "pool");
	leave();
}
END_TEST

START_TEST(synchronous)
{
	static const u64 after[] = { HOUR, DAY };
	u64 deadline;
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(after); i++) {
		deadline = now_ns() + after[i];
		start_call(&call, i, deadline);
		end_at(&call, ETIMEDOUT, deadline, "synchronous request");
		expect_empty(&a);
	}
	kt_check(conn_drain(&b) == i, "the requests stay");
	leave();
}
END_TEST

/* several at once, made in another order; some at the same time */
START_TEST(in_order)
{
	static const u8 order[] = { 7, 3, 11, 0, 5, 1, 9, 2, 10, 4, 8, 6 };
	u64 start, deadline;
	size_t i;

	prepare();
	start = now_ns();
	for (i = 0; i < ARRAY_SIZE(order); i++)
		ask(order[i], start + HOUR + order[i] / 2 * 3 * HOUR);
	for (i = 0; i < ARRAY_SIZE(order); i += 2) {
		const struct kdbus_msg *m;
		u64 off;

		deadline = start + HOUR + i / 2 * 3 * HOUR;
		silent_until(deadline - SECOND);
		until(deadline + SECOND / 2);
		/* both, in either order */
		m = conn_recv_msg(&a, &off);
		kt_check(is_note(m, TIMEOUT) && m->cookie_reply / 2 == i / 2,
			 "request %llu, not %zu", m->cookie_reply, i);
		expect_note(&a, TIMEOUT, 2 * i + 1 - m->cookie_reply);
		kt_check_ret(conn_free(&a, off), 0, "FREE");
	}
	expect_empty(&a);
	leave();
}
END_TEST

START_TEST(earlier_after_later)
{
	u64 start;
	int i;

	prepare();
	start = now_ns();
	for (i = 10; i > 0; i--)
		ask(i, start + i * 2 * HOUR);
	for (i = 1; i <= 10; i++)
		note_at(start + i * 2 * HOUR, TIMEOUT, i);
	expect_empty(&a);
	leave();
}
END_TEST

/* threads of one connection, and requests that do not sleep beside them */
START_TEST(many_sleepers)
{
	static const u8 hours[] = { 3, 25, 1, 4, 2 };
	static struct call calls[ARRAY_SIZE(hours)];
	u64 start;
	size_t i;

	prepare();
	start = now_ns();
	for (i = 0; i < ARRAY_SIZE(hours); i++)
		start_call(&calls[i], i, start + hours[i] * HOUR);
	ask(99, start + 5 * HOUR / 2);
	note_at(start + 5 * HOUR / 2, TIMEOUT, 99);
	for (i = 0; i < ARRAY_SIZE(hours); i++)
		end_at(&calls[i], ETIMEDOUT, start + hours[i] * HOUR, "call");
	expect_empty(&a);
	leave();
}
END_TEST

START_TEST(reply_just_before)
{
	u64 deadline;

	prepare();
	deadline = now_ns() + HOUR;
	start_call(&call, 7, deadline);
	ask(8, deadline);
	until(deadline - MS);
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	kt_check_ret(reply(&b, a.id, 8), 0, "reply");
	end_at(&call, 0, deadline - MS, "synchronous request");
	expect_msg(&a, 1008, 8);
	silent_until(deadline + HOUR);
	leave();
}
END_TEST

/* too late for the call, an ordinary message */
START_TEST(reply_just_after)
{
	u64 deadline;

	prepare();
	deadline = now_ns() + HOUR;
	start_call(&call, 7, deadline);
	until(deadline + MS);
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	end_at(&call, ETIMEDOUT, deadline, "synchronous request");
	expect_msg(&a, 1007, 7);
	expect_empty(&a);
	leave();
}
END_TEST

/* an answer that does not fit leaves the deadline as it was */
START_TEST(failed_reply)
{
	static u8 bytes[POOL];
	struct blob m;
	u64 deadline;

	prepare();
	deadline = now_ns() + 2 * HOUR;
	ask(7, deadline);
	silent_until(deadline - HOUR);
	reply_init(&m, a.id, 7);
	msg_vec(&m, bytes, sizeof(bytes) - 1000);
	kt_check_ret(conn_send(&b, &m), -EXFULL, "reply");
	note_at(deadline, TIMEOUT, 7);
	silent_until(deadline + HOUR);
	leave();
}
END_TEST

START_TEST(cancelled)
{
	u64 start;

	prepare();
	start = now_ns();
	start_call(&call, 7, start + DAY);
	until(start + HOUR);
	kt_check_ret(cancel(&a, 7), 0, "cancel");
	end_at(&call, ECANCELED, start + HOUR, "cancelled");
	kt_check_ret(cancel(&a, 7), -ENOENT, "cancel again");
	silent_until(start + DAY + HOUR);
	leave();
}
END_TEST

/* once, and not again at the deadline */
START_TEST(replier_drops_and_dies)
{
	u64 start;

	prepare();
	start = now_ns();
	start_call(&call, 7, start + DAY);
	ask(8, start + DAY);
	ask(9, start + DAY);
	until(start + HOUR);
	kt_check_ret(conn_recv_flags(&b, KDBUS_RECV_DROP, NULL), 0, "drop");
	end_at(&call, EPIPE, start + HOUR, "dropped");
	kt_check_ret(conn_recv_flags(&b, KDBUS_RECV_DROP, NULL), 0, "drop");
	note_at(start + HOUR, DEAD, 8);
	silent_until(start + 2 * HOUR);
	conn_close(&b);
	note_at(start + 2 * HOUR, DEAD, 9);
	silent_until(start + DAY + HOUR);
	kt_check(pool_used(&a) == 0, "pool");
	leave();
}
END_TEST

/* requests that wait at an activator keep their deadlines when they move */
START_TEST(moved)
{
	struct conn act, service;
	u64 start;

	prepare();
	activator_open(&act, &bus, 0, "com.example.Late", POOL);
	conn_open(&service, &bus, POOL);
	start = now_ns();
	kt_assert_ret(request_name(&a, "com.example.Late", 7,
				   start + 2 * HOUR), 0, "request");
	kt_assert_ret(request_name(&a, "com.example.Late", 8,
				   start + 3 * HOUR), 0, "request");
	silent_until(start + HOUR);
	kt_assert_ret(name_acquire(&service, "com.example.Late", 0), 0,
		      "NAME_ACQUIRE");
	note_at(start + 2 * HOUR, TIMEOUT, 7);
	kt_assert_ret(name_release(&service, "com.example.Late"), 0,
		      "NAME_RELEASE");
	note_at(start + 3 * HOUR, TIMEOUT, 8);
	expect_empty(&a);
	leave();
}
END_TEST

/* beyond any timer, or almost: nothing happens in a day */
START_TEST(far)
{
	static const u64 far[] = {
		NEVER, NEVER - 1, 1ULL << 63, (1ULL << 63) - 1, 200 * YEAR,
	};
	static struct call calls[ARRAY_SIZE(far)];
	u64 start;
	size_t i;

	prepare();
	start = now_ns();
	for (i = 0; i < ARRAY_SIZE(far); i++) {
		ask(100 + i, far[i]);
		start_call(&calls[i], 1 + i, far[i]);
	}
	silent_until(start + 26 * HOUR);
	for (i = 0; i < ARRAY_SIZE(far); i++) {
		kt_check_ret(reply(&b, a.id, 100 + i), 0, "reply");
		expect_msg(&a, 1100 + i, 100 + i);
		kt_check_ret(reply(&b, a.id, 1 + i), 0, "reply");
		end_at(&calls[i], 0, start + 26 * HOUR, "answered after 26 hours");
	}
	expect_empty(&a);
	leave();
}
END_TEST

/* deadlines are of the monotonic clock, whatever time somebody sets */
START_TEST(clock_set)
{
	struct timespec ts;
	u64 start;

	prepare();
	start = now_ns();
	start_call(&call, 7, start + 2 * HOUR);
	ask(8, start + 3 * HOUR);
	silent_until(start + HOUR);
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += 30 * 24 * 3600;
	kt_assert(!clock_settime(CLOCK_REALTIME, &ts), "clock_settime: %m");
	end_at(&call, ETIMEDOUT, start + 2 * HOUR, "synchronous request");
	ts.tv_sec -= 60 * 24 * 3600;
	kt_assert(!clock_settime(CLOCK_REALTIME, &ts), "clock_settime: %m");
	note_at(start + 3 * HOUR, TIMEOUT, 8);
	expect_empty(&a);
	leave();
}
END_TEST

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

	prepare();
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

	prepare();
	start = now_ns();
	start_with_signals(0, start + HOUR);
	hit_at(start + 10 * MINUTE);
	end_at(&call, EINTR, start + 10 * MINUTE, "interrupted");
	silent_until(start + 40 * MINUTE);
	run(&call);
	hit_at(start + 50 * MINUTE);
	end_at(&call, EINTR, start + 50 * MINUTE, "interrupted again");
	run(&call);
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

	prepare();
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

	prepare();
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
 * forgotten, and the call that is restarted is a new one, too late.
 */
START_TEST(stopped_beyond)
{
	stop_and_go(3 * HOUR, 6 * HOUR);
	kt_check(conn_drain(&b) == 2, "not a new request");
	leave();
}
END_TEST

/* libcheck's own limit is in the same time */
#define LIMIT		(30 * 24 * 3600)

void suite_hours(void)
{
	kt_suite("hours");
	kt_test_slow(asynchronous, LIMIT);
	kt_test_slow(synchronous, LIMIT);
	kt_test_slow(in_order, LIMIT);
	kt_test_slow(earlier_after_later, LIMIT);
	kt_test_slow(many_sleepers, LIMIT);
	kt_test_slow(reply_just_before, LIMIT);
	kt_test_slow(reply_just_after, LIMIT);
	kt_test_slow(failed_reply, LIMIT);
	kt_test_slow(cancelled, LIMIT);
	kt_test_slow(replier_drops_and_dies, LIMIT);
	kt_test_slow(moved, LIMIT);
	kt_test_slow(far, LIMIT);
	kt_test_slow(clock_set, LIMIT);
	kt_test_slow(signal_restart, LIMIT);
	kt_test_slow(signal_then_resume, LIMIT);
	kt_test_slow(signal_then_nothing, LIMIT);
	kt_test_slow(stopped, LIMIT);
	kt_test_slow(stopped_beyond, LIMIT);
}
