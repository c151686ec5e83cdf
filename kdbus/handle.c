// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "bus.h"
#include "chardev.h"
#include "cmd.h"
#include "conn.h"
#include "endpoint.h"
#include "handle.h"
#include "ioctl.h"
#include "meta.h"
#include "pool.h"

/* what belongs to the state is seen as well */
static enum kdbus_handle_state handle_state(const struct kdbus_handle *handle)
{
	/* pairs with kdbus_handle_become() */
	return smp_load_acquire(&handle->state);
}

/**
 * kdbus_handle_get() - keep what is waited on
 * @handle:	The handle
 *
 * Return: @handle.
 */
struct kdbus_handle *kdbus_handle_get(struct kdbus_handle *handle)
{
	kref_get(&handle->kref);
	return handle;
}

static void handle_free(struct kref *kref)
{
	kfree(container_of(kref, struct kdbus_handle, kref));
}

/**
 * kdbus_handle_put() - drop a reference
 * @handle:	The handle
 *
 * Context: Any.
 */
void kdbus_handle_put(struct kdbus_handle *handle)
{
	kref_put(&handle->kref, handle_free);
}

/**
 * kdbus_handle_become() - change what a handle is
 * @handle:	The handle
 * @state:	What it becomes; what belongs to that is in place
 *
 * Context: Any; the lock of the handle is held.
 */
void kdbus_handle_become(struct kdbus_handle *handle,
			 enum kdbus_handle_state state)
{
	lockdep_assert_held(&handle->lock);

	/* pairs with handle_state() */
	smp_store_release(&handle->state, state);
}

static int handle_init(struct kdbus_handle *handle, struct inode *inode)
{
	struct kdbus_meta *record;

	handle->node = kdbus_chardev_find(inode);
	if (!handle->node)
		return -ESHUTDOWN;

	kref_init(&handle->kref);
	init_waitqueue_head(&handle->wait);
	mutex_init(&handle->lock);
	if (handle->node->type == KDBUS_NODE_DOMAIN) {
		handle->state = KDBUS_HANDLE_CONTROL;
		return 0;
	}

	handle->state = KDBUS_HANDLE_ENDPOINT;
	record = kdbus_meta_new(KDBUS_META_RECORD, NULL);
	if (IS_ERR(record)) {
		kdbus_node_put(handle->node);
		return PTR_ERR(record);
	}

	handle->record = record;
	return 0;
}

static int handle_open(struct inode *inode, struct file *file)
{
	struct kdbus_handle *handle;
	int r;

	handle = kzalloc(sizeof(*handle), GFP_KERNEL_ACCOUNT);
	if (!handle)
		return -ENOMEM;

	r = handle_init(handle, inode);
	if (r < 0)
		kfree(handle);
	else
		file->private_data = handle;
	return r;
}

static int handle_release(struct inode *inode, struct file *file)
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
		kdbus_conn_kill(handle->conn);
		kdbus_conn_put(handle->conn);
		break;
	case KDBUS_HANDLE_ENDPOINT_OWNER:
		kdbus_node_kill(&handle->ep->node);
		kdbus_node_put(&handle->ep->node);
		break;
	case KDBUS_HANDLE_CONTROL:
	case KDBUS_HANDLE_ENDPOINT:
		break;
	}

	kdbus_meta_put(handle->record);
	kdbus_node_put(handle->node);
	kdbus_handle_put(handle);
	return 0;
}

/* is the command one for this handle, as it is? */
static int check_state(const struct kdbus_handle *handle,
		       const struct kdbus_cmd_row *row)
{
	enum kdbus_handle_state state = handle_state(handle);

	if (state == KDBUS_HANDLE_BUS_OWNER ||
	    state == KDBUS_HANDLE_DOMAIN_OWNER)
		return -EBADFD;
	if (state == KDBUS_HANDLE_CONNECTED && !(row && row->dead) &&
	    !kdbus_conn_is_alive(handle->conn))
		return -ECONNRESET;
	if (!row || !(row->states & BIT(state)))
		return -ENOTTY;
	if (state == KDBUS_HANDLE_CONNECTED &&
	    !(row->kinds & kdbus_conn_kind(handle->conn)))
		return -EOPNOTSUPP;
	return 0;
}

static long handle_ioctl(struct file *file, unsigned int ioctl,
			 unsigned long arg)
{
	const struct kdbus_cmd_row *row = kdbus_ioctl_row(ioctl);
	struct kdbus_handle *handle = file->private_data;
	/* what is used of it is written first */
	struct kdbus_cmd cmd __uninitialized;
	int r;

	r = check_state(handle, row);
	if (r < 0)
		return r;

	if (row->prepare) {
		r = row->prepare(handle);
		if (r < 0)
			return r;
	}

	r = kdbus_cmd_read(&cmd, row, (void __user *)arg);
	if (r < 0)
		return r;

	r = row->run(handle, &cmd);
	kdbus_cmd_release(&cmd);
	return r;
}

static __poll_t handle_poll(struct file *file, struct poll_table_struct *wait)
{
	struct kdbus_handle *handle = file->private_data;
	struct kdbus_conn *conn;
	__poll_t mask = EPOLLOUT | EPOLLWRNORM;

	/* epoll asks only once where to wait, maybe before HELLO */
	poll_wait(file, &handle->wait, wait);
	if (handle_state(handle) != KDBUS_HANDLE_CONNECTED)
		return EPOLLERR | EPOLLHUP;

	conn = handle->conn;
	if (!kdbus_conn_is_alive(conn))
		return EPOLLERR | EPOLLHUP;
	if (kdbus_queue_is_readable(&conn->queue))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

static int handle_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct kdbus_handle *handle = file->private_data;

	if (handle_state(handle) != KDBUS_HANDLE_CONNECTED)
		return -EPERM;

	return kdbus_pool_mmap(handle->conn->pool, vma);
}

static void handle_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct kdbus_handle *handle = file->private_data;
	struct kdbus_conn *conn;

	if (handle_state(handle) != KDBUS_HANDLE_CONNECTED)
		return;

	conn = handle->conn;
	seq_printf(m, "kdbus-id:\t%llu\n", conn->id);
	seq_printf(m, "bus:\t%s\n", conn->bus->node.name);
	kdbus_pool_show(conn->pool, m);
	kdbus_queue_show(&conn->queue, m);
}

const struct file_operations kdbus_handle_fops = {
	.owner		= THIS_MODULE,
	.open		= handle_open,
	.release	= handle_release,
	.unlocked_ioctl	= handle_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.poll		= handle_poll,
	.mmap		= handle_mmap,
	.llseek		= noop_llseek,
	.show_fdinfo	= handle_show_fdinfo,
};
