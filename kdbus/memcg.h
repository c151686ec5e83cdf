/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_MEMCG_H
#define __KDBUS_MEMCG_H

/**
 * DOC: Who pays for memory
 *
 * What a caller needs is charged to the caller. Where it chooses the size, it is
 * told when there is no memory, and the kernel log is not: KDBUS_GFP_CALLER.
 *
 * A sender allocates pages and bookkeeping that the receiver pays for. Such
 * allocations are charged to the receiver's memory cgroup and never wait: a
 * cgroup at its limit refuses them at once, with no reclaim in it by the sender
 * and no OOM killer. The price is that they also fail when the machine is short
 * of free memory, so whoever sees one fail calls kdbus_memcg_reclaim_machine()
 * and tries once more.
 */

#include <linux/gfp.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

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
 * kdbus_memcg_alloc() - allocate a slab object that a cgroup pays for
 * @memcg:	Who pays
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

#endif
