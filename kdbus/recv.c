// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>

#include "cmd.h"
#include "conn.h"
#include "files.h"
#include "pool.h"
#include "queue.h"
#include "recv.h"

static int conn_drop(struct kdbus_conn *conn,
		     const struct kdbus_queue_pick *pick)
{
	struct kdbus_queue_entry *entry;

	entry = kdbus_queue_take(&conn->queue, pick);
	if (IS_ERR(entry))
		return PTR_ERR(entry);

	kdbus_queue_taken(&conn->queue, entry);
	kdbus_conn_discard(entry);
	return 0;
}

static int store_offset(struct kdbus_cmd *cmd, u64 offset)
{
	struct kdbus_cmd_recv *recv = cmd->data;

	recv->offset = offset;
	return kdbus_cmd_store(cmd, offsetof(struct kdbus_cmd_recv, offset),
			       sizeof(recv->offset));
}

/* everything that can fail comes before anything that cannot be undone */
static int hand_over(struct kdbus_cmd *cmd, struct kdbus_queue_entry *entry)
{
	int r;

	r = kdbus_files_reserve(entry->files);
	if (r < 0)
		return r;

	r = store_offset(cmd, entry->slice->offset);
	if (r < 0) {
		kdbus_files_cancel(entry->files);
		return r;
	}

	kdbus_files_install(entry->files, entry->slice);
	kdbus_slice_publish(entry->slice);
	entry->slice = NULL;
	return 0;
}

static int conn_take(struct kdbus_conn *conn,
		     const struct kdbus_queue_pick *pick, struct kdbus_cmd *cmd)
{
	struct kdbus_queue_entry *entry;
	int r;

	entry = kdbus_queue_take(&conn->queue, pick);
	if (IS_ERR(entry))
		return PTR_ERR(entry);

	r = hand_over(cmd, entry);
	if (r < 0 && kdbus_queue_untake(&conn->queue, entry)) {
		kdbus_conn_wake(conn);
		return r;
	}

	kdbus_queue_taken(&conn->queue, entry);
	if (r < 0)
		kdbus_conn_discard(entry);
	else
		kdbus_queue_entry_free(entry);
	return r;
}

/**
 * kdbus_recv() - receive a message
 * @conn:	The connection
 * @cmd:	KDBUS_CMD_MSG_RECV
 *
 * Documentation/kdbus.txt, section 13.
 *
 * Context: May sleep; no locks may be held, user memory is accessed.
 *
 * Return: 0 or a negative errno; then the message is where it was.
 */
int kdbus_recv(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_recv *recv = cmd->data;
	const struct kdbus_queue_pick pick = {
		.by_priority	= recv->flags & KDBUS_RECV_USE_PRIORITY,
		.priority	= recv->priority,
	};
	size_t offset;
	int r;

	/* the manager of an activator may look, and may throw away */
	if (conn->flags & KDBUS_HELLO_ACTIVATOR &&
	    recv->flags != KDBUS_RECV_PEEK && !(recv->flags & KDBUS_RECV_DROP))
		return -EOPNOTSUPP;
	if (recv->offset != 0)
		return -EINVAL;

	if (recv->flags & KDBUS_RECV_DROP)
		return conn_drop(conn, &pick);

	if (recv->flags & KDBUS_RECV_PEEK) {
		r = kdbus_queue_peek(&conn->queue, &pick, &offset);
		return r < 0 ? r : store_offset(cmd, offset);
	}

	return conn_take(conn, &pick, cmd);
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
