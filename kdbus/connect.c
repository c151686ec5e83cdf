// SPDX-License-Identifier: GPL-2.0
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <linux/wait.h>

#include "bus.h"
#include "conn.h"
#include "connect.h"
#include "endpoint.h"
#include "event.h"
#include "fanout.h"
#include "limits.h"
#include "match.h"
#include "meta.h"
#include "names.h"
#include "pool/pool.h"
#include "reply.h"
#include "waitq.h"

static struct kdbus_pool *connect_make_pool(u64 size, const char *name)
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

/* the accounting records of a connection; Documentation/kdbus.txt, section 5.2 */
struct conn_users {
	struct kdbus_user *user;
	struct kdbus_user *real_user;
};

static int connect_users_find(struct conn_users *u, struct kdbus_ep *ep, u64 flags)
{
	struct kdbus_users *users = &ep->bus->domain->users;

	/* files that are copied to a monitor count for no user */
	if (flags & KDBUS_HELLO_MONITOR)
		u->real_user = kdbus_user_new_anonymous(users);
	else
		u->real_user = kdbus_user_find(users, current_cred(),
					       &init_user_ns);
	if (IS_ERR(u->real_user))
		return PTR_ERR(u->real_user);

	/* connections through a custom endpoint are accounted to that */
	if (ep->custom)
		u->user = kdbus_user_get(ep->user);
	else
		u->user = kdbus_user_find(users, current_cred(),
					  ep->bus->user_ns);
	if (IS_ERR(u->user)) {
		kdbus_user_put(u->real_user);
		return PTR_ERR(u->user);
	}

	return 0;
}

static void connect_init(struct kdbus_conn *conn, struct kdbus_ep *ep,
			 struct kdbus_waitq *waitq, const struct conn_users *u,
			 const struct kdbus_hello *h)
{
	kref_init(&conn->kref);
	conn->id = atomic64_inc_return(&ep->bus->conn_ids);
	/* extensions are between the connection and the kernel */
	conn->flags = h->flags & ~(KDBUS_HELLO_EXT_RESERVE | KDBUS_EXT_ATTACH);
	conn->bus = ep->bus;
	conn->ep = ep;
	kdbus_node_get(&ep->node);
	INIT_LIST_HEAD(&conn->ep_link);
	conn->cred = get_current_cred();
	conn->capable = h->capable;
	conn->privileged = h->privileged;
	conn->user = u->user;
	conn->real_user = u->real_user;
	atomic_set(&conn->active, 0);
	conn->waitq = kdbus_waitq_get(waitq);
	init_waitqueue_head(&conn->receivers);
	kdbus_replies_init(&conn->replies);
	INIT_LIST_HEAD(&conn->names.owned);
	INIT_LIST_HEAD(&conn->names.waits);
	INIT_DELAYED_WORK(&conn->names.follow, kdbus_handover_work);
	conn->names.more = kdbus_handover_more;
	kdbus_matches_init(&conn->matches);
	INIT_LIST_HEAD(&conn->monitor_link);
	kdbus_queue_init(&conn->queue, conn->user);
}

/* its identity: that of the opener of the endpoint, or what was claimed */
static int connect_identify(struct kdbus_conn *conn, const struct kdbus_hello *h,
			    struct kdbus_meta *opener)
{
	struct kdbus_meta *fake = NULL;
	int r;

	if (h->creds || h->label) {
		fake = kdbus_meta_new_fake(h->creds, h->label);
		if (IS_ERR(fake))
			return PTR_ERR(fake);
	}

	r = kdbus_identity_init(&conn->self, fake ?: opener, h->conn_name);
	conn->self.faked = fake;
	conn->self.wanted = h->wanted;
	conn->self.allowed = h->allowed;
	kdbus_meta_put(fake);
	return r;
}

static int connect_fill(struct kdbus_conn *conn, struct kdbus_hello *h,
			struct kdbus_meta *opener)
{
	struct kdbus_pool *pool;
	int r;

	r = connect_identify(conn, h, opener);
	if (r < 0)
		return r;

	pool = connect_make_pool(h->pool_size, h->conn_name);
	if (IS_ERR(pool))
		return PTR_ERR(pool);

	conn->pool = pool;
	conn->queue.quota.pool = pool;
	if (h->flags & KDBUS_HELLO_EXT_RESERVE) {
		r = kdbus_pool_populate(pool);
		if (r < 0)
			return r;
	}

	/* what others notice comes last */
	if (h->name)
		r = kdbus_policy_db_set(&conn->bus->policy, conn, &h->policy);
	return r;
}

static struct kdbus_conn *connect_make(struct kdbus_ep *ep,
				       struct kdbus_meta *opener,
				    struct kdbus_waitq *waitq,
				    struct kdbus_hello *h)
{
	struct kdbus_conn *conn;
	struct conn_users u;
	int r;

	r = connect_users_find(&u, ep, h->flags);
	if (r < 0)
		return ERR_PTR(r);

	conn = kdbus_conn_alloc();
	if (!conn) {
		kdbus_user_put(u.user);
		kdbus_user_put(u.real_user);
		return ERR_PTR(-ENOMEM);
	}

	connect_init(conn, ep, waitq, &u, h);
	r = connect_fill(conn, h, opener);
	if (r < 0) {
		kdbus_conn_close(conn);
		return ERR_PTR(r);
	}

	return conn;
}

/**
 * kdbus_conn_new() - make a connection
 * @ep:		The endpoint it comes through
 * @opener:	Credentials of the task that opened that
 * @waitq:	Where tasks poll
 * @cmd:	KDBUS_CMD_HELLO
 *
 * It is not on the bus before kdbus_conn_link(). Documentation/kdbus.txt,
 * section 8.2.
 *
 * Context: May sleep.
 *
 * Return: The connection, to be ended with kdbus_conn_close(), or an error
 * pointer.
 */
struct kdbus_conn *kdbus_conn_new(struct kdbus_ep *ep,
				  struct kdbus_meta *opener,
				  struct kdbus_waitq *waitq,
				  const struct kdbus_cmd *cmd)
{
	struct kdbus_conn *conn;
	struct kdbus_hello h;
	int r;

	r = kdbus_hello_init(&h, ep, cmd);
	if (r < 0)
		return ERR_PTR(r);

	conn = connect_make(ep, opener, waitq, &h);
	kdbus_hello_release(&h);
	return conn;
}

static int connect_charge(struct kdbus_conn *conn)
{
	int r;

	if (conn->privileged)
		return 0;

	r = kdbus_user_charge(&kdbus_conn_payer(conn)->conns,
			      KDBUS_USER_MAX_CONN);
	conn->charged = r == 0;
	return r;
}

static void connect_uncharge(struct kdbus_conn *conn)
{
	if (conn->charged)
		atomic_dec(&kdbus_conn_payer(conn)->conns);
	conn->charged = false;
}

static int connect_publish(struct kdbus_conn *conn)
{
	int r;

	/* allocates memory, so not under bus->lock */
	for (;;) {
		r = xa_insert(&conn->bus->conns, kdbus_conn_index(conn->id),
			      XA_ZERO_ENTRY, GFP_KERNEL_ACCOUNT);
		if (r != -EBUSY)
			break;
		conn->id = atomic64_inc_return(&conn->bus->conn_ids);
	}
	if (r < 0)
		return r;

	/* the index is reserved, so this allocates nothing */
	mutex_lock(&conn->bus->lock);
	r = xa_err(xa_store(&conn->bus->conns, kdbus_conn_index(conn->id),
			    conn, 0));
	mutex_unlock(&conn->bus->lock);
	if (r == 0 && conn->flags & KDBUS_HELLO_MONITOR)
		kdbus_monitor_add(conn);
	return r;
}

static int connect_add_to_ep(struct kdbus_conn *conn)
{
	struct kdbus_ep *ep = conn->ep;
	int r = 0;

	mutex_lock(&ep->lock);
	if (ep->closed)
		r = -ESHUTDOWN;
	else
		list_add_tail(&conn->ep_link, &ep->conns);
	mutex_unlock(&ep->lock);

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

	/* should the endpoint end now, it waits for kdbus_conn_leave() */
	kdbus_conn_enter(conn);

	r = connect_add_to_ep(conn);
	if (r == 0)
		r = connect_charge(conn);
	if (r == 0)
		r = connect_publish(conn);
	/* comes last: others are told of its name, whatever happens next */
	if (r == 0 && conn->flags & KDBUS_HELLO_ACTIVATOR)
		r = kdbus_name_activate(conn, kdbus_hello_name(cmd));

	kdbus_conn_leave(conn);

	if (r < 0)
		kdbus_conn_kill(conn);
	return r;
}

/* events about a connection itself; those about its names come before */
static void connect_event(struct kdbus_conn *conn, u64 type)
{
	struct kdbus_bus *bus = conn->bus;
	struct kdbus_event *event;

	/* there is no way to refuse this */
	event = kdbus_event_new_id(type, conn, GFP_KERNEL | __GFP_NOFAIL);

	mutex_lock(&bus->lock);
	/* no ID_REMOVE without an ID_ADD before it */
	if (type == KDBUS_ITEM_ID_ADD ? kdbus_conn_is_alive(conn) :
					conn->announced) {
		conn->announced = true;
		kdbus_event_queue(bus, event);
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
	connect_event(conn, KDBUS_ITEM_ID_ADD);
}

static void connect_remove_from_ep(struct kdbus_conn *conn)
{
	mutex_lock(&conn->ep->lock);
	list_del_init(&conn->ep_link);
	mutex_unlock(&conn->ep->lock);
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
 * Return: 0, -EALREADY if another thread has begun to do so before, or -EBUSY.
 */
int kdbus_conn_disconnect(struct kdbus_conn *conn, bool only_if_idle)
{
	struct kdbus_queued_msg *qmsg;
	int r;

	r = kdbus_queue_close(&conn->queue, only_if_idle);
	if (r < 0)
		return r;

	atomic_add(KDBUS_CONN_CLOSED, &conn->active);
	kdbus_conn_wake_all(conn);
	wait_event(conn->waitq->wait,
		   atomic_read(&conn->active) == KDBUS_CONN_CLOSED);

	kdbus_replies_shutdown_requests(conn);
	kdbus_monitor_remove(conn);
	kdbus_matches_drop(conn);
	/* for NAME_LIST, a connection and its names go at the same time */
	mutex_lock(&conn->bus->lock);
	/* if it was never there, another one may have its index */
	xa_cmpxchg(&conn->bus->conns, kdbus_conn_index(conn->id), conn, NULL,
		   0);
	kdbus_names_drop(conn);
	mutex_unlock(&conn->bus->lock);
	/* senders that have seen the end wait for the next owner */
	wake_up_all(&conn->waitq->wait);
	/* nothing follows to a connection that owns nothing */
	cancel_delayed_work_sync(&conn->names.follow);
	if (kdbus_conn_kind(conn) & (KDBUS_CONN_ACTIVATOR | KDBUS_CONN_HOLDER))
		kdbus_policy_db_remove(&conn->bus->policy, conn);
	/* before others are told, so that they can connect then */
	connect_uncharge(conn);
	kdbus_notify_flush(conn->bus);

	while ((qmsg = kdbus_queue_next_dead(&conn->queue)))
		kdbus_reply_discard(conn, qmsg);
	kdbus_replies_shutdown_owed(conn);
	connect_event(conn, KDBUS_ITEM_ID_REMOVE);
	connect_remove_from_ep(conn);

	/* pairs with kdbus_conn_kill() */
	smp_store_release(&conn->gone, true);
	wake_up_all(&conn->waitq->wait);
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
	wait_event(conn->waitq->wait, smp_load_acquire(&conn->gone));
}

/**
 * kdbus_conn_byebye() - KDBUS_CMD_BYEBYE
 * @conn:	The connection
 * @cmd:	The command
 *
 * Documentation/kdbus.txt, section 8.3.
 *
 * Context: May sleep.
 *
 * Return: As kdbus_conn_disconnect().
 */
int kdbus_conn_byebye(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	return kdbus_conn_disconnect(conn, true);
}

static struct kdbus_conn *connect_first_of_ep(struct kdbus_ep *ep)
{
	struct kdbus_conn *conn;

	mutex_lock(&ep->lock);
	conn = list_first_entry_or_null(&ep->conns, struct kdbus_conn,
					ep_link);
	if (conn)
		kdbus_conn_get(conn);
	mutex_unlock(&ep->lock);

	return conn;
}

/**
 * kdbus_conn_disconnect_all() - disconnect all connections of an endpoint
 * @ep:		The endpoint, closed
 *
 * Context: May sleep.
 */
void kdbus_conn_disconnect_all(struct kdbus_ep *ep)
{
	struct kdbus_conn *conn;

	while ((conn = connect_first_of_ep(ep))) {
		kdbus_conn_kill(conn);
		kdbus_conn_put(conn);
	}
}

/**
 * kdbus_conn_close() - end a connection for good
 * @conn:	The connection, to which no handle leads any more
 *
 * Drops the reference of the handle. Senders may keep the connection longer, but
 * the contents of its pool are kept by mappings only.
 *
 * Context: May sleep.
 */
void kdbus_conn_close(struct kdbus_conn *conn)
{
	kdbus_conn_kill(conn);
	kdbus_slice_free(conn->result);
	if (conn->pool)
		kdbus_pool_close(conn->pool);
	kdbus_conn_put(conn);
}
