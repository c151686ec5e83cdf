// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "bus.h"
#include "conn.h"
#include "connect.h"
#include "endpoint.h"
#include "handle.h"
#include "meta.h"
#include "pool/pool.h"
#include "waitq.h"

/**
 * kdbus_handle_become() - change what a handle is
 * @handle:	The handle
 * @state:	What it becomes; what belongs to that is in place
 *
 * Context: Any; ``handle->lock`` is held.
 */
void kdbus_handle_become(struct kdbus_handle *handle,
			 enum kdbus_handle_state state)
{
	lockdep_assert_held(&handle->lock);

	/* pairs with kdbus_handle_state() */
	smp_store_release(&handle->state, state);
	/*
	 * For tasks that poll already, the state has changed. A message may have
	 * come before, and no other edge will follow.
	 */
	wake_up_all(&handle->waitq->wait);
}

/* the node is there; its reference stays with the caller if this fails */
static int handle_init(struct kdbus_handle *handle)
{
	struct kdbus_meta *opener = NULL;

	mutex_init(&handle->lock);
	if (handle->node->type == KDBUS_NODE_DOMAIN) {
		handle->state = KDBUS_HANDLE_CONTROL;
	} else {
		handle->state = KDBUS_HANDLE_ENDPOINT;
		opener = kdbus_meta_new(KDBUS_META_SNAPSHOT, NULL);
		if (IS_ERR(opener))
			return PTR_ERR(opener);
	}

	handle->opener = opener;
	handle->waitq = kdbus_waitq_new();
	if (handle->waitq)
		return 0;

	kdbus_meta_put(opener);
	return -ENOMEM;
}

/**
 * kdbus_handle_open() - open a device node
 * @inode:	Its inode
 * @file:	The file
 *
 * Context: May sleep.
 *
 * Return: 0, -ESHUTDOWN if the node is dead, or -ENOMEM.
 */
int kdbus_handle_open(struct inode *inode, struct file *file)
{
	struct kdbus_handle *handle;
	int r;

	handle = kzalloc(sizeof(*handle), GFP_KERNEL_ACCOUNT);
	if (!handle)
		return -ENOMEM;

	handle->node = kdbus_node_find(inode);
	r = handle->node ? handle_init(handle) : -ESHUTDOWN;
	if (r < 0) {
		kdbus_node_put(handle->node);
		kfree(handle);
		return r;
	}

	file->private_data = handle;
	return 0;
}

/**
 * kdbus_handle_release() - the last descriptor has been closed
 * @inode:	Its inode
 * @file:	The file
 *
 * What the handle has become ends.
 *
 * Context: May sleep.
 *
 * Return: 0.
 */
int kdbus_handle_release(struct inode *inode, struct file *file)
{
	struct kdbus_handle *handle = file->private_data;

	switch (handle->state) {
	case KDBUS_HANDLE_BUS_OWNER:
		kdbus_node_kill(&handle->bus->node);
		kdbus_node_put(&handle->bus->node);
		break;
	case KDBUS_HANDLE_DOMAIN_OWNER:
		kdbus_node_kill(&handle->domain->node);
		kdbus_node_put(&handle->domain->node);
		break;
	case KDBUS_HANDLE_CONNECTED:
		kdbus_conn_close(handle->conn);
		break;
	case KDBUS_HANDLE_ENDPOINT_OWNER:
		kdbus_node_kill(&handle->ep->node);
		kdbus_node_put(&handle->ep->node);
		break;
	case KDBUS_HANDLE_CONTROL:
	case KDBUS_HANDLE_ENDPOINT:
		break;
	}

	kdbus_meta_put(handle->opener);
	kdbus_node_put(handle->node);
	kdbus_waitq_put(handle->waitq);
	kfree(handle);
	return 0;
}

/**
 * kdbus_handle_poll() - see what a file is ready for
 * @file:	The file
 * @wait:	Where to say what is waited for
 *
 * Return: EPOLL* flags.
 */
__poll_t kdbus_handle_poll(struct file *file, struct poll_table_struct *wait)
{
	struct kdbus_handle *handle = file->private_data;
	struct kdbus_conn *conn;
	__poll_t mask = EPOLLOUT | EPOLLWRNORM;

	/* epoll asks only once where to wait, maybe before HELLO */
	poll_wait(file, &handle->waitq->wait, wait);
	if (kdbus_handle_state(handle) != KDBUS_HANDLE_CONNECTED)
		return EPOLLERR | EPOLLHUP;

	conn = handle->conn;
	if (!kdbus_conn_is_alive(conn))
		return EPOLLERR | EPOLLHUP;
	if (kdbus_queue_is_readable(&conn->queue))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

/**
 * kdbus_handle_mmap() - map the pool of a connection
 * @file:	The file
 * @vma:	The mapping
 *
 * Context: May sleep.
 *
 * Return: 0, -EPERM if it is no connection, or what kdbus_pool_mmap() returns.
 */
int kdbus_handle_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct kdbus_handle *handle = file->private_data;

	if (kdbus_handle_state(handle) != KDBUS_HANDLE_CONNECTED)
		return -EPERM;

	return kdbus_pool_mmap(handle->conn->pool, vma);
}

/**
 * kdbus_handle_show_fdinfo() - say what a connection has
 * @m:		Where to say it
 * @file:	The file
 *
 * Documentation/kdbus.txt, section 23.
 *
 * Context: May sleep.
 */
void kdbus_handle_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct kdbus_handle *handle = file->private_data;
	struct kdbus_conn *conn;

	if (kdbus_handle_state(handle) != KDBUS_HANDLE_CONNECTED)
		return;

	conn = handle->conn;
	seq_printf(m, "kdbus-id:\t%llu\n", conn->id);
	seq_printf(m, "bus:\t%s\n", conn->bus->node.name);
	kdbus_pool_show(conn->pool, m);
	kdbus_queue_show(&conn->queue, m);
}
