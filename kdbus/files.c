// SPDX-License-Identifier: GPL-2.0
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "files.h"
#include "memcg.h"
#include "pool.h"
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

static bool count_up_to(atomic_t *count, unsigned int n, unsigned long max)
{
	int old = atomic_read(count);

	do {
		if (old + n > max)
			return false;
	} while (!atomic_try_cmpxchg(count, &old, old + n));

	return true;
}

/**
 * kdbus_files_charge() - count files for who sends them
 * @files:	The files; if they count already, nothing happens
 * @user:	The user
 *
 * Until they are freed. Documentation/kdbus.txt, section 12.1.
 *
 * Return: 0, or -ETOOMANYREFS if the user has too many files in flight.
 */
int kdbus_files_charge(struct kdbus_files *files, struct kdbus_user *user)
{
	if (files->counted)
		return 0;

	if (!count_up_to(&user->files, files->n, rlimit(RLIMIT_NOFILE))) {
		if (!capable(CAP_SYS_RESOURCE))
			return -ETOOMANYREFS;
		atomic_add(files->n, &user->files);
	}

	if (!files->user)
		files->user = kdbus_user_get(user);
	files->counted = true;
	return 0;
}

/* what was counted for a message is for its first copy */
static void count_clone(struct kdbus_files *clone, struct kdbus_files *files)
{
	if (!files->user)
		return;

	kdbus_user_get(clone->user);
	if (!files->counted)
		atomic_add(clone->n, &clone->user->files);
	files->counted = false;
	clone->counted = true;
}

/**
 * kdbus_files_clone() - the same files for another receiver
 * @files:	The files; they need to be charged for each further copy that is
 *		to be refused if it is too much
 *
 * Context: May sleep.
 *
 * Return: The files, with references of their own, or NULL.
 */
struct kdbus_files *kdbus_files_clone(struct kdbus_files *files)
{
	struct kdbus_files *clone;
	unsigned int i;

	clone = kdbus_files_new(files->n);
	if (!clone)
		return NULL;

	memcpy(clone, files, struct_size(files, slots, files->n));
	for (i = 0; i < clone->n; i++)
		get_file(clone->slots[i].file);
	count_clone(clone, files);
	return clone;
}

/**
 * kdbus_files_free() - let go of files
 * @files:	The files, none reserved, or NULL
 *
 * Context: May sleep.
 */
void kdbus_files_free(struct kdbus_files *files)
{
	unsigned int i;

	if (!files)
		return;

	for (i = 0; i < files->n; i++)
		fput(files->slots[i].file);
	if (files->counted)
		atomic_sub(files->n, &files->user->files);
	kdbus_user_put(files->user);
	kvfree(files);
}

static void put_numbers(struct kdbus_files *files, unsigned int n)
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
			put_numbers(files, i);
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
		put_numbers(files, files->n);
}

/**
 * kdbus_files_install() - make reserved descriptors valid
 * @files:	The files, or NULL
 * @slice:	The message they belong to; their numbers are written there
 *
 * Context: May sleep; the process that reserved.
 */
void kdbus_files_install(struct kdbus_files *files, struct kdbus_slice *slice)
{
	struct kdbus_file_slot *slot;
	unsigned int i;

	for (i = 0; files && i < files->n; i++) {
		slot = kdbus_files_slot(files, i);
		kdbus_slice_write(slice, slot->at, &slot->fd, sizeof(slot->fd));
		fd_install(slot->fd, get_file(slot->file));
	}
}
