// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/list.h>
#include <linux/workqueue.h>

#include "bus.h"
#include "conn.h"
#include "files.h"
#include "meta.h"
#include "names.h"
#include "pool/pool.h"
#include "queue.h"
#include "reply.h"

/**
 * struct handover - messages on the move
 * @from:	Where they were
 * @to:		Where they go
 * @back:	@to is the activator: what is there was sent later
 * @waiting:	Those that have not moved, in order
 * @copied:	Those that have: their copies are with @to
 * @refused:	Those that @to may not have
 */
struct handover {
	struct kdbus_conn *from;
	struct kdbus_conn *to;
	bool back;
	struct list_head waiting;
	struct list_head copied;
	struct list_head refused;
};

/*
 * The message without its metadata. What follows stays in its place, as items
 * tell where it is; before it, there are zeros.
 */
static void handover_copy_bare(struct kdbus_queued_msg *qmsg,
			       const struct kdbus_queued_msg *old)
{
	size_t head = old->head - old->meta;
	u64 size = head;

	kdbus_slice_copy(qmsg->slice, old->slice, 0, head);
	kdbus_slice_zero(qmsg->slice, head, old->meta);
	kdbus_slice_copy(qmsg->slice, old->slice, old->head,
			 old->size - old->head);
	kdbus_slice_write(qmsg->slice, offsetof(struct kdbus_msg, size), &size,
			  sizeof(size));
	qmsg->head = head;
	qmsg->meta = 0;
}

/*
 * A message has metadata only if its sender was in the namespaces of its first
 * receiver. They are not translated: a receiver in others gets none.
 */
static void handover_copy_message(struct kdbus_queued_msg *qmsg,
				  const struct kdbus_queued_msg *old,
				  bool bare)
{
	qmsg->name_id = old->name_id;
	qmsg->size = old->size;
	qmsg->head = old->head;
	qmsg->meta = old->meta;
	qmsg->claimed = old->claimed;

	if (bare && old->meta)
		handover_copy_bare(qmsg, old);
	else
		kdbus_slice_copy(qmsg->slice, old->slice, 0, old->size);
	/* what is left of the slice is not part of the message */
	kdbus_slice_zero(qmsg->slice, old->size,
			 qmsg->slice->size - old->size);
}

/* what is aligned to its size is not cut by the end of a page */
static u64 *handover_word(struct kdbus_slice *slice, size_t offset)
{
	size_t size = sizeof(u64);

	return kdbus_slice_window(slice, offset, &size);
}

static void handover_shift(struct kdbus_slice *slice, size_t offset, s64 ahead)
{
	u64 *word = handover_word(slice, offset);

	*word = kdbus_clock_shift(*word, ahead);
}

/* a message tells the times of its receiver, see meta.h */
static void handover_shift_times(struct kdbus_queued_msg *qmsg, s64 ahead)
{
	const size_t flags = offsetof(struct kdbus_msg, flags);
	const size_t payload = offsetof(struct kdbus_item, data);
	struct kdbus_slice *slice = qmsg->slice;
	size_t at = qmsg->head - qmsg->meta;

	if (*handover_word(slice, flags) & KDBUS_MSG_FLAGS_EXPECT_REPLY)
		handover_shift(slice, offsetof(struct kdbus_msg, timeout_ns),
			       ahead);

	/* both come before anything else, in this order */
	if (at < qmsg->head &&
	    *handover_word(slice, at + offsetof(struct kdbus_item, type)) ==
	    KDBUS_ITEM_TIMESTAMP) {
		at += payload;
		handover_shift(slice, at + offsetof(struct kdbus_timestamp,
						    monotonic_ns), ahead);
		at += sizeof(struct kdbus_timestamp);
	}
	if (at < qmsg->head && !qmsg->claimed &&
	    *handover_word(slice, at + offsetof(struct kdbus_item, type)) ==
	    KDBUS_ITEM_CREDS)
		handover_shift(slice, at + payload +
			       offsetof(struct kdbus_creds, starttime), ahead);
}

/*
 * A second entry for a message, elsewhere; the files stay with the first.
 * -ENOBUFS if there is no room for it, -ENOMEM if there would be, -ECONNRESET if
 * the pool is dead.
 */
static struct kdbus_queued_msg *
handover_copy_entry(const struct kdbus_queued_msg *old, struct kdbus_conn *to,
		    bool bare, s64 ahead)
{
	struct kdbus_queued_msg *qmsg;
	struct kdbus_slice *slice;

	slice = kdbus_pool_alloc(to->pool, old->size, false);
	if (slice == ERR_PTR(-ENOBUFS) && kdbus_pool_fits(to->pool, old->size))
		return ERR_PTR(-ENOMEM);
	if (IS_ERR(slice))
		return ERR_CAST(slice);

	qmsg = kdbus_queued_msg_new(&to->queue, slice, NULL, old->priority);
	if (!qmsg) {
		kdbus_slice_free(slice);
		return ERR_PTR(-ENOMEM);
	}

	handover_copy_message(qmsg, old, bare);
	if (ahead)
		handover_shift_times(qmsg, ahead);
	return qmsg;
}

static void handover_free_entries(struct kdbus_conn *conn,
				  struct list_head *entries)
{
	struct kdbus_queued_msg *qmsg, *tmp;

	list_for_each_entry_safe(qmsg, tmp, entries, fifo)
		kdbus_queued_msg_free(&conn->queue, qmsg);
}

/* messages that others are let past, so that not too much is looked at */
#define HANDOVER_PASSED	64

/* whether one of the same sender that comes before stays */
static bool handover_is_after(const struct handover *h,
			      const struct kdbus_queued_msg *qmsg)
{
	u64 src_id = kdbus_queued_msg_src_id(qmsg);
	const struct kdbus_queued_msg *pos;

	list_for_each_entry(pos, &h->waiting, fifo) {
		if (pos == qmsg)
			break;
		if (kdbus_queued_msg_src_id(pos) == src_id)
			return true;
	}
	return false;
}

/*
 * Copies as many as it can, those of each sender in order. What has a copy in @new
 * is in @copied then, and no longer in @waiting. Returns what stopped it.
 */
static int handover_copy_entries(struct handover *h, struct list_head *new)
{
	bool bare = !kdbus_meta_shares_ns(h->from->self.snapshot,
					  h->to->self.snapshot);
	s64 ahead = h->to->self.ahead - h->from->self.ahead;
	struct kdbus_queued_msg *qmsg, *tmp, *copy;
	unsigned int passed = 0;

	list_for_each_entry_safe(qmsg, tmp, &h->waiting, fifo) {
		copy = ERR_PTR(-ENOBUFS);
		if (!passed || !handover_is_after(h, qmsg))
			copy = handover_copy_entry(qmsg, h->to, bare, ahead);
		if (copy == ERR_PTR(-ENOBUFS) && ++passed < HANDOVER_PASSED)
			continue;
		if (IS_ERR(copy))
			return PTR_ERR(copy);
		list_add_tail(&copy->fifo, new);
		list_move_tail(&qmsg->fifo, &h->copied);
	}

	return passed ? -ENOBUFS : 0;
}

/* files and replies go to the copies; both lists are in the same order */
static void handover_move_rest(struct list_head *old, struct list_head *new,
			       struct kdbus_conn *to)
{
	struct kdbus_queued_msg *qmsg, *copy;

	copy = list_first_entry(new, struct kdbus_queued_msg, fifo);
	list_for_each_entry(qmsg, old, fifo) {
		swap(qmsg->files, copy->files);
		swap(qmsg->reply, copy->reply);
		kdbus_reply_move(copy->reply, to);
		copy = list_next_entry(copy, fifo);
	}
}

static void handover_drop_originals(struct kdbus_conn *conn,
				    struct list_head *entries)
{
	struct kdbus_queued_msg *qmsg, *tmp;

	list_for_each_entry_safe(qmsg, tmp, entries, fifo) {
		kdbus_queue_dequeue_done(&conn->queue, qmsg);
		kdbus_queued_msg_free(&conn->queue, qmsg);
	}
}

/* queue what was copied; if @to is dead, nothing has happened */
static int handover_queue(struct handover *h, struct list_head *new)
{
	struct kdbus_conn *to = h->to;
	int r;

	if (!kdbus_conn_enter(to))
		return -ECONNRESET;

	/*
	 * Replies have to be with the new owner before it can see the requests.
	 * If it closes its queue at this very moment they come back, at worst
	 * after it was seen to be dead.
	 */
	handover_move_rest(&h->copied, new, to);
	if (h->back)
		mutex_lock(&to->bus->broadcast);
	r = kdbus_queue_append(&to->queue, new, &to->bus->domain->msg_seq,
			       h->back);
	if (h->back)
		mutex_unlock(&to->bus->broadcast);
	if (r < 0)
		handover_move_rest(new, &h->copied, h->from);
	kdbus_conn_leave(to);

	return r;
}

/*
 * @whole: everything has to move, or else nothing does. Returns 0 if everything has
 * moved. -ENOBUFS for want of room and -ENOMEM for want of memory if something stays
 * in @waiting, and -ECONNRESET if @to is dead.
 */
static int handover_move(struct handover *h, bool whole)
{
	LIST_HEAD(new);
	int r, stopped;

	stopped = handover_copy_entries(h, &new);
	r = whole || stopped == -ECONNRESET ? stopped : 0;
	if (r == 0)
		r = handover_queue(h, &new);
	if (r == 0)
		return stopped;

	handover_free_entries(h->to, &new);
	list_splice_init(&h->copied, &h->waiting);
	return r;
}

/* an activator receives nothing, so what it accepts does not matter */
static bool handover_accepts(const struct kdbus_conn *conn,
			     const struct kdbus_queued_msg *qmsg)
{
	return conn->flags & (KDBUS_HELLO_ACCEPT_FD | KDBUS_HELLO_ACTIVATOR) ||
	       !qmsg->files || !qmsg->files->n_fds;
}

/* whether it could have been sent there at all, however much room there is */
static bool handover_is_for(const struct kdbus_queued_msg *qmsg,
			    const struct kdbus_conn *to)
{
	return handover_accepts(to, qmsg) && qmsg->size <= to->pool->slices.size;
}

static void handover_sort_out(struct handover *h)
{
	struct kdbus_queued_msg *qmsg, *tmp;

	list_for_each_entry_safe(qmsg, tmp, &h->waiting, fifo)
		if (!handover_is_for(qmsg, h->to))
			list_move_tail(&qmsg->fifo, &h->refused);
}

/* their senders would have been told, had they been sent to @to */
static void handover_refuse(struct handover *h, struct kdbus_refused *refused)
{
	struct kdbus_queued_msg *qmsg;

	if (list_empty(&h->refused))
		return;

	list_for_each_entry(qmsg, &h->refused, fifo) {
		kdbus_queue_dequeue_done(&h->from->queue, qmsg);
		kdbus_queue_lost(&h->to->queue);
	}
	if (!refused->conn)
		refused->conn = kdbus_conn_get(h->from);
	list_splice_init(&h->refused, &refused->entries);
}

/**
 * kdbus_refused_init() - no messages yet
 * @refused:	To be initialised
 */
void kdbus_refused_init(struct kdbus_refused *refused)
{
	refused->conn = NULL;
	INIT_LIST_HEAD(&refused->entries);
}

/**
 * kdbus_refused_discard() - get rid of messages that nobody may have
 * @refused:	The messages
 *
 * Context: May sleep; no locks may be held.
 */
void kdbus_refused_discard(struct kdbus_refused *refused)
{
	struct kdbus_queued_msg *qmsg, *tmp;

	list_for_each_entry_safe(qmsg, tmp, &refused->entries, fifo)
		kdbus_reply_discard(refused->conn, qmsg);
	kdbus_conn_put(refused->conn);
}

/*
 * A message that is staged counts on staying in its queue until it is committed;
 * so nothing may be on its way into several queues. If @entry is not NULL,
 * messages to the name wait from here on.
 */
static void handover_take_out(struct handover *h,
			      struct kdbus_name_entry *entry, u64 name_id)
{
	struct kdbus_conn *from = h->from;

	lockdep_assert_held(&from->bus->lock);

	mutex_lock(&from->bus->broadcast);
	spin_lock(&from->queue.lock);
	if (entry)
		WRITE_ONCE(entry->owner, NULL);
	kdbus_queue_extract_locked(&from->queue, name_id, &h->waiting);
	spin_unlock(&from->queue.lock);
	mutex_unlock(&from->bus->broadcast);
}

static void handover_begin(struct handover *h, struct kdbus_conn *from,
			   struct kdbus_conn *to)
{
	lockdep_assert_held(&from->bus->lock);

	h->from = from;
	h->to = to;
	h->back = to->flags & KDBUS_HELLO_ACTIVATOR;
	INIT_LIST_HEAD(&h->waiting);
	INIT_LIST_HEAD(&h->copied);
	INIT_LIST_HEAD(&h->refused);
}

/* what has not moved waits where it was; a closed queue is still to be emptied */
static void handover_finish(struct handover *h)
{
	bool moved = !list_empty(&h->copied);

	lockdep_assert_held(&h->from->bus->lock);

	handover_drop_originals(h->from, &h->copied);
	kdbus_queue_restore(&h->from->queue, &h->refused);
	kdbus_queue_restore(&h->from->queue, &h->waiting);
	/* a task that looked meanwhile has seen nothing, and may sleep */
	kdbus_queue_set_stuck(&h->from->queue, false);
	kdbus_conn_wake_all(h->from);
	if (!moved)
		return;

	kdbus_conn_wake_all(h->to);
	/* what waits for another name of the same owner has more room now */
	if (h->from->queue.behind)
		schedule_delayed_work(&h->from->names.follow, 0);
}

/* whether messages to a name, which @owner has or gets, wait at the activator */
static void handover_set_behind(struct kdbus_name_entry *entry,
				struct kdbus_conn *owner, bool behind)
{
	lockdep_assert_held(&owner->bus->lock);

	if (entry->behind == behind)
		return;

	entry->behind = behind;
	spin_lock(&owner->queue.lock);
	WRITE_ONCE(owner->queue.behind,
		   owner->queue.behind + (behind ? 1 : -1));
	spin_unlock(&owner->queue.lock);
}

/* memory may be there a little later, and nobody tells */
#define HANDOVER_RETRY	(HZ / 10)

/* returns whether something has changed */
static bool handover_follow_one(struct kdbus_name_entry *entry,
				struct kdbus_conn *to,
				struct kdbus_refused *refused)
{
	struct handover h;
	bool changed;
	int r;

	lockdep_assert_held(&to->bus->lock);

	handover_begin(&h, entry->activator, to);
	handover_take_out(&h, NULL, 0);
	handover_sort_out(&h);
	r = handover_move(&h, false);
	if (r == -ENOMEM)
		schedule_delayed_work(&to->names.follow, HANDOVER_RETRY);

	changed = !list_empty(&h.copied) || !list_empty(&h.refused);
	if (r != -ECONNRESET) {
		handover_refuse(&h, refused);
		if (list_empty(&h.waiting))
			handover_set_behind(entry, to, false);
	}
	handover_finish(&h);
	return changed && r != -ECONNRESET;
}

/**
 * kdbus_handover_take() - a connection takes a name from its activator
 * @entry:	The name
 * @to:		The connection that gets it
 * @refused:	Takes the messages that @to may not have, without any so far
 *
 * All messages move that fit; the others follow when there is room, or memory.
 * Documentation/kdbus.txt, section 18.
 *
 * Context: May sleep; ``bus->lock`` is held.
 *
 * Return: 0, or -ECONNRESET if @to is dead, and then nothing has happened.
 */
int kdbus_handover_take(struct kdbus_name_entry *entry, struct kdbus_conn *to,
			struct kdbus_refused *refused)
{
	struct kdbus_conn *from = entry->owner;
	struct handover h;
	int r;

	lockdep_assert_held(&to->bus->lock);

	handover_begin(&h, from, to);
	handover_take_out(&h, entry, 0);
	handover_sort_out(&h);
	r = handover_move(&h, false);
	if (r != -ECONNRESET) {
		handover_refuse(&h, refused);
		handover_set_behind(entry, to, r < 0);
		WRITE_ONCE(entry->owner, to);
	} else {
		WRITE_ONCE(entry->owner, from);
	}
	handover_finish(&h);

	/* what was freed before something was behind has called nobody */
	if (entry->behind)
		handover_follow_one(entry, to, refused);
	return r == -ECONNRESET ? r : 0;
}

/**
 * kdbus_handover_back() - a name goes back to its activator
 * @entry:	The name
 *
 * If the owner is still there, all of its messages to the name that were not
 * received go along, or none; if it is disconnecting, as many as fit.
 *
 * Context: May sleep; ``bus->lock`` is held.
 *
 * Return: 0, or -ECONNRESET if the activator is dead, and then nothing has
 * happened.
 */
int kdbus_handover_back(struct kdbus_name_entry *entry)
{
	struct kdbus_conn *from = entry->owner, *to = entry->activator;
	bool alive = kdbus_conn_is_alive(from);
	struct handover h;
	int r;

	lockdep_assert_held(&from->bus->lock);

	handover_begin(&h, from, to);
	handover_take_out(&h, entry, entry->id);
	r = handover_move(&h, alive);
	if (r != -ECONNRESET) {
		handover_set_behind(entry, from, false);
		WRITE_ONCE(entry->owner, to);
		r = 0;
	} else {
		WRITE_ONCE(entry->owner, from);
	}
	handover_finish(&h);

	return r;
}

/**
 * kdbus_handover_follow() - messages that wait are for another owner
 * @entry:	The name; messages may wait at its activator
 * @from:	Its owner
 * @to:		Its next owner, or NULL if there is none, or its activator goes
 *
 * Context: Any; ``bus->lock`` is held.
 */
void kdbus_handover_follow(struct kdbus_name_entry *entry,
			   struct kdbus_conn *from, struct kdbus_conn *to)
{
	lockdep_assert_held(&from->bus->lock);

	if (!entry->behind)
		return;

	handover_set_behind(entry, from, false);
	if (to) {
		handover_set_behind(entry, to, true);
		schedule_delayed_work(&to->names.follow, 0);
	}
}

/**
 * kdbus_handover_keeps() - whether a sender has to wait for its own messages
 * @conn:	An owner of names
 * @src_id:	Id of the sender
 *
 * Context: Any; ``bus->lock`` is held.
 *
 * Return: Whether one of its messages to these names waits at an activator.
 */
bool kdbus_handover_keeps(const struct kdbus_conn *conn, u64 src_id)
{
	const struct kdbus_name_entry *entry;

	lockdep_assert_held(&conn->bus->lock);

	list_for_each_entry(entry, &conn->names.owned, owned)
		if (entry->behind &&
		    kdbus_queue_has_from(&entry->activator->queue, src_id))
			return true;
	return false;
}

static bool handover_follow_any(struct kdbus_conn *conn,
				struct kdbus_refused *refused)
{
	struct kdbus_name_entry *entry;

	lockdep_assert_held(&conn->bus->lock);

	list_for_each_entry(entry, &conn->names.owned, owned)
		if (entry->behind && handover_follow_one(entry, conn, refused))
			return true;
	return false;
}

/**
 * kdbus_handover_more() - move more of what waits
 * @conn:	An owner of names that may have room now
 *
 * Context: May sleep; takes ``bus->lock``.
 */
void kdbus_handover_more(struct kdbus_conn *conn)
{
	struct kdbus_refused refused;
	bool again;

	do {
		kdbus_refused_init(&refused);
		mutex_lock(&conn->bus->lock);
		again = handover_follow_any(conn, &refused);
		mutex_unlock(&conn->bus->lock);
		kdbus_refused_discard(&refused);
	} while (again);
}

/**
 * kdbus_handover_dropped() - a message will not be handed over
 * @activator:	Where it waited
 *
 * It may have been the one that kept others.
 *
 * Context: May sleep; takes ``bus->lock``.
 */
void kdbus_handover_dropped(struct kdbus_conn *activator)
{
	struct kdbus_name_entry *entry;
	struct kdbus_refused refused;

	kdbus_refused_init(&refused);
	mutex_lock(&activator->bus->lock);
	entry = activator->names.activates;
	if (entry && entry->behind)
		handover_follow_one(entry, entry->owner, &refused);
	mutex_unlock(&activator->bus->lock);
	kdbus_refused_discard(&refused);
}

/**
 * kdbus_handover_work() - kdbus_handover_more() by itself
 * @work:	@follow of the names of a connection
 */
void kdbus_handover_work(struct work_struct *work)
{
	kdbus_handover_more(container_of(work, struct kdbus_conn,
					 names.follow.work));
}
