/* SPDX-License-Identifier: GPL-2.0-only */
/* A bus and two connections: what many tests begin with */
#ifndef KDBUS_TEST_PAIR_H
#define KDBUS_TEST_PAIR_H

#include "call.h"

#define POOL	(64 * KIB)

extern struct bus bus;
extern struct conn a, b;

void pair_open(void);
/* @flags of HELLO and size of the pool: of @a only */
void pair_open_as(u64 flags, u64 pool);

#endif /* KDBUS_TEST_PAIR_H */
