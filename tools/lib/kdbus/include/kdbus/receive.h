/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KDBUS_RECEIVE_H
#define KDBUS_RECEIVE_H

/**
 * DOC: Receiving messages
 *
 * A view shows a received message where the kernel has put it, in the pool of the
 * connection. Nothing in there can be written to, nor does it change. It takes up
 * room until kdb_view_release(), after which everything that was got from it is
 * gone. A view that is released twice is told so, -EALREADY; the library keeps
 * released views for a while before it uses them again.
 *
 * The header, kdb_view_header(), is that of the kernel: the sender of the message
 * (src_id), its number (cookie), whether an answer is wanted
 * (KDBUS_MSG_FLAGS_EXPECT_REPLY in flags) and until when (timeout_ns).
 */

#include <kdbus/connection.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * kdb_recv() - receive the oldest message
 * @conn:	The connection
 * @view:	Where to put it
 *
 * Nobody else looks at it first: an answer to kdb_call_async(), for instance, is
 * just a message. Section 13 of the manual.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -EAGAIN if there is none, -EMFILE if its descriptors cannot be had:
 * then it stays in the queue, -EOPNOTSUPP if the connection does not receive.
 */
int kdb_recv(struct kdb_conn *conn, struct kdb_view **view);

/**
 * kdb_recv_wait() - receive the oldest message, when there is one
 * @conn:	The connection
 * @view:	Where to put it
 * @deadline:	Until when to wait, or KDB_NO_DEADLINE
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -ETIMEDOUT, -EINTR if there was a signal, or as kdb_recv().
 */
int kdb_recv_wait(struct kdb_conn *conn, struct kdb_view **view,
		  uint64_t deadline);

/**
 * kdb_recv_priority() - receive the most urgent message
 * @conn:	The connection
 * @view:	Where to put it
 * @priority:	It has to be at least as urgent: its number is not greater
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -EAGAIN if there is none, -ENOMSG if none is as urgent, or as
 * kdb_recv().
 */
int kdb_recv_priority(struct kdb_conn *conn, struct kdb_view **view,
		      int64_t priority);

/**
 * kdb_peek() - look at the oldest message and leave it in the queue
 * @conn:	The connection, which may be an activator
 * @view:	Where to put it. Its descriptors read -1. It is to be released, before
 *		the message is received or dropped
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -EAGAIN if there is none, or -EOPNOTSUPP.
 */
int kdb_peek(struct kdb_conn *conn, struct kdb_view **view);

/**
 * kdb_drop() - throw the oldest message away
 * @conn:	The connection, which may be an activator
 *
 * Who waits for an answer to it is told that there will be none.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -EAGAIN if there is none, or -EOPNOTSUPP.
 */
int kdb_drop(struct kdb_conn *conn);

/**
 * kdb_view_release() - give a received message back
 * @view:	The message, or NULL
 *
 * Descriptors that were not taken are closed.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or -EALREADY if it had been released: then nothing has happened.
 */
int kdb_view_release(struct kdb_view *view);

/**
 * kdb_view_header() - the header of a received message
 * @view:	The message
 *
 * Context: The thread of the connection.
 *
 * Return: the header, in the pool.
 */
const struct kdbus_msg *kdb_view_header(const struct kdb_view *view);

/**
 * kdb_view_name() - the well-known name that a message was sent to
 * @view:	The message
 *
 * Context: The thread of the connection.
 *
 * Return: the name, or NULL if it was not sent to a name.
 */
const char *kdb_view_name(const struct kdb_view *view);

/**
 * kdb_view_data() - the payload of a message, in one piece
 * @view:	The message
 * @data:	Where to put the address of the bytes, NULL if there are none
 * @size:	Where to put how many there are
 *
 * Bytes that were copied are shown where they are. A memory file that is all of the
 * payload is mapped, until the message is released.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or
 * -EMULTIHOP if the payload is not in one piece: see kdb_view_part() and
 * kdb_view_copy(),
 * -EBADF if it is in a file that this process was not given, or that was only
 * peeked at,
 * -ENOMEM if it cannot be mapped.
 */
int kdb_view_data(struct kdb_view *view, const void **data, size_t *size);

/**
 * enum kdb_part_kind - where a part of a payload is
 * @KDB_PART_BYTES:	In the pool
 * @KDB_PART_ZEROS:	Nowhere, as it is zeros
 * @KDB_PART_FILE:	In a sealed memory file
 */
enum kdb_part_kind {
	KDB_PART_BYTES,
	KDB_PART_ZEROS,
	KDB_PART_FILE,
};

/**
 * struct kdb_part - a part of a payload, as its sender has put it
 * @kind:	Where it is
 * @fd:		The file, or -1 as well if this process was not given it. It is the
 *		message's unless kdb_view_take_file() was called
 * @data:	The bytes, or NULL if they are not in the pool
 * @size:	How many
 */
struct kdb_part {
	enum kdb_part_kind kind;
	int fd;
	const void *data;
	uint64_t size;
};

/**
 * kdb_view_parts() - how many parts the payload has
 * @view:	The message
 *
 * Context: The thread of the connection.
 *
 * Return: the number.
 */
unsigned int kdb_view_parts(const struct kdb_view *view);

/**
 * kdb_view_part() - look at one part of the payload
 * @view:	The message
 * @n:		Which, from 0 on
 * @part:	Where to describe it
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or -ENOENT if there are not as many.
 */
int kdb_view_part(const struct kdb_view *view, unsigned int n,
		  struct kdb_part *part);

/**
 * kdb_view_size() - how long the payload is
 * @view:	The message
 *
 * Context: The thread of the connection.
 *
 * Return: bytes in all parts.
 */
uint64_t kdb_view_size(const struct kdb_view *view);

/**
 * kdb_view_copy() - copy the payload, whatever it is in
 * @view:	The message
 * @buf:	Where to
 * @size:	Bytes that are there
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -EMSGSIZE if @size is less than kdb_view_size(), or -EBADF as
 * kdb_view_data().
 */
int kdb_view_copy(const struct kdb_view *view, void *buf, size_t size);

/**
 * kdb_view_fds() - how many descriptors a message has brought
 * @view:	The message
 *
 * Context: The thread of the connection.
 *
 * Return: the number, not counting files that are payload.
 */
unsigned int kdb_view_fds(const struct kdb_view *view);

/**
 * kdb_view_fd() - look at a descriptor
 * @view:	The message, which keeps it
 * @n:		Which, from 0 on
 *
 * Context: The thread of the connection.
 *
 * Return: the descriptor, -ENOENT if there are not as many, -EALREADY if it was
 * taken, -EBADF if this process was not given it (section 12.3) or the message was
 * only peeked at.
 */
int kdb_view_fd(const struct kdb_view *view, unsigned int n);

/**
 * kdb_view_take_fd() - have a descriptor
 * @view:	The message
 * @n:		Which, from 0 on
 *
 * Context: The thread of the connection.
 *
 * Return: the descriptor, which is the caller's from now on, or as kdb_view_fd().
 */
int kdb_view_take_fd(struct kdb_view *view, unsigned int n);

/**
 * kdb_view_take_file() - have a memory file that is a part of the payload
 * @view:	The message
 * @n:		Which part, from 0 on
 *
 * Context: The thread of the connection.
 *
 * Return: the descriptor, which is the caller's from now on and can be sent as it
 * is, -ENOENT if there are not as many parts, -EMEDIUMTYPE if that part is not in a
 * file, -EALREADY if it was taken, -EBADF as kdb_view_fd().
 */
int kdb_view_take_file(struct kdb_view *view, unsigned int n);

/**
 * struct kdb_meta - what the kernel says about the sender of a message
 * @have:		KDBUS_ATTACH_* flags of what is there
 * @timestamp:		With KDBUS_ATTACH_TIMESTAMP: when, and the message's number
 * @creds:		With KDBUS_ATTACH_CREDS
 * @groups:		With KDBUS_ATTACH_AUXGROUPS: supplementary groups
 * @n_groups:		How many
 * @tid_comm:		With KDBUS_ATTACH_TID_COMM: name of the thread
 * @pid_comm:		With KDBUS_ATTACH_PID_COMM: name of the process
 * @exe:		With KDBUS_ATTACH_EXE: path of its executable
 * @cmdline:		With KDBUS_ATTACH_CMDLINE: its arguments, each with its NUL
 * @cmdline_size:	Bytes in all of these
 * @cgroup:		With KDBUS_ATTACH_CGROUP: path of its control group
 * @caps:		With KDBUS_ATTACH_CAPS
 * @caps_words:		Words in one of the four sets there
 * @seclabel:		With KDBUS_ATTACH_SECLABEL
 * @audit:		With KDBUS_ATTACH_AUDIT
 * @conn_name:		With KDBUS_ATTACH_CONN_NAME: what the connection calls itself
 * @n_names:		With KDBUS_ATTACH_NAMES: how many names it owns
 * @names:		For kdb_meta_name()
 * @end:		For kdb_meta_name()
 *
 * What is not there is NULL or 0. Section 21 of the manual tells what each means;
 * section 25.4, what can be decided by it.
 */
struct kdb_meta {
	uint64_t have;
	const struct kdbus_timestamp *timestamp;
	const struct kdbus_creds *creds;
	const uint64_t *groups;
	size_t n_groups;
	const char *tid_comm;
	const char *pid_comm;
	const char *exe;
	const char *cmdline;
	size_t cmdline_size;
	const char *cgroup;
	const struct kdbus_caps *caps;
	size_t caps_words;
	const char *seclabel;
	const struct kdbus_audit *audit;
	const char *conn_name;
	size_t n_names;
	const struct kdbus_item *names;
	const void *end;
};

/**
 * kdb_view_meta() - what is known about the sender of a message
 * @view:	The message
 *
 * Context: The thread of the connection.
 *
 * Return: a description that is the message's. It points into the pool.
 */
const struct kdb_meta *kdb_view_meta(struct kdb_view *view);

/**
 * kdb_meta_name() - one of the names that the sender owns
 * @meta:	What is known about it
 * @n:		Which, from 0 on
 * @flags:	Where to put its KDBUS_NAME_* flags, or NULL
 *
 * Context: The thread of the connection.
 *
 * Return: the name, or NULL if there are not as many.
 */
const char *kdb_meta_name(const struct kdb_meta *meta, size_t n,
			  uint64_t *flags);

/**
 * struct kdb_notice - a notification of the kernel
 * @type:	KDBUS_ITEM_NAME_ADD, _NAME_REMOVE, _NAME_CHANGE, _ID_ADD, _ID_REMOVE,
 *		_REPLY_TIMEOUT or _REPLY_DEAD
 * @name:	The name that it is about, or NULL
 * @old_id:	Who had the name, 0 for nobody; or the connection that left
 * @new_id:	Who has it, 0 for nobody; or the connection that came
 * @old_flags:	KDBUS_NAME_* flags of its former owner; KDBUS_HELLO_* flags of the
 *		connection
 * @new_flags:	Likewise
 * @cookie:	Of the call that there is no answer to
 */
struct kdb_notice {
	uint64_t type;
	const char *name;
	uint64_t old_id;
	uint64_t new_id;
	uint64_t old_flags;
	uint64_t new_flags;
	uint64_t cookie;
};

/**
 * kdb_view_notice() - read a notification
 * @view:	The message
 * @notice:	Where to describe it
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or -ENOMSG if it is not from the kernel.
 */
int kdb_view_notice(const struct kdb_view *view, struct kdb_notice *notice);

#ifdef __cplusplus
}
#endif

#endif
