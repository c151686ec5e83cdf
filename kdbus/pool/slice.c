// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "../item.h"
#include "../memcg.h"
#include "slice.h"

static struct kmem_cache *slice_cache;

static bool slice_free_less(struct rb_node *node, const struct rb_node *other)
{
	const struct kdbus_slice *a = rb_entry(node, struct kdbus_slice, rb);
	const struct kdbus_slice *b = rb_entry(other, struct kdbus_slice, rb);

	return a->size < b->size || (a->size == b->size && a->offset < b->offset);
}

static void slice_insert_free(struct kdbus_slices *slices, struct kdbus_slice *slice)
{
	lockdep_assert_held(&slices->lock);

	slice->busy = false;
	rb_add(&slice->rb, &slices->free, slice_free_less);
}

/**
 * kdbus_slices_init() - all of a pool is free
 * @slices:	The slices of the pool
 * @pool:	What slices are pieces of
 * @size:	Bytes in it, a multiple of 8 and not 0
 * @memcg:	The cgroup that pays for slices, kept by the caller
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM; kdbus_slices_exit() may follow in any case.
 */
int kdbus_slices_init(struct kdbus_slices *slices, struct kdbus_pool *pool,
		      size_t size, struct mem_cgroup *memcg)
{
	struct kdbus_slice *slice;

	spin_lock_init(&slices->lock);
	slices->memcg = memcg;
	slices->size = size;
	slices->free_bytes = size;
	slices->free = RB_ROOT;
	INIT_LIST_HEAD(&slices->all);

	slice = kmem_cache_zalloc(slice_cache, GFP_KERNEL_ACCOUNT);
	if (!slice)
		return -ENOMEM;

	slice->pool = pool;
	slice->size = size;
	spin_lock(&slices->lock);
	list_add(&slice->entry, &slices->all);
	slice_insert_free(slices, slice);
	spin_unlock(&slices->lock);
	return 0;
}

/**
 * kdbus_slices_exit() - free all slices
 * @slices:	The slices of the pool, with or without success of kdbus_slices_init()
 *
 * Context: May sleep; nobody uses the slices.
 */
void kdbus_slices_exit(struct kdbus_slices *slices)
{
	struct kdbus_slice *slice, *tmp;

	list_for_each_entry_safe(slice, tmp, &slices->all, entry) {
		kmem_cache_free(slice_cache, slice);
		cond_resched();
	}
	if (slices->spare)
		kmem_cache_free(slice_cache, slices->spare);
}

/*
 * One unused slice is kept: taking a part of a free one needs it, and giving that
 * part back leaves it.
 */
static void slice_keep_spare(struct kdbus_slices *slices, struct kdbus_slice *slice)
{
	lockdep_assert_held(&slices->lock);

	if (slices->spare)
		kmem_cache_free(slice_cache, slice);
	else
		slices->spare = slice;
}

/* drops the lock, so anything may be different afterwards */
static bool slice_get_spare(struct kdbus_slices *slices)
	__must_hold(&slices->lock)
{
	struct kdbus_slice *slice;

	lockdep_assert_held(&slices->lock);

	spin_unlock(&slices->lock);
	slice = kdbus_memcg_alloc(slices->memcg, slice_cache);
	spin_lock(&slices->lock);

	if (slice)
		slice_keep_spare(slices, slice);
	return slice;
}

/**
 * kdbus_slices_find() - which free slice is taken next
 * @slices:	The slices of the pool
 * @size:	Bytes it has to have
 * @offset:	Where it may begin, if it has just as many
 *
 * Behind it, in the order of @slices->free, come larger ones.
 *
 * Context: Any; ``slices->lock`` is held.
 *
 * Return: The smallest that fits, the lowest of equals, or NULL.
 */
struct kdbus_slice *kdbus_slices_find(const struct kdbus_slices *slices,
				      size_t size, size_t offset)
{
	struct rb_node *node = slices->free.rb_node;
	struct kdbus_slice *pos, *best = NULL;

	lockdep_assert_held(&slices->lock);

	while (node) {
		pos = rb_entry(node, struct kdbus_slice, rb);
		if (size < pos->size ||
		    (size == pos->size && offset <= pos->offset)) {
			best = pos;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}

	return best;
}

/* one user, and one message, may take half of what is left */
static int slice_check_share(size_t want, size_t have, const size_t *taken)
{
	/* the first message of a user is judged by itself */
	if (taken && *taken && *taken + want > (have + *taken) / 2)
		return -ENOBUFS;
	if (want <= have && want > have / 2)
		return -EXFULL;
	return 0;
}

/* what is left of a free slice becomes one of its own */
static void slice_split(struct kdbus_slices *slices, struct kdbus_slice *slice,
			size_t size)
{
	struct kdbus_slice *rest = slices->spare;

	lockdep_assert_held(&slices->lock);

	slices->spare = NULL;
	rest->pool = slice->pool;
	rest->offset = slice->offset + size;
	rest->size = slice->size - size;
	list_add(&rest->entry, &slice->entry);
	slice_insert_free(slices, rest);
	slice->size = size;
}

/* a free slice, with a spare one at hand for what will be left of it */
static struct kdbus_slice *slice_find_room(struct kdbus_slices *slices, size_t want,
					   bool share, const size_t *taken)
{
	size_t size = KDBUS_ALIGN8(want);
	struct kdbus_slice *slice;
	int r;

	lockdep_assert_held(&slices->lock);

	/* what was found before the lock was dropped may be gone */
	do {
		r = share ? slice_check_share(want, slices->free_bytes, taken) : 0;
		if (r < 0)
			return ERR_PTR(r);
		slice = kdbus_slices_find(slices, size, 0);
		if (!slice)
			break;
		if (slice->size == size || slices->spare)
			return slice;
	} while (slice_get_spare(slices));

	return ERR_PTR(-ENOBUFS);
}

/**
 * kdbus_slices_alloc() - allocate a slice
 * @slices:	The slices of the pool
 * @want:	Bytes wanted, not 0
 * @share:	Leave at least as much as is taken, for others
 * @taken:	If that is set: what the same user has taken so far, or NULL
 *
 * Documentation/kdbus.txt, section 11.2.
 *
 * Context: May sleep: ``slices->lock`` is held, and may be dropped
 * meanwhile.
 *
 * Return: The slice, or an error pointer: -EXFULL if it would be more than its
 * share, -ENOBUFS if there is no room or no memory, or if it is the share of the
 * user.
 */
struct kdbus_slice *kdbus_slices_alloc(struct kdbus_slices *slices, size_t want,
				       bool share, const size_t *taken)
{
	struct kdbus_slice *slice = slice_find_room(slices, want, share, taken);
	size_t size = KDBUS_ALIGN8(want);

	lockdep_assert_held(&slices->lock);

	if (IS_ERR(slice))
		return slice;

	rb_erase(&slice->rb, &slices->free);
	if (slice->size > size)
		slice_split(slices, slice, size);
	slice->busy = true;
	slice->public = false;
	slices->free_bytes -= size;
	return slice;
}

static void slice_merge_next(struct kdbus_slices *slices, struct kdbus_slice *slice)
{
	struct kdbus_slice *next;

	lockdep_assert_held(&slices->lock);

	if (list_is_last(&slice->entry, &slices->all))
		return;
	next = list_next_entry(slice, entry);
	if (next->busy)
		return;

	rb_erase(&next->rb, &slices->free);
	list_del(&next->entry);
	slice->size += next->size;
	slice_keep_spare(slices, next);
}

/**
 * kdbus_slices_free() - give a slice back
 * @slices:	The slices of the pool
 * @slice:	The slice, allocated, and in no tree
 *
 * Context: Any; ``slices->lock`` is held.
 */
void kdbus_slices_free(struct kdbus_slices *slices, struct kdbus_slice *slice)
{
	struct kdbus_slice *prev;

	lockdep_assert_held(&slices->lock);

	slices->free_bytes += slice->size;

	slice_merge_next(slices, slice);
	if (!list_is_first(&slice->entry, &slices->all)) {
		prev = list_prev_entry(slice, entry);
		if (!prev->busy) {
			rb_erase(&prev->rb, &slices->free);
			slice->offset = prev->offset;
			slice->size += prev->size;
			list_del(&prev->entry);
			slice_keep_spare(slices, prev);
		}
	}
	slice_insert_free(slices, slice);
}

/**
 * kdbus_slices_module_init() - prepare for slices
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_slices_module_init(void)
{
	slice_cache = kmem_cache_create(KBUILD_MODNAME "_slice",
					sizeof(struct kdbus_slice), 0, 0,
					NULL);
	return slice_cache ? 0 : -ENOMEM;
}

/**
 * kdbus_slices_module_exit() - undo kdbus_slices_module_init()
 *
 * Context: May sleep; no slices are left.
 */
void kdbus_slices_module_exit(void)
{
	kmem_cache_destroy(slice_cache);
}
