// SPDX-License-Identifier: GPL-2.0-only
/* MSG_RECV that frees first, and may wait then: @a sends, @b receives */

#include <signal.h>

#include "pair.h"
#include "wait-util.h"

static struct waiter waiter;
static struct kdbus_cmd_recv r;

START_TEST(frees)
{
	static const u64 flags[] = { 0, PEEK, DROP, URGENT };
	u64 held, i;

	pair_open();
	for (i = 0; i < 2 * ARRAY_SIZE(flags); i++) {
		u64 f = flags[i / 2];

		held = hold_one(&a, &b, 50);
		send_prio(&a, &b, i, 0);
		kt_check_ret(recv_now(&b, &r, f | FREE | (i & 1 ? WAIT : 0),
				      held), 0, "flags %llu", f);
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

	pair_open();
	held = hold_one(&a, &b, 50);
	send_prio(&a, &b, 1, 0);
	kt_assert_ret(recv_now(&b, &r, PEEK, 0), 0, "peek");
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
			kt_check_ret(recv_now(&b, &r, FREE |
					      (i & 1 ? WAIT : 0) |
					      (i & 2 ? PEEK : 0) |
					      (i & 4 ? DROP : 0),
					      rows[n].offset), rows[n].want,
				     "row %zu", n);
			kt_check(r.offset == rows[n].offset, "row %zu: changed",
				 n);
		}
	}
	kt_check(!recv_now(&b, &r, PEEK, 0) && r.offset == queued, "received");
	take_at(&b, held, 50);
	kt_check_ret(recv_now(&b, &r, FREE, held), -ENXIO, "it is free");
	expect_msg(&b, 1, 0);
}
END_TEST

START_TEST(none_frees_nothing)
{
	u64 held;

	pair_open();
	held = hold_one(&a, &b, 50);
	kt_check_ret(recv_now(&b, &r, FREE, NONE), -EAGAIN, "nothing there");
	kt_check(r.offset == NONE, "offset %#llx", r.offset);
	send_prio(&a, &b, 1, 0);
	kt_check_ret(recv_now(&b, &r, FREE, NONE), 0, "recv");
	take_at(&b, r.offset, 1);
	recv_start(&waiter, &b, &r, FREE | WAIT, NONE);
	send_prio(&a, &b, 2, 0);
	kt_check_ret(wait_end(&waiter), 0, "recv");
	take_at(&b, r.offset, 2);
	take_at(&b, held, 50);
	/* offset 0 is one like any other */
	kt_check_ret(recv_now(&b, &r, FREE, 0), -ENXIO, "nothing at 0");
}
END_TEST

/* it can be repeated as it is */
START_TEST(freed_and_found_nothing)
{
	pair_open();
	kt_check_ret(recv_now(&b, &r, FREE, hold_one(&a, &b, 50)), -EAGAIN,
		     "empty");
	kt_check(r.offset == NONE, "offset %#llx", r.offset);
	kt_check(pool_used(&b) == 0, "not freed");

	kt_check_ret(recv_now(&b, &r, FREE | PEEK, hold_one(&a, &b, 50)),
		     -EAGAIN, "empty, peek");
	kt_check(r.offset == NONE, "offset %#llx", r.offset);
	kt_check_ret(recv_now(&b, &r, FREE | DROP, hold_one(&a, &b, 50)),
		     -EAGAIN, "empty, drop");
	kt_check(r.offset == NONE, "offset %#llx", r.offset);

	r.offset = hold_one(&a, &b, 50);
	r.flags = FREE | URGENT;
	send_prio(&a, &b, 1, 1);
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
	pair_open();
	on_signal(0);
	recv_start(&waiter, &b, &r, FREE | WAIT, hold_one(&a, &b, 50));
	kt_check(pool_used(&b) == 0, "it frees when it wakes up");
	wait_hit(&waiter);
	kt_check_ret(wait_end(&waiter), -EINTR, "signal");
	kt_check(r.offset == NONE, "offset %#llx", r.offset);
	wait_recv(&waiter, &b, &r);
	send_prio(&a, &b, 1, 0);
	kt_check_ret(wait_end(&waiter), 0, "repeated");
	take_at(&b, r.offset, 1);
}
END_TEST

START_TEST(freed_and_restarted)
{
	pair_open();
	on_signal(SA_RESTART);
	recv_start(&waiter, &b, &r, FREE | WAIT, hold_one(&a, &b, 50));
	wait_restarts(&waiter);
	send_prio(&a, &b, 1, 0);
	kt_assert_ret(wait_end(&waiter), 0, "recv");
	take_at(&b, r.offset, 1);
	kt_check(pool_used(&b) == 0, "pool");
}
END_TEST

START_TEST(freed_and_ended)
{
	pair_open();
	recv_start(&waiter, &b, &r, FREE | WAIT, hold_one(&a, &b, 50));
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

	pair_open();
	held = hold_one(&a, &b, 50);
	send_prio(&a, &b, 1, 0);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		kt_check_ret(recv_now(&b, &r, flags[i], NONE), -EINVAL, "NONE");
		kt_check_ret(recv_now(&b, &r, flags[i], 8), -EINVAL, "8");
		if (held)
			kt_check_ret(recv_now(&b, &r, flags[i], held), -EINVAL, "held");
	}
	take_at(&b, held, 50);
	expect_msg(&b, 1, 0);
}
END_TEST

KT_SUITE("recv-free")
{
	kt_test(frees);
	kt_test(refused);
	kt_test(none_frees_nothing);
	kt_test(freed_and_found_nothing);
	kt_test(freed_and_interrupted);
	kt_test(freed_and_restarted);
	kt_test(freed_and_ended);
	kt_test(offset_without_flag);
}
