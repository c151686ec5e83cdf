// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/slab.h>

#include "item.h"
#include "memcg.h"
#include "space.h"

static struct kmem_cache *kdbus_slice_cache;

static void insert_free(struct kdbus_space *space, struct kdbus_slice *slice)
{
	struct rb_node **link = &space->free.rb_node, *parent = NULL;
	struct kdbus_slice *pos;

	lockdep_assert_held(&space->lock);

	while (*link) {
		parent = *link;
		pos = rb_entry(parent, struct kdbus_slice, rb);
		if (slice->size < pos->size ||
		    (slice->size == pos->size && slice->offset < pos->offset))
			link = &parent->rb_left;
		else
			link = &parent->rb_right;
	}

	slice->busy = false;
	rb_link_node(&slice->rb, parent, link);
	rb_insert_color(&slice->rb, &space->free);
}

/**
 * kdbus_space_init() - all of a pool is free
 * @space:	The space
 * @pool:	What slices are pieces of
 * @size:	Bytes in it, a multiple of 8 and not 0
 * @memcg:	Who pays for slices, kept by the caller
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM; kdbus_space_exit() may follow in any case.
 */
int kdbus_space_init(struct kdbus_space *space, struct kdbus_pool *pool,
		     size_t size, struct mem_cgroup *memcg)
{
	struct kdbus_slice *slice;

	spin_lock_init(&space->lock);
	space->memcg = memcg;
	space->size = size;
	space->free_bytes = size;
	space->promised = 0;
	space->free = RB_ROOT;
	INIT_LIST_HEAD(&space->slices);

	slice = kmem_cache_zalloc(kdbus_slice_cache, GFP_KERNEL_ACCOUNT);
	if (!slice)
		return -ENOMEM;

	slice->pool = pool;
	slice->size = size;
	spin_lock(&space->lock);
	list_add(&slice->entry, &space->slices);
	insert_free(space, slice);
	spin_unlock(&space->lock);
	return 0;
}

/**
 * kdbus_space_exit() - free all slices
 * @space:	The space, with or without success of kdbus_space_init()
 *
 * Context: Any; nobody uses the space.
 */
void kdbus_space_exit(struct kdbus_space *space)
{
	struct kdbus_slice *slice, *tmp;

	list_for_each_entry_safe(slice, tmp, &space->slices, entry)
		kmem_cache_free(kdbus_slice_cache, slice);
	if (space->spare)
		kmem_cache_free(kdbus_slice_cache, space->spare);
}

/*
 * One unused slice is kept: whoever takes a part of a free one needs it, and
 * whoever gives that part back, too.
 */
static void keep_spare(struct kdbus_space *space, struct kdbus_slice *slice)
{
	lockdep_assert_held(&space->lock);

	if (space->spare)
		kmem_cache_free(kdbus_slice_cache, slice);
	else
		space->spare = slice;
}

/* drops the lock, so anything may be different afterwards */
static bool get_spare(struct kdbus_space *space)
	__must_hold(&space->lock)
{
	struct kdbus_slice *slice;

	lockdep_assert_held(&space->lock);

	spin_unlock(&space->lock);
	slice = kdbus_memcg_alloc(space->memcg, kdbus_slice_cache);
	spin_lock(&space->lock);

	if (slice)
		keep_spare(space, slice);
	return slice;
}

/**
 * kdbus_space_find() - which free slice is taken next
 * @space:	The space
 * @size:	Bytes it has to have
 *
 * Behind it, in the order of @space->free, come larger ones.
 *
 * Context: Any; the lock of the space is held.
 *
 * Return: The smallest that fits, the lowest of equals, or NULL.
 */
struct kdbus_slice *kdbus_space_find(const struct kdbus_space *space,
				     size_t size)
{
	struct rb_node *node = space->free.rb_node;
	struct kdbus_slice *pos, *best = NULL;

	lockdep_assert_held(&space->lock);

	while (node) {
		pos = rb_entry(node, struct kdbus_slice, rb);
		if (size <= pos->size) {
			best = pos;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}

	return best;
}

/* one message may take half of what is left */
static int check_share(size_t want, size_t have)
{
	if (want <= have && want > have / 2)
		return -EXFULL;
	return 0;
}

/* what is left of a free slice becomes one of its own */
static void split(struct kdbus_space *space, struct kdbus_slice *slice,
		  size_t size)
{
	struct kdbus_slice *rest = space->spare;

	space->spare = NULL;
	rest->pool = slice->pool;
	rest->offset = slice->offset + size;
	rest->size = slice->size - size;
	list_add(&rest->entry, &slice->entry);
	insert_free(space, rest);
	slice->size = size;
}

/* a free slice, with a spare one at hand for what will be left of it */
static struct kdbus_slice *find_room(struct kdbus_space *space, size_t want,
				     bool share)
{
	size_t size = KDBUS_ALIGN8(want);
	struct kdbus_slice *slice;
	int r;

	/* what was found before the lock was dropped may be gone */
	do {
		r = share ? check_share(want, space->free_bytes) : 0;
		if (r < 0)
			return ERR_PTR(r);
		slice = kdbus_space_find(space, size);
		if (!slice)
			break;
		if (slice->size == size || space->spare)
			return slice;
	} while (get_spare(space));

	return ERR_PTR(-ENOBUFS);
}

/**
 * kdbus_space_take() - allocate a slice
 * @space:	The space
 * @want:	Bytes wanted, not 0
 * @share:	Leave at least as much as is taken, for others
 *
 * Documentation/kdbus.txt, section 11.2.
 *
 * Context: May sleep: the lock of the space is held, and may be dropped
 * meanwhile.
 *
 * Return: The slice, or an error pointer: -EXFULL if it would be more than its
 * share, -ENOBUFS if there is no room or no memory.
 */
struct kdbus_slice *kdbus_space_take(struct kdbus_space *space, size_t want,
				     bool share)
{
	struct kdbus_slice *slice = find_room(space, want, share);
	size_t size = KDBUS_ALIGN8(want);

	if (IS_ERR(slice))
		return slice;

	rb_erase(&slice->rb, &space->free);
	if (slice->size > size)
		split(space, slice, size);
	slice->busy = true;
	slice->public = false;
	space->free_bytes -= size;
	return slice;
}

static void merge_next(struct kdbus_space *space, struct kdbus_slice *slice)
{
	struct kdbus_slice *next;

	if (list_is_last(&slice->entry, &space->slices))
		return;
	next = list_next_entry(slice, entry);
	if (next->busy)
		return;

	rb_erase(&next->rb, &space->free);
	list_del(&next->entry);
	slice->size += next->size;
	keep_spare(space, next);
}

/**
 * kdbus_space_give() - give a slice back
 * @space:	The space
 * @slice:	The slice, allocated, and in no tree
 *
 * Context: Any; the lock of the space is held.
 */
void kdbus_space_give(struct kdbus_space *space, struct kdbus_slice *slice)
{
	struct kdbus_slice *prev;

	lockdep_assert_held(&space->lock);

	space->free_bytes += slice->size;

	merge_next(space, slice);
	if (!list_is_first(&slice->entry, &space->slices)) {
		prev = list_prev_entry(slice, entry);
		if (!prev->busy) {
			rb_erase(&prev->rb, &space->free);
			slice->offset = prev->offset;
			slice->size += prev->size;
			list_del(&prev->entry);
			keep_spare(space, prev);
		}
	}
	insert_free(space, slice);
}

/**
 * kdbus_space_module_init() - prepare for slices
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_space_module_init(void)
{
	kdbus_slice_cache = kmem_cache_create(KBUILD_MODNAME "_slice",
					      sizeof(struct kdbus_slice), 0, 0,
					      NULL);
	return kdbus_slice_cache ? 0 : -ENOMEM;
}

/**
 * kdbus_space_module_exit() - undo kdbus_space_module_init()
 *
 * Context: May sleep; no slices are left.
 */
void kdbus_space_module_exit(void)
{
	kmem_cache_destroy(kdbus_slice_cache);
}
