// SPDX-License-Identifier: GPL-2.0-only
/* A name with an activator: see act-world.h */

#include "act-world.h"

struct conn s, t, act;

void act_world(u64 flags)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&a, &bus, POOL);
	conn_open(&s, &bus, POOL);
	conn_open(&t, &bus, POOL);
	activator_open(&act, &bus, flags, NAME, POOL);
}

void take(struct conn *c)
{
	kt_assert_ret(name_acquire(c, NAME, 0), 0, "take over");
}

void release(struct conn *c)
{
	kt_assert_ret(name_release(c, NAME), 0, "release");
}

void check_owner(u64 id)
{
	u64 is = name_owner(&a, NAME, NULL);

	kt_check(is == id, "owner is %llu, not %llu", is, id);
}

void send_n(u64 first, int n)
{
	int i;

	for (i = 0; i < n; i++)
		kt_assert_ret(send_name(&a, NAME, first + i), 0, "message %d",
			      i);
}

void expect_n(struct conn *c, u64 first, int n)
{
	int i;

	for (i = 0; i < n; i++)
		expect_msg(c, first + i, 0);
	expect_empty(c);
}

int drop(struct conn *c)
{
	return conn_recv_flags(c, KDBUS_RECV_DROP, NULL);
}
