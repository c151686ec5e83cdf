/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_CONN_H
#define __KDBUS_CONN_H

/**
 * DOC: Connections
 *
 * A connection is a peer on a bus: an id, a queue of messages and the pool they
 * are in, and the identity of its maker.
 *
 * This is the object: references, deliveries under way, and wake-ups. How it
 * begins and ends is in connect.h.
 *
 * Nothing waits for user space here: while a sender's memory is read, the
 * sender holds references, but neither a lock nor @active. A connection whose
 * memory faults slowly delays neither its peers nor the end of its bus.
 *
 * Connections are looked up under RCU.
 */

/**
 * DOC: Locks
 *
 * Which lock may be taken while which is held, the outer one first. A lock is
 * named where it is taken directly inside of another: what is inside of
 * ``bus->lock`` is also inside of all that ``bus->lock`` is inside of. A wait queue
 * stands for the lock in it, and a work item for waiting until it has run.
 *
 * - ``mm->mmap_lock``, the kernel's, held during a fault in a mapping of a pool:
 *   ``pages->lock``, ``slices->lock``.
 * - ``handle->lock``, held while a handle becomes something: ``node->lock`` when a
 *   node is published; ``ep->lock`` and ``bus->lock`` when a connection is linked. If
 *   that fails, the connection ends: ``bus->flush``, ``index->lock``, ``db->lock``,
 *   ``users->lock``, ``replies->work``, ``conn->names.follow``, ``conn->receivers``,
 *   ``waitq->wait``, ``queue->lock``, ``replies->lock``, ``replies->owed_lock``.
 * - ``node->lock``: none. Those of two nodes do not nest.
 * - ``ep->lock``, ``db->lock``: none.
 * - ``index->lock``: ``leftover->wait`` when a match that is filed nowhere is freed.
 * - ``bus->owners``, held while a command changes the owner of a name: ``bus->lock``.
 *   Held by a sender so that owners stay, all that sending takes: ``bus->broadcast``,
 *   ``users->lock``, ``pages->lock``, ``conn->receivers``, ``waitq->wait``,
 *   ``queue->lock``, ``replies->lock``, ``slices->lock``, ``user->flights_lock``.
 * - ``bus->flush``, held while events are delivered: ``bus->lock``, ``bus->broadcast``,
 *   ``queue->lock``, ``slices->lock``; ``users->lock`` with the last reference to a user.
 * - ``bus->lock``: ``bus->broadcast``, ``pages->lock``, ``slices->lock``,
 *   ``replies->lock``, ``queue->lock``, ``conn->receivers`` and ``waitq->wait`` when
 *   messages move to another owner; ``users->lock`` with the last reference to a user.
 * - ``bus->broadcast``, held while a message goes into several queues, or none:
 *   ``queue->lock``, ``replies->lock``, ``conn->receivers``, ``waitq->wait``.
 * - ``users->lock``: none.
 * - ``pages->lock``: ``slices->lock`` when pages are given back.
 *
 * Spinlocks, the locks of wait queues, and work items:
 *
 * - ``conn->receivers``: ``queue->lock``, as a task that is woken may have no use for
 *   what is there.
 * - ``queue->lock``: ``slices->lock`` when a message is counted, ``replies->lock`` when
 *   it is a request or an answer.
 * - ``replies->lock``: ``replies->owed_lock`` of the replier.
 * - ``slices->lock``, ``replies->owed_lock``, ``self->lock``, ``user->flights_lock``,
 *   ``waitq->wait``, ``leftover->wait``, ``node->dead``: none.
 * - ``xa_lock`` of any xarray: none. It nests inside of all others.
 * - ``conn->names.follow``, ``replies->work``, ``index->reap``, ``trim->work``: they begin
 *   with no lock held.
 *
 * This list is exact. ``make check-debug`` fails on a nesting that lockdep has seen
 * and that is not here, and on one that is here and that lockdep has not seen.
 * Where one is rare, might_lock() shows it each time. No two locks of one kind
 * nest.
 *
 * No lock is held while user memory is accessed.
 */

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <uapi/linux/kdbus.h>

#include "match.h"
#include "meta.h"
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
struct kdbus_waitq;

/**
 * struct kdbus_conn - a connection
 * @kref:	References
 * @rcu:	To free it
 * @id:		Its id, constant once it is on the bus
 * @flags:	KDBUS_HELLO_* flags, constant
 * @bus:	The bus, constant; kept by @ep
 * @ep:		The endpoint it came through, with a reference, constant
 * @ep_link:	Link in the connections of @ep
 * @cred:	Credentials of HELLO, with a reference, constant
 * @capable:	HELLO was said with CAP_IPC_OWNER, constant
 * @privileged:	The same, or by the owner of the bus; constant
 * @user:	Accounting record at receivers, with a reference, constant: that
 *		of a custom endpoint, else of its user as the bus sees it
 * @real_user:	That of its user as the domain sees it, with a reference, constant;
 *		files in flight count for it. A monitor has its own
 * @charged:	Whether it counts among the connections of @real_user, or of a
 *		custom endpoint, which it does until it disconnects
 * @active:	Deliveries by this connection under way, see kdbus_conn_enter()
 * @gone:	Disconnecting is complete
 * @waitq:	Where tasks poll, woken when there is something to do and during
 *		the end; with a reference, constant
 * @receivers:	Tasks that wait in kdbus_recv(); one message wakes one of them
 * @announced:	ID_ADD has been queued, so ID_REMOVE has to be
 * @self:	What it tells others, and wants to be told
 * @replies:	Replies it expects and owes
 * @names:	Names it owns, waits for, activates
 * @matches:	Broadcasts it wants
 * @fanout:	Value of @bus->fanouts when it was last selected as a receiver;
 *		guarded by ``bus->lock``
 * @monitor_link: Link in the monitors of the bus
 * @result:	What the last command returned to a connection that cannot free
 *		it; guarded by ``bus->lock``
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
	struct list_head ep_link;
	const struct cred *cred;
	bool capable;
	bool privileged;
	struct kdbus_user *user;
	struct kdbus_user *real_user;
	bool charged;

	atomic_t active;
	bool gone;
	struct kdbus_waitq *waitq;
	wait_queue_head_t receivers;
	bool announced;

	struct kdbus_identity self;
	struct kdbus_replies replies;
	struct kdbus_conn_names names;
	struct kdbus_matches matches;
	u64 fanout;
	struct list_head monitor_link;

	struct kdbus_slice *result;
	struct kdbus_pool *pool;
	struct kdbus_queue queue;
};

/* added to @active when a connection may not be entered any more */
#define KDBUS_CONN_CLOSED	INT_MIN

/* kinds of connections, for the rows of commands */
#define KDBUS_CONN_ORDINARY	BIT(0)
#define KDBUS_CONN_MONITOR	BIT(1)
#define KDBUS_CONN_ACTIVATOR	BIT(2)
#define KDBUS_CONN_HOLDER	BIT(3)
#define KDBUS_CONN_ALL		GENMASK(3, 0)

struct kdbus_conn *kdbus_conn_alloc(void);
struct kdbus_conn *kdbus_conn_find(struct kdbus_bus *bus, u64 id);
struct kdbus_conn *kdbus_conn_get(struct kdbus_conn *conn);
void kdbus_conn_put(struct kdbus_conn *conn);
struct kdbus_user *kdbus_conn_payer(const struct kdbus_conn *conn);
bool kdbus_conn_enter(struct kdbus_conn *conn);
void kdbus_conn_leave(struct kdbus_conn *conn);
void kdbus_conn_wake(struct kdbus_conn *conn);
void kdbus_conn_wake_sync(struct kdbus_conn *conn);
void kdbus_conn_wake_all(struct kdbus_conn *conn);
void kdbus_conn_room(struct kdbus_conn *conn);
#ifdef CONFIG_PROVE_LOCKING
void kdbus_conn_might_move_more(struct kdbus_conn *conn);
#else
static inline void kdbus_conn_might_move_more(struct kdbus_conn *conn) { }
#endif

int kdbus_conn_return(struct kdbus_conn *conn, struct kdbus_cmd *cmd,
		      struct kdbus_slice *slice, size_t member);

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

/**
 * kdbus_conn_index() - where a connection is among those of its bus
 * @id:		Its id
 *
 * Where unsigned long has 32 bits, several ids have the same index. Connections
 * that exist at the same time have different ones, and the connection at an index
 * may have another id than the one looked for.
 *
 * Return: The index in &kdbus_bus.conns.
 */
static inline unsigned long kdbus_conn_index(u64 id)
{
	return (unsigned long)id;
}

static inline bool kdbus_conn_is_ordinary(const struct kdbus_conn *conn)
{
	return kdbus_conn_kind(conn) == KDBUS_CONN_ORDINARY;
}

static inline bool kdbus_conn_is_alive(const struct kdbus_conn *conn)
{
	return !kdbus_queue_is_closed(&conn->queue);
}

/*
 * To be called, without bus->lock, when room in the pool of @conn was given back.
 * What was allocated under bus->lock and is given back under it does not matter.
 */
static inline void kdbus_conn_has_room(struct kdbus_conn *conn)
{
	if (unlikely(kdbus_queue_is_stuck(&conn->queue)))
		kdbus_conn_room(conn);
	if (unlikely(READ_ONCE(conn->queue.behind)))
		conn->names.more(conn);
}

#endif
