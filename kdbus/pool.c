// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "pool.h"

static struct kmem_cache *kdbus_pool_cache;

static void insert_busy(struct kdbus_pool *pool, struct kdbus_slice *slice)
{
	struct rb_node **link = &pool->busy.rb_node, *parent = NULL;
	struct kdbus_slice *pos;

	lockdep_assert_held(&pool->space.lock);

	while (*link) {
		parent = *link;
		pos = rb_entry(parent, struct kdbus_slice, rb);
		link = slice->offset < pos->offset ? &parent->rb_left :
						     &parent->rb_right;
	}

	rb_link_node(&slice->rb, parent, link);
	rb_insert_color(&slice->rb, &pool->busy);
}

static struct kdbus_slice *find_busy(struct kdbus_pool *pool, u64 offset)
{
	struct rb_node *node = pool->busy.rb_node;
	struct kdbus_slice *pos;

	lockdep_assert_held(&pool->space.lock);

	while (node) {
		pos = rb_entry(node, struct kdbus_slice, rb);
		if (offset == pos->offset)
			return pos;
		node = offset < pos->offset ? node->rb_left : node->rb_right;
	}

	return NULL;
}

static struct kdbus_slice *alloc(struct kdbus_pool *pool, size_t size,
				 bool share, size_t promised)
{
	struct kdbus_slice *slice;
	int r;

	spin_lock(&pool->space.lock);
	slice = kdbus_space_take(&pool->space, size, share);
	if (!IS_ERR(slice)) {
		insert_busy(pool, slice);
		kdbus_trim_note(&pool->trim);
	}
	/* taken or not, it is not taken any more */
	pool->space.promised -= promised;
	spin_unlock(&pool->space.lock);

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
	return alloc(pool, size, share, 0);
}

/**
 * kdbus_pool_alloc_promised() - allocate what has been promised
 * @pool:	The pool
 * @size:	Bytes wanted, not 0
 * @promised:	How many of them were promised; none are afterwards, even if it
 *		fails
 *
 * Context: May sleep, but not for long.
 *
 * Return: As kdbus_pool_alloc() for a share.
 */
struct kdbus_slice *kdbus_pool_alloc_promised(struct kdbus_pool *pool,
					      size_t size, size_t promised)
{
	return alloc(pool, size, true, promised);
}

/**
 * kdbus_pool_promise() - say that something will be allocated
 * @pool:	The pool
 * @size:	How much
 *
 * It is not kept for anybody, only not counted as left. To be followed by
 * kdbus_pool_alloc_promised().
 *
 * Context: Any.
 */
void kdbus_pool_promise(struct kdbus_pool *pool, size_t size)
{
	spin_lock(&pool->space.lock);
	pool->space.promised += size;
	spin_unlock(&pool->space.lock);
}

/**
 * kdbus_pool_left() - how much of a pool is in no slice, nor promised
 * @pool:	The pool
 *
 * Context: Any.
 *
 * Return: Bytes at the moment, not necessarily in one piece.
 */
size_t kdbus_pool_left(struct kdbus_pool *pool)
{
	struct kdbus_space *space = &pool->space;
	size_t left;

	spin_lock(&space->lock);
	left = space->free_bytes - min(space->free_bytes, space->promised);
	spin_unlock(&space->lock);

	return left;
}

static void give_back(struct kdbus_pool *pool, struct kdbus_slice *slice)
{
	lockdep_assert_held(&pool->space.lock);

	rb_erase(&slice->rb, &pool->busy);
	kdbus_space_give(&pool->space, slice);
	kdbus_trim_check(&pool->trim);
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
	spin_lock(&pool->space.lock);
	give_back(pool, slice);
	spin_unlock(&pool->space.lock);
}

/**
 * kdbus_slice_publish() - hand a slice over to user space
 * @slice:	The slice; the caller ceases to own it
 *
 * Context: Any.
 */
void kdbus_slice_publish(struct kdbus_slice *slice)
{
	spin_lock(&slice->pool->space.lock);
	slice->public = true;
	spin_unlock(&slice->pool->space.lock);
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

	spin_lock(&pool->space.lock);
	r = PTR_ERR_OR_ZERO(find_public(pool, offset));
	spin_unlock(&pool->space.lock);

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

	spin_lock(&pool->space.lock);
	slice = find_public(pool, offset);
	if (!IS_ERR(slice))
		give_back(pool, slice);
	spin_unlock(&pool->space.lock);

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

	spin_lock(&pool->space.lock);
	used = pool->space.size - pool->space.free_bytes;
	spin_unlock(&pool->space.lock);

	seq_printf(m, "pool-size:\t%zu\n", pool->space.size);
	seq_printf(m, "pool-used:\t%zu\n", used);
	seq_printf(m, "pool-resident:\t%lu\n",
		   READ_ONCE(pool->pages.frames.resident) << PAGE_SHIFT);
	seq_printf(m, "copied:\t%lld\n",
		   (long long)atomic64_read(&pool->pages.copied));
}

/* a page came that is in no slice */
static void pool_grown(void *owner)
{
	struct kdbus_pool *pool = owner;

	spin_lock(&pool->space.lock);
	kdbus_trim_check(&pool->trim);
	spin_unlock(&pool->space.lock);
}

/* the file is closed and nothing maps it any more */
static void pool_release(void *owner)
{
	struct kdbus_pool *pool = owner;

	kdbus_trim_exit(&pool->trim);
	kdbus_space_exit(&pool->space);
	kdbus_pages_exit(&pool->pages);
	kmem_cache_free(kdbus_pool_cache, pool);
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
	struct kdbus_pool *pool;
	int r;

	if (size > SIZE_MAX)
		return ERR_PTR(-EINVAL);

	pool = kmem_cache_zalloc(kdbus_pool_cache, GFP_KERNEL_ACCOUNT);
	if (!pool)
		return ERR_PTR(-ENOMEM);

	r = kdbus_pages_init(&pool->pages, size, name, pool, pool_grown,
			     pool_release);
	if (r < 0) {
		kmem_cache_free(kdbus_pool_cache, pool);
		return ERR_PTR(r);
	}

	pool->busy = RB_ROOT;
	kdbus_trim_init(&pool->trim, &pool->space, &pool->pages);
	r = kdbus_space_init(&pool->space, pool, size,
			     pool->pages.frames.memcg);
	if (r < 0) {
		kdbus_pool_put(pool);
		return ERR_PTR(r);
	}

	return pool;
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

	r = kdbus_space_module_init();
	if (r < 0)
		return r;
	r = kdbus_trim_module_init();
	if (r < 0)
		goto err_space;

	kdbus_pool_cache = kmem_cache_create(KBUILD_MODNAME "_pool",
					     sizeof(struct kdbus_pool), 0, 0,
					     NULL);
	if (kdbus_pool_cache)
		return 0;

	r = -ENOMEM;
	kdbus_trim_module_exit();
err_space:
	kdbus_space_module_exit();
	return r;
}

/**
 * kdbus_pool_module_exit() - undo kdbus_pool_module_init()
 *
 * Context: May sleep; no pools are left.
 */
void kdbus_pool_module_exit(void)
{
	kmem_cache_destroy(kdbus_pool_cache);
	kdbus_trim_module_exit();
	kdbus_space_module_exit();
}
