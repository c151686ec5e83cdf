// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "files.h"
#include "limits.h"
#include "memcg.h"
#include "pool.h"
#include "queue.h"

static struct kmem_cache *kdbus_entry_cache;

/**
 * kdbus_queue_init() - initialise a queue
 * @queue:	The queue
 */
void kdbus_queue_init(struct kdbus_queue *queue)
{
	spin_lock_init(&queue->lock);
	INIT_LIST_HEAD(&queue->fifo);
	INIT_LIST_HEAD(&queue->normal);
	queue->sorted = RB_ROOT_CACHED;
	queue->arrivals = 0;
	queue->count = 0;
	queue->closed = false;
	kdbus_quota_init(&queue->quota);
}

/**
 * kdbus_queue_is_closed() - whether a queue is closed
 * @queue:	The queue
 *
 * Return: True if it is, and then for good.
 */
bool kdbus_queue_is_closed(const struct kdbus_queue *queue)
{
	return READ_ONCE(queue->closed);
}

/**
 * kdbus_queue_is_empty() - whether no message can be received
 * @queue:	The queue
 *
 * Return: Whether it is empty at the moment.
 */
bool kdbus_queue_is_empty(const struct kdbus_queue *queue)
{
	return list_empty_careful(&queue->fifo);
}

/**
 * kdbus_queue_is_full() - whether the limit of messages is reached
 * @queue:	The queue
 *
 * Return: Whether it is at the moment.
 */
bool kdbus_queue_is_full(const struct kdbus_queue *queue)
{
	return READ_ONCE(queue->count) >= KDBUS_CONN_MAX_MSGS;
}

/**
 * kdbus_queue_is_crowded() - whether messages are counted for their senders
 * @queue:	The queue
 *
 * Return: Whether they are at the moment.
 */
bool kdbus_queue_is_crowded(const struct kdbus_queue *queue)
{
	return READ_ONCE(queue->count) >= KDBUS_CONN_FREE_MSGS;
}

static bool before(const struct kdbus_queue_entry *a,
		   const struct kdbus_queue_entry *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	return a->arrival < b->arrival;
}

static void link_sorted(struct kdbus_queue *queue,
			struct kdbus_queue_entry *entry)
{
	struct rb_node **link = &queue->sorted.rb_root.rb_node, *parent = NULL;
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
	rb_insert_color_cached(&entry->sorted, &queue->sorted, leftmost);
}

/* new entries go to the end at once, only those put back have to search */
static void link_entry(struct kdbus_queue *queue, struct kdbus_queue_entry *entry)
{
	struct kdbus_queue_entry *pos;

	lockdep_assert_held(&queue->lock);

	list_for_each_entry_reverse(pos, &queue->fifo, fifo)
		if (pos->arrival < entry->arrival)
			break;
	list_add(&entry->fifo, &pos->fifo);

	if (entry->priority != 0) {
		link_sorted(queue, entry);
		return;
	}

	list_for_each_entry_reverse(pos, &queue->normal, normal)
		if (pos->arrival < entry->arrival)
			break;
	list_add(&entry->normal, &pos->normal);
}

static void unlink_entry(struct kdbus_queue *queue, struct kdbus_queue_entry *entry)
{
	lockdep_assert_held(&queue->lock);

	list_del(&entry->fifo);
	if (entry->priority == 0)
		list_del(&entry->normal);
	else
		rb_erase_cached(&entry->sorted, &queue->sorted);
}

static struct kdbus_queue_entry *most_urgent(struct kdbus_queue *queue)
{
	struct rb_node *node = rb_first_cached(&queue->sorted);
	struct kdbus_queue_entry *normal, *sorted;

	normal = list_first_entry_or_null(&queue->normal,
					  struct kdbus_queue_entry, normal);
	sorted = rb_entry_safe(node, struct kdbus_queue_entry, sorted);
	if (!normal || !sorted)
		return normal ?: sorted;
	return sorted->priority < 0 ? sorted : normal;
}

static struct kdbus_queue_entry *find(struct kdbus_queue *queue,
				      const struct kdbus_queue_pick *pick)
{
	struct kdbus_queue_entry *entry;

	lockdep_assert_held(&queue->lock);

	if (queue->closed)
		return ERR_PTR(-ECONNRESET);
	if (list_empty(&queue->fifo))
		return ERR_PTR(-EAGAIN);
	if (!pick->by_priority)
		return list_first_entry(&queue->fifo, struct kdbus_queue_entry,
					fifo);

	entry = most_urgent(queue);
	return entry->priority <= pick->priority ? entry : ERR_PTR(-ENOMSG);
}

static int push(struct kdbus_queue *queue, struct kdbus_queue_entry *entry,
		struct kdbus_user *user, struct kdbus_share **spare)
{
	struct kdbus_share *share = NULL;

	lockdep_assert_held(&queue->lock);

	if (user && queue->count >= KDBUS_CONN_MAX_MSGS)
		return -ENOBUFS;
	if (queue->closed)
		return -ECONNRESET;

	if (user && queue->count >= KDBUS_CONN_FREE_MSGS) {
		share = kdbus_quota_charge(&queue->quota, user, spare);
		if (IS_ERR(share))
			return PTR_ERR(share);
	}

	entry->share = share;
	entry->arrival = queue->arrivals++;
	link_entry(queue, entry);
	WRITE_ONCE(queue->count, queue->count + 1);
	return 0;
}

/**
 * kdbus_queue_push() - append a message
 * @queue:	The queue
 * @entry:	The message; on success the queue owns it
 * @user:	Whom to count it for, or NULL if limits do not apply
 *
 * Documentation/kdbus.txt, section 11.1.
 *
 * Context: May sleep.
 *
 * Return: 0, -ECONNRESET if the queue is closed, -ENOBUFS if it is full or the
 * share of the user is used up, -ENOMEM.
 */
int kdbus_queue_push(struct kdbus_queue *queue, struct kdbus_queue_entry *entry,
		     struct kdbus_user *user)
{
	struct kdbus_share *spare = NULL;
	int r;

	for (;;) {
		spin_lock(&queue->lock);
		r = push(queue, entry, user, &spare);
		spin_unlock(&queue->lock);
		if (r != -EAGAIN)
			break;

		spare = kdbus_share_new(user);
		if (!spare)
			return -ENOMEM;
	}

	kdbus_share_free(spare);
	return r;
}

/**
 * kdbus_queue_peek() - look at a message without taking it
 * @queue:	The queue
 * @pick:	Which
 * @offset:	Set to where it is in the pool
 *
 * Context: Any.
 *
 * Return: 0, -EAGAIN if there is none, -ENOMSG if none is urgent enough or
 * -ECONNRESET if the queue is closed.
 */
int kdbus_queue_peek(struct kdbus_queue *queue,
		     const struct kdbus_queue_pick *pick, size_t *offset)
{
	struct kdbus_queue_entry *entry;

	spin_lock(&queue->lock);
	entry = find(queue, pick);
	if (!IS_ERR(entry))
		*offset = entry->slice->offset;
	spin_unlock(&queue->lock);

	return PTR_ERR_OR_ZERO(entry);
}

/**
 * kdbus_queue_take() - take a message out of the queue
 * @queue:	The queue
 * @pick:	Which
 *
 * To be followed by kdbus_queue_taken() or kdbus_queue_untake().
 *
 * Context: Any.
 *
 * Return: The message, or an error pointer as in kdbus_queue_peek().
 */
struct kdbus_queue_entry *kdbus_queue_take(struct kdbus_queue *queue,
					   const struct kdbus_queue_pick *pick)
{
	struct kdbus_queue_entry *entry;

	spin_lock(&queue->lock);
	entry = find(queue, pick);
	if (!IS_ERR(entry))
		unlink_entry(queue, entry);
	spin_unlock(&queue->lock);

	return entry;
}

/**
 * kdbus_queue_untake() - put a message back that was taken
 * @queue:	The queue
 * @entry:	The message
 *
 * Context: Any.
 *
 * Return: False if the queue has been closed meanwhile; then the caller has to
 * get rid of the message as if it had been received.
 */
bool kdbus_queue_untake(struct kdbus_queue *queue,
			struct kdbus_queue_entry *entry)
{
	bool open;

	spin_lock(&queue->lock);
	open = !queue->closed;
	if (open)
		link_entry(queue, entry);
	spin_unlock(&queue->lock);

	return open;
}

/**
 * kdbus_queue_taken() - be done with a message that was taken
 * @queue:	The queue
 * @entry:	The message, still owned by the caller
 *
 * Context: May sleep.
 */
void kdbus_queue_taken(struct kdbus_queue *queue,
		       struct kdbus_queue_entry *entry)
{
	struct kdbus_share *share = NULL;

	spin_lock(&queue->lock);
	WRITE_ONCE(queue->count, queue->count - 1);
	if (entry->share)
		share = kdbus_quota_discharge(entry->share);
	entry->share = NULL;
	spin_unlock(&queue->lock);

	kdbus_share_free(share);
}

/**
 * kdbus_queue_close() - accept no more messages
 * @queue:	The queue
 * @only_if_empty: Fail if there are messages
 *
 * Context: Any.
 *
 * Return: 0, -EALREADY if it is closed or -EBUSY if it is not empty.
 */
int kdbus_queue_close(struct kdbus_queue *queue, bool only_if_empty)
{
	int r = 0;

	spin_lock(&queue->lock);
	if (queue->closed)
		r = -EALREADY;
	else if (only_if_empty && queue->count > 0)
		r = -EBUSY;
	else
		WRITE_ONCE(queue->closed, true);
	spin_unlock(&queue->lock);

	return r;
}

/**
 * kdbus_queue_flush() - throw away what is in a closed queue
 * @queue:	The queue
 *
 * Context: May sleep.
 */
void kdbus_queue_flush(struct kdbus_queue *queue)
{
	struct kdbus_queue_entry *entry;

	for (;;) {
		spin_lock(&queue->lock);
		entry = list_first_entry_or_null(&queue->fifo,
						 struct kdbus_queue_entry,
						 fifo);
		if (entry)
			unlink_entry(queue, entry);
		spin_unlock(&queue->lock);
		if (!entry)
			break;

		kdbus_queue_taken(queue, entry);
		kdbus_queue_entry_free(entry);
	}
}

/**
 * kdbus_queue_show() - say how many messages there are
 * @queue:	The queue
 * @m:		Where to say it
 *
 * Documentation/kdbus.txt, section 23.
 *
 * Context: May sleep.
 */
void kdbus_queue_show(struct kdbus_queue *queue, struct seq_file *m)
{
	unsigned int count;
	u64 arrivals;

	spin_lock(&queue->lock);
	count = queue->count;
	arrivals = queue->arrivals;
	spin_unlock(&queue->lock);

	seq_printf(m, "queued:\t%u\n", count);
	seq_printf(m, "arrivals:\t%llu\n", arrivals);
}

/**
 * kdbus_queue_entry_new() - make an entry for a message
 * @slice:	The message; owned by the entry if this succeeds
 * @files:	Files that come with it, or NULL; owned likewise
 * @priority:	Its priority
 *
 * The owner of the pool pays.
 *
 * Context: May sleep.
 *
 * Return: The entry, or NULL.
 */
struct kdbus_queue_entry *kdbus_queue_entry_new(struct kdbus_slice *slice,
						struct kdbus_files *files,
						s64 priority)
{
	struct kdbus_queue_entry *entry;

	entry = kdbus_memcg_alloc(slice->pool->pages.memcg, kdbus_entry_cache);
	if (entry) {
		entry->slice = slice;
		entry->files = files;
		entry->priority = priority;
	}

	return entry;
}

/**
 * kdbus_queue_entry_free() - free an entry with what it owns
 * @entry:	The entry, in no queue and counted nowhere
 *
 * Context: May sleep.
 */
void kdbus_queue_entry_free(struct kdbus_queue_entry *entry)
{
	kdbus_slice_free(entry->slice);
	kdbus_files_free(entry->files);
	kmem_cache_free(kdbus_entry_cache, entry);
}

/**
 * kdbus_queue_module_init() - prepare for queues
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_queue_module_init(void)
{
	kdbus_entry_cache = kmem_cache_create(KBUILD_MODNAME "_message",
					      sizeof(struct kdbus_queue_entry),
					      0, SLAB_HWCACHE_ALIGN, NULL);
	return kdbus_entry_cache ? 0 : -ENOMEM;
}

/**
 * kdbus_queue_module_exit() - undo kdbus_queue_module_init()
 *
 * Context: May sleep; no queues are left.
 */
void kdbus_queue_module_exit(void)
{
	kmem_cache_destroy(kdbus_entry_cache);
}
