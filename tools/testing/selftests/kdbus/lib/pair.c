// SPDX-License-Identifier: GPL-2.0-only
/* A bus and two connections: see pair.h */

#include "pair.h"

struct bus bus;
struct conn a, b;

void pair_open_as(u64 flags, u64 pool)
{
	bus_make(&bus, 0);
	kt_assert_ret(conn_try_open(&a, &bus, flags, pool), 0, "HELLO");
	conn_open(&b, &bus, POOL);
}

void pair_open(void)
{
	pair_open_as(0, POOL);
}
