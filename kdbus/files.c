// SPDX-License-Identifier: GPL-2.0
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/slab.h>

#include "files.h"
#include "pool.h"

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

	return kvzalloc(struct_size(files, slots, max), GFP_KERNEL_ACCOUNT);
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
