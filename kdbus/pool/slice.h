/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_POOL_SLICE_H
#define __KDBUS_POOL_SLICE_H

/**
 * DOC: Slice allocator
 *
 * The bytes of a pool are divided into *slices*, which tile it without gaps and
 * are free or allocated. To allocate one takes the smallest free slice that
 * fits, the one with the lowest offset among equals, so that a pool in steady
 * use stays on the same few pages; what is left of it becomes a slice of its
 * own. Two free slices are never neighbours.
 *
 * This is about numbers: the memory behind them is elsewhere (pages.h), and so
 * is what becomes of a slice that is allocated (pool.c). The code that takes a
 * slice owns it until giving it back.
 *
 * Locks: ``slices->lock`` guards everything, is a spinlock and held briefly. The
 * caller takes it. No allocation happens under it.
 */

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct kdbus_pool;
struct mem_cgroup;

/**
 * struct kdbus_slices - the slices of a pool, and the lock that guards them
 * @lock:	Guards the rest, and slices
 * @memcg:	The cgroup that pays for slices, constant
 * @size:	Bytes there are, constant
 * @free_bytes:	How many of them are in no allocated slice
 * @free:	Free slices by size, then offset
 * @all:	All slices by offset
 * @spare:	An unused structure, or NULL
 */
struct kdbus_slices {
	spinlock_t lock;	/* slices */
	struct mem_cgroup *memcg;
	size_t size;
	size_t free_bytes;
	struct rb_root free;
	struct list_head all;
	struct kdbus_slice *spare;
};

/**
 * struct kdbus_slice - a piece of a pool
 * @pool:	What it is a piece of, constant
 * @offset:	Where it begins
 * @size:	Bytes in it, a multiple of 8
 * @busy:	Whether it is allocated
 * @public:	Whether user space may free it
 * @parked:	Whether its owner does not touch its bytes at the moment, see
 *		kdbus_slice_write_slowly()
 * @entry:	Its place among all slices
 * @rb:		Its place in the tree of the free or of the allocated ones
 *
 * Everything is guarded by ``slices->lock``; @offset and @size do not
 * change while a slice is allocated.
 */
struct kdbus_slice {
	struct kdbus_pool *pool;
	size_t offset;
	size_t size;
	bool busy;
	bool public;
	bool parked;
	struct list_head entry;
	struct rb_node rb;
};

int kdbus_slices_init(struct kdbus_slices *slices, struct kdbus_pool *pool,
		      size_t size, struct mem_cgroup *memcg);
void kdbus_slices_exit(struct kdbus_slices *slices);
struct kdbus_slice *kdbus_slices_alloc(struct kdbus_slices *slices, size_t want,
				       bool share, const size_t *taken);
void kdbus_slices_free(struct kdbus_slices *slices, struct kdbus_slice *slice);
struct kdbus_slice *kdbus_slices_find(const struct kdbus_slices *slices,
				      size_t size, size_t offset);

int kdbus_slices_module_init(void);
void kdbus_slices_module_exit(void);

#endif
