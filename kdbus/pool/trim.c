// SPDX-License-Identifier: GPL-2.0
#include <linux/sched.h>

#include "trim.h"

/* slices and chunks of pages looked at while senders may wait for a lock */
#define TRIM_LOOKS	64

/* where in the order of free slices, see kdbus_slices_find() */
struct trim_walk {
	size_t size;
	size_t offset;
	unsigned long index;	/* of the page in this slice */
};

/* giving back much takes long; of our own, it holds up no other work */
static struct workqueue_struct *trim_wq;

static void trim_later(struct kdbus_trim *trim, unsigned long unused)
{
	lockdep_assert_held(&trim->slices->lock);

	if (delayed_work_pending(&trim->work))
		return;
	trim->unused_low = unused;
	queue_delayed_work(trim_wq, &trim->work, HZ);
}

/**
 * kdbus_trim_start() - there are more unused pages than a pool keeps for good
 * @trim:	What gives them back, now or later
 * @unused:	How many there are
 *
 * Context: Any; ``slices->lock`` is held.
 */
void kdbus_trim_start(struct kdbus_trim *trim, unsigned long unused)
{
	lockdep_assert_held(&trim->slices->lock);

	if (trim->off)
		return;
	if (unused - min(unused, trim->stuck) > KDBUS_POOL_HOT_PAGES)
		mod_delayed_work(trim_wq, &trim->work, 0);
	else
		trim_later(trim, unused);
}

/* returns whether the slice was gone through to its end */
static bool trim_slice(struct kdbus_trim *trim, struct trim_walk *walk,
		       const struct kdbus_slice *slice,
		       struct kdbus_ptab_batch *batch)
{
	/* what is only partly free is not to be had */
	unsigned long first = DIV_ROUND_UP(slice->offset, PAGE_SIZE);
	unsigned long end = (slice->offset + slice->size) >> PAGE_SHIFT;

	lockdep_assert_held(&trim->slices->lock);

	if (slice->size != walk->size || slice->offset != walk->offset) {
		walk->size = slice->size;
		walk->offset = slice->offset;
		walk->index = 0;
	}

	first = max(first, walk->index);
	if (first < end)
		first = kdbus_ptab_retire(&trim->pages->ptab, first,
					  end - 1, batch);
	walk->index = first;
	return first >= end;
}

/*
 * Retire a batch of pages of a free slice, those first that will be used last:
 * slices are taken from the smallest up, and of equals the lowest. Returns
 * whether to go on.
 */
static bool trim_retire(struct kdbus_trim *trim, struct trim_walk *walk,
			struct kdbus_ptab_batch *batch)
{
	struct kdbus_slice *slice;
	struct rb_node *node;

	lockdep_assert_held(&trim->slices->lock);

	slice = kdbus_slices_find(trim->slices, walk->size, walk->offset);
	for (node = slice ? &slice->rb : NULL; node; node = rb_next(node)) {
		if (!batch->looks || batch->n)
			return true;
		batch->looks--;
		slice = rb_entry(node, struct kdbus_slice, rb);
		if (!trim_slice(trim, walk, slice, batch))
			return true;
	}

	return false;
}

/* returns whether to go on */
static bool trim_some(struct kdbus_trim *trim, struct trim_walk *walk,
		      unsigned long *keep)
{
	struct kdbus_ptab_batch batch = { .skip = *keep, .looks = TRIM_LOOKS };
	bool more;

	mutex_lock(&trim->pages->lock);
	spin_lock(&trim->slices->lock);
	more = trim_retire(trim, walk, &batch);
	spin_unlock(&trim->slices->lock);
	mutex_unlock(&trim->pages->lock);

	kdbus_pages_release(trim->pages, &batch);
	*keep = batch.skip;
	return more;
}

static void trim_work(struct work_struct *work)
{
	struct kdbus_trim *trim = container_of(to_delayed_work(work),
					       struct kdbus_trim, work);
	/* slices smaller than a page hold no page of their own */
	struct trim_walk walk = { .size = PAGE_SIZE };
	unsigned long unused, keep, skip;

	spin_lock(&trim->slices->lock);
	unused = kdbus_trim_unused(trim);
	/* what was in use at some time since may be needed again */
	keep = unused - min(unused, trim->unused_low);
	keep = clamp_t(unsigned long, keep, KDBUS_POOL_KEEP_PAGES,
		       KDBUS_POOL_HOT_PAGES);
	spin_unlock(&trim->slices->lock);

	skip = keep;
	while (trim_some(trim, &walk, &skip))
		cond_resched();

	/* if nothing was kept, what is left is in use, be it in part */
	spin_lock(&trim->slices->lock);
	unused = kdbus_trim_unused(trim);
	trim->stuck = unused - min(unused, keep);
	if (keep > KDBUS_POOL_KEEP_PAGES)
		trim_later(trim, unused);
	spin_unlock(&trim->slices->lock);
}

/**
 * kdbus_trim_init() - nothing to give back yet
 * @trim:	To be initialised
 * @slices:	The slices of the pool
 * @pages:	Its pages
 */
void kdbus_trim_init(struct kdbus_trim *trim, struct kdbus_slices *slices,
		     struct kdbus_pages *pages)
{
	trim->slices = slices;
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
	trim_wq = alloc_workqueue(KBUILD_MODNAME "_trim", WQ_UNBOUND, 0);
	return trim_wq ? 0 : -ENOMEM;
}

/**
 * kdbus_trim_module_exit() - undo kdbus_trim_module_init()
 *
 * Context: May sleep; no pools are left.
 */
void kdbus_trim_module_exit(void)
{
	destroy_workqueue(trim_wq);
}
