// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <linux/net.h>
#include <net/sock.h>

#include "compat/shmem_fs.h"
#include "memfd.h"

#define KDBUS_MEMFD_SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int check_memfd(const struct file *file, u64 size)
{
	struct inode *inode = file_inode(file);

	if (!kdbus_file_is_shmem(file))
		return -EMEDIUMTYPE;
	if (~SHMEM_I(inode)->seals & KDBUS_MEMFD_SEALS)
		return -ETXTBSY;
	if (size > i_size_read(inode))
		return -EBADF;
	return 0;
}

/**
 * kdbus_memfd_get() - get a sealed memory file
 * @fd:		Descriptor of the calling process
 * @size:	Bytes it has to have
 *
 * Documentation/kdbus.txt, section 12.2.
 *
 * Return: The file, with a reference, or an error pointer: -EBADF,
 * -EMEDIUMTYPE, -ETXTBSY.
 */
struct file *kdbus_memfd_get(int fd, u64 size)
{
	struct file *file;
	int r;

	file = fget(fd);
	if (!file)
		return ERR_PTR(-EBADF);

	r = check_memfd(file, size);
	if (r < 0) {
		fput(file);
		return ERR_PTR(r);
	}

	return file;
}

static bool is_unix_socket(const struct file *file)
{
	const struct inode *inode = file_inode(file);
	const struct sock *sk;

	if (!S_ISSOCK(inode->i_mode))
		return false;

	sk = SOCKET_I((struct inode *)inode)->sk;
	return sk && sk->sk_family == PF_UNIX;
}

/* its file operations are not exported, only its name tells */
static bool is_io_uring(const struct file *file)
{
	const struct dentry *dentry = file->f_path.dentry;

	return file_inode(file)->i_sb->s_magic == ANON_INODE_FS_MAGIC &&
	       !strcmp(dentry->d_name.name, "[io_uring]");
}

/**
 * kdbus_passable_get() - get a file that may be sent as a descriptor
 * @fd:		Descriptor of the calling process
 *
 * Documentation/kdbus.txt, section 12.1.
 *
 * Return: The file, with a reference, or an error pointer: -EBADF, -EOPNOTSUPP.
 */
struct file *kdbus_passable_get(int fd)
{
	struct file *file;

	file = fget_raw(fd);
	if (!file)
		return ERR_PTR(-EBADF);

	/* a path gives no access to what it names */
	if (file->f_mode & FMODE_PATH)
		return file;

	/* the files of this module are handles */
	if (file->f_op->owner == THIS_MODULE || is_unix_socket(file) ||
	    is_io_uring(file)) {
		fput(file);
		return ERR_PTR(-EOPNOTSUPP);
	}

	return file;
}
