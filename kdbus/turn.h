/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_TURN_H
#define __KDBUS_TURN_H

/**
 * DOC: Turns
 *
 * What a peer does between two sleeps, in one command: send, free what it has
 * read, receive what comes next. Only the first can fail for long; once the
 * message is sent the command succeeds, as it must not be repeated.
 *
 * Locks: those of whatever is done, inside; called with none.
 */

struct kdbus_cmd;
struct kdbus_conn;

int kdbus_turn(struct kdbus_conn *conn, struct kdbus_cmd *cmd);

#endif
