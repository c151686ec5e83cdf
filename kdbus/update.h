/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_UPDATE_H
#define __KDBUS_UPDATE_H

/**
 * DOC: Changing a connection
 *
 * What a connection wants to be told, what it lets others be told, and the
 * policy that it holds can change during its life. One command changes all that
 * it is about, or nothing.
 *
 * Locks: that of the policy database of the bus; called with none.
 */

struct kdbus_cmd;
struct kdbus_conn;

int kdbus_update_conn(struct kdbus_conn *conn, const struct kdbus_cmd *cmd);

#endif
