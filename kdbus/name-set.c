// SPDX-License-Identifier: GPL-2.0
#include <linux/slab.h>
#include <linux/string.h>

#include "name-set.h"
#include "names.h"

static size_t payload_size(const struct kdbus_name_entry *entry)
{
	return sizeof(struct kdbus_name) + strlen(entry->name) + 1;
}

static void add_item(struct kdbus_name_set *set,
		     const struct kdbus_name_entry *entry)
{
	struct kdbus_item *item = (void *)set->items + set->size;
	size_t size = payload_size(entry);

	item->size = KDBUS_ITEM_SIZE(size);
	item->type = KDBUS_ITEM_NAME;
	item->name.flags = entry->flags;
	strcpy(item->name.name, entry->name);
	set->size += KDBUS_ITEM_PADDED(size);
}

static struct kdbus_name_set *set_new(const struct kdbus_conn_names *names)
{
	const struct kdbus_name_entry *entry;
	struct kdbus_name_set *set;
	size_t size = 0;

	if (names->leaving)
		return NULL;
	list_for_each_entry(entry, &names->owned, owned)
		size += KDBUS_ITEM_PADDED(payload_size(entry));
	if (!size)
		return NULL;

	/* who loses a name is not asked, and who gets one has it already */
	set = kvzalloc(sizeof(*set) + size, GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	kref_init(&set->kref);
	list_for_each_entry(entry, &names->owned, owned)
		add_item(set, entry);
	return set;
}

/**
 * kdbus_name_set_replace() - show what is owned now
 * @names:	A connection's part in the registry, changed
 *
 * Context: May sleep; the mutex of the bus is held.
 */
void kdbus_name_set_replace(struct kdbus_conn_names *names)
{
	struct kdbus_name_set *old;

	old = rcu_replace_pointer(names->set, set_new(names), true);
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

static void set_release(struct kref *kref)
{
	struct kdbus_name_set *set;

	set = container_of(kref, struct kdbus_name_set, kref);
	kvfree_rcu(set, rcu);
}

/**
 * kdbus_name_set_put() - drop a reference
 * @set:	The set, or NULL
 *
 * Context: Any.
 */
void kdbus_name_set_put(struct kdbus_name_set *set)
{
	if (set)
		kref_put(&set->kref, set_release);
}
