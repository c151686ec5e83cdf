/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_MESSAGE_H
#define __KDBUS_MESSAGE_H

/**
 * DOC: One message in flight
 *
 * A message is checked once, from the kernel's copy of the command, and written
 * as often as there are receivers. What is needed for both lies in the copy:
 * checking allocates nothing but references to files.
 *
 * In the pool of a receiver a message is its header, then its items, then the
 * metadata that this receiver may have, then the bytes of its vecs, back to
 * back. A vec without an address stands for zeros; only its size modulo 8 is
 * stored, so that what follows keeps its alignment.
 *
 * A message lives on the stack of the command that sends it: no locks.
 */

#include <linux/types.h>
#include <uapi/linux/kdbus.h>

#include "meta.h"

struct kdbus_bus;
struct kdbus_claim;
struct kdbus_cmd;
struct kdbus_conn;
struct kdbus_files;
struct kdbus_message;
struct kdbus_msg;
struct kdbus_queued_msg;
struct kdbus_slice;
struct kdbus_user;

/**
 * struct kdbus_message - a message in flight
 * @msg:	Its header
 * @items:	Its items, as sent
 * @items_len:	Bytes in @items
 * @src:	The sender
 * @dst_name:	The name it is addressed to, or NULL
 * @bloom:	The filter of a broadcast, or NULL
 * @fds:	Its KDBUS_ITEM_FDS item, or NULL
 * @vec_total:	Sum of the sizes of its vecs
 * @items_size:	Bytes of payload items and FDS item, as received
 * @data_size:	Bytes stored behind the items
 * @files:	Its files, or NULL
 * @attach:	Its metadata
 * @numbered:	It was sent, and has got a number
 * @data:	A copy of the bytes of its vecs, or NULL to read them from the
 *		sender when they are needed
 */
struct kdbus_message {
	const struct kdbus_msg *msg;
	const struct kdbus_item *items;
	size_t items_len;
	struct kdbus_conn *src;
	const char *dst_name;
	const struct kdbus_bloom_filter *bloom;
	const struct kdbus_item *fds;
	size_t vec_total;
	size_t items_size;
	size_t data_size;
	struct kdbus_files *files;
	struct kdbus_msg_meta attach;
	bool numbered;
	void *data;
};

static inline bool kdbus_message_is_broadcast(const struct kdbus_message *m)
{
	return m->msg->dst_id == KDBUS_DST_ID_BROADCAST;
}

static inline bool kdbus_message_is_request(const struct kdbus_message *m)
{
	return m->msg->flags & KDBUS_MSG_FLAGS_EXPECT_REPLY;
}

/* of a request: until when its reply is owed, by the kernel's clock */
static inline u64 kdbus_message_deadline(const struct kdbus_message *m)
{
	return kdbus_clock_shift(m->msg->timeout_ns, -kdbus_clock_ahead());
}

int kdbus_message_check(const struct kdbus_cmd *cmd);
int kdbus_message_init(struct kdbus_message *m, const struct kdbus_cmd *cmd,
		       struct kdbus_conn *src);
int kdbus_message_snapshot(struct kdbus_message *m);
int kdbus_message_collect(struct kdbus_message *m, u64 want);
int kdbus_message_fault_in(const struct kdbus_message *m);
void kdbus_message_release(struct kdbus_message *m);
size_t kdbus_message_size(const struct kdbus_message *m, u64 want);
int kdbus_message_write(struct kdbus_message *m, struct kdbus_slice *slice,
			u64 want, s64 ahead, size_t *stamp);

/**
 * DOC: One receiver's copy of a message
 *
 * Each receiver gets a message written into its own pool, counted for the sending
 * user and paid for by the receiver. Then there is an entry that can be
 * queued, or thrown away as if nothing had been.
 *
 * Locks: takes ``pages->lock`` and ``slices->lock``; called with none but ``bus->owners`` or
 * ``bus->flush``.
 */

struct kdbus_user *kdbus_msg_charged_user(const struct kdbus_conn *src);
int kdbus_msg_admissible(const struct kdbus_message *m,
			 const struct kdbus_conn *dst);
struct kdbus_slice *kdbus_msg_copy_sync(struct kdbus_message *m,
					struct kdbus_conn *dst,
					struct kdbus_user *user, u64 want,
					struct kdbus_claim *claim,
					size_t *stamp);
struct kdbus_queued_msg *kdbus_msg_copy_new(struct kdbus_message *m,
					    struct kdbus_conn *dst,
					    struct kdbus_user *user, u64 want);
struct kdbus_queued_msg *kdbus_msg_copy_new_note(const struct kdbus_msg *msg,
						 struct kdbus_conn *dst,
						 struct kdbus_user *user);
void kdbus_msg_copy_undo(struct kdbus_conn *dst, struct kdbus_queued_msg *qmsg);

/**
 * DOC: Sending
 *
 * What a peer does between two sleeps, in one command: send, free what it has
 * read, receive what comes next. Only the first can fail for long; once the
 * message is sent the command succeeds, as it must not be repeated.
 *
 * Locks: called with none; each step takes what it needs.
 */

int kdbus_send(struct kdbus_conn *conn, struct kdbus_cmd *cmd);

#endif
