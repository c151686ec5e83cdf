/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_CHARDEV_H
#define __KDBUS_CHARDEV_H

/**
 * DOC: Device nodes
 *
 * The front door that this module has: each published node of the tree is a
 * device of one character major. devtmpfs has made or removed the device node and
 * its directories when publishing or unpublishing returns.
 * Nothing else in the module knows about devices but main.c, which registers
 * kdbus_chardev_door.
 *
 * All names derive from KBUILD_MODNAME: the directory below /dev, the
 * subsystem in sysfs, the character device in /proc/devices.
 *
 * A device and its minor are charged to the memory cgroup of the task that makes
 * it. What the driver core keeps beside them in sysfs and devtmpfs, less than
 * 3 KiB, is not charged; the number of nodes is limited for that reason.
 *
 * Locks: ``xa_lock`` of the xarray of minors. A minor holds no reference to its
 * node; it is given back before the last reference to the node can go.
 */

#include <linux/fs.h>

struct kdbus_front_door;

extern const struct kdbus_front_door kdbus_chardev_door;

int kdbus_chardev_init(const struct file_operations *fops);
void kdbus_chardev_exit(void);

#endif
