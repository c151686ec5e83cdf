/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_CONNECT_H
#define __KDBUS_CONNECT_H

/**
 * DOC: The life of a connection
 *
 * A connection is made by HELLO and put on the bus. Its life ends with
 * disconnecting, which happens once, by what comes first: KDBUS_CMD_BYEBYE, the
 * last close of its file, or the end of its endpoint. First the queue is closed;
 * from that moment on commands and senders fail. Then its own deliveries that are
 * under way are waited for, so that no peer hears of it later. It is taken off
 * the bus, does not count for its user from then on, and is emptied. Its structures
 * go with the last reference, the memory of its pool with its file and the last
 * mapping.
 *
 * Locks: takes ``ep->lock``, ``bus->lock`` and those of what is emptied, one after
 * the other; kdbus_conn_link() is called with ``handle->lock``, and all else with
 * no lock.
 */

#include <linux/types.h>

#include "policy.h"

struct kdbus_cmd;
struct kdbus_conn;
struct kdbus_ep;
struct kdbus_item;
struct kdbus_meta;
struct kdbus_waitq;

struct kdbus_conn *kdbus_conn_new(struct kdbus_ep *ep,
				  struct kdbus_meta *opener,
				  struct kdbus_waitq *waitq,
				  const struct kdbus_cmd *cmd);
int kdbus_conn_link(struct kdbus_conn *conn, const struct kdbus_cmd *cmd);
void kdbus_conn_announce(struct kdbus_conn *conn);
int kdbus_conn_disconnect(struct kdbus_conn *conn, bool only_if_idle);
void kdbus_conn_kill(struct kdbus_conn *conn);
void kdbus_conn_close(struct kdbus_conn *conn);
int kdbus_conn_byebye(struct kdbus_conn *conn, struct kdbus_cmd *cmd);
void kdbus_conn_disconnect_all(struct kdbus_ep *ep);

/**
 * DOC: What HELLO says
 *
 * A connection begins with one command that says what it is to be. Here that is
 * checked against its caller, and everything that depends on the running task
 * is captured: privilege, and the ids in the policy it brings along.
 *
 * Lives on the stack of the command: no locks.
 */

/**
 * struct kdbus_hello - a connection to be made
 * @flags:	KDBUS_HELLO_* flags
 * @pool_size:	Bytes of its pool
 * @wanted:	KDBUS_ATTACH_* it wants to be told
 * @allowed:	KDBUS_ATTACH_* it lets others be told
 * @capable:	The caller has CAP_IPC_OWNER
 * @privileged:	It is capable, or owns the bus
 * @trusted:	It is privileged, and did not come through a custom endpoint
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
	bool trusted;
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
