/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests that wait for their reply: what the tests of them share */
#ifndef KDBUS_TEST_SYNC_UTIL_H
#define KDBUS_TEST_SYNC_UTIL_H

#include "pair.h"		/* @a asks, @b answers */

#define LONG	20000		/* ms; nobody waits that long */

u64 reply_offset(const struct call *c);
/* @c ended well: what it got, which is then freed */
void end_replied(struct call *c, u64 cookie_reply);
/* it ended with @err and changed nothing but kernel_flags */
void end_failed(struct call *c, int err);

/*
 * Request 7 of @a is answered with a memfd and both ends of a pipe. Returns the
 * memfd: to close it makes its number free for the waiter.
 */
int reply_with_files(int p[2]);
/* as found in the reply in the pool of @a */
void check_files(u64 offset);

#endif /* KDBUS_TEST_SYNC_UTIL_H */
