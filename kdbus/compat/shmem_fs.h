/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_COMPAT_SHMEM_FS_H
#define __KDBUS_COMPAT_SHMEM_FS_H

#include <linux/shmem_fs.h>
#include <linux/version.h>

/*
 * 6.6 exports shmem_mapping(). Before, what it compares with was exported
 * instead.
 */
static inline bool kdbus_file_is_shmem(const struct file *file)
{
#if !IS_ENABLED(CONFIG_SHMEM)
	return false;
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
	return file->f_mapping->a_ops == &shmem_aops;
#else
	return shmem_mapping(file->f_mapping);
#endif
}

/* Of a file in shared memory. memfd_fcntl(), which would tell, is not exported. */
static inline unsigned int kdbus_shmem_seals(const struct file *file)
{
	return READ_ONCE(SHMEM_I(file_inode(file))->seals);
}

#endif
