/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_POOL_TRIM_H
#define __KDBUS_POOL_TRIM_H

/**
 * DOC: Giving memory back
 *
 * Of the pages that are in no slice, a pool keeps KDBUS_POOL_KEEP_PAGES for
 * good, and others only as long as they are in use now and then: what was not
 * needed for a second goes. More than KDBUS_POOL_HOT_PAGES go at once. A pool
 * whose owner has reserved its memory keeps all of it.
 *
 * Nothing happens in the paths of messages but a comparison; pages are given
 * back by a work item of the pool. It goes once through the free slices, and
 * holds locks that senders want only for a constant number of steps.
 *
 * Pages that are in no slice may still be in one page with something that is.
 * These stay, and a pool with many of them is not searched for nothing each
 * time that something is freed: @stuck.
 *
 * Locks: ``slices->lock`` guards unused_low and stuck. Pages go under ``pages->lock``,
 * outside of it; page tables are searched for them under none.
 */

#include <linux/minmax.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "../limits.h"
#include "pages.h"
#include "slice.h"

/**
 * struct kdbus_trim - what gives the pages of a pool back
 * @slices:	The slices of the pool, constant
 * @pages:	Its pages, constant
 * @unused_low:	Least number of unused pages since @work last ran
 * @stuck:	How many unused pages @work could not give back
 * @off:	No pages are given back, constant once the pool is in use
 * @work:	Gives pages back
 */
struct kdbus_trim {
	struct kdbus_slices *slices;
	struct kdbus_pages *pages;
	unsigned long unused_low;
	unsigned long stuck;
	bool off;
	struct delayed_work work;
};

void kdbus_trim_init(struct kdbus_trim *trim, struct kdbus_slices *slices,
		     struct kdbus_pages *pages);
void kdbus_trim_exit(struct kdbus_trim *trim);
int kdbus_trim_module_init(void);
void kdbus_trim_module_exit(void);
void kdbus_trim_start(struct kdbus_trim *trim, unsigned long unused);

/* pages that are there and in no slice, give or take partly used ones */
static inline unsigned long kdbus_trim_unused(const struct kdbus_trim *trim)
{
	const struct kdbus_slices *slices = trim->slices;
	unsigned long used = (slices->size - slices->free_bytes) >> PAGE_SHIFT;
	unsigned long resident = READ_ONCE(trim->pages->ptab.resident);

	return resident > used ? resident - used : 0;
}

/* a slice was taken */
static inline void kdbus_trim_note(struct kdbus_trim *trim)
{
	unsigned long unused;

	lockdep_assert_held(&trim->slices->lock);

	/* they cannot be less than none */
	if (trim->unused_low | trim->stuck) {
		unused = kdbus_trim_unused(trim);
		trim->unused_low = min(trim->unused_low, unused);
		trim->stuck = min(trim->stuck, unused);
	}
}

/* a slice was given back, or a page came that is in none */
static inline void kdbus_trim_check(struct kdbus_trim *trim)
{
	unsigned long unused = kdbus_trim_unused(trim);

	lockdep_assert_held(&trim->slices->lock);

	if (unused > KDBUS_POOL_KEEP_PAGES)
		kdbus_trim_start(trim, unused);
}

#endif
