/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_COMPAT_FS_H
#define __KDBUS_COMPAT_FS_H

#include <linux/fs.h>
#include <linux/mm_types.h>
#include <linux/rcupdate.h>
#include <linux/version.h>

/*
 * get_mm_exe_file() is not exported. 6.7 let files be reused under RCU and has
 * get_file_active() for pointers to such files.
 */
static inline struct file *kdbus_get_mm_exe_file(struct mm_struct *mm)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	struct file *file;

	rcu_read_lock();
	file = rcu_dereference(mm->exe_file);
	if (file && !get_file_rcu(file))
		file = NULL;
	rcu_read_unlock();
	return file;
#else
	return get_file_active(&mm->exe_file);
#endif
}

#endif
