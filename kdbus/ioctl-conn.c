// SPDX-License-Identifier: GPL-2.0
#include <uapi/linux/kdbus.h>

#include "cmd.h"
#include "conn.h"
#include "handle.h"
#include "info.h"
#include "ioctl.h"
#include "item.h"
#include "limits.h"
#include "match.h"
#include "message.h"
#include "name-cmd.h"
#include "name-list.h"
#include "recv.h"
#include "requests.h"
#include "turn.h"
#include "update.h"

static int run_byebye(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	return kdbus_conn_disconnect(handle->conn, true);
}

static int run_send(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	return kdbus_turn(handle->conn, cmd);
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

static int run_conn_info(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	return kdbus_info_conn(handle->conn, cmd);
}

static int run_creator_info(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	return kdbus_info_creator(handle->conn, cmd);
}

static int run_conn_update(struct kdbus_handle *handle, struct kdbus_cmd *cmd)
{
	return kdbus_update_conn(handle->conn, cmd);
}

const struct kdbus_cmd_row kdbus_row_byebye = {
	.ioctl			= KDBUS_CMD_BYEBYE,
	.states			= BIT(KDBUS_HANDLE_CONNECTED),
	.kinds			= KDBUS_CONN_ORDINARY,
	.dead			= true,
	.run			= run_byebye,
};

const struct kdbus_cmd_row kdbus_row_send = {
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
	.run			= run_send,
};

const struct kdbus_cmd_row kdbus_row_recv = {
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
	.run			= run_recv,
};

const struct kdbus_cmd_row kdbus_row_free = {
	.ioctl			= KDBUS_CMD_FREE,
	.states			= BIT(KDBUS_HANDLE_CONNECTED),
	.kinds			= KDBUS_CONN_ORDINARY | KDBUS_CONN_MONITOR,
	.size			= sizeof(struct kdbus_cmd_free),
	.flags_offset		= offsetof(struct kdbus_cmd_free, flags),
	.kernel_flags_offset	= offsetof(struct kdbus_cmd_free, kernel_flags),
	.run			= run_free,
};

const struct kdbus_cmd_row kdbus_row_cancel = {
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

const struct kdbus_cmd_row kdbus_row_name_acquire =
	KDBUS_ROW_NAME(KDBUS_CMD_NAME_ACQUIRE,
		       KDBUS_NAME_REPLACE_EXISTING |
		       KDBUS_NAME_ALLOW_REPLACEMENT | KDBUS_NAME_QUEUE,
		       run_name_acquire);

const struct kdbus_cmd_row kdbus_row_name_release =
	KDBUS_ROW_NAME(KDBUS_CMD_NAME_RELEASE, 0, run_name_release);

const struct kdbus_cmd_row kdbus_row_name_list = {
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

const struct kdbus_cmd_row kdbus_row_match_add =
	KDBUS_ROW_MATCH(KDBUS_CMD_MATCH_ADD, KDBUS_MATCH_MAX_SIZE,
			KDBUS_MATCH_REPLACE, run_match_add);

const struct kdbus_cmd_row kdbus_row_match_remove =
	KDBUS_ROW_MATCH(KDBUS_CMD_MATCH_REMOVE, sizeof(struct kdbus_cmd_match),
			0, run_match_remove);

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
	.run			= (_run),				\
}

const struct kdbus_cmd_row kdbus_row_conn_info =
	KDBUS_ROW_INFO(KDBUS_CMD_CONN_INFO, run_conn_info);

const struct kdbus_cmd_row kdbus_row_creator_info =
	KDBUS_ROW_INFO(KDBUS_CMD_BUS_CREATOR_INFO, run_creator_info);

const struct kdbus_cmd_row kdbus_row_conn_update = {
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
	.run			= run_conn_update,
};
