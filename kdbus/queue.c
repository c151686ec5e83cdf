// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/seq_file.h>

#include "limits.h"
#include "pool.h"
#include "queue.h"

/**
 * kdbus_queue_init() - initialise a queue
 * @queue:	The queue
 * @owner:	User of the connection, who outlives it
 */
void kdbus_queue_init(struct kdbus_queue *queue, const struct kdbus_user *owner)
{
	spin_lock_init(&queue->lock);
	kdbus_order_init(&queue->order);
	queue->arrivals = 0;
	queue->count = 0;
	queue->closed = false;
	queue->spare = NULL;
	kdbus_quota_init(&queue->quota, owner);
}

/**
 * kdbus_queue_exit() - get rid of a queue
 * @queue:	The queue, empty
 *
 * Context: May sleep.
 */
void kdbus_queue_exit(struct kdbus_queue *queue)
{
	kdbus_queue_entry_exit(queue);
	kdbus_quota_exit(&queue->quota);
}

static struct kdbus_queue_entry *find(struct kdbus_queue *queue,
				      const struct kdbus_queue_pick *pick)
{
	lockdep_assert_held(&queue->lock);

	if (queue->closed)
		return ERR_PTR(-ECONNRESET);
	return kdbus_order_pick(&queue->order, pick);
}

static int admit(struct kdbus_queue *queue, struct kdbus_queue_entry *entry,
		 const struct kdbus_queue_push *how)
{
	int r;

	lockdep_assert_held(&queue->lock);

	if (how->guard && READ_ONCE(*how->guard) != how->expect)
		return -ESTALE;
	if (!how->unlimited && queue->count >= KDBUS_CONN_MAX_MSGS)
		return -ENOBUFS;
	if (queue->closed)
		return -ECONNRESET;

	if (queue->count >= KDBUS_CONN_FREE_MSGS) {
		r = kdbus_quota_count(&queue->quota, &entry->claim);
		if (r < 0)
			return r;
	}

	queue->arrivals++;
	WRITE_ONCE(queue->count, queue->count + 1);
	return 0;
}

/**
 * kdbus_queue_push() - append a message
 * @queue:	The queue
 * @entry:	The message; on success the queue owns it
 * @how:	Under which conditions
 *
 * Documentation/kdbus.txt, section 11.1.
 *
 * Context: Any.
 *
 * Return: 0, -ESTALE if the guard says no, -ECONNRESET if the queue is closed,
 * -ENOBUFS if it is full or the share of the user is used up.
 */
int kdbus_queue_push(struct kdbus_queue *queue, struct kdbus_queue_entry *entry,
		     const struct kdbus_queue_push *how)
{
	int r;

	spin_lock(&queue->lock);
	r = admit(queue, entry, how);
	if (r == 0)
		kdbus_order_append(&queue->order, entry,
				   atomic64_inc_return(how->seq));
	spin_unlock(&queue->lock);

	return r;
}

/**
 * kdbus_queue_stage() - append a message that has no number yet
 * @queue:	The queue
 * @entry:	The message; on success the queue owns it
 * @how:	Under which conditions
 *
 * To be followed by kdbus_queue_commit(). Only one message may be staged in a
 * queue at a time.
 *
 * Context: The mutex of the bus for broadcasts is held until then.
 *
 * Return: As kdbus_queue_push().
 */
int kdbus_queue_stage(struct kdbus_queue *queue,
		      struct kdbus_queue_entry *entry,
		      const struct kdbus_queue_push *how)
{
	int r;

	spin_lock(&queue->lock);
	r = admit(queue, entry, how);
	if (r == 0)
		kdbus_order_stage(&queue->order, entry);
	spin_unlock(&queue->lock);

	return r;
}

/**
 * kdbus_queue_commit() - number a staged message
 * @queue:	The queue it is staged in, kept from being emptied
 * @entry:	The message
 * @seq:	Its number
 *
 * Context: Any.
 */
void kdbus_queue_commit(struct kdbus_queue *queue,
			struct kdbus_queue_entry *entry, u64 seq)
{
	spin_lock(&queue->lock);
	kdbus_order_commit(&queue->order, entry, seq);
	spin_unlock(&queue->lock);
}

/**
 * kdbus_queue_peek() - look at a message without taking it
 * @queue:	The queue
 * @pick:	Which
 * @offset:	Set to where it is in the pool
 *
 * Context: Any.
 *
 * Return: 0, -EAGAIN if there is none, -ENOMSG if none is urgent enough,
 * -ECONNRESET if the queue is closed, or -EINPROGRESS if a message that is
 * staged may have to come first.
 */
int kdbus_queue_peek(struct kdbus_queue *queue,
		     const struct kdbus_queue_pick *pick, size_t *offset)
{
	struct kdbus_queue_entry *entry;

	spin_lock(&queue->lock);
	entry = find(queue, pick);
	if (!IS_ERR(entry))
		*offset = entry->slice->offset;
	spin_unlock(&queue->lock);

	return PTR_ERR_OR_ZERO(entry);
}

/**
 * kdbus_queue_take() - take a message out of the queue
 * @queue:	The queue
 * @pick:	Which
 *
 * To be followed by kdbus_queue_taken() or kdbus_queue_untake().
 *
 * Context: Any.
 *
 * Return: The message, or an error pointer as in kdbus_queue_peek().
 */
struct kdbus_queue_entry *kdbus_queue_take(struct kdbus_queue *queue,
					   const struct kdbus_queue_pick *pick)
{
	struct kdbus_queue_entry *entry;

	spin_lock(&queue->lock);
	entry = find(queue, pick);
	if (!IS_ERR(entry))
		kdbus_order_del(&queue->order, entry);
	spin_unlock(&queue->lock);

	return entry;
}

/**
 * kdbus_queue_untake() - put a message back that was taken
 * @queue:	The queue
 * @entry:	The message
 *
 * Context: Any.
 *
 * Return: False if the queue has been closed meanwhile; then the caller has to
 * get rid of the message as if it had been received.
 */
bool kdbus_queue_untake(struct kdbus_queue *queue,
			struct kdbus_queue_entry *entry)
{
	bool open;

	spin_lock(&queue->lock);
	open = !queue->closed;
	if (open)
		kdbus_order_insert(&queue->order, entry);
	spin_unlock(&queue->lock);

	return open;
}

/**
 * kdbus_queue_taken() - be done with a message that was taken
 * @queue:	The queue
 * @entry:	The message, still owned by the caller
 *
 * Context: May sleep.
 */
void kdbus_queue_taken(struct kdbus_queue *queue,
		       struct kdbus_queue_entry *entry)
{
	spin_lock(&queue->lock);
	WRITE_ONCE(queue->count, queue->count - 1);
	spin_unlock(&queue->lock);

	kdbus_quota_release(&queue->quota, &entry->claim);
}

/**
 * kdbus_queue_close() - accept no more messages
 * @queue:	The queue
 * @only_if_empty: Fail if there are messages
 *
 * Context: Any.
 *
 * Return: 0, -EALREADY if it is closed or -EBUSY if it is not empty.
 */
int kdbus_queue_close(struct kdbus_queue *queue, bool only_if_empty)
{
	int r = 0;

	spin_lock(&queue->lock);
	if (queue->closed)
		r = -EALREADY;
	else if (only_if_empty && queue->count > 0)
		r = -EBUSY;
	else
		WRITE_ONCE(queue->closed, true);
	spin_unlock(&queue->lock);

	return r;
}

/**
 * kdbus_queue_next_dead() - take a message out of a closed queue
 * @queue:	The queue
 *
 * Context: May sleep.
 *
 * Return: The message, for good, or NULL if there are none left.
 */
struct kdbus_queue_entry *kdbus_queue_next_dead(struct kdbus_queue *queue)
{
	struct kdbus_queue_entry *entry;

	spin_lock(&queue->lock);
	entry = list_first_entry_or_null(&queue->order.fifo,
					 struct kdbus_queue_entry, fifo);
	if (entry)
		kdbus_order_del(&queue->order, entry);
	spin_unlock(&queue->lock);

	if (entry)
		kdbus_queue_taken(queue, entry);
	return entry;
}

/**
 * kdbus_queue_extract() - take out all messages that are to move elsewhere
 * @queue:	The queue, locked
 * @name_id:	Only those addressed to this registration, 0 for all
 * @entries:	Where to put them, in order
 *
 * They count until kdbus_queue_taken() or kdbus_queue_restore().
 *
 * Context: Any; the lock of the queue is held, and the mutex that is held
 * while messages are staged.
 */
void kdbus_queue_extract(struct kdbus_queue *queue, u64 name_id,
			 struct list_head *entries)
{
	struct kdbus_queue_entry *entry, *tmp;

	list_for_each_entry_safe(entry, tmp, &queue->order.fifo, fifo) {
		if (name_id && entry->name_id != name_id)
			continue;
		kdbus_order_del(&queue->order, entry);
		list_add_tail(&entry->fifo, entries);
	}
}

/**
 * kdbus_queue_restore() - put messages back that were taken out
 * @queue:	The queue; if it is closed, it is still to be emptied
 * @entries:	The messages
 *
 * Context: Any.
 */
void kdbus_queue_restore(struct kdbus_queue *queue, struct list_head *entries)
{
	struct kdbus_queue_entry *entry, *tmp;

	spin_lock(&queue->lock);
	list_for_each_entry_safe(entry, tmp, entries, fifo) {
		list_del(&entry->fifo);
		kdbus_order_insert(&queue->order, entry);
	}
	spin_unlock(&queue->lock);
}

/**
 * kdbus_queue_append() - add messages that come from elsewhere
 * @queue:	The queue
 * @entries:	The messages, in order
 * @seq:	Where numbers come from
 *
 * No limits apply.
 *
 * Context: Any.
 *
 * Return: 0; then @entries is empty. -ECONNRESET if the queue is closed.
 */
int kdbus_queue_append(struct kdbus_queue *queue, struct list_head *entries,
		       atomic64_t *seq)
{
	struct kdbus_queue_entry *entry, *tmp;
	int r = 0;

	spin_lock(&queue->lock);
	if (queue->closed) {
		r = -ECONNRESET;
		goto out;
	}
	list_for_each_entry_safe(entry, tmp, entries, fifo) {
		list_del(&entry->fifo);
		queue->arrivals++;
		WRITE_ONCE(queue->count, queue->count + 1);
		/* a place behind all that is here; what was told stays */
		kdbus_order_append(&queue->order, entry,
				   atomic64_inc_return(seq));
	}
out:
	spin_unlock(&queue->lock);
	return r;
}

/**
 * kdbus_queue_lost() - note that a message did not get here
 * @queue:	The queue
 *
 * For messages whose sender is not told.
 *
 * Context: Any.
 */
void kdbus_queue_lost(struct kdbus_queue *queue)
{
	spin_lock(&queue->lock);
	queue->lost++;
	spin_unlock(&queue->lock);
}

/**
 * kdbus_queue_show() - say how many messages there are
 * @queue:	The queue
 * @m:		Where to say it
 *
 * Documentation/kdbus.txt, section 23.
 *
 * Context: May sleep.
 */
void kdbus_queue_show(struct kdbus_queue *queue, struct seq_file *m)
{
	u64 arrivals, lost;
	unsigned int count;

	spin_lock(&queue->lock);
	count = queue->count;
	arrivals = queue->arrivals;
	lost = queue->lost;
	spin_unlock(&queue->lock);

	seq_printf(m, "queued:\t%u\n", count);
	seq_printf(m, "arrivals:\t%llu\n", arrivals);
	seq_printf(m, "lost:\t%llu\n", lost);
}
