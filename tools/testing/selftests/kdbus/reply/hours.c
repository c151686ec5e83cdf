// SPDX-License-Identifier: GPL-2.0-only
/* Deadlines of hours and days, and what comes before them: see hours-util.h */

#include <time.h>

#include "hours-util.h"

static struct call call;

/* one after the other: an hour, a day, and more */
START_TEST(asynchronous)
{
	static const u64 after[] = { HOUR, DAY, 30 * HOUR };
	u64 deadline;
	size_t i;

	hours_open();
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

	hours_open();
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

	hours_open();
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

	hours_open();
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

	hours_open();
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

	hours_open();
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

	hours_open();
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

	hours_open();
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

	hours_open();
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

	hours_open();
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

	hours_open();
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

	hours_open();
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

	hours_open();
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

KT_SUITE("hours")
{
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
}
