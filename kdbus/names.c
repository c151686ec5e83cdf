// SPDX-License-Identifier: GPL-2.0
#include <linux/rhashtable.h>
#include <linux/slab.h>

#include "bus.h"
#include "conn.h"
#include "names.h"

static u32 name_hash(const void *data, u32 len, u32 seed)
{
	const char *name = data;

	return jhash(name, strlen(name), seed);
}

static u32 name_obj_hash(const void *data, u32 len, u32 seed)
{
	const struct kdbus_name_entry *entry = data;

	return name_hash(entry->name, len, seed);
}

static int name_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct kdbus_name_entry *entry = obj;

	return strcmp(arg->key, entry->name);
}

static const struct rhashtable_params name_params = {
	.head_offset		= offsetof(struct kdbus_name_entry, node),
	.hashfn			= name_hash,
	.obj_hashfn		= name_obj_hash,
	.obj_cmpfn		= name_cmp,
	.automatic_shrinking	= true,
};

/**
 * kdbus_names_init() - initialise the registry of a bus
 * @reg:	The registry
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_names_init(struct kdbus_name_registry *reg)
{
	return rhashtable_init(&reg->table, &name_params);
}

/**
 * kdbus_names_exit() - get rid of a registry
 * @reg:	The registry, without names
 *
 * Context: May sleep.
 */
void kdbus_names_exit(struct kdbus_name_registry *reg)
{
	rhashtable_destroy(&reg->table);
}

/**
 * kdbus_conn_names_init() - no names yet
 * @names:	A connection's part in the registry
 */
void kdbus_conn_names_init(struct kdbus_conn_names *names)
{
	INIT_LIST_HEAD(&names->owned);
	INIT_LIST_HEAD(&names->waits);
}

static void entry_release(struct kref *kref)
{
	kfree_rcu(container_of(kref, struct kdbus_name_entry, kref), rcu);
}

/**
 * kdbus_name_put() - drop a reference to a name
 * @entry:	The name, or NULL
 */
void kdbus_name_put(struct kdbus_name_entry *entry)
{
	if (entry)
		kref_put(&entry->kref, entry_release);
}

/**
 * kdbus_name_find() - look up a name
 * @bus:	Where
 * @name:	The name
 *
 * Return: The name, with a reference, or NULL.
 */
struct kdbus_name_entry *kdbus_name_find(struct kdbus_bus *bus,
					 const char *name)
{
	struct kdbus_name_entry *entry;

	rcu_read_lock();
	entry = rhashtable_lookup(&bus->names.table, name, name_params);
	if (entry && !kref_get_unless_zero(&entry->kref))
		entry = NULL;
	rcu_read_unlock();

	return entry;
}

/**
 * kdbus_name_owner() - who owns a name
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

	if (!owner) {
		mutex_lock(&bus->lock);
		mutex_unlock(&bus->lock);
	}

	return owner;
}

/**
 * kdbus_name_new() - make a name that is in no registry yet
 * @name:	The name
 *
 * Context: May sleep.
 *
 * Return: The name, with a reference, or NULL.
 */
struct kdbus_name_entry *kdbus_name_new(const char *name)
{
	size_t len = strlen(name) + 1;
	struct kdbus_name_entry *entry;

	entry = kzalloc(sizeof(*entry) + len, GFP_KERNEL_ACCOUNT);
	if (!entry)
		return NULL;

	kref_init(&entry->kref);
	INIT_LIST_HEAD(&entry->owned);
	INIT_LIST_HEAD(&entry->waiters);
	memcpy(entry->name, name, len);
	return entry;
}

/**
 * kdbus_name_insert() - register a name
 * @bus:	Where
 * @entry:	The name, new; the registry takes the caller's reference
 * @owner:	Who owns it: a name that can be found has an owner
 *
 * Context: May sleep; the mutex of the bus is held.
 *
 * Return: 0 or a negative errno, and then the reference stays the caller's.
 */
int kdbus_name_insert(struct kdbus_bus *bus, struct kdbus_name_entry *entry,
		      struct kdbus_conn *owner)
{
	lockdep_assert_held(&bus->lock);

	entry->id = ++bus->names.ids;
	entry->owner = owner;
	return rhashtable_insert_fast(&bus->names.table, &entry->node,
				      name_params);
}

/**
 * kdbus_name_remove() - a name is not found any more
 * @bus:	Where
 * @entry:	The name; the caller gets the reference of the registry
 *
 * Context: Any; the mutex of the bus is held.
 */
void kdbus_name_remove(struct kdbus_bus *bus, struct kdbus_name_entry *entry)
{
	lockdep_assert_held(&bus->lock);

	rhashtable_remove_fast(&bus->names.table, &entry->node, name_params);
}

/**
 * kdbus_name_lookup() - look up a name where nothing changes
 * @bus:	Where
 * @name:	The name
 *
 * Context: Any; the mutex of the bus is held, and keeps the name.
 *
 * Return: The name, or NULL.
 */
struct kdbus_name_entry *kdbus_name_lookup(struct kdbus_bus *bus,
					   const char *name)
{
	lockdep_assert_held(&bus->lock);

	return rhashtable_lookup_fast(&bus->names.table, name, name_params);
}
