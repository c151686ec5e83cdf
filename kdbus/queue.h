/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_QUEUE_H
#define __KDBUS_QUEUE_H

/**
 * DOC: Message queues
 *
 * Messages wait in a queue until they are received. What each of them is, and
 * which comes first, is described with its structure.
 *
 * Receiving takes an entry out of the queue before it is known whether the
 * rest works out, and puts it back in its place if it does not. Meanwhile it
 * still counts.
 *
 * Messages of users and notifications of the kernel are counted apart, so that
 * neither keep the others out. Among notifications, those about the connection's
 * own requests are counted apart once more: there are as many as it asks for.
 *
 * Closing a queue is final. It is atomic with regard to everything else: a
 * message is either in the queue before, or refused.
 *
 * Locks: ``queue->lock`` is a spinlock, held briefly. ``slices->lock`` nests inside, and
 * ``replies->lock``: an answer ends what is owed in the moment it is queued.
 * Messages are staged and committed under ``bus->broadcast``; a holder of that finds
 * none staged.
 */

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "limits.h"
#include "quota.h"

struct kdbus_files;
struct kdbus_msg;
struct kdbus_queue;
struct kdbus_queued_msg;
struct kdbus_reply;
struct kdbus_slice;
struct mem_cgroup;
struct seq_file;

/**
 * DOC: Messages in queues
 *
 * An entry stands for a message in one queue. It owns the slice that the message
 * is in, the files that travel with it and a reference to the reply that is owed
 * for it. The owner of the pool pays for it.
 *
 * A notification of the kernel is not written into the pool before it is
 * received: neither can it take room from messages of users there, nor they
 * from it, and no user that causes one waits for the receiver's pages. It keeps
 * its place meanwhile, so that no thread of the receiver finds what is behind
 * it first.
 *
 * Each queue keeps one unused entry: a connection that has received a message will
 * receive another one.
 *
 * Locks: none. In a queue an entry is guarded by ``queue->lock``. Code that has
 * taken it out, or has not put it into a queue yet, owns it.
 */

/**
 * struct kdbus_queued_msg - a message waiting
 * @fifo:	Place in the order of arrival
 * @normal:	Place among those with priority 0
 * @sorted:	Place among the others
 * @seq:	Number of the message, its place in the order of arrival; of a staged
 *		one, that of the message before it
 * @stamp:	Where in @slice its number goes, or 0
 * @size:	Bytes of @slice that it takes; what is left there is less than 8
 * @head:	Header, items and metadata, in bytes: where its payload begins
 * @meta:	Bytes of metadata, the last of @head
 * @claimed:	Its metadata is what its sender claims to be
 * @priority:	Priority
 * @name_id:	Registration of the name it was addressed to, or 0
 * @note:	The message, if it is a notification, else NULL
 * @slice:	The message in the pool, or NULL if it was not written yet
 * @files:	Files that come with it, or NULL
 * @reply:	The reply that is owed for it, with a reference, or NULL
 * @claim:	What it takes up in the quota of its sender
 */
struct kdbus_queued_msg {
	struct list_head fifo;
	union {
		struct list_head normal;
		struct rb_node sorted;
	};
	u64 seq;
	u32 stamp;
	u32 size;
	u32 head;
	u32 meta : 31;
	u32 claimed : 1;
	s64 priority;
	u64 name_id;
	struct kdbus_msg *note;
	struct kdbus_slice *slice;
	struct kdbus_files *files;
	struct kdbus_reply *reply;
	struct kdbus_claim claim;
};

struct kdbus_queued_msg *kdbus_queued_msg_new(struct kdbus_queue *queue,
					      struct kdbus_slice *slice,
					      struct kdbus_files *files,
					      s64 priority);
struct kdbus_queued_msg *kdbus_queued_msg_new_note(struct kdbus_queue *queue,
						   struct mem_cgroup *memcg,
						   const struct kdbus_msg *msg);
u64 kdbus_queued_msg_src_id(const struct kdbus_queued_msg *qmsg);
void kdbus_queued_msg_free(struct kdbus_queue *queue,
			   struct kdbus_queued_msg *qmsg);
void kdbus_queued_msg_exit(struct kdbus_queue *queue);

int kdbus_queue_module_init(void);
void kdbus_queue_module_exit(void);

/**
 * DOC: Order of messages in a queue
 *
 * There are two orders on the same entries: the order of arrival, and by
 * priority, smaller numbers first, arrival deciding among equals. Nearly all
 * messages have priority 0; these are a list, and only the others are sorted.
 *
 * Messages are numbered when they are queued, and every receiver sees numbers
 * rise. A message that goes to several queues gets one number, so it is put
 * into each of them *staged* first, is numbered when it is everywhere, and is
 * then committed. A receiver must not pass a staged message: its final number
 * may be lower than those behind it. Messages that were queued behind it with a
 * lower number come first when it is committed. Where metadata has the number, it
 * is written at that moment.
 *
 * Locks: called with ``queue->lock``.
 */

/**
 * struct kdbus_order - messages in order
 * @fifo:	Entries in order of arrival
 * @normal:	Those with priority 0, in order of arrival
 * @sorted:	The others, by priority, then arrival
 * @staged:	The one of them that is staged, or NULL
 * @readable:	There are others
 */
struct kdbus_order {
	struct list_head fifo;
	struct list_head normal;
	struct rb_root_cached sorted;
	struct kdbus_queued_msg *staged;
	bool readable;
};

/**
 * enum kdbus_queue_unwritten - what becomes of a notification not yet in the pool
 * @KDBUS_UNWRITTEN_FIRST:	It is to be written first: -ENODATA
 * @KDBUS_UNWRITTEN_SKIP:	What is behind it is wanted, there is no room for it
 * @KDBUS_UNWRITTEN_TAKE:	It is wanted as it is
 */
enum kdbus_queue_unwritten {
	KDBUS_UNWRITTEN_FIRST,
	KDBUS_UNWRITTEN_SKIP,
	KDBUS_UNWRITTEN_TAKE,
};

/**
 * struct kdbus_queue_pick - which message is wanted
 * @by_priority:	The most urgent one, not the oldest
 * @priority:		How urgent it has to be at least
 * @unwritten:		What if it is a notification that is not in the pool
 */
struct kdbus_queue_pick {
	bool by_priority;
	s64 priority;
	enum kdbus_queue_unwritten unwritten;
};

void kdbus_order_init(struct kdbus_order *order);
void kdbus_order_append(struct kdbus_order *order,
			struct kdbus_queued_msg *qmsg, u64 seq);
void kdbus_order_stage(struct kdbus_order *order,
		       struct kdbus_queued_msg *qmsg);
void kdbus_order_commit(struct kdbus_order *order,
			struct kdbus_queued_msg *qmsg, u64 seq);
void kdbus_order_insert(struct kdbus_order *order,
			struct kdbus_queued_msg *qmsg);
void kdbus_order_del(struct kdbus_order *order,
		     struct kdbus_queued_msg *qmsg);
struct kdbus_queued_msg *kdbus_order_pick(struct kdbus_order *order,
					  const struct kdbus_queue_pick *pick);

/**
 * struct kdbus_queue - messages waiting
 * @lock:	Guards the rest
 * @order:	The messages
 * @arrivals:	How many there have ever been
 * @count:	Messages of users that there are, with those being received
 * @notes:	Notifications likewise, without those in @reply_notes
 * @reply_notes: Notifications about replies that will not come
 * @behind:	How many names there are to which older messages wait
 *		elsewhere; changed under ``bus->lock`` as well
 * @lost:	Messages dropped without an error to a sender
 * @stuck:	A notification found no room in the pool, and since then no room was
 *		given back and no message came
 * @closed:	No more messages
 * @quota:	Shares of the senders
 * @spare:	An unused entry, or NULL; not guarded
 */
struct kdbus_queue {
	spinlock_t lock;	/* entries */
	struct kdbus_order order;
	u64 arrivals;
	unsigned int count;
	unsigned int notes;
	unsigned int reply_notes;
	unsigned int behind;
	u64 lost;
	bool stuck;
	bool closed;
	struct kdbus_quota quota;
	struct kdbus_queued_msg *spare;
};

/**
 * struct kdbus_queue_how - how to queue a message
 * @unlimited:	The limit of messages does not apply
 * @seq:	Where numbers come from
 * @pass:	Older messages to names that wait elsewhere do not matter
 * @guard:	If not NULL, queue it only if *@guard is @expect
 * @expect:	See @guard, which changes only under ``queue->lock``
 * @last:	If not NULL, called under ``queue->lock`` when nothing else
 *		can fail; what it returns, if negative, refuses the message
 * @data:	For @last
 */
struct kdbus_queue_how {
	bool unlimited;
	bool pass;
	atomic64_t *seq;
	void *const *guard;
	const void *expect;
	int (*last)(void *data);
	void *data;
};

void kdbus_queue_init(struct kdbus_queue *queue, const struct kdbus_user *owner);
void kdbus_queue_exit(struct kdbus_queue *queue);
int kdbus_queue_push(struct kdbus_queue *queue, struct kdbus_queued_msg *qmsg,
		     const struct kdbus_queue_how *how);
int kdbus_queue_stage(struct kdbus_queue *queue,
		      struct kdbus_queued_msg *qmsg,
		      const struct kdbus_queue_how *how);
void kdbus_queue_commit(struct kdbus_queue *queue,
			struct kdbus_queued_msg *qmsg, u64 seq);
int kdbus_queue_peek(struct kdbus_queue *queue,
		     const struct kdbus_queue_pick *pick, size_t *offset);
bool kdbus_queue_has_nothing(struct kdbus_queue *queue,
			     const struct kdbus_queue_pick *pick);
size_t kdbus_queue_note_size(struct kdbus_queue *queue,
			     const struct kdbus_queue_pick *pick);
bool kdbus_queue_write_note(struct kdbus_queue *queue,
			    const struct kdbus_queue_pick *pick,
			    struct kdbus_slice *slice, size_t size);
struct kdbus_queued_msg *kdbus_queue_dequeue(struct kdbus_queue *queue,
					     const struct kdbus_queue_pick *pick);
bool kdbus_queue_requeue(struct kdbus_queue *queue,
			 struct kdbus_queued_msg *qmsg);
void kdbus_queue_dequeue_done(struct kdbus_queue *queue,
			      struct kdbus_queued_msg *qmsg);
int kdbus_queue_close(struct kdbus_queue *queue, bool only_if_empty);
struct kdbus_queued_msg *kdbus_queue_next_dead(struct kdbus_queue *queue);
void kdbus_queue_extract_locked(struct kdbus_queue *queue, u64 name_id,
				struct list_head *entries);
void kdbus_queue_restore(struct kdbus_queue *queue, struct list_head *entries);
int kdbus_queue_append(struct kdbus_queue *queue, struct list_head *entries,
		       atomic64_t *seq, bool first);
void kdbus_queue_lost(struct kdbus_queue *queue);
struct kdbus_queued_msg *
kdbus_queue_lose_note(struct kdbus_queue *queue,
		      const struct kdbus_queue_pick *pick);
bool kdbus_queue_has_from(struct kdbus_queue *queue, u64 src_id);
bool kdbus_queue_set_stuck(struct kdbus_queue *queue, bool stuck);
void kdbus_queue_show(struct kdbus_queue *queue, struct seq_file *m);

/**
 * kdbus_queue_is_closed() - whether a queue is closed
 * @queue:	The queue
 *
 * Return: True if it is, and then for good.
 */
static inline bool kdbus_queue_is_closed(const struct kdbus_queue *queue)
{
	return READ_ONCE(queue->closed);
}

/**
 * kdbus_queue_is_readable() - whether a message can be received
 * @queue:	The queue
 *
 * Return: Whether one can at the moment.
 */
static inline bool kdbus_queue_is_readable(const struct kdbus_queue *queue)
{
	return READ_ONCE(queue->order.readable);
}

/**
 * kdbus_queue_is_stuck() - whether notifications wait for room in the pool
 * @queue:	The queue
 *
 * Return: Whether they do at the moment.
 */
static inline bool kdbus_queue_is_stuck(const struct kdbus_queue *queue)
{
	return READ_ONCE(queue->stuck);
}

/**
 * kdbus_queue_has_messages() - whether there are messages of users
 * @queue:	The queue
 *
 * Return: Whether one waits, or is being received by another thread.
 */
static inline bool kdbus_queue_has_messages(const struct kdbus_queue *queue)
{
	return READ_ONCE(queue->count) > 0;
}

/**
 * kdbus_queue_is_full() - whether the limit of messages is reached
 * @queue:	The queue
 *
 * Return: Whether it is at the moment.
 */
static inline bool kdbus_queue_is_full(const struct kdbus_queue *queue)
{
	return READ_ONCE(queue->count) >= KDBUS_CONN_MAX_MSGS;
}

#endif
