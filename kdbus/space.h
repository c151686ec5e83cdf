/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_SPACE_H
#define __KDBUS_SPACE_H

/**
 * DOC: Space of a pool
 *
 * The bytes of a pool are divided into *slices*, which tile it without gaps and
 * are free or allocated. To allocate one takes the smallest free slice that
 * fits, the one with the lowest offset among equals, so that a pool in steady
 * use stays on the same few pages; what is left of it becomes a slice of its
 * own. Two free slices are never neighbours.
 *
 * This is about numbers: the memory behind them is elsewhere (pages.h), and so
 * is what becomes of a slice that is allocated (pool.h). Whoever takes a slice
 * owns it until giving it back.
 *
 * Locks: @lock guards everything, is a spinlock and held briefly. The caller
 * takes it. No allocation happens under it.
 */

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct kdbus_pool;
struct mem_cgroup;

/**
 * struct kdbus_space - the space of a pool
 * @lock:	Guards the rest, and slices
 * @memcg:	Who pays for slices, constant
 * @size:	Bytes there are, constant
 * @free_bytes:	How many of them are in no allocated slice
 * @promised:	How many of these are about to be allocated, see
 *		kdbus_pool_promise()
 * @free:	Free slices by size, then offset
 * @slices:	All slices by offset
 * @spare:	A slice that is none, or NULL
 */
struct kdbus_space {
	spinlock_t lock;	/* slices */
	struct mem_cgroup *memcg;
	size_t size;
	size_t free_bytes;
	size_t promised;
	struct rb_root free;
	struct list_head slices;
	struct kdbus_slice *spare;
};

/**
 * struct kdbus_slice - a piece of a pool
 * @pool:	What it is a piece of, constant
 * @offset:	Where it begins
 * @size:	Bytes in it, a multiple of 8
 * @busy:	Whether it is allocated
 * @public:	Whether user space may free it
 * @entry:	Its place among all slices
 * @rb:		Its place in the tree of the free or of the allocated ones
 *
 * Everything is guarded by the lock of the space; @offset and @size do not
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

int kdbus_space_init(struct kdbus_space *space, struct kdbus_pool *pool,
		     size_t size, struct mem_cgroup *memcg);
void kdbus_space_exit(struct kdbus_space *space);
struct kdbus_slice *kdbus_space_take(struct kdbus_space *space, size_t want,
				     bool share);
void kdbus_space_give(struct kdbus_space *space, struct kdbus_slice *slice);
struct kdbus_slice *kdbus_space_find(const struct kdbus_space *space,
				     size_t size);

int kdbus_space_module_init(void);
void kdbus_space_module_exit(void);

#endif
