// SPDX-License-Identifier: GPL-2.0
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/slab.h>

#include "cmd.h"
#include "conn.h"
#include "endpoint.h"
#include "user.h"

static struct kdbus_conn *first_conn(struct kdbus_ep *ep)
{
	struct kdbus_conn *conn;

	mutex_lock(&ep->lock);
	ep->closed = true;
	conn = list_first_entry_or_null(&ep->conns, struct kdbus_conn,
					ep_entry);
	if (conn)
		kdbus_conn_get(conn);
	mutex_unlock(&ep->lock);

	return conn;
}

static void ep_drain(struct kdbus_node *node)
{
	struct kdbus_ep *ep = kdbus_ep(node);
	struct kdbus_conn *conn;

	while ((conn = first_conn(ep))) {
		kdbus_conn_kill(conn);
		kdbus_conn_put(conn);
	}

	kdbus_node_put(node);
}

static void ep_release(struct kdbus_node *node)
{
	struct kdbus_ep *ep = kdbus_ep(node);

	kdbus_policy_db_exit(&ep->policy);
	kdbus_user_put(ep->user);
	kfree(ep);
}

static const struct kdbus_node_ops ep_ops = {
	.drain		= ep_drain,
	.release	= ep_release,
};

/**
 * kdbus_ep_new() - make an endpoint
 * @bus:	Where it leads
 * @name:	Its name
 * @flags:	KDBUS_MAKE_* flags, who may open it
 * @uid:	Its owner
 * @gid:	Its group, if that may open it
 *
 * The name is taken when this returns, but the endpoint cannot be opened before
 * kdbus_ep_publish(). Documentation/kdbus.txt, section 2.2.
 *
 * Context: May sleep.
 *
 * Return: The endpoint, with a reference, which dies with the bus or when
 * kdbus_node_kill() is called, or an error pointer: -ENOMEM, -ESHUTDOWN,
 * -EEXIST.
 */
struct kdbus_ep *kdbus_ep_new(struct kdbus_bus *bus, const char *name,
			      u64 flags, kuid_t uid, kgid_t gid)
{
	struct kdbus_ep *ep;
	int r;

	ep = kzalloc(sizeof(*ep), GFP_KERNEL_ACCOUNT);
	if (!ep)
		return ERR_PTR(-ENOMEM);

	ep->bus = bus;
	ep->uid = uid;
	ep->gid = GLOBAL_ROOT_GID;
	mutex_init(&ep->lock);
	kdbus_policy_db_init(&ep->policy);
	INIT_LIST_HEAD(&ep->conns);

	if (flags & KDBUS_MAKE_ACCESS_WORLD) {
		ep->mode = 0666;
	} else if (flags & KDBUS_MAKE_ACCESS_GROUP) {
		ep->mode = 0660;
		ep->gid = gid;
	} else {
		ep->mode = 0600;
	}

	r = kdbus_node_init(&ep->node, KDBUS_NODE_ENDPOINT, &ep_ops, &bus->node,
			    name);
	if (r < 0)
		goto err_put;

	/* for the tree, which may let go of it as soon as it is linked */
	kdbus_node_get(&ep->node);
	r = kdbus_node_link(&ep->node);
	if (r < 0)
		goto err_unlinked;

	return ep;

err_unlinked:
	kdbus_node_put(&ep->node);
err_put:
	kdbus_node_put(&ep->node);
	return ERR_PTR(r);
}

/**
 * kdbus_ep_update() - replace the policy of a custom endpoint
 * @ep:		The endpoint
 * @cmd:	KDBUS_CMD_ENDPOINT_MAKE or KDBUS_CMD_ENDPOINT_UPDATE
 *
 * Documentation/kdbus.txt, section 7.4.
 *
 * Context: May sleep.
 *
 * Return: 0, -EINVAL, -EEXIST or -ENOMEM; then the old policy stays.
 */
int kdbus_ep_update(struct kdbus_ep *ep, const struct kdbus_cmd *cmd)
{
	struct kdbus_policy_upload upload;
	int r;

	r = kdbus_policy_upload_init(&upload, kdbus_cmd_items(cmd),
				     kdbus_cmd_items_len(cmd),
				     KDBUS_POLICY_ANY_NAMES, true);
	if (r < 0)
		return r;

	r = kdbus_policy_db_set(&ep->policy, ep, &upload);
	kdbus_policy_upload_release(&upload);
	return r;
}

static int ep_customise(struct kdbus_ep *ep, const struct kdbus_cmd *cmd)
{
	struct kdbus_user *user;
	int r;

	ep->custom = true;
	r = kdbus_ep_update(ep, cmd);
	if (r < 0)
		return r;

	user = kdbus_user_new_anonymous(&ep->bus->domain->users);
	if (IS_ERR(user))
		return PTR_ERR(user);

	ep->user = user;
	return 0;
}

/**
 * kdbus_ep_new_custom() - make a custom endpoint
 * @bus:	Where it leads
 * @cmd:	KDBUS_CMD_ENDPOINT_MAKE
 *
 * It belongs to the running task. Documentation/kdbus.txt, section 7.3.
 *
 * Context: May sleep.
 *
 * Return: The endpoint, as kdbus_ep_new(), or an error pointer.
 */
struct kdbus_ep *kdbus_ep_new_custom(struct kdbus_bus *bus,
				     const struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_make *make = cmd->data;
	struct kdbus_ep *ep;
	int r;

	ep = kdbus_ep_new(bus, cmd->found[0]->str, make->flags,
			  current_fsuid(), current_fsgid());
	if (IS_ERR(ep))
		return ep;

	/* it has no device node yet, so nobody sees it without its policy */
	r = ep_customise(ep, cmd);
	if (r < 0) {
		kdbus_node_kill(&ep->node);
		kdbus_node_put(&ep->node);
		return ERR_PTR(r);
	}

	return ep;
}

/**
 * kdbus_ep_publish() - show an endpoint in the file system
 * @ep:		The endpoint
 *
 * Context: May sleep.
 *
 * Return: 0, -ESHUTDOWN if the bus died meanwhile, or a negative errno.
 */
int kdbus_ep_publish(struct kdbus_ep *ep)
{
	char *path;
	int r;

	path = kasprintf(GFP_KERNEL, "%s/%s/%s", ep->bus->domain->path,
			 ep->bus->node.name, ep->node.name);
	if (!path)
		return -ENOMEM;

	r = kdbus_node_publish(&ep->node, path, ep->mode, ep->uid, ep->gid);
	kfree(path);
	return r;
}

/**
 * kdbus_ep_add() - let a connection in
 * @ep:		The endpoint
 * @conn:	The connection, not yet in any endpoint
 *
 * Context: May sleep.
 *
 * Return: 0, or -ESHUTDOWN if the endpoint is dead.
 */
int kdbus_ep_add(struct kdbus_ep *ep, struct kdbus_conn *conn)
{
	int r = 0;

	mutex_lock(&ep->lock);
	if (ep->closed)
		r = -ESHUTDOWN;
	else
		list_add_tail(&conn->ep_entry, &ep->conns);
	mutex_unlock(&ep->lock);

	return r;
}

/**
 * kdbus_ep_remove() - let a connection go
 * @ep:		The endpoint
 * @conn:	A connection in it
 *
 * Context: May sleep.
 */
void kdbus_ep_remove(struct kdbus_ep *ep, struct kdbus_conn *conn)
{
	mutex_lock(&ep->lock);
	list_del_init(&conn->ep_entry);
	mutex_unlock(&ep->lock);
}
