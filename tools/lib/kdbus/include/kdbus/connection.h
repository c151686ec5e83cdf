/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KDBUS_CONNECTION_H
#define KDBUS_CONNECTION_H

/**
 * DOC: Connections
 *
 * A connection is opened with one of the kdb_open functions and ends with
 * kdb_close(). In between there are two ways to use it. A client calls, and may
 * receive with kdb_recv(). A service has a handler, kdb_set_handler(), which is
 * called for one message at a time: by kdb_process(), when an event loop finds that
 * there is something, or by kdb_serve(), which is a loop of its own.
 *
 * For an event loop a connection is a descriptor, kdb_fd(), the events to wait for,
 * kdb_events(), and a moment until which to wait, kdb_timeout(). When one of these
 * is due, kdb_process() is called as long as it returns 1.
 */

#include <stddef.h>
#include <stdint.h>

#include <linux/kdbus.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kdb_conn;
struct kdb_msg;
struct kdb_policy;
struct kdb_view;

/* a deadline that never comes */
#define KDB_NO_DEADLINE		UINT64_MAX

/* where domains have their nodes, unless a program is told otherwise */
#define KDB_DOMAIN		"/dev/kdbus"

/**
 * enum kdb_open_flags - what a connection is for
 * @KDB_OPEN_FDS:		Messages with descriptors are welcome
 * @KDB_OPEN_MONITOR:		See what everybody is sent (section 17)
 * @KDB_OPEN_ACTIVATOR:		Hold the name in @holds until its service starts
 *				(section 18)
 * @KDB_OPEN_POLICY_HOLDER:	Only hold the policy of the name in @holds
 * @KDB_OPEN_RESERVE:		Have the memory of the pool at once (section 22.3)
 * @KDB_OPEN_ATTACH_SEND:	@attach_send of the options counts (section 22.1)
 * @KDB_OPEN_V1:		Use no extension of the kernel; for tests, and to
 *				compare
 */
enum kdb_open_flags {
	KDB_OPEN_FDS		= 1 << 0,
	KDB_OPEN_MONITOR	= 1 << 1,
	KDB_OPEN_ACTIVATOR	= 1 << 2,
	KDB_OPEN_POLICY_HOLDER	= 1 << 3,
	KDB_OPEN_RESERVE	= 1 << 4,
	KDB_OPEN_ATTACH_SEND	= 1 << 5,
	KDB_OPEN_V1		= 1 << 6,
};

/**
 * struct kdb_options - how to open a connection
 * @size:	sizeof(struct kdb_options), by which a later library knows an
 *		earlier program
 * @flags:	KDB_OPEN_*
 * @attach:	KDBUS_ATTACH_* flags: what to be told about senders
 * @attach_send: KDBUS_ATTACH_* flags: what others may be told, with
 *		KDB_OPEN_ATTACH_SEND
 * @pool_size:	Bytes for received messages, a multiple of the page size;
 *		0 for 16 MiB. They take memory when they are used
 * @name:	What the connection is called, for people; NULL for nothing
 * @holds:	The well-known name an activator or a policy holder is for, unless
 *		there is a @policy
 * @policy:	That name and the grants for it, or NULL; it stays the
 *		caller's
 * @creds:	Credentials that the connection claims (section 21.3), or NULL
 * @seclabel:	The label that it claims, or NULL
 *
 * Members that are 0 or NULL have their default. In C, KDB_OPTIONS() makes one.
 */
struct kdb_options {
	size_t size;
	uint64_t flags;
	uint64_t attach;
	uint64_t attach_send;
	size_t pool_size;
	const char *name;
	const char *holds;
	const struct kdb_policy *policy;
	const struct kdbus_creds *creds;
	const char *seclabel;
};

#define KDB_OPTIONS(...) \
	(&(const struct kdb_options){ .size = sizeof(struct kdb_options), \
				      __VA_ARGS__ })

/**
 * enum kdb_verdict - what a handler wants done with a message
 * @KDB_DONE:	It is released
 * @KDB_REPLY:	The reply that the handler has filled in is sent, then it is
 *		released. If the reply cannot be delivered it is as if there was
 *		none: the caller is gone, or is told by the kernel
 * @KDB_HOLD:	It stays, and is the handler's to release
 */
enum kdb_verdict {
	KDB_DONE,
	KDB_REPLY,
	KDB_HOLD,
};

/**
 * typedef kdb_message_fn - handles a message
 * @conn:	The connection that received it
 * @view:	The message, or a notification: kdb_view_notice()
 * @reply:	An empty message that is addressed to the sender of @view, and answers
 *		it; to be filled for KDB_REPLY. What is put into it has to stay
 *		where it is after the handler has returned
 * @arg:	As given to kdb_set_handler()
 *
 * A handler may do whatever a caller of kdb_process() may do, but for kdb_close().
 *
 * Return: enum kdb_verdict, or a negative errno: then @view is released, and
 * kdb_process() or kdb_serve() return that.
 */
typedef int (*kdb_message_fn)(struct kdb_conn *conn, struct kdb_view *view,
			      struct kdb_msg *reply, void *arg);

/**
 * kdb_open_path() - open a connection
 * @conn:	Where to put it
 * @path:	Node of an endpoint: /dev/kdbus/0-system/bus
 * @options:	How, or NULL
 *
 * Section 8.2 of the manual.
 *
 * Context: Any thread; from then on @conn is one thread's at a time.
 *
 * Return: 0, or
 * -ENOENT if there is no such node, -EACCES if it may not be opened,
 * -EINVAL if the options contradict each other, a name in them is not valid, or
 * the size of the pool is not a multiple of the page size,
 * -ENAMETOOLONG if the name of the connection has more than 63 characters,
 * -EPERM if the options ask for more than the caller may have,
 * -ENOTTY if the path is something else than an endpoint,
 * -EOPNOTSUPP if the options need an extension that the kernel has not,
 * -ECONNREFUSED if the bus demands that more be told than @attach_send allows,
 * -EEXIST if the policy of the name has another holder,
 * -EMFILE if the user has too many connections, or the process descriptors.
 */
int kdb_open_path(struct kdb_conn **conn, const char *path,
		  const struct kdb_options *options);

/**
 * kdb_open_bus() - open a connection to a bus by its name
 * @conn:	Where to put it
 * @domain:	Directory of its domain, NULL for KDB_DOMAIN
 * @bus:	Name of the bus: 1000-mail
 * @endpoint:	Name of a custom endpoint of it, NULL for the one all have
 * @options:	How, or NULL
 *
 * Context: Any thread.
 *
 * Return: 0, or
 * -ENAMETOOLONG if the path of the node is longer than a path may be,
 * -EINVAL if a name has a slash in it, or is empty,
 * or as kdb_open_path().
 */
int kdb_open_bus(struct kdb_conn **conn, const char *domain, const char *bus,
		 const char *endpoint, const struct kdb_options *options);

/**
 * kdb_open_address() - open a connection to the first address that works
 * @conn:	Where to put it
 * @address:	Addresses as D-Bus has them, separated by semicolons:
 *		kernel:path=/dev/kdbus/0-system/bus;unix:path=/run/bus. Those of
 *		other transports than "kernel" are skipped
 * @options:	How, or NULL
 *
 * Context: Any thread.
 *
 * Return: 0, or
 * -EINVAL if the list is malformed,
 * -EPROTONOSUPPORT if no address in it is of the transport "kernel",
 * else what kdb_open_path() said to the last one.
 */
int kdb_open_address(struct kdb_conn **conn, const char *address,
		     const struct kdb_options *options);

/**
 * kdb_open_system() - open a connection to the bus of the system
 * @conn:	Where to put it
 * @options:	How, or NULL
 *
 * It is at the address in the environment variable DBUS_SYSTEM_BUS_ADDRESS, which
 * a program that has gained privileges does not look at, else in
 * /dev/kdbus/0-system.
 *
 * Context: Any thread that may call getenv().
 *
 * Return: as kdb_open_address().
 */
int kdb_open_system(struct kdb_conn **conn, const struct kdb_options *options);

/**
 * kdb_open_user() - open a connection to the bus of the calling user
 * @conn:	Where to put it
 * @options:	How, or NULL
 *
 * The same with DBUS_SESSION_BUS_ADDRESS, else in /dev/kdbus/UID-user, of the real
 * uid.
 *
 * Context: Any thread that may call getenv().
 *
 * Return: as kdb_open_address().
 */
int kdb_open_user(struct kdb_conn **conn, const struct kdb_options *options);

/**
 * kdb_open_fd() - open a connection on a descriptor of an endpoint
 * @conn:	Where to put it
 * @fd:		The descriptor, which is the connection's when this has succeeded
 *		and the caller's if not
 * @options:	How, or NULL
 *
 * For programs that open nodes elsewhere, or are passed them.
 *
 * Context: Any thread.
 *
 * Return: 0, -EBADF, -ESHUTDOWN if the bus has ended, or as kdb_open_path().
 */
int kdb_open_fd(struct kdb_conn **conn, int fd,
		const struct kdb_options *options);

/**
 * kdb_close() - end a connection
 * @conn:	The connection, or NULL
 *
 * What is queued is thrown away; calls that wait for an answer are forgotten, their
 * functions are not called. Views that were not released are released.
 *
 * Context: The thread of the connection; not from a handler.
 *
 * Return: how many views had not been released.
 */
int kdb_close(struct kdb_conn *conn);

/**
 * kdb_bye() - end a connection unless there are messages
 * @conn:	The connection
 *
 * Nothing can be sent or received any more after success; kdb_close() remains to
 * be called. For services that end when idle. Section 8.3 of the manual.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -EBUSY if there are messages to receive, -EALREADY if the connection
 * has ended, -EOPNOTSUPP if it is not an ordinary one.
 */
int kdb_bye(struct kdb_conn *conn);

/**
 * kdb_fd() - the descriptor of a connection, to wait for
 * @conn:	The connection, which keeps it
 *
 * Context: Any thread, at any time.
 *
 * Return: the descriptor.
 */
int kdb_fd(const struct kdb_conn *conn);

/**
 * kdb_events() - which events of kdb_fd() to wait for
 * @conn:	The connection
 *
 * Context: Any thread, at any time.
 *
 * Return: as poll() has it, POLLIN. POLLHUP needs not be asked for, and means that
 * the connection has ended, as kdb_process() will say.
 */
int kdb_events(const struct kdb_conn *conn);

/**
 * kdb_timeout() - until when to wait for an event at most
 * @conn:	The connection
 *
 * Deadlines of calls are told by the kernel, with a message. Only if that is lost,
 * for lack of room in the pool, kdb_process() finds them passed, a second later.
 *
 * Context: The thread of the connection.
 *
 * Return: a moment of CLOCK_MONOTONIC in nanoseconds, or KDB_NO_DEADLINE.
 */
uint64_t kdb_timeout(const struct kdb_conn *conn);

/**
 * kdb_set_handler() - set the function that handles messages
 * @conn:	The connection
 * @fn:		Is called for each message and notification that nothing else has
 *		been asked to handle; NULL: such messages are released
 * @arg:	For @fn
 *
 * Context: The thread of the connection.
 */
void kdb_set_handler(struct kdb_conn *conn, kdb_message_fn fn, void *arg);

/**
 * kdb_process() - handle one message or notification, if there is one
 * @conn:	The connection
 *
 * An answer to kdb_call_async() goes to its function, as does the news that there
 * will be none; news of names go to the function of kdb_name_watch(); everything
 * else goes to the handler. Does not wait.
 *
 * Context: The thread of the connection; not from a handler.
 *
 * Return: 1 if one was handled, 0 if there was none, -EBUSY when called from a
 * handler, -EMFILE if there is one whose descriptors cannot be had, which
 * stays, -EOPNOTSUPP for an activator or a policy holder,
 * or what the handler returned.
 */
int kdb_process(struct kdb_conn *conn);

/**
 * kdb_wait() - wait until there is something to process
 * @conn:	The connection
 * @deadline:	Until when, or KDB_NO_DEADLINE
 *
 * Also returns when kdb_timeout() is over.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -ETIMEDOUT, -EINTR if there was a signal.
 */
int kdb_wait(struct kdb_conn *conn, uint64_t deadline);

/**
 * kdb_serve() - process messages until told to stop
 * @conn:	The connection
 *
 * As kdb_wait() and kdb_process() again and again, with one system call for each
 * request if the kernel offers that: it answers, frees and waits for the next.
 *
 * Context: The thread of the connection; not from a handler.
 *
 * Return: 0 after kdb_stop(), -EBUSY when called from a handler, -EINTR if there
 * was a signal while there was nothing to do, or as kdb_process().
 */
int kdb_serve(struct kdb_conn *conn);

/**
 * kdb_stop() - have kdb_serve() return
 * @conn:	The connection
 *
 * When the message that is being handled was, and before another one is waited
 * for.
 *
 * Context: The thread of the connection, from a handler.
 */
void kdb_stop(struct kdb_conn *conn);

/**
 * kdb_id() - the id of a connection
 * @conn:	The connection
 *
 * Context: Any thread, at any time.
 *
 * Return: the number others address it by.
 */
uint64_t kdb_id(const struct kdb_conn *conn);

/**
 * kdb_bus_id() - the id of the bus
 * @conn:	A connection to it
 *
 * Context: Any thread, at any time.
 *
 * Return: 16 bytes that no other bus has.
 */
const uint8_t *kdb_bus_id(const struct kdb_conn *conn);

/**
 * kdb_bloom() - the shape of bloom filters on the bus
 * @conn:	A connection to it
 *
 * Context: Any thread, at any time.
 *
 * Return: what the maker of the bus chose.
 */
const struct kdbus_bloom_parameter *kdb_bloom(const struct kdb_conn *conn);

/**
 * enum kdb_feature_flags - what of the kernel's extensions a connection uses
 * @KDB_FEATURE_TURN:	One command a turn (section 22.2)
 * @KDB_FEATURE_ATTACH:	Senders have a say in what is told (section 22.1)
 */
enum kdb_feature_flags {
	KDB_FEATURE_TURN	= 1 << 0,
	KDB_FEATURE_ATTACH	= 1 << 1,
};

/**
 * kdb_features() - what was negotiated when the connection was opened
 * @conn:	The connection
 *
 * Context: Any thread, at any time.
 *
 * Return: KDB_FEATURE_* flags; 0 for a kernel that has version 1 only, or with
 * KDB_OPEN_V1.
 */
unsigned int kdb_features(const struct kdb_conn *conn);

/**
 * kdb_set_attach() - change what to be told about senders
 * @conn:	The connection
 * @attach:	KDBUS_ATTACH_* flags, for messages sent from now on
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -EOPNOTSUPP if the connection does not receive.
 */
int kdb_set_attach(struct kdb_conn *conn, uint64_t attach);

/**
 * kdb_set_attach_send() - change what others may be told
 * @conn:	The connection
 * @attach:	KDBUS_ATTACH_* flags, for messages sent from now on
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -EINVAL if the bus demands more, -EOPNOTSUPP without
 * KDB_FEATURE_ATTACH.
 */
int kdb_set_attach_send(struct kdb_conn *conn, uint64_t attach);

/**
 * struct kdb_usage - what a connection takes up
 * @pool_size:		Bytes in the pool
 * @pool_used:		Bytes in messages, received or not
 * @pool_resident:	Bytes of memory it has
 * @copied:		Bytes of payload ever copied into it
 * @queued:		Messages and notifications that wait
 * @arrivals:		Messages ever queued
 * @lost:		Broadcasts and notifications that did not fit
 */
struct kdb_usage {
	uint64_t pool_size;
	uint64_t pool_used;
	uint64_t pool_resident;
	uint64_t copied;
	uint64_t queued;
	uint64_t arrivals;
	uint64_t lost;
};

/**
 * kdb_get_usage() - see how much of its quotas a connection uses
 * @conn:	The connection
 * @usage:	Where to put it
 *
 * Reads fdinfo (section 23). If @lost has changed, news of names or connections
 * were missed.
 *
 * Context: Any thread, at any time.
 *
 * Return: 0, -ENOENT where /proc is not mounted.
 */
int kdb_get_usage(const struct kdb_conn *conn, struct kdb_usage *usage);

/**
 * kdb_deadline() - make a deadline of a duration
 * @ns:		Nanoseconds from now on
 *
 * Context: Any thread, at any time.
 *
 * Return: that moment, or KDB_NO_DEADLINE if it is too far away for a number.
 */
uint64_t kdb_deadline(uint64_t ns);

#ifdef __cplusplus
}
#endif

#endif
