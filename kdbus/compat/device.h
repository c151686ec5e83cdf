/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_COMPAT_DEVICE_H
#define __KDBUS_COMPAT_DEVICE_H

#include <linux/device.h>
#include <linux/version.h>

/* 6.2 made the device const in device_type.devnode */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define KDBUS_DEVNODE_CONST
#else
#define KDBUS_DEVNODE_CONST const
#endif

#endif
