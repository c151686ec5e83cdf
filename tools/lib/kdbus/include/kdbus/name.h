/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KDBUS_NAME_H
#define KDBUS_NAME_H

/**
 * DOC: Well-known names
 *
 * A service is found by the names it owns, however often it is started again. A
 * name has one owner; others may wait for it. Section 6 of the manual.
 */

#include <kdbus/connection.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * kdb_name_acquire() - own a name
 * @conn:	The connection
 * @name:	The name: org.example.Mail
 * @flags:	KDBUS_NAME_REPLACE_EXISTING, KDBUS_NAME_ALLOW_REPLACEMENT,
 *		KDBUS_NAME_QUEUE, or 0
 *
 * Context: The thread of the connection.
 *
 * Return: 0 if the connection owns the name now, 1 if it waits for it, or
 * -EALREADY if it has owned it before, -EEXIST if somebody else owns it,
 * -EINVAL if @name cannot be a name, or for other flags,
 * -EPERM if policy forbids it,
 * -E2BIG if it owns 64 names or waits for 256,
 * -EOPNOTSUPP if it is not an ordinary connection.
 */
int kdb_name_acquire(struct kdb_conn *conn, const char *name, uint64_t flags);

/**
 * kdb_name_release() - let go of a name, or stop waiting for it
 * @conn:	The connection
 * @name:	The name
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or
 * -ESRCH if there is no such name,
 * -EADDRINUSE if the connection neither owns it nor waits for it,
 * -EINVAL, -EOPNOTSUPP as above.
 */
int kdb_name_release(struct kdb_conn *conn, const char *name);

/**
 * kdb_name_owner() - look up the owner of a name
 * @conn:	The connection
 * @name:	The name
 * @id:		Where to put the id of the owner, which may be an activator
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -ESRCH if nobody does, -ENOENT if a custom endpoint hides it, or
 * -EINVAL.
 */
int kdb_name_owner(struct kdb_conn *conn, const char *name, uint64_t *id);

struct kdb_names;

/**
 * struct kdb_name_entry - a line of a list of names
 * @name:	The name, or NULL if the line is about a connection without one
 * @id:		Its owner, or a connection that waits for it
 * @flags:	KDBUS_NAME_* flags; KDBUS_NAME_IN_QUEUE for one that waits
 * @conn_flags:	KDBUS_HELLO_* flags of that connection
 */
struct kdb_name_entry {
	const char *name;
	uint64_t id;
	uint64_t flags;
	uint64_t conn_flags;
};

/**
 * kdb_names_list() - list names and connections
 * @conn:	The connection
 * @flags:	KDBUS_NAME_LIST_* flags: what to list (section 6.5)
 * @names:	Where to put the list
 *
 * The list is in the pool.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -EINVAL for other flags, -ENOBUFS if there is no room in the pool.
 */
int kdb_names_list(struct kdb_conn *conn, uint64_t flags,
		   struct kdb_names **names);

/**
 * kdb_names_next() - the next line of a list
 * @names:	The list
 * @entry:	Where to put it; what it points to is the list's
 *
 * Context: The thread of the connection.
 *
 * Return: 1, or 0 at the end: then the next call begins again.
 */
int kdb_names_next(struct kdb_names *names, struct kdb_name_entry *entry);

/**
 * kdb_names_release() - give a list back
 * @names:	The list, or NULL
 *
 * Context: The thread of the connection, before kdb_close().
 */
void kdb_names_release(struct kdb_names *names);

/**
 * typedef kdb_name_fn - is told that a name has another owner
 * @conn:	The connection
 * @name:	The name
 * @old_id:	Who owned it, or 0
 * @new_id:	Who owns it now, or 0
 * @arg:	As given to kdb_name_watch()
 *
 * May do whatever a handler may, kdb_unwatch() included.
 *
 * Return: 0, or a negative errno for kdb_process() to return.
 */
typedef int (*kdb_name_fn)(struct kdb_conn *conn, const char *name,
			   uint64_t old_id, uint64_t new_id, void *arg);

/**
 * kdb_name_watch() - be told when a name gets another owner
 * @conn:	The connection
 * @name:	The name, or NULL for all names
 * @fn:		What to call, by kdb_process() or kdb_serve(), in the order of the
 *		changes
 * @arg:	For @fn
 * @cookie:	Where to put the number of the watch, for kdb_unwatch(); or NULL
 *
 * What happened before is not told: a caller of kdb_name_owner() afterwards misses
 * nothing. News can be lost where there is no room for them: kdb_get_usage() counts
 * these.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -EMFILE if the connection or the user has too many matches,
 * -ENAMETOOLONG if @name has more than 255 characters, -EOPNOTSUPP if it receives
 * nothing.
 */
int kdb_name_watch(struct kdb_conn *conn, const char *name, kdb_name_fn fn,
		   void *arg, uint64_t *cookie);

/**
 * kdb_unwatch() - end a watch
 * @conn:	The connection
 * @cookie:	Number of the watch
 *
 * Its function is not called any more.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or -ENOENT if there is no such watch.
 */
int kdb_unwatch(struct kdb_conn *conn, uint64_t cookie);

#ifdef __cplusplus
}
#endif

#endif
