// SPDX-License-Identifier: GPL-2.0
#include <linux/sched.h>

#include "trim.h"

/* giving back much takes long; of our own, it holds up no other work */
static struct workqueue_struct *kdbus_trim_wq;

static void trim_later(struct kdbus_trim *trim, unsigned long unused)
{
	lockdep_assert_held(&trim->space->lock);

	if (delayed_work_pending(&trim->work))
		return;
	trim->unused_low = unused;
	queue_delayed_work(kdbus_trim_wq, &trim->work, HZ);
}

/**
 * kdbus_trim_start() - there are more unused pages than a pool keeps for good
 * @trim:	What gives them back, now or later
 * @unused:	How many there are
 *
 * Context: Any; the lock of the space is held.
 */
void kdbus_trim_start(struct kdbus_trim *trim, unsigned long unused)
{
	lockdep_assert_held(&trim->space->lock);

	if (unused > KDBUS_POOL_HOT_PAGES)
		mod_delayed_work(kdbus_trim_wq, &trim->work, 0);
	else
		trim_later(trim, unused);
}

/*
 * Detach a batch of pages from free slices, but not the first @keep: those that
 * will be used first, which lie low in the smallest slices. Slices smaller than
 * a page hold no page of their own.
 */
static void detach_unused(struct kdbus_trim *trim, unsigned long keep,
			  struct kdbus_frames_batch *batch)
{
	struct kdbus_slice *slice = kdbus_space_find(trim->space, PAGE_SIZE);
	unsigned long first, end;
	struct rb_node *node;

	lockdep_assert_held(&trim->space->lock);

	for (node = slice ? &slice->rb : NULL; node && !batch->n;
	     node = rb_next(node)) {
		slice = rb_entry(node, struct kdbus_slice, rb);
		first = DIV_ROUND_UP(slice->offset, PAGE_SIZE);
		end = (slice->offset + slice->size) >> PAGE_SHIFT;
		if (first < end)
			kdbus_frames_take(&trim->pages->frames, first, end - 1,
					  &keep, batch);
	}
}

/* returns whether it is worth coming back */
static bool trim_some(struct kdbus_trim *trim, unsigned long keep)
{
	struct kdbus_frames_batch batch = { .n = 0 };

	mutex_lock(&trim->pages->lock);
	spin_lock(&trim->space->lock);
	detach_unused(trim, keep, &batch);
	spin_unlock(&trim->space->lock);
	kdbus_pages_drop(trim->pages, &batch);
	mutex_unlock(&trim->pages->lock);

	return batch.n > 0;
}

static void trim_work(struct work_struct *work)
{
	struct kdbus_trim *trim = container_of(to_delayed_work(work),
					       struct kdbus_trim, work);
	unsigned long unused, keep;

	spin_lock(&trim->space->lock);
	unused = kdbus_trim_unused(trim);
	/* what was in use at some time since may be needed again */
	keep = unused - min(unused, trim->unused_low);
	keep = clamp_t(unsigned long, keep, KDBUS_POOL_KEEP_PAGES,
		       KDBUS_POOL_HOT_PAGES);
	spin_unlock(&trim->space->lock);

	while (trim_some(trim, keep))
		cond_resched();

	/* if nothing was kept, what is left is in use, be it in part */
	spin_lock(&trim->space->lock);
	if (keep > KDBUS_POOL_KEEP_PAGES)
		trim_later(trim, kdbus_trim_unused(trim));
	spin_unlock(&trim->space->lock);
}

/**
 * kdbus_trim_init() - nothing to give back yet
 * @trim:	To be initialised
 * @space:	The space of the pool
 * @pages:	Its pages
 */
void kdbus_trim_init(struct kdbus_trim *trim, struct kdbus_space *space,
		     struct kdbus_pages *pages)
{
	trim->space = space;
	trim->pages = pages;
	INIT_DELAYED_WORK(&trim->work, trim_work);
}

/**
 * kdbus_trim_exit() - stop giving pages back
 * @trim:	What did; nobody uses the pool
 *
 * Context: May sleep.
 */
void kdbus_trim_exit(struct kdbus_trim *trim)
{
	cancel_delayed_work_sync(&trim->work);
}

/**
 * kdbus_trim_module_init() - prepare for pools
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_trim_module_init(void)
{
	kdbus_trim_wq = alloc_workqueue(KBUILD_MODNAME "_trim", WQ_UNBOUND, 0);
	return kdbus_trim_wq ? 0 : -ENOMEM;
}

/**
 * kdbus_trim_module_exit() - undo kdbus_trim_module_init()
 *
 * Context: May sleep; no pools are left.
 */
void kdbus_trim_module_exit(void)
{
	destroy_workqueue(kdbus_trim_wq);
}
