/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_FRAMES_H
#define __KDBUS_FRAMES_H

/**
 * DOC: Which pages a pool has
 *
 * A pool is sparse: most of its pages are not there most of the time. The table
 * that says which are, and where they lie, has an entry for each
 * KDBUS_FRAMES_CHUNK of them, so that a message is one look-up, however large
 * it is. Entries stay until the end, pages come and go.
 *
 * Pages are allocated in blocks where a whole block is missing: what lies side
 * by side is copied in one go. Each page of a block is a page of its own
 * afterwards and is freed alone.
 *
 * Everything is charged to the memory cgroup of the receiver, without waiting
 * (memcg.h).
 *
 * Locks: the owner's lock is held whenever pages come or go. Looking up pages
 * needs no lock if they are known to stay.
 */

#include <linux/types.h>
#include <linux/xarray.h>

struct kdbus_frames_chunk;
struct mem_cgroup;
struct mutex;
struct page;

#define KDBUS_FRAMES_CHUNK	64

/**
 * struct kdbus_frames - the table of one pool
 * @lock:	The owner's lock
 * @memcg:	Who pays, with a reference
 * @first:	Entry of the first chunk: small messages have no other
 * @chunks:	All entries
 * @resident:	Number of pages that are there
 */
struct kdbus_frames {
	struct mutex *lock;	/* the owner's */
	struct mem_cgroup *memcg;
	struct kdbus_frames_chunk *first;
	struct xarray chunks;
	unsigned long resident;
};

/* pages taken out in one go, see kdbus_frames_take() */
#define KDBUS_FRAMES_BATCH	32

struct kdbus_frames_batch {
	unsigned int n;
	struct page *pages[KDBUS_FRAMES_BATCH];
	unsigned long first;
	unsigned long last;
};

void kdbus_frames_init(struct kdbus_frames *frames, struct mutex *lock);
void kdbus_frames_exit(struct kdbus_frames *frames);
bool kdbus_frames_have(const struct kdbus_frames *frames, unsigned long first,
		       unsigned long last);
int kdbus_frames_fill(struct kdbus_frames *frames, unsigned long first,
		      unsigned long last);
struct page *kdbus_frames_page(const struct kdbus_frames *frames,
			       unsigned long index);
void *kdbus_frames_window(const struct kdbus_frames *frames, size_t offset,
			  size_t *size);
void kdbus_frames_take(struct kdbus_frames *frames, unsigned long first,
		       unsigned long last, unsigned long *skip,
		       struct kdbus_frames_batch *batch);

int kdbus_frames_module_init(void);
void kdbus_frames_module_exit(void);

#endif
