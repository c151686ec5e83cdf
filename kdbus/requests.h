/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_REQUESTS_H
#define __KDBUS_REQUESTS_H

/**
 * DOC: Requests of a connection
 *
 * The set of replies that a connection expects, see &struct kdbus_replies: by
 * cookie, to find what an answer is for, and by deadline. The timer is set to
 * the earliest deadline and is never put off: going off too early does no harm,
 * and setting it for every request would cost more than it saves.
 *
 * Locks: the lock of the requester guards the set; what says "locked" is called
 * with it.
 */

#include <linux/types.h>

struct kdbus_conn;
struct kdbus_replies;
struct kdbus_reply;

void kdbus_replies_init(struct kdbus_replies *replies);
void kdbus_replies_shutdown_requests(struct kdbus_conn *conn);
void kdbus_replies_shutdown_owed(struct kdbus_conn *conn);
int kdbus_replies_cancel(struct kdbus_conn *conn, u64 cookie);

void kdbus_requests_add(struct kdbus_replies *replies,
			struct kdbus_reply *reply);
void kdbus_requests_del(struct kdbus_replies *replies,
			struct kdbus_reply *reply);
void kdbus_requests_add_deadline(struct kdbus_replies *replies,
				 struct kdbus_reply *reply);
struct kdbus_reply *kdbus_requests_first(struct kdbus_replies *replies,
					 u64 cookie);
struct kdbus_reply *kdbus_requests_next(struct kdbus_reply *reply);

#endif
