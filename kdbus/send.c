// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>
#include <uapi/linux/kdbus.h>

#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "fanout.h"
#include "files.h"
#include "item.h"
#include "message.h"
#include "names.h"
#include "policy.h"
#include "pool/pool.h"
#include "queue.h"
#include "recv.h"
#include "reply.h"
#include "waitq.h"

/**
 * struct send_route - where a message goes, and under which conditions
 * @src:	The sender
 * @dst:	The receiver
 * @name:	The name it is addressed to, which @dst owns, or NULL
 * @answers:	The reply it is, with a reference, or NULL
 * @request:	The reply that will be owed for it, with a reference, or NULL
 * @user:	The user that it counts for, NULL if limits do not apply
 * @want:	Metadata that @dst may have
 * @copies:	Copies for monitors
 */
struct send_route {
	struct kdbus_conn *src;
	struct kdbus_conn *dst;
	struct kdbus_name_entry *name;
	struct kdbus_reply *answers;
	struct kdbus_reply *request;
	struct kdbus_user *user;
	u64 want;
	struct kdbus_fanout copies;
};

static bool send_is_sync(const struct kdbus_message *m)
{
	return m->msg->flags & KDBUS_MSG_FLAGS_SYNC_REPLY;
}

/*
 * While a name changes hands, the sets of names of the old and the new owner may be
 * out of date. So a sender that would be refused asks again under bus->lock. -ESTALE
 * if the name has a new owner.
 */
static int send_may_talk(const struct send_route *route)
{
	struct kdbus_bus *bus = route->src->bus;
	int r;

	r = kdbus_policy_talk(route->src, route->dst);
	if (r == 0)
		return 0;

	mutex_lock(&bus->lock);
	if (route->name && route->name->owner != route->dst)
		r = -ESTALE;
	/* a dead endpoint has no policy */
	else if (!kdbus_conn_is_alive(route->src))
		r = -ECONNRESET;
	else
		r = kdbus_policy_talk(route->src, route->dst);
	mutex_unlock(&bus->lock);

	return r;
}

/*
 * The receiver is closed: -ESTALE if the name has another owner by now.
 * -ECONNRESET is the end of the sender's own connection, as when the bus ends.
 */
static int send_receiver_gone(const struct send_route *route)
{
	if (!kdbus_conn_is_alive(route->src))
		return -ECONNRESET;
	if (route->name && READ_ONCE(route->name->owner) != route->dst)
		return -ESTALE;
	return -ENXIO;
}

/* @replies: the message has a cookie_reply, but no such reply is owed */
static int send_may_talk_unowed(const struct send_route *route, bool replies)
{
	int r = send_may_talk(route);

	/* a receiver that is leaving expects nothing any more */
	if (r < 0 && r != -ESTALE && replies && !kdbus_conn_is_alive(route->dst))
		r = send_receiver_gone(route);
	return r;
}

/* it is too late to be the reply: an ordinary message */
static int send_demote(struct send_route *route)
{
	kdbus_reply_put(route->answers);
	route->answers = NULL;
	return send_may_talk_unowed(route, true);
}

/* called under queue->lock of the receiver: nothing can fail after this */
static int send_bind(void *data)
{
	struct send_route *route = data;

	lockdep_assert_held(&route->dst->queue.lock);

	if (route->answers)
		return kdbus_reply_claim(route->answers, route->src);
	return kdbus_reply_link(route->request, route->dst);
}

static int send_push_guarded(struct send_route *route,
			     struct kdbus_queued_msg *qmsg, bool pass)
{
	struct kdbus_queue_how how = {
		.unlimited	= !route->user,
		.pass		= pass,
		.seq		= &route->src->bus->domain->msg_seq,
		.data		= route,
	};

	if (route->name) {
		how.guard = (void *const *)&route->name->owner;
		how.expect = route->dst;
		qmsg->name_id = route->name->id;
	}
	if (route->answers || route->request)
		how.last = send_bind;

	return kdbus_fanout_push(&route->copies, route->dst->bus,
				 &route->dst->queue, qmsg, &how);
}

/*
 * While messages to names of the receiver wait at an activator, those of another
 * sender need not. Nothing follows or changes hands meanwhile: bus->lock is held.
 */
static int send_push_past(struct send_route *route, struct kdbus_queued_msg *qmsg)
{
	struct kdbus_bus *bus = route->src->bus;
	int r;

	mutex_lock(&bus->lock);
	r = kdbus_handover_keeps(route->dst, route->src->id) ?
	    -ENOBUFS : send_push_guarded(route, qmsg, true);
	mutex_unlock(&bus->lock);

	return r;
}

static int send_push(struct send_route *route, struct kdbus_queued_msg *qmsg)
{
	int r = send_push_guarded(route, qmsg, false);

	return likely(r != -EBUSY) ? r : send_push_past(route, qmsg);
}

/* can what send_bind() found be helped? */
static bool send_retry(struct send_route *route, int *r)
{
	if (*r == -EALREADY)
		*r = send_demote(route);
	else if (*r == -EMLINK && kdbus_replies_make_room(route->src))
		*r = 0;
	return *r == 0;
}

/* both ends are kept from disconnecting here */
static int send_queue_linked(struct send_route *route, struct kdbus_queued_msg *qmsg)
{
	int r;

	qmsg->reply = kdbus_reply_get(route->request);
	do {
		r = send_push(route, qmsg);
	} while (r < 0 && send_retry(route, &r));
	if (r < 0)
		return r;

	if (route->request)
		kdbus_reply_start(route->request);
	if (route->request && route->request->sync)
		kdbus_conn_wake_sync(route->dst);
	else
		kdbus_conn_wake(route->dst);
	return 0;
}

static int send_queue(struct send_route *route, struct kdbus_queued_msg *qmsg)
{
	int r;

	if (!kdbus_conn_enter(route->src))
		return -ECONNRESET;
	if (kdbus_conn_enter(route->dst)) {
		r = send_queue_linked(route, qmsg);
		kdbus_conn_leave(route->dst);
	} else {
		r = -ENXIO;
	}
	kdbus_conn_leave(route->src);

	return r == -ENXIO ? send_receiver_gone(route) : r;
}

static int send_make_request(struct send_route *route, const struct kdbus_message *m)
{
	const struct kdbus_msg *msg = m->msg;
	struct kdbus_reply *reply;

	if (kdbus_replies_are_full(route->src))
		return -EMLINK;

	reply = kdbus_reply_new(route->src, msg->cookie, kdbus_message_deadline(m),
				send_is_sync(m));
	if (!reply)
		return -ENOMEM;

	/* a call that is interrupted is known by these when it comes back */
	if (reply->sync) {
		reply->dst_id = msg->dst_id;
		reply->name = kdbus_name_get(route->name);
	}
	route->request = reply;
	return 0;
}

static int send_queued(struct send_route *route, struct kdbus_message *m)
{
	struct kdbus_queued_msg *qmsg;
	int r;

	if (kdbus_message_is_request(m)) {
		r = send_make_request(route, m);
		if (r < 0)
			return r;
	}

	route->user = kdbus_msg_charged_user(route->src);
	r = kdbus_msg_admissible(m, route->dst);
	if (r == 0) {
		qmsg = kdbus_msg_copy_new(m, route->dst, route->user, route->want);
		r = PTR_ERR_OR_ZERO(qmsg);
	}
	if (r < 0)
		return r == -ENXIO ? send_receiver_gone(route) : r;

	r = send_queue(route, qmsg);
	if (r < 0)
		kdbus_msg_copy_undo(route->dst, qmsg);
	return r;
}

/* an expected reply may always be sent */
static int send_authorize(struct send_route *route, const struct kdbus_message *m)
{
	bool replies = !kdbus_message_is_request(m) && m->msg->cookie_reply;

	if (replies)
		route->answers = kdbus_reply_find(route->dst, route->src,
						  m->msg->cookie_reply);
	return route->answers ? 0 : send_may_talk_unowed(route, replies);
}

static int send_written(struct send_route *route, struct kdbus_message *m)
{
	int r;

	if (!route->answers || !route->answers->sync)
		return send_queued(route, m);

	r = kdbus_sync_reply_send(route->answers, m, route->want, &route->copies);
	if (r != -EALREADY)
		return r;

	r = send_demote(route);
	return r < 0 ? r : send_queued(route, m);
}

static int send_to(struct send_route *route, struct kdbus_message *m)
{
	bool monitors = kdbus_bus_has_monitors(route->src->bus);
	int r;

	r = send_authorize(route, m);
	if (r < 0)
		return r;

	/* it looked like a call that comes back */
	if (m->files) {
		r = kdbus_files_charge(m->files, route->src->real_user);
		if (r < 0)
			return r;
	}

	route->want = kdbus_msg_meta_want(&route->src->self, &route->dst->self);
	r = kdbus_message_collect(m, route->want);
	if (r < 0)
		return r;

	if (monitors) {
		r = kdbus_message_snapshot(m);
		if (r < 0)
			return r;
		kdbus_monitors_write(&route->copies, m);
	}

	r = send_written(route, m);
	kdbus_monitors_release(&route->copies);
	return r;
}

static int send_on_route(struct send_route *route, struct kdbus_message *m)
{
	int r;

	r = send_to(route, m);
	m->numbered = r == 0;
	return r;
}

static int send_wait(struct kdbus_reply *reply, struct kdbus_message *m,
		     struct kdbus_cmd *cmd)
{
	/* the receiver has it, and may be done with it long before */
	if (m->files || m->data)
		kdbus_message_release(m);
	return kdbus_sync_reply_wait(reply, cmd);
}

static void send_release(struct send_route *route)
{
	kdbus_reply_put(route->request);
	kdbus_reply_put(route->answers);
	kdbus_conn_put(route->dst);
	kdbus_name_put(route->name);
}

static int send_to_id(struct send_route *route, struct kdbus_message *m)
{
	route->dst = kdbus_conn_find(route->src->bus, m->msg->dst_id);
	if (!route->dst || !kdbus_conn_is_ordinary(route->dst))
		return -ENXIO;
	return send_on_route(route, m);
}

static int send_check_owner(const struct send_route *route, const struct kdbus_message *m)
{
	u64 dst_id = m->msg->dst_id;

	if (dst_id != KDBUS_DST_ID_NAME && dst_id != route->dst->id)
		return -EREMCHG;
	if (m->msg->flags & KDBUS_MSG_FLAGS_NO_AUTO_START &&
	    route->dst->flags & KDBUS_HELLO_ACTIVATOR)
		return -EADDRNOTAVAIL;
	return 0;
}

/*
 * Between the end of its queue and letting go of its names a connection does
 * nothing that takes long. What it would have said to the message is not what
 * the next owner says, and if there is none, the name is gone.
 */
static int send_await_owner(const struct send_route *route)
{
	int r;

	r = wait_event_interruptible(route->dst->waitq->wait,
				     READ_ONCE(route->name->owner) != route->dst);
	return r < 0 ? r : -ESTALE;
}

/* -ESTALE if the name has changed hands */
static int send_to_owner(struct send_route *route, struct kdbus_message *m)
{
	int r;

	route->name = kdbus_name_find(&route->src->bus->names, m->dst_name);
	if (!route->name)
		return -ESRCH;
	route->dst = kdbus_name_owner(route->src->bus, route->name);
	if (!route->dst)
		return -ESTALE;

	r = send_check_owner(route, m);
	if (r == 0)
		r = send_on_route(route, m);
	if (r < 0 && !kdbus_conn_is_alive(route->dst) &&
	    kdbus_conn_is_alive(route->src))
		r = send_await_owner(route);
	return r;
}

/* what is taken while a message is sent and bus->owners held, sooner or later */
static void send_might_lock(struct kdbus_conn *src)
{
	lockdep_assert_held(&src->bus->owners);

	kdbus_conn_might_move_more(src);
	/* for room in a pool */
	might_lock(&src->pool->pages.lock);
}

/*
 * The owner keeps the name from here on, unless it disconnects. Nothing of user
 * space is waited for meanwhile: everything is read before.
 */
static int send_keep_owners(struct send_route *route, struct kdbus_message *m)
{
	struct kdbus_conn *src = route->src;
	int r;

	r = kdbus_message_snapshot(m);
	if (r == 0)
		r = kdbus_message_collect(m, _KDBUS_ATTACH_ALL);
	if (r == 0)
		r = mutex_lock_interruptible(&src->bus->owners);
	if (r == 0)
		send_might_lock(src);
	return r == -EINTR ? -ERESTARTSYS : r;
}

/* owners that change all the time do not keep a sender for long */
#define SEND_TRIES	8

static int send_to_name(struct send_route *route, struct kdbus_message *m)
{
	struct kdbus_conn *src = route->src;
	unsigned int tries = 0;
	bool kept = false;
	int r;

	for (;;) {
		r = send_to_owner(route, m);
		if (r != -ESTALE)
			break;

		send_release(route);
		*route = (struct send_route){ .src = src };
		r = -ERESTARTSYS;
		if (signal_pending(current))
			break;
		if (++tries == SEND_TRIES) {
			r = send_keep_owners(route, m);
			if (r < 0)
				break;
			kept = true;
		}
	}

	if (kept)
		mutex_unlock(&src->bus->owners);
	return r;
}

static int send_unicast(struct kdbus_conn *src, struct kdbus_message *m,
			struct kdbus_cmd *cmd)
{
	struct send_route route = { .src = src };
	int r;

	r = m->dst_name ? send_to_name(&route, m) : send_to_id(&route, m);
	if (r == 0 && send_is_sync(m))
		r = send_wait(route.request, m, cmd);
	send_release(&route);
	return r;
}

/*
 * A call that was interrupted goes on waiting, wherever it would go to by now,
 * and is not sent again. Neither is one that comes back too late to find what it
 * was waiting for. -EAGAIN if there is nothing to go on with.
 */
static int send_resume(struct kdbus_conn *src, struct kdbus_message *m,
		       struct kdbus_cmd *cmd)
{
	const struct kdbus_msg *msg = m->msg;
	struct kdbus_reply *reply;
	int r;

	reply = kdbus_reply_resume(src, msg->cookie, msg->dst_id, m->dst_name);
	if (!reply && kdbus_message_deadline(m) <= ktime_get_ns())
		return -ETIMEDOUT;
	if (!reply)
		return -EAGAIN;

	m->numbered = true;
	r = send_wait(reply, m, cmd);
	kdbus_reply_put(reply);
	return r;
}

static int send_route(struct kdbus_conn *src, struct kdbus_message *m,
		      struct kdbus_cmd *cmd)
{
	int r;

	if (kdbus_message_is_broadcast(m)) {
		r = kdbus_broadcast(src, m);
		m->numbered = r == 0;
		return r;
	}
	if (send_is_sync(m)) {
		r = send_resume(src, m, cmd);
		if (r != -EAGAIN)
			return r;
	}
	return send_unicast(src, m, cmd);
}

static int send_message(struct kdbus_conn *src, struct kdbus_cmd *cmd)
{
	/* initialised next */
	struct kdbus_message m __uninitialized;
	int r;

	r = kdbus_message_init(&m, cmd, src);
	if (r < 0)
		return r;

	r = send_route(src, &m, cmd);
	/* what fails is counted, too */
	if (!m.numbered)
		atomic64_inc(&src->bus->domain->msg_seq);

	kdbus_message_release(&m);
	return r;
}

/* the one item that says what to free */
static int send_find_offset(const struct kdbus_cmd *cmd, u64 *offset)
{
	const struct kdbus_item *item, *found = NULL;

	kdbus_items_foreach(item, kdbus_cmd_items(cmd),
			    kdbus_cmd_items_len(cmd)) {
		if (item->type != KDBUS_ITEM_FREE)
			continue;
		if (found)
			return -EEXIST;
		if (kdbus_item_payload(item) != sizeof(*offset))
			return -EINVAL;
		found = item;
	}
	if (!found)
		return -EINVAL;

	*offset = found->data64[0];
	return 0;
}

static int send_check(const struct kdbus_conn *conn, const struct kdbus_cmd *cmd,
		      u64 *offset)
{
	const struct kdbus_msg *msg = cmd->data;
	int r;

	/* both would say where something is, in the same place */
	if (msg->flags & KDBUS_MSG_EXT_RECV &&
	    msg->flags & KDBUS_MSG_FLAGS_SYNC_REPLY)
		return -EINVAL;
	if (!(msg->flags & KDBUS_MSG_EXT_FREE))
		return 0;

	r = send_find_offset(cmd, offset);
	return r < 0 ? r : kdbus_pool_check(conn->pool, *offset);
}

/**
 * kdbus_send() - send a message, and what goes with it
 * @conn:	The sender, the connection of the running task
 * @cmd:	KDBUS_CMD_MSG_SEND
 *
 * Documentation/kdbus.txt, sections 10 and 22.2.
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: 0 or a negative errno; then nothing was sent, or it is about the
 * reply, or -EFAULT because it cannot be told where the next message is.
 */
int kdbus_send(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	struct kdbus_msg *msg = cmd->data;
	u64 flags = msg->flags, offset;
	int r;

	r = send_check(conn, cmd, &offset);
	if (r == 0)
		r = send_message(conn, cmd);
	if (r < 0)
		return r;

	/* fails if another thread has freed it: the message is sent all the same */
	if (flags & KDBUS_MSG_EXT_FREE) {
		kdbus_pool_free(conn->pool, offset);
		kdbus_conn_has_room(conn);
	}
	if (flags & KDBUS_MSG_EXT_RECV)
		return kdbus_recv_next(conn, cmd, offsetof(struct kdbus_msg,
							   offset_reply));
	return 0;
}
