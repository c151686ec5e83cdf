// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "../memcg.h"
#include "pool.h"

static struct kmem_cache *pool_cache;

static bool pool_busy_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct kdbus_slice, rb)->offset <
	       rb_entry(b, struct kdbus_slice, rb)->offset;
}

static int pool_busy_cmp(const void *key, const struct rb_node *node)
{
	const u64 *offset = key;
	const struct kdbus_slice *slice = rb_entry(node, struct kdbus_slice, rb);

	if (*offset == slice->offset)
		return 0;
	return *offset < slice->offset ? -1 : 1;
}

static void pool_insert_busy(struct kdbus_pool *pool, struct kdbus_slice *slice)
{
	lockdep_assert_held(&pool->slices.lock);

	rb_add(&slice->rb, &pool->busy, pool_busy_less);
}

static struct kdbus_slice *pool_find_busy(struct kdbus_pool *pool, u64 offset)
{
	struct rb_node *node;

	lockdep_assert_held(&pool->slices.lock);

	node = rb_find(&offset, &pool->busy, pool_busy_cmp);
	return rb_entry_safe(node, struct kdbus_slice, rb);
}

static struct kdbus_slice *pool_take(struct kdbus_pool *pool, size_t size,
				     bool share, const size_t *taken)
{
	struct kdbus_slice *slice;

	lockdep_assert_held(&pool->slices.lock);

	slice = kdbus_slices_alloc(&pool->slices, size, share, taken);
	if (IS_ERR(slice))
		return slice;

	/* it may have died while the lock was dropped */
	if (unlikely(pool->dead)) {
		kdbus_slices_free(&pool->slices, slice);
		return ERR_PTR(-ECONNRESET);
	}

	slice->parked = false;
	pool->owned++;
	pool_insert_busy(pool, slice);
	kdbus_trim_note(&pool->trim);
	return slice;
}

/**
 * kdbus_pool_take_locked() - take a slice that counts for a user
 * @pool:	The pool
 * @size:	Bytes wanted, not 0
 * @taken:	What the user has taken so far, guarded by ``slices->lock``; NULL if that
 *		does not matter
 *
 * It has no pages yet: to be followed by kdbus_pool_populate_slice().
 *
 * Context: May sleep: ``slices->lock`` is held, and may be dropped meanwhile.
 *
 * Return: As kdbus_pool_alloc() for a share.
 */
struct kdbus_slice *kdbus_pool_take_locked(struct kdbus_pool *pool, size_t size,
					   const size_t *taken)
{
	return pool_take(pool, size, true, taken);
}

/**
 * kdbus_pool_populate_slice() - see to it that a slice has its pages
 * @slice:	The slice, just taken; freed if this fails
 *
 * Context: May sleep, but not for long.
 *
 * Return: @slice, or an error pointer: -ENOBUFS if there is no memory, or
 * -ECONNRESET if the pool is dead.
 */
struct kdbus_slice *kdbus_pool_populate_slice(struct kdbus_slice *slice)
{
	int r = kdbus_pages_populate(&slice->pool->pages, slice->offset,
				     slice->size);

	if (likely(r == 0))
		return slice;

	kdbus_slice_free(slice);
	return ERR_PTR(r);
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
 * would be more than its share, -ENOBUFS if there is no room or no memory,
 * -ECONNRESET if the pool is dead.
 */
struct kdbus_slice *kdbus_pool_alloc(struct kdbus_pool *pool, size_t size,
				     bool share)
{
	struct kdbus_slice *slice;

	spin_lock(&pool->slices.lock);
	slice = pool_take(pool, size, share, NULL);
	spin_unlock(&pool->slices.lock);

	return IS_ERR(slice) ? slice : kdbus_pool_populate_slice(slice);
}

/**
 * kdbus_pool_fits() - whether a slice could be allocated
 * @pool:	The pool
 * @size:	Bytes in it, not 0
 *
 * Context: Any.
 *
 * Return: Whether there is room at the moment, if there was memory.
 */
bool kdbus_pool_fits(struct kdbus_pool *pool, size_t size)
{
	bool fits;

	spin_lock(&pool->slices.lock);
	fits = kdbus_slices_find(&pool->slices, ALIGN(size, 8), 0);
	spin_unlock(&pool->slices.lock);

	return fits;
}

static void pool_give_back(struct kdbus_pool *pool, struct kdbus_slice *slice)
{
	lockdep_assert_held(&pool->slices.lock);

	rb_erase(&slice->rb, &pool->busy);
	kdbus_slices_free(&pool->slices, slice);
	if (likely(!pool->dead))
		kdbus_trim_check(&pool->trim);
}

/* what user space has not freed and never will: many, but ever fewer */
static void pool_free_public(struct kdbus_pool *pool)
{
	struct kdbus_slice *slice;
	struct rb_node *node;

	spin_lock(&pool->slices.lock);
	node = rb_first(&pool->busy);
	while (node) {
		slice = rb_entry(node, struct kdbus_slice, rb);
		node = rb_next(node);
		if (slice->public)
			pool_give_back(pool, slice);
		if (cond_resched_lock(&pool->slices.lock))
			node = rb_first(&pool->busy);
	}
	spin_unlock(&pool->slices.lock);
}

/* it is dead, and nobody touches its bytes: this happens once */
static void pool_clear(struct kdbus_pool *pool)
{
	kdbus_pages_clear(&pool->pages);
	pool_free_public(pool);
}

/* returns whether the pool is to be cleared */
static bool pool_disown(struct kdbus_pool *pool)
{
	lockdep_assert_held(&pool->slices.lock);

	return --pool->owned == 0 && pool->dead;
}

/**
 * kdbus_slice_free() - give a slice back
 * @slice:	The slice, owned by the caller, or NULL
 *
 * Context: May sleep.
 */
void kdbus_slice_free(struct kdbus_slice *slice)
{
	struct kdbus_pool *pool;
	bool clear;

	if (!slice)
		return;

	pool = slice->pool;
	spin_lock(&pool->slices.lock);
	clear = !slice->parked && pool_disown(pool);
	pool_give_back(pool, slice);
	spin_unlock(&pool->slices.lock);

	if (unlikely(clear))
		pool_clear(pool);
}

/* until pool_unpark_slice(), nothing may be written */
static void pool_park_slice(struct kdbus_slice *slice)
{
	struct kdbus_pool *pool = slice->pool;
	bool clear;

	spin_lock(&pool->slices.lock);
	slice->parked = true;
	clear = pool_disown(pool);
	spin_unlock(&pool->slices.lock);

	if (clear)
		pool_clear(pool);
}

/* returns whether there is still something to write to */
static bool pool_unpark_slice(struct kdbus_slice *slice)
{
	struct kdbus_pool *pool = slice->pool;

	spin_lock(&pool->slices.lock);
	slice->parked = pool->dead;
	pool->owned += !slice->parked;
	spin_unlock(&pool->slices.lock);

	return !slice->parked;
}

/**
 * kdbus_slice_write_slowly() - write bytes that may not be there yet
 * @slice:	The slice, owned by the caller
 * @offset:	Where to, relative to the slice
 * @src:	What
 * @size:	How much, not 0
 *
 * The pool may die while user space provides them, and then its memory goes.
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: 0, -EFAULT if @src cannot be read or -ECONNRESET if the pool is dead;
 * then the slice can only be freed.
 */
int kdbus_slice_write_slowly(struct kdbus_slice *slice, size_t offset,
			     const void __user *src, size_t size)
{
	struct kdbus_pages *pages = &slice->pool->pages;
	/* the rest of a page is there when its first bytes are */
	u8 bytes[64];
	size_t n;

	for (;;) {
		n = min(size, sizeof(bytes));
		pool_park_slice(slice);
		n -= copy_from_user(bytes, src, n);
		if (!pool_unpark_slice(slice))
			return -ECONNRESET;
		if (!n)
			return -EFAULT;

		kdbus_slice_write(slice, offset, bytes, n);
		atomic64_add(n, &pages->copied);
		n += kdbus_pages_write_user(pages, slice->offset + offset + n,
					    src + n, size - n);
		if (n == size)
			return 0;
		offset += n;
		src += n;
		size -= n;
	}
}

/**
 * kdbus_slice_publish() - hand a slice over to user space
 * @slice:	The slice, of a pool that is open; the caller ceases to own it
 *
 * Context: Any.
 */
void kdbus_slice_publish(struct kdbus_slice *slice)
{
	spin_lock(&slice->pool->slices.lock);
	slice->public = true;
	slice->pool->owned--;
	spin_unlock(&slice->pool->slices.lock);
}

static struct kdbus_slice *pool_find_public(struct kdbus_pool *pool, u64 offset)
{
	struct kdbus_slice *slice = pool_find_busy(pool, offset);

	lockdep_assert_held(&pool->slices.lock);

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

	spin_lock(&pool->slices.lock);
	r = PTR_ERR_OR_ZERO(pool_find_public(pool, offset));
	spin_unlock(&pool->slices.lock);

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

	spin_lock(&pool->slices.lock);
	slice = pool_find_public(pool, offset);
	if (!IS_ERR(slice))
		pool_give_back(pool, slice);
	spin_unlock(&pool->slices.lock);

	return PTR_ERR_OR_ZERO(slice);
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

	spin_lock(&pool->slices.lock);
	used = pool->slices.size - pool->slices.free_bytes;
	spin_unlock(&pool->slices.lock);

	seq_printf(m, "pool-size:\t%zu\n", pool->slices.size);
	seq_printf(m, "pool-used:\t%zu\n", used);
	seq_printf(m, "pool-resident:\t%lu\n",
		   READ_ONCE(pool->pages.ptab.resident) << PAGE_SHIFT);
	seq_printf(m, "copied:\t%lld\n",
		   (long long)atomic64_read(&pool->pages.copied));
}

/* a page came that is in no slice */
static void pool_grown(void *owner)
{
	struct kdbus_pool *pool = owner;

	spin_lock(&pool->slices.lock);
	kdbus_trim_check(&pool->trim);
	spin_unlock(&pool->slices.lock);
}

static void pool_release(struct kref *kref)
{
	struct kdbus_pool *pool = container_of(kref, struct kdbus_pool, kref);

	kdbus_slices_exit(&pool->slices);
	kdbus_pages_exit(&pool->pages);
	kmem_cache_free(pool_cache, pool);
}

/* the file is closed and nothing maps it any more */
static void pool_die(void *owner)
{
	struct kdbus_pool *pool = owner;
	bool clear;

	spin_lock(&pool->slices.lock);
	pool->dead = true;
	/* a thread that frees the last slice now must not clear it under the work */
	pool->owned++;
	spin_unlock(&pool->slices.lock);

	/* nothing starts it any more */
	kdbus_trim_exit(&pool->trim);

	spin_lock(&pool->slices.lock);
	clear = pool_disown(pool);
	spin_unlock(&pool->slices.lock);
	if (clear)
		pool_clear(pool);
	kdbus_pool_put(pool);
}

/**
 * kdbus_pool_close() - close the file of a pool
 * @pool:	The pool; the connection does not own any slice
 *
 * Mappings keep it; when there are none, the pool dies.
 *
 * Context: May sleep.
 */
void kdbus_pool_close(struct kdbus_pool *pool)
{
	fput(pool->pages.file);
}

/**
 * kdbus_pool_put() - drop a reference
 * @pool:	The pool, closed, or NULL
 *
 * Context: May sleep.
 */
void kdbus_pool_put(struct kdbus_pool *pool)
{
	if (pool)
		kref_put(&pool->kref, pool_release);
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
 * Return: The pool, to be given up with kdbus_pool_close() and
 * kdbus_pool_put(), or an error pointer: -EINVAL if it is too large, -ENOMEM.
 */
struct kdbus_pool *kdbus_pool_new(u64 size, const char *name)
{
	struct kdbus_pool *pool;
	int r;

	if (size > SIZE_MAX)
		return ERR_PTR(-EINVAL);

	pool = kmem_cache_zalloc(pool_cache, GFP_KERNEL_ACCOUNT);
	if (!pool)
		return ERR_PTR(-ENOMEM);

	kref_init(&pool->kref);
	r = kdbus_pages_init(&pool->pages, size, name, pool, pool_grown,
			     pool_die);
	if (r < 0) {
		kmem_cache_free(pool_cache, pool);
		return ERR_PTR(r);
	}

	/* of the file */
	kref_get(&pool->kref);
	pool->busy = RB_ROOT;
	kdbus_trim_init(&pool->trim, &pool->slices, &pool->pages);
	r = kdbus_slices_init(&pool->slices, pool, size,
			      pool->pages.ptab.memcg);
	if (r < 0) {
		kdbus_pool_close(pool);
		kdbus_pool_put(pool);
		return ERR_PTR(r);
	}

	return pool;
}

static int pool_populate(struct kdbus_pool *pool, size_t offset, size_t size)
{
	unsigned int tries = 0;

	while (kdbus_pages_populate(&pool->pages, offset, size) < 0) {
		if (signal_pending(current))
			return -EINTR;
		/* each time there is a page more, or there is no memory */
		if (tries++ == KDBUS_PTAB_CHUNK || !kdbus_memcg_reclaim_own())
			return -ENOMEM;
	}

	return 0;
}

/**
 * kdbus_pool_populate() - allocate all pages of a pool, for as long as it exists
 * @pool:	The pool, new
 *
 * The caller pays, and waits for its own cgroup. What was allocated before an
 * error goes with the pool. Documentation/kdbus.txt, section 22.3.
 *
 * Context: May sleep, for as long as the size of the pool takes.
 *
 * Return: 0, -ENOMEM, or -EINTR if a signal came.
 */
int kdbus_pool_populate(struct kdbus_pool *pool)
{
	size_t size = pool->slices.size, offset, n;
	int r;

	pool->trim.off = true;
	for (offset = 0; offset < size; offset += n) {
		n = min_t(size_t, size - offset, KDBUS_PTAB_CHUNK * PAGE_SIZE);
		r = pool_populate(pool, offset, n);
		if (r < 0)
			return r;
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}

	return 0;
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
	int r;

	r = kdbus_slices_module_init();
	if (r < 0)
		return r;
	r = kdbus_trim_module_init();
	if (r < 0)
		goto err_space;

	pool_cache = kmem_cache_create(KBUILD_MODNAME "_pool",
				       sizeof(struct kdbus_pool), 0, 0,
				       NULL);
	if (pool_cache)
		return 0;

	r = -ENOMEM;
	kdbus_trim_module_exit();
err_space:
	kdbus_slices_module_exit();
	return r;
}

/**
 * kdbus_pool_module_exit() - undo kdbus_pool_module_init()
 *
 * Context: May sleep; no pools are left.
 */
void kdbus_pool_module_exit(void)
{
	kmem_cache_destroy(pool_cache);
	kdbus_trim_module_exit();
	kdbus_slices_module_exit();
}
