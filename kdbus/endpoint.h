/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_ENDPOINT_H
#define __KDBUS_ENDPOINT_H

/**
 * DOC: Endpoints
 *
 * An endpoint is a door to a bus, with a device node that carries the
 * permissions of the door. It has a list of the connections that came in through
 * it, and they end with it.
 *
 * A custom endpoint counts for the user that made it until it is dead, and has
 * its policy until then; references to it do not matter.
 *
 * An endpoint keeps its bus; a linked endpoint is kept by a reference of the
 * tree, given up when it is drained.
 *
 * All endpoints but the first of a bus are custom ones. Such an endpoint
 * belongs to the handle that made it, has a policy of its own, and its
 * connections are accounted to it, not to their users. They are ordinary ones:
 * what goes beyond the policy (monitors, activators, policy holders, claimed
 * credentials, making endpoints) is for the endpoint "bus" only.
 *
 * Locks: ``ep->lock`` guards the list of connections. No lock nests inside it.
 */

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "bus.h"
#include "node.h"
#include "policy.h"

struct kdbus_cmd;
struct kdbus_user;

/**
 * struct kdbus_ep - an endpoint
 * @node:	Node in the tree
 * @bus:	What it leads to: the parent of @node, constant
 * @mode:	Permissions of the device node, constant
 * @uid:	Its owner, constant
 * @gid:	Its group, constant
 * @custom:	It is a custom endpoint, which has the next three; constant
 * @policy:	Its policy
 * @user:	Accounting record of its connections, with a reference
 * @maker:	Accounting record of the user that made it, with a reference
 * @disconnect: Disconnects all of @conns, called when it has been closed; may
 *		sleep; constant
 * @lock:	Guards the rest
 * @charged:	It counts for @maker
 * @closed:	No connections are accepted any more
 * @conns:	Connections that came in here
 */
struct kdbus_ep {
	struct kdbus_node node;
	struct kdbus_bus *bus;
	umode_t mode;
	kuid_t uid;
	kgid_t gid;

	bool custom;
	struct kdbus_policy_db policy;
	struct kdbus_user *user;
	struct kdbus_user *maker;

	void (*disconnect)(struct kdbus_ep *ep);

	struct mutex lock;	/* connections */
	bool charged;
	bool closed;
	struct list_head conns;
};

static inline struct kdbus_ep *kdbus_ep(struct kdbus_node *node)
{
	return container_of(node, struct kdbus_ep, node);
}

struct kdbus_ep *kdbus_ep_new(struct kdbus_bus *bus, const char *name,
			      u64 flags, kuid_t uid, kgid_t gid,
			      void (*disconnect)(struct kdbus_ep *ep));
struct kdbus_ep *kdbus_ep_new_custom(struct kdbus_bus *bus,
				     const struct kdbus_cmd *cmd,
				     void (*disconnect)(struct kdbus_ep *ep));
int kdbus_ep_update(struct kdbus_ep *ep, const struct kdbus_cmd *cmd);
int kdbus_ep_publish(struct kdbus_ep *ep);
int kdbus_ep_publish_default(struct kdbus_bus *bus,
			     void (*disconnect)(struct kdbus_ep *ep));

#endif
