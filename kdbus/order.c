// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>

#include "entry.h"
#include "order.h"
#include "pool.h"

/**
 * kdbus_order_init() - no messages
 * @order:	To be initialised
 */
void kdbus_order_init(struct kdbus_order *order)
{
	INIT_LIST_HEAD(&order->fifo);
	INIT_LIST_HEAD(&order->normal);
	order->sorted = RB_ROOT_CACHED;
	order->staged = NULL;
	order->readable = false;
}

static bool before(const struct kdbus_queue_entry *a,
		   const struct kdbus_queue_entry *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	return a->seq < b->seq;
}

static void link_sorted(struct kdbus_order *order,
			struct kdbus_queue_entry *entry)
{
	struct rb_node **link = &order->sorted.rb_root.rb_node, *parent = NULL;
	bool leftmost = true;

	while (*link) {
		parent = *link;
		if (before(entry, rb_entry(parent, struct kdbus_queue_entry,
					   sorted))) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			leftmost = false;
		}
	}

	rb_link_node(&entry->sorted, parent, link);
	rb_insert_color_cached(&entry->sorted, &order->sorted, leftmost);
}

static void link_priority(struct kdbus_order *order,
			  struct kdbus_queue_entry *entry)
{
	struct kdbus_queue_entry *pos;

	if (entry->priority != 0) {
		link_sorted(order, entry);
		return;
	}

	list_for_each_entry_reverse(pos, &order->normal, normal)
		if (pos->seq < entry->seq)
			break;
	list_add(&entry->normal, &pos->normal);
}

static void update_readable(struct kdbus_order *order)
{
	bool readable = !list_empty(&order->fifo);

	if (order->staged && list_is_singular(&order->fifo))
		readable = false;
	WRITE_ONCE(order->readable, readable);
}

static void number(struct kdbus_queue_entry *entry, u64 seq)
{
	entry->seq = seq;
	if (entry->stamp)
		kdbus_slice_write(entry->slice, entry->stamp, &seq,
				  sizeof(seq));
}

/**
 * kdbus_order_append() - add the newest message
 * @order:	Where, guarded
 * @entry:	The message
 * @seq:	Its number, larger than all that are there
 */
void kdbus_order_append(struct kdbus_order *order,
			struct kdbus_queue_entry *entry, u64 seq)
{
	number(entry, seq);
	list_add_tail(&entry->fifo, &order->fifo);
	link_priority(order, entry);
	update_readable(order);
}

/**
 * kdbus_order_stage() - keep a place for a message that has no number yet
 * @order:	Where, guarded; nothing is staged there
 * @entry:	The message
 */
void kdbus_order_stage(struct kdbus_order *order,
		       struct kdbus_queue_entry *entry)
{
	entry->seq = list_empty(&order->fifo) ? 0 :
		     list_last_entry(&order->fifo, struct kdbus_queue_entry,
				     fifo)->seq;
	list_add_tail(&entry->fifo, &order->fifo);
	order->staged = entry;
	update_readable(order);
}

/**
 * kdbus_order_commit() - number a staged message
 * @order:	Where it is, guarded
 * @entry:	The message
 * @seq:	Its number
 */
void kdbus_order_commit(struct kdbus_order *order,
			struct kdbus_queue_entry *entry, u64 seq)
{
	list_del(&entry->fifo);
	order->staged = NULL;
	number(entry, seq);
	kdbus_order_insert(order, entry);
}

/**
 * kdbus_order_insert() - put a message in its place
 * @order:	Where, guarded
 * @entry:	The message, numbered
 *
 * Mostly the end is the place, and the search is short.
 */
void kdbus_order_insert(struct kdbus_order *order,
			struct kdbus_queue_entry *entry)
{
	struct kdbus_queue_entry *pos;

	list_for_each_entry_reverse(pos, &order->fifo, fifo)
		if (pos != order->staged && pos->seq < entry->seq)
			break;
	list_add(&entry->fifo, &pos->fifo);
	link_priority(order, entry);
	update_readable(order);
}

/**
 * kdbus_order_del() - take a message away
 * @order:	Where it is, guarded
 * @entry:	The message, not staged
 */
void kdbus_order_del(struct kdbus_order *order, struct kdbus_queue_entry *entry)
{
	list_del(&entry->fifo);
	if (entry->priority == 0)
		list_del(&entry->normal);
	else
		rb_erase_cached(&entry->sorted, &order->sorted);
	update_readable(order);
}

static struct kdbus_queue_entry *most_urgent(struct kdbus_order *order)
{
	struct rb_node *node = rb_first_cached(&order->sorted);
	struct kdbus_queue_entry *normal, *sorted;

	normal = list_first_entry_or_null(&order->normal,
					  struct kdbus_queue_entry, normal);
	sorted = rb_entry_safe(node, struct kdbus_queue_entry, sorted);
	if (!normal || !sorted)
		return normal ?: sorted;
	return sorted->priority < 0 ? sorted : normal;
}

static bool is_behind(const struct kdbus_queue_entry *entry,
		      const struct kdbus_queue_entry *staged)
{
	return staged && entry->seq > staged->seq;
}

/**
 * kdbus_order_pick() - which message comes next
 * @order:	Where, guarded
 * @pick:	Which is wanted
 *
 * Return: The message, or an error pointer: -EAGAIN if there is none, -ENOMSG if
 * none is urgent enough, -EINPROGRESS if the one that is staged may have to come
 * first.
 */
struct kdbus_queue_entry *kdbus_order_pick(struct kdbus_order *order,
					   const struct kdbus_queue_pick *pick)
{
	struct kdbus_queue_entry *entry;

	if (!order->readable)
		return ERR_PTR(-EAGAIN);
	if (!pick->by_priority) {
		entry = list_first_entry(&order->fifo, struct kdbus_queue_entry,
					 fifo);
		return entry != order->staged ? entry : ERR_PTR(-EINPROGRESS);
	}

	entry = most_urgent(order);
	if (entry->priority > pick->priority)
		return ERR_PTR(-ENOMSG);
	return is_behind(entry, order->staged) ? ERR_PTR(-EINPROGRESS) : entry;
}
