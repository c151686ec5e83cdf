// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/sched.h>

#include "cmd.h"
#include "compat/hrtimer.h"
#include "conn.h"
#include "event.h"
#include "queue.h"
#include "reply.h"

/**
 * kdbus_reply_abandon() - the replier will not answer
 * @reply:	The reply, or NULL
 * @replier:	The connection that owes it
 *
 * Tells the requester. Documentation/kdbus.txt, section 14.
 *
 * Context: May sleep.
 */
void kdbus_reply_abandon(struct kdbus_reply *reply,
			 const struct kdbus_conn *replier)
{
	struct kdbus_conn *requester = reply ? kdbus_reply_requester(reply) : NULL;

	if (!requester)
		return;

	if (kdbus_reply_fail(reply, replier, -EPIPE) && !reply->sync)
		kdbus_notify_reply(requester, KDBUS_ITEM_REPLY_DEAD,
				   reply->cookie);
	kdbus_conn_put(requester);
}

/**
 * kdbus_reply_discard() - get rid of a message that nobody will read
 * @conn:	The connection it was for
 * @qmsg:	The message, in no queue
 *
 * If it is a request, the requester is told.
 *
 * Context: May sleep; no locks may be held that notifications take.
 */
void kdbus_reply_discard(struct kdbus_conn *conn,
			 struct kdbus_queued_msg *qmsg)
{
	kdbus_reply_abandon(qmsg->reply, conn);
	kdbus_queued_msg_free(&conn->queue, qmsg);
}

/* a call that was interrupted and cancelled is told when it comes back */
static bool reply_can_cancel(const struct kdbus_reply *reply)
{
	if (!reply->sync)
		return false;
	return !reply->ended || reply->result != -ECANCELED;
}

/* how a call ended that has not come back for it yet */
static bool reply_cancel_kept(struct kdbus_reply *reply)
{
	struct kdbus_replies *replies = &reply->requester->replies;
	struct kdbus_sync_reply answer = {};
	bool kept;

	spin_lock(&replies->lock);
	kept = reply->ended && !list_empty(&reply->interrupted) &&
	       reply->result != -ECANCELED;
	if (kept) {
		swap(answer, reply->answer);
		WRITE_ONCE(reply->result, -ECANCELED);
	}
	spin_unlock(&replies->lock);

	kdbus_sync_reply_free(&answer, reply->requester);
	return kept;
}

/*
 * An answer that was kept for an interrupted call is thrown away. That it was
 * cancelled is kept: the call may be about to come back, and is not to be sent
 * again. Returns whether there was something to cancel.
 */
static bool reply_cancel(struct kdbus_reply *reply)
{
	return kdbus_reply_fail(reply, NULL, -ECANCELED) ||
	       reply_cancel_kept(reply);
}

/**
 * kdbus_replies_cancel() - KDBUS_CMD_MSG_CANCEL
 * @conn:	The connection, in another call of which a thread may sleep
 * @cmd:	The command
 *
 * Ends the synchronous requests with a cookie.
 *
 * Documentation/kdbus.txt, section 14.4.
 *
 * Context: May sleep.
 *
 * Return: 0, or -ENOENT if there is none.
 */
int kdbus_replies_cancel(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_cancel *arg = cmd->data;
	struct kdbus_replies *replies = &conn->replies;
	struct kdbus_reply *reply;
	int r = -ENOENT;

	for (;;) {
		spin_lock(&replies->lock);
		for (reply = kdbus_reply_first_locked(replies,
						      arg->cookie); reply;
		     reply = kdbus_reply_next_locked(reply))
			if (reply_can_cancel(reply))
				break;
		kdbus_reply_get(reply);
		spin_unlock(&replies->lock);
		if (!reply)
			return r;

		if (reply_cancel(reply))
			r = 0;
		kdbus_reply_put(reply);
	}
}

/**
 * kdbus_replies_make_room() - give up the call that was interrupted first
 * @conn:	The connection, which expects too many replies
 *
 * It has had the most time to come back, and probably never will.
 *
 * Context: May sleep.
 *
 * Return: False if there is no such call.
 */
bool kdbus_replies_make_room(struct kdbus_conn *conn)
{
	struct kdbus_replies *replies = &conn->replies;
	struct kdbus_reply *reply;

	spin_lock(&replies->lock);
	reply = list_first_entry_or_null(&replies->interrupted,
					 struct kdbus_reply, interrupted);
	if (reply)
		kdbus_reply_give_up_locked(replies, reply, -ECANCELED);
	spin_unlock(&replies->lock);
	if (!reply)
		return false;

	kdbus_reply_drop_answer(reply);
	kdbus_reply_put(reply);
	return true;
}

/* what is overdue, taken out of the queue of deadlines, with a reference */
static struct kdbus_reply *
reply_next_overdue_locked(struct kdbus_replies *replies, bool *interrupted)
{
	struct timerqueue_node *node = timerqueue_getnext(&replies->deadlines);
	struct kdbus_reply *reply;

	lockdep_assert_held(&replies->lock);

	if (!node)
		return NULL;
	if (node->expires > ktime_get()) {
		kdbus_replies_arm_locked(replies, node->expires);
		return NULL;
	}

	reply = container_of(node, struct kdbus_reply, deadline);
	*interrupted = kdbus_reply_give_up_locked(replies, reply, -ETIMEDOUT);
	return reply;
}

static void reply_expire(struct work_struct *work)
{
	struct kdbus_replies *replies =
		container_of(work, struct kdbus_replies, work);
	struct kdbus_reply *reply;
	bool interrupted;

	spin_lock(&replies->lock);
	replies->armed = KTIME_MAX;
	spin_unlock(&replies->lock);

	for (;;) {
		spin_lock(&replies->lock);
		reply = reply_next_overdue_locked(replies, &interrupted);
		spin_unlock(&replies->lock);
		if (!reply)
			break;

		if (reply->sync)
			rcuwait_wake_up(&reply->wait);
		else
			kdbus_notify_reply(reply->requester,
					   KDBUS_ITEM_REPLY_TIMEOUT,
					   reply->cookie);
		if (interrupted)
			kdbus_reply_drop_answer(reply);
		kdbus_reply_put(reply);
	}
}

static enum hrtimer_restart reply_timer(struct hrtimer *timer)
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
	INIT_LIST_HEAD(&replies->interrupted);
	replies->armed = KTIME_MAX;
	kdbus_hrtimer_setup(&replies->timer, reply_timer, CLOCK_MONOTONIC,
			    HRTIMER_MODE_ABS);
	INIT_WORK(&replies->work, reply_expire);
	spin_lock_init(&replies->owed_lock);
	INIT_LIST_HEAD(&replies->owed);
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
	bool interrupted = false;
	struct kdbus_reply *reply;
	struct rb_node *node;

	for (;;) {
		spin_lock(&replies->lock);
		node = rb_first(&replies->requests);
		reply = rb_entry_safe(node, struct kdbus_reply, by_cookie);
		if (reply)
			interrupted = kdbus_reply_give_up_locked(replies, reply,
								 -ECONNRESET);
		spin_unlock(&replies->lock);
		if (!reply)
			break;

		rcuwait_wake_up(&reply->wait);
		if (interrupted)
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
 * Tells the requesters.
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
		kdbus_reply_get(reply);
		spin_unlock(&replies->owed_lock);
		if (!reply)
			break;

		kdbus_reply_abandon(reply, conn);
		kdbus_reply_put(reply);
	}
}
