/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_NAME_SET_H
#define __KDBUS_NAME_SET_H

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
 * Locks: the mutex of the bus is held when a set is replaced. Whoever looks at
 * one does so under RCU, or with a reference.
 */

#include <linux/kref.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#include "item.h"

struct kdbus_conn_names;

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
void kdbus_name_set_put(struct kdbus_name_set *set);

#endif
