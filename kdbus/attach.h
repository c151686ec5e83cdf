/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_ATTACH_H
#define __KDBUS_ATTACH_H

/**
 * DOC: What is attached to messages
 *
 * A receiver says which metadata it wants, a sender what it allows; what both
 * agree on comes with a message: facts about the sending task, names and
 * description of the connection, the time. It comes at all only if the sender
 * is in the namespaces from which the receiver opened its endpoint; nothing is
 * translated.
 *
 * For each message the facts are gathered once, for all of its receivers
 * together, and frozen. Each receiver then gets exactly what it may have. The
 * facts of the last message are kept, see meta.h.
 *
 * A connection that somebody privileged made on behalf of somebody else always
 * carries what was claimed at HELLO, and never anything about the real task.
 *
 * Locks: @lock of an identity is a spinlock that guards what is kept; its masks
 * are read and written without. A &struct kdbus_attach lives on the stack of
 * the command that sends a message.
 */

#include <linux/spinlock.h>
#include <linux/types.h>

struct kdbus_conn;
struct kdbus_meta;
struct kdbus_name_set;
struct kdbus_writer;

/**
 * struct kdbus_identity - what a connection tells and wants to be told
 * @record:	Who opened the endpoint, or what was claimed, with a reference
 * @faked:	The latter
 * @name:	Description it gave itself, or NULL; constant
 * @wanted:	KDBUS_ATTACH_* it wants to be told about senders
 * @allowed:	KDBUS_ATTACH_* it lets others be told
 * @lock:	Guards @last
 * @last:	Facts of the last message sent, or NULL
 */
struct kdbus_identity {
	struct kdbus_meta *record;
	bool faked;
	char *name;
	u64 wanted;
	u64 allowed;
	spinlock_t lock;	/* last */
	struct kdbus_meta *last;
};

/**
 * struct kdbus_attach - metadata of one message
 * @have:	What was gathered: KDBUS_ATTACH_* flags
 * @meta:	About the task, or NULL
 * @names:	Names of the sender, or NULL
 * @conn_name:	Description of the sender, or NULL
 * @monotonic_ns: When it was sent, 0 if nobody asked yet
 * @realtime_ns: Likewise
 */
struct kdbus_attach {
	u64 have;
	struct kdbus_meta *meta;
	struct kdbus_name_set *names;
	const char *conn_name;
	u64 monotonic_ns;
	u64 realtime_ns;
};

int kdbus_attach_mask(u64 *mask);
int kdbus_identity_init(struct kdbus_identity *self, struct kdbus_meta *record,
			const char *name);
void kdbus_identity_exit(struct kdbus_identity *self);

u64 kdbus_attach_want(const struct kdbus_conn *src,
		      const struct kdbus_conn *dst);
int kdbus_attach_gather(struct kdbus_attach *a, struct kdbus_conn *src,
			u64 want);
void kdbus_attach_release(struct kdbus_attach *a);
size_t kdbus_attach_size(const struct kdbus_attach *a, u64 want);
size_t kdbus_attach_write(const struct kdbus_attach *a, u64 want,
			  struct kdbus_writer *w);

#endif
