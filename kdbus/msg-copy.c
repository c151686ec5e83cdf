// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <uapi/linux/kdbus.h>

#include "bus.h"
#include "conn.h"
#include "files.h"
#include "message.h"
#include "pool/pool.h"
#include "queue.h"

/**
 * kdbus_msg_charged_user() - the user that a message counts for
 * @src:	The sender
 *
 * Return: The user, or NULL if limits do not apply.
 */
struct kdbus_user *kdbus_msg_charged_user(const struct kdbus_conn *src)
{
	return src->capable ? NULL : src->user;
}

/**
 * kdbus_msg_admissible() - what can be said without touching a pool
 * @m:		The message
 * @dst:	The receiver it would have
 *
 * Documentation/kdbus.txt, section 11.1.
 *
 * Return: 0, -ENOBUFS, -ENXIO if @dst is gone, or -ECOMM.
 */
int kdbus_msg_admissible(const struct kdbus_message *m,
			 const struct kdbus_conn *dst)
{
	if (kdbus_queue_is_full(&dst->queue) && !m->src->capable)
		return -ENOBUFS;
	if (!kdbus_conn_is_alive(dst))
		return -ENXIO;
	if (m->fds && !(dst->flags & KDBUS_HELLO_ACCEPT_FD))
		return -ECOMM;
	return 0;
}

/*
 * @wait: for the memory of the sender, if that is not there; else -EFAULT. A
 * pool that is dead is that of a peer: -ENXIO.
 */
static int msg_write(struct kdbus_message *m, struct kdbus_conn *dst,
		     struct kdbus_slice *slice, u64 want, bool wait,
		     size_t *stamp)
{
	int r;

	if (!wait)
		pagefault_disable();
	r = kdbus_message_write(m, slice, want, dst->self.ahead, stamp);
	if (!wait)
		pagefault_enable();
	return r == -ECONNRESET ? -ENXIO : r;
}

/* claims from the share of @user; undone if it fails */
static struct kdbus_slice *msg_copy_claimed(struct kdbus_message *m,
					    struct kdbus_conn *dst,
					    struct kdbus_user *user, u64 want,
					    bool wait, struct kdbus_claim *claim,
					    size_t *stamp)
{
	struct kdbus_slice *slice;
	int r;

	claim->bytes = kdbus_message_size(m, want);
	claim->fds = m->files ? m->files->n_fds : 0;
	claim->files = m->files ? m->files->n : 0;
	slice = kdbus_quota_alloc(&dst->queue.quota, user, claim);
	if (IS_ERR(slice)) {
		/* it may have been there, and lacked memory */
		kdbus_conn_has_room(dst);
		return slice == ERR_PTR(-ECONNRESET) ? ERR_PTR(-ENXIO) : slice;
	}

	r = msg_write(m, dst, slice, want, wait, stamp);
	if (likely(r == 0))
		return slice;

	kdbus_slice_free(slice);
	kdbus_quota_release(&dst->queue.quota, claim);
	kdbus_conn_has_room(dst);
	return ERR_PTR(r);
}

/**
 * kdbus_msg_copy_sync() - write an answer into the pool of a sleeping requester
 * @m:		The message
 * @dst:	The requester
 * @user:	The user that it counts for, NULL if limits do not apply
 * @want:	Metadata that @dst may have: KDBUS_ATTACH_* flags
 * @claim:	Set to what it takes up in the quota of @dst
 * @stamp:	Set to where in the slice the number of the message goes, or 0
 *
 * The requester may stop waiting at any time and wants its room back then. So
 * nothing is taken while the memory of the sender is waited for: that is done
 * before, and if memory goes away again, what was taken is given back.
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: The slice, or an error pointer: -ENXIO if @dst is gone. Faults of
 * the sender, and no others, are -EFAULT or -EINTR.
 */
struct kdbus_slice *kdbus_msg_copy_sync(struct kdbus_message *m,
					struct kdbus_conn *dst,
					struct kdbus_user *user, u64 want,
					struct kdbus_claim *claim,
					size_t *stamp)
{
	struct kdbus_slice *slice;
	int r;

	for (;;) {
		/* else what precedes a page that is not there is copied twice */
		r = kdbus_message_fault_in(m);
		if (r < 0)
			return ERR_PTR(r);

		slice = msg_copy_claimed(m, dst, user, want, false, claim, stamp);
		if (likely(slice != ERR_PTR(-EFAULT)))
			return slice;

		/* another thread took pages away meanwhile */
		if (fatal_signal_pending(current))
			return ERR_PTR(-EINTR);
		cond_resched();
	}
}

/* an entry that owns the slice, and files of its own */
static struct kdbus_queued_msg *msg_copy_make_entry(const struct kdbus_message *m,
						    struct kdbus_conn *dst,
						    struct kdbus_slice *slice, bool few)
{
	struct kdbus_queued_msg *qmsg;
	struct kdbus_files *files = NULL;

	/* where their numbers go is known now */
	if (m->files) {
		files = kdbus_files_clone(m->files, m->src->real_user,
					  dst->real_user, few);
		if (files == ERR_PTR(-ENOMEM))
			return ERR_PTR(-ENOBUFS);
		if (IS_ERR(files))
			return ERR_CAST(files);
	}

	qmsg = kdbus_queued_msg_new(&dst->queue, slice, files,
				    m->msg->priority);
	if (!qmsg) {
		kdbus_files_free(files);
		return ERR_PTR(-ENOBUFS);
	}
	return qmsg;
}

/**
 * kdbus_msg_copy_new() - write a message into the pool of a receiver
 * @m:		The message; keeps its files
 * @dst:	The receiver
 * @user:	The user that it counts for, NULL if limits do not apply
 * @want:	Metadata that the receiver may have: KDBUS_ATTACH_* flags
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: An entry for the queue, or an error pointer: -ENXIO if @dst is gone.
 */
struct kdbus_queued_msg *kdbus_msg_copy_new(struct kdbus_message *m,
					    struct kdbus_conn *dst,
					    struct kdbus_user *user, u64 want)
{
	struct kdbus_queued_msg *qmsg;
	struct kdbus_claim c;
	struct kdbus_slice *slice;
	size_t stamp;

	slice = msg_copy_claimed(m, dst, user, want, true, &c, &stamp);
	if (IS_ERR(slice))
		return ERR_CAST(slice);

	qmsg = msg_copy_make_entry(m, dst, slice, c.few);
	if (IS_ERR(qmsg)) {
		kdbus_slice_free(slice);
		kdbus_quota_release(&dst->queue.quota, &c);
		kdbus_conn_has_room(dst);
		return ERR_CAST(qmsg);
	}

	qmsg->claim = c;
	qmsg->stamp = stamp;
	qmsg->size = c.bytes;
	qmsg->head = c.bytes - m->data_size;
	qmsg->meta = kdbus_msg_meta_size(&m->attach, want);
	qmsg->claimed = m->src->self.faked;
	return qmsg;
}

/**
 * kdbus_msg_copy_undo() - throw away what was written and not queued
 * @dst:	The receiver
 * @qmsg:	The message
 *
 * Context: May sleep; ``bus->lock`` is not held.
 */
void kdbus_msg_copy_undo(struct kdbus_conn *dst, struct kdbus_queued_msg *qmsg)
{
	bool written = qmsg->slice;

	lockdep_assert_not_held(&dst->bus->lock);

	kdbus_quota_release(&dst->queue.quota, &qmsg->claim);
	kdbus_queued_msg_free(&dst->queue, qmsg);
	/* a notification gives no room back */
	if (!written)
		return;
	kdbus_conn_might_move_more(dst);
	kdbus_conn_has_room(dst);
}

/**
 * kdbus_msg_copy_new_note() - the same for a notification of the kernel
 * @msg:	The message
 * @dst:	The receiver
 * @user:	The user that caused it, NULL if a request of @dst did
 *
 * To be written into the pool when it is received.
 *
 * Context: May sleep.
 *
 * Return: An entry for the queue, or an error pointer.
 */
struct kdbus_queued_msg *kdbus_msg_copy_new_note(const struct kdbus_msg *msg,
						 struct kdbus_conn *dst,
						 struct kdbus_user *user)
{
	struct kdbus_queued_msg *qmsg;
	int r;

	qmsg = kdbus_queued_msg_new_note(&dst->queue,
					 dst->pool->pages.ptab.memcg, msg);
	if (!qmsg)
		return ERR_PTR(-ENOBUFS);
	qmsg->size = msg->size;
	qmsg->head = msg->size;
	if (!user)
		return qmsg;

	r = kdbus_quota_claim_note(&dst->queue.quota, user, &qmsg->claim);
	if (r < 0) {
		kdbus_queued_msg_free(&dst->queue, qmsg);
		return ERR_PTR(r);
	}

	return qmsg;
}
