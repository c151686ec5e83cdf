// SPDX-License-Identifier: GPL-2.0
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "bus.h"
#include "conn.h"
#include "endpoint.h"
#include "fanout.h"
#include "handle.h"
#include "hello.h"
#include "limits.h"
#include "meta.h"
#include "name-cmd.h"
#include "notify.h"
#include "policy-db.h"
#include "pool.h"
#include "reply.h"
#include "requests.h"

/* added to @active when a connection may not be entered any more */
#define KDBUS_CONN_CLOSED	INT_MIN

static struct kmem_cache *kdbus_conn_cache;

static struct kdbus_pool *make_pool(u64 size, const char *name)
{
	struct kdbus_pool *pool;
	char *label;

	label = kasprintf(GFP_KERNEL, "%s-conn%s%s", KBUILD_MODNAME,
			  name ? ":" : "", name ?: "");
	if (!label)
		return ERR_PTR(-ENOMEM);

	pool = kdbus_pool_new(size, label);
	kfree(label);
	return pool;
}

static void conn_init(struct kdbus_conn *conn, struct kdbus_handle *handle,
		      struct kdbus_user *person, const struct kdbus_hello *h)
{
	struct kdbus_ep *ep = kdbus_ep(handle->node);
	/* connections through a custom endpoint are accounted to that */
	struct kdbus_user *user = ep->custom ? ep->user : person;

	kref_init(&conn->kref);
	conn->id = atomic64_inc_return(&ep->bus->conn_ids);
	/* extensions are between the connection and the kernel */
	conn->flags = h->flags & ~KDBUS_EXT_ATTACH;
	conn->bus = ep->bus;
	conn->ep = ep;
	kdbus_node_get(&ep->node);
	INIT_LIST_HEAD(&conn->ep_entry);
	conn->cred = get_current_cred();
	conn->capable = h->capable;
	conn->privileged = h->privileged;
	conn->user = kdbus_user_get(user);
	conn->person = person;
	atomic_set(&conn->active, 0);
	conn->handle = kdbus_handle_get(handle);
	kdbus_replies_init(&conn->replies);
	kdbus_conn_names_init(&conn->names);
	kdbus_matches_init(&conn->matches);
	INIT_LIST_HEAD(&conn->monitor_entry);
	kdbus_queue_init(&conn->queue, user);
}

/* whom it says it is: who opened the endpoint, or who was claimed */
static int conn_identify(struct kdbus_conn *conn, const struct kdbus_hello *h,
			 struct kdbus_meta *record)
{
	struct kdbus_meta *fake = NULL;
	int r;

	if (h->creds || h->label) {
		fake = kdbus_meta_new_fake(h->creds, h->label);
		if (IS_ERR(fake))
			return PTR_ERR(fake);
	}

	r = kdbus_identity_init(&conn->self, fake ?: record, h->conn_name);
	conn->self.faked = fake;
	conn->self.wanted = h->wanted;
	conn->self.allowed = h->allowed;
	kdbus_meta_put(fake);
	return r;
}

static int conn_fill(struct kdbus_conn *conn, struct kdbus_hello *h,
		     struct kdbus_meta *record)
{
	struct kdbus_pool *pool;
	int r;

	r = conn_identify(conn, h, record);
	if (r < 0)
		return r;

	if (h->name) {
		r = kdbus_policy_db_set(&conn->bus->policy, conn, &h->policy);
		if (r < 0)
			return r;
	}

	pool = make_pool(h->pool_size, h->conn_name);
	if (IS_ERR(pool))
		return PTR_ERR(pool);

	conn->pool = pool;
	return 0;
}

static struct kdbus_conn *make_conn(struct kdbus_handle *handle,
				    struct kdbus_hello *h)
{
	struct kdbus_ep *ep = kdbus_ep(handle->node);
	struct kdbus_user *person;
	struct kdbus_conn *conn;
	int r;

	person = kdbus_user_find(&ep->bus->domain->users, current_fsuid());
	if (IS_ERR(person))
		return ERR_CAST(person);

	conn = kmem_cache_zalloc(kdbus_conn_cache, GFP_KERNEL_ACCOUNT);
	if (!conn) {
		kdbus_user_put(person);
		return ERR_PTR(-ENOMEM);
	}

	conn_init(conn, handle, person, h);
	r = conn_fill(conn, h, handle->record);
	if (r < 0) {
		kdbus_conn_kill(conn);
		kdbus_conn_put(conn);
		return ERR_PTR(r);
	}

	return conn;
}

/**
 * kdbus_conn_new() - make a connection
 * @handle:	What it will belong to, an endpoint
 * @cmd:	KDBUS_CMD_HELLO
 *
 * It is not on the bus before kdbus_conn_link(). Documentation/kdbus.txt,
 * section 8.2.
 *
 * Context: May sleep.
 *
 * Return: The connection, with a reference, or an error pointer.
 */
struct kdbus_conn *kdbus_conn_new(struct kdbus_handle *handle,
				  const struct kdbus_cmd *cmd)
{
	struct kdbus_conn *conn;
	struct kdbus_hello h;
	int r;

	r = kdbus_hello_init(&h, kdbus_ep(handle->node), cmd);
	if (r < 0)
		return ERR_PTR(r);

	conn = make_conn(handle, &h);
	kdbus_hello_release(&h);
	return conn;
}

static int conn_charge(struct kdbus_conn *conn)
{
	int r;

	if (conn->privileged)
		return 0;

	r = kdbus_user_charge(&conn->user->conns, KDBUS_USER_MAX_CONN);
	conn->charged = r == 0;
	return r;
}

static int conn_publish(struct kdbus_conn *conn)
{
	int r;

	mutex_lock(&conn->bus->lock);
	r = xa_err(xa_store(&conn->bus->conns, conn->id, conn,
			    GFP_KERNEL_ACCOUNT));
	mutex_unlock(&conn->bus->lock);
	if (r == 0 && conn->flags & KDBUS_HELLO_MONITOR)
		kdbus_monitor_add(conn);
	return r;
}

/**
 * kdbus_conn_link() - put a connection on the bus
 * @conn:	The connection
 * @cmd:	KDBUS_CMD_HELLO
 *
 * From now on it dies with the endpoint, at any moment.
 *
 * Context: May sleep.
 *
 * Return: 0, -ESHUTDOWN if the endpoint is dead, -EMFILE if the user has too
 * many connections, or -ENOMEM. If it fails, the connection is dead.
 */
int kdbus_conn_link(struct kdbus_conn *conn, const struct kdbus_cmd *cmd)
{
	int r;

	/* the endpoint may end at once, but not get past this */
	kdbus_conn_enter(conn);

	r = kdbus_ep_add(conn->ep, conn);
	if (r == 0)
		r = conn_charge(conn);
	if (r == 0)
		r = conn_publish(conn);
	/* only now, as others hear of its name whatever happens next */
	if (r == 0 && conn->flags & KDBUS_HELLO_ACTIVATOR)
		r = kdbus_name_activate(conn, kdbus_hello_name(cmd));

	kdbus_conn_leave(conn);

	if (r < 0)
		kdbus_conn_kill(conn);
	return r;
}

/* events about a connection itself; those about its names come before */
static void conn_event(struct kdbus_conn *conn, u64 type)
{
	struct kdbus_bus *bus = conn->bus;
	struct kdbus_event *event;

	/* there is no way to refuse this */
	event = kdbus_event_new_id(type, conn->id, conn->flags,
				   GFP_KERNEL | __GFP_NOFAIL);

	mutex_lock(&bus->lock);
	/* who was never announced is not taken leave of */
	if (type == KDBUS_ITEM_ID_ADD ? kdbus_conn_is_alive(conn) :
					conn->announced) {
		conn->announced = true;
		kdbus_notify(bus, event);
		event = NULL;
	}
	mutex_unlock(&bus->lock);

	kdbus_event_free(event);
	kdbus_notify_flush(bus);
}

/**
 * kdbus_conn_announce() - tell others that a connection is there
 * @conn:	The connection, linked
 *
 * Context: May sleep; no locks may be held.
 */
void kdbus_conn_announce(struct kdbus_conn *conn)
{
	conn_event(conn, KDBUS_ITEM_ID_ADD);
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
	kmem_cache_free(kdbus_conn_cache,
			container_of(rcu, struct kdbus_conn, rcu));
}

static void conn_release(struct kref *kref)
{
	struct kdbus_conn *conn = container_of(kref, struct kdbus_conn, kref);

	kdbus_queue_exit(&conn->queue);
	kdbus_pool_put(conn->pool);
	if (conn->charged)
		atomic_dec(&conn->user->conns);
	kdbus_user_put(conn->user);
	kdbus_user_put(conn->person);
	kdbus_identity_exit(&conn->self);
	put_cred(conn->cred);
	kdbus_handle_put(conn->handle);
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
	if (conn)
		kref_put(&conn->kref, conn_release);
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
		wake_up_all(&conn->handle->wait);
}

/**
 * kdbus_conn_wake() - tell a connection that a message is waiting
 * @conn:	The connection
 */
void kdbus_conn_wake(struct kdbus_conn *conn)
{
	wake_up_interruptible_poll(&conn->handle->wait,
				   EPOLLIN | EPOLLRDNORM);
}

/**
 * kdbus_conn_wake_sync() - the same, by a task that is about to sleep
 * @conn:	The connection
 */
void kdbus_conn_wake_sync(struct kdbus_conn *conn)
{
	wake_up_interruptible_sync_poll(&conn->handle->wait,
					EPOLLIN | EPOLLRDNORM);
}

/**
 * kdbus_conn_disconnect() - disconnect a connection
 * @conn:	The connection
 * @only_if_idle: Fail if messages are waiting
 *
 * Documentation/kdbus.txt, section 8.3.
 *
 * Context: May sleep.
 *
 * Return: 0, -EALREADY if somebody has begun to do so before, or -EBUSY.
 */
int kdbus_conn_disconnect(struct kdbus_conn *conn, bool only_if_idle)
{
	struct kdbus_queue_entry *entry;
	int r;

	r = kdbus_queue_close(&conn->queue, only_if_idle);
	if (r < 0)
		return r;

	atomic_add(KDBUS_CONN_CLOSED, &conn->active);
	wake_up_poll(&conn->handle->wait, EPOLLERR | EPOLLHUP);
	wait_event(conn->handle->wait,
		   atomic_read(&conn->active) == KDBUS_CONN_CLOSED);

	kdbus_replies_shutdown_requests(conn);
	kdbus_monitor_remove(conn);
	kdbus_matches_drop(conn);
	/* whoever lists names finds all of them with an owner */
	mutex_lock(&conn->bus->lock);
	xa_erase(&conn->bus->conns, conn->id);
	kdbus_names_drop(conn);
	mutex_unlock(&conn->bus->lock);
	if (kdbus_conn_kind(conn) & (KDBUS_CONN_ACTIVATOR | KDBUS_CONN_HOLDER))
		kdbus_policy_db_remove(&conn->bus->policy, conn);
	kdbus_notify_flush(conn->bus);

	while ((entry = kdbus_queue_next_dead(&conn->queue)))
		kdbus_conn_discard(conn, entry);
	kdbus_replies_shutdown_owed(conn);
	conn_event(conn, KDBUS_ITEM_ID_REMOVE);
	kdbus_ep_remove(conn->ep, conn);

	/* pairs with kdbus_conn_kill() */
	smp_store_release(&conn->gone, true);
	wake_up_all(&conn->handle->wait);
	return 0;
}

/**
 * kdbus_conn_kill() - disconnect a connection, or wait until it is
 * @conn:	The connection
 *
 * Context: May sleep.
 */
void kdbus_conn_kill(struct kdbus_conn *conn)
{
	if (kdbus_conn_disconnect(conn, false) != -EALREADY)
		return;

	/* pairs with kdbus_conn_disconnect() */
	wait_event(conn->handle->wait, smp_load_acquire(&conn->gone));
}

/**
 * kdbus_conn_discard() - get rid of a message that nobody will read
 * @conn:	The connection it was for
 * @entry:	The message, in no queue
 *
 * If it is a request, the requester is told.
 *
 * Context: May sleep; no locks may be held that notifications take.
 */
void kdbus_conn_discard(struct kdbus_conn *conn,
			struct kdbus_queue_entry *entry)
{
	kdbus_reply_abandon(entry->reply);
	kdbus_queue_entry_free(&conn->queue, entry);
}

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
	kdbus_conn_cache = kmem_cache_create(KBUILD_MODNAME "_conn",
					     sizeof(struct kdbus_conn), 0, 0,
					     NULL);
	return kdbus_conn_cache ? 0 : -ENOMEM;
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
	kmem_cache_destroy(kdbus_conn_cache);
}
