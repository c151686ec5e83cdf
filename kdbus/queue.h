/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_QUEUE_H
#define __KDBUS_QUEUE_H

/**
 * DOC: Message queues
 *
 * Messages wait in a queue until they are received; see entry.h for what each of
 * them is, and order.h for which comes first.
 *
 * Receiving takes an entry out of the queue before it is known whether the
 * rest works out, and puts it back in its place if it does not. Meanwhile it
 * still counts.
 *
 * Closing a queue is final. It is atomic with regard to everything else: a
 * message is either in the queue before, or refused.
 *
 * Locks: @lock is a spinlock, held briefly. Only that of the quota nests
 * inside. Messages are staged and committed under a mutex of the bus, so that
 * whoever holds it finds none staged.
 */

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "entry.h"
#include "limits.h"
#include "order.h"
#include "quota.h"

struct seq_file;

/**
 * struct kdbus_queue - messages waiting
 * @lock:	Guards the rest
 * @order:	The messages
 * @arrivals:	How many there have ever been
 * @count:	How many there are, with those being received
 * @lost:	Messages that nobody else was told were lost
 * @closed:	No more messages
 * @quota:	Shares of the senders
 * @spare:	An unused entry, or NULL; not guarded
 */
struct kdbus_queue {
	spinlock_t lock;	/* entries */
	struct kdbus_order order;
	u64 arrivals;
	unsigned int count;
	u64 lost;
	bool closed;
	struct kdbus_quota quota;
	struct kdbus_queue_entry *spare;
};

/**
 * struct kdbus_queue_push - how to queue a message
 * @unlimited:	The limit of messages does not apply
 * @seq:	Where numbers come from
 * @guard:	If not NULL, queue it only if *@guard is @expect
 * @expect:	See @guard, which changes only under the lock of the queue
 */
struct kdbus_queue_push {
	bool unlimited;
	atomic64_t *seq;
	void *const *guard;
	const void *expect;
};

void kdbus_queue_init(struct kdbus_queue *queue, const struct kdbus_user *owner);
void kdbus_queue_exit(struct kdbus_queue *queue);
int kdbus_queue_push(struct kdbus_queue *queue, struct kdbus_queue_entry *entry,
		     const struct kdbus_queue_push *how);
int kdbus_queue_stage(struct kdbus_queue *queue,
		      struct kdbus_queue_entry *entry,
		      const struct kdbus_queue_push *how);
void kdbus_queue_commit(struct kdbus_queue *queue,
			struct kdbus_queue_entry *entry, u64 seq);
int kdbus_queue_peek(struct kdbus_queue *queue,
		     const struct kdbus_queue_pick *pick, size_t *offset);
struct kdbus_queue_entry *kdbus_queue_take(struct kdbus_queue *queue,
					   const struct kdbus_queue_pick *pick);
bool kdbus_queue_untake(struct kdbus_queue *queue,
			struct kdbus_queue_entry *entry);
void kdbus_queue_taken(struct kdbus_queue *queue,
		       struct kdbus_queue_entry *entry);
int kdbus_queue_close(struct kdbus_queue *queue, bool only_if_empty);
struct kdbus_queue_entry *kdbus_queue_next_dead(struct kdbus_queue *queue);
void kdbus_queue_extract(struct kdbus_queue *queue, u64 name_id,
			 struct list_head *entries);
void kdbus_queue_restore(struct kdbus_queue *queue, struct list_head *entries);
int kdbus_queue_append(struct kdbus_queue *queue, struct list_head *entries,
		       atomic64_t *seq);
void kdbus_queue_lost(struct kdbus_queue *queue);
void kdbus_queue_show(struct kdbus_queue *queue, struct seq_file *m);

/**
 * kdbus_queue_is_closed() - whether a queue is closed
 * @queue:	The queue
 *
 * Return: True if it is, and then for good.
 */
static inline bool kdbus_queue_is_closed(const struct kdbus_queue *queue)
{
	return READ_ONCE(queue->closed);
}

/**
 * kdbus_queue_is_readable() - whether a message can be received
 * @queue:	The queue
 *
 * Return: Whether one can at the moment.
 */
static inline bool kdbus_queue_is_readable(const struct kdbus_queue *queue)
{
	return READ_ONCE(queue->order.readable);
}

/**
 * kdbus_queue_is_full() - whether the limit of messages is reached
 * @queue:	The queue
 *
 * Return: Whether it is at the moment.
 */
static inline bool kdbus_queue_is_full(const struct kdbus_queue *queue)
{
	return READ_ONCE(queue->count) >= KDBUS_CONN_MAX_MSGS;
}

#endif
