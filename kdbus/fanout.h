/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_FANOUT_H
#define __KDBUS_FANOUT_H

/**
 * DOC: One message, several receivers
 *
 * Broadcasts, notifications, and copies for monitors. Receivers are found
 * first, by their matches, without a lock; of these the policy selects, under
 * ``bus->lock``, those that may receive it; then each gets its copy written into
 * its pool, with the metadata that it may have, without a lock; then all copies
 * are queued together, numbered with one number, one such message at a time. So
 * all receivers see all of these messages in the same order. A message to one
 * receiver that monitors see as well is queued together with their copies.
 *
 * A receiver that has no room, or is gone meanwhile, misses the message. No other
 * is affected; its queue counts what it has lost.
 *
 * A fan-out lives on the stack of one function and has references to the
 * receivers.
 */

#include <linux/types.h>

#include "queue.h"

struct kdbus_bus;
struct kdbus_conn;
struct kdbus_event;
struct kdbus_message;
struct kdbus_msg;

/**
 * struct kdbus_target - a receiver and its copy
 * @conn:	The receiver, with a reference, except while user memory is read
 * @id:		Its id, to find it again after that
 * @want:	Metadata it may have
 * @qmsg:	Its copy, or NULL
 * @queued:	It has got its copy
 */
struct kdbus_target {
	struct kdbus_conn *conn;
	u64 id;
	u64 want;
	struct kdbus_queued_msg *qmsg;
	bool queued;
};

/**
 * struct kdbus_fanout - receivers of a message
 * @targets:	The receivers
 * @n:		How many there are
 * @max:	How many fit in @targets
 * @sent:	They are copies of a message that was sent
 */
struct kdbus_fanout {
	struct kdbus_target *targets;
	unsigned int n;
	unsigned int max;
	bool sent;
};

int kdbus_broadcast(struct kdbus_conn *src, struct kdbus_message *m);
void kdbus_fanout_event(struct kdbus_bus *bus, struct kdbus_event *event);
void kdbus_monitors_write(struct kdbus_fanout *f, struct kdbus_message *m);
void kdbus_monitors_write_note(struct kdbus_fanout *f, struct kdbus_conn *dst,
			       const struct kdbus_msg *msg);
int kdbus_monitors_push(struct kdbus_fanout *f, struct kdbus_bus *bus,
			struct kdbus_queue *queue,
			struct kdbus_queued_msg *qmsg,
			const struct kdbus_queue_how *how);
void kdbus_monitors_commit(struct kdbus_fanout *f, struct kdbus_bus *bus,
			   const struct kdbus_queue_how *how, u64 seq);
void kdbus_fanout_release(struct kdbus_fanout *f, bool sent);
void kdbus_monitor_add(struct kdbus_conn *conn);
void kdbus_monitor_remove(struct kdbus_conn *conn);

/* as kdbus_monitors_push(), for a message that has copies or none */
static inline int kdbus_fanout_push(struct kdbus_fanout *f,
				    struct kdbus_bus *bus,
				    struct kdbus_queue *queue,
				    struct kdbus_queued_msg *qmsg,
				    const struct kdbus_queue_how *how)
{
	if (!f->n)
		return kdbus_queue_push(queue, qmsg, how);
	return kdbus_monitors_push(f, bus, queue, qmsg, how);
}

/**
 * kdbus_monitors_release() - be done with copies
 * @f:		The copies
 *
 * Context: May sleep; no locks may be held.
 */
static inline void kdbus_monitors_release(struct kdbus_fanout *f)
{
	if (f->targets)
		kdbus_fanout_release(f, f->sent);
}

#endif
