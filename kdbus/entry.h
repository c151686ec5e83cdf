/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_ENTRY_H
#define __KDBUS_ENTRY_H

/**
 * DOC: Messages in queues
 *
 * An entry stands for a message in one queue. It owns the slice that the message
 * is in, the files that travel with it and a reference to the reply that is owed
 * for it. The owner of the pool pays for it.
 *
 * Each queue keeps one unused entry: who has received a message will receive
 * another one.
 *
 * Locks: none. Whoever has taken an entry out of its queue, or has not put it
 * into one yet, owns it; in a queue it is guarded by the queue's lock.
 */

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/types.h>

#include "quota.h"

struct kdbus_files;
struct kdbus_queue;
struct kdbus_reply;
struct kdbus_slice;

/**
 * struct kdbus_queue_entry - a message waiting
 * @fifo:	Place in the order of arrival
 * @normal:	Place among those with priority 0
 * @sorted:	Place among the others
 * @seq:	Number of the message, its place in the order of arrival; of a staged
 *		one, that of the message before it
 * @stamp:	Where in @slice its number goes, or 0
 * @priority:	Priority
 * @name_id:	Registration of the name it was addressed to, or 0
 * @slice:	The message
 * @files:	Files that come with it, or NULL
 * @reply:	The reply that is owed for it, with a reference, or NULL
 * @claim:	What it takes up in the quota of its sender
 */
struct kdbus_queue_entry {
	struct list_head fifo;
	union {
		struct list_head normal;
		struct rb_node sorted;
	};
	u64 seq;
	size_t stamp;
	s64 priority;
	u64 name_id;
	struct kdbus_slice *slice;
	struct kdbus_files *files;
	struct kdbus_reply *reply;
	struct kdbus_claim claim;
};

struct kdbus_queue_entry *kdbus_queue_entry_new(struct kdbus_queue *queue,
						struct kdbus_slice *slice,
						struct kdbus_files *files,
						s64 priority);
void kdbus_queue_entry_free(struct kdbus_queue *queue,
			    struct kdbus_queue_entry *entry);
void kdbus_queue_entry_exit(struct kdbus_queue *queue);

int kdbus_entry_module_init(void);
void kdbus_entry_module_exit(void);

#endif
