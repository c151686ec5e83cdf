/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_COMPAT_FILE_H
#define __KDBUS_COMPAT_FILE_H

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/kernel.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/string.h>
#include <linux/version.h>

/*
 * Install a file that was sent, if the security module lets the running task
 * have it. Returns the lowest free number, or a negative errno. 6.8 added an
 * argument.
 */
static inline int kdbus_receive_fd(struct file *file, unsigned int flags)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	return receive_fd(file, flags);
#else
	return receive_fd(file, NULL, flags);
#endif
}

/*
 * io_is_uring_fops() is not exported, and the operations are static. The name of
 * such a file is the kernel's own: no user can give it to a file of this file
 * system or take it away. It is also what the policy of security modules calls
 * these files, anon_inode_getfile_secure() passes it to them, so it stays.
 */
static inline bool kdbus_file_is_io_uring(const struct file *file)
{
	return file_inode(file)->i_sb->s_magic == ANON_INODE_FS_MAGIC &&
	       !strcmp(file->f_path.dentry->d_name.name, "[io_uring]");
}

/*
 * binder exports nothing. It has nodes in a file system of its own. Where it was
 * built without that, its nodes are misc devices, which can have any number, and
 * any name. Only their operations tell: binder has them under one name in all
 * versions, whether it is a module or not.
 */
static inline bool kdbus_file_is_binder(const struct file *file)
{
	static const char symbol[] = "binder_release";
	const struct inode *inode = file_inode(file);
	char name[sizeof(symbol)];

	if (inode->i_sb->s_magic == BINDERFS_SUPER_MAGIC)
		return true;
	if (!S_ISCHR(inode->i_mode) || imajor(inode) != MISC_MAJOR)
		return false;

	/* cut, should there be more behind it */
	snprintf(name, sizeof(name), "%ps", file->f_op->release);
	return !strcmp(name, symbol);
}

#endif
