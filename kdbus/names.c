// SPDX-License-Identifier: GPL-2.0
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "bus.h"
#include "conn.h"
#include "memcg.h"
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
 * kdbus_name_free() - free a name
 * @kref:	Its references, none left
 *
 * Context: Any.
 */
void kdbus_name_free(struct kref *kref)
{
	kfree_rcu(container_of(kref, struct kdbus_name_entry, kref), rcu);
}

/**
 * kdbus_name_find() - look up a name
 * @reg:	The registry
 * @name:	The name
 *
 * Return: The name, with a reference, or NULL.
 */
struct kdbus_name_entry *kdbus_name_find(struct kdbus_name_registry *reg,
					 const char *name)
{
	struct kdbus_name_entry *entry;

	rcu_read_lock();
	entry = rhashtable_lookup(&reg->table, name, name_params);
	if (entry && !kref_get_unless_zero(&entry->kref))
		entry = NULL;
	rcu_read_unlock();

	return entry;
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
 * @reg:	The registry
 * @entry:	The name, new; the registry takes the caller's reference
 * @owner:	Its owner: a name that can be found has one
 *
 * Context: May sleep; ``bus->lock`` is held.
 *
 * Return: 0 or a negative errno, and then the reference stays the caller's.
 */
int kdbus_name_insert(struct kdbus_name_registry *reg,
		      struct kdbus_name_entry *entry, struct kdbus_conn *owner)
{
	lockdep_assert_held(&owner->bus->lock);

	entry->id = ++reg->ids;
	entry->owner = owner;
	return rhashtable_insert_fast(&reg->table, &entry->node,
				      name_params);
}

/**
 * kdbus_name_remove() - a name is not found any more
 * @reg:	The registry
 * @entry:	The name; the caller gets the reference of the registry
 *
 * Context: Any; ``bus->lock`` is held.
 */
void kdbus_name_remove(struct kdbus_name_registry *reg,
		       struct kdbus_name_entry *entry)
{
	lockdep_assert_held(&container_of(reg, struct kdbus_bus, names)->lock);

	rhashtable_remove_fast(&reg->table, &entry->node, name_params);
}

/**
 * kdbus_name_lookup() - look up a name where nothing changes
 * @reg:	The registry
 * @name:	The name
 *
 * Context: Any; ``bus->lock`` is held, and keeps the name.
 *
 * Return: The name, or NULL.
 */
struct kdbus_name_entry *kdbus_name_lookup(struct kdbus_name_registry *reg,
					   const char *name)
{
	lockdep_assert_held(&container_of(reg, struct kdbus_bus, names)->lock);

	return rhashtable_lookup_fast(&reg->table, name, name_params);
}

static size_t name_set_payload(const struct kdbus_name_entry *entry)
{
	return sizeof(struct kdbus_name) + strlen(entry->name) + 1;
}

static void name_set_add_item(struct kdbus_name_set *set,
			      const struct kdbus_name_entry *entry)
{
	struct kdbus_item *item = (void *)set->items + set->size;
	size_t size = name_set_payload(entry);

	item->size = KDBUS_ITEM_SIZE(size);
	item->type = KDBUS_ITEM_NAME;
	item->name.flags = entry->flags;
	strcpy(item->name.name, entry->name);
	set->size += KDBUS_ITEM_PADDED(size);
}

/*
 * A connection cannot refuse to lose a name, and the new owner has it already, so
 * this cannot fail. Others wait for bus->lock: only if the machine has no
 * memory at all does the caller wait for some.
 */
static struct kdbus_name_set *name_set_alloc(size_t size)
{
	struct kdbus_name_set *set;

	size += sizeof(*set);
	set = kdbus_memcg_alloc_now(size);
	if (!set)
		set = kvzalloc(size, GFP_KERNEL | __GFP_NOFAIL);
	kref_init(&set->kref);
	return set;
}

static struct kdbus_name_set *name_set_new(const struct kdbus_conn_names *names)
{
	const struct kdbus_name_entry *entry;
	struct kdbus_name_set *set;
	size_t size = 0;

	if (names->leaving)
		return NULL;
	list_for_each_entry(entry, &names->owned, owned)
		size += KDBUS_ITEM_PADDED(name_set_payload(entry));
	if (!size)
		return NULL;

	set = name_set_alloc(size);
	list_for_each_entry(entry, &names->owned, owned)
		name_set_add_item(set, entry);
	return set;
}

/**
 * kdbus_name_set_replace() - show what is owned now
 * @names:	A connection's part in the registry, changed
 *
 * Context: May sleep; ``bus->lock`` is held.
 */
void kdbus_name_set_replace(struct kdbus_conn_names *names)
{
	struct kdbus_conn *conn = container_of(names, struct kdbus_conn, names);
	struct kdbus_name_set *old;

	old = rcu_replace_pointer(names->set, name_set_new(names),
				  lockdep_is_held(&conn->bus->lock));
	kdbus_name_set_put(old);
}

/**
 * kdbus_name_set_get() - keep the names that are owned now
 * @names:	A connection's part in the registry
 *
 * Context: Any.
 *
 * Return: The set, with a reference, or NULL if there are none.
 */
struct kdbus_name_set *kdbus_name_set_get(const struct kdbus_conn_names *names)
{
	struct kdbus_name_set *set;

	rcu_read_lock();
	do {
		set = rcu_dereference(names->set);
	} while (set && !kref_get_unless_zero(&set->kref));
	rcu_read_unlock();

	return set;
}

/**
 * kdbus_name_set_release() - free a set
 * @kref:	Its references, none left
 *
 * Context: Any.
 */
void kdbus_name_set_release(struct kref *kref)
{
	struct kdbus_name_set *set;

	set = container_of(kref, struct kdbus_name_set, kref);
	kvfree_rcu(set, rcu);
}
