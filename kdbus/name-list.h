/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_NAME_LIST_H
#define __KDBUS_NAME_LIST_H

/**
 * DOC: Lists of names
 *
 * A list of the connections of a bus and the names they own, activate, or wait
 * for, written into the pool of who asked. It is a snapshot: nothing changes
 * hands while it is made.
 *
 * Locks: takes the mutex of the bus.
 */

struct kdbus_cmd;
struct kdbus_conn;

int kdbus_name_list(struct kdbus_conn *conn, struct kdbus_cmd *cmd);

#endif
