/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_TRIM_H
#define __KDBUS_TRIM_H

/**
 * DOC: Giving memory back
 *
 * Of the pages that are in no slice, a pool keeps KDBUS_POOL_KEEP_PAGES for
 * good, and others only as long as they are in use now and then: what was not
 * needed for a second goes. More than KDBUS_POOL_HOT_PAGES go at once.
 *
 * Nothing happens in the paths of messages but a comparison; pages are given
 * back by a work item of the pool, a batch at a time.
 *
 * Locks: that of the space guards @unused_low. Pages go under their own lock,
 * outside of it.
 */

#include <linux/minmax.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "limits.h"
#include "pages.h"
#include "space.h"

/**
 * struct kdbus_trim - what gives the pages of a pool back
 * @space:	The space of the pool, constant
 * @pages:	Its pages, constant
 * @unused_low:	Least number of unused pages since @work last ran
 * @work:	Gives pages back
 */
struct kdbus_trim {
	struct kdbus_space *space;
	struct kdbus_pages *pages;
	unsigned long unused_low;
	struct delayed_work work;
};

void kdbus_trim_init(struct kdbus_trim *trim, struct kdbus_space *space,
		     struct kdbus_pages *pages);
void kdbus_trim_exit(struct kdbus_trim *trim);
int kdbus_trim_module_init(void);
void kdbus_trim_module_exit(void);
void kdbus_trim_start(struct kdbus_trim *trim, unsigned long unused);

/* pages that are there and in no slice, give or take partly used ones */
static inline unsigned long kdbus_trim_unused(const struct kdbus_trim *trim)
{
	const struct kdbus_space *space = trim->space;
	unsigned long used = (space->size - space->free_bytes) >> PAGE_SHIFT;
	unsigned long resident = READ_ONCE(trim->pages->frames.resident);

	return resident > used ? resident - used : 0;
}

/* a slice was taken */
static inline void kdbus_trim_note(struct kdbus_trim *trim)
{
	lockdep_assert_held(&trim->space->lock);

	/* it cannot be less than none */
	if (trim->unused_low)
		trim->unused_low = min(trim->unused_low,
				       kdbus_trim_unused(trim));
}

/* a slice was given back, or a page came that is in none */
static inline void kdbus_trim_check(struct kdbus_trim *trim)
{
	unsigned long unused = kdbus_trim_unused(trim);

	lockdep_assert_held(&trim->space->lock);

	if (unused > KDBUS_POOL_KEEP_PAGES)
		kdbus_trim_start(trim, unused);
}

#endif
