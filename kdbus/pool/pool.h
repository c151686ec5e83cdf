/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_POOL_POOL_H
#define __KDBUS_POOL_POOL_H

/**
 * DOC: Receive pools
 *
 * A pool is the memory that a connection receives into. It is made of slices
 * (slice.h), of the pages behind them (pages.h), and of what gives pages back that
 * are not needed any more (trim.h).
 *
 * A slice is allocated by a sender, which writes a message into it; it is then
 * handed from owner to owner inside the kernel until the receiver has been told
 * its offset for good. From then on it is *public*: nothing in the kernel owns
 * it, and KDBUS_CMD_FREE ends it.
 *
 * The owner of a slice owns its bytes and writes them without a lock. A
 * connection owns its pool.
 *
 * The memory of a pool goes when user space cannot look at it any more: when its
 * file is gone, which the handle of the connection has open until it is closed,
 * and which mappings keep. A pool is *dead* from then on. Code in the kernel that
 * owns a slice is let finish first, which takes no time: a sender whose own
 * memory is not there does not keep that of the receiver, but *parks* its slice
 * while it waits, and finds out afterwards. What is left, until the last
 * reference to the connection goes, is its structures.
 *
 * Locks: ``slices->lock`` guards slices; it nests inside ``pages->lock``. No
 * allocation and no copy happens under it.
 */

#include <linux/kref.h>
#include <linux/rbtree.h>
#include <linux/string.h>
#include <linux/types.h>

#include "pages.h"
#include "slice.h"
#include "trim.h"

struct seq_file;
struct vm_area_struct;

/**
 * struct kdbus_pool - a receive pool
 * @kref:	References: of the connection, and of the file
 * @slices:	Its slices, and the lock that guards them
 * @busy:	Allocated slices by offset, guarded likewise
 * @owned:	Number of slices that are neither public nor parked, and one more
 *		while it dies, guarded likewise
 * @dead:	User space has no access any more, guarded likewise
 * @trim:	Gives pages back
 * @pages:	The memory
 */
struct kdbus_pool {
	struct kref kref;
	struct kdbus_slices slices;
	struct rb_root busy;
	unsigned int owned;
	bool dead;
	struct kdbus_trim trim;
	struct kdbus_pages pages;
};

struct kdbus_pool *kdbus_pool_new(u64 size, const char *name);
int kdbus_pool_populate(struct kdbus_pool *pool);
void kdbus_pool_close(struct kdbus_pool *pool);
void kdbus_pool_put(struct kdbus_pool *pool);
struct kdbus_slice *kdbus_pool_alloc(struct kdbus_pool *pool, size_t size,
				     bool share);
struct kdbus_slice *kdbus_pool_take_locked(struct kdbus_pool *pool, size_t size,
					   const size_t *taken);
struct kdbus_slice *kdbus_pool_populate_slice(struct kdbus_slice *slice);
bool kdbus_pool_fits(struct kdbus_pool *pool, size_t size);
int kdbus_pool_check(struct kdbus_pool *pool, u64 offset);
int kdbus_pool_free(struct kdbus_pool *pool, u64 offset);
void kdbus_pool_show(struct kdbus_pool *pool, struct seq_file *m);
int kdbus_pool_mmap(struct kdbus_pool *pool, struct vm_area_struct *vma);

void kdbus_slice_free(struct kdbus_slice *slice);
void kdbus_slice_publish(struct kdbus_slice *slice);
int kdbus_slice_write_slowly(struct kdbus_slice *slice, size_t offset,
			     const void __user *src, size_t size);

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
 * Return: 0, -EFAULT if @src cannot be read or -ECONNRESET if the pool is dead
 * by now.
 */
static inline int kdbus_slice_write_user(struct kdbus_slice *slice,
					 size_t offset, const void __user *src,
					 size_t size)
{
	size_t done = kdbus_pages_write_user(&slice->pool->pages,
					     slice->offset + offset, src, size);

	if (likely(done == size))
		return 0;
	return kdbus_slice_write_slowly(slice, offset + done, src + done,
					size - done);
}

/**
 * kdbus_slice_copy() - copy bytes of another slice to the same place
 * @dst:	Where to, owned by the caller
 * @src:	Where from, owned by the caller
 * @offset:	Where the bytes begin, relative to either slice
 * @size:	How many
 */
static inline void kdbus_slice_copy(struct kdbus_slice *dst,
				    const struct kdbus_slice *src,
				    size_t offset, size_t size)
{
	kdbus_pages_copy(&dst->pool->pages, dst->offset + offset,
			 &src->pool->pages, src->offset + offset, size);
}

/**
 * kdbus_slice_zero() - write zeros into a slice
 * @slice:	The slice, owned by the caller
 * @offset:	Where to, relative to the slice
 * @size:	How many
 */
static inline void kdbus_slice_zero(struct kdbus_slice *slice, size_t offset,
				    size_t size)
{
	void *to;
	size_t n;

	for (; size > 0; offset += n, size -= n) {
		n = size;
		to = kdbus_slice_window(slice, offset, &n);
		memset(to, 0, n);
	}
}

/**
 * DOC: Writing items into a slice
 *
 * What precedes the payload of a message, its header and items, goes straight
 * into the pages of the slice, without an allocation and with a look-up for each
 * run of pages, not for each field. Padding is written as zeros.
 *
 * A writer lives on the stack of one function: no locks. The slice belongs to
 * the caller.
 */

/**
 * struct kdbus_cursor - a place in a slice, being written to
 * @slice:	The slice
 * @pos:	The place, relative to the slice
 * @to:		Where that is in memory
 * @left:	Bytes from there on that lie side by side
 */
struct kdbus_cursor {
	struct kdbus_slice *slice;
	size_t pos;
	u8 *to;
	size_t left;
};

void kdbus_cursor_init(struct kdbus_cursor *w, struct kdbus_slice *slice);
void kdbus_cursor_add(struct kdbus_cursor *w, const void *src, size_t size);
size_t kdbus_cursor_add_item(struct kdbus_cursor *w, u64 type,
			     const void *payload, size_t size);

#endif
