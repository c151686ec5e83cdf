/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_IOCTL_H
#define __KDBUS_IOCTL_H

/**
 * DOC: The table of commands
 *
 * One row per ioctl, see &struct kdbus_cmd_row, and the few lines that lead
 * from a handle to the object that does the work: in ioctl-tree.c what makes
 * and changes the objects behind device nodes, in ioctl-conn.c what a
 * connection does. To add an ioctl is to add a row.
 *
 * Constant: no locks.
 */

struct kdbus_cmd_row;

extern const struct kdbus_cmd_row kdbus_row_bus_make;
extern const struct kdbus_cmd_row kdbus_row_domain_make;
extern const struct kdbus_cmd_row kdbus_row_endpoint_make;
extern const struct kdbus_cmd_row kdbus_row_hello;
extern const struct kdbus_cmd_row kdbus_row_byebye;
extern const struct kdbus_cmd_row kdbus_row_send;
extern const struct kdbus_cmd_row kdbus_row_recv;
extern const struct kdbus_cmd_row kdbus_row_cancel;
extern const struct kdbus_cmd_row kdbus_row_free;
extern const struct kdbus_cmd_row kdbus_row_name_acquire;
extern const struct kdbus_cmd_row kdbus_row_name_release;
extern const struct kdbus_cmd_row kdbus_row_name_list;
extern const struct kdbus_cmd_row kdbus_row_conn_info;
extern const struct kdbus_cmd_row kdbus_row_conn_update;
extern const struct kdbus_cmd_row kdbus_row_creator_info;
extern const struct kdbus_cmd_row kdbus_row_endpoint_update;
extern const struct kdbus_cmd_row kdbus_row_match_add;
extern const struct kdbus_cmd_row kdbus_row_match_remove;

const struct kdbus_cmd_row *kdbus_ioctl_row(unsigned int ioctl);

#endif
