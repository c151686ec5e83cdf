// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>

#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "files.h"
#include "message.h"
#include "names.h"
#include "pool/pool.h"
#include "queue.h"
#include "recv.h"
#include "reply.h"

/* nothing is staged while bus->broadcast is held, so this waits once at most */
static struct kdbus_queued_msg *recv_dequeue(struct kdbus_conn *conn,
					     const struct kdbus_queue_pick *pick)
{
	struct kdbus_queued_msg *qmsg = kdbus_queue_dequeue(&conn->queue, pick);

	might_lock(&conn->bus->broadcast);
	if (likely(qmsg != ERR_PTR(-EINPROGRESS)))
		return qmsg;

	mutex_lock(&conn->bus->broadcast);
	qmsg = kdbus_queue_dequeue(&conn->queue, pick);
	mutex_unlock(&conn->bus->broadcast);
	return qmsg;
}

static int recv_look(struct kdbus_conn *conn,
		     const struct kdbus_queue_pick *pick, size_t *offset)
{
	int r = kdbus_queue_peek(&conn->queue, pick, offset);

	if (likely(r != -EINPROGRESS))
		return r;

	mutex_lock(&conn->bus->broadcast);
	r = kdbus_queue_peek(&conn->queue, pick, offset);
	mutex_unlock(&conn->bus->broadcast);
	return r;
}

/*
 * The notification that comes first, of @size bytes, finds no room. Messages
 * behind it are received first, if they are urgent enough, or else it stays. If
 * there are no messages, it is the receiver that frees nothing, and it is lost.
 */
static void recv_no_room(struct kdbus_conn *conn, struct kdbus_queue_pick *pick,
			 size_t size)
{
	struct kdbus_queued_msg *note;

	if (!kdbus_queue_has_messages(&conn->queue)) {
		note = kdbus_queue_lose_note(&conn->queue, pick);
		if (note)
			kdbus_queued_msg_free(&conn->queue, note);
		return;
	}

	pick->unwritten = KDBUS_UNWRITTEN_SKIP;
	/* undone by a message that comes from here on */
	kdbus_queue_set_stuck(&conn->queue, true);
	/* what another thread gave back before it could know has told nobody */
	if (kdbus_pool_fits(conn->pool, size))
		kdbus_conn_room(conn);
}

/*
 * Write the notification that comes first into the pool. It stays where it is
 * meanwhile, and another thread may be faster: the caller has to look again.
 */
static void recv_write_note(struct kdbus_conn *conn,
			    struct kdbus_queue_pick *pick)
{
	size_t size = kdbus_queue_note_size(&conn->queue, pick);
	struct kdbus_slice *slice;

	if (size == 0)
		return;

	/* the receiver's own doing: it need not leave anything for others */
	slice = kdbus_pool_alloc(conn->pool, size, false);
	if (IS_ERR(slice)) {
		recv_no_room(conn, pick, size);
	} else if (!kdbus_queue_write_note(&conn->queue, pick, slice, size)) {
		kdbus_slice_free(slice);
		kdbus_conn_has_room(conn);
	}
}

/* take a message that is in the pool */
static struct kdbus_queued_msg *
recv_dequeue_written(struct kdbus_conn *conn, struct kdbus_queue_pick pick)
{
	struct kdbus_queued_msg *qmsg;

	for (;;) {
		qmsg = recv_dequeue(conn, &pick);
		if (likely(qmsg != ERR_PTR(-ENODATA)))
			return qmsg;
		recv_write_note(conn, &pick);
	}
}

static int recv_peek(struct kdbus_conn *conn, struct kdbus_queue_pick pick,
		     size_t *offset)
{
	int r;

	for (;;) {
		r = recv_look(conn, &pick, offset);
		if (likely(r != -ENODATA))
			return r;
		recv_write_note(conn, &pick);
	}
}

static int recv_drop(struct kdbus_conn *conn, struct kdbus_queue_pick pick)
{
	struct kdbus_queued_msg *qmsg;

	pick.unwritten = KDBUS_UNWRITTEN_TAKE;
	qmsg = recv_dequeue(conn, &pick);
	if (IS_ERR(qmsg))
		return PTR_ERR(qmsg);

	kdbus_queue_dequeue_done(&conn->queue, qmsg);
	kdbus_reply_discard(conn, qmsg);
	kdbus_conn_has_room(conn);
	if (conn->flags & KDBUS_HELLO_ACTIVATOR)
		kdbus_handover_dropped(conn);
	return 0;
}

static int recv_store_offset(struct kdbus_cmd *cmd, size_t member, u64 offset)
{
	*(u64 *)(cmd->data + member) = offset;
	return kdbus_cmd_store(cmd, member, sizeof(offset));
}

/**
 * kdbus_recv_hand_over() - give a message to user space for good
 * @cmd:	The command that is told where it is
 * @member:	Where in its argument the offset goes, a u64
 * @slice:	The message; set to NULL if this succeeds
 * @files:	Files that come with it, or NULL; they are still to be freed
 *
 * Everything that can fail comes before anything that cannot be undone.
 *
 * Context: May sleep; no locks may be held, user memory is accessed.
 *
 * Return: 0, -EMFILE, -ENOMEM or -EFAULT; then nothing has happened.
 */
int kdbus_recv_hand_over(struct kdbus_cmd *cmd, size_t member,
			 struct kdbus_slice **slice, struct kdbus_files *files)
{
	int r;

	r = kdbus_files_reserve(files);
	if (r < 0)
		return r;

	r = recv_store_offset(cmd, member, (*slice)->offset);
	if (r < 0) {
		kdbus_files_cancel(files);
		return r;
	}

	kdbus_files_install(files, *slice);
	kdbus_slice_publish(*slice);
	*slice = NULL;
	return 0;
}

static int recv_take(struct kdbus_conn *conn,
		     const struct kdbus_queue_pick *pick, struct kdbus_cmd *cmd,
		     size_t member)
{
	struct kdbus_queued_msg *qmsg = recv_dequeue_written(conn, *pick);
	int r;

	if (IS_ERR(qmsg))
		return PTR_ERR(qmsg);

	r = kdbus_recv_hand_over(cmd, member, &qmsg->slice, qmsg->files);
	if (r < 0 && kdbus_queue_requeue(&conn->queue, qmsg)) {
		kdbus_conn_wake(conn);
		return r;
	}

	kdbus_queue_dequeue_done(&conn->queue, qmsg);
	if (r < 0)
		kdbus_reply_discard(conn, qmsg);
	else
		kdbus_queued_msg_free(&conn->queue, qmsg);
	return r;
}

static bool recv_is_nothing(int r)
{
	return r == -EAGAIN || r == -ENOMSG;
}

/**
 * struct recv_waiter - a task that waits for a message
 * @entry:	Its place among the receivers of the connection
 * @queue:	Where the message will be
 * @pick:	Which one it wants
 */
struct recv_waiter {
	struct wait_queue_entry entry;
	struct kdbus_queue *queue;
	const struct kdbus_queue_pick *pick;
};

static bool recv_has_nothing(const struct recv_waiter *w)
{
	return kdbus_queue_has_nothing(w->queue, w->pick);
}

/* one that has no use for what is there is passed over */
static int recv_wake(struct wait_queue_entry *entry, unsigned int mode,
		     int sync, void *key)
{
	struct recv_waiter *w = container_of(entry, struct recv_waiter, entry);

	if ((w->pick->by_priority || kdbus_queue_is_stuck(w->queue)) &&
	    recv_has_nothing(w))
		return 0;
	return autoremove_wake_function(entry, mode, sync, key);
}

/* whether a wake-up has chosen this task; from now on none does */
static bool recv_was_chosen(struct kdbus_conn *conn, struct recv_waiter *w)
{
	bool chosen;

	__set_current_state(TASK_RUNNING);
	spin_lock_irq(&conn->receivers.lock);
	chosen = list_empty(&w->entry.entry);
	list_del_init(&w->entry.entry);
	spin_unlock_irq(&conn->receivers.lock);
	return chosen;
}

/*
 * Sleep until woken, if there is nothing. Returns -ERESTARTSYS for a signal.
 * Sets @spare if a wake-up may have chosen this task in vain.
 */
static int recv_sleep(struct kdbus_conn *conn,
		      const struct kdbus_queue_pick *pick, bool *spare)
{
	struct recv_waiter w = { .queue = &conn->queue, .pick = pick };
	long r;

	init_wait_entry(&w.entry, WQ_FLAG_EXCLUSIVE);
	w.entry.func = recv_wake;

	r = prepare_to_wait_event(&conn->receivers, &w.entry,
				  TASK_INTERRUPTIBLE);
	if (!recv_has_nothing(&w)) {
		*spare = recv_was_chosen(conn, &w);
		return 0;
	}

	*spare = r < 0;
	if (r == 0)
		schedule();
	finish_wait(&conn->receivers, &w.entry);
	return r;
}

/*
 * A message wakes one task. If that does not take it, and if it is not the one
 * that another message was for, the next has to look.
 */
static void recv_pass_on(struct kdbus_conn *conn)
{
	if (kdbus_queue_is_readable(&conn->queue) &&
	    wq_has_sleeper(&conn->receivers))
		wake_up_interruptible(&conn->receivers);
}

static int recv_once(struct kdbus_conn *conn,
		     const struct kdbus_queue_pick *pick, u64 flags,
		     struct kdbus_cmd *cmd, size_t member)
{
	size_t offset;
	int r;

	if (flags & KDBUS_RECV_DROP)
		return recv_drop(conn, *pick);

	if (flags & KDBUS_RECV_PEEK) {
		r = recv_peek(conn, *pick, &offset);
		return r < 0 ? r : recv_store_offset(cmd, member, offset);
	}

	return recv_take(conn, pick, cmd, member);
}

/* while one waits, another thread may be faster */
static int recv_wait(struct kdbus_conn *conn,
		     const struct kdbus_queue_pick *pick, u64 flags,
		     struct kdbus_cmd *cmd, size_t member)
{
	bool spare;
	int r;

	for (;;) {
		r = recv_sleep(conn, pick, &spare);
		if (r < 0)
			break;
		r = recv_once(conn, pick, flags, cmd, member);
		if (!recv_is_nothing(r))
			break;
		recv_pass_on(conn);
		/* with room but no memory for a notification it has not slept */
		if (signal_pending(current)) {
			r = -ERESTARTSYS;
			break;
		}
	}

	/* one that could not be taken and is back woke the next itself */
	if (spare || flags & KDBUS_RECV_PEEK)
		recv_pass_on(conn);
	return r;
}

static int recv_receive(struct kdbus_conn *conn,
			const struct kdbus_queue_pick *pick, u64 flags,
			struct kdbus_cmd *cmd, size_t member)
{
	int r = recv_once(conn, pick, flags, cmd, member);

	if (!(flags & KDBUS_RECV_EXT_WAIT) || !recv_is_nothing(r))
		return r;
	return recv_wait(conn, pick, flags, cmd, member);
}

/* the manager of an activator may look, and may throw away */
static bool recv_is_allowed(const struct kdbus_conn *conn, u64 flags)
{
	if (!(conn->flags & KDBUS_HELLO_ACTIVATOR))
		return true;
	if (flags & KDBUS_RECV_EXT_FREE)
		return false;
	return flags & KDBUS_RECV_DROP ||
	       (flags & ~KDBUS_RECV_EXT_WAIT) == KDBUS_RECV_PEEK;
}

static int recv_pool_free(struct kdbus_conn *conn, u64 offset)
{
	int r = kdbus_pool_free(conn->pool, offset);

	if (r == 0)
		kdbus_conn_has_room(conn);
	return r;
}

static int recv_free_first(struct kdbus_conn *conn,
			   const struct kdbus_cmd_recv *recv)
{
	if (!(recv->flags & KDBUS_RECV_EXT_FREE))
		return recv->offset != 0 ? -EINVAL : 0;
	if (recv->offset == KDBUS_OFFSET_NONE)
		return 0;
	return recv_pool_free(conn, recv->offset);
}

/**
 * kdbus_recv() - receive a message
 * @conn:	The connection
 * @cmd:	KDBUS_CMD_MSG_RECV
 *
 * Documentation/kdbus.txt, sections 13 and 22.2.
 *
 * Context: May sleep, for as long as nobody sends if the command says so; no
 * locks may be held, user memory is accessed.
 *
 * Return: 0 or a negative errno; then the message is where it was.
 */
int kdbus_recv(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	const size_t member = offsetof(struct kdbus_cmd_recv, offset);
	const struct kdbus_cmd_recv *recv = cmd->data;
	const struct kdbus_queue_pick pick = {
		.by_priority	= recv->flags & KDBUS_RECV_USE_PRIORITY,
		.priority	= recv->priority,
	};
	int r;

	if (!recv_is_allowed(conn, recv->flags))
		return -EOPNOTSUPP;
	r = recv_free_first(conn, recv);
	if (r < 0)
		return r;

	r = recv_receive(conn, &pick, recv->flags, cmd, member);
	/* not once more, should the call be repeated */
	if (r < 0 && recv->flags & KDBUS_RECV_EXT_FREE &&
	    recv_store_offset(cmd, member, KDBUS_OFFSET_NONE) < 0)
		return -EFAULT;
	return r;
}

/**
 * kdbus_recv_next() - receive a message after one was sent
 * @conn:	The connection
 * @cmd:	The command that sent it
 * @member:	Where in it goes the offset of what is received, or
 *		KDBUS_OFFSET_NONE
 *
 * Documentation/kdbus.txt, section 22.2.
 *
 * Context: Sleeps until there is a message; no locks may be held, user memory is
 * accessed.
 *
 * Return: 0, or -EFAULT.
 */
int kdbus_recv_next(struct kdbus_conn *conn, struct kdbus_cmd *cmd,
		    size_t member)
{
	static const struct kdbus_queue_pick first;

	if (recv_receive(conn, &first, KDBUS_RECV_EXT_WAIT, cmd, member) == 0)
		return 0;
	return recv_store_offset(cmd, member, KDBUS_OFFSET_NONE);
}

/**
 * kdbus_recv_free() - free what has been received
 * @conn:	The connection
 * @cmd:	KDBUS_CMD_FREE
 *
 * Return: 0, -ENXIO or -EINVAL, see kdbus_pool_free().
 */
int kdbus_recv_free(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_free *arg = cmd->data;

	return recv_pool_free(conn, arg->offset);
}
