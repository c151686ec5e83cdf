// SPDX-License-Identifier: GPL-2.0
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/string.h>
#include <uapi/linux/kdbus.h>

#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "connect.h"
#include "domain.h"
#include "endpoint.h"
#include "handle.h"
#include "info.h"
#include "item.h"
#include "limits.h"
#include "match.h"
#include "message.h"
#include "names.h"
#include "recv.h"
#include "reply.h"

/**
 * DOC: File operations and the table of commands
 *
 * One row per ioctl, see &struct kdbus_cmd_row. What makes the objects behind
 * device nodes changes the state of its handle and is here; what a connection
 * does is a function that the row names. To add an ioctl is to add a row.
 *
 * Locks: ``handle->lock`` while a handle changes what it is; the table is
 * constant.
 */

static int ioctl_become_bus_owner(struct kdbus_handle *handle, struct kdbus_bus *bus)
{
	int r = -EBADFD;

	mutex_lock(&handle->lock);
	if (handle->state == KDBUS_HANDLE_CONTROL)
		r = kdbus_ep_publish_default(bus,
					     kdbus_conn_disconnect_all);
	if (r == 0) {
		handle->bus = bus;
		kdbus_handle_become(handle, KDBUS_HANDLE_BUS_OWNER);
	}
	mutex_unlock(&handle->lock);

	return r;
}

static int ioctl_bus_make(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	struct kdbus_bus *bus;
	int r;

	bus = kdbus_bus_new(kdbus_domain(handle->node), cmd);
	if (IS_ERR(bus))
		return PTR_ERR(bus);

	r = ioctl_become_bus_owner(handle, bus);
	if (r < 0) {
		kdbus_node_kill(&bus->node);
		kdbus_node_put(&bus->node);
	}

	return r;
}

static int ioctl_prepare_domain_make(struct kdbus_handle *handle)
{
	return capable(CAP_IPC_OWNER) ? 0 : -EPERM;
}

static int ioctl_become_domain_owner(struct kdbus_handle *handle,
				     struct kdbus_domain *domain, u64 flags)
{
	int r = -EBADFD;

	mutex_lock(&handle->lock);
	if (handle->state == KDBUS_HANDLE_CONTROL)
		r = kdbus_domain_publish(domain, flags);
	if (r == 0) {
		handle->domain = domain;
		kdbus_handle_become(handle, KDBUS_HANDLE_DOMAIN_OWNER);
	}
	mutex_unlock(&handle->lock);

	return r;
}

static int ioctl_domain_make(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_make *make = cmd->data;
	struct kdbus_domain *domain;
	int r;

	domain = kdbus_domain_new(kdbus_domain(handle->node),
				  cmd->found[0]->str);
	if (IS_ERR(domain))
		return PTR_ERR(domain);

	r = ioctl_become_domain_owner(handle, domain, make->flags);
	if (r < 0) {
		kdbus_node_kill(&domain->node);
		kdbus_node_put(&domain->node);
	}

	return r;
}

static int ioctl_become_connected(struct kdbus_handle *handle,
				  struct kdbus_conn *conn,
				  const struct kdbus_cmd *cmd)
{
	int r = -EBADFD;

	mutex_lock(&handle->lock);
	if (handle->state == KDBUS_HANDLE_ENDPOINT)
		r = kdbus_conn_link(conn, cmd);
	if (r == 0) {
		handle->conn = conn;
		kdbus_handle_become(handle, KDBUS_HANDLE_CONNECTED);
	}
	mutex_unlock(&handle->lock);

	return r;
}

static int ioctl_hello(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	struct kdbus_ep *ep = kdbus_ep(handle->node);
	struct kdbus_cmd_hello *hello = cmd->data;
	struct kdbus_conn *conn;
	int r;

	conn = kdbus_conn_new(ep, handle->opener, handle->waitq, cmd);
	if (IS_ERR(conn))
		return PTR_ERR(conn);

	r = ioctl_become_connected(handle, conn, cmd);
	if (r < 0) {
		kdbus_conn_close(conn);
		return r;
	}

	kdbus_conn_announce(conn);
	hello->bus_flags = ep->bus->flags;
	hello->id = conn->id;
	hello->bloom = ep->bus->bloom;
	memcpy(hello->id128, ep->bus->id128, sizeof(hello->id128));
	r = kdbus_cmd_store(cmd, 0, sizeof(*hello));
	return r < 0 ? r : kdbus_hello_answer(cmd, ep->bus->attach_required);
}

static struct kdbus_bus *ioctl_bus(const struct kdbus_handle *handle)
{
	return kdbus_ep(handle->node)->bus;
}

static int ioctl_prepare_endpoint_make(struct kdbus_handle *handle)
{
	/* endpoints are made through the endpoint "bus" only */
	if (kdbus_ep(handle->node)->custom)
		return -EPERM;
	return kdbus_bus_privileged(ioctl_bus(handle)) ? 0 : -EPERM;
}

static int ioctl_become_endpoint_owner(struct kdbus_handle *handle,
				       struct kdbus_ep *ep)
{
	int r = -EBADFD;

	mutex_lock(&handle->lock);
	if (handle->state == KDBUS_HANDLE_ENDPOINT)
		r = kdbus_ep_publish(ep);
	if (r == 0) {
		handle->ep = ep;
		kdbus_handle_become(handle, KDBUS_HANDLE_ENDPOINT_OWNER);
	}
	mutex_unlock(&handle->lock);

	return r;
}

static int ioctl_endpoint_make(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	struct kdbus_ep *ep;
	int r;

	ep = kdbus_ep_new_custom(ioctl_bus(handle), cmd,
				 kdbus_conn_disconnect_all);
	if (IS_ERR(ep))
		return PTR_ERR(ep);

	r = ioctl_become_endpoint_owner(handle, ep);
	if (r < 0) {
		kdbus_node_kill(&ep->node);
		kdbus_node_put(&ep->node);
	}

	return r;
}

static int ioctl_endpoint_update(struct kdbus_handle *handle,
				 struct kdbus_cmd *cmd)
{
	return kdbus_ep_update(handle->ep, cmd);
}

static const struct kdbus_cmd_row ioctl_row_bus_make = {
	.ioctl			= KDBUS_CMD_BUS_MAKE,
	.states			= BIT(KDBUS_HANDLE_CONTROL),
	.sized			= true,
	.size			= sizeof(struct kdbus_cmd_make),
	.max_size		= KDBUS_MAKE_MAX_SIZE,
	.too_small		= -EINVAL,
	.flags			= KDBUS_MAKE_ACCESS_GROUP |
				  KDBUS_MAKE_ACCESS_WORLD | KDBUS_EXT_ATTACH,
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
	.run			= ioctl_bus_make,
};

static const struct kdbus_cmd_row ioctl_row_hello = {
	.ioctl			= KDBUS_CMD_HELLO,
	.states			= BIT(KDBUS_HANDLE_ENDPOINT),
	.sized			= true,
	.size			= sizeof(struct kdbus_cmd_hello),
	.max_size		= KDBUS_HELLO_MAX_SIZE,
	.too_small		= -EINVAL,
	.flags			= KDBUS_HELLO_ACCEPT_FD |
				  KDBUS_HELLO_ACTIVATOR |
				  KDBUS_HELLO_POLICY_HOLDER |
				  KDBUS_HELLO_MONITOR |
				  KDBUS_HELLO_EXT_RESERVE |
				  KDBUS_EXT_ATTACH,
	.flags_offset		= offsetof(struct kdbus_cmd_hello, flags),
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_hello,
					   kernel_flags),
	.run			= ioctl_hello,
};

#define KDBUS_ROW_MAKE(_ioctl, _state, _prepare, _run) {		\
	.ioctl			= (_ioctl),				\
	.states			= BIT(_state),				\
	.sized			= true,					\
	.size			= sizeof(struct kdbus_cmd_make),	\
	.max_size		= KDBUS_MAKE_MAX_SIZE,			\
	.too_small		= -EINVAL,				\
	.flags			= KDBUS_MAKE_ACCESS_GROUP |		\
				  KDBUS_MAKE_ACCESS_WORLD,		\
	.flags_offset		= offsetof(struct kdbus_cmd_make, flags), \
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_make,	\
					   kernel_flags),		\
	.rules			= {					\
		{							\
			.type		= KDBUS_ITEM_MAKE_NAME,		\
			.duplicate	= -EEXIST,			\
			.missing	= -EBADMSG,			\
		},							\
	},								\
	.prepare		= (_prepare),				\
	.run			= (_run),				\
}

static const struct kdbus_cmd_row ioctl_row_domain_make =
	KDBUS_ROW_MAKE(KDBUS_CMD_DOMAIN_MAKE, KDBUS_HANDLE_CONTROL,
		       ioctl_prepare_domain_make, ioctl_domain_make);

static const struct kdbus_cmd_row ioctl_row_endpoint_make =
	KDBUS_ROW_MAKE(KDBUS_CMD_ENDPOINT_MAKE, KDBUS_HANDLE_ENDPOINT,
		       ioctl_prepare_endpoint_make, ioctl_endpoint_make);

static const struct kdbus_cmd_row ioctl_row_endpoint_update = {
	.ioctl			= KDBUS_CMD_ENDPOINT_UPDATE,
	.states			= BIT(KDBUS_HANDLE_ENDPOINT_OWNER),
	.sized			= true,
	.size			= sizeof(struct kdbus_cmd_update),
	.max_size		= KDBUS_UPDATE_MAX_SIZE,
	.too_small		= -EINVAL,
	.flags_offset		= offsetof(struct kdbus_cmd_update, flags),
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_update,
					   kernel_flags),
	.run			= ioctl_endpoint_update,
};

static const struct kdbus_cmd_row ioctl_row_byebye = {
	.ioctl			= KDBUS_CMD_BYEBYE,
	.states			= BIT(KDBUS_HANDLE_CONNECTED),
	.kinds			= KDBUS_CONN_ORDINARY,
	.dead			= true,
	.run_conn		= kdbus_conn_byebye,
};

static const struct kdbus_cmd_row ioctl_row_send = {
	.ioctl			= KDBUS_CMD_MSG_SEND,
	.states			= BIT(KDBUS_HANDLE_CONNECTED),
	.kinds			= KDBUS_CONN_ORDINARY,
	.sized			= true,
	.flags_last		= true,
	.size			= sizeof(struct kdbus_msg),
	.max_size		= KDBUS_MSG_MAX_SIZE,
	.too_small		= -EMSGSIZE,
	.flags			= KDBUS_MSG_FLAGS_EXPECT_REPLY |
				  KDBUS_MSG_FLAGS_SYNC_REPLY |
				  KDBUS_MSG_FLAGS_NO_AUTO_START |
				  KDBUS_MSG_EXT_RECV | KDBUS_MSG_EXT_FREE,
	.flags_offset		= offsetof(struct kdbus_msg, flags),
	.kernel_flags_offset	= offsetof(struct kdbus_msg, kernel_flags),
	.check			= kdbus_message_check,
	.run_conn		= kdbus_send,
};

static const struct kdbus_cmd_row ioctl_row_recv = {
	.ioctl			= KDBUS_CMD_MSG_RECV,
	.states			= BIT(KDBUS_HANDLE_CONNECTED),
	.kinds			= KDBUS_CONN_ORDINARY | KDBUS_CONN_MONITOR |
				  KDBUS_CONN_ACTIVATOR,
	.size			= sizeof(struct kdbus_cmd_recv),
	.flags			= KDBUS_RECV_PEEK | KDBUS_RECV_DROP |
				  KDBUS_RECV_USE_PRIORITY |
				  KDBUS_RECV_EXT_WAIT | KDBUS_RECV_EXT_FREE,
	.flags_offset		= offsetof(struct kdbus_cmd_recv, flags),
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_recv, kernel_flags),
	.run_conn		= kdbus_recv,
};

static const struct kdbus_cmd_row ioctl_row_free = {
	.ioctl			= KDBUS_CMD_FREE,
	.states			= BIT(KDBUS_HANDLE_CONNECTED),
	.kinds			= KDBUS_CONN_ORDINARY | KDBUS_CONN_MONITOR,
	.size			= sizeof(struct kdbus_cmd_free),
	.flags_offset		= offsetof(struct kdbus_cmd_free, flags),
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_free, kernel_flags),
	.run_conn		= kdbus_recv_free,
};

static const struct kdbus_cmd_row ioctl_row_cancel = {
	.ioctl			= KDBUS_CMD_MSG_CANCEL,
	.states			= BIT(KDBUS_HANDLE_CONNECTED),
	.kinds			= KDBUS_CONN_ORDINARY,
	.size			= sizeof(struct kdbus_cmd_cancel),
	.flags_offset		= offsetof(struct kdbus_cmd_cancel, flags),
	.run_conn		= kdbus_replies_cancel,
};

#define KDBUS_ROW_NAME(_ioctl, _flags, _run) {				\
	.ioctl			= (_ioctl),				\
	.states			= BIT(KDBUS_HANDLE_CONNECTED),		\
	.kinds			= KDBUS_CONN_ORDINARY,			\
	.sized			= true,					\
	.size			= sizeof(struct kdbus_cmd_name),	\
	.max_size		= sizeof(struct kdbus_cmd_name) +	\
				  KDBUS_ITEM_SIZE(KDBUS_NAME_MAX_LEN + 1), \
	.too_small		= -EINVAL,				\
	.flags			= (_flags),				\
	.flags_offset		= offsetof(struct kdbus_cmd_name, flags), \
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_name,	\
					   kernel_flags),		\
	.rules			= {					\
		{							\
			.type		= KDBUS_ITEM_NAME,		\
			.duplicate	= -EINVAL,			\
			.missing	= -EINVAL,			\
		},							\
	},								\
	.run_conn		= (_run),				\
}

static const struct kdbus_cmd_row ioctl_row_name_acquire =
	KDBUS_ROW_NAME(KDBUS_CMD_NAME_ACQUIRE,
		       KDBUS_NAME_REPLACE_EXISTING |
		       KDBUS_NAME_ALLOW_REPLACEMENT | KDBUS_NAME_QUEUE,
		       kdbus_name_cmd_acquire);

static const struct kdbus_cmd_row ioctl_row_name_release =
	KDBUS_ROW_NAME(KDBUS_CMD_NAME_RELEASE, 0, kdbus_name_cmd_release);

static const struct kdbus_cmd_row ioctl_row_name_list = {
	.ioctl			= KDBUS_CMD_NAME_LIST,
	.states			= BIT(KDBUS_HANDLE_CONNECTED),
	.kinds			= KDBUS_CONN_ALL,
	.size			= sizeof(struct kdbus_cmd_name_list),
	.flags			= KDBUS_NAME_LIST_UNIQUE |
				  KDBUS_NAME_LIST_NAMES |
				  KDBUS_NAME_LIST_ACTIVATORS |
				  KDBUS_NAME_LIST_QUEUED,
	.flags_offset		= offsetof(struct kdbus_cmd_name_list, flags),
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_name_list,
					   kernel_flags),
	.run_conn		= kdbus_name_cmd_list,
};

#define KDBUS_ROW_MATCH(_ioctl, _max, _flags, _run) {			\
	.ioctl			= (_ioctl),				\
	.states			= BIT(KDBUS_HANDLE_CONNECTED),		\
	.kinds			= KDBUS_CONN_ORDINARY | KDBUS_CONN_MONITOR, \
	.sized			= true,					\
	.size			= sizeof(struct kdbus_cmd_match),	\
	.max_size		= (_max),				\
	.too_small		= -EINVAL,				\
	.flags			= (_flags),				\
	.flags_offset		= offsetof(struct kdbus_cmd_match, flags), \
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_match,	\
					   kernel_flags),		\
	.run_conn		= (_run),				\
}

static const struct kdbus_cmd_row ioctl_row_match_add =
	KDBUS_ROW_MATCH(KDBUS_CMD_MATCH_ADD, KDBUS_MATCH_MAX_SIZE,
			KDBUS_MATCH_REPLACE, kdbus_match_add);

static const struct kdbus_cmd_row ioctl_row_match_remove =
	KDBUS_ROW_MATCH(KDBUS_CMD_MATCH_REMOVE, sizeof(struct kdbus_cmd_match),
			0, kdbus_match_remove);

#define KDBUS_ROW_INFO(_ioctl, _run) {					\
	.ioctl			= (_ioctl),				\
	.states			= BIT(KDBUS_HANDLE_CONNECTED),		\
	.kinds			= KDBUS_CONN_ALL,			\
	.sized			= true,					\
	.size			= sizeof(struct kdbus_cmd_info),	\
	.max_size		= sizeof(struct kdbus_cmd_info) +	\
				  KDBUS_ITEM_SIZE(KDBUS_NAME_MAX_LEN + 1), \
	.too_small		= -EINVAL,				\
	.flags			= _KDBUS_ATTACH_ALL,			\
	.flags_offset		= offsetof(struct kdbus_cmd_info, flags), \
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_info,	\
					   kernel_flags),		\
	.run_conn		= (_run),				\
}

static const struct kdbus_cmd_row ioctl_row_conn_info =
	KDBUS_ROW_INFO(KDBUS_CMD_CONN_INFO, kdbus_info_conn);

static const struct kdbus_cmd_row ioctl_row_creator_info =
	KDBUS_ROW_INFO(KDBUS_CMD_BUS_CREATOR_INFO, kdbus_info_creator);

static const struct kdbus_cmd_row ioctl_row_conn_update = {
	.ioctl			= KDBUS_CMD_CONN_UPDATE,
	.states			= BIT(KDBUS_HANDLE_CONNECTED),
	.kinds			= KDBUS_CONN_ORDINARY | KDBUS_CONN_MONITOR |
				  KDBUS_CONN_HOLDER,
	.sized			= true,
	.size			= sizeof(struct kdbus_cmd_update),
	.max_size		= KDBUS_UPDATE_MAX_SIZE,
	.too_small		= -EINVAL,
	.flags			= KDBUS_EXT_ATTACH,
	.flags_offset		= offsetof(struct kdbus_cmd_update, flags),
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_update,
					   kernel_flags),
	.run_conn		= kdbus_update_conn,
};

/* by the low byte of their number, which is unique */
static const struct kdbus_cmd_row *const ioctl_rows[] = {
	[_IOC_NR(KDBUS_CMD_BUS_MAKE)]	= &ioctl_row_bus_make,
	[_IOC_NR(KDBUS_CMD_DOMAIN_MAKE)] = &ioctl_row_domain_make,
	[_IOC_NR(KDBUS_CMD_ENDPOINT_MAKE)] = &ioctl_row_endpoint_make,
	[_IOC_NR(KDBUS_CMD_HELLO)]	= &ioctl_row_hello,
	[_IOC_NR(KDBUS_CMD_BYEBYE)]	= &ioctl_row_byebye,
	[_IOC_NR(KDBUS_CMD_MSG_SEND)]	= &ioctl_row_send,
	[_IOC_NR(KDBUS_CMD_MSG_RECV)]	= &ioctl_row_recv,
	[_IOC_NR(KDBUS_CMD_MSG_CANCEL)]	= &ioctl_row_cancel,
	[_IOC_NR(KDBUS_CMD_FREE)]	= &ioctl_row_free,
	[_IOC_NR(KDBUS_CMD_NAME_ACQUIRE)] = &ioctl_row_name_acquire,
	[_IOC_NR(KDBUS_CMD_NAME_RELEASE)] = &ioctl_row_name_release,
	[_IOC_NR(KDBUS_CMD_NAME_LIST)]	= &ioctl_row_name_list,
	[_IOC_NR(KDBUS_CMD_CONN_INFO)]	= &ioctl_row_conn_info,
	[_IOC_NR(KDBUS_CMD_CONN_UPDATE)] = &ioctl_row_conn_update,
	[_IOC_NR(KDBUS_CMD_BUS_CREATOR_INFO)] = &ioctl_row_creator_info,
	[_IOC_NR(KDBUS_CMD_ENDPOINT_UPDATE)] = &ioctl_row_endpoint_update,
	[_IOC_NR(KDBUS_CMD_MATCH_ADD)]	= &ioctl_row_match_add,
	[_IOC_NR(KDBUS_CMD_MATCH_REMOVE)] = &ioctl_row_match_remove,
};

/* the row of a command, or NULL if there is no such command */
static const struct kdbus_cmd_row *ioctl_find_row(unsigned int ioctl)
{
	const struct kdbus_cmd_row *row = NULL;

	if (_IOC_NR(ioctl) < ARRAY_SIZE(ioctl_rows))
		row = ioctl_rows[_IOC_NR(ioctl)];
	return row && row->ioctl == ioctl ? row : NULL;
}

/* whether the command is allowed in the state of the handle */
static int ioctl_check_state(const struct kdbus_handle *handle,
			     const struct kdbus_cmd_row *row)
{
	enum kdbus_handle_state state = kdbus_handle_state(handle);

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

static long ioctl_dispatch(struct file *file, unsigned int ioctl,
			   unsigned long arg)
{
	const struct kdbus_cmd_row *row = ioctl_find_row(ioctl);
	struct kdbus_handle *handle = file->private_data;
	/* what is used of it is written first */
	struct kdbus_cmd cmd __uninitialized;
	int r;

	r = ioctl_check_state(handle, row);
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

	if (row->run_conn)
		r = row->run_conn(handle->conn, &cmd);
	else
		r = row->run(handle, &cmd);
	kdbus_cmd_release(&cmd);
	return r;
}

const struct file_operations kdbus_ioctl_fops = {
	.owner		= THIS_MODULE,
	.open		= kdbus_handle_open,
	.release	= kdbus_handle_release,
	.unlocked_ioctl	= ioctl_dispatch,
	.compat_ioctl	= compat_ptr_ioctl,
	.poll		= kdbus_handle_poll,
	.mmap		= kdbus_handle_mmap,
	.llseek		= noop_llseek,
	.show_fdinfo	= kdbus_handle_show_fdinfo,
};
