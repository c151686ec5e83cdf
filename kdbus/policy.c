// SPDX-License-Identifier: GPL-2.0
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/errno.h>

#include "bus.h"
#include "conn.h"
#include "policy.h"

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
	if (uid_eq(src->cred->fsuid, src->bus->uid) ||
	    uid_eq(src->cred->fsuid, dst->cred->uid) ||
	    capable(CAP_IPC_OWNER))
		return 0;
	return -EPERM;
}
