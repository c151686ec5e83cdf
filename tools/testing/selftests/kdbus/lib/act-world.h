/* SPDX-License-Identifier: GPL-2.0-only */
/* A name with an activator, one who sends to it, and two services */
#ifndef KDBUS_TEST_ACT_WORLD_H
#define KDBUS_TEST_ACT_WORLD_H

#include "pair.h"

#define NAME	"foo.bar"

/* @a asks, @s and @t are services, @act is the activator of NAME */
extern struct conn s, t, act;

void act_world(u64 flags);	/* of HELLO, of the activator */

void take(struct conn *c);
void release(struct conn *c);
void check_owner(u64 id);

/* @n messages, cookies from @first on */
void send_n(u64 first, int n);
void expect_n(struct conn *c, u64 first, int n);	/* and no more */
/* the next one: messages of an activator are counted by dropping them */
int drop(struct conn *c);

#endif /* KDBUS_TEST_ACT_WORLD_H */
