/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_ORDER_H
#define __KDBUS_ORDER_H

/**
 * DOC: Order of messages in a queue
 *
 * There are two orders on the same entries: the order of arrival, and by
 * priority, smaller numbers first, arrival deciding among equals. Nearly all
 * messages have priority 0; these are a list, and only the others are sorted.
 *
 * Messages are numbered when they are queued, and every receiver sees numbers
 * rise. A message that goes to several queues gets one number, so it is put
 * into each of them *staged* first, is numbered when it is everywhere, and is
 * then committed. Whoever wants to receive what is behind a staged message waits
 * until that is committed: its number may be lower. What was queued behind it
 * meanwhile and has a lower number is let past. Where metadata tells the number,
 * it is written when it is given.
 *
 * Locks: none. The queue guards it.
 */

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/types.h>

struct kdbus_queue_entry;

/**
 * struct kdbus_order - messages in order
 * @fifo:	Entries in order of arrival
 * @normal:	Those with priority 0, in order of arrival
 * @sorted:	The others, by priority, then arrival
 * @staged:	The one of them that is staged, or NULL
 * @readable:	There are others
 */
struct kdbus_order {
	struct list_head fifo;
	struct list_head normal;
	struct rb_root_cached sorted;
	struct kdbus_queue_entry *staged;
	bool readable;
};

/**
 * struct kdbus_queue_pick - which message is wanted
 * @by_priority:	The most urgent one, not the oldest
 * @priority:		How urgent it has to be at least
 */
struct kdbus_queue_pick {
	bool by_priority;
	s64 priority;
};

void kdbus_order_init(struct kdbus_order *order);
void kdbus_order_append(struct kdbus_order *order,
			struct kdbus_queue_entry *entry, u64 seq);
void kdbus_order_stage(struct kdbus_order *order,
		       struct kdbus_queue_entry *entry);
void kdbus_order_commit(struct kdbus_order *order,
			struct kdbus_queue_entry *entry, u64 seq);
void kdbus_order_insert(struct kdbus_order *order,
			struct kdbus_queue_entry *entry);
void kdbus_order_del(struct kdbus_order *order,
		     struct kdbus_queue_entry *entry);
struct kdbus_queue_entry *kdbus_order_pick(struct kdbus_order *order,
					   const struct kdbus_queue_pick *pick);

#endif
