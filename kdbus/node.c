// SPDX-License-Identifier: GPL-2.0
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "chardev.h"
#include "node.h"

/**
 * kdbus_node_init() - initialise the node in a new object
 * @node:	The node
 * @type:	What it is
 * @ops:	What its type does
 * @parent:	What it will belong to, or NULL
 * @name:	Its name, copied
 *
 * The caller has the first reference, to be given up with kdbus_node_put()
 * even if this fails.
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_node_init(struct kdbus_node *node, enum kdbus_node_type type,
		    const struct kdbus_node_ops *ops,
		    struct kdbus_node *parent, const char *name)
{
	kref_init(&node->kref);
	node->type = type;
	node->ops = ops;
	node->parent = parent ? kdbus_node_get(parent) : NULL;
	mutex_init(&node->lock);
	node->state = KDBUS_NODE_ALIVE;
	INIT_LIST_HEAD(&node->children);
	INIT_LIST_HEAD(&node->entry);
	init_waitqueue_head(&node->dead);

	node->name = kstrdup(name, GFP_KERNEL_ACCOUNT);
	return node->name ? 0 : -ENOMEM;
}

/**
 * kdbus_node_get() - take a reference
 * @node:	The node
 *
 * Return: @node.
 */
struct kdbus_node *kdbus_node_get(struct kdbus_node *node)
{
	kref_get(&node->kref);
	return node;
}

static void node_release(struct kref *kref)
{
	struct kdbus_node *node = container_of(kref, struct kdbus_node, kref);

	kfree(node->name);
	node->ops->release(node);
}

/**
 * kdbus_node_put() - drop a reference
 * @node:	The node, or NULL
 *
 * Context: May sleep.
 */
void kdbus_node_put(struct kdbus_node *node)
{
	struct kdbus_node *parent;

	/* a loop, trees may be deep */
	while (node) {
		parent = node->parent;
		if (!kref_put(&node->kref, node_release))
			break;
		node = parent;
	}
}

static bool has_child(const struct kdbus_node *parent,
		      const struct kdbus_node *like)
{
	const struct kdbus_node *pos;

	lockdep_assert_held(&parent->lock);

	list_for_each_entry(pos, &parent->children, entry)
		if (pos->type == like->type && !strcmp(pos->name, like->name))
			return true;

	return false;
}

/**
 * kdbus_node_link() - add a node to its parent
 * @node:	The node
 *
 * From now on its name is taken, and it dies with its parent.
 * Documentation/kdbus.txt, section 2.3.
 *
 * Context: May sleep.
 *
 * Return: 0, -ESHUTDOWN if the parent is dead or -EEXIST if it has a child of
 * this type and name.
 */
int kdbus_node_link(struct kdbus_node *node)
{
	struct kdbus_node *parent = node->parent;
	int r = 0;

	mutex_lock(&parent->lock);
	if (parent->state != KDBUS_NODE_ALIVE)
		r = -ESHUTDOWN;
	else if (has_child(parent, node))
		r = -EEXIST;
	else if (node->type == KDBUS_NODE_DOMAIN)
		/* domains go before buses when the parent dies */
		list_add(&node->entry, &parent->children);
	else
		list_add_tail(&node->entry, &parent->children);
	mutex_unlock(&parent->lock);

	return r;
}

/**
 * kdbus_node_publish() - show a node in the file system
 * @node:	The node, linked
 * @path:	Where to, below /dev
 * @mode:	Permissions
 * @uid:	Owner
 * @gid:	Group
 *
 * Context: May sleep.
 *
 * Return: 0, -ESHUTDOWN if the node is dead already, -ENAMETOOLONG, -ENOMEM or
 * another error of the driver core.
 */
int kdbus_node_publish(struct kdbus_node *node, const char *path, umode_t mode,
		       kuid_t uid, kgid_t gid)
{
	struct kdbus_chardev *chardev;
	int r = 0;

	mutex_lock(&node->lock);
	if (node->state != KDBUS_NODE_ALIVE) {
		r = -ESHUTDOWN;
	} else {
		chardev = kdbus_chardev_add(node, path, mode, uid, gid);
		if (IS_ERR(chardev))
			r = PTR_ERR(chardev);
		else
			node->chardev = chardev;
	}
	mutex_unlock(&node->lock);

	return r;
}

/*
 * First half of the end. Returns false if the node is dead: it was before, or
 * somebody else was at it and is done.
 */
static bool node_stop(struct kdbus_node *node)
{
	bool mine;

	mutex_lock(&node->lock);
	if (node->state == KDBUS_NODE_ALIVE) {
		WRITE_ONCE(node->state, KDBUS_NODE_DYING);
		node->killer = current;
		if (node->chardev)
			kdbus_chardev_del(node->chardev);
		node->chardev = NULL;
	}
	mine = node->state == KDBUS_NODE_DYING && node->killer == current;
	mutex_unlock(&node->lock);

	if (!mine)
		wait_event(node->dead,
			   READ_ONCE(node->state) == KDBUS_NODE_DEAD);
	return mine;
}

/* second half, when no children are left */
static void node_finish(struct kdbus_node *node)
{
	if (node->ops->drain)
		node->ops->drain(node);

	if (node->parent) {
		mutex_lock(&node->parent->lock);
		list_del_init(&node->entry);
		mutex_unlock(&node->parent->lock);
	}

	mutex_lock(&node->lock);
	WRITE_ONCE(node->state, KDBUS_NODE_DEAD);
	mutex_unlock(&node->lock);
	wake_up_all(&node->dead);
}

static struct kdbus_node *node_first_child(struct kdbus_node *node)
{
	struct kdbus_node *child;

	mutex_lock(&node->lock);
	child = list_first_entry_or_null(&node->children, struct kdbus_node,
					 entry);
	/* one whose memory is going away unlinked itself before */
	if (child)
		kdbus_node_get(child);
	mutex_unlock(&node->lock);

	return child;
}

/**
 * kdbus_node_kill() - take a node and all below it out of service
 * @top:	The node
 *
 * Returns when that is done, whoever did it. Documentation/kdbus.txt,
 * section 3.3.
 *
 * Context: May sleep, and waits for commands running on connections below.
 */
void kdbus_node_kill(struct kdbus_node *top)
{
	struct kdbus_node *child, *parent, *pos = kdbus_node_get(top);

	/* depth first without recursion: domains nest without limit */
	for (;;) {
		if (node_stop(pos)) {
			child = node_first_child(pos);
			if (child) {
				pos = child;
				continue;
			}
			node_finish(pos);
		}

		parent = pos == top ? NULL : pos->parent;
		kdbus_node_put(pos);
		if (!parent)
			break;
		pos = parent;
	}
}
