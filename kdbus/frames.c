// SPDX-License-Identifier: GPL-2.0
#include <linux/bits.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "frames.h"
#include "memcg.h"

/* pages in a block */
#define BLOCK_ORDER	4
#define BLOCK		BIT(BLOCK_ORDER)

/**
 * struct kdbus_frames_chunk - some pages side by side in the pool
 * @present:	Bit mask of those that are there
 * @pages:	Where they are
 */
struct kdbus_frames_chunk {
	u64 present;
	struct page *pages[KDBUS_FRAMES_CHUNK];
};

static struct kmem_cache *kdbus_chunk_cache;

static struct kdbus_frames_chunk *
find_chunk(const struct kdbus_frames *frames, unsigned long index)
{
	if (index < KDBUS_FRAMES_CHUNK)
		return READ_ONCE(frames->first);
	return xa_load((struct xarray *)&frames->chunks,
		       index / KDBUS_FRAMES_CHUNK);
}

/* bits of the pages from @first to @last in the chunk of @first */
static u64 chunk_mask(unsigned long first, unsigned long last)
{
	last = min(last, first | (KDBUS_FRAMES_CHUNK - 1));
	return GENMASK_ULL(last % KDBUS_FRAMES_CHUNK,
			   first % KDBUS_FRAMES_CHUNK);
}

static unsigned long next_chunk(unsigned long index)
{
	return (index | (KDBUS_FRAMES_CHUNK - 1)) + 1;
}

/**
 * kdbus_frames_have() - whether pages are there
 * @frames:	The table
 * @first:	Index of the first one
 * @last:	Index of the last one
 *
 * Context: Any.
 *
 * Return: Whether all of them are. They stay only if something keeps them.
 */
bool kdbus_frames_have(const struct kdbus_frames *frames, unsigned long first,
		       unsigned long last)
{
	struct kdbus_frames_chunk *chunk;
	u64 mask;

	for (; first <= last; first = next_chunk(first)) {
		chunk = find_chunk(frames, first);
		if (!chunk)
			return false;
		mask = chunk_mask(first, last);
		/* pairs with bring_pages() */
		if ((smp_load_acquire(&chunk->present) & mask) != mask)
			return false;
	}

	return true;
}

static struct kdbus_frames_chunk *add_chunk(struct kdbus_frames *frames,
					    unsigned long index)
{
	struct kdbus_frames_chunk *chunk;
	struct mem_cgroup *old;
	int r = -ENOMEM;

	lockdep_assert_held(frames->lock);

	old = set_active_memcg(frames->memcg);
	chunk = kmem_cache_zalloc(kdbus_chunk_cache, KDBUS_GFP_RECEIVER);
	if (chunk)
		r = xa_err(xa_store(&frames->chunks, index / KDBUS_FRAMES_CHUNK,
				    chunk, KDBUS_GFP_RECEIVER));
	set_active_memcg(old);

	if (r < 0) {
		if (chunk)
			kmem_cache_free(kdbus_chunk_cache, chunk);
		return NULL;
	}

	if (index < KDBUS_FRAMES_CHUNK)
		/* pairs with find_chunk(), which depends on the address */
		smp_store_release(&frames->first, chunk);
	return chunk;
}

static int bring_pages(struct kdbus_frames *frames,
		       struct kdbus_frames_chunk *chunk, unsigned int at,
		       unsigned int order)
{
	gfp_t gfp = KDBUS_GFP_RECEIVER | __GFP_ZERO;
	struct mem_cgroup *old;
	struct page *page;
	unsigned int i;

	lockdep_assert_held(frames->lock);

	/* a block is nothing to make the system tidy up for */
	if (order)
		gfp &= ~__GFP_RECLAIM;
	old = set_active_memcg(frames->memcg);
	page = alloc_pages(gfp, order);
	set_active_memcg(old);
	if (!page)
		return -ENOMEM;

	split_page(page, order);
	for (i = 0; i < 1U << order; i++)
		chunk->pages[at + i] = page + i;
	WRITE_ONCE(frames->resident, frames->resident + (1UL << order));
	/* pairs with kdbus_frames_have() */
	smp_store_release(&chunk->present, chunk->present |
			  GENMASK_ULL(at + (1U << order) - 1, at));
	return 0;
}

/* is a whole block missing, and wanted? */
static bool lacks_block(const struct kdbus_frames_chunk *chunk,
			unsigned long index, unsigned long last)
{
	return IS_ALIGNED(index, BLOCK) && last - index >= BLOCK - 1 &&
	       !(chunk->present & chunk_mask(index, index + BLOCK - 1));
}

static int fill_one(struct kdbus_frames *frames, unsigned long index,
		    unsigned long last)
{
	struct kdbus_frames_chunk *chunk = find_chunk(frames, index);
	unsigned int at = index % KDBUS_FRAMES_CHUNK;

	if (!chunk)
		chunk = add_chunk(frames, index);
	if (!chunk)
		return -ENOMEM;

	if (chunk->present & BIT_ULL(at))
		return 0;
	if (lacks_block(chunk, index, last) &&
	    bring_pages(frames, chunk, at, BLOCK_ORDER) == 0)
		return 0;
	return bring_pages(frames, chunk, at, 0);
}

/**
 * kdbus_frames_fill() - see to it that pages are there
 * @frames:	The table
 * @first:	Index of the first one
 * @last:	Index of the last one
 *
 * New pages are zeroed. Those that came before one that did not stay.
 *
 * Context: Does not sleep; the owner's lock is held.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_frames_fill(struct kdbus_frames *frames, unsigned long first,
		      unsigned long last)
{
	int r = 0;

	for (; first <= last && r == 0; first++)
		r = fill_one(frames, first, last);
	return r;
}

/**
 * kdbus_frames_page() - look up a page
 * @frames:	The table
 * @index:	Its index
 *
 * Context: Any; something keeps the page, such as the owner's lock.
 *
 * Return: The page, or NULL if it is not there.
 */
struct page *kdbus_frames_page(const struct kdbus_frames *frames,
			       unsigned long index)
{
	struct kdbus_frames_chunk *chunk = find_chunk(frames, index);
	unsigned int at = index % KDBUS_FRAMES_CHUNK;

	/* pairs with bring_pages() */
	if (!chunk || !(smp_load_acquire(&chunk->present) & BIT_ULL(at)))
		return NULL;
	return chunk->pages[at];
}

/**
 * kdbus_frames_window() - bytes that can be written in one go
 * @frames:	The table
 * @offset:	Where they begin in the pool
 * @size:	How many are wanted, not 0; set to how many there are
 *
 * Context: Any; the caller knows that the pages are there and stay.
 *
 * Return: Where they are in the kernel's memory.
 */
void *kdbus_frames_window(const struct kdbus_frames *frames, size_t offset,
			  size_t *size)
{
	unsigned long index = offset >> PAGE_SHIFT;
	struct kdbus_frames_chunk *chunk = find_chunk(frames, index);
	unsigned int at = index % KDBUS_FRAMES_CHUNK, i = at;
	size_t n = PAGE_SIZE - offset_in_page(offset);

	while (n < *size && ++i < KDBUS_FRAMES_CHUNK &&
	       page_to_pfn(chunk->pages[i]) ==
	       page_to_pfn(chunk->pages[i - 1]) + 1)
		n += PAGE_SIZE;

	*size = min(n, *size);
	return page_address(chunk->pages[at]) + offset_in_page(offset);
}

static void take_page(struct kdbus_frames *frames,
		      struct kdbus_frames_chunk *chunk, unsigned long index,
		      struct kdbus_frames_batch *batch)
{
	unsigned int at = index % KDBUS_FRAMES_CHUNK;

	if (batch->n == 0)
		batch->first = index;
	batch->last = index;
	batch->pages[batch->n++] = chunk->pages[at];
	WRITE_ONCE(chunk->present, chunk->present & ~BIT_ULL(at));
	WRITE_ONCE(frames->resident, frames->resident - 1);
}

/**
 * kdbus_frames_take() - take pages out
 * @frames:	The table
 * @first:	First index of a range that nobody uses
 * @last:	Last index of the range
 * @skip:	How many pages to leave where they are; counts down
 * @batch:	Where to put the others, as many as fit
 *
 * The caller keeps the range from being used until this returns. Pages in the
 * batch are the caller's.
 *
 * Context: Any; the owner's lock is held.
 */
void kdbus_frames_take(struct kdbus_frames *frames, unsigned long first,
		       unsigned long last, unsigned long *skip,
		       struct kdbus_frames_batch *batch)
{
	unsigned long chunk_nr = first / KDBUS_FRAMES_CHUNK, index;
	struct kdbus_frames_chunk *chunk;
	u64 mask;

	lockdep_assert_held(frames->lock);

	xa_for_each_range(&frames->chunks, chunk_nr, chunk, chunk_nr,
			  last / KDBUS_FRAMES_CHUNK) {
		index = max(first, chunk_nr * KDBUS_FRAMES_CHUNK);
		mask = chunk->present & chunk_mask(index, last);
		for (; mask; mask &= mask - 1) {
			if (*skip > 0) {
				(*skip)--;
				continue;
			}
			if (batch->n == KDBUS_FRAMES_BATCH)
				return;
			take_page(frames, chunk, chunk_nr * KDBUS_FRAMES_CHUNK +
				  __ffs64(mask), batch);
		}
	}
}

/**
 * kdbus_frames_init() - make a table of nothing
 * @frames:	The table
 * @lock:	The owner's lock
 *
 * The calling task pays for what will be in it.
 *
 * Context: May sleep.
 */
void kdbus_frames_init(struct kdbus_frames *frames, struct mutex *lock)
{
	frames->lock = lock;
	frames->memcg = get_mem_cgroup_from_mm(current->mm);
	frames->first = NULL;
	frames->resident = 0;
	xa_init(&frames->chunks);
}

/**
 * kdbus_frames_exit() - free all pages
 * @frames:	The table; nobody uses it any more
 *
 * Context: May sleep.
 */
void kdbus_frames_exit(struct kdbus_frames *frames)
{
	struct kdbus_frames_chunk *chunk;
	unsigned long i;
	u64 mask;

	xa_for_each(&frames->chunks, i, chunk) {
		for (mask = chunk->present; mask; mask &= mask - 1)
			put_page(chunk->pages[__ffs64(mask)]);
		kmem_cache_free(kdbus_chunk_cache, chunk);
	}
	xa_destroy(&frames->chunks);
	mem_cgroup_put(frames->memcg);
}

/**
 * kdbus_frames_module_init() - prepare for tables
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_frames_module_init(void)
{
	kdbus_chunk_cache = kmem_cache_create(KBUILD_MODNAME "_chunk",
					      sizeof(struct kdbus_frames_chunk),
					      0, 0, NULL);
	return kdbus_chunk_cache ? 0 : -ENOMEM;
}

/**
 * kdbus_frames_module_exit() - undo kdbus_frames_module_init()
 *
 * Context: May sleep; no tables are left.
 */
void kdbus_frames_module_exit(void)
{
	kmem_cache_destroy(kdbus_chunk_cache);
}
