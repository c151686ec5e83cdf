/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_QUEUE_H
#define __KDBUS_QUEUE_H

/**
 * DOC: Message queues
 *
 * Messages wait in a queue until they are received. An entry owns the slice
 * the message is in and the files that travel with it.
 *
 * There are two orders on the same entries: the order of arrival, and by
 * priority, smaller numbers first, arrival deciding among equals. Nearly all
 * messages have priority 0; these are a list, and only the others are sorted.
 *
 * Receiving takes an entry out of the queue before it is known whether the
 * rest works out, and puts it back in its place if it does not. Meanwhile it
 * still counts.
 *
 * Closing a queue is final. It is atomic with regard to everything else: a
 * message is either in the queue before, or refused.
 *
 * Locks: @lock is a spinlock, held briefly. Nothing nests inside.
 */

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "quota.h"

struct kdbus_files;
struct kdbus_slice;
struct seq_file;

/**
 * struct kdbus_queue - messages waiting
 * @lock:	Guards the rest
 * @fifo:	Entries in order of arrival
 * @normal:	Those with priority 0, in order of arrival
 * @sorted:	The others, by priority, then arrival
 * @arrivals:	How many there have ever been
 * @count:	How many there are, with those being received
 * @closed:	No more messages
 * @quota:	Shares of the senders
 */
struct kdbus_queue {
	spinlock_t lock;	/* entries */
	struct list_head fifo;
	struct list_head normal;
	struct rb_root_cached sorted;
	u64 arrivals;
	unsigned int count;
	bool closed;
	struct kdbus_quota quota;
};

/**
 * struct kdbus_queue_entry - a message waiting
 * @fifo:	Place in the order of arrival
 * @normal:	Place among those with priority 0
 * @sorted:	Place among the others
 * @arrival:	Number in the order of arrival
 * @priority:	Priority
 * @slice:	The message
 * @files:	Files that come with it, or NULL
 * @share:	Where it is counted, or NULL
 */
struct kdbus_queue_entry {
	struct list_head fifo;
	union {
		struct list_head normal;
		struct rb_node sorted;
	};
	u64 arrival;
	s64 priority;
	struct kdbus_slice *slice;
	struct kdbus_files *files;
	struct kdbus_share *share;
};

/**
 * struct kdbus_queue_pick - which message is wanted
 * @by_priority:	The most urgent one, not the oldest
 * @priority:		How urgent it has to be at least
 */
struct kdbus_queue_pick {
	bool by_priority;
	s64 priority;
};

void kdbus_queue_init(struct kdbus_queue *queue);
bool kdbus_queue_is_closed(const struct kdbus_queue *queue);
bool kdbus_queue_is_empty(const struct kdbus_queue *queue);
bool kdbus_queue_is_full(const struct kdbus_queue *queue);
bool kdbus_queue_is_crowded(const struct kdbus_queue *queue);
int kdbus_queue_push(struct kdbus_queue *queue, struct kdbus_queue_entry *entry,
		     struct kdbus_user *user);
int kdbus_queue_peek(struct kdbus_queue *queue,
		     const struct kdbus_queue_pick *pick, size_t *offset);
struct kdbus_queue_entry *kdbus_queue_take(struct kdbus_queue *queue,
					   const struct kdbus_queue_pick *pick);
bool kdbus_queue_untake(struct kdbus_queue *queue,
			struct kdbus_queue_entry *entry);
void kdbus_queue_taken(struct kdbus_queue *queue,
		       struct kdbus_queue_entry *entry);
int kdbus_queue_close(struct kdbus_queue *queue, bool only_if_empty);
void kdbus_queue_flush(struct kdbus_queue *queue);
void kdbus_queue_show(struct kdbus_queue *queue, struct seq_file *m);

struct kdbus_queue_entry *kdbus_queue_entry_new(struct kdbus_slice *slice,
						struct kdbus_files *files,
						s64 priority);
void kdbus_queue_entry_free(struct kdbus_queue_entry *entry);

int kdbus_queue_module_init(void);
void kdbus_queue_module_exit(void);

#endif
