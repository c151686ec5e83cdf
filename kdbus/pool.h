/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_POOL_H
#define __KDBUS_POOL_H

/**
 * DOC: Receive pools
 *
 * A pool is the memory that a connection receives into. It is made of a space,
 * which is divided into slices (space.h), of the pages behind it (pages.h), and
 * of what gives pages back that are not needed any more (trim.h).
 *
 * A slice is allocated by a sender, which writes a message into it; it is then
 * handed from owner to owner inside the kernel until the receiver has been told
 * its offset for good. From then on it is *public*: nobody in the kernel owns
 * it, and KDBUS_CMD_FREE ends it.
 *
 * Whoever has a slice owns its bytes and writes them without a lock. A
 * connection owns its pool. Mappings keep the memory, and with it the pool,
 * longer than that; slices must be gone by the time the connection goes, or
 * be public.
 *
 * Locks: that of the space guards slices; it nests inside the lock of the
 * pages. No allocation and no copy happens under it.
 */

#include <linux/rbtree.h>
#include <linux/types.h>

#include "pages.h"
#include "space.h"
#include "trim.h"

struct seq_file;
struct vm_area_struct;

/**
 * struct kdbus_pool - a receive pool
 * @space:	Its slices, and the lock that guards them
 * @busy:	Allocated slices by offset, guarded likewise
 * @trim:	Gives pages back
 * @pages:	The memory
 */
struct kdbus_pool {
	struct kdbus_space space;
	struct rb_root busy;
	struct kdbus_trim trim;
	struct kdbus_pages pages;
};

struct kdbus_pool *kdbus_pool_new(u64 size, const char *name);
void kdbus_pool_put(struct kdbus_pool *pool);
struct kdbus_slice *kdbus_pool_alloc(struct kdbus_pool *pool, size_t size,
				     bool share);
struct kdbus_slice *kdbus_pool_alloc_promised(struct kdbus_pool *pool,
					      size_t size, size_t promised);
void kdbus_pool_promise(struct kdbus_pool *pool, size_t size);
size_t kdbus_pool_left(struct kdbus_pool *pool);
int kdbus_pool_check(struct kdbus_pool *pool, u64 offset);
int kdbus_pool_free(struct kdbus_pool *pool, u64 offset);
void kdbus_pool_show(struct kdbus_pool *pool, struct seq_file *m);
int kdbus_pool_mmap(struct kdbus_pool *pool, struct vm_area_struct *vma);

void kdbus_slice_free(struct kdbus_slice *slice);
void kdbus_slice_publish(struct kdbus_slice *slice);

int kdbus_pool_module_init(void);
void kdbus_pool_module_exit(void);

/**
 * kdbus_slice_window() - a part of a slice that can be written in one go
 * @slice:	The slice, owned by the caller
 * @offset:	Where it begins, relative to the slice
 * @size:	Bytes wanted, not 0; set to how many there are
 *
 * Return: Where it is in the kernel's memory.
 */
static inline void *kdbus_slice_window(struct kdbus_slice *slice,
				       size_t offset, size_t *size)
{
	return kdbus_pages_window(&slice->pool->pages, slice->offset + offset,
				  size);
}

/**
 * kdbus_slice_write() - write bytes of the kernel into a slice
 * @slice:	The slice, owned by the caller
 * @offset:	Where to, relative to the slice
 * @src:	What
 * @size:	How much
 */
static inline void kdbus_slice_write(struct kdbus_slice *slice, size_t offset,
				     const void *src, size_t size)
{
	kdbus_pages_write(&slice->pool->pages, slice->offset + offset, src,
			  size);
}

/**
 * kdbus_slice_write_user() - write bytes from the memory of the caller
 * @slice:	The slice, owned by the caller
 * @offset:	Where to, relative to the slice
 * @src:	What
 * @size:	How much
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: 0, or -EFAULT if @src cannot be read.
 */
static inline int kdbus_slice_write_user(struct kdbus_slice *slice,
					 size_t offset, const void __user *src,
					 size_t size)
{
	return kdbus_pages_write_user(&slice->pool->pages,
				      slice->offset + offset, src, size);
}

/**
 * kdbus_slice_copy() - copy a slice
 * @dst:	Where to, at least as large, owned by the caller
 * @src:	What, owned by the caller
 */
static inline void kdbus_slice_copy(struct kdbus_slice *dst,
				    const struct kdbus_slice *src)
{
	kdbus_pages_copy(&dst->pool->pages, dst->offset, &src->pool->pages,
			 src->offset, src->size);
}

#endif
