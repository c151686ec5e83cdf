// SPDX-License-Identifier: GPL-2.0
#include <linux/errno.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "bus.h"
#include "conn.h"
#include "files.h"
#include "limits.h"
#include "pool/pool.h"
#include "reply.h"

/**
 * kdbus_reply_new() - make a reply that nobody owes yet
 * @requester:	The connection that expects it
 * @cookie:	Cookie of the request
 * @deadline:	Until when, in ns of the kernel's own CLOCK_MONOTONIC
 * @sync:	Whether the requester will sleep
 *
 * Context: May sleep.
 *
 * Return: The reply, with a reference, or NULL.
 */
struct kdbus_reply *kdbus_reply_new(struct kdbus_conn *requester, u64 cookie,
				    u64 deadline, bool sync)
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
	reply->deadline.expires = min_t(u64, deadline, KTIME_MAX);
	INIT_LIST_HEAD(&reply->owed);
	INIT_LIST_HEAD(&reply->interrupted);
	rcuwait_init(&reply->wait);
	return reply;
}

/**
 * kdbus_sync_reply_free() - free what is left of an answer
 * @answer:	The answer, or what it was before parts of it were taken
 * @requester:	Whose pool it is in
 *
 * Context: May sleep; @requester is not being freed. ``bus->lock`` is not held.
 */
void kdbus_sync_reply_free(struct kdbus_sync_reply *answer,
			   struct kdbus_conn *requester)
{
	lockdep_assert_not_held(&requester->bus->lock);
	kdbus_conn_might_move_more(requester);

	kdbus_slice_free(answer->slice);
	kdbus_files_free(answer->files);
	kdbus_quota_release(&requester->queue.quota, &answer->claim);
	if (answer->slice)
		kdbus_conn_has_room(requester);
	answer->slice = NULL;
	answer->files = NULL;
}

/**
 * kdbus_reply_drop_answer() - throw an answer away that nobody takes
 * @reply:	The reply, ended; the caller is the only one that takes answers
 *
 * The request may refer to the reply for longer than there is a requester, so
 * nothing is left to the last reference.
 *
 * Context: May sleep; called on behalf of the requester.
 */
void kdbus_reply_drop_answer(struct kdbus_reply *reply)
{
	kdbus_sync_reply_free(&reply->answer, reply->requester);
}

/**
 * kdbus_reply_release() - free a reply
 * @kref:	Its references, none left
 *
 * Context: May sleep.
 */
void kdbus_reply_release(struct kref *kref)
{
	struct kdbus_reply *reply = container_of(kref, struct kdbus_reply,
						 kref);

	WARN_ON_ONCE(reply->answer.slice);
	kdbus_name_put(reply->name);
	kfree(reply);
}

/**
 * kdbus_replies_arm_locked() - set the timer
 * @replies:	Of the requester
 * @when:	When it has to go off
 *
 * Context: Any; ``replies->lock`` is held.
 */
void kdbus_replies_arm_locked(struct kdbus_replies *replies, ktime_t when)
{
	lockdep_assert_held(&replies->lock);

	/* going off too early does no harm, so it is not put off */
	if (when >= replies->armed)
		return;
	replies->armed = when;
	hrtimer_start(&replies->timer, when, HRTIMER_MODE_ABS);
}

static void reply_add_deadline_locked(struct kdbus_replies *replies,
				      struct kdbus_reply *reply)
{
	lockdep_assert_held(&replies->lock);

	if (reply->deadline.expires == KTIME_MAX)
		return;
	timerqueue_add(&replies->deadlines, &reply->deadline);
	kdbus_replies_arm_locked(replies, reply->deadline.expires);
}

/* of equals, the latest comes first */
static bool reply_cookie_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct kdbus_reply, by_cookie)->cookie <=
	       rb_entry(b, struct kdbus_reply, by_cookie)->cookie;
}

static int reply_cookie_cmp(const void *key, const struct rb_node *node)
{
	const u64 *cookie = key;
	const struct kdbus_reply *reply;

	reply = rb_entry(node, struct kdbus_reply, by_cookie);
	if (*cookie == reply->cookie)
		return 0;
	return *cookie < reply->cookie ? -1 : 1;
}

/* a reference is given away */
static void reply_add_locked(struct kdbus_replies *replies,
			     struct kdbus_reply *reply)
{
	lockdep_assert_held(&replies->lock);

	rb_add(&reply->by_cookie, &replies->requests, reply_cookie_less);
	reply->linked = true;
	WRITE_ONCE(replies->count, replies->count + 1);
}

/* the reference goes to the caller */
static void reply_del_locked(struct kdbus_replies *replies,
			     struct kdbus_reply *reply)
{
	lockdep_assert_held(&replies->lock);

	rb_erase(&reply->by_cookie, &replies->requests);
	if (!RB_EMPTY_NODE(&reply->deadline.node))
		timerqueue_del(&replies->deadlines, &reply->deadline);
	list_del_init(&reply->interrupted);
	reply->linked = false;
	WRITE_ONCE(replies->count, replies->count - 1);
}

/**
 * kdbus_reply_first_locked() - the latest request with a cookie
 * @replies:	Of the requester
 * @cookie:	The cookie
 *
 * Context: Any; ``replies->lock`` is held.
 *
 * Return: The request, or NULL.
 */
struct kdbus_reply *kdbus_reply_first_locked(struct kdbus_replies *replies,
					     u64 cookie)
{
	struct rb_node *node;

	lockdep_assert_held(&replies->lock);

	node = rb_find_first(&cookie, &replies->requests, reply_cookie_cmp);
	return rb_entry_safe(node, struct kdbus_reply, by_cookie);
}

/**
 * kdbus_reply_next_locked() - the latest before it
 * @reply:	A request
 *
 * Context: Any; ``replies->lock`` of the requester is held.
 *
 * Return: Another request with the same cookie, or NULL.
 */
struct kdbus_reply *kdbus_reply_next_locked(struct kdbus_reply *reply)
{
	struct rb_node *node;

	lockdep_assert_held(&reply->requester->replies.lock);

	node = rb_next_match(&reply->cookie, &reply->by_cookie, reply_cookie_cmp);
	return rb_entry_safe(node, struct kdbus_reply, by_cookie);
}

static void reply_add_owed_locked(struct kdbus_reply *reply,
				  struct kdbus_conn *replier)
{
	lockdep_assert_held(&reply->requester->replies.lock);

	reply->replier = replier;
	spin_lock(&replier->replies.owed_lock);
	list_add_tail(&reply->owed, &replier->replies.owed);
	spin_unlock(&replier->replies.owed_lock);
}

static void reply_disown_locked(struct kdbus_reply *reply)
{
	lockdep_assert_held(&reply->requester->replies.lock);

	spin_lock(&reply->replier->replies.owed_lock);
	list_del_init(&reply->owed);
	spin_unlock(&reply->replier->replies.owed_lock);
}

/**
 * kdbus_reply_link() - begin to owe a reply
 * @reply:	The reply
 * @replier:	The connection that owes it
 *
 * The clock does not run before kdbus_reply_start().
 *
 * Context: Any; both connections are entered. ``queue->lock`` of @replier, where
 * the request goes, is held.
 *
 * Return: 0, or -EMLINK if the requester expects too many replies.
 */
int kdbus_reply_link(struct kdbus_reply *reply, struct kdbus_conn *replier)
{
	struct kdbus_replies *replies = &reply->requester->replies;
	int r = 0;

	lockdep_assert_held(&replier->queue.lock);

	spin_lock(&replies->lock);
	if (replies->count >= KDBUS_CONN_MAX_REQUESTS_PENDING) {
		r = -EMLINK;
	} else {
		kdbus_reply_get(reply);
		reply_add_locked(replies, reply);
		reply_add_owed_locked(reply, replier);
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
		reply_add_deadline_locked(replies, reply);
	spin_unlock(&replies->lock);
}

/**
 * kdbus_reply_requester() - keep the connection that expects a reply
 * @reply:	The reply
 *
 * Return: The requester, with a reference, or NULL if the reply has ended.
 */
struct kdbus_conn *kdbus_reply_requester(struct kdbus_reply *reply)
{
	struct kdbus_conn *conn = NULL;

	rcu_read_lock();
	/* pairs with kdbus_reply_set_ended_locked() */
	if (!smp_load_acquire(&reply->ended) &&
	    kref_get_unless_zero(&reply->requester->kref))
		conn = reply->requester;
	rcu_read_unlock();

	return conn;
}

/**
 * kdbus_reply_set_ended_locked() - no answer is accepted any more
 * @reply:	The reply, owed
 * @result:	What a sleeping requester is told
 *
 * A replier that disconnects does not look at a reply that has ended, but waits
 * until its list is empty. So the reply leaves the list first.
 *
 * Context: Any; ``replies->lock`` of the requester is held.
 */
void kdbus_reply_set_ended_locked(struct kdbus_reply *reply, int result)
{
	lockdep_assert_held(&reply->requester->replies.lock);

	reply_disown_locked(reply);
	WRITE_ONCE(reply->result, result);
	/* pairs with kdbus_reply_requester() and kdbus_reply_wait() */
	smp_store_release(&reply->ended, true);
}

/* may @replier end it? NULL stands for the requester, which always may */
static bool reply_is_owed_locked(const struct kdbus_reply *reply,
				 const struct kdbus_conn *replier)
{
	lockdep_assert_held(&reply->requester->replies.lock);

	if (reply->ended || !reply->linked)
		return false;
	return !replier || reply->replier == replier;
}

/* returns whether a reference is to be dropped */
static bool reply_end_locked(struct kdbus_reply *reply, int result)
{
	lockdep_assert_held(&reply->requester->replies.lock);

	kdbus_reply_set_ended_locked(reply, result);
	/* an interrupted call comes back for the result */
	if (!list_empty(&reply->interrupted))
		return false;
	reply_del_locked(&reply->requester->replies, reply);
	return true;
}

/* the caller that ends it gives the answer, if there is one */
static bool reply_end(struct kdbus_reply *reply,
		      const struct kdbus_conn *replier, int result,
		      const struct kdbus_sync_reply *answer)
{
	struct kdbus_replies *replies = &reply->requester->replies;
	bool won, drop = false;

	spin_lock(&replies->lock);
	won = reply_is_owed_locked(reply, replier);
	if (won) {
		if (answer)
			reply->answer = *answer;
		drop = reply_end_locked(reply, result);
	}
	spin_unlock(&replies->lock);

	if (won)
		rcuwait_wake_up(&reply->wait);
	if (drop)
		kdbus_reply_put(reply);
	return won;
}

/**
 * kdbus_reply_fail() - end a reply without an answer
 * @reply:	The reply; the caller keeps the requester
 * @replier:	The connection that owes it, or NULL if the requester itself ends it
 * @result:	What a sleeping requester is told
 *
 * Context: May sleep.
 *
 * Return: Whether it was this call that ended it.
 */
bool kdbus_reply_fail(struct kdbus_reply *reply,
		      const struct kdbus_conn *replier, int result)
{
	return reply_end(reply, replier, result, NULL);
}

/**
 * kdbus_reply_find() - is a reply owed?
 * @requester:	The connection that expects it
 * @replier:	The connection that may owe it
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
	for (reply = kdbus_reply_first_locked(replies, cookie); reply;
	     reply = kdbus_reply_next_locked(reply))
		if (reply_is_owed_locked(reply, replier))
			break;
	kdbus_reply_get(reply);
	spin_unlock(&replies->lock);

	return reply;
}

/**
 * kdbus_reply_claim() - end a reply, as its answer is being queued
 * @reply:	The reply, asynchronous; the caller has a reference
 * @replier:	The connection that answers
 *
 * Context: Any; both connections are entered. ``queue->lock`` of the requester,
 * where the answer goes, is held.
 *
 * Return: 0, or -EALREADY if @replier does not owe it any more.
 */
int kdbus_reply_claim(struct kdbus_reply *reply,
		      const struct kdbus_conn *replier)
{
	struct kdbus_replies *replies = &reply->requester->replies;
	bool owed;

	lockdep_assert_held(&reply->requester->queue.lock);

	spin_lock(&replies->lock);
	owed = reply_is_owed_locked(reply, replier);
	if (owed) {
		kdbus_reply_set_ended_locked(reply, 0);
		reply_del_locked(replies, reply);
	}
	spin_unlock(&replies->lock);

	if (!owed)
		return -EALREADY;
	kdbus_reply_put(reply);
	return 0;
}

/**
 * kdbus_reply_answer() - give the answer to a sleeping requester
 * @reply:	The reply, synchronous
 * @replier:	The connection that answers
 * @answer:	The answer
 *
 * Context: May sleep.
 *
 * Return: False if @replier does not owe it any more; else what @answer consists
 * of belongs to @reply.
 */
bool kdbus_reply_answer(struct kdbus_reply *reply,
			const struct kdbus_conn *replier,
			const struct kdbus_sync_reply *answer)
{
	return reply_end(reply, replier, 0, answer);
}

static bool reply_is_addressed(const struct kdbus_reply *reply, u64 dst_id,
			       const char *name)
{
	if (reply->dst_id != dst_id || !reply->name != !name)
		return false;
	return !name || strcmp(reply->name->name, name) == 0;
}

/**
 * kdbus_reply_resume() - find what an interrupted call was waiting for
 * @requester:	The connection that waited
 * @cookie:	Cookie of the request
 * @dst_id:	What the request is addressed to
 * @name:	The name it is addressed to, or NULL
 *
 * To be followed by kdbus_reply_wait().
 *
 * Return: The reply, with a reference, or NULL.
 */
struct kdbus_reply *kdbus_reply_resume(struct kdbus_conn *requester,
				       u64 cookie, u64 dst_id,
				       const char *name)
{
	struct kdbus_replies *replies = &requester->replies;
	struct kdbus_reply *reply;
	bool drop = false;

	spin_lock(&replies->lock);
	for (reply = kdbus_reply_first_locked(replies, cookie); reply;
	     reply = kdbus_reply_next_locked(reply))
		if (!list_empty(&reply->interrupted) &&
		    reply_is_addressed(reply, dst_id, name))
			break;
	if (reply) {
		list_del_init(&reply->interrupted);
		kdbus_reply_get(reply);
		drop = reply->ended;
		if (drop)
			reply_del_locked(replies, reply);
	}
	spin_unlock(&replies->lock);

	if (drop)
		kdbus_reply_put(reply);
	return reply;
}

/**
 * kdbus_reply_is_interrupted() - may an interrupted call come back?
 * @requester:	The connection that waited
 * @cookie:	Cookie of the request
 *
 * Return: Whether one with this cookie may; its destination is not judged.
 */
bool kdbus_reply_is_interrupted(struct kdbus_conn *requester, u64 cookie)
{
	struct kdbus_replies *replies = &requester->replies;
	struct kdbus_reply *reply;

	spin_lock(&replies->lock);
	for (reply = kdbus_reply_first_locked(replies, cookie); reply;
	     reply = kdbus_reply_next_locked(reply))
		if (!list_empty(&reply->interrupted))
			break;
	spin_unlock(&replies->lock);

	return reply;
}

static bool reply_has_ended(const struct kdbus_reply *reply)
{
	/* pairs with kdbus_reply_set_ended_locked() */
	return smp_load_acquire(&reply->ended);
}

static int reply_interrupt(struct kdbus_reply *reply)
{
	struct kdbus_replies *replies = &reply->requester->replies;
	int r = -ERESTARTSYS;

	spin_lock(&replies->lock);
	if (reply->ended)
		r = reply->result;
	else
		list_add_tail(&reply->interrupted, &replies->interrupted);
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
	if (rcuwait_wait_event(&reply->wait, reply_has_ended(reply),
			       TASK_INTERRUPTIBLE))
		return reply_interrupt(reply);

	return READ_ONCE(reply->result);
}

/**
 * kdbus_reply_move() - let another connection owe a reply
 * @reply:	The reply, or NULL
 * @to:		The connection that owes it from now on; entered
 *
 * Context: Any.
 */
void kdbus_reply_move(struct kdbus_reply *reply, struct kdbus_conn *to)
{
	struct kdbus_conn *requester = reply ? kdbus_reply_requester(reply) : NULL;

	if (!requester)
		return;

	spin_lock(&requester->replies.lock);
	if (reply_is_owed_locked(reply, NULL)) {
		reply_disown_locked(reply);
		reply_add_owed_locked(reply, to);
	}
	spin_unlock(&requester->replies.lock);
	kdbus_conn_put(requester);
}

/**
 * kdbus_reply_give_up_locked() - end a reply for good
 * @replies:	Of the requester
 * @reply:	One of its requests
 * @result:	What a sleeping requester is told
 *
 * Even if an interrupted call could still come back for it.
 *
 * Context: Any; ``replies->lock`` is held.
 *
 * Return: Whether that is so: then the caller drops the answer.
 */
bool kdbus_reply_give_up_locked(struct kdbus_replies *replies,
				struct kdbus_reply *reply, int result)
{
	bool interrupted = !list_empty(&reply->interrupted);

	lockdep_assert_held(&replies->lock);

	if (!reply->ended)
		kdbus_reply_set_ended_locked(reply, result);
	reply_del_locked(replies, reply);
	return interrupted;
}

/**
 * kdbus_replies_are_full() - is there room for no more requests?
 * @conn:	The connection that would expect a reply
 *
 * Return: Whether it is so at the moment.
 */
bool kdbus_replies_are_full(const struct kdbus_conn *conn)
{
	const struct kdbus_replies *replies = &conn->replies;

	return READ_ONCE(replies->count) >= KDBUS_CONN_MAX_REQUESTS_PENDING &&
	       list_empty(&replies->interrupted);
}
