/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_CONN_H
#define __KDBUS_CONN_H

/**
 * DOC: Connections
 *
 * A connection is a peer on a bus: an id, a queue of messages and the pool they
 * are in, and the identity of who made it.
 *
 * Its life ends with disconnecting, which happens once, by whoever comes first:
 * KDBUS_CMD_BYEBYE, the last close of its handle, or the end of its endpoint.
 * First the queue is closed; that is the moment from which commands and senders
 * fail. Then its own deliveries that are under way are waited for, so that
 * nobody hears of it later, and it is taken off the bus and emptied. Memory
 * goes with the last reference, pool memory with the last mapping.
 *
 * Nothing waits for user space here: while a sender's memory is read, the
 * sender holds references, but neither a lock nor @active. A connection whose
 * memory faults slowly delays neither its peers nor the end of its bus.
 *
 * Lock order of the module, outermost first:
 *
 *   &struct kdbus_handle.lock	changing what a handle is
 *     &struct kdbus_node.lock	one node at a time
 *       &struct kdbus_ep.lock	connections of an endpoint
 *         &struct kdbus_users.lock
 *   mmap_lock
 *     &struct kdbus_pages.lock	pages and page tables of a pool
 *       &struct kdbus_space.lock	slices (spinlock)
 *   &struct kdbus_policy_db.lock	updates of policy
 *   &struct kdbus_bus.flush	order of events
 *     &struct kdbus_bus.lock	names, matches, monitors, events
 *       &struct kdbus_bus.broadcast	messages that go to several
 *         &struct kdbus_queue.lock	messages waiting (spinlock)
 *   &struct kdbus_identity.lock	metadata that is kept (spinlock)
 *   &struct kdbus_replies.lock	requests (spinlock)
 *     &struct kdbus_replies.owed_lock	replies owed (spinlock)
 *
 * The groups do not nest in each other, but for the locks of a pool, which are
 * taken inside the mutex of the bus when messages move, that of its slices, also
 * inside that of quotas, and those of requests, inside the mutex for broadcasts
 * when monitors see an answer. No lock is held
 * while user memory is accessed, nor across an allocation that could wait on
 * somebody else's behalf. Connections are looked up under RCU.
 */

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#include "attach.h"
#include "match.h"
#include "names.h"
#include "queue.h"
#include "reply.h"

struct cred;
struct kdbus_bus;
struct kdbus_cmd;
struct kdbus_ep;
struct kdbus_handle;
struct kdbus_pool;
struct kdbus_slice;
struct kdbus_user;

/**
 * struct kdbus_conn - a connection
 * @kref:	References
 * @rcu:	To free it
 * @id:		Its id; 0 until it is on the bus, then constant
 * @flags:	KDBUS_HELLO_* flags, constant
 * @bus:	The bus, constant; kept by @ep
 * @ep:		The endpoint it came through, with a reference, constant
 * @ep_entry:	Its place among the connections of @ep
 * @cred:	Credentials of HELLO, with a reference, constant
 * @capable:	HELLO was said with CAP_IPC_OWNER, constant
 * @privileged:	Or by the owner of the bus, constant
 * @user:	Accounting record, with a reference, constant
 * @person:	That of the user behind it, who pays for files in flight, with a
 *		reference, constant; another one on a custom endpoint
 * @charged:	Whether it counts there
 * @active:	Deliveries by this connection under way, see kdbus_conn_enter()
 * @gone:	Disconnecting is complete
 * @handle:	What belongs to it, with a reference, constant; its wait queue is
 *		woken when there is something to do, and during the end
 * @announced:	Others have been told that it is there
 * @self:	What it tells others, and wants to be told
 * @replies:	Replies it expects and owes
 * @names:	Names it owns, waits for, activates
 * @matches:	Broadcasts it wants
 * @monitor_entry: Place among the monitors of the bus
 * @result:	What the last command returned to a connection that cannot free
 *		it; guarded by the mutex of the bus
 * @pool:	Receive pool, constant
 * @queue:	Messages waiting
 */
struct kdbus_conn {
	struct kref kref;
	struct rcu_head rcu;
	u64 id;
	u64 flags;
	struct kdbus_bus *bus;
	struct kdbus_ep *ep;
	struct list_head ep_entry;
	const struct cred *cred;
	bool capable;
	bool privileged;
	struct kdbus_user *user;
	struct kdbus_user *person;
	bool charged;

	atomic_t active;
	bool gone;
	struct kdbus_handle *handle;
	bool announced;

	struct kdbus_identity self;
	struct kdbus_replies replies;
	struct kdbus_conn_names names;
	struct kdbus_matches matches;
	struct list_head monitor_entry;

	struct kdbus_slice *result;
	struct kdbus_pool *pool;
	struct kdbus_queue queue;
};

/* kinds of connections, for the rows of commands */
#define KDBUS_CONN_ORDINARY	BIT(0)
#define KDBUS_CONN_MONITOR	BIT(1)
#define KDBUS_CONN_ACTIVATOR	BIT(2)
#define KDBUS_CONN_HOLDER	BIT(3)
#define KDBUS_CONN_ALL		GENMASK(3, 0)

struct kdbus_conn *kdbus_conn_new(struct kdbus_handle *handle,
				  const struct kdbus_cmd *cmd);
int kdbus_conn_link(struct kdbus_conn *conn, const struct kdbus_cmd *cmd);
struct kdbus_conn *kdbus_conn_get(struct kdbus_conn *conn);
void kdbus_conn_put(struct kdbus_conn *conn);
bool kdbus_conn_enter(struct kdbus_conn *conn);
void kdbus_conn_leave(struct kdbus_conn *conn);
void kdbus_conn_wake(struct kdbus_conn *conn);
void kdbus_conn_wake_sync(struct kdbus_conn *conn);
void kdbus_conn_announce(struct kdbus_conn *conn);
int kdbus_conn_disconnect(struct kdbus_conn *conn, bool only_if_idle);
void kdbus_conn_kill(struct kdbus_conn *conn);
void kdbus_conn_discard(struct kdbus_conn *conn,
			struct kdbus_queue_entry *entry);

int kdbus_conn_module_init(void);
void kdbus_conn_module_exit(void);

/**
 * kdbus_conn_kind() - what kind of connection it is
 * @conn:	The connection
 *
 * Return: One of KDBUS_CONN_*.
 */
static inline unsigned int kdbus_conn_kind(const struct kdbus_conn *conn)
{
	if (conn->flags & KDBUS_HELLO_MONITOR)
		return KDBUS_CONN_MONITOR;
	if (conn->flags & KDBUS_HELLO_ACTIVATOR)
		return KDBUS_CONN_ACTIVATOR;
	if (conn->flags & KDBUS_HELLO_POLICY_HOLDER)
		return KDBUS_CONN_HOLDER;
	return KDBUS_CONN_ORDINARY;
}

static inline bool kdbus_conn_is_ordinary(const struct kdbus_conn *conn)
{
	return kdbus_conn_kind(conn) == KDBUS_CONN_ORDINARY;
}

static inline bool kdbus_conn_is_alive(const struct kdbus_conn *conn)
{
	return !kdbus_queue_is_closed(&conn->queue);
}

#endif
