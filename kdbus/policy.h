/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_POLICY_H
#define __KDBUS_POLICY_H

/**
 * DOC: Policy
 *
 * Who may talk to whom. A privileged sender may talk to everybody, and everybody
 * to connections of the same user; nobody else is granted anything.
 *
 * Identity is that of the connection, taken when it said HELLO; only the
 * capability is that of the running task.
 *
 * No locks: all that is looked at is constant.
 */

struct kdbus_conn;

int kdbus_policy_own(const struct kdbus_conn *conn, const char *name);
bool kdbus_policy_signal(const struct kdbus_conn *src,
			 const struct kdbus_conn *dst);
int kdbus_policy_talk(const struct kdbus_conn *src,
		      const struct kdbus_conn *dst);

#endif
