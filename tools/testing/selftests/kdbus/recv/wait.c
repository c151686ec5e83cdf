// SPDX-License-Identifier: GPL-2.0-only
/* MSG_RECV that waits: @a sends, @b receives */

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "pair.h"
#include "policy-util.h"
#include "wait-util.h"

static struct waiter waiter, waiter2;
static struct kdbus_cmd_recv r, r2;

START_TEST(at_once)
{
	u64 off;

	pair_open();
	send_prio(&a, &b, 1, 0);
	send_prio(&a, &b, 2, -5);
	send_prio(&a, &b, 3, 0);
	kt_check_ret(recv_now(&b, &r, WAIT | PEEK, 0), 0, "peek");
	off = r.offset;
	kt_check_ret(recv_now(&b, &r, WAIT, 0), 0, "the oldest");
	kt_check(r.offset == off, "at %llu, not %llu", r.offset, off);
	take_at(&b, r.offset, 1);
	kt_check_ret(recv_now(&b, &r, WAIT | URGENT, 0), 0, "the most urgent");
	take_at(&b, r.offset, 2);
	kt_check_ret(recv_now(&b, &r, WAIT | DROP, 0), 0, "drop");
	expect_empty(&b);
	kt_check(pool_used(&b) == 0, "pool");
}
END_TEST

START_TEST(waits)
{
	static const u64 flags[] = { 0, PEEK, DROP, URGENT, URGENT | PEEK };
	size_t i;

	pair_open();
	for (i = 0; i < 2 * ARRAY_SIZE(flags); i++) {
		u64 f = flags[i / 2];

		/* this makes no difference */
		kt_assert(!fcntl(b.fd, F_SETFL,
				 O_RDWR | (i & 1 ? O_NONBLOCK : 0)),
			  "O_NONBLOCK: %m");
		recv_start(&waiter, &b, &r, f | WAIT, 0);
		send_prio(&a, &b, i, 0);
		kt_assert_ret(wait_end(&waiter), 0, "flags %llu", f);
		if (f & PEEK) {
			kt_check(conn_msg(&b, r.offset)->cookie == i, "peek");
			expect_msg(&b, i, 0);
		} else if (!(f & DROP)) {
			take_at(&b, r.offset, i);
		}
		expect_empty(&b);
		kt_check(pool_used(&b) == 0, "flags %llu: pool", f);
	}
	kt_check_ret(recv_now(&b, &r, 0, 0), -EAGAIN, "without the flag");
}
END_TEST

/* others do not end it, nor are they lost */
START_TEST(waits_for_urgent)
{
	static const u64 flags[] = { 0, PEEK, DROP };
	size_t i;

	pair_open();
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		send_prio(&a, &b, 1, 5);
		recv_start(&waiter, &b, &r, flags[i] | WAIT | URGENT, 0);
		send_prio(&a, &b, 2, 3);
		wait_check_asleep(&waiter);
		send_prio(&a, &b, 3, 1);
		wait_check_asleep(&waiter);
		send_prio(&a, &b, 4, 0);
		kt_assert_ret(wait_end(&waiter), 0, "flags %llu", flags[i]);
		if (!flags[i])
			take_at(&b, r.offset, 4);
		expect_msg(&b, 1, 0);
		expect_msg(&b, 2, 0);
		expect_msg(&b, 3, 0);
		if (flags[i] == PEEK)
			expect_msg(&b, 4, 0);
		expect_empty(&b);
	}
}
END_TEST

START_TEST(two_wait)
{
	struct waiter *first, *other;
	int i;

	pair_open();
	for (i = 0; i < 50; i++) {
		recv_start(&waiter, &b, &r, WAIT, 0);
		recv_start(&waiter2, &b, &r2, WAIT, 0);
		send_prio(&a, &b, 1, 0);
		while (!wait_is_done(&waiter) && !wait_is_done(&waiter2))
			sched_yield();
		first = wait_is_done(&waiter) ? &waiter : &waiter2;
		other = first == &waiter ? &waiter2 : &waiter;
		kt_assert_ret(wait_end(first), 0, "one of two");
		wait_check_asleep(other);
		take_at(&b, ((struct kdbus_cmd_recv *)first->arg)->offset, 1);
		send_prio(&a, &b, 2, 0);
		kt_assert_ret(wait_end(other), 0, "the other");
		take_at(&b, ((struct kdbus_cmd_recv *)other->arg)->offset, 2);
	}
	expect_empty(&b);
}
END_TEST

START_TEST(files)
{
	const struct kdbus_item *item;
	struct blob m;
	int p[2];
	char c;

	bus_make(&bus, 0);
	conn_open(&a, &bus, POOL);
	kt_assert_ret(conn_try_open(&b, &bus, KDBUS_HELLO_ACCEPT_FD, POOL), 0,
		      "HELLO");
	kt_assert(!pipe(p), "pipe: %m");
	recv_start(&waiter, &b, &r, WAIT, 0);
	msg_init(&m, b.id, 1);
	msg_fds(&m, &p[1], 1);
	kt_assert_ret(conn_send(&a, &m), 0, "send");
	kt_assert_ret(wait_end(&waiter), 0, "recv");
	item = item_find(conn_msg(&b, r.offset), KDBUS_ITEM_FDS, 0);
	kt_assert(item, "no files");
	kt_check(write(item->fds[0], "y", 1) == 1, "write: %m");
	kt_check(read(p[0], &c, 1) == 1 && c == 'y', "another file");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Without a message */

START_TEST(interrupted)
{
	pair_open();
	on_signal(0);
	recv_start(&waiter, &b, &r, WAIT, 0);
	wait_hit(&waiter);
	kt_check_ret(wait_end(&waiter), -EINTR, "signal");
	kt_check(r.offset == 0, "offset %llu", r.offset);
	send_prio(&a, &b, 1, 0);
	expect_msg(&b, 1, 0);
}
END_TEST

START_TEST(restarted)
{
	pair_open();
	on_signal(SA_RESTART);
	recv_start(&waiter, &b, &r, WAIT, 0);
	wait_restarts(&waiter);
	send_prio(&a, &b, 1, 0);
	kt_assert_ret(wait_end(&waiter), 0, "recv");
	take_at(&b, r.offset, 1);
	expect_empty(&b);
}
END_TEST

START_TEST(connection_ends)
{
	static const u64 flags[] = { 0, PEEK, DROP, URGENT };
	size_t i;

	pair_open();
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		recv_start(&waiter, &b, &r, flags[i] | WAIT, 0);
		kt_check_ret(conn_byebye(&b), 0, "BYEBYE");
		kt_check_ret(wait_end(&waiter), -ECONNRESET, "flags %llu",
			     flags[i]);
		kt_check(r.offset == 0, "offset %llu", r.offset);
		conn_close(&b);
		conn_open(&b, &bus, POOL);
	}
	recv_start(&waiter, &b, &r, WAIT, 0);
	recv_start(&waiter2, &b, &r2, WAIT | URGENT, 0);
	bus_close(&bus);
	kt_check_ret(wait_end(&waiter), -ECONNRESET, "end of the bus");
	kt_check_ret(wait_end(&waiter2), -ECONNRESET, "end of the bus");
	kt_check_ret(recv_now(&b, &r, WAIT, 0), -ECONNRESET, "after that");
}
END_TEST

/* the message stays, and those who wait are told */
START_TEST(offset_not_writable)
{
	struct kdbus_cmd_recv *ro;

	pair_open();
	r = (struct kdbus_cmd_recv) { .flags = WAIT };
	ro = kt_half_ro(&r, sizeof(r), offsetof(struct kdbus_cmd_recv, offset));
	wait_recv(&waiter, &b, ro);
	send_prio(&a, &b, 1, 0);
	kt_check_ret(wait_end(&waiter), -EFAULT, "recv");
	expect_msg(&b, 1, 0);
	expect_empty(&b);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Other kinds of connections */

START_TEST(monitor)
{
	struct conn mon;
	u64 off;

	pair_open();
	kt_assert_ret(special_try_open(&mon, &bus, KDBUS_HELLO_MONITOR, NULL,
				       POOL), 0, "HELLO of a monitor");
	conn_drain(&mon);
	recv_start(&waiter, &mon, &r, WAIT, 0);
	send_prio(&a, &b, 1, 0);
	kt_assert_ret(wait_end(&waiter), 0, "recv");
	kt_check(conn_msg(&mon, r.offset)->cookie == 1, "another message");
	off = r.offset;
	recv_start(&waiter, &mon, &r, WAIT | FREE, off);
	kt_check(pool_used(&mon) == 0, "it frees when it wakes up");
	send_prio(&a, &b, 2, 0);
	kt_assert_ret(wait_end(&waiter), 0, "recv");
	take_at(&mon, r.offset, 2);
}
END_TEST

START_TEST(activator)
{
	static const u64 refused[] = {
		0, WAIT, URGENT, WAIT | URGENT, FREE, WAIT | FREE, PEEK | FREE,
		DROP | FREE, PEEK | WAIT | FREE, DROP | WAIT | FREE,
	};
	static const u64 allowed[] = { PEEK | WAIT, DROP | WAIT };
	struct conn act;
	size_t i;

	pair_open();
	activator_open(&act, &bus, 0, "a.b", POOL);
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		kt_check_ret(recv_now(&act, &r, refused[i], 0),
			     -EOPNOTSUPP, "flags %#llx", refused[i]);
		if (!(refused[i] & FREE))
			continue;
		r.offset = NONE;
		kt_check_ret(kt_cmd(act.fd, KDBUS_CMD_MSG_RECV, &r),
			     -EOPNOTSUPP, "flags %#llx, NONE", refused[i]);
	}
	for (i = 0; i < ARRAY_SIZE(allowed); i++) {
		recv_start(&waiter, &act, &r, allowed[i], 0);
		kt_assert_ret(send_name(&a, "a.b", 5), 0, "send");
		kt_check_ret(wait_end(&waiter), 0, "flags %#llx", allowed[i]);
		if (!i) {
			kt_check(conn_msg(&act, r.offset)->cookie == 5, "peek");
			kt_check_ret(conn_recv_flags(&act, DROP, NULL), 0,
				     "it was not there");
		}
		kt_check_ret(conn_recv_flags(&act, PEEK, NULL), -EAGAIN,
			     "still there");
	}
}
END_TEST

START_TEST(holder)
{
	static const u64 flags[] = { 0, WAIT, FREE, WAIT | FREE, PEEK | WAIT };
	struct conn h;
	size_t i;

	pair_open();
	holder_open(&h, &bus, "a.b w:t");
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		kt_check_ret(recv_now(&h, &r, flags[i], 0), -EOPNOTSUPP,
			     "flags %#llx", flags[i]);
}
END_TEST

KT_SUITE("recv-wait")
{
	kt_test(at_once);
	kt_test(waits);
	kt_test(waits_for_urgent);
	kt_test(two_wait);
	kt_test(files);
	kt_test(interrupted);
	kt_test(restarted);
	kt_test(connection_ends);
	kt_test(offset_not_writable);
	kt_test(monitor);
	kt_test(activator);
	kt_test(holder);
}
