// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/list.h>

#include "bus.h"
#include "conn.h"
#include "handover.h"
#include "names.h"
#include "pool.h"
#include "queue.h"
#include "reply.h"

/* a second entry for a message, elsewhere; the files stay with the first */
static struct kdbus_queue_entry *copy_entry(const struct kdbus_queue_entry *old,
					    struct kdbus_conn *to)
{
	struct kdbus_queue_entry *entry;
	struct kdbus_slice *slice;

	slice = kdbus_pool_alloc(to->pool, old->slice->size, false);
	if (IS_ERR(slice))
		return ERR_CAST(slice);
	kdbus_slice_copy(slice, old->slice);

	entry = kdbus_queue_entry_new(&to->queue, slice, NULL, old->priority);
	if (!entry) {
		kdbus_slice_free(slice);
		return ERR_PTR(-ENOBUFS);
	}

	entry->name_id = old->name_id;
	return entry;
}

static void free_entries(struct kdbus_conn *conn, struct list_head *entries)
{
	struct kdbus_queue_entry *entry, *tmp;

	list_for_each_entry_safe(entry, tmp, entries, fifo)
		kdbus_queue_entry_free(&conn->queue, entry);
}

static int copy_entries(struct list_head *old, struct list_head *new,
			struct kdbus_conn *to)
{
	struct kdbus_queue_entry *entry, *copy;

	list_for_each_entry(entry, old, fifo) {
		copy = copy_entry(entry, to);
		if (IS_ERR(copy)) {
			free_entries(to, new);
			INIT_LIST_HEAD(new);
			return PTR_ERR(copy);
		}
		list_add_tail(&copy->fifo, new);
	}

	return 0;
}

/* files and replies go to the copies; both lists are in the same order */
static void move_rest(struct list_head *old, struct list_head *new,
		      struct kdbus_conn *to)
{
	struct kdbus_queue_entry *entry, *copy;

	copy = list_first_entry(new, struct kdbus_queue_entry, fifo);
	list_for_each_entry(entry, old, fifo) {
		swap(entry->files, copy->files);
		swap(entry->reply, copy->reply);
		kdbus_reply_move(copy->reply, to);
		copy = list_next_entry(copy, fifo);
	}
}

static void drop_originals(struct kdbus_conn *conn, struct list_head *entries)
{
	struct kdbus_queue_entry *entry, *tmp;

	list_for_each_entry_safe(entry, tmp, entries, fifo) {
		kdbus_queue_taken(&conn->queue, entry);
		kdbus_queue_entry_free(&conn->queue, entry);
	}
}

static int transfer(struct kdbus_conn *from, struct kdbus_conn *to,
		    struct list_head *old)
{
	LIST_HEAD(new);
	int r;

	r = copy_entries(old, &new, to);
	if (r < 0)
		return r;

	if (!kdbus_conn_enter(to)) {
		free_entries(to, &new);
		return -ECONNRESET;
	}

	/*
	 * Replies have to be with the new owner before it can see the requests.
	 * If it closes its queue at this very moment they come back, at worst
	 * after it was seen to be dead.
	 */
	move_rest(old, &new, to);
	r = kdbus_queue_append(&to->queue, &new, &to->bus->domain->msg_seq);
	if (r < 0) {
		move_rest(&new, old, from);
		free_entries(to, &new);
	}
	kdbus_conn_leave(to);

	return r;
}

/*
 * Messages to the name wait from here on. One that is staged counts on staying
 * in its queue until it is committed; so nothing may be on its way into several
 * queues.
 */
static void take_out(struct kdbus_name_entry *entry, u64 name_id,
		     struct list_head *messages)
{
	struct kdbus_conn *from = entry->owner;

	mutex_lock(&from->bus->broadcast);
	spin_lock(&from->queue.lock);
	WRITE_ONCE(entry->owner, NULL);
	kdbus_queue_extract(&from->queue, name_id, messages);
	spin_unlock(&from->queue.lock);
	mutex_unlock(&from->bus->broadcast);
}

/**
 * kdbus_handover() - give a name and its messages to another connection
 * @entry:	The name
 * @to:		Who gets it
 * @name_id:	Move only messages addressed to this registration; 0 for all
 *
 * Documentation/kdbus.txt, section 18.
 *
 * Context: May sleep; the mutex of the bus is held.
 *
 * Return: 0; -ENOBUFS if the messages do not fit or -ECONNRESET if @to is dead,
 * and then nothing has happened.
 */
int kdbus_handover(struct kdbus_name_entry *entry, struct kdbus_conn *to,
		   u64 name_id)
{
	struct kdbus_conn *from = entry->owner;
	LIST_HEAD(old);
	int r;

	lockdep_assert_held(&from->bus->lock);

	take_out(entry, name_id, &old);
	r = transfer(from, to, &old);
	if (r < 0) {
		/* who is leaving empties its queue after its names are gone */
		kdbus_queue_restore(&from->queue, &old);
		WRITE_ONCE(entry->owner, from);
		/* who looked meanwhile has seen nothing, and may sleep */
		kdbus_conn_wake(from);
		return r;
	}

	WRITE_ONCE(entry->owner, to);
	drop_originals(from, &old);
	kdbus_conn_wake(to);
	return 0;
}
