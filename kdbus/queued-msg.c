// SPDX-License-Identifier: GPL-2.0
#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <uapi/linux/kdbus.h>

#include "files.h"
#include "memcg.h"
#include "pool/pool.h"
#include "queue.h"
#include "reply.h"

static struct kmem_cache *queued_msg_cache;

static struct kdbus_queued_msg *queued_msg_get(struct kdbus_queue *queue,
					       struct mem_cgroup *memcg)
{
	struct kdbus_queued_msg *qmsg = xchg(&queue->spare, NULL);

	if (!qmsg)
		return kdbus_memcg_alloc(memcg, queued_msg_cache);

	memset(qmsg, 0, sizeof(*qmsg));
	return qmsg;
}

static void queued_msg_put(struct kdbus_queue *queue, struct kdbus_queued_msg *qmsg)
{
	qmsg = xchg(&queue->spare, qmsg);
	if (qmsg)
		kmem_cache_free(queued_msg_cache, qmsg);
}

/**
 * kdbus_queued_msg_new() - make an entry for a message
 * @queue:	Where it will wait
 * @slice:	The message, in the pool of the same connection; owned by the
 *		entry if this succeeds
 * @files:	Files that come with it, or NULL; owned likewise
 * @priority:	Its priority
 *
 * The owner of the pool pays.
 *
 * Context: May sleep.
 *
 * Return: The entry, or NULL.
 */
struct kdbus_queued_msg *kdbus_queued_msg_new(struct kdbus_queue *queue,
					      struct kdbus_slice *slice,
					      struct kdbus_files *files,
					      s64 priority)
{
	struct kdbus_queued_msg *qmsg;

	qmsg = queued_msg_get(queue, slice->pool->pages.ptab.memcg);
	if (qmsg) {
		qmsg->slice = slice;
		qmsg->files = files;
		qmsg->priority = priority;
	}

	return qmsg;
}

/**
 * kdbus_queued_msg_new_note() - make an entry for a notification
 * @queue:	Where it will wait
 * @memcg:	The receiver's, which pays
 * @msg:	The message, copied
 *
 * Context: May sleep.
 *
 * Return: The entry, or NULL.
 */
struct kdbus_queued_msg *kdbus_queued_msg_new_note(struct kdbus_queue *queue,
						   struct mem_cgroup *memcg,
						   const struct kdbus_msg *msg)
{
	struct kdbus_queued_msg *qmsg;

	qmsg = queued_msg_get(queue, memcg);
	if (!qmsg)
		return NULL;

	qmsg->note = kdbus_memcg_memdup(memcg, msg, msg->size);
	if (!qmsg->note) {
		queued_msg_put(queue, qmsg);
		return NULL;
	}

	return qmsg;
}

/**
 * kdbus_queued_msg_free() - free an entry with what it owns
 * @queue:	What it was made for
 * @qmsg:	The entry, in no queue and counted nowhere
 *
 * Context: May sleep.
 */
void kdbus_queued_msg_free(struct kdbus_queue *queue,
			   struct kdbus_queued_msg *qmsg)
{
	kdbus_slice_free(qmsg->slice);
	kfree(qmsg->note);
	kdbus_files_free(qmsg->files);
	kdbus_reply_put(qmsg->reply);
	queued_msg_put(queue, qmsg);
}

/**
 * kdbus_queued_msg_exit() - free the entry that a queue keeps
 * @queue:	The queue, which nobody uses any more
 *
 * Context: May sleep.
 */
void kdbus_queued_msg_exit(struct kdbus_queue *queue)
{
	if (queue->spare)
		kmem_cache_free(queued_msg_cache, queue->spare);
}

/* each is that of a queue, whose lock guards it */
static void order_assert_held(const struct kdbus_order *order)
{
	lockdep_assert_held(&container_of(order, struct kdbus_queue,
					  order)->lock);
}

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

static bool order_less(struct rb_node *node, const struct rb_node *other)
{
	const struct kdbus_queued_msg *a, *b;

	a = rb_entry(node, struct kdbus_queued_msg, sorted);
	b = rb_entry(other, struct kdbus_queued_msg, sorted);
	if (a->priority != b->priority)
		return a->priority < b->priority;
	return a->seq < b->seq;
}

static void order_link_priority(struct kdbus_order *order,
				struct kdbus_queued_msg *qmsg)
{
	struct kdbus_queued_msg *pos;

	if (qmsg->priority != 0) {
		rb_add_cached(&qmsg->sorted, &order->sorted, order_less);
		return;
	}

	list_for_each_entry_reverse(pos, &order->normal, normal)
		if (pos->seq < qmsg->seq)
			break;
	list_add(&qmsg->normal, &pos->normal);
}

static void order_update_readable(struct kdbus_order *order)
{
	bool readable = !list_empty(&order->fifo);

	if (order->staged && list_is_singular(&order->fifo))
		readable = false;
	WRITE_ONCE(order->readable, readable);
}

static void order_number(struct kdbus_queued_msg *qmsg, u64 seq)
{
	qmsg->seq = seq;
	if (qmsg->stamp)
		kdbus_slice_write(qmsg->slice, qmsg->stamp, &seq,
				  sizeof(seq));
}

/**
 * kdbus_order_append() - add the newest message
 * @order:	Where
 * @qmsg:	The message
 * @seq:	Its number, larger than all that are there
 *
 * Context: Any; ``queue->lock`` is held.
 */
void kdbus_order_append(struct kdbus_order *order,
			struct kdbus_queued_msg *qmsg, u64 seq)
{
	order_assert_held(order);

	order_number(qmsg, seq);
	list_add_tail(&qmsg->fifo, &order->fifo);
	order_link_priority(order, qmsg);
	order_update_readable(order);
}

/**
 * kdbus_order_stage() - keep a place for a message that has no number yet
 * @order:	Where; nothing is staged there
 * @qmsg:	The message
 *
 * Context: Any; ``queue->lock`` is held.
 */
void kdbus_order_stage(struct kdbus_order *order,
		       struct kdbus_queued_msg *qmsg)
{
	order_assert_held(order);

	qmsg->seq = list_empty(&order->fifo) ? 0 :
		     list_last_entry(&order->fifo, struct kdbus_queued_msg,
				     fifo)->seq;
	list_add_tail(&qmsg->fifo, &order->fifo);
	order->staged = qmsg;
	order_update_readable(order);
}

/**
 * kdbus_order_commit() - number a staged message
 * @order:	Where it is
 * @qmsg:	The message
 * @seq:	Its number
 *
 * Context: Any; ``queue->lock`` is held.
 */
void kdbus_order_commit(struct kdbus_order *order,
			struct kdbus_queued_msg *qmsg, u64 seq)
{
	order_assert_held(order);

	list_del(&qmsg->fifo);
	order->staged = NULL;
	order_number(qmsg, seq);
	kdbus_order_insert(order, qmsg);
}

/**
 * kdbus_order_insert() - put a message in its place
 * @order:	Where
 * @qmsg:	The message, numbered
 *
 * Mostly the end is the place, and the search is short.
 *
 * Context: Any; ``queue->lock`` is held.
 */
void kdbus_order_insert(struct kdbus_order *order,
			struct kdbus_queued_msg *qmsg)
{
	struct kdbus_queued_msg *pos;

	order_assert_held(order);

	list_for_each_entry_reverse(pos, &order->fifo, fifo)
		if (pos != order->staged && pos->seq < qmsg->seq)
			break;
	list_add(&qmsg->fifo, &pos->fifo);
	order_link_priority(order, qmsg);
	order_update_readable(order);
}

/**
 * kdbus_order_del() - take a message away
 * @order:	Where it is
 * @qmsg:	The message, not staged
 *
 * Context: Any; ``queue->lock`` is held.
 */
void kdbus_order_del(struct kdbus_order *order, struct kdbus_queued_msg *qmsg)
{
	order_assert_held(order);

	list_del(&qmsg->fifo);
	if (qmsg->priority == 0)
		list_del(&qmsg->normal);
	else
		rb_erase_cached(&qmsg->sorted, &order->sorted);
	order_update_readable(order);
}

static bool order_skips(const struct kdbus_queued_msg *qmsg,
			const struct kdbus_queue_pick *pick)
{
	return !qmsg->slice && pick->unwritten == KDBUS_UNWRITTEN_SKIP;
}

static struct kdbus_queued_msg *order_oldest(const struct kdbus_order *order,
					     const struct kdbus_queue_pick *pick)
{
	struct kdbus_queued_msg *qmsg;

	list_for_each_entry(qmsg, &order->fifo, fifo)
		if (likely(!order_skips(qmsg, pick)))
			return qmsg;
	return NULL;
}

static struct kdbus_queued_msg *
order_oldest_normal(const struct kdbus_order *order,
		    const struct kdbus_queue_pick *pick)
{
	struct kdbus_queued_msg *qmsg;

	list_for_each_entry(qmsg, &order->normal, normal)
		if (likely(!order_skips(qmsg, pick)))
			return qmsg;
	return NULL;
}

/* notifications have priority 0, so what is sorted is in the pool */
static struct kdbus_queued_msg *
order_most_urgent(const struct kdbus_order *order,
		  const struct kdbus_queue_pick *pick)
{
	struct rb_node *node = rb_first_cached(&order->sorted);
	struct kdbus_queued_msg *normal, *sorted;

	normal = order_oldest_normal(order, pick);
	sorted = rb_entry_safe(node, struct kdbus_queued_msg, sorted);
	if (!normal || !sorted)
		return normal ?: sorted;
	return sorted->priority < 0 ? sorted : normal;
}

static bool order_is_behind(const struct kdbus_queued_msg *qmsg,
			    const struct kdbus_queued_msg *staged)
{
	return staged && qmsg->seq > staged->seq;
}

/**
 * kdbus_order_pick() - which message comes next
 * @order:	Where
 * @pick:	Which is wanted
 *
 * Context: Any; ``queue->lock`` is held.
 *
 * Return: The message, or an error pointer: -EAGAIN if there is none, -ENOMSG if
 * none is urgent enough, -EINPROGRESS if the one that is staged may have to come
 * first.
 */
struct kdbus_queued_msg *kdbus_order_pick(struct kdbus_order *order,
					  const struct kdbus_queue_pick *pick)
{
	struct kdbus_queued_msg *qmsg;

	order_assert_held(order);

	if (!order->readable)
		return ERR_PTR(-EAGAIN);
	if (!pick->by_priority) {
		qmsg = order_oldest(order, pick);
		if (!qmsg)
			return ERR_PTR(-EAGAIN);
		return qmsg != order->staged ? qmsg : ERR_PTR(-EINPROGRESS);
	}

	qmsg = order_most_urgent(order, pick);
	if (!qmsg)
		return ERR_PTR(-EAGAIN);
	if (qmsg->priority > pick->priority)
		return ERR_PTR(-ENOMSG);
	return order_is_behind(qmsg, order->staged) ? ERR_PTR(-EINPROGRESS) : qmsg;
}

/**
 * kdbus_queue_module_init() - prepare for messages
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_queue_module_init(void)
{
	queued_msg_cache = kmem_cache_create(KBUILD_MODNAME "_message",
					     sizeof(struct kdbus_queued_msg),
					     0, SLAB_HWCACHE_ALIGN, NULL);
	return queued_msg_cache ? 0 : -ENOMEM;
}

/**
 * kdbus_queue_module_exit() - undo kdbus_queue_module_init()
 *
 * Context: May sleep; no queues are left.
 */
void kdbus_queue_module_exit(void)
{
	kmem_cache_destroy(queued_msg_cache);
}
