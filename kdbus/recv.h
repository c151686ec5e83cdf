/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_RECV_H
#define __KDBUS_RECV_H

/**
 * DOC: Receiving
 *
 * What a connection does with the messages in its queue: look at one, take it,
 * throw it away, and give the memory back. Everything that can fail comes
 * before anything that cannot be undone, so a message that could not be
 * received is where it was.
 *
 * Several tasks may wait for messages on one connection. A message wakes one of
 * them, one that wants it: the wait queue has only exclusive entries, and those
 * with no use for what is there are passed over. A task that was woken and then
 * does not take a message, because it only looks, or failed, or was interrupted,
 * or because another one was faster, wakes the next as long as a message is there.
 *
 * Locks: takes ``queue->lock``, ``pages->lock`` and ``slices->lock``, and ``bus->broadcast`` to
 * wait for a staged message; called with none.
 * ``queue->lock`` is also taken inside the lock of ``conn->receivers``.
 */

#include <linux/types.h>

struct kdbus_cmd;
struct kdbus_conn;
struct kdbus_files;
struct kdbus_slice;

int kdbus_recv(struct kdbus_conn *conn, struct kdbus_cmd *cmd);
int kdbus_recv_next(struct kdbus_conn *conn, struct kdbus_cmd *cmd,
		    size_t member);
int kdbus_recv_hand_over(struct kdbus_cmd *cmd, size_t member,
			 struct kdbus_slice **slice, struct kdbus_files *files);
int kdbus_recv_free(struct kdbus_conn *conn, struct kdbus_cmd *cmd);

#endif
