// SPDX-License-Identifier: GPL-2.0
#include <uapi/linux/kdbus.h>

#include "cmd.h"
#include "conn.h"
#include "deliver.h"
#include "item.h"
#include "pool.h"
#include "recv.h"
#include "turn.h"

/* the one item that says what to free */
static int find_offset(const struct kdbus_cmd *cmd, u64 *offset)
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

static int check(const struct kdbus_conn *conn, const struct kdbus_cmd *cmd,
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

	r = find_offset(cmd, offset);
	return r < 0 ? r : kdbus_pool_check(conn->pool, *offset);
}

/**
 * kdbus_turn() - send a message, and what goes with it
 * @conn:	Who sends it, the connection of the running task
 * @cmd:	KDBUS_CMD_MSG_SEND
 *
 * Documentation/kdbus.txt, sections 10 and 22.2.
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: 0 or a negative errno; then nothing was sent, or it is about the
 * reply, or -EFAULT because it cannot be told where the next message is.
 */
int kdbus_turn(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	struct kdbus_msg *msg = cmd->data;
	u64 flags = msg->flags, offset;
	int r;

	r = check(conn, cmd, &offset);
	if (r == 0)
		r = kdbus_deliver(conn, cmd);
	if (r < 0)
		return r;

	/* if another thread has freed it meanwhile, so much the worse */
	if (flags & KDBUS_MSG_EXT_FREE)
		kdbus_pool_free(conn->pool, offset);
	if (flags & KDBUS_MSG_EXT_RECV)
		return kdbus_recv_next(conn, cmd, offsetof(struct kdbus_msg,
							   offset_reply));
	return 0;
}
