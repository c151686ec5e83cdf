/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_POLICY_H
#define __KDBUS_POLICY_H

/**
 * DOC: Policy
 *
 * Who may own which name, talk to whom, and see what. Two databases decide:
 * that of the bus, filled by the holders of policy, and that of a custom
 * endpoint, which stands before the first for everybody who came through that
 * endpoint. What is allowed without a database: privileged connections may do
 * everything, and connections of one user may talk to each other. A custom
 * endpoint knows no such exceptions.
 *
 * Policy is about names. A connection may be talked to if the policy of one of
 * its names says so.
 *
 * Identity is that of the connection, as it was when it said HELLO: credentials
 * and privilege. Who happens to hold the descriptor later neither gains nor
 * loses anything.
 *
 * Locks: none are taken. What a connection owns and what the databases say is
 * read under RCU; while names change hands an answer may be out of date, unless
 * the mutex of the bus is held.
 */

#include <linux/types.h>

struct kdbus_conn;

int kdbus_policy_own(const struct kdbus_conn *conn, const char *name);
int kdbus_policy_talk(const struct kdbus_conn *src,
		      const struct kdbus_conn *dst);
bool kdbus_policy_signal(const struct kdbus_conn *src,
			 const struct kdbus_conn *dst);
bool kdbus_policy_see(const struct kdbus_conn *conn, const char *name);
bool kdbus_policy_see_conn(const struct kdbus_conn *conn,
			   const struct kdbus_conn *other);

#endif
