// SPDX-License-Identifier: GPL-2.0
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "endpoint.h"
#include "files.h"
#include "item.h"
#include "limits.h"
#include "pool.h"

/* added to @active when a connection may not be entered any more */
#define KDBUS_CONN_CLOSED	INT_MIN

static int check_hello_items(const struct kdbus_cmd *cmd, bool privileged,
			     const char **name)
{
	const struct kdbus_item *item;

	kdbus_items_foreach(item, kdbus_cmd_items(cmd),
			    kdbus_cmd_items_len(cmd)) {
		switch (item->type) {
		case KDBUS_ITEM_NAME:
			return -EINVAL;
		case KDBUS_ITEM_CREDS:
		case KDBUS_ITEM_SECLABEL:
			if (!privileged)
				return -EPERM;
			break;
		case KDBUS_ITEM_CONN_NAME:
			if (*name)
				return -EINVAL;
			*name = item->str;
			break;
		}
	}

	return 0;
}

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

static int conn_init(struct kdbus_conn *conn, struct kdbus_ep *ep,
		     const struct kdbus_cmd_hello *hello, const char *name)
{
	int r;

	kref_init(&conn->kref);
	conn->flags = hello->flags;
	conn->bus = ep->bus;
	conn->ep = ep;
	kdbus_node_get(&ep->node);
	INIT_LIST_HEAD(&conn->ep_entry);
	conn->cred = get_current_cred();
	atomic_set(&conn->active, 0);
	init_waitqueue_head(&conn->wait);
	kdbus_queue_init(&conn->queue);

	conn->pool = make_pool(hello->pool_size, name);
	if (IS_ERR(conn->pool)) {
		r = PTR_ERR(conn->pool);
		conn->pool = NULL;
		return r;
	}

	conn->user = kdbus_user_find(&ep->bus->domain->users, current_fsuid());
	if (IS_ERR(conn->user)) {
		r = PTR_ERR(conn->user);
		conn->user = NULL;
		return r;
	}

	return 0;
}

/**
 * kdbus_conn_new() - make a connection
 * @ep:		The endpoint it comes through
 * @cmd:	KDBUS_CMD_HELLO
 *
 * It is not on the bus before kdbus_conn_link(). Documentation/kdbus.txt,
 * section 8.2.
 *
 * Context: May sleep.
 *
 * Return: The connection, with a reference, or an error pointer.
 */
struct kdbus_conn *kdbus_conn_new(struct kdbus_ep *ep,
				  const struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_hello *hello = cmd->data;
	const char *name = NULL;
	struct kdbus_conn *conn;
	int r;

	if (hello->pool_size == 0 || !PAGE_ALIGNED(hello->pool_size))
		return ERR_PTR(-EFAULT);

	r = check_hello_items(cmd, kdbus_bus_privileged(ep->bus), &name);
	if (r < 0)
		return ERR_PTR(r);

	conn = kzalloc(sizeof(*conn), GFP_KERNEL_ACCOUNT);
	if (!conn)
		return ERR_PTR(-ENOMEM);

	r = conn_init(conn, ep, hello, name);
	if (r < 0) {
		kdbus_conn_put(conn);
		return ERR_PTR(r);
	}

	return conn;
}

static int conn_charge(struct kdbus_conn *conn)
{
	int r;

	if (kdbus_bus_privileged(conn->bus))
		return 0;

	r = kdbus_user_charge(&conn->user->conns, KDBUS_USER_MAX_CONN);
	conn->charged = r == 0;
	return r;
}

static int conn_publish(struct kdbus_conn *conn)
{
	u64 id = atomic64_inc_return(&conn->bus->conn_ids);

	if (id > ULONG_MAX)
		return -EOVERFLOW;

	conn->id = id;
	return xa_err(xa_store(&conn->bus->conns, id, conn,
			       GFP_KERNEL_ACCOUNT));
}

/**
 * kdbus_conn_link() - put a connection on the bus
 * @conn:	The connection
 *
 * From now on it dies with the endpoint, at any moment.
 *
 * Context: May sleep.
 *
 * Return: 0, -ESHUTDOWN if the endpoint is dead, -EMFILE if the user has too
 * many connections, or -ENOMEM. If it fails, the connection is dead.
 */
int kdbus_conn_link(struct kdbus_conn *conn)
{
	int r;

	/* the endpoint may end at once, but not get past this */
	kdbus_conn_enter(conn);

	r = kdbus_ep_add(conn->ep, conn);
	if (r == 0)
		r = conn_charge(conn);
	if (r == 0)
		r = conn_publish(conn);

	kdbus_conn_leave(conn);

	if (r < 0)
		kdbus_conn_kill(conn);
	return r;
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

static void conn_release(struct kref *kref)
{
	struct kdbus_conn *conn = container_of(kref, struct kdbus_conn, kref);

	kdbus_pool_put(conn->pool);
	if (conn->charged)
		atomic_dec(&conn->user->conns);
	kdbus_user_put(conn->user);
	put_cred(conn->cred);
	kdbus_node_put(&conn->ep->node);
	kfree_rcu(conn, rcu);
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
		wake_up_all(&conn->wait);
}

/**
 * kdbus_conn_wake() - tell a connection that a message is waiting
 * @conn:	The connection
 */
void kdbus_conn_wake(struct kdbus_conn *conn)
{
	wake_up_interruptible_poll(&conn->wait, EPOLLIN | EPOLLRDNORM);
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
	int r;

	r = kdbus_queue_close(&conn->queue, only_if_idle);
	if (r < 0)
		return r;

	atomic_add(KDBUS_CONN_CLOSED, &conn->active);
	wake_up_poll(&conn->wait, EPOLLERR | EPOLLHUP);
	wait_event(conn->wait, atomic_read(&conn->active) == KDBUS_CONN_CLOSED);

	if (conn->id)
		xa_erase(&conn->bus->conns, conn->id);
	kdbus_queue_flush(&conn->queue);
	kdbus_ep_remove(conn->ep, conn);

	/* pairs with kdbus_conn_kill() */
	smp_store_release(&conn->gone, true);
	wake_up_all(&conn->wait);
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
	wait_event(conn->wait, smp_load_acquire(&conn->gone));
}

static int conn_drop(struct kdbus_conn *conn,
		     const struct kdbus_queue_pick *pick)
{
	struct kdbus_queue_entry *entry;

	entry = kdbus_queue_take(&conn->queue, pick);
	if (IS_ERR(entry))
		return PTR_ERR(entry);

	kdbus_queue_taken(&conn->queue, entry);
	kdbus_queue_entry_free(entry);
	return 0;
}

static int store_offset(struct kdbus_cmd *cmd, u64 offset)
{
	struct kdbus_cmd_recv *recv = cmd->data;

	recv->offset = offset;
	return kdbus_cmd_store(cmd, offsetof(struct kdbus_cmd_recv, offset),
			       sizeof(recv->offset));
}

/* everything that can fail comes before anything that cannot be undone */
static int hand_over(struct kdbus_cmd *cmd, struct kdbus_queue_entry *entry)
{
	int r;

	r = kdbus_files_reserve(entry->files);
	if (r < 0)
		return r;

	r = store_offset(cmd, entry->slice->offset);
	if (r < 0) {
		kdbus_files_cancel(entry->files);
		return r;
	}

	kdbus_files_install(entry->files, entry->slice);
	kdbus_slice_publish(entry->slice);
	entry->slice = NULL;
	return 0;
}

static int conn_take(struct kdbus_conn *conn,
		     const struct kdbus_queue_pick *pick, struct kdbus_cmd *cmd)
{
	struct kdbus_queue_entry *entry;
	int r;

	entry = kdbus_queue_take(&conn->queue, pick);
	if (IS_ERR(entry))
		return PTR_ERR(entry);

	r = hand_over(cmd, entry);
	if (r < 0 && kdbus_queue_untake(&conn->queue, entry)) {
		kdbus_conn_wake(conn);
		return r;
	}

	kdbus_queue_taken(&conn->queue, entry);
	kdbus_queue_entry_free(entry);
	return r;
}

/**
 * kdbus_conn_recv() - receive a message
 * @conn:	The connection
 * @cmd:	KDBUS_CMD_MSG_RECV
 *
 * Documentation/kdbus.txt, section 13.
 *
 * Context: May sleep; no locks may be held, user memory is accessed.
 *
 * Return: 0 or a negative errno; then the message is where it was.
 */
int kdbus_conn_recv(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_recv *recv = cmd->data;
	const struct kdbus_queue_pick pick = {
		.by_priority	= recv->flags & KDBUS_RECV_USE_PRIORITY,
		.priority	= recv->priority,
	};
	size_t offset;
	int r;

	if (recv->offset != 0)
		return -EINVAL;

	if (recv->flags & KDBUS_RECV_DROP)
		return conn_drop(conn, &pick);

	if (recv->flags & KDBUS_RECV_PEEK) {
		r = kdbus_queue_peek(&conn->queue, &pick, &offset);
		return r < 0 ? r : store_offset(cmd, offset);
	}

	return conn_take(conn, &pick, cmd);
}

/**
 * kdbus_conn_free() - free what has been received
 * @conn:	The connection
 * @cmd:	KDBUS_CMD_FREE
 *
 * Return: 0, -ENXIO or -EINVAL, see kdbus_pool_free().
 */
int kdbus_conn_free(struct kdbus_conn *conn, const struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_free *arg = cmd->data;

	return kdbus_pool_free(conn->pool, arg->offset);
}
