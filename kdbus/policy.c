// SPDX-License-Identifier: GPL-2.0
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/errno.h>

#include "bus.h"
#include "conn.h"
#include "policy.h"

static bool is_privileged(const struct kdbus_conn *conn)
{
	return uid_eq(conn->cred->fsuid, conn->bus->uid) ||
	       capable(CAP_IPC_OWNER);
}

/**
 * kdbus_policy_own() - may a connection own a name
 * @conn:	Who wants to, the connection of the running task
 * @name:	The name
 *
 * Documentation/kdbus.txt, section 5.4.
 *
 * Return: 0 or -EPERM.
 */
int kdbus_policy_own(const struct kdbus_conn *conn, const char *name)
{
	return is_privileged(conn) ? 0 : -EPERM;
}

/**
 * kdbus_policy_signal() - may a broadcast reach a connection
 * @src:	Who sends it, the connection of the running task
 * @dst:	Who would receive it
 *
 * Documentation/kdbus.txt, section 5.4.
 *
 * Context: Any; the mutex of the bus is held.
 *
 * Return: Whether it may.
 */
bool kdbus_policy_signal(const struct kdbus_conn *src,
			 const struct kdbus_conn *dst)
{
	if (uid_eq(src->cred->fsuid, dst->cred->uid))
		return true;
	if (src->names.count > 0 && dst->names.count == 0)
		return true;
	return is_privileged(src);
}

/**
 * kdbus_policy_talk() - may one connection send to another
 * @src:	Who wants to, the connection of the running task
 * @dst:	To whom
 *
 * Documentation/kdbus.txt, section 5.4.
 *
 * Return: 0 or -EPERM.
 */
int kdbus_policy_talk(const struct kdbus_conn *src,
		      const struct kdbus_conn *dst)
{
	if (uid_eq(src->cred->fsuid, dst->cred->uid) || is_privileged(src))
		return 0;
	return -EPERM;
}
