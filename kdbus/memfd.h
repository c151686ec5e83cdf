/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_MEMFD_H
#define __KDBUS_MEMFD_H

/**
 * DOC: Files that may travel
 *
 * Decides which files a message may carry. As payload: sealed memory files,
 * whose content and size nobody can change any more. As descriptors: everything
 * that cannot itself hold other files in a queue. A queue that holds a file
 * that holds a queue could end in a cycle that nobody ever frees; connections
 * of this module, AF_UNIX sockets and io_uring instances are therefore refused.
 *
 * Pure functions of the file: no locks.
 */

#include <linux/types.h>

struct file;

struct file *kdbus_memfd_get(int fd, u64 size);
struct file *kdbus_passable_get(int fd);

#endif
