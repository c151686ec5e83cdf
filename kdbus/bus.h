/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_BUS_H
#define __KDBUS_BUS_H

/**
 * DOC: Buses
 *
 * A bus is where connections find each other: it numbers them and looks them up
 * by number. It belongs to the user who made it, who is privileged on it, and
 * ends when the handle that made it is closed. Its children are endpoints, the
 * first of which, called "bus", lives as long as the bus.
 *
 * Locks: @conns is looked up under RCU and changed under @lock, so that whoever
 * holds that sees all of it. What a lookup finds may be disconnected a moment
 * later; it is the connection's queue that decides whether a message still goes
 * in.
 */

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/xarray.h>
#include <uapi/linux/kdbus.h>

#include "domain.h"
#include "match.h"
#include "names.h"
#include "node.h"
#include "policy-db.h"

struct kdbus_cmd;
struct kdbus_conn;
struct kdbus_meta;

/**
 * struct kdbus_bus - a bus
 * @node:	Its place in the tree; children are endpoints
 * @domain:	What it belongs to: the parent of @node, constant
 * @id:		Number in the domain, constant
 * @flags:	KDBUS_MAKE_* flags, constant
 * @id128:	Random id, constant
 * @bloom:	Shape of bloom filters, constant
 * @uid:	Who made it, constant
 * @gid:	With which group, constant
 * @user:	Accounting record of the creator, with a reference
 * @charged:	Whether the bus counts there
 * @creator:	What is known about the creator, with a reference, constant
 * @attach_required: KDBUS_ATTACH_* that connections must allow, constant
 * @attach_owner: KDBUS_ATTACH_* that may be told about the creator, constant
 * @policy:	What is granted to whom
 * @lock:	Guards @conns, names, matches, monitors and @events
 * @names:	Well-known names
 * @matches:	Who wants which broadcasts
 * @monitors:	Who sees all messages
 * @has_monitors: Whether there are any
 * @events:	What happened and was not delivered yet
 * @flush:	Held while events are delivered
 * @broadcast:	Held while a message is put into several queues
 * @conn_ids:	Last id given to a connection
 * @conns:	Connections by id
 */
struct kdbus_bus {
	struct kdbus_node node;
	struct kdbus_domain *domain;
	u64 id;
	u64 flags;
	u8 id128[16];
	struct kdbus_bloom_parameter bloom;
	kuid_t uid;
	kgid_t gid;
	struct kdbus_user *user;
	bool charged;
	struct kdbus_meta *creator;
	u64 attach_required;
	u64 attach_owner;
	struct kdbus_policy_db policy;

	struct mutex lock;	/* names, matches, monitors, events */
	struct kdbus_name_registry names;
	struct kdbus_match_index matches;
	struct list_head monitors;
	bool has_monitors;
	struct list_head events;
	struct mutex flush;	/* order of events */
	struct mutex broadcast;	/* order of broadcasts */

	atomic64_t conn_ids;
	struct xarray conns;
};

static inline struct kdbus_bus *kdbus_bus(struct kdbus_node *node)
{
	return container_of(node, struct kdbus_bus, node);
}

struct kdbus_bus *kdbus_bus_new(struct kdbus_domain *domain,
				const struct kdbus_cmd *cmd);
int kdbus_bus_publish(struct kdbus_bus *bus);
struct kdbus_conn *kdbus_bus_find_conn(struct kdbus_bus *bus, u64 id);
bool kdbus_bus_privileged(const struct kdbus_bus *bus);

/* items of KDBUS_CMD_BUS_MAKE, in the order of the rules of its row */
enum {
	KDBUS_BUS_MAKE_NAME,
	KDBUS_BUS_MAKE_BLOOM,
};

#endif
