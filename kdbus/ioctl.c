// SPDX-License-Identifier: GPL-2.0
#include <linux/kernel.h>
#include <uapi/linux/kdbus.h>

#include "cmd.h"
#include "ioctl.h"

/* by the low byte of their number, which is unique */
static const struct kdbus_cmd_row *const kdbus_rows[] = {
	[_IOC_NR(KDBUS_CMD_BUS_MAKE)]	= &kdbus_row_bus_make,
	[_IOC_NR(KDBUS_CMD_DOMAIN_MAKE)] = &kdbus_row_domain_make,
	[_IOC_NR(KDBUS_CMD_ENDPOINT_MAKE)] = &kdbus_row_endpoint_make,
	[_IOC_NR(KDBUS_CMD_HELLO)]	= &kdbus_row_hello,
	[_IOC_NR(KDBUS_CMD_BYEBYE)]	= &kdbus_row_byebye,
	[_IOC_NR(KDBUS_CMD_MSG_SEND)]	= &kdbus_row_send,
	[_IOC_NR(KDBUS_CMD_MSG_RECV)]	= &kdbus_row_recv,
	[_IOC_NR(KDBUS_CMD_MSG_CANCEL)]	= &kdbus_row_cancel,
	[_IOC_NR(KDBUS_CMD_FREE)]	= &kdbus_row_free,
	[_IOC_NR(KDBUS_CMD_NAME_ACQUIRE)] = &kdbus_row_name_acquire,
	[_IOC_NR(KDBUS_CMD_NAME_RELEASE)] = &kdbus_row_name_release,
	[_IOC_NR(KDBUS_CMD_NAME_LIST)]	= &kdbus_row_name_list,
	[_IOC_NR(KDBUS_CMD_CONN_INFO)]	= &kdbus_row_conn_info,
	[_IOC_NR(KDBUS_CMD_CONN_UPDATE)] = &kdbus_row_conn_update,
	[_IOC_NR(KDBUS_CMD_BUS_CREATOR_INFO)] = &kdbus_row_creator_info,
	[_IOC_NR(KDBUS_CMD_ENDPOINT_UPDATE)] = &kdbus_row_endpoint_update,
	[_IOC_NR(KDBUS_CMD_MATCH_ADD)]	= &kdbus_row_match_add,
	[_IOC_NR(KDBUS_CMD_MATCH_REMOVE)] = &kdbus_row_match_remove,
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
