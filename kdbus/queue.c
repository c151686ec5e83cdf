// SPDX-License-Identifier: GPL-2.0
#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <uapi/linux/kdbus.h>

#include "files.h"
#include "limits.h"
#include "memcg.h"
#include "pool/pool.h"
#include "queue.h"
#include "reply.h"

/**
 * kdbus_queue_init() - initialise a queue
 * @queue:	The queue
 * @owner:	User of the connection; the record outlives the queue
 */
void kdbus_queue_init(struct kdbus_queue *queue, const struct kdbus_user *owner)
{
	spin_lock_init(&queue->lock);
	kdbus_order_init(&queue->order);
	queue->arrivals = 0;
	queue->count = 0;
	queue->behind = 0;
	queue->stuck = false;
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
	kdbus_queued_msg_exit(queue);
	kdbus_quota_exit(&queue->quota);
}

static struct kdbus_queued_msg *queue_find(struct kdbus_queue *queue,
					   const struct kdbus_queue_pick *pick)
{
	lockdep_assert_held(&queue->lock);

	if (queue->closed)
		return ERR_PTR(-ECONNRESET);
	return kdbus_order_pick(&queue->order, pick);
}

/* the same, if it needs not be written first */
static struct kdbus_queued_msg *
queue_find_ready(struct kdbus_queue *queue, const struct kdbus_queue_pick *pick)
{
	struct kdbus_queued_msg *qmsg = queue_find(queue, pick);

	if (IS_ERR(qmsg) || likely(qmsg->slice) ||
	    pick->unwritten == KDBUS_UNWRITTEN_TAKE)
		return qmsg;
	return ERR_PTR(-ENODATA);
}

static struct kdbus_queued_msg *
queue_find_note(struct kdbus_queue *queue, const struct kdbus_queue_pick *pick)
{
	struct kdbus_queued_msg *qmsg = queue_find(queue, pick);

	return IS_ERR(qmsg) || qmsg->slice ? NULL : qmsg;
}

/* where it is counted */
static unsigned int *queue_counter(struct kdbus_queue *queue,
				   const struct kdbus_queued_msg *qmsg)
{
	lockdep_assert_held(&queue->lock);

	if (likely(!qmsg->note))
		return &queue->count;
	return qmsg->claim.note ? &queue->notes : &queue->reply_notes;
}

static int queue_admit_note(struct kdbus_queue *queue,
			    struct kdbus_queued_msg *qmsg)
{
	lockdep_assert_held(&queue->lock);

	if (!qmsg->claim.note)
		return queue->reply_notes < KDBUS_CONN_MAX_REPLY_NOTES ?
		       0 : -ENOBUFS;
	if (queue->notes < KDBUS_CONN_FREE_NOTES)
		return 0;
	return kdbus_quota_count(&queue->quota, &qmsg->claim);
}

static int queue_admit_message(struct kdbus_queue *queue,
			       struct kdbus_queued_msg *qmsg)
{
	lockdep_assert_held(&queue->lock);

	/* it is counted already if @last has refused it once */
	if (queue->count < KDBUS_CONN_FREE_MSGS || qmsg->claim.counted)
		return 0;
	return kdbus_quota_count(&queue->quota, &qmsg->claim);
}

static int queue_admit(struct kdbus_queue *queue, struct kdbus_queued_msg *qmsg,
		       const struct kdbus_queue_how *how)
{
	unsigned int *counter;
	int r;

	lockdep_assert_held(&queue->lock);

	if (how->guard && READ_ONCE(*how->guard) != how->expect)
		return -ESTALE;
	if (!how->unlimited && !qmsg->note &&
	    queue->count >= KDBUS_CONN_MAX_MSGS)
		return -ENOBUFS;
	if (queue->closed)
		return -ENXIO;
	/* it may not get ahead of what its sender has sent to a name before */
	if (how->guard && queue->behind && !how->pass)
		return -EBUSY;

	if (likely(!qmsg->note))
		r = queue_admit_message(queue, qmsg);
	else
		r = queue_admit_note(queue, qmsg);
	if (r < 0)
		return r;
	if (how->last) {
		r = how->last(how->data);
		if (r < 0)
			return r;
	}

	queue->arrivals++;
	counter = queue_counter(queue, qmsg);
	WRITE_ONCE(*counter, *counter + 1);
	/* a message goes ahead of notifications that find no room */
	if (unlikely(queue->stuck) && !qmsg->note)
		WRITE_ONCE(queue->stuck, false);
	return 0;
}

/**
 * kdbus_queue_push() - append a message
 * @queue:	The queue
 * @qmsg:	The message; on success the queue owns it
 * @how:	Under which conditions
 *
 * Documentation/kdbus.txt, section 11.1.
 *
 * Context: Any.
 *
 * Return: 0, -ESTALE if the guard says no, -ENXIO if the queue is closed,
 * -ENOBUFS if it is full or the share of the user is used up, -EBUSY if older
 * messages wait elsewhere and @pass of @how is not set, or what @last of @how
 * returned.
 */
int kdbus_queue_push(struct kdbus_queue *queue, struct kdbus_queued_msg *qmsg,
		     const struct kdbus_queue_how *how)
{
	int r;

	spin_lock(&queue->lock);
	r = queue_admit(queue, qmsg, how);
	if (r == 0)
		kdbus_order_append(&queue->order, qmsg,
				   atomic64_inc_return(how->seq));
	spin_unlock(&queue->lock);

	return r;
}

/**
 * kdbus_queue_stage() - append a message that has no number yet
 * @queue:	The queue
 * @qmsg:	The message; on success the queue owns it
 * @how:	Under which conditions
 *
 * To be followed by kdbus_queue_commit(). Only one message may be staged in a
 * queue at a time.
 *
 * Context: ``bus->broadcast`` is held until then.
 *
 * Return: As kdbus_queue_push().
 */
int kdbus_queue_stage(struct kdbus_queue *queue,
		      struct kdbus_queued_msg *qmsg,
		      const struct kdbus_queue_how *how)
{
	int r;

	spin_lock(&queue->lock);
	r = queue_admit(queue, qmsg, how);
	if (r == 0)
		kdbus_order_stage(&queue->order, qmsg);
	spin_unlock(&queue->lock);

	return r;
}

/**
 * kdbus_queue_commit() - number a staged message
 * @queue:	The queue it is staged in, kept from being emptied
 * @qmsg:	The message
 * @seq:	Its number
 *
 * Context: Any.
 */
void kdbus_queue_commit(struct kdbus_queue *queue,
			struct kdbus_queued_msg *qmsg, u64 seq)
{
	spin_lock(&queue->lock);
	kdbus_order_commit(&queue->order, qmsg, seq);
	spin_unlock(&queue->lock);
}

/**
 * kdbus_queue_peek() - look at a message without taking it
 * @queue:	The queue
 * @pick:	Which, in the pool
 * @offset:	Set to where it is there
 *
 * Context: Any.
 *
 * Return: 0, -EAGAIN if there is none, -ENOMSG if none is urgent enough,
 * -ECONNRESET if the queue is closed, -ENODATA if it has to be written first, or
 * -EINPROGRESS if a message that is staged may have to come first.
 */
int kdbus_queue_peek(struct kdbus_queue *queue,
		     const struct kdbus_queue_pick *pick, size_t *offset)
{
	struct kdbus_queued_msg *qmsg;

	spin_lock(&queue->lock);
	qmsg = queue_find_ready(queue, pick);
	if (!IS_ERR(qmsg))
		*offset = qmsg->slice->offset;
	spin_unlock(&queue->lock);

	return PTR_ERR_OR_ZERO(qmsg);
}

/**
 * kdbus_queue_note_size() - how much room a notification needs in the pool
 * @queue:	The queue
 * @pick:	Which
 *
 * Context: Any.
 *
 * Return: Bytes, or 0 if what comes first needs not be written any more.
 */
size_t kdbus_queue_note_size(struct kdbus_queue *queue,
			     const struct kdbus_queue_pick *pick)
{
	const struct kdbus_queued_msg *qmsg;
	size_t size;

	spin_lock(&queue->lock);
	qmsg = queue_find_note(queue, pick);
	size = qmsg ? qmsg->note->size : 0;
	spin_unlock(&queue->lock);

	return size;
}

/**
 * kdbus_queue_write_note() - write a notification into the pool, in its place
 * @queue:	The queue
 * @pick:	Which
 * @slice:	Where to; given away on success
 * @size:	What kdbus_queue_note_size() said
 *
 * Context: Any.
 *
 * Return: False if another one comes first meanwhile.
 */
bool kdbus_queue_write_note(struct kdbus_queue *queue,
			    const struct kdbus_queue_pick *pick,
			    struct kdbus_slice *slice, size_t size)
{
	struct kdbus_queued_msg *qmsg;
	bool fits;

	spin_lock(&queue->lock);
	qmsg = queue_find_note(queue, pick);
	fits = qmsg && qmsg->note->size == size;
	if (fits) {
		kdbus_slice_write(slice, 0, qmsg->note, size);
		qmsg->slice = slice;
	}
	spin_unlock(&queue->lock);

	return fits;
}

/**
 * kdbus_queue_has_nothing() - whether a task that receives has to wait
 * @queue:	The queue
 * @pick:	What it wants
 *
 * Notifications are nothing as long as there is no room for them.
 *
 * Context: Any.
 *
 * Return: Whether it has to; false if the queue is closed.
 */
bool kdbus_queue_has_nothing(struct kdbus_queue *queue,
			     const struct kdbus_queue_pick *pick)
{
	struct kdbus_queue_pick now = *pick;
	struct kdbus_queued_msg *qmsg;

	spin_lock(&queue->lock);
	now.unwritten = queue->stuck ? KDBUS_UNWRITTEN_SKIP :
				       KDBUS_UNWRITTEN_TAKE;
	qmsg = queue_find(queue, &now);
	spin_unlock(&queue->lock);

	return qmsg == ERR_PTR(-EAGAIN) || qmsg == ERR_PTR(-ENOMSG);
}

/**
 * kdbus_queue_dequeue() - take a message out of the queue
 * @queue:	The queue
 * @pick:	Which
 *
 * To be followed by kdbus_queue_dequeue_done() or kdbus_queue_requeue().
 *
 * Context: Any.
 *
 * Return: The message, or an error pointer as in kdbus_queue_peek().
 */
struct kdbus_queued_msg *kdbus_queue_dequeue(struct kdbus_queue *queue,
					     const struct kdbus_queue_pick *pick)
{
	struct kdbus_queued_msg *qmsg;

	spin_lock(&queue->lock);
	qmsg = queue_find_ready(queue, pick);
	if (!IS_ERR(qmsg))
		kdbus_order_del(&queue->order, qmsg);
	spin_unlock(&queue->lock);

	return qmsg;
}

/**
 * kdbus_queue_requeue() - put a message back that was taken
 * @queue:	The queue
 * @qmsg:	The message
 *
 * Context: Any.
 *
 * Return: False if the queue has been closed meanwhile; then the caller has to
 * get rid of the message as if it had been received.
 */
bool kdbus_queue_requeue(struct kdbus_queue *queue,
			 struct kdbus_queued_msg *qmsg)
{
	bool open;

	spin_lock(&queue->lock);
	open = !queue->closed;
	if (open)
		kdbus_order_insert(&queue->order, qmsg);
	spin_unlock(&queue->lock);

	return open;
}

/**
 * kdbus_queue_dequeue_done() - be done with a message that was taken
 * @queue:	The queue
 * @qmsg:	The message, still owned by the caller
 *
 * Context: May sleep.
 */
void kdbus_queue_dequeue_done(struct kdbus_queue *queue,
			      struct kdbus_queued_msg *qmsg)
{
	unsigned int *counter;

	spin_lock(&queue->lock);
	counter = queue_counter(queue, qmsg);
	WRITE_ONCE(*counter, *counter - 1);
	spin_unlock(&queue->lock);

	kdbus_quota_release(&queue->quota, &qmsg->claim);
}

static unsigned int queue_length(const struct kdbus_queue *queue)
{
	lockdep_assert_held(&queue->lock);

	return queue->count + queue->notes + queue->reply_notes;
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
	else if (only_if_empty && queue_length(queue) > 0)
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
struct kdbus_queued_msg *kdbus_queue_next_dead(struct kdbus_queue *queue)
{
	struct kdbus_queued_msg *qmsg;

	spin_lock(&queue->lock);
	qmsg = list_first_entry_or_null(&queue->order.fifo,
					struct kdbus_queued_msg, fifo);
	if (qmsg)
		kdbus_order_del(&queue->order, qmsg);
	spin_unlock(&queue->lock);

	if (qmsg)
		kdbus_queue_dequeue_done(queue, qmsg);
	return qmsg;
}

/**
 * kdbus_queue_extract_locked() - take out all messages that are to move elsewhere
 * @queue:	The queue
 * @name_id:	Only those addressed to this registration, 0 for all
 * @entries:	Where to put them, in order
 *
 * They count until kdbus_queue_dequeue_done() or kdbus_queue_restore().
 *
 * Context: Any; ``queue->lock`` and ``bus->broadcast`` are held.
 */
void kdbus_queue_extract_locked(struct kdbus_queue *queue, u64 name_id,
				struct list_head *entries)
{
	struct kdbus_queued_msg *qmsg, *tmp;

	lockdep_assert_held(&queue->lock);

	list_for_each_entry_safe(qmsg, tmp, &queue->order.fifo, fifo) {
		/* what the kernel told is for this connection alone */
		if (qmsg->note || (name_id && qmsg->name_id != name_id))
			continue;
		kdbus_order_del(&queue->order, qmsg);
		list_add_tail(&qmsg->fifo, entries);
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
	struct kdbus_queued_msg *qmsg, *tmp;

	spin_lock(&queue->lock);
	list_for_each_entry_safe(qmsg, tmp, entries, fifo) {
		list_del(&qmsg->fifo);
		kdbus_order_insert(&queue->order, qmsg);
	}
	spin_unlock(&queue->lock);
}

/**
 * kdbus_queue_append() - add messages that come from elsewhere
 * @queue:	The queue
 * @entries:	The messages, in order
 * @seq:	Where numbers come from
 * @first:	They come before all that is there
 *
 * No limits apply.
 *
 * Context: Any; if @first is set, no message may be staged.
 *
 * Return: 0; then @entries is empty. -ECONNRESET if the queue is closed.
 */
int kdbus_queue_append(struct kdbus_queue *queue, struct list_head *entries,
		       atomic64_t *seq, bool first)
{
	struct kdbus_queued_msg *qmsg, *tmp;
	LIST_HEAD(later);
	int r = 0;

	spin_lock(&queue->lock);
	if (queue->closed) {
		r = -ECONNRESET;
		goto out;
	}
	WRITE_ONCE(queue->stuck, false);
	if (first)
		kdbus_queue_extract_locked(queue, 0, &later);
	list_for_each_entry_safe(qmsg, tmp, entries, fifo) {
		list_del(&qmsg->fifo);
		queue->arrivals++;
		WRITE_ONCE(queue->count, queue->count + 1);
		/* a place behind all that is here; what was told stays */
		kdbus_order_append(&queue->order, qmsg,
				   atomic64_inc_return(seq));
	}
	list_for_each_entry_safe(qmsg, tmp, &later, fifo) {
		list_del(&qmsg->fifo);
		qmsg->stamp = 0;
		kdbus_order_append(&queue->order, qmsg,
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
 * kdbus_queue_lose_note() - lose a notification for which there is no room
 * @queue:	The queue
 * @pick:	Which
 *
 * Context: May sleep.
 *
 * Return: The notification, to be freed, or NULL if none comes first any more or
 * if messages of users give hope of room.
 */
struct kdbus_queued_msg *
kdbus_queue_lose_note(struct kdbus_queue *queue,
		      const struct kdbus_queue_pick *pick)
{
	struct kdbus_queued_msg *note = NULL;

	spin_lock(&queue->lock);
	if (!kdbus_queue_has_messages(queue))
		note = queue_find_note(queue, pick);
	if (note) {
		kdbus_order_del(&queue->order, note);
		queue->lost++;
		WRITE_ONCE(queue->stuck, false);
	}
	spin_unlock(&queue->lock);

	if (note)
		kdbus_queue_dequeue_done(queue, note);
	return note;
}

/**
 * kdbus_queue_has_from() - whether messages of a sender wait
 * @queue:	The queue
 * @src_id:	Id of the sender
 *
 * Context: Any.
 *
 * Return: Whether there is one.
 */
bool kdbus_queue_has_from(struct kdbus_queue *queue, u64 src_id)
{
	const struct kdbus_queued_msg *qmsg;
	bool found = false;

	spin_lock(&queue->lock);
	list_for_each_entry(qmsg, &queue->order.fifo, fifo) {
		found = !qmsg->note &&
			kdbus_queued_msg_src_id(qmsg) == src_id;
		if (found)
			break;
	}
	spin_unlock(&queue->lock);

	return found;
}

/**
 * kdbus_queue_set_stuck() - note that a notification found no room, or may now
 * @queue:	The queue
 * @stuck:	Whether it found none
 *
 * Context: Any.
 *
 * Return: Whether that is news.
 */
bool kdbus_queue_set_stuck(struct kdbus_queue *queue, bool stuck)
{
	bool changed;

	spin_lock(&queue->lock);
	changed = queue->stuck != stuck;
	WRITE_ONCE(queue->stuck, stuck);
	spin_unlock(&queue->lock);

	return changed;
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
	count = queue_length(queue);
	arrivals = queue->arrivals;
	lost = queue->lost;
	spin_unlock(&queue->lock);

	seq_printf(m, "queued:\t%u\n", count);
	seq_printf(m, "arrivals:\t%llu\n", arrivals);
	seq_printf(m, "lost:\t%llu\n", lost);
}

/**
 * kdbus_queued_msg_src_id() - read the sender of a message
 * @qmsg:	The message, written
 *
 * Context: Any.
 *
 * Return: Id of the sender.
 */
u64 kdbus_queued_msg_src_id(const struct kdbus_queued_msg *qmsg)
{
	const size_t member = offsetof(struct kdbus_msg, src_id);
	size_t size = sizeof(u64);

	/* what is aligned to its size is not cut by the end of a page */
	return *(u64 *)kdbus_slice_window(qmsg->slice, member, &size);
}
