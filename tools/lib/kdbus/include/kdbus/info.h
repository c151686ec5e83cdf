/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KDBUS_INFO_H
#define KDBUS_INFO_H

/**
 * DOC: Asking about connections and the bus
 *
 * What the kernel recorded when a connection opened its endpoint, or when the bus
 * was made. It says nothing about the sender of a message: kdb_view_meta() does.
 * Sections 8.5 and 8.6 of the manual.
 */

#include <kdbus/receive.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kdb_info;

/**
 * kdb_info_of_id() - ask about a connection
 * @conn:	The connection that asks
 * @id:		Id of the one asked about
 * @attach:	KDBUS_ATTACH_NAMES, KDBUS_ATTACH_CONN_NAME: these only come if asked
 *		for
 * @info:	Where to put the answer
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or
 * -ENXIO if there is no such connection,
 * -ENOENT if a custom endpoint hides it,
 * -EINVAL for unknown flags,
 * -ENOBUFS if there is no room in the pool.
 */
int kdb_info_of_id(struct kdb_conn *conn, uint64_t id, uint64_t attach,
		   struct kdb_info **info);

/**
 * kdb_info_of_name() - ask about the owner of a name
 * @conn:	The connection that asks
 * @name:	The name
 * @attach:	As above
 * @info:	Where to put the answer
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -ESRCH if nobody owns it, -EINVAL also if it cannot be a name, or as
 * kdb_info_of_id().
 */
int kdb_info_of_name(struct kdb_conn *conn, const char *name, uint64_t attach,
		     struct kdb_info **info);

/**
 * kdb_info_of_bus() - ask about the maker of the bus
 * @conn:	The connection that asks
 * @info:	Where to put the answer
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -EPERM from within other namespaces than it was made in, or -ENOBUFS.
 */
int kdb_info_of_bus(struct kdb_conn *conn, struct kdb_info **info);

/**
 * kdb_info_id() - the connection that it is about
 * @info:	The answer
 *
 * Context: The thread of the connection.
 *
 * Return: id of the connection, or number of the bus.
 */
uint64_t kdb_info_id(const struct kdb_info *info);

/**
 * kdb_info_flags() - what kind of connection or bus it is
 * @info:	The answer
 *
 * Context: The thread of the connection.
 *
 * Return: KDBUS_HELLO_* flags, of a bus KDBUS_MAKE_* flags.
 */
uint64_t kdb_info_flags(const struct kdb_info *info);

/**
 * kdb_info_meta() - what is known about it
 * @info:	The answer
 *
 * Context: The thread of the connection.
 *
 * Return: a description that is the answer's; kdb_meta_name() looks at names.
 */
const struct kdb_meta *kdb_info_meta(const struct kdb_info *info);

/**
 * kdb_info_release() - give an answer back
 * @info:	The answer, or NULL
 *
 * Context: The thread of the connection, before kdb_close().
 */
void kdb_info_release(struct kdb_info *info);

#ifdef __cplusplus
}
#endif

#endif
