/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_COPY_H
#define __KDBUS_COPY_H

/**
 * DOC: One receiver's copy of a message
 *
 * Each receiver gets a message written into its own pool, counted for the user
 * who sends it and paid for by the receiver. Then there is an entry that can be
 * queued, or thrown away as if nothing had been.
 *
 * Locks: takes those of pool and quota, one after the other; called with none.
 */

#include <linux/types.h>

struct kdbus_conn;
struct kdbus_message;
struct kdbus_msg;
struct kdbus_queue_entry;
struct kdbus_slice;
struct kdbus_user;

struct kdbus_user *kdbus_copy_user(const struct kdbus_conn *src);
int kdbus_copy_check(const struct kdbus_message *m,
		     const struct kdbus_conn *dst);
struct kdbus_slice *kdbus_copy_slice(struct kdbus_message *m,
				     struct kdbus_conn *dst, u64 want,
				     size_t *stamp);
struct kdbus_queue_entry *kdbus_copy_new(struct kdbus_message *m,
					 struct kdbus_conn *dst,
					 struct kdbus_user *user, u64 want);
struct kdbus_queue_entry *kdbus_copy_new_kernel(const struct kdbus_msg *msg,
						struct kdbus_conn *dst);
void kdbus_copy_undo(struct kdbus_conn *dst, struct kdbus_queue_entry *entry);

#endif
