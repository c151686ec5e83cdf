/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KDBUS_MESSAGE_H
#define KDBUS_MESSAGE_H

/**
 * DOC: Making and sending messages
 *
 * A message is made for a connection, addressed, filled and sent, by kdb_send(), by
 * kdb_call(), or as an answer by kdb_reply(). It can be sent again as it is, to the
 * same or another receiver; kdb_msg_reset() makes it an empty one.
 *
 * Payload is not copied by the library: it is read when the message is sent, and
 * has to stay until then. Parts arrive in the order in which they were put.
 *
 * The kernel copies payload of up to 2 MiB into the receiver's pool, which is
 * cheaper than any file for bytes that are sent once (section 12.2 has numbers). A
 * part that does not fit into these 2 MiB any more, or is larger than
 * kdb_set_file_size() says, becomes a sealed memory file when it is put. That file
 * stays with the message: sent again, to however many, it is not made again. A
 * sealed file cannot be written to any more, so another content needs another one;
 * kdb_file_make() makes one that is filled in place.
 */

#include <kdbus/connection.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum kdb_payload - values for payload_type
 * @KDB_PAYLOAD_BYTES:	What messages have unless kdb_msg_set_type() says otherwise:
 *			bytes that the two sides know how to read
 *
 * KDBUS_PAYLOAD_DBUS is for messages in the format of D-Bus.
 */
enum kdb_payload {
	KDB_PAYLOAD_BYTES	= 0x6b646200,
};

/**
 * kdb_msg_new() - make a message
 * @conn:	The connection to send it with
 * @msg:	Where to put it
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or -ENOMEM.
 */
int kdb_msg_new(struct kdb_conn *conn, struct kdb_msg **msg);

/**
 * kdb_msg_free() - give a message back
 * @msg:	The message, or NULL
 *
 * Context: The thread of the connection, which may have been closed.
 */
void kdb_msg_free(struct kdb_msg *msg);

/**
 * kdb_msg_reset() - make a message as new
 * @msg:	The message
 *
 * Its memory is kept.
 *
 * Context: The thread of the connection.
 */
void kdb_msg_reset(struct kdb_msg *msg);

/**
 * kdb_msg_to_id() - address a message to a connection
 * @msg:	The message
 * @id:		Id of the receiver; for a broadcast there is kdb_msg_to_all()
 *
 * Context: The thread of the connection.
 */
void kdb_msg_to_id(struct kdb_msg *msg, uint64_t id);

/**
 * kdb_msg_to_name() - address a message to a well-known name
 * @msg:	The message
 * @name:	The name
 *
 * Whoever owns the name when the message is queued gets it.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or -EINVAL if @name is empty or longer than 255 characters. Whether it
 * is the name of something is found out when the message is sent.
 */
int kdb_msg_to_name(struct kdb_msg *msg, const char *name);

/**
 * kdb_msg_to_all() - make a message a broadcast
 * @msg:	The message
 *
 * It begins with an empty filter, see kdb_msg_tell().
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or -ENOMEM the first time.
 */
int kdb_msg_to_all(struct kdb_msg *msg);

/**
 * kdb_msg_tell() - say what a broadcast is about
 * @msg:	The message, after kdb_msg_to_all()
 * @string:	One of the strings that receivers may have in their matches, such as
 *		"member:Changed"
 *
 * Receivers with a match get the message if it tells every string of the match, and
 * a few others: a filter is not exact.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -EDESTADDRREQ if it is no broadcast, -EOPNOTSUPP if the bus has
 * filters with more hash functions than there are hashes.
 */
int kdb_msg_tell(struct kdb_msg *msg, const char *string);

/**
 * kdb_msg_put() - add payload
 * @msg:	The message
 * @data:	The bytes, which are read when the message is sent; in a file, which
 *		see above, now
 * @size:	How many, 0 adds nothing
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or
 * -E2BIG if the message has as many parts as there can be,
 * -EMFILE if a file is needed and the process may have no more.
 */
int kdb_msg_put(struct kdb_msg *msg, const void *data, size_t size);

/**
 * kdb_msg_put_zeros() - add zeros, which take no memory at the receiver
 * @msg:	The message
 * @size:	How many bytes, 0 adds nothing
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -E2BIG as above, or -EMSGSIZE beyond 2 MiB in all.
 */
int kdb_msg_put_zeros(struct kdb_msg *msg, size_t size);

/**
 * kdb_msg_put_file() - add payload in a sealed memory file
 * @msg:	The message
 * @fd:		The file, which has to stay open until the message is sent, and
 *		stays the caller's. kdb_file_make() makes one
 * @size:	How many bytes of it, from its start, at least 1
 *
 * Whether it is such a file is found out when the message is sent.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -EINVAL for no bytes, -EBADF for a negative descriptor, -E2BIG as
 * above.
 */
int kdb_msg_put_file(struct kdb_msg *msg, int fd, uint64_t size);

/**
 * kdb_msg_put_fds() - pass descriptors
 * @msg:	The message
 * @fds:	Descriptors, which have to stay open until the message is sent, and
 *		stay the caller's; the array is copied
 * @n:		How many, 0 adds nothing
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -EEXIST if the message has some, -EMFILE beyond 253, -E2BIG as above.
 */
int kdb_msg_put_fds(struct kdb_msg *msg, const int *fds, size_t n);

/**
 * kdb_msg_set_type() - say what the payload is
 * @msg:	The message
 * @type:	KDBUS_PAYLOAD_DBUS, or any number but 0, which is the kernel's
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or -EINVAL for 0.
 */
int kdb_msg_set_type(struct kdb_msg *msg, uint64_t type);

/**
 * kdb_msg_set_priority() - say how urgent a message is
 * @msg:	The message
 * @priority:	Smaller is more urgent; for kdb_recv_priority()
 *
 * Context: The thread of the connection.
 */
void kdb_msg_set_priority(struct kdb_msg *msg, int64_t priority);

/**
 * kdb_msg_set_no_start() - fail rather than wait for a service to start
 * @msg:	The message
 * @no_start:	1: if an activator owns the name, sending fails with -EADDRNOTAVAIL.
 *		0: the message waits there
 *
 * Context: The thread of the connection.
 */
void kdb_msg_set_no_start(struct kdb_msg *msg, int no_start);

/**
 * kdb_msg_set_cookie() - choose the number of the next message sent
 * @msg:	The message
 * @cookie:	A number of kdb_cookie(), or one of the caller's, but not 0
 *
 * Only needed by a caller that has to know it before the message is sent, for kdb_cancel().
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or -EINVAL for 0.
 */
int kdb_msg_set_cookie(struct kdb_msg *msg, uint64_t cookie);

/**
 * kdb_msg_cookie() - which number a message was sent with
 * @msg:	The message
 *
 * Context: The thread of the connection.
 *
 * Return: the number, 0 before it was sent.
 */
uint64_t kdb_msg_cookie(const struct kdb_msg *msg);

/**
 * kdb_cookie() - take a number for a message
 * @conn:	The connection
 *
 * Messages of a connection are numbered from 1 on, in 32 bits as D-Bus wants it.
 *
 * Context: The thread of the connection.
 *
 * Return: a number that no other message has which waits for an answer by
 * kdb_call_async().
 */
uint64_t kdb_cookie(struct kdb_conn *conn);

/**
 * kdb_send() - send a message and expect no answer
 * @msg:	The message
 *
 * Never waits for the receiver. Sections 10 and 11 of the manual.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or
 * -EDESTADDRREQ if it has no receiver,
 * -EBADMSG if kdb_msg_to_id() was given the id of all of them,
 * -EINVAL if it is addressed to something that cannot be a name,
 * -ENXIO if there is no such connection, -ESRCH if nobody owns the name,
 * -EADDRNOTAVAIL if the service is not running, see kdb_msg_set_no_start(),
 * -EPERM if policy forbids it, -ENOENT if that hides the receiver,
 * -ENOBUFS if the receiver has too many messages waiting or no room,
 * -EXFULL if the message takes more than half of the room that is left,
 * -ECOMM if the receiver does not take descriptors,
 * -EMSGSIZE if names, files and descriptors are too many for a message,
 * -EBADF, -EMEDIUMTYPE, -ETXTBSY if a file is not open, not a memory file, or not
 * sealed,
 * -EOPNOTSUPP if a descriptor cannot be passed, or the connection cannot send,
 * -ENOTUNIQ if a broadcast has descriptors,
 * -EINTR if a signal came while the name was changing hands.
 */
int kdb_send(struct kdb_msg *msg);

/**
 * kdb_reply() - answer a message
 * @view:	What to answer, which stays the caller's to release
 * @msg:	The answer; its destination is overwritten
 *
 * For a program that has held a message. A handler fills the reply it is given.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -EINVAL if @view is a notification, -ENXIO if the caller is gone,
 * or as kdb_send().
 */
int kdb_reply(struct kdb_view *view, struct kdb_msg *msg);

/**
 * kdb_set_file_size() - choose from which size on payload becomes a file
 * @conn:	The connection
 * @size:	Bytes; a part that is larger is put into a memory file. 2 MiB in the
 *		beginning. Receivers with small pools need a smaller one, as a
 *		message takes half of the room in a pool at most
 *
 * Context: The thread of the connection.
 */
void kdb_set_file_size(struct kdb_conn *conn, size_t size);

/**
 * kdb_file_make() - make a memory file to fill in place
 * @size:	Bytes, at least 1
 * @data:	Where to put the address of the bytes, which can be written to
 *		until kdb_file_seal()
 *
 * Context: Any thread, at any time.
 *
 * Return: a descriptor, -EINVAL for no bytes, -EMFILE, or -ENOMEM.
 */
int kdb_file_make(size_t size, void **data);

/**
 * kdb_file_seal() - finish a memory file, so that it can be sent
 * @fd:		What kdb_file_make() has returned
 * @data:	The address it has given, which is not there any more
 * @size:	The same size
 *
 * Sent with kdb_msg_put_file() any number of times. To give it up unfinished,
 * munmap() and close() do.
 *
 * Context: Any thread, at any time.
 *
 * Return: 0, -EINVAL if @data is not such an address, -EBUSY if it is mapped
 * elsewhere, -EPERM if it is not a file that can be sealed, -EBADF.
 */
int kdb_file_seal(int fd, void *data, size_t size);

#ifdef __cplusplus
}
#endif

#endif
