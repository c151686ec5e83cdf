/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_NAMES_H
#define __KDBUS_NAMES_H

/**
 * DOC: Well-known names
 *
 * Each bus has a registry of names. A name exists as long as it has an owner;
 * it has exactly one owner, connections that wait for it in order, and possibly
 * an activator, which owns it whenever no other connection does.
 *
 * A sender looks the owner up without a lock, writes its message, and queues it
 * only if the owner is still the owner; else it begins again. To make that
 * exact, the owner changes only under ``queue->lock`` of the owner. While
 * messages are on the move there is no owner, and senders wait; they also wait
 * for an owner that is disconnecting to let go of its names, so that none of
 * them fails as long as there is a next owner.
 *
 * Owners that change all the time could keep a sender for ever. One that has
 * begun several times holds ``bus->owners``, which all commands need to change
 * an owner: then only owners that disconnect can make it begin again, and no
 * more than there are connections that wait for the name. It has read its
 * payload and metadata before, so that commands do not wait for user space.
 *
 * A name holds no references: a connection that owns it, waits for it or
 * activates it leaves it when disconnecting, before its memory goes.
 *
 * Locks: ``bus->lock`` guards everything, and nests inside ``bus->owners``. Look-ups
 * are under RCU; what they find is kept by a reference.
 */

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/rhashtable-types.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "item.h"

struct kdbus_bus;
struct kdbus_cmd;
struct kdbus_conn;
struct kdbus_conn_names;
struct kdbus_event;
struct kdbus_name_entry;
struct kdbus_name_set;
struct kdbus_name_waiter;
struct kdbus_refused;
struct work_struct;

/**
 * struct kdbus_name_registry - names of a bus
 * @table:	By name
 * @ids:	Last id given to a registration
 */
struct kdbus_name_registry {
	struct rhashtable table;
	u64 ids;
};

/**
 * struct kdbus_name_entry - a name
 * @kref:	References
 * @rcu:	To free it
 * @node:	Link in the table
 * @id:		Number of this registration, constant
 * @owner:	Its owner, NULL while it changes hands
 * @flags:	KDBUS_NAME_* flags it is owned with
 * @owned:	Link in the names of @owner
 * @waiters:	Connections that wait for it, in order
 * @activator:	Its activator, or NULL
 * @behind:	Messages to it wait there, though another connection is @owner
 * @name:	The name, constant
 */
struct kdbus_name_entry {
	struct kref kref;
	struct rcu_head rcu;
	struct rhash_head node;
	u64 id;
	struct kdbus_conn *owner;
	u64 flags;
	struct list_head owned;
	struct list_head waiters;
	struct kdbus_conn *activator;
	bool behind;
	char name[];
};

/**
 * struct kdbus_name_waiter - a connection waits for a name
 * @name:	For which
 * @conn:	The connection
 * @flags:	KDBUS_NAME_* flags of the request
 * @queue:	Link in the waiters of the name
 * @waits:	Link in what the connection waits for
 */
struct kdbus_name_waiter {
	struct kdbus_name_entry *name;
	struct kdbus_conn *conn;
	u64 flags;
	struct list_head queue;
	struct list_head waits;
};

/**
 * struct kdbus_conn_names - a connection's part in the registry
 * @owned:	Names it owns, in order of acquisition
 * @waits:	Names it waits for
 * @count:	How many it owns
 * @waiting:	How many it waits for
 * @activates:	The name it is activator of, or NULL
 * @leaving:	It is about to own none any more, and shows none
 * @set:	The names it owns, to be looked at without a lock, NULL for none
 * @follow:	Moves what waits at activators, see handover.c
 * @more:	The same, at once; constant
 *
 * Guarded by ``bus->lock``.
 */
struct kdbus_conn_names {
	struct list_head owned;
	struct list_head waits;
	unsigned int count;
	unsigned int waiting;
	struct kdbus_name_entry *activates;
	bool leaving;
	struct kdbus_name_set __rcu *set;
	struct delayed_work follow;
	void (*more)(struct kdbus_conn *conn);
};

int kdbus_names_init(struct kdbus_name_registry *reg);
void kdbus_names_exit(struct kdbus_name_registry *reg);

struct kdbus_name_entry *kdbus_name_find(struct kdbus_name_registry *reg,
					 const char *name);
void kdbus_name_free(struct kref *kref);

/**
 * kdbus_name_get() - take a reference
 * @entry:	The name, or NULL
 *
 * Return: @entry.
 */
static inline struct kdbus_name_entry *kdbus_name_get(struct kdbus_name_entry *entry)
{
	if (entry)
		kref_get(&entry->kref);
	return entry;
}

/**
 * kdbus_name_put() - drop a reference
 * @entry:	The name, or NULL
 *
 * Context: Any.
 */
static inline void kdbus_name_put(struct kdbus_name_entry *entry)
{
	if (entry)
		kref_put(&entry->kref, kdbus_name_free);
}

struct kdbus_name_entry *kdbus_name_new(const char *name);
int kdbus_name_insert(struct kdbus_name_registry *reg,
		      struct kdbus_name_entry *entry, struct kdbus_conn *owner);
void kdbus_name_remove(struct kdbus_name_registry *reg,
		       struct kdbus_name_entry *entry);
struct kdbus_name_entry *kdbus_name_lookup(struct kdbus_name_registry *reg,
					   const char *name);

/**
 * DOC: Sets of names
 *
 * Which names a connection owns matters to every message from it and to it:
 * they are metadata, and policy is about them. So that neither has to lock the
 * registry, the names are kept a second time, as a set that never changes. When
 * a name comes or goes, a new set takes the place of the old one.
 *
 * A set is a list of items, as they appear in messages.
 *
 * Locks: ``bus->lock`` is held when a set is replaced. A set is looked at under
 * RCU, or with a reference.
 */

/**
 * struct kdbus_name_set - names a connection owns at some moment
 * @kref:	References
 * @rcu:	To free it
 * @size:	Bytes in @items
 * @items:	A KDBUS_ITEM_NAME with a &struct kdbus_name for each, in the
 *		order in which they were acquired, all padding being zero
 */
struct kdbus_name_set {
	struct kref kref;
	struct rcu_head rcu;
	size_t size;
	u64 items[];
};

/* walk the items of a set, which may be NULL */
#define kdbus_name_set_foreach(_i, _set)				\
	kdbus_items_foreach(_i, (_set) ? (const struct kdbus_item *)	\
				(_set)->items : NULL,			\
			    (_set) ? (_set)->size : 0)

void kdbus_name_set_replace(struct kdbus_conn_names *names);
struct kdbus_name_set *kdbus_name_set_get(const struct kdbus_conn_names *names);
void kdbus_name_set_release(struct kref *kref);

/**
 * kdbus_name_set_put() - drop a reference
 * @set:	The set, or NULL
 *
 * Context: Any.
 */
static inline void kdbus_name_set_put(struct kdbus_name_set *set)
{
	if (set)
		kref_put(&set->kref, kdbus_name_set_release);
}

/**
 * DOC: Owners of names, and the next owner
 *
 * When an owner lets go of a name, by releasing it or by disconnecting, the
 * first waiter gets it; else the activator, together with the messages that
 * were sent to this name and not received yet; else the name ceases to exist.
 * When a connection acquires a name from its activator, the messages that have
 * waited there move along, or follow when there is room.
 *
 * What is passed to a function here, an event or a waiter, was allocated
 * before anything happened: a change is not refused halfway. Only a connection
 * that acquires a name can be refused, because there is no memory.
 *
 * Locks: called with ``bus->lock``. The owner changes under ``queue->lock`` of the
 * old one.
 */

struct kdbus_conn *kdbus_name_owner(struct kdbus_bus *bus,
				    const struct kdbus_name_entry *entry);

int kdbus_name_create(struct kdbus_name_entry *entry, struct kdbus_conn *conn,
		      u64 flags, struct kdbus_event *event);
void kdbus_name_transfer(struct kdbus_name_entry *entry, struct kdbus_conn *to,
			 u64 flags, struct kdbus_event *event);
int kdbus_name_take(struct kdbus_name_entry *entry, struct kdbus_conn *to,
		    u64 flags, struct kdbus_event *event,
		    struct kdbus_refused *refused);
void kdbus_name_release(struct kdbus_bus *bus, struct kdbus_name_entry *entry);

struct kdbus_name_waiter *
kdbus_name_find_waiter(struct kdbus_name_entry *entry,
		       const struct kdbus_conn *conn);
void kdbus_name_wait(struct kdbus_name_waiter *waiter,
		     struct kdbus_name_entry *entry, struct kdbus_conn *conn,
		     u64 flags);
void kdbus_name_stop_waiting(struct kdbus_name_waiter *waiter);

/**
 * DOC: Asking for names
 *
 * What a connection does about names: it acquires and releases them when it is
 * told to, activates one for all its life, and drops them all when it ends.
 * Here is decided whether it may, and what that means for a name as it is; how
 * a name changes hands is elsewhere (name-owner.c).
 *
 * All that an acquisition may need is allocated first. Then one look under
 * ``bus->lock`` decides.
 *
 * Locks: takes ``bus->lock``; only kdbus_names_drop() is called with it.
 */

int kdbus_name_cmd_acquire(struct kdbus_conn *conn, struct kdbus_cmd *cmd);
int kdbus_name_cmd_release(struct kdbus_conn *conn, struct kdbus_cmd *cmd);
int kdbus_name_activate(struct kdbus_conn *conn, const char *name);
void kdbus_names_drop(struct kdbus_conn *conn);

/**
 * DOC: Lists of names
 *
 * A list of the connections of a bus and the names they own, activate, or wait
 * for, written into the pool of the caller. It is a snapshot: nothing changes
 * hands while it is made.
 *
 * Locks: takes ``bus->lock``.
 */

int kdbus_name_cmd_list(struct kdbus_conn *conn, struct kdbus_cmd *cmd);

/**
 * DOC: Hand-over
 *
 * When a name goes from its activator to a service, or back, messages that wait
 * go along: they are copied from one pool to the other, in order, and nothing
 * of them is lost, seen twice, or left behind, whatever else happens meanwhile.
 *
 * The name changes hands whether they fit into the new pool or not. While they
 * are on the way it has no owner, and senders to it wait.
 *
 * What does not fit when a service takes its name waits at the activator, and
 * follows when the service has room: whenever memory of its pool is given back,
 * by itself or by a sender that gives up, kdbus_handover_more() moves what fits
 * then. Messages of one sender never get ahead of each other: as long as one
 * waits, so do the others, and the queue of the service takes no message to a
 * name from this sender, as if it was full. What others send is let past, so
 * that no sender waits for a message of another one that needs a lot of room.
 * What is larger than the pool would never fit and is thrown away; so may the
 * manager of the activator do with any, see kdbus_handover_dropped(). If there
 * is no memory for a message, it is tried again a little later.
 *
 * What does not fit when a name goes back to its activator stays with the service,
 * which can still receive it; if the service disconnects, it is thrown away.
 *
 * The receiver that gets a message in the end is judged as if it had been sent
 * there: it gets no metadata of a sender in other namespaces, and no descriptors
 * unless it accepts them. A message with descriptors that the new owner does not
 * accept is thrown away.
 *
 * Locks: called with ``bus->lock``; takes ``bus->broadcast`` inside, and
 * ``queue->lock`` of both queues, one after the other.
 */

/**
 * struct kdbus_refused - messages that the new owner may not have
 * @conn:	Where they waited, with a reference, NULL if there are none
 * @entries:	The messages, in no queue any more
 */
struct kdbus_refused {
	struct kdbus_conn *conn;
	struct list_head entries;
};

void kdbus_refused_init(struct kdbus_refused *refused);
void kdbus_refused_discard(struct kdbus_refused *refused);
int kdbus_handover_take(struct kdbus_name_entry *entry, struct kdbus_conn *to,
			struct kdbus_refused *refused);
int kdbus_handover_back(struct kdbus_name_entry *entry);
void kdbus_handover_follow(struct kdbus_name_entry *entry,
			   struct kdbus_conn *from, struct kdbus_conn *to);
bool kdbus_handover_keeps(const struct kdbus_conn *conn, u64 src_id);
void kdbus_handover_more(struct kdbus_conn *conn);
void kdbus_handover_dropped(struct kdbus_conn *activator);
void kdbus_handover_work(struct work_struct *work);

#endif
