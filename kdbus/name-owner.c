// SPDX-License-Identifier: GPL-2.0
#include <linux/slab.h>

#include "bus.h"
#include "conn.h"
#include "event.h"
#include "limits.h"
#include "names.h"

/**
 * kdbus_name_owner() - find the owner of a name
 * @bus:	Where
 * @entry:	The name
 *
 * Waits while the name changes hands.
 *
 * Context: May sleep.
 *
 * Return: The owner, with a reference, or NULL if the name has to be looked up
 * again.
 */
struct kdbus_conn *kdbus_name_owner(struct kdbus_bus *bus,
				    const struct kdbus_name_entry *entry)
{
	struct kdbus_conn *owner;

	rcu_read_lock();
	owner = READ_ONCE(entry->owner);
	if (owner && !kref_get_unless_zero(&owner->kref))
		owner = NULL;
	rcu_read_unlock();

	/* a task that moves it holds bus->lock until there is an owner, or no name */
	if (!owner) {
		mutex_lock(&bus->lock);
		mutex_unlock(&bus->lock);
	}

	return owner;
}

static void name_link_owner(struct kdbus_name_entry *entry, struct kdbus_conn *owner,
			    u64 flags)
{
	lockdep_assert_held(&owner->bus->lock);

	entry->flags = flags;
	list_add_tail(&entry->owned, &owner->names.owned);
	owner->names.count++;
	kdbus_name_set_replace(&owner->names);
}

static void name_unlink_owner(struct kdbus_name_entry *entry, struct kdbus_conn *owner)
{
	lockdep_assert_held(&owner->bus->lock);

	list_del_init(&entry->owned);
	owner->names.count--;
	kdbus_name_set_replace(&owner->names);
}

/* senders rely on an owner only under its queue->lock */
static void name_set_owner(struct kdbus_name_entry *entry, struct kdbus_conn *owner)
{
	struct kdbus_queue *queue = &entry->owner->queue;

	lockdep_assert_held(&entry->owner->bus->lock);

	spin_lock(&queue->lock);
	WRITE_ONCE(entry->owner, owner);
	spin_unlock(&queue->lock);
}

/**
 * kdbus_name_create() - a connection owns a name that had no owner
 * @entry:	The name, new; the registry takes the caller's reference
 * @conn:	Its owner
 * @flags:	KDBUS_NAME_* flags it is owned with
 * @event:	To be filled and noted
 *
 * Context: May sleep; ``bus->lock`` is held.
 *
 * Return: 0 or a negative errno; then @entry and @event stay the caller's.
 */
int kdbus_name_create(struct kdbus_name_entry *entry, struct kdbus_conn *conn,
		      u64 flags, struct kdbus_event *event)
{
	int r;

	lockdep_assert_held(&conn->bus->lock);

	r = kdbus_name_insert(&conn->bus->names, entry, conn);
	if (r < 0)
		return r;

	name_link_owner(entry, conn, flags);
	kdbus_event_set_name(event, 0, 0, conn->id, flags);
	kdbus_event_queue(conn->bus, event);
	return 0;
}

/**
 * kdbus_name_transfer() - the owner changes, messages stay where they are
 * @entry:	The name
 * @to:		Its owner from now on
 * @flags:	KDBUS_NAME_* flags it is owned with
 * @event:	To be filled and noted
 *
 * Context: May sleep; ``bus->lock`` is held.
 */
void kdbus_name_transfer(struct kdbus_name_entry *entry, struct kdbus_conn *to,
			 u64 flags, struct kdbus_event *event)
{
	struct kdbus_conn *from = entry->owner;

	lockdep_assert_held(&to->bus->lock);

	kdbus_event_set_name(event, from->id, entry->flags, to->id, flags);
	kdbus_event_queue(from->bus, event);

	name_unlink_owner(entry, from);
	kdbus_handover_follow(entry, from, to);
	name_set_owner(entry, to);
	name_link_owner(entry, to, flags);
}

static void name_moved(struct kdbus_name_entry *entry, struct kdbus_conn *from,
		       struct kdbus_conn *to, u64 flags,
		       struct kdbus_event *event)
{
	lockdep_assert_held(&to->bus->lock);

	kdbus_event_set_name(event, from->id, entry->flags, to->id, flags);
	kdbus_event_queue(from->bus, event);

	name_unlink_owner(entry, from);
	name_link_owner(entry, to, flags);
}

/**
 * kdbus_name_take() - a connection takes a name from its activator
 * @entry:	The name
 * @to:		Its owner from now on
 * @flags:	KDBUS_NAME_* flags it is owned with
 * @event:	To be filled and noted
 * @refused:	Takes the messages that @to may not have
 *
 * Context: May sleep; ``bus->lock`` is held.
 *
 * Return: 0 or a negative errno; then nothing has happened, and @event stays
 * the caller's.
 */
int kdbus_name_take(struct kdbus_name_entry *entry, struct kdbus_conn *to,
		    u64 flags, struct kdbus_event *event,
		    struct kdbus_refused *refused)
{
	struct kdbus_conn *from = entry->owner;
	int r;

	lockdep_assert_held(&to->bus->lock);

	r = kdbus_handover_take(entry, to, refused);
	if (r == 0)
		name_moved(entry, from, to, flags, event);
	return r;
}

static bool name_give_back(struct kdbus_name_entry *entry,
			   struct kdbus_event *event)
{
	struct kdbus_conn *from = entry->owner, *to = entry->activator;

	if (!to || to == from || kdbus_handover_back(entry) < 0)
		return false;
	name_moved(entry, from, to, KDBUS_NAME_ACTIVATOR, event);
	return true;
}

/**
 * kdbus_name_stop_waiting() - take a waiter out of the queue
 * @waiter:	The waiter, to be freed
 *
 * Context: Any; ``bus->lock`` is held.
 */
void kdbus_name_stop_waiting(struct kdbus_name_waiter *waiter)
{
	lockdep_assert_held(&waiter->conn->bus->lock);

	list_del(&waiter->queue);
	list_del(&waiter->waits);
	waiter->conn->names.waiting--;
	kfree(waiter);
}

/**
 * kdbus_name_find_waiter() - does a connection wait for a name?
 * @entry:	The name
 * @conn:	The connection that may wait
 *
 * Context: Any; ``bus->lock`` is held.
 *
 * Return: The waiter, or NULL.
 */
struct kdbus_name_waiter *
kdbus_name_find_waiter(struct kdbus_name_entry *entry,
		       const struct kdbus_conn *conn)
{
	struct kdbus_name_waiter *waiter;

	lockdep_assert_held(&conn->bus->lock);

	list_for_each_entry(waiter, &entry->waiters, queue)
		if (waiter->conn == conn)
			return waiter;

	return NULL;
}

/*
 * A waiter that is dead but has not left yet is passed over. One that owns as
 * many names as it may stops waiting, even if no other connection waits.
 */
static struct kdbus_name_waiter *name_next_waiter(struct kdbus_name_entry *entry)
{
	struct kdbus_name_waiter *waiter, *tmp;

	lockdep_assert_held(&entry->owner->bus->lock);

	list_for_each_entry_safe(waiter, tmp, &entry->waiters, queue) {
		if (!kdbus_conn_is_alive(waiter->conn))
			continue;
		if (waiter->conn->names.count < KDBUS_CONN_MAX_NAMES)
			return waiter;
		kdbus_name_stop_waiting(waiter);
	}

	return NULL;
}

/**
 * kdbus_name_wait() - let a connection wait for a name
 * @waiter:	Allocated by the caller, which gives it away
 * @entry:	The name
 * @conn:	A connection that does not wait for it yet
 * @flags:	KDBUS_NAME_* flags of the request
 *
 * Context: Any; ``bus->lock`` is held.
 */
void kdbus_name_wait(struct kdbus_name_waiter *waiter,
		     struct kdbus_name_entry *entry, struct kdbus_conn *conn,
		     u64 flags)
{
	lockdep_assert_held(&conn->bus->lock);

	waiter->name = entry;
	waiter->conn = conn;
	waiter->flags = flags;
	list_add_tail(&waiter->queue, &entry->waiters);
	list_add_tail(&waiter->waits, &conn->names.waits);
	conn->names.waiting++;
}

static void name_destroy(struct kdbus_bus *bus, struct kdbus_name_entry *entry,
			 struct kdbus_event *event)
{
	struct kdbus_conn *owner = entry->owner;
	struct kdbus_name_waiter *waiter, *tmp;

	lockdep_assert_held(&bus->lock);

	kdbus_event_set_name(event, owner->id, entry->flags, 0, 0);
	kdbus_event_queue(bus, event);

	name_unlink_owner(entry, owner);
	kdbus_handover_follow(entry, owner, NULL);
	kdbus_name_remove(&bus->names, entry);
	name_set_owner(entry, NULL);
	if (entry->activator)
		entry->activator->names.activates = NULL;
	list_for_each_entry_safe(waiter, tmp, &entry->waiters, queue)
		kdbus_name_stop_waiting(waiter);
	kdbus_name_put(entry);
}

/*
 * There is no way to refuse this. Others wait for bus->lock: only if the machine
 * has no memory at all does the caller wait for some.
 */
static struct kdbus_event *name_release_event(const struct kdbus_name_entry *entry)
{
	struct kdbus_user *user = entry->owner->user;
	struct kdbus_event *event;

	event = kdbus_event_new_name(entry->name, user,
				     GFP_ATOMIC | __GFP_NOWARN);
	return event ?: kdbus_event_new_name(entry->name, user,
					     GFP_KERNEL | __GFP_NOFAIL);
}

/**
 * kdbus_name_release() - the owner lets go of a name
 * @bus:	Where
 * @entry:	The name; it may cease to exist
 *
 * Documentation/kdbus.txt, section 6.4.
 *
 * Context: May sleep; ``bus->lock`` is held.
 */
void kdbus_name_release(struct kdbus_bus *bus, struct kdbus_name_entry *entry)
{
	struct kdbus_name_waiter *waiter;
	struct kdbus_event *event;
	struct kdbus_conn *next;
	u64 flags;

	lockdep_assert_held(&bus->lock);

	event = name_release_event(entry);

	waiter = name_next_waiter(entry);
	if (waiter) {
		flags = waiter->flags;
		next = waiter->conn;
		kdbus_name_stop_waiting(waiter);
		kdbus_name_transfer(entry, next, flags, event);
		return;
	}

	if (!name_give_back(entry, event))
		name_destroy(bus, entry, event);
}
