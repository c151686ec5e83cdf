/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_FILES_H
#define __KDBUS_FILES_H

/**
 * DOC: Files in flight
 *
 * The files that travel with one message to one receiver: those of its
 * KDBUS_ITEM_FDS item and its memfds, kept in the order of its items. Each has
 * a reference to the file, and knows where in the slice its number goes when it
 * is installed. They are installed the descriptors first, then the memfds.
 *
 * For lack of numbers all or none are installed, in three steps.
 * kdbus_files_reserve() takes numbers and may fail; kdbus_files_cancel() gives
 * them back; kdbus_files_install() makes them valid and writes them into the
 * slice. No thread can use a descriptor before the last step, and none is
 * closed again, which would drop locks that the process has on the same file.
 *
 * The last step asks the security module about each file. One that the receiver
 * may not have keeps the number -1, the others are installed: a message that
 * could not be received at all would block the queue for as long as it is there.
 *
 * Files in flight are bounded, as the sender may have closed its descriptors,
 * and no user may take more of the system's files than a process may have open.
 * What calls of a user are sending counts for that user. What has been sent and
 * waits counts for the two users at its ends, each pair for itself: so a
 * receiver that takes nothing keeps others of its own user at most from getting
 * many files, and only from that sender; a few each connection gets in any case.
 * Each monitor counts as a user of its own.
 *
 * Owned by the message, then by its queue entry.
 *
 * Locks: ``user->flights_lock`` of the sending user, a spinlock in which nothing
 * nests, guards the list and the counts of what waits.
 */

#include <linux/list.h>
#include <linux/types.h>

struct file;
struct kdbus_slice;
struct kdbus_user;

/**
 * struct kdbus_file_slot - one file
 * @file:	The file, with a reference
 * @at:		Where in the slice its number goes, in bytes
 * @fd:		The number while it is reserved
 */
struct kdbus_file_slot {
	struct file *file;
	size_t at;
	int fd;
};

/**
 * struct kdbus_flight - files from one user that wait for another
 * @user_link:	Link in the flights of @from
 * @from:	User that sent them, with a reference, constant
 * @to:		The user they wait for, with a reference, constant
 * @n:		How many there are, more than 0 while it is in the list
 */
struct kdbus_flight {
	struct list_head user_link;
	struct kdbus_user *from;
	struct kdbus_user *to;
	unsigned long n;
};

/**
 * struct kdbus_files - files in flight
 * @user:	User that is sending them and that they count for, or NULL; kept by
 *		the connection that sends
 * @flight:	Where they count while they wait, or NULL
 * @n:		How many there are
 * @first_fd:	Which is the first that belongs to the FDS item
 * @n_fds:	How many of them belong there
 * @slots:	The files
 */
struct kdbus_files {
	struct kdbus_user *user;
	struct kdbus_flight *flight;
	unsigned int n;
	unsigned int first_fd;
	unsigned int n_fds;
	struct kdbus_file_slot slots[];
};

/* the files in the order in which they are installed */
static inline struct kdbus_file_slot *kdbus_files_slot(struct kdbus_files *f,
						       unsigned int i)
{
	if (i < f->n_fds)
		return &f->slots[f->first_fd + i];
	return i < f->n_fds + f->first_fd ? &f->slots[i - f->n_fds] :
					    &f->slots[i];
}

struct kdbus_files *kdbus_files_new(unsigned int max);
int kdbus_files_charge(struct kdbus_files *files, struct kdbus_user *user);
struct kdbus_files *kdbus_files_clone(const struct kdbus_files *files,
				      struct kdbus_user *from,
				      struct kdbus_user *to, bool few);
void kdbus_files_release(struct kdbus_files *files);
int kdbus_files_reserve(struct kdbus_files *files);
void kdbus_files_cancel(struct kdbus_files *files);
void kdbus_files_install(struct kdbus_files *files, struct kdbus_slice *slice);

/**
 * kdbus_files_free() - let go of files
 * @files:	The files, none reserved, or NULL
 *
 * Context: May sleep.
 */
static inline void kdbus_files_free(struct kdbus_files *files)
{
	if (files)
		kdbus_files_release(files);
}

/**
 * DOC: Files that may travel
 *
 * Decides which files a message may carry. As payload: sealed memory files,
 * whose content and size cannot change any more. As descriptors: everything
 * that cannot itself hold other files in a queue. A queue that holds a file
 * that holds a queue could end in a cycle that is never freed; connections
 * of this module, AF_UNIX sockets and io_uring instances are therefore refused.
 *
 * Pure functions of the file: no locks.
 */

struct file *kdbus_memfd_get(int fd, u64 size);
struct file *kdbus_passable_get(int fd);

#endif
