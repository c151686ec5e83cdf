// SPDX-License-Identifier: GPL-2.0-only
/* MSG_RECV that frees first, and may wait then */

#include <signal.h>

#include "suites.h"
#include "wait-util.h"

#define POOL	(64 * KIB)

static struct bus bus;
static struct conn a, b;	/* a sends, b receives */
static struct waiter waiter;
static struct kdbus_cmd_recv r;

static void prepare(void)
{
	bus_make(&bus, 0);
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, POOL);
}

static void send_prio(u64 cookie, __s64 priority)
{
	struct blob m;

	msg_init(&m, b.id, cookie);
	m.msg.priority = priority;
	kt_assert_ret(conn_send(&a, &m), 0, "send");
}

static int recv_b(u64 flags, u64 offset)
{
	r = (struct kdbus_cmd_recv) { .flags = flags, .offset = offset };
	return kt_cmd(b.fd, KDBUS_CMD_MSG_RECV, &r);
}

static void start(u64 flags, u64 offset)
{
	r = (struct kdbus_cmd_recv) { .flags = flags, .offset = offset };
	wait_recv(&waiter, &b, &r);
}

START_TEST(frees)
{
	static const u64 flags[] = { 0, PEEK, DROP, URGENT };
	u64 held, i;

	prepare();
	for (i = 0; i < 2 * ARRAY_SIZE(flags); i++) {
		u64 f = flags[i / 2];

		held = hold_one(&a, &b, 50);
		send_prio(i, 0);
		kt_check_ret(recv_b(f | FREE | (i & 1 ? WAIT : 0), held), 0,
			     "flags %llu", f);
		kt_check_ret(conn_free(&b, held), -ENXIO, "FREE again");
		if (f & PEEK)
			expect_msg(&b, i, 0);
		else if (!(f & DROP))
			take_at(&b, r.offset, i);
		expect_empty(&b);
		kt_check(pool_used(&b) == 0, "flags %llu: pool", f);
	}
}
END_TEST

/* what FREE refuses is refused, and nothing is received */
START_TEST(refused)
{
	u64 queued, held, i;

	prepare();
	held = hold_one(&a, &b, 50);
	send_prio(1, 0);
	kt_assert_ret(recv_b(PEEK, 0), 0, "peek");
	queued = r.offset;
	for (i = 0; i < 8; i++) {
		const struct {
			u64 offset;
			int want;
		} rows[] = {
			{ queued, -EINVAL }, { held + 8, -ENXIO },
			{ held + 1, -ENXIO }, { POOL, -ENXIO },
			{ POOL - 8, -ENXIO }, { NONE - 1, -ENXIO },
		};
		size_t n;

		for (n = 0; n < ARRAY_SIZE(rows); n++) {
			kt_check_ret(recv_b(FREE | (i & 1 ? WAIT : 0) |
					    (i & 2 ? PEEK : 0) |
					    (i & 4 ? DROP : 0),
					    rows[n].offset), rows[n].want,
				     "row %zu", n);
			kt_check(r.offset == rows[n].offset, "row %zu: changed",
				 n);
		}
	}
	kt_check(!recv_b(PEEK, 0) && r.offset == queued, "received");
	take_at(&b, held, 50);
	kt_check_ret(recv_b(FREE, held), -ENXIO, "it is free");
	expect_msg(&b, 1, 0);
}
END_TEST

START_TEST(none_frees_nothing)
{
	u64 held;

	prepare();
	held = hold_one(&a, &b, 50);
	kt_check_ret(recv_b(FREE, NONE), -EAGAIN, "nothing there");
	kt_check(r.offset == NONE, "offset %#llx", r.offset);
	send_prio(1, 0);
	kt_check_ret(recv_b(FREE, NONE), 0, "recv");
	take_at(&b, r.offset, 1);
	start(FREE | WAIT, NONE);
	send_prio(2, 0);
	kt_check_ret(wait_end(&waiter), 0, "recv");
	take_at(&b, r.offset, 2);
	take_at(&b, held, 50);
	/* offset 0 is one like any other */
	kt_check_ret(recv_b(FREE, 0), -ENXIO, "nothing at 0");
}
END_TEST

/* it can be repeated as it is */
START_TEST(freed_and_found_nothing)
{
	prepare();
	kt_check_ret(recv_b(FREE, hold_one(&a, &b, 50)), -EAGAIN, "empty");
	kt_check(r.offset == NONE, "offset %#llx", r.offset);
	kt_check(pool_used(&b) == 0, "not freed");

	kt_check_ret(recv_b(FREE | PEEK, hold_one(&a, &b, 50)), -EAGAIN,
		     "empty, peek");
	kt_check(r.offset == NONE, "offset %#llx", r.offset);
	kt_check_ret(recv_b(FREE | DROP, hold_one(&a, &b, 50)), -EAGAIN,
		     "empty, drop");
	kt_check(r.offset == NONE, "offset %#llx", r.offset);

	r.offset = hold_one(&a, &b, 50);
	r.flags = FREE | URGENT;
	send_prio(1, 1);
	kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MSG_RECV, &r), -ENOMSG,
		     "none is urgent");
	kt_check(r.offset == NONE, "offset %#llx", r.offset);
	r.priority = 1;
	kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MSG_RECV, &r), 0, "repeated");
	take_at(&b, r.offset, 1);
	kt_check(pool_used(&b) == 0, "pool");
}
END_TEST

START_TEST(freed_and_interrupted)
{
	prepare();
	on_signal(0);
	start(FREE | WAIT, hold_one(&a, &b, 50));
	kt_check(pool_used(&b) == 0, "it frees when it wakes up");
	wait_hit(&waiter);
	kt_check_ret(wait_end(&waiter), -EINTR, "signal");
	kt_check(r.offset == NONE, "offset %#llx", r.offset);
	wait_recv(&waiter, &b, &r);
	send_prio(1, 0);
	kt_check_ret(wait_end(&waiter), 0, "repeated");
	take_at(&b, r.offset, 1);
}
END_TEST

START_TEST(freed_and_restarted)
{
	int i;

	prepare();
	on_signal(SA_RESTART);
	start(FREE | WAIT, hold_one(&a, &b, 50));
	for (i = 0; i < 20; i++) {
		wait_hit(&waiter);
		wait_check_asleep(&waiter);
	}
	send_prio(1, 0);
	kt_assert_ret(wait_end(&waiter), 0, "recv");
	take_at(&b, r.offset, 1);
	kt_check(pool_used(&b) == 0, "pool");
}
END_TEST

START_TEST(freed_and_ended)
{
	prepare();
	start(FREE | WAIT, hold_one(&a, &b, 50));
	kt_check_ret(conn_byebye(&b), 0, "BYEBYE");
	kt_check_ret(wait_end(&waiter), -ECONNRESET, "BYEBYE");
	kt_check(r.offset == NONE, "offset %#llx", r.offset);
}
END_TEST

START_TEST(offset_without_flag)
{
	static const u64 flags[] = { 0, WAIT, WAIT | PEEK, WAIT | DROP };
	u64 held;
	size_t i;

	prepare();
	held = hold_one(&a, &b, 50);
	send_prio(1, 0);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		kt_check_ret(recv_b(flags[i], NONE), -EINVAL, "NONE");
		kt_check_ret(recv_b(flags[i], 8), -EINVAL, "8");
		if (held)
			kt_check_ret(recv_b(flags[i], held), -EINVAL, "held");
	}
	take_at(&b, held, 50);
	expect_msg(&b, 1, 0);
}
END_TEST

void suite_recv_free(void)
{
	kt_suite("recv-free");
	kt_test(frees);
	kt_test(refused);
	kt_test(none_frees_nothing);
	kt_test(freed_and_found_nothing);
	kt_test(freed_and_interrupted);
	kt_test(freed_and_restarted);
	kt_test(freed_and_ended);
	kt_test(offset_without_flag);
}
