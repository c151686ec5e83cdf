// SPDX-License-Identifier: GPL-2.0
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "compat/file.h"
#include "compat/shmem_fs.h"
#include "files.h"
#include "memcg.h"
#include "pool/pool.h"
#include "user.h"

/**
 * kdbus_files_new() - make room for files
 * @max:	How many at most
 *
 * Context: May sleep.
 *
 * Return: No files yet, or NULL.
 */
struct kdbus_files *kdbus_files_new(unsigned int max)
{
	struct kdbus_files *files;

	return kvzalloc(struct_size(files, slots, max), KDBUS_GFP_CALLER);
}

static bool files_count_up_to(atomic_t *count, unsigned int n, unsigned long max)
{
	int old = atomic_read(count);

	do {
		if (old + n > max)
			return false;
	} while (!atomic_try_cmpxchg(count, &old, old + n));

	return true;
}

static int files_refuse(void)
{
	return capable(CAP_SYS_RESOURCE) ? 0 : -ETOOMANYREFS;
}

/**
 * kdbus_files_charge() - count files for their sender
 * @files:	The files; if they count already, nothing happens
 * @user:	The user, kept until they are freed
 *
 * Documentation/kdbus.txt, section 12.1.
 *
 * Return: 0, or -ETOOMANYREFS if the user is sending too many.
 */
int kdbus_files_charge(struct kdbus_files *files, struct kdbus_user *user)
{
	int r;

	if (files->user)
		return 0;

	if (!files_count_up_to(&user->files, files->n, rlimit(RLIMIT_NOFILE))) {
		r = files_refuse();
		if (r < 0)
			return r;
		atomic_add(files->n, &user->files);
	}

	files->user = user;
	return 0;
}

static struct kdbus_flight *files_flight_new(struct kdbus_user *from,
					     struct kdbus_user *to)
{
	struct kdbus_flight *flight;

	flight = kzalloc(sizeof(*flight), GFP_KERNEL_ACCOUNT);
	if (flight) {
		flight->from = kdbus_user_get(from);
		flight->to = kdbus_user_get(to);
	}
	return flight;
}

static void files_flight_free(struct kdbus_flight *flight)
{
	if (!flight)
		return;

	kdbus_user_put(flight->from);
	kdbus_user_put(flight->to);
	kfree(flight);
}

static struct kdbus_flight *files_flight_find(struct kdbus_user *from,
					      const struct kdbus_user *to)
{
	struct kdbus_flight *flight;

	lockdep_assert_held(&from->flights_lock);

	list_for_each_entry(flight, &from->flights, user_link)
		if (flight->to == to)
			return flight;
	return NULL;
}

/* takes @spare if there is none yet */
static int files_flight_add_locked(struct kdbus_files *files, struct kdbus_user *from,
				   const struct kdbus_user *to,
				   struct kdbus_flight **spare, unsigned long max)
{
	struct kdbus_flight *flight = files_flight_find(from, to);

	if ((flight ? flight->n : 0) + files->n > max)
		return -ETOOMANYREFS;

	if (!flight) {
		flight = *spare;
		if (!flight)
			return -EAGAIN;
		*spare = NULL;
		list_add(&flight->user_link, &from->flights);
	}

	flight->n += files->n;
	files->flight = flight;
	return 0;
}

/* from now on they wait */
static int files_flight_add(struct kdbus_files *files, struct kdbus_user *from,
			    struct kdbus_user *to, bool few)
{
	unsigned long max = few ? ULONG_MAX : rlimit(RLIMIT_NOFILE);
	struct kdbus_flight *spare = NULL;
	int r;

	for (;;) {
		spin_lock(&from->flights_lock);
		r = files_flight_add_locked(files, from, to, &spare, max);
		spin_unlock(&from->flights_lock);

		if (r == -EAGAIN) {
			spare = files_flight_new(from, to);
			if (!spare)
				return -ENOMEM;
		} else if (r == -ETOOMANYREFS && !files_refuse()) {
			max = ULONG_MAX;
		} else {
			break;
		}
	}

	files_flight_free(spare);
	return r;
}

static void files_flight_del(struct kdbus_files *files)
{
	struct kdbus_flight *flight = files->flight;
	struct kdbus_user *from;
	bool last;

	if (!flight)
		return;

	/* kept until it is unlocked: another task may free @flight by then */
	from = kdbus_user_get(flight->from);
	spin_lock(&from->flights_lock);
	flight->n -= files->n;
	last = flight->n == 0;
	if (last)
		list_del(&flight->user_link);
	spin_unlock(&from->flights_lock);

	if (last)
		files_flight_free(flight);
	kdbus_user_put(from);
}

/**
 * kdbus_files_clone() - the same files, to wait for a receiver
 * @files:	The files
 * @from:	The user that sends them
 * @to:		The user that is to receive them
 * @few:	Do not ask how many wait for @to, see KDBUS_CONN_FREE_FILES
 *
 * The copy counts for this pair of users until it is freed.
 * Documentation/kdbus.txt, section 12.1.
 *
 * Context: May sleep.
 *
 * Return: The files, with references of their own, or an error pointer:
 * -ETOOMANYREFS if too many wait, or -ENOMEM.
 */
struct kdbus_files *kdbus_files_clone(const struct kdbus_files *files,
				      struct kdbus_user *from,
				      struct kdbus_user *to, bool few)
{
	struct kdbus_files *clone;
	unsigned int i;
	int r;

	clone = kdbus_files_new(files->n);
	if (!clone)
		return ERR_PTR(-ENOMEM);

	memcpy(clone, files, struct_size(files, slots, files->n));
	clone->user = NULL;
	clone->flight = NULL;
	r = files_flight_add(clone, from, to, few);
	if (r < 0) {
		kvfree(clone);
		return ERR_PTR(r);
	}

	for (i = 0; i < clone->n; i++)
		get_file(clone->slots[i].file);
	return clone;
}

/**
 * kdbus_files_release() - kdbus_files_free() for files that are there
 * @files:	The files, none reserved
 *
 * Context: May sleep.
 */
void kdbus_files_release(struct kdbus_files *files)
{
	unsigned int i;

	for (i = 0; i < files->n; i++)
		fput(files->slots[i].file);
	if (files->user)
		atomic_sub(files->n, &files->user->files);
	files_flight_del(files);
	kvfree(files);
}

static void files_put_numbers(struct kdbus_files *files, unsigned int n)
{
	while (n-- > 0)
		put_unused_fd(kdbus_files_slot(files, n)->fd);
}

/**
 * kdbus_files_reserve() - take descriptors in the calling process
 * @files:	The files, or NULL
 *
 * The lowest free numbers, in order. Documentation/kdbus.txt, section 12.3.
 *
 * Context: May sleep.
 *
 * Return: 0, -EMFILE or -ENOMEM; then nothing is reserved.
 */
int kdbus_files_reserve(struct kdbus_files *files)
{
	unsigned int i;
	int fd;

	for (i = 0; files && i < files->n; i++) {
		fd = get_unused_fd_flags(O_CLOEXEC);
		if (fd < 0) {
			files_put_numbers(files, i);
			return fd;
		}
		kdbus_files_slot(files, i)->fd = fd;
	}

	return 0;
}

/**
 * kdbus_files_cancel() - give reserved descriptors back
 * @files:	The files, or NULL
 *
 * Context: May sleep; the process that reserved.
 */
void kdbus_files_cancel(struct kdbus_files *files)
{
	if (files)
		files_put_numbers(files, files->n);
}

/*
 * The security module is asked by receive_fd() only, which takes a number itself:
 * the lowest, so the one that is given back right before. Should another thread of
 * the process be faster, it is the next one, and -1 if that thread took the last
 * number that the process may have.
 */
static int files_install_slot(struct kdbus_file_slot *slot)
{
	int fd;

	put_unused_fd(slot->fd);
	fd = kdbus_receive_fd(slot->file, O_CLOEXEC);
	return fd < 0 ? -1 : fd;
}

/**
 * kdbus_files_install() - make reserved descriptors valid
 * @files:	The files, or NULL
 * @slice:	The message they belong to; their numbers are written there, -1
 *		for a file that the process may not have
 *
 * Documentation/kdbus.txt, section 12.3.
 *
 * Context: May sleep; the process that reserved.
 */
void kdbus_files_install(struct kdbus_files *files, struct kdbus_slice *slice)
{
	struct kdbus_file_slot *slot;
	unsigned int i;
	int fd;

	for (i = 0; files && i < files->n; i++) {
		slot = kdbus_files_slot(files, i);
		fd = files_install_slot(slot);
		kdbus_slice_write(slice, slot->at, &fd, sizeof(fd));
	}
}

#define KDBUS_MEMFD_SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int files_check_memfd(const struct file *file, u64 size)
{
	struct inode *inode = file_inode(file);

	if (!kdbus_file_is_shmem(file))
		return -EMEDIUMTYPE;
	if (~kdbus_shmem_seals(file) & KDBUS_MEMFD_SEALS)
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

	r = files_check_memfd(file, size);
	if (r < 0) {
		fput(file);
		return ERR_PTR(r);
	}

	return file;
}

static bool files_is_unix_socket(const struct file *file)
{
	const struct inode *inode = file_inode(file);
	const struct sock *sk;

	if (!S_ISSOCK(inode->i_mode))
		return false;

	sk = SOCKET_I((struct inode *)inode)->sk;
	return sk && sk->sk_family == PF_UNIX;
}

/*
 * Whether a file keeps references to files of any kind, without a process that has
 * them open. Were it in a message, and a handle in it, neither would ever be freed.
 * A file that refers to certain kinds only, as a loop device does, or for as long as
 * a process lives, as an epoll set does, makes no cycle.
 */
static bool files_hold_files(const struct file *file)
{
	/* the files of this module are handles */
	return file->f_op->owner == THIS_MODULE || files_is_unix_socket(file) ||
	       kdbus_file_is_io_uring(file) || kdbus_file_is_binder(file);
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

	/* one opened with O_PATH gives no access */
	if (file->f_mode & FMODE_PATH)
		return file;

	if (files_hold_files(file)) {
		fput(file);
		return ERR_PTR(-EOPNOTSUPP);
	}

	return file;
}
