/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_BUS_H
#define __KDBUS_BUS_H

/**
 * DOC: Buses
 *
 * A bus is where connections find each other: it numbers them and looks them up
 * by number. It belongs to the user that made it and is privileged on it, and
 * ends when the handle that made it is closed. Its children are endpoints, the
 * first of which, called "bus", lives as long as the bus.
 *
 * Locks: ``bus->conns`` is looked up under RCU and changed under ``bus->lock``, so that
 * a holder of ``bus->lock`` sees all of it. What a lookup finds may be disconnected
 * a moment later; it is the connection's queue that decides whether a message
 * still goes in.
 */

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/xarray.h>
#include <uapi/linux/kdbus.h>

#include "domain.h"
#include "names.h"
#include "node.h"
#include "policy.h"

struct kdbus_cmd;
struct kdbus_conn;
struct kdbus_match_index;
struct kdbus_meta;

/**
 * struct kdbus_bus - a bus
 * @node:	Node in the tree; children are endpoints
 * @domain:	What it belongs to: the parent of @node, constant
 * @id:		Number in the domain, constant
 * @flags:	KDBUS_MAKE_* flags, constant
 * @id128:	Random id, constant
 * @bloom:	Shape of bloom filters, constant
 * @uid:	User that made it, constant
 * @gid:	With which group, constant
 * @user_ns:	User namespace it was made in, with a reference, constant
 * @user:	Accounting record of the creator, with a reference
 * @charged:	Whether the bus counts there, which it does until it is drained
 * @creator:	What is known about the creator, with a reference, constant
 * @attach_required: KDBUS_ATTACH_* that connections must allow, constant
 * @attach_owner: KDBUS_ATTACH_* that may be told about the creator, constant
 * @policy:	What is granted to which users
 * @owners:	Held while a command changes the owner of a name, and by senders
 *		that need owners to stay
 * @lock:	Guards @conns, names, monitors, @events and @fanouts
 * @names:	Well-known names
 * @matches:	Index of the matches of its connections, with a reference,
 *		constant
 * @fanouts:	Number of selections of receivers, to select each only once
 * @monitors:	Connections that see all messages
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
	struct user_namespace *user_ns;
	struct kdbus_user *user;
	bool charged;
	struct kdbus_meta *creator;
	u64 attach_required;
	u64 attach_owner;
	struct kdbus_policy_db policy;

	struct mutex owners;	/* owners of names */
	struct mutex lock;	/* names, monitors, events */
	struct kdbus_name_registry names;
	struct kdbus_match_index *matches;
	u64 fanouts;
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

/**
 * kdbus_bus_has_monitors() - whether a bus has connections that see all messages
 * @bus:	The bus
 *
 * Return: Whether it has one at the moment.
 */
static inline bool kdbus_bus_has_monitors(const struct kdbus_bus *bus)
{
	return READ_ONCE(bus->has_monitors);
}

struct kdbus_bus *kdbus_bus_new(struct kdbus_domain *domain,
				const struct kdbus_cmd *cmd);
bool kdbus_bus_privileged(const struct kdbus_bus *bus);

/* items of KDBUS_CMD_BUS_MAKE, in the order of the rules of its row */
enum {
	KDBUS_BUS_MAKE_NAME,
	KDBUS_BUS_MAKE_BLOOM,
};

#endif
