/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_INFO_H
#define __KDBUS_INFO_H

/**
 * DOC: Information about peers
 *
 * What is known about a connection or about the maker of the bus, for any peer:
 * metadata of the task, or what was claimed; and, if wanted, names and
 * description as they are now. A custom endpoint hides connections if it
 * hides all of their names. Metadata is told only to peers in the same namespaces,
 * and only as far as the connection it is about allows.
 *
 * Locks: takes ``bus->lock`` briefly; called with none.
 */

struct kdbus_cmd;
struct kdbus_conn;

int kdbus_info_conn(struct kdbus_conn *conn, struct kdbus_cmd *cmd);
int kdbus_info_creator(struct kdbus_conn *conn, struct kdbus_cmd *cmd);

/**
 * DOC: Changing a connection
 *
 * What a connection wants to be told, what it lets others be told, and the
 * policy that it holds can change during its life. One command changes all that
 * it is about, or nothing.
 *
 * Locks: takes ``db->lock`` of the policy of the bus; called with none.
 */

int kdbus_update_conn(struct kdbus_conn *conn, struct kdbus_cmd *cmd);

#endif
