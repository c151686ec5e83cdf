// SPDX-License-Identifier: GPL-2.0
#include <linux/errno.h>

#include "attach.h"
#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "item.h"
#include "policy-db.h"
#include "update.h"

/**
 * struct update - what is to change
 * @has_wanted:	There is a new mask of what it wants to be told
 * @wanted:	The mask
 * @has_allowed: There is a new mask of what it lets others be told
 * @allowed:	The mask
 * @policy:	There is policy among the items
 */
struct update {
	bool has_wanted;
	u64 wanted;
	bool has_allowed;
	u64 allowed;
	bool policy;
};

static bool has_masks(const struct kdbus_conn *conn)
{
	return kdbus_conn_kind(conn) & (KDBUS_CONN_ORDINARY |
					KDBUS_CONN_MONITOR);
}

static int take_wanted(struct update *u, const struct kdbus_conn *conn,
		       u64 mask)
{
	if (!has_masks(conn))
		return -EOPNOTSUPP;

	u->has_wanted = true;
	u->wanted = mask;
	return 0;
}

static int take_allowed(struct update *u, const struct kdbus_conn *conn,
			const struct kdbus_cmd *cmd,
			const struct kdbus_item *item)
{
	const struct kdbus_cmd_update *arg = cmd->data;

	if (!(arg->flags & KDBUS_EXT_ATTACH))
		return 0;
	if (!has_masks(conn))
		return -EOPNOTSUPP;
	if (kdbus_item_payload(item) != sizeof(u->allowed))
		return -EINVAL;

	u->has_allowed = true;
	u->allowed = item->data64[0];
	return kdbus_attach_mask(&u->allowed);
}

static int take_policy(struct update *u, const struct kdbus_conn *conn)
{
	if (kdbus_conn_kind(conn) != KDBUS_CONN_HOLDER)
		return -EOPNOTSUPP;

	u->policy = true;
	return 0;
}

static int take_item(struct update *u, const struct kdbus_conn *conn,
		     const struct kdbus_cmd *cmd, const struct kdbus_item *item)
{
	switch (item->type) {
	case KDBUS_ITEM_ATTACH_FLAGS:
		return take_wanted(u, conn, item->data64[0]);
	case KDBUS_ITEM_ATTACH_FLAGS_SEND:
		return take_allowed(u, conn, cmd, item);
	case KDBUS_ITEM_NAME:
	case KDBUS_ITEM_POLICY_ACCESS:
		return take_policy(u, conn);
	default:
		return 0;
	}
}

static int update_policy(struct kdbus_conn *conn, const struct kdbus_cmd *cmd)
{
	struct kdbus_policy_upload upload;
	int r;

	r = kdbus_policy_upload_init(&upload, kdbus_cmd_items(cmd),
				     kdbus_cmd_items_len(cmd), 1, true);
	if (r < 0)
		return r;

	/* who disconnects removes it, and waits for us before */
	r = -ECONNRESET;
	if (kdbus_conn_enter(conn)) {
		r = kdbus_policy_db_set(&conn->bus->policy, conn, &upload);
		kdbus_conn_leave(conn);
	}

	kdbus_policy_upload_release(&upload);
	return r;
}

/**
 * kdbus_update_conn() - KDBUS_CMD_CONN_UPDATE
 * @conn:	The connection
 * @cmd:	The command
 *
 * Documentation/kdbus.txt, section 8.4.
 *
 * Context: May sleep; no locks may be held.
 *
 * Return: 0 or a negative errno; then nothing has changed.
 */
int kdbus_update_conn(struct kdbus_conn *conn, const struct kdbus_cmd *cmd)
{
	const struct kdbus_item *item;
	struct update u = {};
	int r = 0;

	kdbus_items_foreach(item, kdbus_cmd_items(cmd),
			    kdbus_cmd_items_len(cmd)) {
		r = take_item(&u, conn, cmd, item);
		if (r < 0)
			return r;
	}

	if (u.has_allowed && conn->bus->attach_required & ~u.allowed)
		return -EINVAL;
	if (u.policy)
		r = update_policy(conn, cmd);
	if (r < 0)
		return r;

	/* what the command is not about may be changing in another thread */
	if (u.has_wanted)
		WRITE_ONCE(conn->self.wanted, u.wanted);
	if (u.has_allowed)
		WRITE_ONCE(conn->self.allowed, u.allowed);
	return 0;
}
