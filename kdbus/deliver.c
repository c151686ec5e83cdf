// SPDX-License-Identifier: GPL-2.0
#include <linux/capability.h>
#include <linux/err.h>

#include "bus.h"
#include "conn.h"
#include "deliver.h"
#include "files.h"
#include "message.h"
#include "policy.h"
#include "pool.h"
#include "queue.h"

/* on success, @m has given its files away */
static struct kdbus_queue_entry *make_entry(struct kdbus_message *m,
					    struct kdbus_conn *dst)
{
	struct kdbus_queue_entry *entry;
	struct kdbus_slice *slice;
	int r;

	slice = kdbus_pool_alloc(dst->pool, kdbus_message_size(m), true);
	if (IS_ERR(slice))
		return ERR_CAST(slice);

	r = kdbus_message_write(m, slice);
	if (r < 0)
		goto err;

	entry = kdbus_queue_entry_new(slice, m->files, m->msg->priority);
	if (!entry) {
		r = -ENOBUFS;
		goto err;
	}

	m->files = NULL;
	return entry;

err:
	kdbus_slice_free(slice);
	return ERR_PTR(r);
}

static int queue_entry(struct kdbus_conn *src, struct kdbus_conn *dst,
		       struct kdbus_queue_entry *entry)
{
	struct kdbus_user *user = src->user;
	int r;

	/* asking is not free, and mostly idle */
	if (kdbus_queue_is_crowded(&dst->queue) && capable(CAP_IPC_OWNER))
		user = NULL;

	if (!kdbus_conn_enter(src))
		return -ECONNRESET;

	r = kdbus_queue_push(&dst->queue, entry, user);
	if (r == 0)
		kdbus_conn_wake(dst);

	kdbus_conn_leave(src);
	return r;
}

/* what can be said without touching the pool of the receiver */
static int check_receiver(const struct kdbus_message *m,
			  const struct kdbus_conn *dst)
{
	if (kdbus_queue_is_full(&dst->queue) && !capable(CAP_IPC_OWNER))
		return -ENOBUFS;
	if (!kdbus_conn_is_alive(dst))
		return -ECONNRESET;
	if (m->fds && !(dst->flags & KDBUS_HELLO_ACCEPT_FD))
		return -ECOMM;
	return 0;
}

static int deliver_to(struct kdbus_conn *src, struct kdbus_conn *dst,
		      struct kdbus_message *m)
{
	struct kdbus_queue_entry *entry;
	int r;

	r = kdbus_policy_talk(src, dst);
	if (r < 0)
		return r;
	r = check_receiver(m, dst);
	if (r < 0)
		return r;

	entry = make_entry(m, dst);
	if (IS_ERR(entry))
		return PTR_ERR(entry);

	r = queue_entry(src, dst, entry);
	if (r < 0)
		kdbus_queue_entry_free(entry);
	return r;
}

static int deliver_unicast(struct kdbus_conn *src, struct kdbus_message *m)
{
	struct kdbus_conn *dst;
	int r;

	dst = kdbus_bus_find_conn(src->bus, m->msg->dst_id);
	if (!dst)
		return -ENXIO;

	r = deliver_to(src, dst, m);
	kdbus_conn_put(dst);
	return r;
}

static int deliver(struct kdbus_conn *src, struct kdbus_message *m)
{
	/* nobody can subscribe, so nobody listens */
	if (kdbus_message_is_broadcast(m))
		return 0;
	/* nobody can own a name */
	if (m->dst_name)
		return -ESRCH;

	return deliver_unicast(src, m);
}

/**
 * kdbus_deliver() - send a message
 * @src:	Who sends it, the connection of the running task
 * @cmd:	KDBUS_CMD_MSG_SEND
 *
 * Documentation/kdbus.txt, sections 10 and 11.
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: 0 or a negative errno; then nobody has received anything.
 */
int kdbus_deliver(struct kdbus_conn *src, const struct kdbus_cmd *cmd)
{
	struct kdbus_message m;
	int r;

	r = kdbus_message_init(&m, cmd, src->bus, src->id);
	if (r < 0)
		return r;

	r = deliver(src, &m);
	kdbus_message_release(&m);
	return r;
}
