/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_DELIVER_H
#define __KDBUS_DELIVER_H

/**
 * DOC: Delivery
 *
 * The way of a message from the connection that sends it into the pool and the
 * queue of the one that receives it; the only place that knows all the rooms.
 *
 * A receiver is found without a lock. Room is taken in its pool, the message is
 * written there, without a lock either, and then, if both ends are still there,
 * it is queued. Up to that moment everything can be undone, and what fails
 * leaves no trace.
 *
 * Locks: takes those of pool and queue, one after the other; called with none.
 */

struct kdbus_cmd;
struct kdbus_conn;

int kdbus_deliver(struct kdbus_conn *src, const struct kdbus_cmd *cmd);

#endif
