/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_COMPAT_MM_H
#define __KDBUS_COMPAT_MM_H

#include <linux/mm.h>
#include <linux/version.h>

/* 6.3 made vm_flags read-only and added these */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void kdbus_vm_flags_mod(struct vm_area_struct *vma,
				      vm_flags_t set, vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#else
#define kdbus_vm_flags_mod vm_flags_mod
#endif

#endif
