// SPDX-License-Identifier: GPL-2.0
#include <linux/errno.h>
#include <linux/sched.h>

#include "compat/hrtimer.h"
#include "conn.h"
#include "notify.h"
#include "reply.h"
#include "requests.h"

static void replies_expire(struct work_struct *work);

static enum hrtimer_restart replies_timer(struct hrtimer *timer)
{
	struct kdbus_replies *replies =
		container_of(timer, struct kdbus_replies, timer);

	schedule_work(&replies->work);
	return HRTIMER_NORESTART;
}

/**
 * kdbus_replies_init() - nothing expected, nothing owed
 * @replies:	To be initialised
 */
void kdbus_replies_init(struct kdbus_replies *replies)
{
	spin_lock_init(&replies->lock);
	replies->requests = RB_ROOT;
	timerqueue_init_head(&replies->deadlines);
	replies->armed = KTIME_MAX;
	kdbus_hrtimer_setup(&replies->timer, replies_timer, CLOCK_MONOTONIC,
			    HRTIMER_MODE_ABS);
	INIT_WORK(&replies->work, replies_expire);
	spin_lock_init(&replies->owed_lock);
	INIT_LIST_HEAD(&replies->owed);
}

static void arm(struct kdbus_replies *replies, ktime_t when)
{
	lockdep_assert_held(&replies->lock);

	/* going off too early does no harm, so it is not put off */
	if (when >= replies->armed)
		return;
	replies->armed = when;
	hrtimer_start(&replies->timer, when, HRTIMER_MODE_ABS);
}

/**
 * kdbus_requests_add_deadline() - let the clock run
 * @replies:	Of the requester, locked
 * @reply:	One of its requests
 */
void kdbus_requests_add_deadline(struct kdbus_replies *replies,
				 struct kdbus_reply *reply)
{
	/* an answer was faster, and was put back */
	if (!RB_EMPTY_NODE(&reply->deadline.node))
		return;
	if (reply->deadline.expires == KTIME_MAX)
		return;
	timerqueue_add(&replies->deadlines, &reply->deadline);
	arm(replies, reply->deadline.expires);
}

/**
 * kdbus_requests_add() - add a request
 * @replies:	Of the requester, locked
 * @reply:	What it expects; a reference is given away
 */
void kdbus_requests_add(struct kdbus_replies *replies,
			struct kdbus_reply *reply)
{
	struct rb_node **link = &replies->requests.rb_node, *parent = NULL;
	struct kdbus_reply *pos;

	lockdep_assert_held(&replies->lock);

	while (*link) {
		parent = *link;
		pos = rb_entry(parent, struct kdbus_reply, by_cookie);
		link = reply->cookie <= pos->cookie ? &parent->rb_left :
						      &parent->rb_right;
	}

	rb_link_node(&reply->by_cookie, parent, link);
	rb_insert_color(&reply->by_cookie, &replies->requests);
	reply->linked = true;
	WRITE_ONCE(replies->count, replies->count + 1);
}

/**
 * kdbus_requests_del() - take a request away
 * @replies:	Of the requester, locked
 * @reply:	One of its requests; the reference goes to the caller
 */
void kdbus_requests_del(struct kdbus_replies *replies,
			struct kdbus_reply *reply)
{
	lockdep_assert_held(&replies->lock);

	rb_erase(&reply->by_cookie, &replies->requests);
	if (!RB_EMPTY_NODE(&reply->deadline.node))
		timerqueue_del(&replies->deadlines, &reply->deadline);
	reply->linked = false;
	WRITE_ONCE(replies->count, replies->count - 1);
}

/**
 * kdbus_requests_first() - the latest request with a cookie
 * @replies:	Of the requester, locked
 * @cookie:	The cookie
 *
 * Return: The request, or NULL.
 */
struct kdbus_reply *kdbus_requests_first(struct kdbus_replies *replies,
					 u64 cookie)
{
	struct rb_node *node = replies->requests.rb_node;
	struct kdbus_reply *pos, *found = NULL;

	lockdep_assert_held(&replies->lock);

	while (node) {
		pos = rb_entry(node, struct kdbus_reply, by_cookie);
		if (cookie <= pos->cookie) {
			found = pos;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}

	return found && found->cookie == cookie ? found : NULL;
}

/**
 * kdbus_requests_next() - the latest before it
 * @reply:	A request, its requester locked
 *
 * Return: Another request with the same cookie, or NULL.
 */
struct kdbus_reply *kdbus_requests_next(struct kdbus_reply *reply)
{
	struct rb_node *node = rb_next(&reply->by_cookie);
	struct kdbus_reply *next;

	next = rb_entry_safe(node, struct kdbus_reply, by_cookie);
	return next && next->cookie == reply->cookie ? next : NULL;
}

/**
 * kdbus_replies_cancel() - wake sleeping requests with a cookie
 * @conn:	Who sleeps
 * @cookie:	The cookie
 *
 * Documentation/kdbus.txt, section 14.4.
 *
 * Context: May sleep.
 *
 * Return: 0, or -ENOENT if there is none.
 */
int kdbus_replies_cancel(struct kdbus_conn *conn, u64 cookie)
{
	struct kdbus_replies *replies = &conn->replies;
	struct kdbus_reply *reply;
	int r = -ENOENT;

	for (;;) {
		spin_lock(&replies->lock);
		for (reply = kdbus_requests_first(replies, cookie); reply;
		     reply = kdbus_requests_next(reply))
			if (reply->sync &&
			    reply->state == KDBUS_REPLY_OPEN)
				break;
		kdbus_reply_get(reply);
		spin_unlock(&replies->lock);
		if (!reply)
			return r;

		if (kdbus_reply_end(reply, -ECANCELED))
			r = 0;
		kdbus_reply_put(reply);
	}
}

/* for good, even if an interrupted call could still come back for it */
static void give_up(struct kdbus_replies *replies, struct kdbus_reply *reply,
		    int result)
{
	if (reply->state == KDBUS_REPLY_OPEN)
		kdbus_reply_disown(reply);
	WRITE_ONCE(reply->result, result);
	/* pairs with kdbus_reply_wait() */
	smp_store_release(&reply->state, KDBUS_REPLY_ENDED);
	kdbus_requests_del(replies, reply);
}

/* what is overdue, taken out of the queue of deadlines, with a reference */
static struct kdbus_reply *next_overdue(struct kdbus_replies *replies)
{
	struct timerqueue_node *node = timerqueue_getnext(&replies->deadlines);
	struct kdbus_reply *reply;

	lockdep_assert_held(&replies->lock);

	if (!node)
		return NULL;
	if (node->expires > ktime_get()) {
		arm(replies, node->expires);
		return NULL;
	}

	reply = container_of(node, struct kdbus_reply, deadline);
	give_up(replies, reply, -ETIMEDOUT);
	return reply;
}

static void replies_expire(struct work_struct *work)
{
	struct kdbus_replies *replies =
		container_of(work, struct kdbus_replies, work);
	struct kdbus_reply *reply;

	spin_lock(&replies->lock);
	replies->armed = KTIME_MAX;
	spin_unlock(&replies->lock);

	for (;;) {
		spin_lock(&replies->lock);
		reply = next_overdue(replies);
		spin_unlock(&replies->lock);
		if (!reply)
			break;

		if (reply->sync)
			rcuwait_wake_up(&reply->wait);
		else
			kdbus_notify_reply(reply->requester,
					   KDBUS_ITEM_REPLY_TIMEOUT,
					   reply->cookie);
		/* of a call that was interrupted and never came back */
		kdbus_reply_drop_answer(reply);
		kdbus_reply_put(reply);
	}
}

/**
 * kdbus_replies_shutdown_requests() - expect nothing any more
 * @conn:	A connection that is closed and not entered
 *
 * Context: May sleep.
 */
void kdbus_replies_shutdown_requests(struct kdbus_conn *conn)
{
	struct kdbus_replies *replies = &conn->replies;
	struct kdbus_reply *reply;
	struct rb_node *node;

	for (;;) {
		spin_lock(&replies->lock);
		node = rb_first(&replies->requests);
		reply = rb_entry_safe(node, struct kdbus_reply, by_cookie);
		if (reply)
			give_up(replies, reply, -ECONNRESET);
		spin_unlock(&replies->lock);
		if (!reply)
			break;

		rcuwait_wake_up(&reply->wait);
		if (reply->interrupted)
			kdbus_reply_drop_answer(reply);
		kdbus_reply_put(reply);
	}

	hrtimer_cancel(&replies->timer);
	cancel_work_sync(&replies->work);
}

/**
 * kdbus_replies_shutdown_owed() - owe nothing any more
 * @conn:	A connection that is closed and not entered
 *
 * Tells those who wait.
 *
 * Context: May sleep.
 */
void kdbus_replies_shutdown_owed(struct kdbus_conn *conn)
{
	struct kdbus_replies *replies = &conn->replies;
	struct kdbus_reply *reply;

	for (;;) {
		spin_lock(&replies->owed_lock);
		reply = list_first_entry_or_null(&replies->owed,
						 struct kdbus_reply, owed);
		/* whoever ends it takes it off this list first */
		kdbus_reply_get(reply);
		spin_unlock(&replies->owed_lock);
		if (!reply)
			break;

		kdbus_reply_abandon(reply);
		kdbus_reply_put(reply);
	}
}
