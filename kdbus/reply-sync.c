// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <uapi/linux/kdbus.h>

#include "bus.h"
#include "conn.h"
#include "fanout.h"
#include "files.h"
#include "message.h"
#include "pool/pool.h"
#include "queue.h"
#include "recv.h"
#include "reply.h"

static int sync_reply_prepare(struct kdbus_sync_reply *a, struct kdbus_reply *reply,
			      struct kdbus_message *m, u64 want, size_t *stamp)
{
	struct kdbus_conn *dst = reply->requester;
	int r;

	if (m->fds && !(dst->flags & KDBUS_HELLO_ACCEPT_FD))
		return -ECOMM;

	a->slice = kdbus_msg_copy_sync(m, dst, kdbus_msg_charged_user(m->src), want,
				       &a->claim, stamp);
	r = PTR_ERR_OR_ZERO(a->slice);
	/* the requester is gone */
	if (r == -ENXIO)
		return -EALREADY;
	if (r < 0) {
		/* the fault of the replier does not end the request */
		if (r != -EFAULT && r != -EINTR)
			kdbus_reply_fail(reply, m->src, r);
		return r;
	}

	a->files = NULL;
	if (m->files) {
		a->files = kdbus_files_clone(m->files, m->src->real_user,
					     dst->real_user, a->claim.few);
		if (IS_ERR(a->files)) {
			r = PTR_ERR(a->files);
			a->files = NULL;
			kdbus_sync_reply_free(a, dst);
			return r;
		}
	}

	return 0;
}

/* what is in no queue has a number, too */
static u64 sync_reply_number(const struct kdbus_sync_reply *a, struct kdbus_bus *bus,
			     size_t stamp)
{
	u64 seq = atomic64_inc_return(&bus->domain->msg_seq);

	if (stamp)
		kdbus_slice_write(a->slice, stamp, &seq, sizeof(seq));
	return seq;
}

static void sync_reply_show(struct kdbus_fanout *copies, const struct kdbus_conn *src,
			    u64 seq)
{
	const struct kdbus_queue_how how = { .unlimited = src->capable };

	kdbus_monitors_commit(copies, src->bus, &how, seq);
}

static bool sync_reply_give(const struct kdbus_sync_reply *a, struct kdbus_reply *reply,
			    const struct kdbus_conn *src, struct kdbus_fanout *copies,
			    size_t stamp)
{
	struct kdbus_bus *bus = src->bus;
	bool ok;
	u64 seq;

	if (!copies->n) {
		sync_reply_number(a, bus, stamp);
		return kdbus_reply_answer(reply, src, a);
	}

	mutex_lock(&bus->broadcast);
	seq = sync_reply_number(a, bus, stamp);
	ok = kdbus_reply_answer(reply, src, a);
	if (ok)
		sync_reply_show(copies, src, seq);
	mutex_unlock(&bus->broadcast);

	return ok;
}

/**
 * kdbus_sync_reply_send() - give an answer to a sleeping requester
 * @reply:	What is owed, synchronous; the caller keeps the requester
 * @m:		The answer
 * @want:	Metadata that the requester may have: KDBUS_ATTACH_* flags
 * @copies:	Copies for monitors
 *
 * Documentation/kdbus.txt, section 14.3.
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: 0, -EALREADY if the sender does not owe it any more, -ECONNRESET if
 * the sender was disconnected meanwhile, or another negative errno.
 */
int kdbus_sync_reply_send(struct kdbus_reply *reply, struct kdbus_message *m,
			  u64 want, struct kdbus_fanout *copies)
{
	struct kdbus_conn *src = m->src;
	struct kdbus_sync_reply a;
	size_t stamp;
	int r;

	r = sync_reply_prepare(&a, reply, m, want, &stamp);
	if (r < 0)
		return r;

	r = -ECONNRESET;
	if (kdbus_conn_enter(src)) {
		r = sync_reply_give(&a, reply, src, copies, stamp) ? 0 : -EALREADY;
		kdbus_conn_leave(src);
	}
	if (r < 0)
		kdbus_sync_reply_free(&a, reply->requester);

	return r;
}

/**
 * kdbus_sync_reply_wait() - sleep until an answer is given, and take it
 * @reply:	What is owed to the connection of the running task, synchronous
 * @cmd:	The command that sent the request, and is told where the answer is
 *
 * Context: Sleeps; no locks may be held, user memory is accessed.
 *
 * Return: 0, -ERESTARTSYS if a signal came, or what ended @reply, or was wrong
 * with @cmd.
 */
int kdbus_sync_reply_wait(struct kdbus_reply *reply, struct kdbus_cmd *cmd)
{
	int r;

	r = kdbus_reply_wait(reply);
	if (r < 0)
		return r;

	r = kdbus_recv_hand_over(cmd, offsetof(struct kdbus_msg, offset_reply),
				 &reply->answer.slice, reply->answer.files);
	kdbus_reply_drop_answer(reply);
	return r;
}
