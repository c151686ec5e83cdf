/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_HELLO_H
#define __KDBUS_HELLO_H

/**
 * DOC: What HELLO says
 *
 * A connection begins with one command that says what it is to be. Here that is
 * checked against who says it, and everything that depends on the running task
 * is captured: privilege, and the ids in the policy it brings along.
 *
 * Lives on the stack of the command: no locks.
 */

#include <linux/types.h>

#include "policy-db.h"

struct kdbus_cmd;
struct kdbus_ep;
struct kdbus_item;

/**
 * struct kdbus_hello - a connection to be made
 * @flags:	KDBUS_HELLO_* flags
 * @pool_size:	Bytes of its pool
 * @wanted:	KDBUS_ATTACH_* it wants to be told
 * @allowed:	KDBUS_ATTACH_* it lets others be told
 * @capable:	The caller has CAP_IPC_OWNER
 * @privileged:	Or owns the bus
 * @conn_name:	Description, or NULL
 * @name:	Name of an activator or a policy holder, else NULL
 * @creds:	Claimed credentials, or NULL
 * @label:	Claimed security label, or NULL
 * @policy:	Policy it brings along
 */
struct kdbus_hello {
	u64 flags;
	u64 pool_size;
	u64 wanted;
	u64 allowed;
	bool capable;
	bool privileged;
	const char *conn_name;
	const char *name;
	const struct kdbus_item *creds;
	const struct kdbus_item *label;
	struct kdbus_policy_upload policy;
};

int kdbus_hello_init(struct kdbus_hello *hello, const struct kdbus_ep *ep,
		     const struct kdbus_cmd *cmd);
void kdbus_hello_release(struct kdbus_hello *hello);
const char *kdbus_hello_name(const struct kdbus_cmd *cmd);
int kdbus_hello_answer(const struct kdbus_cmd *cmd, u64 required);

#endif
