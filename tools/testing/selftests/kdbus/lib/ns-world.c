// SPDX-License-Identifier: GPL-2.0-only
/* Metadata and namespaces: see ns-world.h */

#include "ns-world.h"

const unsigned long both[] = { PID, USR, PID | USR };
struct facts *facts;

void ns_world(u64 mask)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	meta_open(&a, &bus, mask, "sender");
	meta_open(&b, &bus, mask, NULL);
	kt_assert_ret(name_acquire(&a, "own.name", 0), 0, "acquire");
	facts = facts_new();
	facts_now(facts);
}

void expect_all(struct conn *to, u64 cookie)
{
	facts_recv(facts, to, cookie, TASK, STAMP | NAMES | CONN_NAME);
}

void send_x(struct conn *to, u64 cookie)
{
	kt_assert_ret(conn_send_bytes(&a, to->id, cookie, "x", 1), 0, "send");
}
