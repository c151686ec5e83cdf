/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_REPLY_H
#define __KDBUS_REPLY_H

/**
 * DOC: Replies that are owed
 *
 * A request is a message whose sender expects a reply. From the moment it is
 * queued until it is answered, or cannot be answered any more, a &struct
 * kdbus_reply stands for what is owed. It ends exactly once, and whoever ends
 * it tells the requester: the replier by answering, the clock, the end of the
 * replier, the replier by dropping the request, or the requester itself by
 * cancelling or disconnecting.
 *
 * There are two ways to be told. An *asynchronous* requester gets the answer,
 * or a notification of the kernel, as a message in its queue. A *synchronous*
 * one sleeps in the call that sent the request, and is woken with the answer
 * already in its pool, or with an error. If a signal interrupts it, the reply
 * stays owed and keeps what comes in, until the call is restarted or the
 * deadline is over.
 *
 * A replier may be interrupted, too: kdbus_reply_hold() takes a reply out of
 * everybody's reach while the answer is queued, and kdbus_reply_unhold() puts
 * it back if that fails. Who wants to end it meanwhile leaves a note.
 *
 * Deadlines are exact and cost little: each requester has one timer, which is
 * touched only when a deadline is earlier than all the others, and never when a
 * reply comes in time.
 *
 * A reply is linked at both ends: among the requests of the requester, by
 * cookie and by deadline, and in the list of what the replier owes. The former
 * has the reference that keeps it. It keeps nobody: the replier is valid as
 * long as the reply is in its list, and the requester as long as the reply has
 * not ended, which it does at the latest when the requester disconnects. A
 * request that nobody reads does not pin the dead.
 *
 * Locks: @lock of the requester guards its requests and the state of each;
 * @owed_lock of the replier guards its list and nests inside. Both are
 * spinlocks, never held for two connections at once.
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

struct kdbus_conn;
struct kdbus_files;
struct kdbus_slice;

/**
 * enum kdbus_reply_state - whether an answer is accepted
 * @KDBUS_REPLY_OPEN:	It is
 * @KDBUS_REPLY_HELD:	Not now, as one is being queued
 * @KDBUS_REPLY_ENDED:	Not any more
 */
enum kdbus_reply_state {
	KDBUS_REPLY_OPEN,
	KDBUS_REPLY_HELD,
	KDBUS_REPLY_ENDED,
};

/**
 * struct kdbus_replies - what a connection expects and what it owes
 * @lock:	Guards all but the last two
 * @requests:	Its requests by cookie, the latest first of equals
 * @deadlines:	Those that a timer has to end
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
 * @requester:	Who waits for it, constant; valid under RCU until it has ended
 * @replier:	Who owes it; guarded by the locks of both, valid while it does
 * @replier_id:	Id of who owes it, or owed it last; guarded likewise
 * @cookie:	Cookie of the request, constant
 * @sync:	Whether the requester sleeps, constant
 * @state:	Whether an answer is accepted
 * @linked:	It is among the requests of the requester
 * @interrupted: The requester is not sleeping at the moment
 * @result:	How it ended
 * @slice:	The answer, in the pool of the requester, if @sync
 * @files:	The files of the answer
 * @by_cookie:	Place among the requests
 * @deadline:	Place among the deadlines; KTIME_MAX for never
 * @owed:	Place in what the replier owes
 * @wait:	Where the requester sleeps
 */
struct kdbus_reply {
	struct kref kref;
	struct kdbus_conn *requester;
	struct kdbus_conn *replier;
	u64 replier_id;
	u64 cookie;
	bool sync;
	enum kdbus_reply_state state;
	bool linked;
	bool interrupted;
	int result;
	struct kdbus_slice *slice;
	struct kdbus_files *files;
	struct rb_node by_cookie;
	struct timerqueue_node deadline;
	struct list_head owed;
	struct rcuwait wait;
};

struct kdbus_reply *kdbus_reply_new(struct kdbus_conn *requester, u64 cookie,
				    u64 timeout_ns, bool sync);
struct kdbus_reply *kdbus_reply_get(struct kdbus_reply *reply);
void kdbus_reply_put(struct kdbus_reply *reply);
int kdbus_reply_link(struct kdbus_reply *reply, struct kdbus_conn *replier);
void kdbus_reply_start(struct kdbus_reply *reply);
void kdbus_reply_disown(struct kdbus_reply *reply);
bool kdbus_reply_end(struct kdbus_reply *reply, int result);
void kdbus_reply_abandon(struct kdbus_reply *reply);
struct kdbus_reply *kdbus_reply_find(struct kdbus_conn *requester,
				     const struct kdbus_conn *replier,
				     u64 cookie);
bool kdbus_reply_hold(struct kdbus_reply *reply);
void kdbus_reply_unhold(struct kdbus_reply *reply);
void kdbus_reply_settle(struct kdbus_reply *reply);
bool kdbus_reply_answer(struct kdbus_reply *reply, struct kdbus_slice *slice,
			struct kdbus_files *files);
bool kdbus_reply_is_interrupted(struct kdbus_conn *requester, u64 cookie);
struct kdbus_reply *kdbus_reply_resume(struct kdbus_conn *requester,
				       const struct kdbus_conn *replier,
				       u64 cookie);
int kdbus_reply_wait(struct kdbus_reply *reply);
void kdbus_reply_drop_answer(struct kdbus_reply *reply);
void kdbus_reply_move(struct kdbus_reply *reply, struct kdbus_conn *to);

#endif
