/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_HANDLE_H
#define __KDBUS_HANDLE_H

/**
 * DOC: Handles
 *
 * A handle is what stands behind an open device node. It begins as what was
 * opened, a control node or an endpoint, and changes once into something that
 * belongs to it: a bus, a domain, an endpoint, or a connection. That object
 * ends when the last descriptor of the handle is closed. Who opens an endpoint
 * is recorded then and there.
 *
 * What commands a handle takes depends on what it is; all of them are rows of
 * one table, see &struct kdbus_cmd_row.
 *
 * Locks: @lock serialises the one change of state; of two threads that try, one
 * wins. @state is read without it, and whatever belongs to a state is constant
 * once the state is reached.
 */

#include <linux/bits.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/wait.h>

struct kdbus_bus;
struct kdbus_conn;
struct kdbus_domain;
struct kdbus_ep;
struct kdbus_meta;
struct kdbus_node;

enum kdbus_handle_state {
	KDBUS_HANDLE_CONTROL,
	KDBUS_HANDLE_BUS_OWNER,
	KDBUS_HANDLE_DOMAIN_OWNER,
	KDBUS_HANDLE_ENDPOINT,
	KDBUS_HANDLE_CONNECTED,
	KDBUS_HANDLE_ENDPOINT_OWNER,
};

/**
 * struct kdbus_handle - an open device node
 * @kref:	References; only @wait is there when the file is closed
 * @wait:	Where who polls it waits, also before it is a connection, and all
 *		others who wait for that
 * @lock:	See above
 * @state:	What it is at the moment
 * @node:	What was opened, with a reference, constant
 * @record:	Who opened it, with a reference, if it was an endpoint, constant
 * @bus:	The bus it made, with a reference, when KDBUS_HANDLE_BUS_OWNER
 * @domain:	The domain it made, with a reference, when
 *		KDBUS_HANDLE_DOMAIN_OWNER
 * @conn:	Its connection, with a reference, when KDBUS_HANDLE_CONNECTED
 * @ep:		The endpoint it made, with a reference, when
 *		KDBUS_HANDLE_ENDPOINT_OWNER
 */
struct kdbus_handle {
	struct kref kref;
	wait_queue_head_t wait;
	struct mutex lock;	/* change of state */
	enum kdbus_handle_state state;
	struct kdbus_node *node;
	struct kdbus_meta *record;
	union {
		struct kdbus_bus *bus;
		struct kdbus_domain *domain;
		struct kdbus_conn *conn;
		struct kdbus_ep *ep;
	};
};

extern const struct file_operations kdbus_handle_fops;

struct kdbus_handle *kdbus_handle_get(struct kdbus_handle *handle);
void kdbus_handle_put(struct kdbus_handle *handle);
void kdbus_handle_become(struct kdbus_handle *handle,
			 enum kdbus_handle_state state);

#endif
