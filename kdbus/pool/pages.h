/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_POOL_PAGES_H
#define __KDBUS_POOL_PAGES_H

/**
 * DOC: Which pages a pool has
 *
 * A pool is sparse: most of its pages are not there most of the time. The table
 * that says which are, and where they lie, has an entry for each
 * KDBUS_PTAB_CHUNK of them, so that a message is one look-up, however large
 * it is. Entries stay until the end, pages come and go.
 *
 * Pages are allocated in blocks where a whole block is missing: what lies side
 * by side is copied in one go. Each page of a block is a page of its own
 * afterwards and is freed alone.
 *
 * Everything is charged to the memory cgroup of the receiver, without waiting
 * (memcg.h); only kdbus_pool_populate() waits, for the receiver itself.
 *
 * Pages go in two steps, so that the owner's lock need not be held while page
 * tables are searched for them. kdbus_ptab_retire() says that pages are not
 * there, kdbus_ptab_release() takes them out. A page that is needed in between
 * comes back as it is: whatever still maps it maps the right page.
 *
 * Locks: the owner's lock, ``pages->lock``, is held whenever pages come or go. Looking
 * up pages needs no lock if they are known to stay.
 */

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/xarray.h>

struct file;
struct kdbus_ptab_chunk;
struct mem_cgroup;
struct mutex;
struct page;
struct vm_area_struct;

/* as many as a word has bits, which is what is read without a lock */
#define KDBUS_PTAB_CHUNK	BITS_PER_LONG

/**
 * struct kdbus_ptab - the table of one pool
 * @lock:	The owner's lock
 * @memcg:	The cgroup that pays, with a reference
 * @first:	Entry of the first chunk: small messages have no other
 * @chunks:	All entries
 * @resident:	Number of pages that are there
 */
struct kdbus_ptab {
	struct mutex *lock;	/* the owner's */
	struct mem_cgroup *memcg;
	struct kdbus_ptab_chunk *first;
	struct xarray chunks;
	unsigned long resident;
};

/* chunks from which pages are retired in one go */
#define KDBUS_PTAB_BATCH	8

/**
 * struct kdbus_ptab_batch - pages that are about to go
 * @skip:	How many pages to leave where they are; counts down
 * @looks:	How many chunks may yet be looked at; counts down
 * @n:		Number of chunks that pages were retired from
 * @part:	These pages, in order
 */
struct kdbus_ptab_batch {
	unsigned long skip;
	unsigned int looks;
	unsigned int n;
	struct {
		struct kdbus_ptab_chunk *chunk;
		unsigned long base;
		unsigned long pages;
	} part[KDBUS_PTAB_BATCH];
};

void kdbus_ptab_init(struct kdbus_ptab *ptab, struct mutex *lock);
void kdbus_ptab_clear(struct kdbus_ptab *ptab);
void kdbus_ptab_exit(struct kdbus_ptab *ptab);
bool kdbus_ptab_have(const struct kdbus_ptab *ptab, unsigned long first,
		     unsigned long last);
int kdbus_ptab_fill(struct kdbus_ptab *ptab, unsigned long first,
		    unsigned long last);
struct page *kdbus_ptab_page(const struct kdbus_ptab *ptab,
			     unsigned long index);
void *kdbus_ptab_window(const struct kdbus_ptab *ptab, size_t offset,
			size_t *size);
bool kdbus_ptab_is(const struct kdbus_ptab *ptab, unsigned long index,
		   const struct page *page);
unsigned long kdbus_ptab_retire(struct kdbus_ptab *ptab,
				unsigned long first, unsigned long last,
				struct kdbus_ptab_batch *batch);
void kdbus_ptab_settle(const struct kdbus_ptab_batch *batch);
void kdbus_ptab_release(struct kdbus_ptab *ptab,
			const struct kdbus_ptab_batch *batch);

int kdbus_ptab_module_init(void);
void kdbus_ptab_module_exit(void);

/**
 * DOC: Pages of a pool
 *
 * The memory behind a pool: pages that come one by one when they are first
 * needed and go when they are not needed any more, and a file through which
 * user space maps them.
 *
 * Every page is charged to the memory cgroup of the task that made the pool,
 * the receiver, not to that of the sender. A receiver at its limit makes the
 * allocation fail at once; the sender neither reclaims on behalf of the
 * receiver's cgroup nor brings the OOM killer on any task. If the machine is
 * short of memory, the sender does reclaim, as for any allocation of its own,
 * and only then gives up.
 *
 * Pages are zeroed when they come. They are written through the kernel's own
 * mapping, without a lock: the range belongs to the owner of the slice.
 * User space can map them for reading only, and no mapping can become
 * writable.
 *
 * A mapping refers to the file, not to the device node, and keeps the pages
 * readable for as long as it exists. When the file goes, the owner is told, and
 * gives the pages back as soon as no task in the kernel writes to them.
 *
 * Locks: ``pages->lock`` is held whenever a page comes or goes. Senders wait for
 * it, so neither is user memory touched nor memory reclaimed while it is held,
 * and page tables are filled and searched without it. That no page table refers
 * to a page that is gone is due to the locks of pages: a fault holds that of
 * the page it maps, having seen that the page is there, and a page that goes is
 * first said not to be there, then locked once, then unmapped. ``pages->lock``
 * nests inside ``mm->mmap_lock``, and the lock of a page is only tried for inside
 * of it. Looking up a page needs no lock if the range is known to be in use.
 */

/**
 * struct kdbus_pages - the pages of a pool
 * @lock:	Held whenever a page comes or goes
 * @ptab:	Those that are there
 * @count:	How many there could be, constant
 * @copied:	Bytes ever written from user memory
 * @file:	What mappings refer to, constant
 */
struct kdbus_pages {
	struct mutex lock;	/* coming and going of pages */
	struct kdbus_ptab ptab;
	unsigned long count;
	atomic64_t copied;
	struct file *file;
};

int kdbus_pages_init(struct kdbus_pages *pages, size_t size, const char *name,
		     void *owner, void (*grown)(void *owner),
		     void (*release)(void *owner));
void kdbus_pages_clear(struct kdbus_pages *pages);
void kdbus_pages_exit(struct kdbus_pages *pages);
int kdbus_pages_populate(struct kdbus_pages *pages, size_t offset, size_t size);
void kdbus_pages_release(struct kdbus_pages *pages,
			 const struct kdbus_ptab_batch *batch);
void *kdbus_pages_window(struct kdbus_pages *pages, size_t offset,
			 size_t *size);
void kdbus_pages_write(struct kdbus_pages *pages, size_t offset,
		       const void *src, size_t size);
size_t kdbus_pages_write_user(struct kdbus_pages *pages, size_t offset,
			      const void __user *src, size_t size);
void kdbus_pages_copy(struct kdbus_pages *pages, size_t offset,
		      struct kdbus_pages *src, size_t src_offset, size_t size);
int kdbus_pages_mmap(struct kdbus_pages *pages, struct vm_area_struct *vma);

#endif
