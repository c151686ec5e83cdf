// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "item.h"
#include "limits.h"
#include "memcg.h"
#include "pool.h"

static struct kmem_cache *kdbus_pool_cache;
static struct kmem_cache *kdbus_slice_cache;

/*
 * One unused slice is kept: whoever takes a part of a free one needs it, and
 * whoever gives that part back, too.
 */
static void keep_spare(struct kdbus_pool *pool, struct kdbus_slice *slice)
{
	lockdep_assert_held(&pool->lock);

	if (pool->spare)
		kmem_cache_free(kdbus_slice_cache, slice);
	else
		pool->spare = slice;
}

/* drops the lock, so anything may be different afterwards */
static bool get_spare(struct kdbus_pool *pool)
	__must_hold(&pool->lock)
{
	struct kdbus_slice *slice;

	lockdep_assert_held(&pool->lock);

	spin_unlock(&pool->lock);
	slice = kdbus_memcg_alloc(pool->pages.frames.memcg, kdbus_slice_cache);
	if (slice)
		slice->pool = pool;
	spin_lock(&pool->lock);

	if (slice)
		keep_spare(pool, slice);
	return slice;
}

static void insert_free(struct kdbus_pool *pool, struct kdbus_slice *slice)
{
	struct rb_node **link = &pool->free.rb_node, *parent = NULL;
	struct kdbus_slice *pos;

	lockdep_assert_held(&pool->lock);

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
	rb_insert_color(&slice->rb, &pool->free);
}

static void insert_busy(struct kdbus_pool *pool, struct kdbus_slice *slice)
{
	struct rb_node **link = &pool->busy.rb_node, *parent = NULL;
	struct kdbus_slice *pos;

	lockdep_assert_held(&pool->lock);

	while (*link) {
		parent = *link;
		pos = rb_entry(parent, struct kdbus_slice, rb);
		link = slice->offset < pos->offset ? &parent->rb_left :
						     &parent->rb_right;
	}

	slice->busy = true;
	rb_link_node(&slice->rb, parent, link);
	rb_insert_color(&slice->rb, &pool->busy);
}

static struct kdbus_slice *find_busy(struct kdbus_pool *pool, u64 offset)
{
	struct rb_node *node = pool->busy.rb_node;
	struct kdbus_slice *pos;

	lockdep_assert_held(&pool->lock);

	while (node) {
		pos = rb_entry(node, struct kdbus_slice, rb);
		if (offset == pos->offset)
			return pos;
		node = offset < pos->offset ? node->rb_left : node->rb_right;
	}

	return NULL;
}

/* the smallest free slice that fits, the lowest of equals */
static struct kdbus_slice *find_free(struct kdbus_pool *pool, size_t size)
{
	struct rb_node *node = pool->free.rb_node;
	struct kdbus_slice *pos, *best = NULL;

	lockdep_assert_held(&pool->lock);

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

/* pages that are there and in no slice, give or take partly used ones */
static unsigned long unused_pages(const struct kdbus_pool *pool)
{
	unsigned long used = (pool->size - pool->free_bytes) >> PAGE_SHIFT;
	unsigned long resident = READ_ONCE(pool->pages.frames.resident);

	return resident > used ? resident - used : 0;
}

static void trim_later(struct kdbus_pool *pool, unsigned long unused)
{
	lockdep_assert_held(&pool->lock);

	if (delayed_work_pending(&pool->trim))
		return;
	pool->unused_low = unused;
	queue_delayed_work(system_wq, &pool->trim, HZ);
}

static void schedule_trim(struct kdbus_pool *pool)
{
	unsigned long unused = unused_pages(pool);

	lockdep_assert_held(&pool->lock);

	if (unused > KDBUS_POOL_HOT_PAGES)
		mod_delayed_work(system_wq, &pool->trim, 0);
	else if (unused > KDBUS_POOL_KEEP_PAGES)
		trim_later(pool, unused);
}

/* one message may take half of what is left */
static int check_share(size_t want, size_t have)
{
	if (want <= have && want > have / 2)
		return -EXFULL;
	return 0;
}

/* what is left of a free slice becomes one of its own */
static void split(struct kdbus_pool *pool, struct kdbus_slice *slice,
		  size_t size)
{
	struct kdbus_slice *rest = pool->spare;

	pool->spare = NULL;
	rest->offset = slice->offset + size;
	rest->size = slice->size - size;
	list_add(&rest->entry, &slice->entry);
	insert_free(pool, rest);
	slice->size = size;
}

/* a free slice, with a spare one at hand for what will be left of it */
static struct kdbus_slice *find_room(struct kdbus_pool *pool, size_t want,
				     bool share)
{
	size_t size = KDBUS_ALIGN8(want);
	struct kdbus_slice *slice;
	int r;

	/* what was found before the lock was dropped may be gone */
	do {
		r = share ? check_share(want, pool->free_bytes) : 0;
		if (r < 0)
			return ERR_PTR(r);
		slice = find_free(pool, size);
		if (!slice)
			break;
		if (slice->size == size || pool->spare)
			return slice;
	} while (get_spare(pool));

	return ERR_PTR(-ENOBUFS);
}

static struct kdbus_slice *carve(struct kdbus_pool *pool, size_t want,
				 bool share)
{
	struct kdbus_slice *slice = find_room(pool, want, share);
	size_t size = KDBUS_ALIGN8(want);

	if (IS_ERR(slice))
		return slice;

	rb_erase(&slice->rb, &pool->free);
	if (slice->size > size)
		split(pool, slice, size);
	slice->public = false;
	insert_busy(pool, slice);
	WRITE_ONCE(pool->free_bytes, pool->free_bytes - size);
	pool->unused_low = min(pool->unused_low, unused_pages(pool));
	return slice;
}

/**
 * kdbus_pool_alloc() - allocate a slice
 * @pool:	The pool
 * @size:	Bytes wanted, not 0
 * @share:	Leave at least as much as is taken, for others
 *
 * The slice has its pages, but what is in them is left over from earlier.
 * Documentation/kdbus.txt, section 11.2.
 *
 * Context: May sleep, but not for long.
 *
 * Return: The slice, owned by the caller, or an error pointer: -EXFULL if it
 * would be more than its share, -ENOBUFS if there is no room or no memory.
 */
struct kdbus_slice *kdbus_pool_alloc(struct kdbus_pool *pool, size_t size,
				     bool share)
{
	struct kdbus_slice *slice;
	int r;

	spin_lock(&pool->lock);
	slice = carve(pool, size, share);
	spin_unlock(&pool->lock);

	if (IS_ERR(slice))
		return slice;

	r = kdbus_pages_populate(&pool->pages, slice->offset, slice->size);
	if (r < 0) {
		kdbus_slice_free(slice);
		return ERR_PTR(r);
	}

	return slice;
}

/**
 * kdbus_pool_left() - how much of a pool is in no slice
 * @pool:	The pool
 *
 * Return: Bytes at the moment, not necessarily in one piece.
 */
size_t kdbus_pool_left(const struct kdbus_pool *pool)
{
	return READ_ONCE(pool->free_bytes);
}

static void merge_next(struct kdbus_pool *pool, struct kdbus_slice *slice)
{
	struct kdbus_slice *next;

	if (list_is_last(&slice->entry, &pool->slices))
		return;
	next = list_next_entry(slice, entry);
	if (next->busy)
		return;

	rb_erase(&next->rb, &pool->free);
	list_del(&next->entry);
	slice->size += next->size;
	keep_spare(pool, next);
}

static void free_locked(struct kdbus_pool *pool, struct kdbus_slice *slice)
{
	struct kdbus_slice *prev;

	lockdep_assert_held(&pool->lock);

	rb_erase(&slice->rb, &pool->busy);
	slice->busy = false;
	WRITE_ONCE(pool->free_bytes, pool->free_bytes + slice->size);

	merge_next(pool, slice);
	if (!list_is_first(&slice->entry, &pool->slices)) {
		prev = list_prev_entry(slice, entry);
		if (!prev->busy) {
			rb_erase(&prev->rb, &pool->free);
			slice->offset = prev->offset;
			slice->size += prev->size;
			list_del(&prev->entry);
			keep_spare(pool, prev);
		}
	}
	insert_free(pool, slice);

	schedule_trim(pool);
}

/**
 * kdbus_slice_free() - give a slice back
 * @slice:	The slice, owned by the caller, or NULL
 *
 * Context: Any.
 */
void kdbus_slice_free(struct kdbus_slice *slice)
{
	struct kdbus_pool *pool;

	if (!slice)
		return;

	pool = slice->pool;
	spin_lock(&pool->lock);
	free_locked(pool, slice);
	spin_unlock(&pool->lock);
}

/**
 * kdbus_slice_publish() - hand a slice over to user space
 * @slice:	The slice; the caller ceases to own it
 *
 * Context: Any.
 */
void kdbus_slice_publish(struct kdbus_slice *slice)
{
	spin_lock(&slice->pool->lock);
	slice->public = true;
	spin_unlock(&slice->pool->lock);
}

static struct kdbus_slice *find_public(struct kdbus_pool *pool, u64 offset)
{
	struct kdbus_slice *slice = find_busy(pool, offset);

	if (!slice)
		return ERR_PTR(-ENXIO);
	return slice->public ? slice : ERR_PTR(-EINVAL);
}

/**
 * kdbus_pool_check() - could a slice be freed?
 * @pool:	The pool
 * @offset:	Where it begins, according to user space
 *
 * Context: Any.
 *
 * Return: What kdbus_pool_free() would return now.
 */
int kdbus_pool_check(struct kdbus_pool *pool, u64 offset)
{
	int r;

	spin_lock(&pool->lock);
	r = PTR_ERR_OR_ZERO(find_public(pool, offset));
	spin_unlock(&pool->lock);

	return r;
}

/**
 * kdbus_pool_free() - free a public slice
 * @pool:	The pool
 * @offset:	Where it begins, according to user space
 *
 * Documentation/kdbus.txt, section 9.3.
 *
 * Context: Any.
 *
 * Return: 0, -ENXIO if no slice is allocated there or -EINVAL if it is not
 * public.
 */
int kdbus_pool_free(struct kdbus_pool *pool, u64 offset)
{
	struct kdbus_slice *slice;

	spin_lock(&pool->lock);
	slice = find_public(pool, offset);
	if (!IS_ERR(slice))
		free_locked(pool, slice);
	spin_unlock(&pool->lock);

	return PTR_ERR_OR_ZERO(slice);
}

/**
 * kdbus_slice_window() - a part of a slice that can be written in one go
 * @slice:	The slice, owned by the caller
 * @offset:	Where it begins, relative to the slice
 * @size:	Bytes wanted, not 0; set to how many there are
 *
 * Return: Where it is in the kernel's memory.
 */
void *kdbus_slice_window(struct kdbus_slice *slice, size_t offset,
			 size_t *size)
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
void kdbus_slice_write(struct kdbus_slice *slice, size_t offset,
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
int kdbus_slice_write_user(struct kdbus_slice *slice, size_t offset,
			   const void __user *src, size_t size)
{
	return kdbus_pages_write_user(&slice->pool->pages,
				      slice->offset + offset, src, size);
}

/**
 * kdbus_slice_copy() - copy a slice
 * @dst:	Where to, at least as large, owned by the caller
 * @src:	What, owned by the caller
 */
void kdbus_slice_copy(struct kdbus_slice *dst, const struct kdbus_slice *src)
{
	kdbus_pages_copy(&dst->pool->pages, dst->offset, &src->pool->pages,
			 src->offset, src->size);
}

/**
 * kdbus_pool_mmap() - map a pool into user space
 * @pool:	The pool
 * @vma:	Where to
 *
 * Context: May sleep; the mmap lock is held for writing.
 *
 * Return: 0, -EPERM or -EFAULT, see kdbus_pages_mmap().
 */
int kdbus_pool_mmap(struct kdbus_pool *pool, struct vm_area_struct *vma)
{
	return kdbus_pages_mmap(&pool->pages, vma);
}

/**
 * kdbus_pool_show() - say how much of a pool is in use
 * @pool:	The pool
 * @m:		Where to say it
 *
 * Documentation/kdbus.txt, section 23.
 *
 * Context: May sleep.
 */
void kdbus_pool_show(struct kdbus_pool *pool, struct seq_file *m)
{
	size_t used;

	spin_lock(&pool->lock);
	used = pool->size - pool->free_bytes;
	spin_unlock(&pool->lock);

	seq_printf(m, "pool-size:\t%zu\n", pool->size);
	seq_printf(m, "pool-used:\t%zu\n", used);
	seq_printf(m, "pool-resident:\t%lu\n",
		   READ_ONCE(pool->pages.frames.resident) << PAGE_SHIFT);
	seq_printf(m, "copied:\t%lld\n",
		   (long long)atomic64_read(&pool->pages.copied));
}

/*
 * Detach a batch of pages from free slices, but not the first @keep: those that
 * will be used first, which lie low in the smallest slices. Slices smaller than
 * a page hold no page of their own.
 */
static void detach_unused(struct kdbus_pool *pool, unsigned long keep,
			  struct kdbus_frames_batch *batch)
{
	struct kdbus_slice *slice = find_free(pool, PAGE_SIZE);
	unsigned long first, end;
	struct rb_node *node;

	lockdep_assert_held(&pool->lock);

	for (node = slice ? &slice->rb : NULL; node && !batch->n;
	     node = rb_next(node)) {
		slice = rb_entry(node, struct kdbus_slice, rb);
		first = DIV_ROUND_UP(slice->offset, PAGE_SIZE);
		end = (slice->offset + slice->size) >> PAGE_SHIFT;
		if (first < end)
			kdbus_frames_take(&pool->pages.frames, first, end - 1,
					  &keep, batch);
	}
}

/* returns whether it is worth coming back */
static bool trim_some(struct kdbus_pool *pool, unsigned long keep)
{
	struct kdbus_frames_batch batch = { .n = 0 };

	mutex_lock(&pool->pages.lock);
	spin_lock(&pool->lock);
	detach_unused(pool, keep, &batch);
	spin_unlock(&pool->lock);
	kdbus_pages_drop(&pool->pages, &batch);
	mutex_unlock(&pool->pages.lock);

	return batch.n > 0;
}

static void pool_trim(struct work_struct *work)
{
	struct kdbus_pool *pool = container_of(to_delayed_work(work),
					       struct kdbus_pool, trim);
	unsigned long unused, keep;

	spin_lock(&pool->lock);
	unused = unused_pages(pool);
	/* what was in use at some time since may be needed again */
	keep = unused - min(unused, pool->unused_low);
	keep = clamp_t(unsigned long, keep, KDBUS_POOL_KEEP_PAGES,
		       KDBUS_POOL_HOT_PAGES);
	spin_unlock(&pool->lock);

	while (trim_some(pool, keep))
		cond_resched();

	/* if nothing was kept, what is left is in use, be it in part */
	spin_lock(&pool->lock);
	if (keep > KDBUS_POOL_KEEP_PAGES)
		trim_later(pool, unused_pages(pool));
	spin_unlock(&pool->lock);
}

/* a page came that is in no slice */
static void pool_grown(void *owner)
{
	struct kdbus_pool *pool = owner;

	spin_lock(&pool->lock);
	schedule_trim(pool);
	spin_unlock(&pool->lock);
}

/* the file is closed and nothing maps it any more */
static void pool_release(void *owner)
{
	struct kdbus_pool *pool = owner;
	struct kdbus_slice *slice, *tmp;

	cancel_delayed_work_sync(&pool->trim);
	list_for_each_entry_safe(slice, tmp, &pool->slices, entry)
		kmem_cache_free(kdbus_slice_cache, slice);
	if (pool->spare)
		kmem_cache_free(kdbus_slice_cache, pool->spare);
	kdbus_pages_exit(&pool->pages);
	kmem_cache_free(kdbus_pool_cache, pool);
}

/**
 * kdbus_pool_new() - make a pool
 * @size:	Bytes in it, a multiple of the page size and not 0
 * @name:	What mappings are called
 *
 * Its memory will be paid for by the memory cgroup of the caller.
 * Documentation/kdbus.txt, section 9.1.
 *
 * Context: May sleep.
 *
 * Return: The pool, to be given up with kdbus_pool_put(), or an error pointer:
 * -EINVAL if it is too large, -ENOMEM.
 */
struct kdbus_pool *kdbus_pool_new(u64 size, const char *name)
{
	struct kdbus_slice *slice;
	struct kdbus_pool *pool;
	int r;

	if (size > SIZE_MAX)
		return ERR_PTR(-EINVAL);

	pool = kmem_cache_zalloc(kdbus_pool_cache, GFP_KERNEL_ACCOUNT);
	slice = kmem_cache_zalloc(kdbus_slice_cache, GFP_KERNEL_ACCOUNT);
	if (!pool || !slice) {
		r = -ENOMEM;
		goto err;
	}

	spin_lock_init(&pool->lock);
	pool->size = size;
	pool->free_bytes = size;
	pool->free = RB_ROOT;
	pool->busy = RB_ROOT;
	INIT_LIST_HEAD(&pool->slices);
	INIT_DELAYED_WORK(&pool->trim, pool_trim);

	r = kdbus_pages_init(&pool->pages, size, name, pool, pool_grown,
			     pool_release);
	if (r < 0)
		goto err;

	slice->pool = pool;
	slice->size = size;
	spin_lock(&pool->lock);
	list_add(&slice->entry, &pool->slices);
	insert_free(pool, slice);
	spin_unlock(&pool->lock);

	return pool;

err:
	if (slice)
		kmem_cache_free(kdbus_slice_cache, slice);
	if (pool)
		kmem_cache_free(kdbus_pool_cache, pool);
	return ERR_PTR(r);
}

/**
 * kdbus_pool_put() - give a pool up
 * @pool:	The pool, or NULL; none of its slices is owned by the kernel
 *
 * Mappings keep it.
 *
 * Context: May sleep.
 */
void kdbus_pool_put(struct kdbus_pool *pool)
{
	if (pool)
		fput(pool->pages.file);
}

/**
 * kdbus_pool_module_init() - prepare for pools
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_pool_module_init(void)
{
	kdbus_pool_cache = kmem_cache_create(KBUILD_MODNAME "_pool",
					     sizeof(struct kdbus_pool), 0, 0,
					     NULL);
	kdbus_slice_cache = kmem_cache_create(KBUILD_MODNAME "_slice",
					      sizeof(struct kdbus_slice), 0, 0,
					      NULL);
	if (kdbus_pool_cache && kdbus_slice_cache)
		return 0;

	kdbus_pool_module_exit();
	return -ENOMEM;
}

/**
 * kdbus_pool_module_exit() - undo kdbus_pool_module_init()
 *
 * Context: May sleep; no pools are left.
 */
void kdbus_pool_module_exit(void)
{
	kmem_cache_destroy(kdbus_slice_cache);
	kmem_cache_destroy(kdbus_pool_cache);
}
