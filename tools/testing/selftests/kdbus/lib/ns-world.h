/* SPDX-License-Identifier: GPL-2.0-only */
/* Two connections with all their metadata, and others in namespaces */
#ifndef KDBUS_TEST_NS_WORLD_H
#define KDBUS_TEST_NS_WORLD_H

#include <sched.h>

#include "meta-util.h"
#include "pair.h"

#define PID	((unsigned long)CLONE_NEWPID)
#define USR	((unsigned long)CLONE_NEWUSER)

#define for_each_ns(i)	for (i = 0; i < ARRAY_SIZE(both); i++)

extern const unsigned long both[3];
extern struct facts *facts;	/* about who made the connections */

/* @a, which has a name, and @b want what is in @mask */
void ns_world(u64 mask);
void send_x(struct conn *to, u64 cookie);	/* by @a */
/* the next message tells all about @a */
void expect_all(struct conn *to, u64 cookie);

#endif /* KDBUS_TEST_NS_WORLD_H */
