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
 * Installing is all or nothing, in three steps. kdbus_files_reserve() takes
 * numbers and may fail; kdbus_files_cancel() gives them back;
 * kdbus_files_install() writes them into the slice and makes them valid, and
 * cannot fail. Nobody sees a descriptor before the last step.
 *
 * Files in flight count for the user who sent them, who may have as many in
 * flight as a process of theirs may have open.
 *
 * Owned by the message, then by its queue entry: no locks.
 */

#include <linux/types.h>

struct file;
struct kdbus_slice;
struct kdbus_user;

/**
 * struct kdbus_file_slot - one file
 * @file:	The file, with a reference
 * @at:		Where in the slice its number goes, in bytes
 * @fd:		The number, while reserved
 */
struct kdbus_file_slot {
	struct file *file;
	size_t at;
	int fd;
};

/**
 * struct kdbus_files - files in flight
 * @user:	Whom they count for, with a reference, or NULL
 * @counted:	Whether they count
 * @n:		How many there are
 * @first_fd:	Which is the first that belongs to the FDS item
 * @n_fds:	How many of them belong there
 * @slots:	The files
 */
struct kdbus_files {
	struct kdbus_user *user;
	bool counted;
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
struct kdbus_files *kdbus_files_clone(struct kdbus_files *files);
void kdbus_files_free(struct kdbus_files *files);
int kdbus_files_reserve(struct kdbus_files *files);
void kdbus_files_cancel(struct kdbus_files *files);
void kdbus_files_install(struct kdbus_files *files, struct kdbus_slice *slice);

#endif
