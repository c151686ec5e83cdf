// SPDX-License-Identifier: GPL-2.0
#include <linux/cred.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "endpoint.h"
#include "event.h"
#include "match.h"
#include "pool/pool.h"
#include "waitq.h"

static struct kmem_cache *conn_cache;

/**
 * kdbus_conn_alloc() - allocate a connection
 *
 * Context: May sleep.
 *
 * Return: The connection, zeroed, or NULL.
 */
struct kdbus_conn *kdbus_conn_alloc(void)
{
	return kmem_cache_zalloc(conn_cache, GFP_KERNEL_ACCOUNT);
}

/**
 * kdbus_conn_payer() - the record that a connection and its matches count in
 * @conn:	The connection
 *
 * Return: The accounting record, which @conn keeps.
 */
struct kdbus_user *kdbus_conn_payer(const struct kdbus_conn *conn)
{
	return conn->ep->custom ? conn->user : conn->real_user;
}

/**
 * kdbus_conn_find() - look up a connection
 * @bus:	Where
 * @id:		Its id
 *
 * Return: The connection, with a reference, or NULL.
 */
struct kdbus_conn *kdbus_conn_find(struct kdbus_bus *bus, u64 id)
{
	struct kdbus_conn *conn;

	rcu_read_lock();
	conn = xa_load(&bus->conns, kdbus_conn_index(id));
	if (conn && (conn->id != id || !kref_get_unless_zero(&conn->kref)))
		conn = NULL;
	rcu_read_unlock();

	return conn;
}

/**
 * kdbus_conn_get() - take a reference
 * @conn:	The connection
 *
 * Return: @conn.
 */
struct kdbus_conn *kdbus_conn_get(struct kdbus_conn *conn)
{
	kref_get(&conn->kref);
	return conn;
}

static void conn_free(struct rcu_head *rcu)
{
	kmem_cache_free(conn_cache,
			container_of(rcu, struct kdbus_conn, rcu));
}

static void conn_release(struct kref *kref)
{
	struct kdbus_conn *conn = container_of(kref, struct kdbus_conn, kref);

	kdbus_queue_exit(&conn->queue);
	kdbus_pool_put(conn->pool);
	kdbus_user_put(conn->user);
	kdbus_user_put(conn->real_user);
	kdbus_identity_exit(&conn->self);
	put_cred(conn->cred);
	kdbus_waitq_put(conn->waitq);
	kdbus_node_put(&conn->ep->node);
	call_rcu(&conn->rcu, conn_free);
}

/**
 * kdbus_conn_put() - drop a reference
 * @conn:	The connection, or NULL
 *
 * Context: May sleep.
 */
void kdbus_conn_put(struct kdbus_conn *conn)
{
	if (conn) {
		/* with the last reference only, which is rare */
		might_lock(&conn->bus->domain->users.lock);
		kref_put(&conn->kref, conn_release);
	}
}

/**
 * kdbus_conn_enter() - begin to do something in the name of a connection
 * @conn:	The connection
 *
 * Disconnecting waits until kdbus_conn_leave(). User memory must not be
 * accessed before.
 *
 * Return: False if the connection is being disconnected.
 */
bool kdbus_conn_enter(struct kdbus_conn *conn)
{
	return atomic_inc_unless_negative(&conn->active);
}

/**
 * kdbus_conn_leave() - be done with what kdbus_conn_enter() began
 * @conn:	The connection
 */
void kdbus_conn_leave(struct kdbus_conn *conn)
{
	if (atomic_dec_return(&conn->active) == KDBUS_CONN_CLOSED)
		wake_up_all(&conn->waitq->wait);
}

/**
 * kdbus_conn_wake() - tell a connection that a message is waiting
 * @conn:	The connection
 *
 * All tasks that poll are woken, and one that waits in kdbus_recv().
 */
void kdbus_conn_wake(struct kdbus_conn *conn)
{
	wake_up_interruptible_poll(&conn->waitq->wait,
				   EPOLLIN | EPOLLRDNORM);
	if (wq_has_sleeper(&conn->receivers))
		wake_up_interruptible(&conn->receivers);
}

/**
 * kdbus_conn_wake_sync() - the same, by a task that is about to sleep
 * @conn:	The connection
 */
void kdbus_conn_wake_sync(struct kdbus_conn *conn)
{
	wake_up_interruptible_sync_poll(&conn->waitq->wait,
					EPOLLIN | EPOLLRDNORM);
	if (wq_has_sleeper(&conn->receivers))
		wake_up_interruptible_sync(&conn->receivers);
}

/**
 * kdbus_conn_wake_all() - tell a connection that something has changed
 * @conn:	The connection
 *
 * For several messages at once, and for its end.
 */
void kdbus_conn_wake_all(struct kdbus_conn *conn)
{
	wake_up_all(&conn->waitq->wait);
	wake_up_all(&conn->receivers);
}

/**
 * kdbus_conn_room() - tell a connection that its pool has room
 * @conn:	The connection
 *
 * For tasks that wait for a notification, see kdbus_queue_has_nothing().
 */
void kdbus_conn_room(struct kdbus_conn *conn)
{
	if (kdbus_queue_set_stuck(&conn->queue, false))
		kdbus_conn_wake_all(conn);
}

#ifdef CONFIG_PROVE_LOCKING
/**
 * kdbus_conn_might_move_more() - tell lockdep what a connection with room takes
 * @conn:	The connection
 *
 * What kdbus_conn_has_room() does is rare. Where a lock may be held, this finds out
 * each time which one.
 *
 * Context: May sleep.
 */
void kdbus_conn_might_move_more(struct kdbus_conn *conn)
{
	/* messages follow, and those that it may not have are discarded */
	might_lock(&conn->bus->lock);
	might_lock(&conn->bus->broadcast);
	might_lock(&conn->bus->domain->users.lock);
	might_lock(&conn->pool->slices.lock);
	might_lock(&conn->real_user->flights_lock);
	/* requesters are told, and tasks that receive */
	might_lock(&conn->replies.lock);
	might_lock(&conn->queue.lock);
	might_lock(&conn->waitq->wait.lock);
	might_lock(&conn->receivers.lock);
}
#endif

/**
 * kdbus_conn_module_init() - prepare for connections
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_conn_module_init(void)
{
	/* what kmalloc() has for this size is much larger */
	conn_cache = kmem_cache_create(KBUILD_MODNAME "_conn",
				       sizeof(struct kdbus_conn), 0, 0,
				       NULL);
	return conn_cache ? 0 : -ENOMEM;
}

/**
 * kdbus_conn_module_exit() - undo kdbus_conn_module_init()
 *
 * Context: May sleep; no connections are left.
 */
void kdbus_conn_module_exit(void)
{
	/* pairs with conn_release() */
	rcu_barrier();
	kmem_cache_destroy(conn_cache);
}

static bool conn_can_free(const struct kdbus_conn *conn)
{
	return kdbus_conn_kind(conn) & (KDBUS_CONN_ORDINARY |
					KDBUS_CONN_MONITOR);
}

static void conn_keep_result(struct kdbus_conn *conn, struct kdbus_slice *slice)
{
	mutex_lock(&conn->bus->lock);
	swap(conn->result, slice);
	mutex_unlock(&conn->bus->lock);

	kdbus_slice_free(slice);
}

/**
 * kdbus_conn_return() - return a slice of the caller's pool
 * @conn:	The caller
 * @cmd:	The command
 * @slice:	The result, given away
 * @member:	Where in the argument its offset goes, a u64
 *
 * Documentation/kdbus.txt, section 9.2.
 *
 * Context: May sleep; no locks may be held, user memory is accessed.
 *
 * Return: 0 or -EFAULT; then the slice is gone.
 */
int kdbus_conn_return(struct kdbus_conn *conn, struct kdbus_cmd *cmd,
		      struct kdbus_slice *slice, size_t member)
{
	int r;

	*(u64 *)(cmd->data + member) = slice->offset;
	r = kdbus_cmd_store(cmd, member, sizeof(u64));
	if (r < 0) {
		kdbus_slice_free(slice);
		kdbus_conn_has_room(conn);
	} else if (conn_can_free(conn)) {
		kdbus_slice_publish(slice);
	} else {
		conn_keep_result(conn, slice);
	}
	return r;
}
