// SPDX-License-Identifier: GPL-2.0-only
/* Deadlines of hours, where time travels: see hours-util.h */

#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hours-util.h"

void hours_open(void)
{
	if (!kt_booted_with("time-travel=inf-cpu"))
		kt_skip("time does not travel here: no time-travel=inf-cpu on the kernel command line");
	pair_open();
}

void until(u64 ns)
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

void check_at(u64 now, u64 deadline, const char *what)
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
void run_call(struct call *c)
{
	c->thread = kt_thread(sleeper, c);
	until(now_ns() + MS / 100);
}

void start_call(struct call *c, u64 cookie, u64 deadline)
{
	call_init(c, &a, b.id, cookie, deadline);
	run_call(c);
}

void ask(u64 cookie, u64 deadline)
{
	kt_assert_ret(request(&a, b.id, cookie, deadline), 0, "request %llu",
		      cookie);
}

void note_at(u64 deadline, u64 type, u64 cookie)
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

void silent_until(u64 ns)
{
	until(ns);
	expect_empty(&a);
}

void end_at(struct call *c, int err, u64 when, const char *what)
{
	kt_check_ret(call_end(c), -err, "%s", what);
	check_at(c->end, when, what);
}

void leave(void)
{
	_exit(!!kt->failures);
}
