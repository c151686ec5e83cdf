// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>

#include "attach.h"
#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "endpoint.h"
#include "ident.h"
#include "info.h"
#include "item.h"
#include "meta.h"
#include "name-set.h"
#include "names.h"
#include "policy.h"
#include "pool.h"
#include "result.h"
#include "writer.h"

/**
 * struct info - what is returned
 * @id:		Of the connection or bus
 * @flags:	Likewise
 * @record:	What is known about the task
 * @want:	What of it is told
 * @attach:	Names and description
 */
struct info {
	u64 id;
	u64 flags;
	const struct kdbus_meta *record;
	u64 want;
	struct kdbus_attach attach;
};

static int return_info(struct kdbus_conn *conn, struct kdbus_cmd *cmd,
		       const struct info *info)
{
	struct kdbus_info head = {
		.size	= sizeof(head) +
			  kdbus_meta_size(info->record, info->want) +
			  kdbus_attach_size(&info->attach, info->attach.have),
		.id	= info->id,
		.flags	= info->flags,
	};
	struct kdbus_slice *slice;
	struct kdbus_writer w;

	slice = kdbus_pool_alloc(conn->pool, head.size, false);
	if (IS_ERR(slice))
		return PTR_ERR(slice);

	kdbus_writer_init(&w, slice);
	kdbus_writer_add(&w, &head, sizeof(head));
	kdbus_meta_write(info->record, info->want, &w);
	kdbus_attach_write(&info->attach, info->attach.have, &w);

	return kdbus_result_return(conn, cmd, slice,
				   offsetof(struct kdbus_cmd_info, offset));
}

/* the one name that is asked for, or NULL */
static const char *asked_name(const struct kdbus_cmd *cmd)
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

static struct kdbus_conn *find_by_name(struct kdbus_conn *conn,
				       const char *name)
{
	struct kdbus_name_entry *entry;
	struct kdbus_conn *owner;

	if (!kdbus_policy_see(conn, name))
		return ERR_PTR(-ENOENT);

	do {
		entry = kdbus_name_find(conn->bus, name);
		if (!entry)
			return ERR_PTR(-ESRCH);
		owner = kdbus_name_owner(conn->bus, entry);
		kdbus_name_put(entry);
	} while (!owner);

	return owner;
}

static struct kdbus_conn *find_by_id(struct kdbus_conn *conn, u64 id)
{
	struct kdbus_conn *found;
	bool visible = true;

	found = kdbus_bus_find_conn(conn->bus, id);
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

static struct kdbus_conn *find(struct kdbus_conn *conn,
			       const struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_info *arg = cmd->data;
	const char *name;

	if (arg->id != 0)
		return find_by_id(conn, arg->id);

	name = asked_name(cmd);
	return name ? find_by_name(conn, name) : ERR_PTR(-EINVAL);
}

/**
 * kdbus_info_conn() - KDBUS_CMD_CONN_INFO
 * @conn:	Who asks
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
	struct kdbus_conn *found;
	u64 allowed;
	int r;

	found = find(conn, cmd);
	if (IS_ERR(found))
		return PTR_ERR(found);

	allowed = READ_ONCE(found->self.allowed);
	info.id = found->id;
	info.flags = found->flags;
	info.record = found->self.record;
	if (kdbus_meta_shares_ns(found->self.record, conn->self.record))
		info.want = allowed;

	/* these are as they are now, wherever one looks from */
	info.attach.have = arg->flags & allowed &
			   (KDBUS_ATTACH_NAMES | KDBUS_ATTACH_CONN_NAME);
	info.attach.names = kdbus_name_set_get(&found->names);
	info.attach.conn_name = found->self.name;

	r = return_info(conn, cmd, &info);
	kdbus_name_set_put(info.attach.names);
	kdbus_conn_put(found);
	return r;
}

/**
 * kdbus_info_creator() - KDBUS_CMD_BUS_CREATOR_INFO
 * @conn:	Who asks
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
		.record	= bus->creator,
		.want	= bus->attach_owner,
	};

	if (!kdbus_meta_shares_ns(bus->creator, conn->self.record))
		return -EPERM;
	return return_info(conn, cmd, &info);
}
