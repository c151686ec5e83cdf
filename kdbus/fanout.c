// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/slab.h>

#include "bus.h"
#include "conn.h"
#include "deliver.h"
#include "fanout.h"
#include "match.h"
#include "message.h"
#include "notify.h"
#include "policy.h"
#include "queue.h"

static int grow(struct kdbus_fanout *f)
{
	unsigned int max = f->max ? f->max * 2 : 16;
	struct kdbus_target *targets;

	targets = kvcalloc(max, sizeof(*targets), GFP_KERNEL_ACCOUNT);
	if (!targets)
		return -ENOMEM;

	memcpy(targets, f->targets, f->n * sizeof(*targets));
	kvfree(f->targets);
	f->targets = targets;
	f->max = max;
	return 0;
}

/* called under the mutex of the bus, where connections cannot go away */
static int add_target(struct kdbus_fanout *f, struct kdbus_conn *conn)
{
	int r;

	if (f->n == f->max) {
		r = grow(f);
		if (r < 0)
			return r;
	}

	f->targets[f->n++].conn = kdbus_conn_get(conn);
	return 0;
}

static void release(struct kdbus_fanout *f)
{
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		if (f->targets[i].entry)
			kdbus_deliver_undo(f->targets[i].conn,
					   f->targets[i].entry);
		if (!f->targets[i].queued)
			kdbus_queue_lost(&f->targets[i].conn->queue);
		kdbus_conn_put(f->targets[i].conn);
	}
	kvfree(f->targets);
}

/*
 * A staged message has to be committed before its queue may be emptied, so the
 * receiver is entered until then.
 */
static bool stage(struct kdbus_target *t, const struct kdbus_queue_push *how)
{
	if (!t->entry || !kdbus_conn_enter(t->conn))
		return false;
	if (kdbus_queue_stage(&t->conn->queue, t->entry, how) == 0)
		return true;

	kdbus_conn_leave(t->conn);
	return false;
}

static void commit(struct kdbus_target *t, u64 seq)
{
	kdbus_queue_commit(&t->conn->queue, t->entry, seq);
	t->entry = NULL;
	t->queued = true;
	kdbus_conn_wake(t->conn);
	kdbus_conn_leave(t->conn);
}

static void queue_all(struct kdbus_fanout *f, struct kdbus_bus *bus,
		      const struct kdbus_queue_push *how)
{
	unsigned int i, staged = 0;
	u64 seq;

	mutex_lock(&bus->broadcast);

	/* those that are staged go to the front */
	for (i = 0; i < f->n; i++)
		if (stage(&f->targets[i], how)) {
			swap(f->targets[staged], f->targets[i]);
			staged++;
		}

	seq = atomic64_inc_return(&bus->domain->msg_seq);
	for (i = 0; i < staged; i++)
		commit(&f->targets[i], seq);

	mutex_unlock(&bus->broadcast);
}

/* a copy of a user's message for each receiver that may have one */
static void write_all(struct kdbus_fanout *f, struct kdbus_message *m,
		      struct kdbus_user *user)
{
	struct kdbus_queue_entry *entry;
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		if (kdbus_deliver_check(m, f->targets[i].conn) < 0)
			continue;
		entry = kdbus_deliver_write(m, f->targets[i].conn, user);
		if (!IS_ERR(entry))
			f->targets[i].entry = entry;
	}
}

/* a message of the kernel for each receiver */
static void tell_kernel(struct kdbus_fanout *f, struct kdbus_bus *bus,
			const struct kdbus_msg *msg)
{
	struct kdbus_queue_push how = { .seq = &bus->domain->msg_seq };
	struct kdbus_queue_entry *entry;
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		entry = kdbus_deliver_write_kernel(msg, f->targets[i].conn);
		if (!IS_ERR(entry))
			f->targets[i].entry = entry;
	}
	if (f->n)
		queue_all(f, bus, &how);
}

struct broadcast {
	struct kdbus_fanout f;
	struct kdbus_conn *src;
};

static int add_receiver(struct kdbus_conn *conn, void *data)
{
	struct broadcast *b = data;

	return kdbus_policy_signal(b->src, conn) ? add_target(&b->f, conn) : 0;
}

/**
 * kdbus_broadcast() - send a message to whoever wants it
 * @src:	Who sends it, the connection of the running task
 * @m:		The message
 *
 * Nobody is told about failures. Documentation/kdbus.txt, section 16.
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 */
void kdbus_broadcast(struct kdbus_conn *src, struct kdbus_message *m)
{
	struct kdbus_bus *bus = src->bus;
	struct broadcast b = { .src = src };
	struct kdbus_user *user = kdbus_deliver_user(src, NULL);
	struct kdbus_queue_push how = {
		.unlimited	= !user,
		.seq		= &bus->domain->msg_seq,
	};
	int r;

	mutex_lock(&bus->lock);
	r = kdbus_match_message(src, m, add_receiver, &b);
	mutex_unlock(&bus->lock);

	if (r == 0 && b.f.n > 0 && kdbus_message_snapshot(m) == 0) {
		write_all(&b.f, m, user);
		if (kdbus_conn_enter(src)) {
			queue_all(&b.f, bus, &how);
			kdbus_conn_leave(src);
		}
	}

	release(&b.f);
}

static int add_listener(struct kdbus_conn *conn, void *data)
{
	return add_target(data, conn);
}

/**
 * kdbus_deliver_event() - deliver a notification to whoever wants it
 * @bus:	Where something happened
 * @event:	What
 *
 * Context: May sleep; only the mutex that keeps events in order may be held.
 */
void kdbus_deliver_event(struct kdbus_bus *bus, struct kdbus_event *event)
{
	struct kdbus_fanout f = {};

	mutex_lock(&bus->lock);
	kdbus_match_event(bus, event, add_listener, &f);
	mutex_unlock(&bus->lock);

	tell_kernel(&f, bus, &event->msg);
	release(&f);
}

/**
 * kdbus_has_monitors() - whether somebody sees all messages of a bus
 * @bus:	The bus
 *
 * Return: Whether somebody does at the moment.
 */
bool kdbus_has_monitors(const struct kdbus_bus *bus)
{
	return READ_ONCE(bus->has_monitors);
}

static void collect_monitors(struct kdbus_fanout *f, struct kdbus_bus *bus)
{
	struct kdbus_conn *conn;

	mutex_lock(&bus->lock);
	list_for_each_entry(conn, &bus->monitors, monitor_entry)
		if (add_target(f, conn) < 0)
			break;
	mutex_unlock(&bus->lock);
}

/**
 * kdbus_monitors_tell() - show a message to monitors
 * @src:	Who sent it
 * @m:		The message, delivered, with a snapshot of its payload
 *
 * Documentation/kdbus.txt, section 17.
 *
 * Context: May sleep; no locks may be held.
 */
void kdbus_monitors_tell(struct kdbus_conn *src, struct kdbus_message *m)
{
	struct kdbus_queue_push how = {
		.seq		= &src->bus->domain->msg_seq,
		.unlimited	= !kdbus_deliver_user(src, NULL),
	};
	struct kdbus_fanout f = {};

	collect_monitors(&f, src->bus);
	/* the quota of users does not apply to copies */
	write_all(&f, m, NULL);
	if (f.n)
		queue_all(&f, src->bus, &how);
	release(&f);
}

/**
 * kdbus_monitors_tell_kernel() - show a message of the kernel to monitors
 * @bus:	Where
 * @msg:	The message
 *
 * Context: May sleep; no locks may be held.
 */
void kdbus_monitors_tell_kernel(struct kdbus_bus *bus,
				const struct kdbus_msg *msg)
{
	struct kdbus_fanout f = {};

	collect_monitors(&f, bus);
	tell_kernel(&f, bus, msg);
	release(&f);
}

/**
 * kdbus_monitor_add() - let a connection see all messages
 * @conn:	A monitor
 *
 * Context: May sleep; no locks may be held.
 */
void kdbus_monitor_add(struct kdbus_conn *conn)
{
	struct kdbus_bus *bus = conn->bus;

	mutex_lock(&bus->lock);
	list_add_tail(&conn->monitor_entry, &bus->monitors);
	WRITE_ONCE(bus->has_monitors, true);
	mutex_unlock(&bus->lock);
}

/**
 * kdbus_monitor_remove() - let it see nothing any more
 * @conn:	A connection, not necessarily a monitor
 *
 * Context: May sleep; no locks may be held.
 */
void kdbus_monitor_remove(struct kdbus_conn *conn)
{
	struct kdbus_bus *bus = conn->bus;

	if (list_empty(&conn->monitor_entry))
		return;

	mutex_lock(&bus->lock);
	list_del_init(&conn->monitor_entry);
	WRITE_ONCE(bus->has_monitors, !list_empty(&bus->monitors));
	mutex_unlock(&bus->lock);
}
