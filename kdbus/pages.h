/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_PAGES_H
#define __KDBUS_PAGES_H

/**
 * DOC: Pages of a pool
 *
 * The memory behind a pool: pages that come one by one when they are first
 * needed and go when they are not needed any more, and a file through which
 * user space maps them.
 *
 * Who pays: every page is charged to the memory cgroup of the task that made
 * the pool, the receiver, whoever caused it to be allocated. A receiver at its
 * limit makes the allocation fail at once; the sender neither reclaims on
 * behalf of the receiver's cgroup nor brings the OOM killer on anybody. If it
 * is the machine that is short of memory, the sender does reclaim, as for
 * any allocation of its own, and only then gives up.
 *
 * Pages are zeroed when they come. They are written through the kernel's own
 * mapping, without a lock: the range belongs to whoever the pool gave it to.
 * User space can map them for reading only, and no mapping can become
 * writable.
 *
 * A mapping refers to the file, not to the device node, and keeps the pages
 * readable for as long as it exists.
 *
 * Locks: @lock is held whenever a page comes or goes and while pages are put
 * into page tables, so that no page table refers to a page that is gone. It
 * nests inside the mmap lock; no user memory is touched while it is held, and
 * allocations under it do not wait. Looking up a page needs no lock if the
 * range is known to be in use.
 */

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "frames.h"

struct file;
struct vm_area_struct;

/**
 * struct kdbus_pages - the pages of a pool
 * @lock:	See above
 * @frames:	Those that are there
 * @count:	How many there could be, constant
 * @copied:	Bytes ever written from user memory
 * @file:	What mappings refer to, constant
 */
struct kdbus_pages {
	struct mutex lock;	/* coming and going of pages */
	struct kdbus_frames frames;
	unsigned long count;
	atomic64_t copied;
	struct file *file;
};

int kdbus_pages_init(struct kdbus_pages *pages, size_t size, const char *name,
		     void *owner, void (*grown)(void *owner),
		     void (*release)(void *owner));
void kdbus_pages_exit(struct kdbus_pages *pages);
int kdbus_pages_populate(struct kdbus_pages *pages, size_t offset, size_t size);
void kdbus_pages_drop(struct kdbus_pages *pages,
		      struct kdbus_frames_batch *batch);
void *kdbus_pages_window(struct kdbus_pages *pages, size_t offset,
			 size_t *size);
void kdbus_pages_write(struct kdbus_pages *pages, size_t offset,
		       const void *src, size_t size);
int kdbus_pages_write_user(struct kdbus_pages *pages, size_t offset,
			   const void __user *src, size_t size);
void kdbus_pages_copy(struct kdbus_pages *pages, size_t offset,
		      struct kdbus_pages *src, size_t src_offset, size_t size);
int kdbus_pages_mmap(struct kdbus_pages *pages, struct vm_area_struct *vma);

int kdbus_pages_module_init(void);
void kdbus_pages_module_exit(void);

#endif
