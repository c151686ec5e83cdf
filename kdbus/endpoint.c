// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/slab.h>

#include "conn.h"
#include "endpoint.h"

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
	kfree(kdbus_ep(node));
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
