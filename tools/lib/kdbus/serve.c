// SPDX-License-Identifier: LGPL-2.1-or-later
/* Who gets which message, and the loop of a service. */
#include <errno.h>

#include "priv.h"

KDB_API void kdb_set_handler(struct kdb_conn *conn, kdb_message_fn fn,
			     void *arg)
{
	conn->handler = fn;
	conn->handler_arg = arg;
}

KDB_API void kdb_stop(struct kdb_conn *conn)
{
	conn->stop = true;
}

/* Tells how a call has ended; the slot is free by then. */
static int serve_end_call(struct kdb_conn *conn, struct kdbi_slot *slot,
			  int error, struct kdb_view *view)
{
	struct kdbi_slot call = *slot;

	slot->cookie = 0;
	conn->pending--;
	return call.fn ? call.fn(conn, error, view, call.arg) : KDB_DONE;
}

/* The call that a message is the end of, or NULL. */
static struct kdbi_slot *serve_find_call(struct kdb_conn *conn,
					 const struct kdbus_msg *h)
{
	struct kdbi_slot *slot;

	if (!conn->pending || (h->flags & KDBUS_MSG_FLAGS_EXPECT_REPLY))
		return NULL;
	slot = kdbi_slot_find(conn, h->cookie_reply);
	if (!slot || h->src_id == KDBUS_SRC_ID_KERNEL)
		return slot;
	return !slot->dst || slot->dst == h->src_id ? slot : NULL;
}

static int serve_handler(struct kdb_conn *conn, struct kdb_view *view)
{
	struct kdb_msg *reply = conn->reply;

	if (!conn->handler)
		return KDB_DONE;
	kdb_msg_reset(reply);
	return conn->handler(conn, view, reply, conn->handler_arg);
}

/* A verdict on what the kernel has to say. */
static KDB_COLD int serve_notice(struct kdb_conn *conn, struct kdb_view *view)
{
	struct kdb_notice notice;
	struct kdbi_slot *slot = serve_find_call(conn, view->h);
	int r;

	kdb_view_notice(view, &notice);
	/* a monitor is told of calls that are not its own */
	if (slot) {
		r = serve_end_call(conn, slot,
				   notice.type == KDBUS_ITEM_REPLY_DEAD ?
				   -EPIPE : -ETIMEDOUT, NULL);
		return r < 0 ? r : KDB_DONE;
	}
	if (notice.name) {
		r = kdbi_watch_notice(conn, &notice);
		if (r)
			return r < 0 ? r : KDB_DONE;
	}
	r = serve_handler(conn, view);
	/* there is nobody to answer */
	return r == KDB_REPLY ? KDB_DONE : r;
}

/* A verdict. */
static int serve_dispatch(struct kdb_conn *conn, struct kdb_view *view)
{
	struct kdbi_slot *slot;
	int r;

	if (view->h->src_id == KDBUS_SRC_ID_KERNEL)
		return serve_notice(conn, view);
	if (conn->pending) {
		slot = serve_find_call(conn, view->h);
		if (slot) {
			r = serve_end_call(conn, slot, 0, view);
			return r == KDB_REPLY ? KDB_DONE : r;
		}
	}
	return serve_handler(conn, view);
}

/* Returns KDB_REPLY if there is one to be sent, and @view is still there. */
static int serve_one(struct kdb_conn *conn, struct kdb_view *view)
{
	int r;

	conn->handling = true;
	r = serve_dispatch(conn, view);
	conn->handling = false;
	if (r == KDB_REPLY)
		kdbi_msg_answers(conn->reply, view->h);
	else if (r != KDB_HOLD)
		kdb_view_release(view);
	return r;
}

/* A call is over, and the message that says so was lost. */
static int serve_late(struct kdb_conn *conn)
{
	struct kdbi_slot *slot = kdbi_slot_late(conn);
	int r;

	if (!slot)
		return 0;
	conn->handling = true;
	r = serve_end_call(conn, slot, -ETIMEDOUT, NULL);
	conn->handling = false;
	return r < 0 ? r : 1;
}

KDB_API int kdb_process(struct kdb_conn *conn)
{
	struct kdb_view *view;
	int r;

	if (conn->handling)
		return -EBUSY;
	r = kdbi_recv(conn, &view, 0);
	if (r == -EAGAIN)
		return serve_late(conn);
	if (r < 0)
		return r;
	r = serve_one(conn, view);
	if (r == KDB_REPLY) {
		if (kdbi_msg_send(conn->reply, 0, view->h->cookie,
				  conn->parked) == 0)
			kdbi_msg_sent(conn->reply);
		kdb_view_release(view);
	}
	return r < 0 ? r : 1;
}

/* Who is called waits for the next call: looking in vain would cost a command. */
static int serve_by_poll(struct kdb_conn *conn)
{
	int r;

	while (!conn->stop) {
		r = conn->pending ? kdb_wait(conn, KDB_NO_DEADLINE) :
				    kdbi_wait(conn, KDB_NO_DEADLINE);
		if (r == 0)
			r = kdb_process(conn);
		if (r < 0)
			return r;
	}
	return 0;
}

/* No message came with the command that has sent the reply. */
static KDB_COLD int serve_look(struct kdb_conn *conn, struct kdb_view **next)
{
	int r;

	kdbi_view_forget(*next);
	*next = NULL;
	/* there may have been a signal, or something that receiving tells */
	r = kdbi_recv(conn, next, 0);
	return r == -EAGAIN ? -EINTR : r;
}

/*
 * Sends the reply, frees the message, and receives the next one if somebody would
 * wait for that now. Where none came, *next is NULL.
 */
static int serve_turn(struct kdb_conn *conn, struct kdb_view *view,
		      struct kdb_view **next)
{
	struct kdb_msg *reply = conn->reply;
	uint64_t offset = view->offset;
	int r;

	*next = NULL;
	if (!conn->stop && !conn->pending)
		*next = kdbi_view_get(conn);
	/* where numbers of files are, the next message may be by then */
	if (view->files || view->n_fds)
		offset = KDBUS_OFFSET_NONE;
	r = kdbi_msg_send(reply, *next ? KDBUS_MSG_EXT_RECV : 0, view->h->cookie,
			  offset);
	reply->chosen = false;
	if (r == 0 && (reply->h.flags & KDBUS_MSG_EXT_FREE))
		kdbi_view_put(view);
	else
		kdb_view_release(view);
	if (!*next)
		return 0;
	if (r < 0) {
		kdbi_view_forget(*next);
		*next = NULL;
		return 0;
	}
	if (reply->h.offset_reply == KDBUS_OFFSET_NONE)
		return serve_look(conn, next);
	kdbi_view_show(*next, reply->h.offset_reply, true);
	return 0;
}

static int serve_by_turns(struct kdb_conn *conn)
{
	struct kdb_view *view = NULL;
	int r;

	while (!conn->stop) {
		/* the kernel does not know kdb_timeout() */
		if (!view && conn->pending) {
			r = kdb_process(conn);
			if (r == 0)
				r = kdb_wait(conn, KDB_NO_DEADLINE);
			if (r < 0)
				return r;
			continue;
		}
		if (!view) {
			r = kdbi_recv(conn, &view, KDBUS_RECV_EXT_WAIT);
			if (r < 0)
				return r;
		}
		r = serve_one(conn, view);
		if (r == KDB_REPLY)
			r = serve_turn(conn, view, &view);
		else
			view = NULL;
		if (r < 0)
			return r;
	}
	return 0;
}

KDB_API int kdb_serve(struct kdb_conn *conn)
{
	if (conn->handling)
		return -EBUSY;
	conn->stop = false;
	return conn->features & KDB_FEATURE_TURN ? serve_by_turns(conn) :
						   serve_by_poll(conn);
}
