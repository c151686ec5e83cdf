/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_NAME_CMD_H
#define __KDBUS_NAME_CMD_H

/**
 * DOC: Asking for names
 *
 * What a connection does about names: it acquires and releases them when it is
 * told to, activates one for all its life, and drops them all when it ends.
 * Here is decided whether it may, and what that means for a name as it is; how
 * a name changes hands is elsewhere (name-owner.h).
 *
 * All that an acquisition may need is allocated first. Then one look under the
 * mutex of the bus decides.
 *
 * Locks: takes the mutex of the bus, which is not held but for
 * kdbus_names_drop().
 */

struct kdbus_cmd;
struct kdbus_conn;

int kdbus_cmd_name_acquire(struct kdbus_conn *conn, struct kdbus_cmd *cmd);
int kdbus_cmd_name_release(struct kdbus_conn *conn, struct kdbus_cmd *cmd);
int kdbus_name_activate(struct kdbus_conn *conn, const char *name);
void kdbus_names_drop(struct kdbus_conn *conn);

#endif
