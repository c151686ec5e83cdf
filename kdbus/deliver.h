/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_DELIVER_H
#define __KDBUS_DELIVER_H

/**
 * DOC: Delivery
 *
 * The way of a message from the connection that sends it into the pool and the
 * queue of the one that receives it.
 *
 * A receiver is found without a lock. Room is taken in its pool, the message is
 * written there, without a lock either, and then, if both ends are still there,
 * it is queued. Up to that moment everything can be undone, and what fails
 * leaves no trace. A message that was addressed to a name is queued only if
 * the receiver still owns it; else it starts again.
 *
 * A request makes its receiver owe a reply before it can see the request. A
 * message that is such a reply needs no permission; the requester gets it in
 * its queue, or, if it sleeps, straight into its hands (answer.h).
 *
 * Locks: takes those of pool, replies and queue, one after the other; called
 * with none.
 */

struct kdbus_cmd;
struct kdbus_conn;

int kdbus_deliver(struct kdbus_conn *src, struct kdbus_cmd *cmd);

#endif
