/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_POOL_H
#define __KDBUS_POOL_H

/**
 * DOC: Receive pools
 *
 * A pool is the memory that a connection receives into. It is divided into
 * *slices*, which tile it without gaps and are free or allocated. A slice is
 * allocated by a sender, which writes a message into it; it is then handed
 * from owner to owner inside the kernel until the receiver has been told its
 * offset for good. From then on it is *public*: nobody in the kernel owns it,
 * and KDBUS_CMD_FREE ends it.
 *
 * Allocation takes the smallest free slice that fits, the one with the lowest
 * offset among equals, so that a pool in steady use stays on the same few
 * pages.
 *
 * The pool gives memory back. Of the pages in no slice, it keeps
 * KDBUS_POOL_KEEP_PAGES for good, and others only as long as they are in use
 * now and then: what was not needed for a second goes. More than
 * KDBUS_POOL_HOT_PAGES go at once.
 *
 * Whoever has a slice owns its bytes and writes them without a lock. A
 * connection owns its pool. Mappings keep the memory, and with it the pool,
 * longer than that; slices must be gone by the time the connection goes, or
 * be public.
 *
 * Locks: @lock guards slices, is a spinlock and held briefly; it nests inside
 * the lock of the pages. No allocation and no copy happens under it.
 */

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "pages.h"

struct seq_file;
struct vm_area_struct;

/**
 * struct kdbus_pool - a receive pool
 * @lock:	Guards everything but @pages
 * @size:	Bytes in the pool, constant
 * @free_bytes:	How many of them are in no allocated slice
 * @free:	Free slices by size, then offset
 * @busy:	Allocated slices by offset
 * @slices:	All slices by offset
 * @spare:	A slice that is none, or NULL
 * @unused_low:	Least number of unused pages since @trim last ran
 * @trim:	Gives pages back
 * @pages:	The memory
 */
struct kdbus_pool {
	spinlock_t lock;	/* slices */
	size_t size;
	size_t free_bytes;
	struct rb_root free;
	struct rb_root busy;
	struct list_head slices;
	struct kdbus_slice *spare;
	unsigned long unused_low;
	struct delayed_work trim;
	struct kdbus_pages pages;
};

/**
 * struct kdbus_slice - a piece of a pool
 * @pool:	What it is a piece of, constant
 * @offset:	Where it begins
 * @size:	Bytes in it, a multiple of 8
 * @busy:	Whether it is allocated
 * @public:	Whether user space may free it
 * @entry:	Its place in @pool->slices
 * @rb:		Its place in @pool->free or @pool->busy
 *
 * Everything is guarded by the lock of the pool; @offset and @size do not
 * change while a slice is allocated.
 */
struct kdbus_slice {
	struct kdbus_pool *pool;
	size_t offset;
	size_t size;
	bool busy;
	bool public;
	struct list_head entry;
	struct rb_node rb;
};

struct kdbus_pool *kdbus_pool_new(u64 size, const char *name);
void kdbus_pool_put(struct kdbus_pool *pool);
struct kdbus_slice *kdbus_pool_alloc(struct kdbus_pool *pool, size_t size,
				     bool share);
size_t kdbus_pool_left(const struct kdbus_pool *pool);
int kdbus_pool_check(struct kdbus_pool *pool, u64 offset);
int kdbus_pool_free(struct kdbus_pool *pool, u64 offset);
void kdbus_pool_show(struct kdbus_pool *pool, struct seq_file *m);
int kdbus_pool_mmap(struct kdbus_pool *pool, struct vm_area_struct *vma);

void kdbus_slice_free(struct kdbus_slice *slice);
void kdbus_slice_publish(struct kdbus_slice *slice);
void *kdbus_slice_window(struct kdbus_slice *slice, size_t offset,
			 size_t *size);
void kdbus_slice_write(struct kdbus_slice *slice, size_t offset,
		       const void *src, size_t size);
void kdbus_slice_copy(struct kdbus_slice *dst, const struct kdbus_slice *src);
int kdbus_slice_write_user(struct kdbus_slice *slice, size_t offset,
			   const void __user *src, size_t size);

int kdbus_pool_module_init(void);
void kdbus_pool_module_exit(void);

#endif
