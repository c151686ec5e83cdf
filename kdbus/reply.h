/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_REPLY_H
#define __KDBUS_REPLY_H

/**
 * DOC: Replies that are owed
 *
 * A request is a message whose sender expects a reply. From the moment it is
 * queued until it is answered, or cannot be answered any more, a &struct
 * kdbus_reply stands for what is owed. It ends exactly once, and what ends it
 * tells the requester: the replier by answering, the clock, the end of the
 * replier, the replier by dropping the request, or the requester itself by
 * cancelling or disconnecting.
 *
 * There are two ways to be told. An *asynchronous* requester gets the answer,
 * or a notification of the kernel, as a message in its queue. A *synchronous*
 * one sleeps in the call that sent the request, and is woken with the answer
 * already in its pool, or with an error. If a signal interrupts it, the reply
 * stays owed and keeps how it ends, with the answer if there is one, until the
 * call comes back or the deadline is over. A call comes back if it has the same
 * cookie and is addressed in the same way; where that leads by then does not
 * matter. Calls that never come back are given up, the one that was interrupted
 * first, when there are too many requests.
 *
 * While an answer is written the request may end, or move to another connection
 * together with the name it was sent to. So what a replier does to a reply is
 * judged under ``replies->lock`` of the requester: only the connection that owes
 * it at that moment can end it. An asynchronous answer ends it under
 * ``queue->lock`` of the requester, where the answer goes, when nothing can keep the
 * answer from being queued any more.
 *
 * Deadlines are exact and cost little: each requester has one timer, which is
 * touched only when a deadline is earlier than all the others, and never when a
 * reply comes in time.
 *
 * A reply is linked at both ends: among the requests of the requester, by
 * cookie and by deadline, and in the list of what the replier owes. The former
 * has the reference that keeps it. It keeps neither end: the replier is valid as
 * long as the reply is in its list, and the requester as long as the reply has
 * not ended, which it does at the latest when the requester disconnects. A
 * request that is never read keeps no dead connection.
 *
 * Locks: ``replies->lock`` of the requester guards its requests and the state of
 * each. It nests inside ``queue->lock``. ``replies->owed_lock`` of the replier guards
 * its list and nests inside ``replies->lock``. Both are spinlocks; neither is held for
 * two connections at once.
 */

#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/rcuwait.h>
#include <linux/spinlock.h>
#include <linux/timerqueue.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "quota.h"

struct kdbus_cmd;
struct kdbus_conn;
struct kdbus_fanout;
struct kdbus_files;
struct kdbus_message;
struct kdbus_name_entry;
struct kdbus_queued_msg;
struct kdbus_replies;
struct kdbus_reply;
struct kdbus_slice;

/**
 * struct kdbus_sync_reply - an answer that a requester will take
 * @slice:	The answer, in the pool of the requester, or NULL
 * @files:	Its files, or NULL
 * @claim:	What it takes up in the quota of the requester
 */
struct kdbus_sync_reply {
	struct kdbus_slice *slice;
	struct kdbus_files *files;
	struct kdbus_claim claim;
};

/**
 * struct kdbus_replies - what a connection expects and what it owes
 * @lock:	Guards all but the last two
 * @requests:	Its requests by cookie, the latest first of equals
 * @deadlines:	Those that a timer has to end
 * @interrupted: Those whose call was interrupted and has not come back, in the
 *		order in which that happened
 * @count:	How many requests there are
 * @armed:	When @timer goes off, KTIME_MAX for never
 * @timer:	Starts @work
 * @work:	Ends what is overdue
 * @owed_lock:	Guards @owed
 * @owed:	Replies it owes to others
 */
struct kdbus_replies {
	spinlock_t lock;	/* requests */
	struct rb_root requests;
	struct timerqueue_head deadlines;
	struct list_head interrupted;
	unsigned int count;
	ktime_t armed;
	struct hrtimer timer;
	struct work_struct work;
	spinlock_t owed_lock;	/* owed */
	struct list_head owed;
};

/**
 * struct kdbus_reply - a reply that is owed
 * @kref:	References
 * @requester:	The connection that waits for it, constant; valid under RCU until it
 *		has ended
 * @replier:	The connection that owes it; guarded by the locks of both, valid
 *		while it does
 * @cookie:	Cookie of the request, constant
 * @dst_id:	What the request is addressed to if @sync, constant
 * @name:	The name that it is addressed to if @sync, or NULL; with a
 *		reference, constant
 * @sync:	Whether the requester sleeps, constant
 * @ended:	No answer is accepted any more; then it is owed no longer
 * @linked:	It is among the requests of the requester
 * @result:	How it ended
 * @answer:	The answer, if @sync
 * @by_cookie:	Place among the requests
 * @deadline:	Place among the deadlines; KTIME_MAX for never
 * @owed:	Place in what the replier owes
 * @interrupted: Place among those whose call was interrupted, empty while the
 *		requester sleeps
 * @wait:	Where the requester sleeps
 */
struct kdbus_reply {
	struct kref kref;
	struct kdbus_conn *requester;
	struct kdbus_conn *replier;
	u64 cookie;
	u64 dst_id;
	struct kdbus_name_entry *name;
	bool sync;
	bool ended;
	bool linked;
	int result;
	struct kdbus_sync_reply answer;
	struct rb_node by_cookie;
	struct timerqueue_node deadline;
	struct list_head owed;
	struct list_head interrupted;
	struct rcuwait wait;
};

struct kdbus_reply *kdbus_reply_new(struct kdbus_conn *requester, u64 cookie,
				    u64 deadline, bool sync);
void kdbus_reply_release(struct kref *kref);
int kdbus_reply_link(struct kdbus_reply *reply, struct kdbus_conn *replier);
void kdbus_reply_start(struct kdbus_reply *reply);
void kdbus_reply_set_ended_locked(struct kdbus_reply *reply, int result);
bool kdbus_reply_fail(struct kdbus_reply *reply,
		      const struct kdbus_conn *replier, int result);
struct kdbus_reply *kdbus_reply_find(struct kdbus_conn *requester,
				     const struct kdbus_conn *replier,
				     u64 cookie);
int kdbus_reply_claim(struct kdbus_reply *reply,
		      const struct kdbus_conn *replier);
bool kdbus_reply_answer(struct kdbus_reply *reply,
			const struct kdbus_conn *replier,
			const struct kdbus_sync_reply *answer);
bool kdbus_reply_is_interrupted(struct kdbus_conn *requester, u64 cookie);
struct kdbus_reply *kdbus_reply_resume(struct kdbus_conn *requester,
				       u64 cookie, u64 dst_id,
				       const char *name);
int kdbus_reply_wait(struct kdbus_reply *reply);
void kdbus_reply_drop_answer(struct kdbus_reply *reply);
void kdbus_sync_reply_free(struct kdbus_sync_reply *answer,
			   struct kdbus_conn *requester);
void kdbus_reply_move(struct kdbus_reply *reply, struct kdbus_conn *to);
struct kdbus_conn *kdbus_reply_requester(struct kdbus_reply *reply);
bool kdbus_reply_give_up_locked(struct kdbus_replies *replies,
				struct kdbus_reply *reply, int result);
struct kdbus_reply *kdbus_reply_first_locked(struct kdbus_replies *replies,
					     u64 cookie);
struct kdbus_reply *kdbus_reply_next_locked(struct kdbus_reply *reply);
void kdbus_replies_arm_locked(struct kdbus_replies *replies, ktime_t when);
bool kdbus_replies_are_full(const struct kdbus_conn *conn);

/**
 * kdbus_reply_get() - take a reference
 * @reply:	The reply, or NULL
 *
 * Return: @reply.
 */
static inline struct kdbus_reply *kdbus_reply_get(struct kdbus_reply *reply)
{
	if (reply)
		kref_get(&reply->kref);
	return reply;
}

/**
 * kdbus_reply_put() - drop a reference
 * @reply:	The reply, or NULL
 *
 * Context: May sleep.
 */
static inline void kdbus_reply_put(struct kdbus_reply *reply)
{
	if (reply)
		kref_put(&reply->kref, kdbus_reply_release);
}

/**
 * DOC: Replies that do not come
 *
 * What ends a reply that is owed other than an answer: its deadline, a replier
 * that drops the request or disconnects, and the end of the requester. The
 * requester is woken if it sleeps, else it is notified.
 *
 * The timer is set to the earliest deadline and is never put off: going off too
 * early does no harm, and setting it for every request would cost more than it
 * saves.
 *
 * Locks: takes ``replies->lock`` and ``replies->owed_lock``; called without any that
 * notifications take.
 */

int kdbus_replies_cancel(struct kdbus_conn *conn, struct kdbus_cmd *cmd);
bool kdbus_replies_make_room(struct kdbus_conn *conn);
void kdbus_replies_init(struct kdbus_replies *replies);
void kdbus_replies_shutdown_requests(struct kdbus_conn *conn);
void kdbus_replies_shutdown_owed(struct kdbus_conn *conn);
void kdbus_reply_abandon(struct kdbus_reply *reply,
			 const struct kdbus_conn *replier);
void kdbus_reply_discard(struct kdbus_conn *conn,
			 struct kdbus_queued_msg *qmsg);

/**
 * DOC: Synchronous replies
 *
 * A synchronous requester sleeps in the call that sent its request. The answer
 * does not go through its queue: the replier writes it into the pool of the
 * requester, leaves it, with its files, in the reply that is owed, and wakes
 * the requester, which takes it from there.
 *
 * Giving either ends the reply, and then the reply owns slice and files, or
 * leaves no trace. What fails because of the requester, which has no room for
 * instance, ends the reply with that error; what the replier did wrong does not.
 * Monitors see an answer when it is given.
 *
 * An answer takes up the share of its user in the quota of the requester until
 * it is taken. While the memory of the replier is waited for, it takes up
 * nothing: the requester may have stopped waiting long before.
 *
 * Locks: takes ``pages->lock`` and ``slices->lock``, then ``replies->lock``, that inside
 * ``bus->broadcast`` if there are monitors; called with none.
 */

int kdbus_sync_reply_send(struct kdbus_reply *reply, struct kdbus_message *m,
			  u64 want, struct kdbus_fanout *copies);
int kdbus_sync_reply_wait(struct kdbus_reply *reply, struct kdbus_cmd *cmd);

#endif
