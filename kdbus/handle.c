// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <uapi/linux/kdbus.h>

#include "bus.h"
#include "chardev.h"
#include "cmd.h"
#include "conn.h"
#include "deliver.h"
#include "endpoint.h"
#include "handle.h"
#include "limits.h"
#include "message.h"
#include "pool.h"

/* what belongs to the state is seen as well */
static enum kdbus_handle_state handle_state(const struct kdbus_handle *handle)
{
	/* pairs with handle_set_state() */
	return smp_load_acquire(&handle->state);
}

static void handle_set_state(struct kdbus_handle *handle,
			     enum kdbus_handle_state state)
{
	lockdep_assert_held(&handle->lock);

	/* pairs with handle_state() */
	smp_store_release(&handle->state, state);
}

static int handle_open(struct inode *inode, struct file *file)
{
	struct kdbus_handle *handle;

	handle = kzalloc(sizeof(*handle), GFP_KERNEL_ACCOUNT);
	if (!handle)
		return -ENOMEM;

	handle->node = kdbus_chardev_find(inode);
	if (!handle->node) {
		kfree(handle);
		return -ESHUTDOWN;
	}

	mutex_init(&handle->lock);
	handle->state = handle->node->type == KDBUS_NODE_DOMAIN ?
			KDBUS_HANDLE_CONTROL : KDBUS_HANDLE_ENDPOINT;
	file->private_data = handle;
	return 0;
}

static int handle_release(struct inode *inode, struct file *file)
{
	struct kdbus_handle *handle = file->private_data;

	switch (handle->state) {
	case KDBUS_HANDLE_BUS_OWNER:
		kdbus_node_kill(&handle->bus->node);
		kdbus_node_put(&handle->bus->node);
		break;
	case KDBUS_HANDLE_CONNECTED:
		kdbus_conn_kill(handle->conn);
		kdbus_conn_put(handle->conn);
		break;
	case KDBUS_HANDLE_CONTROL:
	case KDBUS_HANDLE_ENDPOINT:
		break;
	}

	kdbus_node_put(handle->node);
	kfree(handle);
	return 0;
}

static int become_bus_owner(struct kdbus_handle *handle, struct kdbus_bus *bus)
{
	int r = -EBADFD;

	mutex_lock(&handle->lock);
	if (handle->state == KDBUS_HANDLE_CONTROL)
		r = kdbus_bus_publish(bus);
	if (r == 0) {
		handle->bus = bus;
		handle_set_state(handle, KDBUS_HANDLE_BUS_OWNER);
	}
	mutex_unlock(&handle->lock);

	return r;
}

static int run_bus_make(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	struct kdbus_bus *bus;
	int r;

	bus = kdbus_bus_new(kdbus_domain(handle->node), cmd);
	if (IS_ERR(bus))
		return PTR_ERR(bus);

	r = become_bus_owner(handle, bus);
	if (r < 0) {
		kdbus_node_kill(&bus->node);
		kdbus_node_put(&bus->node);
	}

	return r;
}

static int become_connected(struct kdbus_handle *handle,
			    struct kdbus_conn *conn)
{
	int r = -EBADFD;

	mutex_lock(&handle->lock);
	if (handle->state == KDBUS_HANDLE_ENDPOINT)
		r = kdbus_conn_link(conn);
	if (r == 0) {
		handle->conn = conn;
		handle_set_state(handle, KDBUS_HANDLE_CONNECTED);
	}
	mutex_unlock(&handle->lock);

	return r;
}

static int run_hello(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	struct kdbus_ep *ep = kdbus_ep(handle->node);
	struct kdbus_cmd_hello *hello = cmd->data;
	struct kdbus_conn *conn;
	int r;

	conn = kdbus_conn_new(ep, cmd);
	if (IS_ERR(conn))
		return PTR_ERR(conn);

	r = become_connected(handle, conn);
	if (r < 0) {
		kdbus_conn_put(conn);
		return r;
	}

	hello->bus_flags = ep->bus->flags;
	hello->id = conn->id;
	hello->bloom = ep->bus->bloom;
	memcpy(hello->id128, ep->bus->id128, sizeof(hello->id128));
	return kdbus_cmd_store(cmd, 0, sizeof(*hello));
}

static int run_byebye(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	return kdbus_conn_disconnect(handle->conn, true);
}

static int run_send(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	return kdbus_deliver(handle->conn, cmd);
}

static int run_recv(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	return kdbus_conn_recv(handle->conn, cmd);
}

static int run_free(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	return kdbus_conn_free(handle->conn, cmd);
}

static const struct kdbus_cmd_row row_bus_make = {
	.ioctl			= KDBUS_CMD_BUS_MAKE,
	.states			= BIT(KDBUS_HANDLE_CONTROL),
	.sized			= true,
	.size			= sizeof(struct kdbus_cmd_make),
	.max_size		= KDBUS_MAKE_MAX_SIZE,
	.too_small		= -EINVAL,
	.flags			= KDBUS_MAKE_ACCESS_GROUP |
				  KDBUS_MAKE_ACCESS_WORLD,
	.flags_offset		= offsetof(struct kdbus_cmd_make, flags),
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_make, kernel_flags),
	.rules			= {
		[KDBUS_BUS_MAKE_NAME] = {
			.type		= KDBUS_ITEM_MAKE_NAME,
			.duplicate	= -EEXIST,
			.missing	= -EBADMSG,
		},
		[KDBUS_BUS_MAKE_BLOOM] = {
			.type		= KDBUS_ITEM_BLOOM_PARAMETER,
			.duplicate	= -EEXIST,
			.missing	= -EBADMSG,
		},
	},
	.run			= run_bus_make,
};

static const struct kdbus_cmd_row row_hello = {
	.ioctl			= KDBUS_CMD_HELLO,
	.states			= BIT(KDBUS_HANDLE_ENDPOINT),
	.sized			= true,
	.size			= sizeof(struct kdbus_cmd_hello),
	.max_size		= KDBUS_HELLO_MAX_SIZE,
	.too_small		= -EINVAL,
	.flags			= KDBUS_HELLO_ACCEPT_FD,
	.flags_offset		= offsetof(struct kdbus_cmd_hello, flags),
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_hello,
					   kernel_flags),
	.run			= run_hello,
};

static const struct kdbus_cmd_row row_byebye = {
	.ioctl			= KDBUS_CMD_BYEBYE,
	.states			= BIT(KDBUS_HANDLE_CONNECTED),
	.kinds			= KDBUS_CONN_ORDINARY,
	.dead			= true,
	.run			= run_byebye,
};

static const struct kdbus_cmd_row row_send = {
	.ioctl			= KDBUS_CMD_MSG_SEND,
	.states			= BIT(KDBUS_HANDLE_CONNECTED),
	.kinds			= KDBUS_CONN_ORDINARY,
	.sized			= true,
	.flags_last		= true,
	.size			= sizeof(struct kdbus_msg),
	.max_size		= KDBUS_MSG_MAX_SIZE,
	.too_small		= -EMSGSIZE,
	.flags			= KDBUS_MSG_FLAGS_NO_AUTO_START,
	.flags_offset		= offsetof(struct kdbus_msg, flags),
	.kernel_flags_offset	= offsetof(struct kdbus_msg, kernel_flags),
	.check			= kdbus_message_check,
	.run			= run_send,
};

static const struct kdbus_cmd_row row_recv = {
	.ioctl			= KDBUS_CMD_MSG_RECV,
	.states			= BIT(KDBUS_HANDLE_CONNECTED),
	.kinds			= KDBUS_CONN_ORDINARY,
	.size			= sizeof(struct kdbus_cmd_recv),
	.flags			= KDBUS_RECV_PEEK | KDBUS_RECV_DROP |
				  KDBUS_RECV_USE_PRIORITY,
	.flags_offset		= offsetof(struct kdbus_cmd_recv, flags),
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_recv, kernel_flags),
	.run			= run_recv,
};

static const struct kdbus_cmd_row row_free = {
	.ioctl			= KDBUS_CMD_FREE,
	.states			= BIT(KDBUS_HANDLE_CONNECTED),
	.kinds			= KDBUS_CONN_ORDINARY,
	.size			= sizeof(struct kdbus_cmd_free),
	.flags_offset		= offsetof(struct kdbus_cmd_free, flags),
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_free, kernel_flags),
	.run			= run_free,
};

/* by the low byte of their number, which is unique */
static const struct kdbus_cmd_row *const kdbus_rows[] = {
	[_IOC_NR(KDBUS_CMD_BUS_MAKE)]	= &row_bus_make,
	[_IOC_NR(KDBUS_CMD_HELLO)]	= &row_hello,
	[_IOC_NR(KDBUS_CMD_BYEBYE)]	= &row_byebye,
	[_IOC_NR(KDBUS_CMD_MSG_SEND)]	= &row_send,
	[_IOC_NR(KDBUS_CMD_MSG_RECV)]	= &row_recv,
	[_IOC_NR(KDBUS_CMD_FREE)]	= &row_free,
};

static const struct kdbus_cmd_row *find_row(unsigned int ioctl)
{
	const struct kdbus_cmd_row *row = NULL;

	if (_IOC_NR(ioctl) < ARRAY_SIZE(kdbus_rows))
		row = kdbus_rows[_IOC_NR(ioctl)];
	return row && row->ioctl == ioctl ? row : NULL;
}

/* is the command one for this handle, as it is? */
static int check_state(const struct kdbus_handle *handle,
		       const struct kdbus_cmd_row *row)
{
	enum kdbus_handle_state state = handle_state(handle);

	if (state == KDBUS_HANDLE_BUS_OWNER)
		return -EBADFD;
	if (state == KDBUS_HANDLE_CONNECTED && !(row && row->dead) &&
	    !kdbus_conn_is_alive(handle->conn))
		return -ECONNRESET;
	if (!row || !(row->states & BIT(state)))
		return -ENOTTY;
	if (state == KDBUS_HANDLE_CONNECTED &&
	    !(row->kinds & KDBUS_CONN_ORDINARY))
		return -EOPNOTSUPP;
	return 0;
}

static long handle_ioctl(struct file *file, unsigned int ioctl,
			 unsigned long arg)
{
	const struct kdbus_cmd_row *row = find_row(ioctl);
	struct kdbus_handle *handle = file->private_data;
	struct kdbus_cmd cmd;
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

	if (handle_state(handle) != KDBUS_HANDLE_CONNECTED)
		return EPOLLERR | EPOLLHUP;

	conn = handle->conn;
	poll_wait(file, &conn->wait, wait);

	if (!kdbus_conn_is_alive(conn))
		return EPOLLERR | EPOLLHUP;
	if (!kdbus_queue_is_empty(&conn->queue))
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

/**
 * kdbus_is_handle() - whether a file is a handle of this driver
 * @file:	The file
 *
 * Return: Whether it is, of whatever state.
 */
bool kdbus_is_handle(const struct file *file)
{
	return file->f_op == &kdbus_handle_fops;
}
