// SPDX-License-Identifier: GPL-2.0
#include <linux/atomic.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "entry.h"
#include "files.h"
#include "memcg.h"
#include "pool.h"
#include "queue.h"
#include "reply.h"

static struct kmem_cache *kdbus_entry_cache;

static struct kdbus_queue_entry *get_entry(struct kdbus_queue *queue,
					   struct mem_cgroup *memcg)
{
	struct kdbus_queue_entry *entry = xchg(&queue->spare, NULL);

	if (!entry)
		return kdbus_memcg_alloc(memcg, kdbus_entry_cache);

	memset(entry, 0, sizeof(*entry));
	return entry;
}

static void put_entry(struct kdbus_queue *queue, struct kdbus_queue_entry *entry)
{
	entry = xchg(&queue->spare, entry);
	if (entry)
		kmem_cache_free(kdbus_entry_cache, entry);
}

/**
 * kdbus_queue_entry_new() - make an entry for a message
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
struct kdbus_queue_entry *kdbus_queue_entry_new(struct kdbus_queue *queue,
						struct kdbus_slice *slice,
						struct kdbus_files *files,
						s64 priority)
{
	struct kdbus_queue_entry *entry;

	entry = get_entry(queue, slice->pool->pages.frames.memcg);
	if (entry) {
		entry->slice = slice;
		entry->files = files;
		entry->priority = priority;
	}

	return entry;
}

/**
 * kdbus_queue_entry_free() - free an entry with what it owns
 * @queue:	What it was made for
 * @entry:	The entry, in no queue and counted nowhere
 *
 * Context: May sleep.
 */
void kdbus_queue_entry_free(struct kdbus_queue *queue,
			    struct kdbus_queue_entry *entry)
{
	kdbus_slice_free(entry->slice);
	kdbus_files_free(entry->files);
	kdbus_reply_put(entry->reply);
	put_entry(queue, entry);
}

/**
 * kdbus_queue_entry_exit() - free the entry that a queue keeps
 * @queue:	The queue, which nobody uses any more
 *
 * Context: May sleep.
 */
void kdbus_queue_entry_exit(struct kdbus_queue *queue)
{
	if (queue->spare)
		kmem_cache_free(kdbus_entry_cache, queue->spare);
}

/**
 * kdbus_entry_module_init() - prepare for messages
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_entry_module_init(void)
{
	kdbus_entry_cache = kmem_cache_create(KBUILD_MODNAME "_message",
					      sizeof(struct kdbus_queue_entry),
					      0, SLAB_HWCACHE_ALIGN, NULL);
	return kdbus_entry_cache ? 0 : -ENOMEM;
}

/**
 * kdbus_entry_module_exit() - undo kdbus_entry_module_init()
 *
 * Context: May sleep; no queues are left.
 */
void kdbus_entry_module_exit(void)
{
	kmem_cache_destroy(kdbus_entry_cache);
}
