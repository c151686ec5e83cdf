// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "node.h"

/* constant while there are nodes */
static const struct kdbus_front_door *node_front_door;

/**
 * kdbus_node_set_front_door() - say how nodes are seen in the file system
 * @door:	The operations for that
 *
 * Context: Any; there are no nodes yet.
 */
void kdbus_node_set_front_door(const struct kdbus_front_door *door)
{
	node_front_door = door;
}

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
	node->names = RB_ROOT;
	INIT_LIST_HEAD(&node->sibling);
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

/* Out of line, so that the test ep-limit/cost_of_one_more can count the calls. */
static noinline __noclone int node_compare(struct rb_node *node,
					   const struct rb_node *other)
{
	const struct kdbus_node *a = rb_entry(node, struct kdbus_node, named);
	const struct kdbus_node *b = rb_entry(other, struct kdbus_node, named);

	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* take a name, unless another child of this type has it */
static int node_insert_locked(struct kdbus_node *parent,
			      struct kdbus_node *node)
{
	lockdep_assert_held(&parent->lock);

	if (rb_find_add(&node->named, &parent->names, node_compare))
		return -EEXIST;
	/* domains go before buses when the parent dies */
	if (node->type == KDBUS_NODE_DOMAIN)
		list_add(&node->sibling, &parent->children);
	else
		list_add_tail(&node->sibling, &parent->children);
	return 0;
}

static void node_remove_locked(struct kdbus_node *parent,
			       struct kdbus_node *node)
{
	lockdep_assert_held(&parent->lock);

	/* one that was refused is in neither */
	if (list_empty(&node->sibling))
		return;
	list_del_init(&node->sibling);
	rb_erase(&node->named, &parent->names);
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
	int r = -ESHUTDOWN;

	mutex_lock(&parent->lock);
	if (parent->state == KDBUS_NODE_ALIVE)
		r = node_insert_locked(parent, node);
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
	void *shown;
	int r = 0;

	mutex_lock(&node->lock);
	if (node->state != KDBUS_NODE_ALIVE) {
		r = -ESHUTDOWN;
	} else {
		shown = node_front_door->publish(node, path, mode, uid, gid);
		if (IS_ERR(shown))
			r = PTR_ERR(shown);
		else
			node->shown = shown;
	}
	mutex_unlock(&node->lock);

	return r;
}

/**
 * kdbus_node_find() - which node is being opened
 * @inode:	Inode of what stands for it in the file system
 *
 * Return: The node, with a reference, or NULL if there is none any more.
 */
struct kdbus_node *kdbus_node_find(const struct inode *inode)
{
	return node_front_door->find(inode);
}

/*
 * First half of the end. Returns false if the node is dead: it was before, or
 * another thread was at it and is done.
 */
static bool node_stop(struct kdbus_node *node)
{
	bool mine;

	mutex_lock(&node->lock);
	if (node->state == KDBUS_NODE_ALIVE) {
		WRITE_ONCE(node->state, KDBUS_NODE_DYING);
		node->killer = current;
		if (node->shown)
			node_front_door->unpublish(node->shown);
		node->shown = NULL;
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
		node_remove_locked(node->parent, node);
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
					 sibling);
	/* a node is unlinked before its last reference goes */
	if (child)
		kdbus_node_get(child);
	mutex_unlock(&node->lock);

	return child;
}

/**
 * kdbus_node_kill() - take a node and all below it out of service
 * @top:	The node
 *
 * Returns when that is done, by any thread. Documentation/kdbus.txt,
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
