// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/errno.h>

#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "endpoint.h"
#include "info.h"
#include "item.h"
#include "meta.h"
#include "names.h"
#include "policy.h"
#include "pool/pool.h"

/**
 * struct info - what is returned
 * @id:		Of the connection or bus
 * @flags:	Likewise
 * @meta:	What is known about the task
 * @want:	What of it is told
 * @attach:	Names and description
 */
struct info {
	u64 id;
	u64 flags;
	const struct kdbus_meta *meta;
	u64 want;
	struct kdbus_msg_meta attach;
};

static struct kdbus_slice *info_write(struct kdbus_conn *conn,
				      const struct info *info)
{
	struct kdbus_info head = {
		.size	= sizeof(head) +
			  kdbus_meta_size(info->meta, info->want) +
			  kdbus_msg_meta_size(&info->attach, info->attach.have),
		.id	= info->id,
		.flags	= info->flags,
	};
	struct kdbus_slice *slice;
	struct kdbus_cursor w;

	slice = kdbus_pool_alloc(conn->pool, head.size, false);
	if (IS_ERR(slice))
		return slice;

	kdbus_cursor_init(&w, slice);
	kdbus_cursor_add(&w, &head, sizeof(head));
	kdbus_meta_write(info->meta, info->want, conn->self.ahead, &w);
	kdbus_msg_meta_write(&info->attach, info->attach.have, conn->self.ahead,
			     &w);
	return slice;
}

static int info_return(struct kdbus_conn *conn, struct kdbus_cmd *cmd,
		       struct kdbus_slice *slice)
{
	if (IS_ERR(slice))
		return PTR_ERR(slice);

	return kdbus_conn_return(conn, cmd, slice,
				   offsetof(struct kdbus_cmd_info, offset));
}

/* the one name that is asked for, or NULL */
static const char *info_asked_name(const struct kdbus_cmd *cmd)
{
	const struct kdbus_item *item;
	const char *name = NULL;

	kdbus_items_foreach(item, kdbus_cmd_items(cmd),
			    kdbus_cmd_items_len(cmd)) {
		if (item->type != KDBUS_ITEM_NAME)
			continue;
		if (name)
			return NULL;
		name = item->str;
	}

	return name && kdbus_name_is_valid(name, false) ? name : NULL;
}

static struct kdbus_conn *info_find_by_name(struct kdbus_conn *conn,
					    const char *name)
{
	struct kdbus_name_entry *entry;
	struct kdbus_conn *owner;

	if (!kdbus_policy_see(conn, name))
		return ERR_PTR(-ENOENT);

	do {
		entry = kdbus_name_find(&conn->bus->names, name);
		if (!entry)
			return ERR_PTR(-ESRCH);
		owner = kdbus_name_owner(conn->bus, entry);
		kdbus_name_put(entry);
	} while (!owner);

	return owner;
}

static struct kdbus_conn *info_find_by_id(struct kdbus_conn *conn, u64 id)
{
	struct kdbus_conn *found;
	bool visible = true;

	found = kdbus_conn_find(conn->bus, id);
	if (!found)
		return ERR_PTR(-ENXIO);

	if (conn->ep->custom) {
		/* no name is on the move */
		mutex_lock(&conn->bus->lock);
		visible = kdbus_policy_see_conn(conn, found);
		mutex_unlock(&conn->bus->lock);
	}
	if (visible)
		return found;

	kdbus_conn_put(found);
	return ERR_PTR(-ENOENT);
}

static struct kdbus_conn *info_find(struct kdbus_conn *conn,
				    const struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_info *arg = cmd->data;
	const char *name;

	if (arg->id != 0)
		return info_find_by_id(conn, arg->id);

	name = info_asked_name(cmd);
	return name ? info_find_by_name(conn, name) : ERR_PTR(-EINVAL);
}

/**
 * kdbus_info_conn() - KDBUS_CMD_CONN_INFO
 * @conn:	The connection that asks
 * @cmd:	The command
 *
 * Documentation/kdbus.txt, section 8.5.
 *
 * Context: May sleep; no locks may be held, user memory is accessed.
 *
 * Return: 0 or a negative errno.
 */
int kdbus_info_conn(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_info *arg = cmd->data;
	struct info info = {};
	struct kdbus_slice *slice;
	struct kdbus_conn *found;
	u64 allowed;

	found = info_find(conn, cmd);
	if (IS_ERR(found))
		return PTR_ERR(found);

	allowed = READ_ONCE(found->self.allowed);
	info.id = found->id;
	info.flags = found->flags;
	info.meta = found->self.snapshot;
	if (kdbus_meta_shares_ns(found->self.snapshot, conn->self.snapshot))
		info.want = allowed;

	/* these are current, and told to all namespaces */
	info.attach.have = arg->flags & allowed &
			   (KDBUS_ATTACH_NAMES | KDBUS_ATTACH_CONN_NAME);
	info.attach.names = kdbus_name_set_get(&found->names);
	info.attach.conn_name = found->self.name;

	slice = info_write(conn, &info);
	kdbus_name_set_put(info.attach.names);
	/* writing to user memory may wait, and must not keep the peer */
	kdbus_conn_put(found);
	return info_return(conn, cmd, slice);
}

/**
 * kdbus_info_creator() - KDBUS_CMD_BUS_CREATOR_INFO
 * @conn:	The connection that asks
 * @cmd:	The command
 *
 * Documentation/kdbus.txt, section 8.6.
 *
 * Context: May sleep; no locks may be held, user memory is accessed.
 *
 * Return: 0, -EPERM, -ENOBUFS or -EFAULT.
 */
int kdbus_info_creator(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	const struct kdbus_bus *bus = conn->bus;
	const struct info info = {
		.id	= bus->id,
		.flags	= bus->flags,
		.meta	= bus->creator,
		.want	= bus->attach_owner,
	};

	if (!kdbus_meta_shares_ns(bus->creator, conn->self.snapshot))
		return -EPERM;
	return info_return(conn, cmd, info_write(conn, &info));
}

/**
 * struct info_update - what is to change
 * @has_wanted:	There is a new mask of what it wants to be told
 * @wanted:	The mask
 * @has_allowed: There is a new mask of what it lets others be told
 * @allowed:	The mask
 * @policy:	There is policy among the items
 */
struct info_update {
	bool has_wanted;
	u64 wanted;
	bool has_allowed;
	u64 allowed;
	bool policy;
};

static bool info_update_has_masks(const struct kdbus_conn *conn)
{
	return kdbus_conn_kind(conn) & (KDBUS_CONN_ORDINARY |
					KDBUS_CONN_MONITOR);
}

static int info_update_take_wanted(struct info_update *u,
				   const struct kdbus_conn *conn, u64 mask)
{
	if (!info_update_has_masks(conn))
		return -EOPNOTSUPP;

	u->has_wanted = true;
	u->wanted = mask;
	return 0;
}

static int info_update_take_allowed(struct info_update *u,
				    const struct kdbus_conn *conn,
				    const struct kdbus_cmd *cmd,
				    const struct kdbus_item *item)
{
	const struct kdbus_cmd_update *arg = cmd->data;

	if (!(arg->flags & KDBUS_EXT_ATTACH))
		return 0;
	if (!info_update_has_masks(conn))
		return -EOPNOTSUPP;
	if (kdbus_item_payload(item) != sizeof(u->allowed))
		return -EINVAL;

	u->has_allowed = true;
	u->allowed = item->data64[0];
	return kdbus_attach_mask(&u->allowed);
}

static int info_update_take_policy(struct info_update *u,
				   const struct kdbus_conn *conn)
{
	if (kdbus_conn_kind(conn) != KDBUS_CONN_HOLDER)
		return -EOPNOTSUPP;

	u->policy = true;
	return 0;
}

static int info_update_take_item(struct info_update *u,
				 const struct kdbus_conn *conn,
				 const struct kdbus_cmd *cmd,
				 const struct kdbus_item *item)
{
	switch (item->type) {
	case KDBUS_ITEM_ATTACH_FLAGS:
		return info_update_take_wanted(u, conn, item->data64[0]);
	case KDBUS_ITEM_ATTACH_FLAGS_SEND:
		return info_update_take_allowed(u, conn, cmd, item);
	case KDBUS_ITEM_NAME:
	case KDBUS_ITEM_POLICY_ACCESS:
		return info_update_take_policy(u, conn);
	default:
		return 0;
	}
}

static int info_update_policy(struct kdbus_conn *conn, const struct kdbus_cmd *cmd)
{
	struct kdbus_policy_upload upload;
	int r;

	r = kdbus_policy_upload_init(&upload, kdbus_cmd_items(cmd),
				     kdbus_cmd_items_len(cmd), 1, true);
	if (r < 0)
		return r;

	/* a connection that ends waits for us, then removes its policy */
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
int kdbus_update_conn(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	const struct kdbus_item *item;
	struct info_update u = {};
	int r = 0;

	kdbus_items_foreach(item, kdbus_cmd_items(cmd),
			    kdbus_cmd_items_len(cmd)) {
		r = info_update_take_item(&u, conn, cmd, item);
		if (r < 0)
			return r;
	}

	if (u.has_allowed && conn->bus->attach_required & ~u.allowed)
		return -EINVAL;
	if (u.policy)
		r = info_update_policy(conn, cmd);
	if (r < 0)
		return r;

	/* other members may be changing in another thread */
	if (u.has_wanted)
		WRITE_ONCE(conn->self.wanted, u.wanted);
	if (u.has_allowed)
		WRITE_ONCE(conn->self.allowed, u.allowed);
	return 0;
}
