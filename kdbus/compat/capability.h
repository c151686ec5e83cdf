/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_COMPAT_CAPABILITY_H
#define __KDBUS_COMPAT_CAPABILITY_H

#include <linux/capability.h>
#include <linux/version.h>

/* 6.3 made a set of capabilities one number */
static inline u64 kdbus_cap_bits(kernel_cap_t set)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	return set.cap[0] | (u64)set.cap[1] << 32;
#else
	return set.val;
#endif
}

#endif
