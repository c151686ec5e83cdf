/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_IOCTL_H
#define __KDBUS_IOCTL_H

/**
 * DOC: The table of commands
 *
 * One row per ioctl, see &struct kdbus_cmd_row, and the few lines that lead from
 * a handle to the object that does the work. To add an ioctl is to add a row.
 *
 * Constant: no locks.
 */

struct kdbus_cmd_row;

const struct kdbus_cmd_row *kdbus_ioctl_row(unsigned int ioctl);

#endif
