// SPDX-License-Identifier: GPL-2.0
#include <linux/errno.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "conn.h"
#include "files.h"
#include "limits.h"
#include "notify.h"
#include "pool.h"
#include "reply.h"
#include "requests.h"

/**
 * kdbus_reply_new() - make a reply that nobody owes yet
 * @requester:	Who expects it
 * @cookie:	Cookie of the request
 * @timeout_ns:	Until when, in ns of CLOCK_MONOTONIC
 * @sync:	Whether the requester will sleep
 *
 * Context: May sleep.
 *
 * Return: The reply, with a reference, or NULL.
 */
struct kdbus_reply *kdbus_reply_new(struct kdbus_conn *requester, u64 cookie,
				    u64 timeout_ns, bool sync)
{
	struct kdbus_reply *reply;

	reply = kzalloc(sizeof(*reply), GFP_KERNEL_ACCOUNT);
	if (!reply)
		return NULL;

	kref_init(&reply->kref);
	reply->requester = requester;
	reply->cookie = cookie;
	reply->sync = sync;
	timerqueue_init(&reply->deadline);
	reply->deadline.expires = min_t(u64, timeout_ns, KTIME_MAX);
	INIT_LIST_HEAD(&reply->owed);
	rcuwait_init(&reply->wait);
	return reply;
}

/**
 * kdbus_reply_get() - take a reference
 * @reply:	The reply, or NULL
 *
 * Return: @reply.
 */
struct kdbus_reply *kdbus_reply_get(struct kdbus_reply *reply)
{
	if (reply)
		kref_get(&reply->kref);
	return reply;
}

/**
 * kdbus_reply_drop_answer() - throw an answer away that nobody takes
 * @reply:	The reply, ended; the caller is the only one who takes answers
 *
 * The request may refer to the reply for a long time yet, so the memory of the
 * requester is not left to the last reference.
 *
 * Context: May sleep.
 */
void kdbus_reply_drop_answer(struct kdbus_reply *reply)
{
	kdbus_slice_free(reply->slice);
	kdbus_files_free(reply->files);
	reply->slice = NULL;
	reply->files = NULL;
}

static void reply_release(struct kref *kref)
{
	struct kdbus_reply *reply = container_of(kref, struct kdbus_reply,
						 kref);

	kdbus_reply_drop_answer(reply);
	kfree(reply);
}

/**
 * kdbus_reply_put() - drop a reference
 * @reply:	The reply, or NULL
 *
 * Context: May sleep.
 */
void kdbus_reply_put(struct kdbus_reply *reply)
{
	if (reply)
		kref_put(&reply->kref, reply_release);
}

static void add_owed(struct kdbus_reply *reply, struct kdbus_conn *replier)
{
	reply->replier = replier;
	reply->replier_id = replier->id;
	spin_lock(&replier->replies.owed_lock);
	list_add_tail(&reply->owed, &replier->replies.owed);
	spin_unlock(&replier->replies.owed_lock);
}

/**
 * kdbus_reply_disown() - the replier does not owe it any more
 * @reply:	The reply, owed
 *
 * Context: Any; the lock of the requester is held.
 */
void kdbus_reply_disown(struct kdbus_reply *reply)
{
	spin_lock(&reply->replier->replies.owed_lock);
	list_del_init(&reply->owed);
	spin_unlock(&reply->replier->replies.owed_lock);
}

/**
 * kdbus_reply_link() - begin to owe a reply
 * @reply:	The reply
 * @replier:	Who owes it
 *
 * The clock does not run before kdbus_reply_start().
 *
 * Context: Any; both connections are entered.
 *
 * Return: 0, or -EMLINK if the requester expects too many replies.
 */
int kdbus_reply_link(struct kdbus_reply *reply, struct kdbus_conn *replier)
{
	struct kdbus_replies *replies = &reply->requester->replies;
	int r = 0;

	spin_lock(&replies->lock);
	if (replies->count >= KDBUS_CONN_MAX_REQUESTS_PENDING) {
		r = -EMLINK;
	} else {
		kdbus_reply_get(reply);
		kdbus_requests_add(replies, reply);
		add_owed(reply, replier);
	}
	spin_unlock(&replies->lock);

	return r;
}

/**
 * kdbus_reply_start() - let the clock run
 * @reply:	The reply, linked; its request is queued
 *
 * Context: Any; the requester is entered.
 */
void kdbus_reply_start(struct kdbus_reply *reply)
{
	struct kdbus_replies *replies = &reply->requester->replies;

	spin_lock(&replies->lock);
	/* it may have been answered already */
	if (reply->linked)
		kdbus_requests_add_deadline(replies, reply);
	spin_unlock(&replies->lock);
}

/* the requester, with a reference, unless it is not interested any more */
static struct kdbus_conn *get_requester(struct kdbus_reply *reply)
{
	struct kdbus_conn *conn = NULL;

	rcu_read_lock();
	/* pairs with end_locked() and those who end replies like it */
	if (smp_load_acquire(&reply->state) != KDBUS_REPLY_ENDED &&
	    kref_get_unless_zero(&reply->requester->kref))
		conn = reply->requester;
	rcu_read_unlock();

	return conn;
}

/* returns whether a reference is to be dropped */
static bool end_locked(struct kdbus_reply *reply, int result)
{
	struct kdbus_replies *replies = &reply->requester->replies;
	bool keep;

	lockdep_assert_held(&replies->lock);

	/* an interrupted call comes back for the result, but not to the dead */
	keep = reply->interrupted && kdbus_conn_is_alive(reply->replier);

	WRITE_ONCE(reply->result, result);
	/* pairs with kdbus_reply_wait() */
	smp_store_release(&reply->state, KDBUS_REPLY_ENDED);
	kdbus_reply_disown(reply);

	if (keep)
		return false;
	kdbus_requests_del(replies, reply);
	return true;
}

/* whoever ends it gives the answer, if there is one */
static bool end_for(struct kdbus_conn *requester, struct kdbus_reply *reply,
		    int result, struct kdbus_slice *slice,
		    struct kdbus_files *files)
{
	struct kdbus_replies *replies = &requester->replies;
	bool won, drop = false;

	spin_lock(&replies->lock);
	won = reply->state == KDBUS_REPLY_OPEN && reply->linked;
	if (won) {
		reply->slice = slice;
		reply->files = files;
		drop = end_locked(reply, result);
	} else if (reply->state == KDBUS_REPLY_HELD) {
		/* see kdbus_reply_unhold() */
		reply->result = result;
	}
	spin_unlock(&replies->lock);

	if (won)
		rcuwait_wake_up(&reply->wait);
	if (drop)
		kdbus_reply_put(reply);
	return won;
}

/**
 * kdbus_reply_end() - end what is owed
 * @reply:	The reply; the caller keeps the requester
 * @result:	What a sleeping requester is told
 *
 * Context: May sleep.
 *
 * Return: Whether it was this call that ended it.
 */
bool kdbus_reply_end(struct kdbus_reply *reply, int result)
{
	return end_for(reply->requester, reply, result, NULL, NULL);
}

/**
 * kdbus_reply_abandon() - the replier will not answer
 * @reply:	The reply, or NULL
 *
 * Tells the requester. Documentation/kdbus.txt, section 14.
 *
 * Context: May sleep.
 */
void kdbus_reply_abandon(struct kdbus_reply *reply)
{
	struct kdbus_conn *requester = reply ? get_requester(reply) : NULL;

	if (!requester)
		return;

	if (end_for(requester, reply, -EPIPE, NULL, NULL) && !reply->sync)
		kdbus_notify_reply(requester, KDBUS_ITEM_REPLY_DEAD,
				   reply->cookie);
	kdbus_conn_put(requester);
}

/**
 * kdbus_reply_find() - is a reply owed?
 * @requester:	To whom
 * @replier:	By whom
 * @cookie:	For which request
 *
 * The latest such request counts.
 *
 * Return: The reply, with a reference, or NULL.
 */
struct kdbus_reply *kdbus_reply_find(struct kdbus_conn *requester,
				     const struct kdbus_conn *replier,
				     u64 cookie)
{
	struct kdbus_replies *replies = &requester->replies;
	struct kdbus_reply *reply;

	spin_lock(&replies->lock);
	for (reply = kdbus_requests_first(replies, cookie); reply;
	     reply = kdbus_requests_next(reply))
		if (reply->state == KDBUS_REPLY_OPEN &&
		    reply->replier == replier)
			break;
	kdbus_reply_get(reply);
	spin_unlock(&replies->lock);

	return reply;
}

/**
 * kdbus_reply_hold() - keep a reply from ending otherwise
 * @reply:	The reply, asynchronous
 *
 * Context: Any; both connections are entered, and stay so until
 * kdbus_reply_settle() or kdbus_reply_unhold().
 *
 * Return: False if it has ended.
 */
bool kdbus_reply_hold(struct kdbus_reply *reply)
{
	struct kdbus_replies *replies = &reply->requester->replies;
	bool held;

	spin_lock(&replies->lock);
	held = reply->state == KDBUS_REPLY_OPEN && reply->linked;
	if (held) {
		WRITE_ONCE(reply->state, KDBUS_REPLY_HELD);
		kdbus_reply_disown(reply);
		kdbus_requests_del(replies, reply);
	}
	spin_unlock(&replies->lock);

	if (held)
		kdbus_reply_put(reply);
	return held;
}

/**
 * kdbus_reply_settle() - end a reply that was held
 * @reply:	The reply, held; the answer is queued
 *
 * Context: Any; both connections are entered.
 */
void kdbus_reply_settle(struct kdbus_reply *reply)
{
	/* pairs with get_requester() */
	smp_store_release(&reply->state, KDBUS_REPLY_ENDED);
}

static void put_back(struct kdbus_reply *reply, struct kdbus_replies *replies)
{
	lockdep_assert_held(&replies->lock);

	kdbus_reply_get(reply);
	WRITE_ONCE(reply->state, KDBUS_REPLY_OPEN);
	kdbus_requests_add(replies, reply);
	kdbus_requests_add_deadline(replies, reply);
	add_owed(reply, reply->replier);
}

/**
 * kdbus_reply_unhold() - put a reply back
 * @reply:	The reply, held
 *
 * Unless its request was dropped meanwhile: then the requester is told.
 *
 * Context: May sleep; no locks may be held, both connections are entered.
 */
void kdbus_reply_unhold(struct kdbus_reply *reply)
{
	struct kdbus_replies *replies = &reply->requester->replies;
	int r;

	spin_lock(&replies->lock);
	r = reply->result;
	if (r < 0)
		kdbus_reply_settle(reply);
	else
		put_back(reply, replies);
	spin_unlock(&replies->lock);

	if (r == -EPIPE)
		kdbus_notify_reply(reply->requester, KDBUS_ITEM_REPLY_DEAD,
				   reply->cookie);
}

/**
 * kdbus_reply_answer() - give the answer to a sleeping requester
 * @reply:	The reply, synchronous
 * @slice:	The answer, in the pool of the requester
 * @files:	Its files, or NULL
 *
 * Context: May sleep.
 *
 * Return: False if it has ended; else @slice and @files belong to @reply.
 */
bool kdbus_reply_answer(struct kdbus_reply *reply, struct kdbus_slice *slice,
			struct kdbus_files *files)
{
	return end_for(reply->requester, reply, 0, slice, files);
}

/**
 * kdbus_reply_resume() - find what an interrupted call was waiting for
 * @requester:	Who waited
 * @replier:	For whom
 * @cookie:	Cookie of the request
 *
 * To be followed by kdbus_reply_wait().
 *
 * Return: The reply, with a reference, or NULL.
 */
struct kdbus_reply *kdbus_reply_resume(struct kdbus_conn *requester,
				       const struct kdbus_conn *replier,
				       u64 cookie)
{
	struct kdbus_replies *replies = &requester->replies;
	struct kdbus_reply *reply;
	bool drop = false;

	spin_lock(&replies->lock);
	for (reply = kdbus_requests_first(replies, cookie); reply;
	     reply = kdbus_requests_next(reply))
		/* who owed it may be gone, and its memory in use again */
		if (reply->interrupted && reply->replier_id == replier->id)
			break;
	if (reply) {
		reply->interrupted = false;
		kdbus_reply_get(reply);
		drop = reply->state == KDBUS_REPLY_ENDED;
		if (drop)
			kdbus_requests_del(replies, reply);
	}
	spin_unlock(&replies->lock);

	if (drop)
		kdbus_reply_put(reply);
	return reply;
}

/**
 * kdbus_reply_is_interrupted() - may an interrupted call come back?
 * @requester:	Who waited
 * @cookie:	Cookie of the request
 *
 * Return: Whether one with this cookie may; for whom it waits is not judged.
 */
bool kdbus_reply_is_interrupted(struct kdbus_conn *requester, u64 cookie)
{
	struct kdbus_replies *replies = &requester->replies;
	struct kdbus_reply *reply;

	spin_lock(&replies->lock);
	for (reply = kdbus_requests_first(replies, cookie); reply;
	     reply = kdbus_requests_next(reply))
		if (reply->interrupted)
			break;
	spin_unlock(&replies->lock);

	return reply;
}

static bool has_ended(const struct kdbus_reply *reply)
{
	/* pairs with end_locked() */
	return smp_load_acquire(&reply->state) == KDBUS_REPLY_ENDED;
}

static int interrupt(struct kdbus_reply *reply)
{
	struct kdbus_replies *replies = &reply->requester->replies;
	int r = -ERESTARTSYS;

	spin_lock(&replies->lock);
	if (reply->state == KDBUS_REPLY_ENDED)
		r = reply->result;
	else
		reply->interrupted = true;
	spin_unlock(&replies->lock);

	return r;
}

/**
 * kdbus_reply_wait() - sleep until a reply comes
 * @reply:	The reply, synchronous
 *
 * On success the answer is in @reply.
 *
 * Context: Sleeps; no locks may be held.
 *
 * Return: 0, -ERESTARTSYS if a signal came, or what ended it: -ETIMEDOUT is one
 * such thing.
 */
int kdbus_reply_wait(struct kdbus_reply *reply)
{
	might_sleep();
	if (rcuwait_wait_event(&reply->wait, has_ended(reply),
			       TASK_INTERRUPTIBLE))
		return interrupt(reply);

	return READ_ONCE(reply->result);
}

/**
 * kdbus_reply_move() - let another connection owe a reply
 * @reply:	The reply, or NULL
 * @to:		Who owes it from now on; entered
 *
 * Context: Any.
 */
void kdbus_reply_move(struct kdbus_reply *reply, struct kdbus_conn *to)
{
	struct kdbus_conn *requester = reply ? get_requester(reply) : NULL;

	if (!requester)
		return;

	spin_lock(&requester->replies.lock);
	if (reply->state == KDBUS_REPLY_OPEN && reply->linked) {
		kdbus_reply_disown(reply);
		add_owed(reply, to);
	}
	spin_unlock(&requester->replies.lock);
	kdbus_conn_put(requester);
}
