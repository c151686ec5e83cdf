// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/slab.h>

#include "bus.h"
#include "conn.h"
#include "copy.h"
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

/* @sent: there was a message, and who has not got it has lost it */
static void release(struct kdbus_fanout *f, bool sent)
{
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		if (f->targets[i].entry)
			kdbus_copy_undo(f->targets[i].conn,
					f->targets[i].entry);
		if (sent && !f->targets[i].queued)
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

/* returns how many are staged; they go to the front */
static unsigned int stage_all(struct kdbus_fanout *f,
			      const struct kdbus_queue_push *how)
{
	unsigned int i, staged = 0;

	for (i = 0; i < f->n; i++)
		if (stage(&f->targets[i], how)) {
			swap(f->targets[staged], f->targets[i]);
			staged++;
		}

	return staged;
}

static void commit_all(struct kdbus_fanout *f, unsigned int staged, u64 seq)
{
	unsigned int i;

	for (i = 0; i < staged; i++)
		commit(&f->targets[i], seq);
}

static void queue_all(struct kdbus_fanout *f, struct kdbus_bus *bus,
		      const struct kdbus_queue_push *how)
{
	unsigned int staged;

	if (!f->n) {
		/* it is counted nevertheless */
		atomic64_inc(how->seq);
		return;
	}

	mutex_lock(&bus->broadcast);
	staged = stage_all(f, how);
	commit_all(f, staged, atomic64_inc_return(how->seq));
	mutex_unlock(&bus->broadcast);
}

/* metadata for all receivers; if there is no memory, they do without */
static void gather(struct kdbus_fanout *f, struct kdbus_message *m)
{
	u64 want = 0;
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		f->targets[i].want = kdbus_attach_want(m->src,
						       f->targets[i].conn);
		want |= f->targets[i].want;
	}

	kdbus_attach_gather(&m->attach, m->src, want);
}

/* a copy of a user's message for each receiver that may have one */
static void write_all(struct kdbus_fanout *f, struct kdbus_message *m,
		      struct kdbus_user *user)
{
	struct kdbus_queue_entry *entry;
	unsigned int i;

	gather(f, m);
	for (i = 0; i < f->n; i++) {
		if (kdbus_copy_check(m, f->targets[i].conn) < 0)
			continue;
		entry = kdbus_copy_new(m, f->targets[i].conn, user,
				       f->targets[i].want);
		if (!IS_ERR(entry))
			f->targets[i].entry = entry;
	}
}

/* a message of the kernel for each receiver */
static void write_all_kernel(struct kdbus_fanout *f,
			     const struct kdbus_msg *msg)
{
	struct kdbus_queue_entry *entry;
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		entry = kdbus_copy_new_kernel(msg, f->targets[i].conn);
		if (!IS_ERR(entry))
			f->targets[i].entry = entry;
	}
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
 * @src:	Who sends it
 * @m:		The message
 *
 * Nobody is told who has not got it. Documentation/kdbus.txt, section 16.
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: 0, or -ECONNRESET if @src was disconnected meanwhile; then nobody has
 * got it.
 */
int kdbus_broadcast(struct kdbus_conn *src, struct kdbus_message *m)
{
	struct kdbus_bus *bus = src->bus;
	struct broadcast b = { .src = src };
	struct kdbus_user *user = kdbus_copy_user(src);
	struct kdbus_queue_push how = {
		.unlimited	= !user,
		.seq		= &bus->domain->msg_seq,
	};
	bool sent;
	int r;

	mutex_lock(&bus->lock);
	r = kdbus_match_message(src, m, add_receiver, &b);
	mutex_unlock(&bus->lock);

	if (r == 0 && b.f.n > 0 && kdbus_message_snapshot(m) == 0)
		write_all(&b.f, m, user);
	sent = kdbus_conn_enter(src);
	if (sent) {
		queue_all(&b.f, bus, &how);
		kdbus_conn_leave(src);
	}

	release(&b.f, sent);
	return sent ? 0 : -ECONNRESET;
}

struct telling {
	struct kdbus_fanout f;
	struct kdbus_event *event;
};

static int add_listener(struct kdbus_conn *conn, void *data)
{
	struct telling *t = data;
	const char *name = t->event->name;

	/* another thread may add matches before HELLO has told others */
	if (!name && kdbus_event_item(t->event)->id_change.id == conn->id)
		return 0;
	if (name && !kdbus_policy_see(conn, name))
		return 0;
	return add_target(&t->f, conn);
}

/**
 * kdbus_fanout_event() - deliver a notification to whoever wants it
 * @bus:	Where something happened
 * @event:	What
 *
 * Context: May sleep; only the mutex that keeps events in order may be held.
 */
void kdbus_fanout_event(struct kdbus_bus *bus, struct kdbus_event *event)
{
	struct kdbus_queue_push how = { .seq = &bus->domain->msg_seq };
	struct telling t = { .event = event };

	mutex_lock(&bus->lock);
	kdbus_match_event(bus, event, add_listener, &t);
	mutex_unlock(&bus->lock);

	write_all_kernel(&t.f, &event->msg);
	queue_all(&t.f, bus, &how);
	release(&t.f, true);
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
 * kdbus_monitors_write() - write copies of a message for monitors
 * @f:		The copies, zeroed
 * @m:		The message, with a snapshot of its payload
 *
 * To be followed by kdbus_monitors_release(). Documentation/kdbus.txt, section
 * 17.
 *
 * Context: May sleep; no locks may be held.
 */
void kdbus_monitors_write(struct kdbus_fanout *f, struct kdbus_message *m)
{
	collect_monitors(f, m->src->bus);
	/* the quota of users does not apply to copies */
	write_all(f, m, NULL);
}

/**
 * kdbus_monitors_write_kernel() - the same for a message of the kernel
 * @f:		The copies, zeroed
 * @bus:	Where
 * @msg:	The message
 *
 * Context: May sleep; no locks may be held.
 */
void kdbus_monitors_write_kernel(struct kdbus_fanout *f, struct kdbus_bus *bus,
				 const struct kdbus_msg *msg)
{
	collect_monitors(f, bus);
	write_all_kernel(f, msg);
}

/* a copy goes to a monitor, whatever name the message is addressed to */
static unsigned int stage_copies(struct kdbus_fanout *f,
				 const struct kdbus_queue_push *how)
{
	struct kdbus_queue_push copy = { .unlimited = how->unlimited };

	return stage_all(f, &copy);
}

/**
 * kdbus_monitors_push() - queue a message together with its copies
 * @f:		The copies
 * @bus:	Where
 * @queue:	The queue of the receiver, who is entered
 * @entry:	The message; on success the queue owns it
 * @how:	Under which conditions
 *
 * All get the same number. If the receiver does not get the message, nobody
 * does.
 *
 * Context: May sleep; no locks may be held.
 *
 * Return: As kdbus_queue_push().
 */
int kdbus_monitors_push(struct kdbus_fanout *f, struct kdbus_bus *bus,
			struct kdbus_queue *queue,
			struct kdbus_queue_entry *entry,
			const struct kdbus_queue_push *how)
{
	unsigned int staged;
	u64 seq;
	int r;

	mutex_lock(&bus->broadcast);
	r = kdbus_queue_stage(queue, entry, how);
	if (r == 0) {
		staged = stage_copies(f, how);
		seq = atomic64_inc_return(how->seq);
		kdbus_queue_commit(queue, entry, seq);
		commit_all(f, staged, seq);
		f->sent = true;
	}
	mutex_unlock(&bus->broadcast);

	return r;
}

/**
 * kdbus_monitors_commit() - queue copies of a message that is in no queue
 * @f:		The copies
 * @bus:	Where; its mutex for broadcasts is held since @seq was given
 * @how:	Under which conditions
 * @seq:	Number of the message
 *
 * Context: May sleep.
 */
void kdbus_monitors_commit(struct kdbus_fanout *f, struct kdbus_bus *bus,
			   const struct kdbus_queue_push *how, u64 seq)
{
	lockdep_assert_held(&bus->broadcast);

	commit_all(f, stage_copies(f, how), seq);
	f->sent = true;
}

/**
 * kdbus_monitors_release() - be done with copies
 * @f:		The copies
 *
 * Context: May sleep; no locks may be held.
 */
void kdbus_monitors_release(struct kdbus_fanout *f)
{
	release(f, f->sent);
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
