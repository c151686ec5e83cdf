// SPDX-License-Identifier: GPL-2.0
#include <linux/slab.h>

#include "bus.h"
#include "conn.h"
#include "handover.h"
#include "name-owner.h"
#include "name-set.h"
#include "names.h"
#include "notify.h"

static void give(struct kdbus_name_entry *entry, struct kdbus_conn *owner,
		 u64 flags)
{
	entry->flags = flags;
	list_add_tail(&entry->owned, &owner->names.owned);
	owner->names.count++;
	kdbus_name_set_replace(&owner->names);
}

static void take_away(struct kdbus_name_entry *entry, struct kdbus_conn *owner)
{
	list_del_init(&entry->owned);
	owner->names.count--;
	kdbus_name_set_replace(&owner->names);
}

/* senders hold on to an owner only under the lock of its queue */
static void set_owner(struct kdbus_name_entry *entry, struct kdbus_conn *owner)
{
	struct kdbus_queue *queue = &entry->owner->queue;

	spin_lock(&queue->lock);
	WRITE_ONCE(entry->owner, owner);
	spin_unlock(&queue->lock);
}

/**
 * kdbus_name_create() - somebody owns a name that nobody has owned
 * @entry:	The name, new; the registry takes the caller's reference
 * @conn:	Who owns it
 * @flags:	KDBUS_NAME_* flags it is owned with
 * @event:	To be filled and noted
 *
 * Context: May sleep; the mutex of the bus is held.
 *
 * Return: 0 or a negative errno; then @entry and @event stay the caller's.
 */
int kdbus_name_create(struct kdbus_name_entry *entry, struct kdbus_conn *conn,
		      u64 flags, struct kdbus_event *event)
{
	int r;

	r = kdbus_name_insert(conn->bus, entry, conn);
	if (r < 0)
		return r;

	give(entry, conn, flags);
	kdbus_event_set_name(event, 0, 0, conn->id, flags);
	kdbus_notify(conn->bus, event);
	return 0;
}

/**
 * kdbus_name_pass_on() - the owner changes, messages stay where they are
 * @entry:	The name
 * @to:		Who owns it from now on
 * @flags:	KDBUS_NAME_* flags it is owned with
 * @event:	To be filled and noted
 *
 * Context: May sleep; the mutex of the bus is held.
 */
void kdbus_name_pass_on(struct kdbus_name_entry *entry, struct kdbus_conn *to,
			u64 flags, struct kdbus_event *event)
{
	struct kdbus_conn *from = entry->owner;

	kdbus_event_set_name(event, from->id, entry->flags, to->id, flags);
	kdbus_notify(from->bus, event);

	take_away(entry, from);
	set_owner(entry, to);
	give(entry, to, flags);
}

/**
 * kdbus_name_hand_over() - the owner changes, and messages move along
 * @entry:	The name
 * @to:		Who owns it from now on
 * @flags:	KDBUS_NAME_* flags it is owned with
 * @event:	To be filled and noted
 * @name_id:	Which messages, see kdbus_handover()
 *
 * Context: May sleep; the mutex of the bus is held.
 *
 * Return: 0 or a negative errno; then nothing has happened, and @event stays
 * the caller's.
 */
int kdbus_name_hand_over(struct kdbus_name_entry *entry, struct kdbus_conn *to,
			 u64 flags, struct kdbus_event *event, u64 name_id)
{
	struct kdbus_conn *from = entry->owner;
	int r;

	r = kdbus_handover(entry, to, name_id);
	if (r < 0)
		return r;

	kdbus_event_set_name(event, from->id, entry->flags, to->id, flags);
	kdbus_notify(from->bus, event);

	take_away(entry, from);
	give(entry, to, flags);
	return 0;
}

/**
 * kdbus_name_stop_waiting() - take a waiter out of the queue
 * @waiter:	The waiter, to be freed
 *
 * Context: Any; the mutex of the bus is held.
 */
void kdbus_name_stop_waiting(struct kdbus_name_waiter *waiter)
{
	list_del(&waiter->queue);
	list_del(&waiter->waits);
	waiter->conn->names.waiting--;
	kfree(waiter);
}

/**
 * kdbus_name_find_waiter() - does somebody wait for a name?
 * @entry:	The name
 * @conn:	Who may wait
 *
 * Context: Any; the mutex of the bus is held.
 *
 * Return: The waiter, or NULL.
 */
struct kdbus_name_waiter *
kdbus_name_find_waiter(struct kdbus_name_entry *entry,
		       const struct kdbus_conn *conn)
{
	struct kdbus_name_waiter *waiter;

	list_for_each_entry(waiter, &entry->waiters, queue)
		if (waiter->conn == conn)
			return waiter;

	return NULL;
}

static struct kdbus_name_waiter *next_waiter(struct kdbus_name_entry *entry)
{
	struct kdbus_name_waiter *waiter;

	/* who is dead but has not left yet is passed over */
	list_for_each_entry(waiter, &entry->waiters, queue)
		if (kdbus_conn_is_alive(waiter->conn))
			return waiter;

	return NULL;
}

/**
 * kdbus_name_wait() - let somebody wait for a name
 * @waiter:	Allocated by the caller, who gives it away
 * @entry:	The name
 * @conn:	Who does not wait for it yet
 * @flags:	KDBUS_NAME_* flags of the request
 *
 * Context: Any; the mutex of the bus is held.
 */
void kdbus_name_wait(struct kdbus_name_waiter *waiter,
		     struct kdbus_name_entry *entry, struct kdbus_conn *conn,
		     u64 flags)
{
	waiter->entry = entry;
	waiter->conn = conn;
	waiter->flags = flags;
	list_add_tail(&waiter->queue, &entry->waiters);
	list_add_tail(&waiter->waits, &conn->names.waits);
	conn->names.waiting++;
}

static void destroy(struct kdbus_bus *bus, struct kdbus_name_entry *entry,
		    struct kdbus_event *event)
{
	struct kdbus_conn *owner = entry->owner;
	struct kdbus_name_waiter *waiter, *tmp;

	kdbus_event_set_name(event, owner->id, entry->flags, 0, 0);
	kdbus_notify(bus, event);

	take_away(entry, owner);
	kdbus_name_remove(bus, entry);
	set_owner(entry, NULL);
	if (entry->activator)
		entry->activator->names.activates = NULL;
	list_for_each_entry_safe(waiter, tmp, &entry->waiters, queue)
		kdbus_name_stop_waiting(waiter);
	kdbus_name_put(entry);
}

/**
 * kdbus_name_let_go() - the owner lets go of a name
 * @bus:	Where
 * @entry:	The name; it may cease to exist
 *
 * Documentation/kdbus.txt, section 6.4.
 *
 * Context: May sleep; the mutex of the bus is held.
 */
void kdbus_name_let_go(struct kdbus_bus *bus, struct kdbus_name_entry *entry)
{
	struct kdbus_conn *activator = entry->activator;
	struct kdbus_name_waiter *waiter;
	struct kdbus_event *event;
	u64 flags;

	lockdep_assert_held(&bus->lock);

	/* there is no way to refuse this */
	event = kdbus_event_new_name(entry->name, GFP_KERNEL | __GFP_NOFAIL);

	waiter = next_waiter(entry);
	if (waiter) {
		flags = waiter->flags;
		activator = waiter->conn;
		kdbus_name_stop_waiting(waiter);
		kdbus_name_pass_on(entry, activator, flags, event);
		return;
	}

	if (activator && activator != entry->owner &&
	    kdbus_name_hand_over(entry, activator, KDBUS_NAME_ACTIVATOR, event,
				 entry->id) == 0)
		return;

	destroy(bus, entry, event);
}
