// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>

#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "files.h"
#include "handle.h"
#include "pool.h"
#include "queue.h"
#include "recv.h"

/* nothing is staged while the mutex is held, so this waits once at most */
static struct kdbus_queue_entry *take(struct kdbus_conn *conn,
				      const struct kdbus_queue_pick *pick)
{
	struct kdbus_queue_entry *entry = kdbus_queue_take(&conn->queue, pick);

	might_lock(&conn->bus->broadcast);
	if (likely(entry != ERR_PTR(-EINPROGRESS)))
		return entry;

	mutex_lock(&conn->bus->broadcast);
	entry = kdbus_queue_take(&conn->queue, pick);
	mutex_unlock(&conn->bus->broadcast);
	return entry;
}

static int peek(struct kdbus_conn *conn, const struct kdbus_queue_pick *pick,
		size_t *offset)
{
	int r = kdbus_queue_peek(&conn->queue, pick, offset);

	if (likely(r != -EINPROGRESS))
		return r;

	mutex_lock(&conn->bus->broadcast);
	r = kdbus_queue_peek(&conn->queue, pick, offset);
	mutex_unlock(&conn->bus->broadcast);
	return r;
}

static int conn_drop(struct kdbus_conn *conn,
		     const struct kdbus_queue_pick *pick)
{
	struct kdbus_queue_entry *entry = take(conn, pick);

	if (IS_ERR(entry))
		return PTR_ERR(entry);

	kdbus_queue_taken(&conn->queue, entry);
	kdbus_conn_discard(conn, entry);
	return 0;
}

static int store_offset(struct kdbus_cmd *cmd, size_t member, u64 offset)
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

	r = store_offset(cmd, member, (*slice)->offset);
	if (r < 0) {
		kdbus_files_cancel(files);
		return r;
	}

	kdbus_files_install(files, *slice);
	kdbus_slice_publish(*slice);
	*slice = NULL;
	return 0;
}

static int conn_take(struct kdbus_conn *conn,
		     const struct kdbus_queue_pick *pick, struct kdbus_cmd *cmd,
		     size_t member)
{
	struct kdbus_queue_entry *entry = take(conn, pick);
	int r;

	if (IS_ERR(entry))
		return PTR_ERR(entry);

	r = kdbus_recv_hand_over(cmd, member, &entry->slice, entry->files);
	if (r < 0 && kdbus_queue_untake(&conn->queue, entry)) {
		kdbus_conn_wake(conn);
		return r;
	}

	kdbus_queue_taken(&conn->queue, entry);
	if (r < 0)
		kdbus_conn_discard(conn, entry);
	else
		kdbus_queue_entry_free(&conn->queue, entry);
	return r;
}

static bool is_nothing(int r)
{
	return r == -EAGAIN || r == -ENOMSG;
}

/* until there is something, or never will be */
static int wait_for(struct kdbus_conn *conn,
		    const struct kdbus_queue_pick *pick)
{
	size_t offset;

	return wait_event_interruptible(conn->handle->wait,
			!is_nothing(kdbus_queue_peek(&conn->queue, pick,
						     &offset)));
}

static int recv_once(struct kdbus_conn *conn,
		     const struct kdbus_queue_pick *pick, u64 flags,
		     struct kdbus_cmd *cmd, size_t member)
{
	size_t offset;
	int r;

	if (flags & KDBUS_RECV_DROP)
		return conn_drop(conn, pick);

	if (flags & KDBUS_RECV_PEEK) {
		r = peek(conn, pick, &offset);
		return r < 0 ? r : store_offset(cmd, member, offset);
	}

	return conn_take(conn, pick, cmd, member);
}

/* while one waits, somebody else may be faster */
static int receive(struct kdbus_conn *conn,
		   const struct kdbus_queue_pick *pick, u64 flags,
		   struct kdbus_cmd *cmd, size_t member)
{
	int r;

	for (;;) {
		r = recv_once(conn, pick, flags, cmd, member);
		if (!(flags & KDBUS_RECV_EXT_WAIT) || !is_nothing(r))
			return r;
		r = wait_for(conn, pick);
		if (r < 0)
			return r;
	}
}

/* the manager of an activator may look, and may throw away */
static bool is_allowed(const struct kdbus_conn *conn, u64 flags)
{
	if (!(conn->flags & KDBUS_HELLO_ACTIVATOR))
		return true;
	if (flags & KDBUS_RECV_EXT_FREE)
		return false;
	return flags & KDBUS_RECV_DROP ||
	       (flags & ~KDBUS_RECV_EXT_WAIT) == KDBUS_RECV_PEEK;
}

static int free_first(struct kdbus_conn *conn,
		      const struct kdbus_cmd_recv *recv)
{
	if (!(recv->flags & KDBUS_RECV_EXT_FREE))
		return recv->offset != 0 ? -EINVAL : 0;
	if (recv->offset == KDBUS_OFFSET_NONE)
		return 0;
	return kdbus_pool_free(conn->pool, recv->offset);
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

	if (!is_allowed(conn, recv->flags))
		return -EOPNOTSUPP;
	r = free_first(conn, recv);
	if (r < 0)
		return r;

	r = receive(conn, &pick, recv->flags, cmd, member);
	/* not once more, should the call be repeated */
	if (r < 0 && recv->flags & KDBUS_RECV_EXT_FREE &&
	    store_offset(cmd, member, KDBUS_OFFSET_NONE) < 0)
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

	if (receive(conn, &first, KDBUS_RECV_EXT_WAIT, cmd, member) == 0)
		return 0;
	return store_offset(cmd, member, KDBUS_OFFSET_NONE);
}

/**
 * kdbus_recv_free() - free what has been received
 * @conn:	The connection
 * @cmd:	KDBUS_CMD_FREE
 *
 * Return: 0, -ENXIO or -EINVAL, see kdbus_pool_free().
 */
int kdbus_recv_free(struct kdbus_conn *conn, const struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_free *arg = cmd->data;

	return kdbus_pool_free(conn->pool, arg->offset);
}
