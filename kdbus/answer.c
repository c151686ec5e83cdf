// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <uapi/linux/kdbus.h>

#include "answer.h"
#include "bus.h"
#include "conn.h"
#include "copy.h"
#include "fanout.h"
#include "files.h"
#include "message.h"
#include "pool.h"
#include "queue.h"
#include "recv.h"
#include "reply.h"

/**
 * struct answer - an answer that is ready to be given
 * @slice:	Where it is, in the pool of the requester
 * @stamp:	Where in @slice its number goes, or 0
 * @files:	Its files, or NULL
 */
struct answer {
	struct kdbus_slice *slice;
	size_t stamp;
	struct kdbus_files *files;
};

static int prepare(struct answer *a, struct kdbus_reply *reply,
		   struct kdbus_message *m, u64 want)
{
	struct kdbus_conn *dst = reply->requester;

	if (m->fds && !(dst->flags & KDBUS_HELLO_ACCEPT_FD))
		return -ECOMM;

	a->slice = kdbus_copy_slice(m, dst, want, &a->stamp);
	if (IS_ERR(a->slice)) {
		/* the fault of the replier does not end the request */
		if (PTR_ERR(a->slice) != -EFAULT)
			kdbus_reply_end(reply, PTR_ERR(a->slice));
		return PTR_ERR(a->slice);
	}

	a->files = NULL;
	if (m->files) {
		a->files = kdbus_files_clone(m->files);
		if (!a->files) {
			kdbus_slice_free(a->slice);
			return -ENOMEM;
		}
	}

	return 0;
}

/* what is in no queue has a number, too */
static u64 number(const struct answer *a, struct kdbus_bus *bus)
{
	u64 seq = atomic64_inc_return(&bus->domain->msg_seq);

	if (a->stamp)
		kdbus_slice_write(a->slice, a->stamp, &seq, sizeof(seq));
	return seq;
}

static void show(struct kdbus_fanout *copies, const struct kdbus_conn *src,
		 u64 seq)
{
	const struct kdbus_queue_push how = { .unlimited = src->capable };

	kdbus_monitors_commit(copies, src->bus, &how, seq);
}

static bool give(const struct answer *a, struct kdbus_reply *reply,
		 const struct kdbus_conn *src, struct kdbus_fanout *copies)
{
	struct kdbus_bus *bus = src->bus;
	bool ok;
	u64 seq;

	if (!copies->n) {
		number(a, bus);
		return kdbus_reply_answer(reply, a->slice, a->files);
	}

	mutex_lock(&bus->broadcast);
	seq = number(a, bus);
	ok = kdbus_reply_answer(reply, a->slice, a->files);
	if (ok)
		show(copies, src, seq);
	mutex_unlock(&bus->broadcast);

	return ok;
}

/**
 * kdbus_answer_give() - give an answer to a sleeping requester
 * @reply:	What is owed, synchronous; the caller keeps the requester
 * @m:		The answer
 * @want:	Metadata that the requester may have: KDBUS_ATTACH_* flags
 * @copies:	Copies for monitors
 *
 * Documentation/kdbus.txt, section 14.3.
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: 0, -ECONNRESET if nobody expects it any more, or another negative
 * errno.
 */
int kdbus_answer_give(struct kdbus_reply *reply, struct kdbus_message *m,
		      u64 want, struct kdbus_fanout *copies)
{
	struct kdbus_conn *src = m->src;
	struct answer a;
	int r;

	r = prepare(&a, reply, m, want);
	if (r < 0)
		return r;

	r = -ECONNRESET;
	if (kdbus_conn_enter(src)) {
		if (give(&a, reply, src, copies))
			r = 0;
		kdbus_conn_leave(src);
	}
	if (r < 0) {
		kdbus_files_free(a.files);
		kdbus_slice_free(a.slice);
	}

	return r;
}

/**
 * kdbus_answer_wait() - sleep until an answer is given, and take it
 * @reply:	What is owed to the connection of the running task, synchronous
 * @cmd:	The command that sent the request, and is told where the answer is
 *
 * Context: Sleeps; no locks may be held, user memory is accessed.
 *
 * Return: 0, -ERESTARTSYS if a signal came, or what ended @reply, or was wrong
 * with @cmd.
 */
int kdbus_answer_wait(struct kdbus_reply *reply, struct kdbus_cmd *cmd)
{
	int r;

	r = kdbus_reply_wait(reply);
	if (r < 0)
		return r;

	r = kdbus_recv_hand_over(cmd, offsetof(struct kdbus_msg, offset_reply),
				 &reply->slice, reply->files);
	/* most have been taken completely */
	if (reply->slice || reply->files)
		kdbus_reply_drop_answer(reply);
	return r;
}
