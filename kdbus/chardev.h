/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_CHARDEV_H
#define __KDBUS_CHARDEV_H

/**
 * DOC: Device nodes
 *
 * The front door that this module has: each published node of the tree is a
 * device of one character major, and devtmpfs makes the device node, its
 * directories and their removal, before kdbus_chardev_add() and
 * kdbus_chardev_del() return. Nothing else in the module knows about devices,
 * so that another front door, a file system say, can stand beside this one.
 *
 * All names derive from KBUILD_MODNAME: the directory below /dev, the
 * subsystem in sysfs, the character device in /proc/devices.
 *
 * Locks: the minors have one of their own, which nests inside everything. A
 * minor holds no reference to its node; it is given back before the node's
 * owner can let go of it.
 */

#include <linux/fs.h>
#include <linux/types.h>
#include <linux/uidgid.h>

struct kdbus_chardev;
struct kdbus_node;

int kdbus_chardev_init(const struct file_operations *fops);
void kdbus_chardev_exit(void);

struct kdbus_chardev *kdbus_chardev_add(struct kdbus_node *node,
					const char *path, umode_t mode,
					kuid_t uid, kgid_t gid);
void kdbus_chardev_del(struct kdbus_chardev *chardev);
struct kdbus_node *kdbus_chardev_find(const struct inode *inode);

#endif
