// SPDX-License-Identifier: GPL-2.0
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/string.h>
#include <uapi/linux/kdbus.h>

#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "deliver.h"
#include "domain.h"
#include "endpoint.h"
#include "handle.h"
#include "ioctl.h"
#include "item.h"
#include "limits.h"
#include "match.h"
#include "message.h"
#include "name-list.h"
#include "names.h"
#include "recv.h"
#include "reply.h"
#include "requests.h"

static int become_bus_owner(struct kdbus_handle *handle, struct kdbus_bus *bus)
{
	int r = -EBADFD;

	mutex_lock(&handle->lock);
	if (handle->state == KDBUS_HANDLE_CONTROL)
		r = kdbus_bus_publish(bus);
	if (r == 0) {
		handle->bus = bus;
		kdbus_handle_become(handle, KDBUS_HANDLE_BUS_OWNER);
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

static int prepare_domain_make(struct kdbus_handle *handle)
{
	return capable(CAP_IPC_OWNER) ? 0 : -EPERM;
}

static int become_domain_owner(struct kdbus_handle *handle,
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

static int run_domain_make(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_make *make = cmd->data;
	struct kdbus_domain *domain;
	int r;

	domain = kdbus_domain_new(kdbus_domain(handle->node),
				  cmd->found[0]->str);
	if (IS_ERR(domain))
		return PTR_ERR(domain);

	r = become_domain_owner(handle, domain, make->flags);
	if (r < 0) {
		kdbus_node_kill(&domain->node);
		kdbus_node_put(&domain->node);
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
		kdbus_handle_become(handle, KDBUS_HANDLE_CONNECTED);
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

	kdbus_conn_announce(conn);

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
	return kdbus_recv(handle->conn, cmd);
}

static int run_free(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	return kdbus_recv_free(handle->conn, cmd);
}

static int run_cancel(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_cancel *cancel = cmd->data;

	return kdbus_replies_cancel(handle->conn, cancel->cookie);
}

static int run_name_acquire(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	return kdbus_cmd_name_acquire(handle->conn, cmd);
}

static int run_name_release(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	return kdbus_cmd_name_release(handle->conn, cmd);
}

static int run_name_list(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	return kdbus_name_list(handle->conn, cmd);
}

static int run_match_add(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	return kdbus_match_add(handle->conn, cmd);
}

static int run_match_remove(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	return kdbus_match_remove(handle->conn, cmd);
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
	.flags			= KDBUS_HELLO_ACCEPT_FD |
				  KDBUS_HELLO_ACTIVATOR |
				  KDBUS_HELLO_MONITOR,
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
	.flags			= KDBUS_MSG_FLAGS_EXPECT_REPLY |
				  KDBUS_MSG_FLAGS_SYNC_REPLY |
				  KDBUS_MSG_FLAGS_NO_AUTO_START,
	.flags_offset		= offsetof(struct kdbus_msg, flags),
	.kernel_flags_offset	= offsetof(struct kdbus_msg, kernel_flags),
	.check			= kdbus_message_check,
	.run			= run_send,
};

static const struct kdbus_cmd_row row_recv = {
	.ioctl			= KDBUS_CMD_MSG_RECV,
	.states			= BIT(KDBUS_HANDLE_CONNECTED),
	.kinds			= KDBUS_CONN_ALL,
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
	.kinds			= KDBUS_CONN_ORDINARY | KDBUS_CONN_MONITOR,
	.size			= sizeof(struct kdbus_cmd_free),
	.flags_offset		= offsetof(struct kdbus_cmd_free, flags),
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_free, kernel_flags),
	.run			= run_free,
};

static const struct kdbus_cmd_row row_domain_make = {
	.ioctl			= KDBUS_CMD_DOMAIN_MAKE,
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
		{
			.type		= KDBUS_ITEM_MAKE_NAME,
			.duplicate	= -EEXIST,
			.missing	= -EBADMSG,
		},
	},
	.prepare		= prepare_domain_make,
	.run			= run_domain_make,
};

static const struct kdbus_cmd_row row_cancel = {
	.ioctl			= KDBUS_CMD_MSG_CANCEL,
	.states			= BIT(KDBUS_HANDLE_CONNECTED),
	.kinds			= KDBUS_CONN_ORDINARY,
	.size			= sizeof(struct kdbus_cmd_cancel),
	.flags_offset		= offsetof(struct kdbus_cmd_cancel, flags),
	.run			= run_cancel,
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
	.run			= (_run),				\
}

static const struct kdbus_cmd_row row_name_acquire =
	KDBUS_ROW_NAME(KDBUS_CMD_NAME_ACQUIRE,
		       KDBUS_NAME_REPLACE_EXISTING |
		       KDBUS_NAME_ALLOW_REPLACEMENT | KDBUS_NAME_QUEUE,
		       run_name_acquire);

static const struct kdbus_cmd_row row_name_release =
	KDBUS_ROW_NAME(KDBUS_CMD_NAME_RELEASE, 0, run_name_release);

static const struct kdbus_cmd_row row_name_list = {
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
	.run			= run_name_list,
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
	.run			= (_run),				\
}

static const struct kdbus_cmd_row row_match_add =
	KDBUS_ROW_MATCH(KDBUS_CMD_MATCH_ADD, KDBUS_MATCH_MAX_SIZE,
			KDBUS_MATCH_REPLACE, run_match_add);

static const struct kdbus_cmd_row row_match_remove =
	KDBUS_ROW_MATCH(KDBUS_CMD_MATCH_REMOVE, sizeof(struct kdbus_cmd_match),
			0, run_match_remove);

/* by the low byte of their number, which is unique */
static const struct kdbus_cmd_row *const kdbus_rows[] = {
	[_IOC_NR(KDBUS_CMD_BUS_MAKE)]	= &row_bus_make,
	[_IOC_NR(KDBUS_CMD_DOMAIN_MAKE)] = &row_domain_make,
	[_IOC_NR(KDBUS_CMD_HELLO)]	= &row_hello,
	[_IOC_NR(KDBUS_CMD_BYEBYE)]	= &row_byebye,
	[_IOC_NR(KDBUS_CMD_MSG_SEND)]	= &row_send,
	[_IOC_NR(KDBUS_CMD_MSG_RECV)]	= &row_recv,
	[_IOC_NR(KDBUS_CMD_MSG_CANCEL)]	= &row_cancel,
	[_IOC_NR(KDBUS_CMD_FREE)]	= &row_free,
	[_IOC_NR(KDBUS_CMD_NAME_ACQUIRE)] = &row_name_acquire,
	[_IOC_NR(KDBUS_CMD_NAME_RELEASE)] = &row_name_release,
	[_IOC_NR(KDBUS_CMD_NAME_LIST)]	= &row_name_list,
	[_IOC_NR(KDBUS_CMD_MATCH_ADD)]	= &row_match_add,
	[_IOC_NR(KDBUS_CMD_MATCH_REMOVE)] = &row_match_remove,
};

/**
 * kdbus_ioctl_row() - look up a command
 * @ioctl:	Its full number
 *
 * Return: The row, or NULL if there is no such command.
 */
const struct kdbus_cmd_row *kdbus_ioctl_row(unsigned int ioctl)
{
	const struct kdbus_cmd_row *row = NULL;

	if (_IOC_NR(ioctl) < ARRAY_SIZE(kdbus_rows))
		row = kdbus_rows[_IOC_NR(ioctl)];
	return row && row->ioctl == ioctl ? row : NULL;
}
