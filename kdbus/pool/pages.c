// SPDX-License-Identifier: GPL-2.0
#include <linux/bits.h>
#include <linux/err.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "../compat/uaccess.h"
#include "../memcg.h"
#include "pages.h"

/* pages in a block */
#define BLOCK_ORDER	4
#define BLOCK		BIT(BLOCK_ORDER)

/* marks the chunks with pages, so that looking for pages finds no other */
#define POPULATED	XA_MARK_0

/**
 * struct kdbus_ptab_chunk - some pages side by side in the pool
 * @present:	Bit mask of those that are there
 * @retired:	Bit mask of those that are about to go, and are not there; guarded
 *		by the owner's lock
 * @pages:	Where they are, both kinds
 */
struct kdbus_ptab_chunk {
	unsigned long present;
	unsigned long retired;
	struct page *pages[KDBUS_PTAB_CHUNK];
};

static struct kmem_cache *pages_chunk_cache;

static struct kdbus_ptab_chunk *
pages_find_chunk(const struct kdbus_ptab *ptab, unsigned long index)
{
	if (index < KDBUS_PTAB_CHUNK)
		return READ_ONCE(ptab->first);
	return xa_load((struct xarray *)&ptab->chunks,
		       index / KDBUS_PTAB_CHUNK);
}

/* bits of the pages from @first to @last in the chunk of @first */
static unsigned long pages_chunk_mask(unsigned long first, unsigned long last)
{
	last = min(last, first | (KDBUS_PTAB_CHUNK - 1));
	return GENMASK(last % KDBUS_PTAB_CHUNK, first % KDBUS_PTAB_CHUNK);
}

static unsigned long pages_next_chunk(unsigned long index)
{
	return (index | (KDBUS_PTAB_CHUNK - 1)) + 1;
}

/**
 * kdbus_ptab_have() - whether pages are there
 * @ptab:	The table
 * @first:	Index of the first one
 * @last:	Index of the last one
 *
 * Context: Any.
 *
 * Return: Whether all of them are. They stay only if something keeps them.
 */
bool kdbus_ptab_have(const struct kdbus_ptab *ptab, unsigned long first,
		     unsigned long last)
{
	struct kdbus_ptab_chunk *chunk;
	unsigned long mask;

	for (; first <= last; first = pages_next_chunk(first)) {
		chunk = pages_find_chunk(ptab, first);
		if (!chunk)
			return false;
		mask = pages_chunk_mask(first, last);
		/* pairs with pages_bring() */
		if ((smp_load_acquire(&chunk->present) & mask) != mask)
			return false;
	}

	return true;
}

static struct kdbus_ptab_chunk *pages_add_chunk(struct kdbus_ptab *ptab,
						unsigned long index)
{
	struct kdbus_ptab_chunk *chunk;
	struct mem_cgroup *old;
	int r = -ENOMEM;

	lockdep_assert_held(ptab->lock);

	old = set_active_memcg(ptab->memcg);
	chunk = kmem_cache_zalloc(pages_chunk_cache, KDBUS_GFP_RECEIVER);
	if (chunk)
		r = xa_err(xa_store(&ptab->chunks, index / KDBUS_PTAB_CHUNK,
				    chunk, KDBUS_GFP_RECEIVER));
	set_active_memcg(old);

	if (r < 0) {
		if (chunk)
			kmem_cache_free(pages_chunk_cache, chunk);
		return NULL;
	}

	if (index < KDBUS_PTAB_CHUNK)
		/* pairs with pages_find_chunk(), which depends on the address */
		smp_store_release(&ptab->first, chunk);
	return chunk;
}

/* pages are where the chunk says; index is that of the first one */
static void pages_set_present(struct kdbus_ptab *ptab,
			      struct kdbus_ptab_chunk *chunk, unsigned long index,
			      unsigned int n)
{
	unsigned long mask = pages_chunk_mask(index, index + n - 1);

	lockdep_assert_held(ptab->lock);

	if (!chunk->present)
		xa_set_mark(&ptab->chunks, index / KDBUS_PTAB_CHUNK,
			    POPULATED);
	WRITE_ONCE(ptab->resident, ptab->resident + n);
	/* pairs with kdbus_ptab_have() */
	smp_store_release(&chunk->present, chunk->present | mask);
}

static int pages_bring(struct kdbus_ptab *ptab,
		       struct kdbus_ptab_chunk *chunk, unsigned long index,
		       unsigned int order)
{
	gfp_t gfp = KDBUS_GFP_RECEIVER | __GFP_ZERO;
	unsigned int at = index % KDBUS_PTAB_CHUNK;
	struct mem_cgroup *old;
	struct page *page;
	unsigned int i;

	lockdep_assert_held(ptab->lock);

	/* a block is nothing to make the system tidy up for */
	if (order)
		gfp &= ~__GFP_RECLAIM;
	old = set_active_memcg(ptab->memcg);
	page = alloc_pages(gfp, order);
	set_active_memcg(old);
	if (!page)
		return -ENOMEM;

	split_page(page, order);
	for (i = 0; i < 1U << order; i++)
		/* pairs with kdbus_ptab_is() */
		WRITE_ONCE(chunk->pages[at + i], page + i);
	pages_set_present(ptab, chunk, index, 1U << order);
	return 0;
}

/* is a whole block missing, and wanted? */
static bool pages_lack_block(const struct kdbus_ptab_chunk *chunk,
			     unsigned long index, unsigned long last)
{
	return IS_ALIGNED(index, BLOCK) && last - index >= BLOCK - 1 &&
	       !((chunk->present | chunk->retired) &
		 pages_chunk_mask(index, index + BLOCK - 1));
}

static int pages_fill_one(struct kdbus_ptab *ptab, unsigned long index,
			  unsigned long last)
{
	struct kdbus_ptab_chunk *chunk = pages_find_chunk(ptab, index);
	unsigned long bit = BIT(index % KDBUS_PTAB_CHUNK);

	lockdep_assert_held(ptab->lock);

	if (!chunk)
		chunk = pages_add_chunk(ptab, index);
	if (!chunk)
		return -ENOMEM;

	if (chunk->present & bit)
		return 0;
	/* on its way out: it may still be mapped, and no other may take over */
	if (chunk->retired & bit) {
		chunk->retired &= ~bit;
		pages_set_present(ptab, chunk, index, 1);
		return 0;
	}
	if (pages_lack_block(chunk, index, last) &&
	    pages_bring(ptab, chunk, index, BLOCK_ORDER) == 0)
		return 0;
	return pages_bring(ptab, chunk, index, 0);
}

/**
 * kdbus_ptab_fill() - see to it that pages are there
 * @ptab:	The table
 * @first:	Index of the first one
 * @last:	Index of the last one
 *
 * New pages are zeroed, those that were about to go are not. Those that came
 * before one that did not stay.
 *
 * Context: Does not sleep; the owner's lock is held.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_ptab_fill(struct kdbus_ptab *ptab, unsigned long first,
		    unsigned long last)
{
	int r = 0;

	lockdep_assert_held(ptab->lock);

	for (; first <= last && r == 0; first++)
		r = pages_fill_one(ptab, first, last);
	return r;
}

/**
 * kdbus_ptab_page() - look up a page
 * @ptab:	The table
 * @index:	Its index
 *
 * Context: Any; something keeps the page, such as the owner's lock.
 *
 * Return: The page, or NULL if it is not there.
 */
struct page *kdbus_ptab_page(const struct kdbus_ptab *ptab,
			     unsigned long index)
{
	struct kdbus_ptab_chunk *chunk = pages_find_chunk(ptab, index);
	unsigned int at = index % KDBUS_PTAB_CHUNK;

	/* pairs with pages_bring() */
	if (!chunk || !(smp_load_acquire(&chunk->present) & BIT(at)))
		return NULL;
	return chunk->pages[at];
}

/*
 * Where memory is sparse, a part of the number is in the flags of the page: a part
 * that never changes, beside bits that do.
 */
static unsigned long pages_pfn(const struct page *page)
{
	/* a race on other bits */
	return data_race(page_to_pfn(page));
}

/**
 * kdbus_ptab_window() - bytes that can be written in one go
 * @ptab:	The table
 * @offset:	Where they begin in the pool
 * @size:	How many are wanted, not 0; set to how many there are
 *
 * Context: Any; the caller knows that the pages are there and stay.
 *
 * Return: Where they are in the kernel's memory.
 */
void *kdbus_ptab_window(const struct kdbus_ptab *ptab, size_t offset,
			size_t *size)
{
	unsigned long index = offset >> PAGE_SHIFT;
	struct kdbus_ptab_chunk *chunk = pages_find_chunk(ptab, index);
	unsigned int at = index % KDBUS_PTAB_CHUNK, i = at;
	size_t n = PAGE_SIZE - offset_in_page(offset);

	while (n < *size && ++i < KDBUS_PTAB_CHUNK &&
	       pages_pfn(chunk->pages[i]) == pages_pfn(chunk->pages[i - 1]) + 1)
		n += PAGE_SIZE;

	*size = min(n, *size);
	/* likewise */
	return data_race(page_address(chunk->pages[at])) + offset_in_page(offset);
}

/**
 * kdbus_ptab_is() - whether a page is the one at a place
 * @ptab:	The table
 * @index:	Its index
 * @page:	The page, with a reference of the caller's, and locked
 *
 * If it is, then it stays as long as it is locked: see kdbus_ptab_settle().
 *
 * Context: Any.
 */
bool kdbus_ptab_is(const struct kdbus_ptab *ptab, unsigned long index,
		   const struct page *page)
{
	struct kdbus_ptab_chunk *chunk = pages_find_chunk(ptab, index);
	unsigned int at = index % KDBUS_PTAB_CHUNK;

	/* pairs with pages_bring() */
	return chunk && (smp_load_acquire(&chunk->present) & BIT(at)) &&
	       READ_ONCE(chunk->pages[at]) == page;
}

/* the pages of @mask, but not those to skip */
static unsigned long pages_mask_skip(unsigned long mask, unsigned long *skip)
{
	unsigned int n = hweight_long(mask);

	if (*skip >= n) {
		*skip -= n;
		return 0;
	}
	for (; *skip > 0; (*skip)--)
		mask &= mask - 1;
	return mask;
}

static void pages_retire(struct kdbus_ptab *ptab,
			 struct kdbus_ptab_chunk *chunk,
			 unsigned long chunk_nr, unsigned long mask)
{
	lockdep_assert_held(ptab->lock);

	WRITE_ONCE(chunk->present, chunk->present & ~mask);
	chunk->retired |= mask;
	WRITE_ONCE(ptab->resident, ptab->resident - hweight_long(mask));
	if (!chunk->present)
		xa_clear_mark(&ptab->chunks, chunk_nr, POPULATED);
}

/**
 * kdbus_ptab_retire() - say that pages are not there
 * @ptab:	The table
 * @first:	First index of a range that nobody uses
 * @last:	Last index of the range
 * @batch:	How much to do, and where to put it
 *
 * The caller keeps the range from being used until this returns. It is to be
 * followed by kdbus_ptab_release(), before another task retires pages.
 *
 * Context: Any; the owner's lock is held.
 *
 * Return: Where to go on if this was not all, or @last + 1.
 */
unsigned long kdbus_ptab_retire(struct kdbus_ptab *ptab,
				unsigned long first, unsigned long last,
				struct kdbus_ptab_batch *batch)
{
	unsigned long nr = first / KDBUS_PTAB_CHUNK, index, mask;
	struct kdbus_ptab_chunk *chunk;

	lockdep_assert_held(ptab->lock);

	for (chunk = xa_find(&ptab->chunks, &nr, last / KDBUS_PTAB_CHUNK,
			     POPULATED);
	     chunk;
	     chunk = xa_find_after(&ptab->chunks, &nr,
				   last / KDBUS_PTAB_CHUNK, POPULATED)) {
		index = max(first, nr * KDBUS_PTAB_CHUNK);
		if (!batch->looks || batch->n == KDBUS_PTAB_BATCH)
			return index;
		batch->looks--;
		mask = pages_mask_skip(chunk->present & pages_chunk_mask(index, last),
				       &batch->skip);
		if (!mask)
			continue;
		pages_retire(ptab, chunk, nr, mask);
		batch->part[batch->n].chunk = chunk;
		batch->part[batch->n].base = nr * KDBUS_PTAB_CHUNK;
		batch->part[batch->n++].pages = mask;
	}

	return last + 1;
}

static unsigned long pages_batch_first(const struct kdbus_ptab_batch *batch)
{
	return batch->part[0].base + __ffs(batch->part[0].pages);
}

static unsigned long pages_batch_last(const struct kdbus_ptab_batch *batch)
{
	return batch->part[batch->n - 1].base +
	       fls_long(batch->part[batch->n - 1].pages) - 1;
}

/**
 * kdbus_ptab_settle() - wait for faults that have found pages of a batch
 * @batch:	Pages that were retired
 *
 * Such a fault holds the lock of the page while it puts it into a page table.
 * Later ones find that it is not there, unless it has come back.
 *
 * Context: May sleep.
 */
void kdbus_ptab_settle(const struct kdbus_ptab_batch *batch)
{
	struct page *page;
	unsigned int i;
	unsigned long mask;

	for (i = 0; i < batch->n; i++)
		for (mask = batch->part[i].pages; mask; mask &= mask - 1) {
			page = batch->part[i].chunk->pages[__ffs(mask)];
			lock_page(page);
			unlock_page(page);
		}
}

static void pages_put(struct page **pages, unsigned int n)
{
	while (n--)
		put_page(pages[n]);
}

/**
 * kdbus_ptab_release() - take out what was retired
 * @ptab:	The table
 * @batch:	The pages, mapped nowhere but those that have come back
 *
 * Context: May sleep; takes the owner's lock.
 */
void kdbus_ptab_release(struct kdbus_ptab *ptab,
			const struct kdbus_ptab_batch *batch)
{
	struct page *pages[KDBUS_PTAB_CHUNK];
	struct kdbus_ptab_chunk *chunk;
	unsigned int i, n;
	unsigned long mask;

	for (i = 0; i < batch->n; i++) {
		chunk = batch->part[i].chunk;
		n = 0;
		mutex_lock(ptab->lock);
		mask = chunk->retired;
		chunk->retired = 0;
		for (; mask; mask &= mask - 1)
			pages[n++] = chunk->pages[__ffs(mask)];
		mutex_unlock(ptab->lock);
		pages_put(pages, n);
	}
}

/**
 * kdbus_ptab_init() - make a table of nothing
 * @ptab:	The table
 * @lock:	The owner's lock
 *
 * The calling task pays for what will be in it.
 *
 * Context: May sleep.
 */
void kdbus_ptab_init(struct kdbus_ptab *ptab, struct mutex *lock)
{
	ptab->lock = lock;
	ptab->memcg = get_mem_cgroup_from_mm(current->mm);
	ptab->first = NULL;
	ptab->resident = 0;
	xa_init(&ptab->chunks);
}

/**
 * kdbus_ptab_clear() - free all pages
 * @ptab:	The table; nobody refers to what is in it, nor will
 *
 * Context: May sleep.
 */
void kdbus_ptab_clear(struct kdbus_ptab *ptab)
{
	struct kdbus_ptab_chunk *chunk;
	unsigned long i;
	unsigned long mask;

	xa_for_each(&ptab->chunks, i, chunk) {
		for (mask = chunk->present; mask; mask &= mask - 1)
			put_page(chunk->pages[__ffs(mask)]);
		kmem_cache_free(pages_chunk_cache, chunk);
		cond_resched();
	}
	xa_destroy(&ptab->chunks);
	ptab->first = NULL;
	WRITE_ONCE(ptab->resident, 0);
}

/**
 * kdbus_ptab_exit() - get rid of a table
 * @ptab:	The table; nobody uses it any more
 *
 * Context: May sleep.
 */
void kdbus_ptab_exit(struct kdbus_ptab *ptab)
{
	kdbus_ptab_clear(ptab);
	mem_cgroup_put(ptab->memcg);
}

/**
 * kdbus_ptab_module_init() - prepare for tables
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_ptab_module_init(void)
{
	pages_chunk_cache = kmem_cache_create(KBUILD_MODNAME "_chunk",
					      sizeof(struct kdbus_ptab_chunk),
					      0, 0, NULL);
	return pages_chunk_cache ? 0 : -ENOMEM;
}

/**
 * kdbus_ptab_module_exit() - undo kdbus_ptab_module_init()
 *
 * Context: May sleep; no tables are left.
 */
void kdbus_ptab_module_exit(void)
{
	kmem_cache_destroy(pages_chunk_cache);
}

static int pages_fill(struct kdbus_pages *pages, unsigned long first,
		      unsigned long last)
{
	int r;

	mutex_lock(&pages->lock);
	r = kdbus_ptab_fill(&pages->ptab, first, last);
	mutex_unlock(&pages->lock);

	return r;
}

/**
 * kdbus_pages_populate() - see to it that a range has pages
 * @pages:	The pages
 * @offset:	Where the range begins, in bytes
 * @size:	Bytes in it, not 0
 *
 * The range must be in use, so that what is there stays.
 *
 * Context: May sleep, but not for long.
 *
 * Return: 0, or -ENOBUFS if the receiver or the machine has no more memory.
 */
int kdbus_pages_populate(struct kdbus_pages *pages, size_t offset, size_t size)
{
	unsigned long first = offset >> PAGE_SHIFT;
	unsigned long last = (offset + size - 1) >> PAGE_SHIFT;

	if (kdbus_ptab_have(&pages->ptab, first, last))
		return 0;
	if (pages_fill(pages, first, last) == 0)
		return 0;
	if (kdbus_memcg_reclaim_machine() &&
	    pages_fill(pages, first, last) == 0)
		return 0;
	return -ENOBUFS;
}

/**
 * kdbus_pages_release() - give pages back to the system
 * @pages:	The pages
 * @batch:	Which, retired with kdbus_ptab_retire()
 *
 * What has been needed again in the meantime stays. User space may have mapped
 * the pool so often that this takes long, hence without a lock.
 *
 * Context: May sleep; no locks may be held.
 */
void kdbus_pages_release(struct kdbus_pages *pages,
			 const struct kdbus_ptab_batch *batch)
{
	unsigned long first, last;

	if (!batch->n)
		return;

	/* what was mapped and is in use is mapped again at the next access */
	first = pages_batch_first(batch);
	last = pages_batch_last(batch);
	kdbus_ptab_settle(batch);
	unmap_mapping_range(pages->file->f_mapping,
			    (loff_t)first << PAGE_SHIFT,
			    (loff_t)(last - first + 1) << PAGE_SHIFT, 1);
	kdbus_ptab_release(&pages->ptab, batch);
}

/**
 * kdbus_pages_window() - bytes that can be written in one go
 * @pages:	The pages
 * @offset:	Where they begin, populated and in use
 * @size:	How many are wanted, not 0; set to how many there are
 *
 * Return: Where they are.
 */
void *kdbus_pages_window(struct kdbus_pages *pages, size_t offset,
			 size_t *size)
{
	return kdbus_ptab_window(&pages->ptab, offset, size);
}

/**
 * kdbus_pages_write() - write bytes of the kernel
 * @pages:	The pages
 * @offset:	Where to, populated and in use
 * @src:	What
 * @size:	How much
 */
void kdbus_pages_write(struct kdbus_pages *pages, size_t offset,
		       const void *src, size_t size)
{
	void *to;
	size_t n;

	for (; size > 0; offset += n, src += n, size -= n) {
		n = size;
		to = kdbus_pages_window(pages, offset, &n);
		memcpy(to, src, n);
	}
}

/**
 * kdbus_pages_write_user() - write bytes from the memory of the caller
 * @pages:	The pages
 * @offset:	Where to, populated and in use
 * @src:	What
 * @size:	How much
 *
 * Takes no page faults, so that user space cannot keep the pages.
 *
 * Context: Any.
 *
 * Return: How many bytes were there, and have been written.
 */
size_t kdbus_pages_write_user(struct kdbus_pages *pages, size_t offset,
			      const void __user *src, size_t size)
{
	unsigned long left = 0;
	size_t n, copied = 0;
	void *to;

	for (; copied < size && !left; copied += n - left) {
		/* what cannot be copied of each piece is cleared */
		n = min_t(size_t, size - copied, SZ_16K);
		to = kdbus_pages_window(pages, offset + copied, &n);
		pagefault_disable();
		/* whole pages: no object that hardening could look up */
		left = kdbus_copy_from_user(to, src + copied, n);
		pagefault_enable();
	}
	atomic64_add(copied, &pages->copied);

	return copied;
}

/**
 * kdbus_pages_copy() - write bytes of another pool
 * @pages:	The pages
 * @offset:	Where to, populated and in use
 * @src:	The other pages
 * @src_offset:	Where from, populated and in use
 * @size:	How much
 */
void kdbus_pages_copy(struct kdbus_pages *pages, size_t offset,
		      struct kdbus_pages *src, size_t src_offset, size_t size)
{
	const void *from;
	size_t n;

	for (; size > 0; offset += n, src_offset += n, size -= n) {
		n = size;
		from = kdbus_pages_window(src, src_offset, &n);
		kdbus_pages_write(pages, offset, from, n);
	}
}
