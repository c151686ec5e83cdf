/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_NAMES_H
#define __KDBUS_NAMES_H

/**
 * DOC: Well-known names
 *
 * Each bus has a registry of names. A name exists as long as somebody owns it;
 * it has exactly one owner, connections that wait for it in order, and possibly
 * an activator, which owns it whenever nobody else does.
 *
 * A sender looks the owner up without a lock, writes its message, and queues it
 * only if the owner is still the owner; else it begins again. To make that
 * exact, the owner changes only under the lock of the owner's queue. While
 * messages are on the move there is no owner, and senders wait.
 *
 * A name keeps nobody: whoever owns it, waits for it or activates it leaves it
 * when disconnecting, before its memory goes.
 *
 * Locks: the mutex of the bus guards everything. Look-ups are under RCU; what
 * they find is kept by a reference.
 */

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/rhashtable-types.h>
#include <linux/types.h>

struct kdbus_bus;
struct kdbus_conn;
struct kdbus_name_set;

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
 * @node:	Place in the table
 * @id:		Number of this registration, constant
 * @owner:	Who owns it, NULL while it changes hands
 * @flags:	KDBUS_NAME_* flags it is owned with
 * @owned:	Place among the names of @owner
 * @waiters:	Who waits for it, in order
 * @activator:	Its activator, or NULL
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
	char name[];
};

/**
 * struct kdbus_name_waiter - somebody waits for a name
 * @entry:	For which
 * @conn:	Who
 * @flags:	KDBUS_NAME_* flags of the request
 * @queue:	Place among those who wait for the name
 * @waits:	Place among what the connection waits for
 */
struct kdbus_name_waiter {
	struct kdbus_name_entry *entry;
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
 * @set:	The names it owns, for everybody to look at, NULL for none
 *
 * Guarded by the mutex of the bus.
 */
struct kdbus_conn_names {
	struct list_head owned;
	struct list_head waits;
	unsigned int count;
	unsigned int waiting;
	struct kdbus_name_entry *activates;
	bool leaving;
	struct kdbus_name_set __rcu *set;
};

int kdbus_names_init(struct kdbus_name_registry *reg);
void kdbus_names_exit(struct kdbus_name_registry *reg);
void kdbus_conn_names_init(struct kdbus_conn_names *names);

struct kdbus_name_entry *kdbus_name_find(struct kdbus_bus *bus,
					 const char *name);
struct kdbus_conn *kdbus_name_owner(struct kdbus_bus *bus,
				    const struct kdbus_name_entry *entry);
void kdbus_name_put(struct kdbus_name_entry *entry);

struct kdbus_name_entry *kdbus_name_new(const char *name);
int kdbus_name_insert(struct kdbus_bus *bus, struct kdbus_name_entry *entry,
		      struct kdbus_conn *owner);
void kdbus_name_remove(struct kdbus_bus *bus, struct kdbus_name_entry *entry);
struct kdbus_name_entry *kdbus_name_lookup(struct kdbus_bus *bus,
					   const char *name);

#endif
