// SPDX-License-Identifier: GPL-2.0
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "cmd.h"
#include "endpoint.h"
#include "limits.h"
#include "user.h"

static void endpoint_drain(struct kdbus_node *node)
{
	struct kdbus_ep *ep = kdbus_ep(node);

	mutex_lock(&ep->lock);
	ep->closed = true;
	mutex_unlock(&ep->lock);
	ep->disconnect(ep);

	/* handles that are still open keep the endpoint, but need no policy */
	if (ep->custom)
		kdbus_policy_db_remove(&ep->policy, ep);
	/* it is closed, so this does not change any more */
	if (ep->charged)
		atomic_dec(&ep->maker->eps);
	kdbus_node_put(node);
}

static void endpoint_release(struct kdbus_node *node)
{
	struct kdbus_ep *ep = kdbus_ep(node);

	kdbus_policy_db_exit(&ep->policy);
	kdbus_user_put(ep->user);
	kdbus_user_put(ep->maker);
	kfree(ep);
}

static const struct kdbus_node_ops ep_ops = {
	.drain		= endpoint_drain,
	.release	= endpoint_release,
};

/**
 * kdbus_ep_new() - make an endpoint
 * @bus:	Where it leads
 * @name:	Its name
 * @flags:	KDBUS_MAKE_* flags: which users may open it
 * @uid:	Its owner
 * @gid:	Its group, if that may open it
 * @disconnect:	Disconnects all of its connections
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
			      u64 flags, kuid_t uid, kgid_t gid,
			      void (*disconnect)(struct kdbus_ep *ep))
{
	struct kdbus_ep *ep;
	int r;

	ep = kzalloc(sizeof(*ep), GFP_KERNEL_ACCOUNT);
	if (!ep)
		return ERR_PTR(-ENOMEM);

	ep->bus = bus;
	ep->uid = uid;
	ep->gid = GLOBAL_ROOT_GID;
	ep->disconnect = disconnect;
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
	/* its policy may have been removed before, see endpoint_drain() */
	if (!kdbus_node_is_alive(&ep->node))
		kdbus_policy_db_remove(&ep->policy, ep);
	return r;
}

static int endpoint_charge_locked(struct kdbus_ep *ep)
{
	int r;

	lockdep_assert_held(&ep->lock);

	/* the bus may have ended meanwhile, and all that is in it */
	if (ep->closed)
		return -ESHUTDOWN;
	if (capable(CAP_IPC_OWNER))
		return 0;

	r = kdbus_user_charge(&ep->maker->eps, KDBUS_USER_MAX_EPS);
	ep->charged = r == 0;
	return r;
}

/* the calling thread becomes the owner */
static int endpoint_charge(struct kdbus_ep *ep)
{
	struct kdbus_user *maker;
	int r;

	maker = kdbus_user_find(&ep->bus->domain->users, current_cred(),
				&init_user_ns);
	if (IS_ERR(maker))
		return PTR_ERR(maker);

	ep->maker = maker;
	mutex_lock(&ep->lock);
	r = endpoint_charge_locked(ep);
	mutex_unlock(&ep->lock);
	return r;
}

static int endpoint_customise(struct kdbus_ep *ep, const struct kdbus_cmd *cmd)
{
	struct kdbus_user *user;
	int r;

	ep->custom = true;
	r = endpoint_charge(ep);
	if (r < 0)
		return r;
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
 * @disconnect:	Disconnects all of its connections
 *
 * It belongs to the running task. Documentation/kdbus.txt, section 7.3.
 *
 * Context: May sleep.
 *
 * Return: The endpoint, as kdbus_ep_new(), or an error pointer.
 */
struct kdbus_ep *kdbus_ep_new_custom(struct kdbus_bus *bus,
				     const struct kdbus_cmd *cmd,
				     void (*disconnect)(struct kdbus_ep *ep))
{
	const struct kdbus_cmd_make *make = cmd->data;
	struct kdbus_ep *ep;
	int r;

	ep = kdbus_ep_new(bus, cmd->found[0]->str, make->flags,
			  current_fsuid(), current_fsgid(), disconnect);
	if (IS_ERR(ep))
		return ep;

	/* without a device node it cannot be used before it has its policy */
	r = endpoint_customise(ep, cmd);
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
 * kdbus_ep_publish_default() - open a bus to the public
 * @bus:	The bus
 * @disconnect:	Disconnects all connections of that
 *
 * Makes the default endpoint.
 *
 * Context: May sleep.
 *
 * Return: 0, -ESHUTDOWN if the domain died meanwhile, or a negative errno.
 */
int kdbus_ep_publish_default(struct kdbus_bus *bus,
			     void (*disconnect)(struct kdbus_ep *ep))
{
	struct kdbus_ep *ep;
	int r;

	ep = kdbus_ep_new(bus, "bus", bus->flags, bus->uid, bus->gid,
			  disconnect);
	if (IS_ERR(ep))
		return PTR_ERR(ep);

	r = kdbus_ep_publish(ep);
	kdbus_node_put(&ep->node);
	return r;
}
