// SPDX-License-Identifier: GPL-2.0
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/poll.h>
#include <linux/string.h>
#include <uapi/linux/kdbus.h>

#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "domain.h"
#include "endpoint.h"
#include "handle.h"
#include "hello.h"
#include "ioctl.h"
#include "limits.h"

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

static int run_hello(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	struct kdbus_ep *ep = kdbus_ep(handle->node);
	struct kdbus_cmd_hello *hello = cmd->data;
	struct kdbus_conn *conn;
	int r;

	conn = kdbus_conn_new(handle, cmd);
	if (IS_ERR(conn))
		return PTR_ERR(conn);

	r = become_connected(handle, conn, cmd);
	if (r < 0) {
		/* it may hold policy */
		kdbus_conn_kill(conn);
		kdbus_conn_put(conn);
		return r;
	}

	kdbus_conn_announce(conn);
	/* who polls it already can write to it now */
	wake_up_interruptible_poll(&handle->wait, EPOLLOUT | EPOLLWRNORM);

	hello->bus_flags = ep->bus->flags;
	hello->id = conn->id;
	hello->bloom = ep->bus->bloom;
	memcpy(hello->id128, ep->bus->id128, sizeof(hello->id128));
	r = kdbus_cmd_store(cmd, 0, sizeof(*hello));
	return r < 0 ? r : kdbus_hello_answer(cmd, ep->bus->attach_required);
}

static struct kdbus_bus *handle_bus(const struct kdbus_handle *handle)
{
	return kdbus_ep(handle->node)->bus;
}

static int prepare_endpoint_make(struct kdbus_handle *handle)
{
	return kdbus_bus_privileged(handle_bus(handle)) ? 0 : -EPERM;
}

static int become_endpoint_owner(struct kdbus_handle *handle,
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

static int run_endpoint_make(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	struct kdbus_ep *ep;
	int r;

	ep = kdbus_ep_new_custom(handle_bus(handle), cmd);
	if (IS_ERR(ep))
		return PTR_ERR(ep);

	r = become_endpoint_owner(handle, ep);
	if (r < 0) {
		kdbus_node_kill(&ep->node);
		kdbus_node_put(&ep->node);
	}

	return r;
}

static int run_endpoint_update(struct kdbus_handle *handle,
			       struct kdbus_cmd *cmd)
{
	return kdbus_ep_update(handle->ep, cmd);
}

const struct kdbus_cmd_row kdbus_row_bus_make = {
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
	.run			= run_bus_make,
};

const struct kdbus_cmd_row kdbus_row_hello = {
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
				  KDBUS_EXT_ATTACH,
	.flags_offset		= offsetof(struct kdbus_cmd_hello, flags),
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_hello,
					   kernel_flags),
	.run			= run_hello,
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

const struct kdbus_cmd_row kdbus_row_domain_make =
	KDBUS_ROW_MAKE(KDBUS_CMD_DOMAIN_MAKE, KDBUS_HANDLE_CONTROL,
		       prepare_domain_make, run_domain_make);

const struct kdbus_cmd_row kdbus_row_endpoint_make =
	KDBUS_ROW_MAKE(KDBUS_CMD_ENDPOINT_MAKE, KDBUS_HANDLE_ENDPOINT,
		       prepare_endpoint_make, run_endpoint_make);

const struct kdbus_cmd_row kdbus_row_endpoint_update = {
	.ioctl			= KDBUS_CMD_ENDPOINT_UPDATE,
	.states			= BIT(KDBUS_HANDLE_ENDPOINT_OWNER),
	.sized			= true,
	.size			= sizeof(struct kdbus_cmd_update),
	.max_size		= KDBUS_UPDATE_MAX_SIZE,
	.too_small		= -EINVAL,
	.flags_offset		= offsetof(struct kdbus_cmd_update, flags),
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_update,
					   kernel_flags),
	.run			= run_endpoint_update,
};
