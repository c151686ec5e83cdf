/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_COMPAT_FS_H
#define __KDBUS_COMPAT_FS_H

#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/mm_types.h>
#include <linux/mount.h>
#include <linux/path.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/seqlock.h>
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

/*
 * How often something was renamed anywhere; odd while something is. A path that
 * was looked up may be used again if this has not changed. The kernel tells
 * modules of renames in no other way than by the lock that d_path() itself reads.
 */
static inline unsigned int kdbus_count_renames(void)
{
	return raw_read_seqcount(&rename_lock.seqcount.seqcount);
}

/* The same when the mount of a file is detached, after which it has another path. */
static inline bool kdbus_file_is_detached(const struct file *file)
{
	return READ_ONCE(file->f_path.mnt->mnt_flags) & MNT_UMOUNT;
}

/*
 * The root directory of the running task, only to be compared with what it was.
 * get_fs_root() would take two references for that and drop them, 250 instructions
 * a message. Half of one directory and half of another are equal to neither.
 */
static inline struct path kdbus_current_root(void)
{
	return (struct path){
		.mnt	= READ_ONCE(current->fs->root.mnt),
		.dentry	= READ_ONCE(current->fs->root.dentry),
	};
}

#endif
