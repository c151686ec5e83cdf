/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_NODE_H
#define __KDBUS_NODE_H

/**
 * DOC: Nodes
 *
 * Domains, buses and endpoints form a tree, and &struct kdbus_node is what
 * they have in common: a name that is unique among siblings of the same type,
 * a parent, children, a place in the file system, and an end.
 *
 * The end comes in two steps that are independent of memory. kdbus_node_kill()
 * takes a node and all below it out of service: first, from the top down, each
 * node is marked so that nothing can be added to it any more and loses its
 * device node; then, from the bottom up, each is drained by its type and taken
 * off its parent. When kdbus_node_kill() returns, all of this has happened,
 * even if another thread did the work. References only keep the memory: through
 * one a dead node may be looked at, and nothing in it is alive.
 *
 * A node owns a reference to its parent. The parent knows its children only as
 * long as they are linked and holds no reference to them.
 *
 * Locks: ``node->lock`` guards children, names and state of a node, and is held while
 * its device node comes or goes. Locks of two nodes are never held at once.
 */

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/wait.h>

struct inode;
struct kdbus_node;
struct task_struct;

enum kdbus_node_type {
	KDBUS_NODE_DOMAIN,
	KDBUS_NODE_BUS,
	KDBUS_NODE_ENDPOINT,
};

/**
 * struct kdbus_node_ops - what differs between the types of nodes
 * @drain:	Called once, when the node is dead and childless, or NULL; may
 *		sleep
 * @release:	Called when the last reference is gone; frees the object
 */
struct kdbus_node_ops {
	void (*drain)(struct kdbus_node *node);
	void (*release)(struct kdbus_node *node);
};

/**
 * struct kdbus_front_door - how nodes are seen in the file system
 * @publish:	Show a node at @path; ``node->lock`` is held; returns what it made
 *		for that, or an error pointer
 * @unpublish:	Undo that; ``node->lock`` is held
 * @find:	Which node is being opened; with a reference, NULL if it has gone
 */
struct kdbus_front_door {
	void *(*publish)(struct kdbus_node *node, const char *path,
			 umode_t mode, kuid_t uid, kgid_t gid);
	void (*unpublish)(void *shown);
	struct kdbus_node *(*find)(const struct inode *inode);
};

enum kdbus_node_state {
	KDBUS_NODE_ALIVE,
	KDBUS_NODE_DYING,
	KDBUS_NODE_DEAD,
};

/**
 * struct kdbus_node - a domain, a bus or an endpoint
 * @kref:	References
 * @type:	What it is, constant
 * @ops:	What its type does, constant
 * @parent:	What it belongs to, with a reference, constant; NULL for the
 *		initial domain
 * @name:	Its name, constant
 * @lock:	Guards the rest, but for @sibling and @named, which @parent->lock
 *		guards
 * @state:	Where in its life it is
 * @killer:	The task that takes it down
 * @children:	Nodes below it, in the order in which they end
 * @names:	The same nodes by type and name
 * @sibling:	Link in the children of @parent, empty if not linked
 * @named:	The same among the names of @parent
 * @dead:	Woken when the node is dead
 * @shown:	What the front door made for it, or NULL
 */
struct kdbus_node {
	struct kref kref;
	enum kdbus_node_type type;
	const struct kdbus_node_ops *ops;
	struct kdbus_node *parent;
	char *name;

	struct mutex lock;	/* children, state, @shown */
	enum kdbus_node_state state;
	struct task_struct *killer;
	struct list_head children;
	struct rb_root names;
	struct list_head sibling;
	struct rb_node named;
	wait_queue_head_t dead;
	void *shown;
};

/**
 * kdbus_node_is_alive() - whether a node is in service
 * @node:	The node
 *
 * Return: False if it has begun to end, and then for good.
 */
static inline bool kdbus_node_is_alive(const struct kdbus_node *node)
{
	return READ_ONCE(node->state) == KDBUS_NODE_ALIVE;
}

int kdbus_node_init(struct kdbus_node *node, enum kdbus_node_type type,
		    const struct kdbus_node_ops *ops,
		    struct kdbus_node *parent, const char *name);
struct kdbus_node *kdbus_node_get(struct kdbus_node *node);
void kdbus_node_put(struct kdbus_node *node);
int kdbus_node_link(struct kdbus_node *node);
int kdbus_node_publish(struct kdbus_node *node, const char *path, umode_t mode,
		       kuid_t uid, kgid_t gid);
struct kdbus_node *kdbus_node_find(const struct inode *inode);
void kdbus_node_kill(struct kdbus_node *node);
void kdbus_node_set_front_door(const struct kdbus_front_door *door);

#endif
