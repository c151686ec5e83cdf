/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_MEMCG_H
#define __KDBUS_MEMCG_H

/**
 * DOC: Memory charged to receivers
 *
 * What a caller needs is charged to the caller. Where the caller chooses the size,
 * KDBUS_GFP_CALLER returns a failure and does not log it.
 *
 * A sender allocates pages and bookkeeping that the receiver pays for. Such
 * allocations are charged to the receiver's memory cgroup and never wait: a
 * cgroup at its limit refuses them at once, with no reclaim in it by the sender
 * and no OOM killer. The price is that they also fail when the machine is short
 * of free memory, so a caller that sees one fail calls
 * kdbus_memcg_reclaim_machine() and tries once more.
 */

#include <linux/gfp.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#define KDBUS_GFP_CALLER	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN)
#define KDBUS_GFP_RECEIVER	(GFP_NOWAIT | __GFP_NOWARN | __GFP_ACCOUNT)

/**
 * kdbus_memcg_reclaim_machine() - make the machine free some memory
 *
 * Context: May sleep; no locks may be held that reclaim could want.
 *
 * Return: Whether there is memory now.
 */
static inline bool kdbus_memcg_reclaim_machine(void)
{
	struct page *page;

	page = alloc_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	if (!page)
		return false;

	__free_page(page);
	return true;
}

/**
 * kdbus_memcg_reclaim_own() - make the cgroup of the caller free some memory
 *
 * For a caller that allocates for itself. The OOM killer is not called.
 *
 * Context: May sleep; no locks may be held that reclaim could want.
 *
 * Return: Whether there is memory now.
 */
static inline bool kdbus_memcg_reclaim_own(void)
{
	struct page *page;

	page = alloc_page(KDBUS_GFP_CALLER | __GFP_RETRY_MAYFAIL);
	if (!page)
		return false;

	__free_page(page);
	return true;
}

/**
 * kdbus_memcg_never_under() - memory is never reclaimed under a lock
 * @lock:	The lock, new
 *
 * Others wait for it. Lockdep complains of an allocation under it that may
 * reclaim: it believes that reclaim takes the lock.
 */
#define kdbus_memcg_never_under(lock) do {				\
	fs_reclaim_acquire(GFP_KERNEL);					\
	might_lock(lock);						\
	fs_reclaim_release(GFP_KERNEL);					\
} while (0)

/**
 * kdbus_memcg_alloc_now() - allocate while others wait for a lock
 * @size:	Bytes
 *
 * The caller pays, but if its cgroup is at its limit, the memory is not
 * charged: tasks that wait for the lock would have to wait for the cgroup as
 * well.
 *
 * Context: Any.
 *
 * Return: The memory, zeroed, to be freed with kfree() or kvfree(), or NULL if the
 * machine has none.
 */
static inline void *kdbus_memcg_alloc_now(size_t size)
{
	void *p;

	p = kzalloc(size, GFP_NOWAIT | __GFP_NOWARN | __GFP_ACCOUNT);
	return p ?: kzalloc(size, GFP_ATOMIC | __GFP_NOWARN);
}

/**
 * kdbus_memcg_alloc() - allocate a slab object that a cgroup pays for
 * @memcg:	The cgroup that pays
 * @cache:	Slab cache
 *
 * Context: May sleep.
 *
 * Return: The object, zeroed, or NULL.
 */
static inline void *kdbus_memcg_alloc(struct mem_cgroup *memcg,
				      struct kmem_cache *cache)
{
	struct mem_cgroup *old;
	void *p;

	old = set_active_memcg(memcg);
	p = kmem_cache_zalloc(cache, KDBUS_GFP_RECEIVER);
	if (unlikely(!p) && kdbus_memcg_reclaim_machine())
		p = kmem_cache_zalloc(cache, KDBUS_GFP_RECEIVER);
	set_active_memcg(old);

	return p;
}

/**
 * kdbus_memcg_memdup() - copy something into memory that a cgroup pays for
 * @memcg:	The cgroup that pays
 * @src:	What
 * @size:	Bytes in it
 *
 * Context: May sleep.
 *
 * Return: The copy, or NULL.
 */
static inline void *kdbus_memcg_memdup(struct mem_cgroup *memcg,
				       const void *src, size_t size)
{
	struct mem_cgroup *old;
	void *p;

	old = set_active_memcg(memcg);
	p = kmemdup(src, size, KDBUS_GFP_RECEIVER);
	if (unlikely(!p) && kdbus_memcg_reclaim_machine())
		p = kmemdup(src, size, KDBUS_GFP_RECEIVER);
	set_active_memcg(old);

	return p;
}

#endif
