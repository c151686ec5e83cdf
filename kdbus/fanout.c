// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/slab.h>

#include "bus.h"
#include "conn.h"
#include "event.h"
#include "fanout.h"
#include "match.h"
#include "memcg.h"
#include "message.h"
#include "policy.h"
#include "queue.h"

static int fanout_grow(struct kdbus_fanout *f)
{
	unsigned int max = f->max ? f->max * 2 : 16;
	struct kdbus_target *targets;

	/* bus->flush may be held: waits only if the machine has no memory */
	targets = kdbus_memcg_alloc_now(array_size(max, sizeof(*targets)));
	if (!targets)
		targets = kvcalloc(max, sizeof(*targets), GFP_KERNEL);
	if (!targets)
		return -ENOMEM;

	memcpy(targets, f->targets, f->n * sizeof(*targets));
	kvfree(f->targets);
	f->targets = targets;
	f->max = max;
	return 0;
}

/* the reference to @conn is passed on, unless this fails */
static int fanout_add_target(struct kdbus_fanout *f, struct kdbus_conn *conn)
{
	int r;

	if (f->n == f->max) {
		r = fanout_grow(f);
		if (r < 0)
			return r;
	}

	f->targets[f->n++].conn = conn;
	return 0;
}

/*
 * Keep each receiver once, and only those that @may says may have it, which is
 * called under ``bus->lock``.
 */
static void fanout_select(struct kdbus_fanout *f, struct kdbus_bus *bus,
			  bool (*may)(struct kdbus_conn *conn, void *data),
			  void *data)
{
	unsigned int i, n = 0, all = f->n;
	struct kdbus_conn *conn;

	mutex_lock(&bus->lock);
	bus->fanouts++;
	for (i = 0; i < all; i++) {
		conn = f->targets[i].conn;
		if (conn->fanout == bus->fanouts || !may(conn, data))
			continue;
		conn->fanout = bus->fanouts;
		swap(f->targets[n].conn, f->targets[i].conn);
		n++;
	}
	mutex_unlock(&bus->lock);

	f->n = n;
	for (i = n; i < all; i++)
		kdbus_conn_put(f->targets[i].conn);
}

/**
 * kdbus_fanout_release() - be done with receivers
 * @f:		The receivers
 * @sent:	There was a message, and a receiver without a copy has lost it
 *
 * Context: May sleep; no locks may be held.
 */
void kdbus_fanout_release(struct kdbus_fanout *f, bool sent)
{
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		if (f->targets[i].qmsg)
			kdbus_msg_copy_undo(f->targets[i].conn,
					    f->targets[i].qmsg);
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
static bool fanout_stage(struct kdbus_target *t, const struct kdbus_queue_how *how)
{
	lockdep_assert_held(&t->conn->bus->broadcast);

	if (!t->qmsg || !kdbus_conn_enter(t->conn))
		return false;
	if (kdbus_queue_stage(&t->conn->queue, t->qmsg, how) == 0)
		return true;

	kdbus_conn_leave(t->conn);
	return false;
}

static void fanout_commit(struct kdbus_target *t, u64 seq)
{
	lockdep_assert_held(&t->conn->bus->broadcast);

	kdbus_queue_commit(&t->conn->queue, t->qmsg, seq);
	t->qmsg = NULL;
	t->queued = true;
	kdbus_conn_wake(t->conn);
	kdbus_conn_leave(t->conn);
}

/* returns how many are staged; they go to the front */
static unsigned int fanout_stage_all(struct kdbus_fanout *f,
				     const struct kdbus_queue_how *how)
{
	unsigned int i, staged = 0;

	for (i = 0; i < f->n; i++)
		if (fanout_stage(&f->targets[i], how)) {
			swap(f->targets[staged], f->targets[i]);
			staged++;
		}

	return staged;
}

static void fanout_commit_all(struct kdbus_fanout *f, unsigned int staged, u64 seq)
{
	unsigned int i;

	for (i = 0; i < staged; i++)
		fanout_commit(&f->targets[i], seq);
}

static void fanout_queue_all(struct kdbus_fanout *f, struct kdbus_bus *bus,
			     const struct kdbus_queue_how *how)
{
	unsigned int staged;

	if (!f->n) {
		/* without receivers it has a number nevertheless */
		atomic64_inc(how->seq);
		return;
	}

	mutex_lock(&bus->broadcast);
	staged = fanout_stage_all(f, how);
	fanout_commit_all(f, staged, atomic64_inc_return(how->seq));
	mutex_unlock(&bus->broadcast);
}

/* remember their ids, but keep no references; returns what any may have */
static u64 fanout_forget(struct kdbus_fanout *f, const struct kdbus_conn *src)
{
	struct kdbus_target *t;
	u64 want = 0;

	for (t = f->targets; t < f->targets + f->n; t++) {
		t->id = t->conn->id;
		t->want = kdbus_msg_meta_want(&src->self, &t->conn->self);
		want |= t->want;
		kdbus_conn_put(t->conn);
	}

	return want;
}

/* a connection that is not on the bus any more is left out */
static void fanout_recall(struct kdbus_fanout *f, struct kdbus_bus *bus)
{
	unsigned int i, n = 0;

	for (i = 0; i < f->n; i++) {
		f->targets[n] = f->targets[i];
		f->targets[n].conn = kdbus_conn_find(bus, f->targets[n].id);
		if (f->targets[n].conn)
			n++;
	}
	f->n = n;
}

/*
 * Reads payload and metadata for all receivers; if there is no memory, they get
 * no metadata. Reading may wait for user space: references that are held meanwhile
 * would let one sender keep any number of receivers after their end.
 */
static int fanout_read(struct kdbus_fanout *f, struct kdbus_message *m)
{
	u64 want = fanout_forget(f, m->src);
	int r;

	r = kdbus_message_snapshot(m);
	if (r == 0)
		kdbus_message_collect(m, want);
	fanout_recall(f, m->src->bus);
	return r;
}

/* a copy of a user's message for each receiver that may have one */
static void fanout_write_all(struct kdbus_fanout *f, struct kdbus_message *m,
			     struct kdbus_user *user)
{
	struct kdbus_queued_msg *qmsg;
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		if (kdbus_msg_admissible(m, f->targets[i].conn) < 0)
			continue;
		qmsg = kdbus_msg_copy_new(m, f->targets[i].conn, user,
					  f->targets[i].want);
		if (!IS_ERR(qmsg))
			f->targets[i].qmsg = qmsg;
	}
}

/* a notification for each receiver; @user caused it */
static void fanout_write_notes(struct kdbus_fanout *f, const struct kdbus_msg *msg,
			       struct kdbus_user *user)
{
	struct kdbus_queued_msg *qmsg;
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		qmsg = kdbus_msg_copy_new_note(msg, f->targets[i].conn, user);
		if (!IS_ERR(qmsg))
			f->targets[i].qmsg = qmsg;
	}
}

static int fanout_add(struct kdbus_conn *conn, void *data)
{
	return fanout_add_target(data, conn);
}

static bool fanout_may_receive(struct kdbus_conn *conn, void *data)
{
	return kdbus_policy_signal(data, conn);
}

/**
 * kdbus_broadcast() - send a message to all with a match for it
 * @src:	The sender
 * @m:		The message
 *
 * The sender is not told which receivers missed it. Documentation/kdbus.txt,
 * section 16.
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: 0, or -ECONNRESET if @src was disconnected meanwhile; then no receiver
 * has got it.
 */
int kdbus_broadcast(struct kdbus_conn *src, struct kdbus_message *m)
{
	struct kdbus_bus *bus = src->bus;
	struct kdbus_fanout f = {};
	struct kdbus_user *user = kdbus_msg_charged_user(src);
	struct kdbus_queue_how how = {
		.unlimited	= !user,
		.seq		= &bus->domain->msg_seq,
	};
	bool sent;
	int r;

	r = kdbus_match_message(src, m, fanout_add, &f);
	if (f.n > 0)
		fanout_select(&f, bus, fanout_may_receive, src);

	if (r == 0 && f.n > 0 && fanout_read(&f, m) == 0)
		fanout_write_all(&f, m, user);
	sent = kdbus_conn_enter(src);
	if (sent) {
		fanout_queue_all(&f, bus, &how);
		kdbus_conn_leave(src);
	}

	kdbus_fanout_release(&f, sent);
	return sent ? 0 : -ECONNRESET;
}

static bool fanout_may_hear(struct kdbus_conn *conn, void *data)
{
	struct kdbus_event *event = data;

	if (event->name)
		return kdbus_policy_see(conn, event->name);
	/* another thread may add matches before HELLO has told others */
	return kdbus_event_item(event)->id_change.id != conn->id;
}

/**
 * kdbus_fanout_event() - deliver a notification to all with a match for it
 * @bus:	Where something happened
 * @event:	What
 *
 * Context: May sleep; only ``bus->flush`` may be held.
 */
void kdbus_fanout_event(struct kdbus_bus *bus, struct kdbus_event *event)
{
	struct kdbus_queue_how how = { .seq = &bus->domain->msg_seq };
	struct kdbus_fanout f = {};

	kdbus_match_event(bus, event, fanout_add, &f);
	if (f.n > 0)
		fanout_select(&f, bus, fanout_may_hear, event);

	fanout_write_notes(&f, &event->msg, event->user);
	fanout_queue_all(&f, bus, &how);
	kdbus_fanout_release(&f, true);
}

/* false if there are more than fit; memory is not allocated under bus->lock */
static bool fanout_add_monitors(struct kdbus_fanout *f, struct kdbus_bus *bus)
{
	struct kdbus_conn *conn;
	bool all = true;

	mutex_lock(&bus->lock);
	list_for_each_entry(conn, &bus->monitors, monitor_link) {
		all = f->n < f->max;
		if (!all)
			break;
		f->targets[f->n++].conn = kdbus_conn_get(conn);
	}
	mutex_unlock(&bus->lock);

	return all;
}

static void fanout_collect_monitors(struct kdbus_fanout *f, struct kdbus_bus *bus)
{
	while (!fanout_add_monitors(f, bus) && fanout_grow(f) == 0)
		while (f->n)
			kdbus_conn_put(f->targets[--f->n].conn);
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
	fanout_collect_monitors(f, m->src->bus);
	/* the quota of users does not apply to copies */
	if (fanout_read(f, m) == 0)
		fanout_write_all(f, m, NULL);
}

/**
 * kdbus_monitors_write_note() - the same for a notification
 * @f:		The copies, zeroed
 * @dst:	The connection it is for, which caused it
 * @msg:	The message
 *
 * Context: May sleep; no locks may be held.
 */
void kdbus_monitors_write_note(struct kdbus_fanout *f, struct kdbus_conn *dst,
			       const struct kdbus_msg *msg)
{
	fanout_collect_monitors(f, dst->bus);
	fanout_write_notes(f, msg, dst->user);
}

/* a copy goes to a monitor, whatever name the message is addressed to */
static unsigned int fanout_stage_copies(struct kdbus_fanout *f,
					const struct kdbus_queue_how *how)
{
	struct kdbus_queue_how copy = { .unlimited = how->unlimited };

	return fanout_stage_all(f, &copy);
}

/**
 * kdbus_monitors_push() - queue a message together with its copies
 * @f:		The copies
 * @bus:	Where
 * @queue:	The queue of the receiver, which is entered
 * @qmsg:	The message; on success the queue owns it
 * @how:	Under which conditions
 *
 * All get the same number. If the receiver does not get the message, no monitor
 * does.
 *
 * Context: May sleep; no locks may be held.
 *
 * Return: As kdbus_queue_push().
 */
int kdbus_monitors_push(struct kdbus_fanout *f, struct kdbus_bus *bus,
			struct kdbus_queue *queue,
			struct kdbus_queued_msg *qmsg,
			const struct kdbus_queue_how *how)
{
	unsigned int staged;
	u64 seq;
	int r;

	mutex_lock(&bus->broadcast);
	r = kdbus_queue_stage(queue, qmsg, how);
	if (r == 0) {
		staged = fanout_stage_copies(f, how);
		seq = atomic64_inc_return(how->seq);
		kdbus_queue_commit(queue, qmsg, seq);
		fanout_commit_all(f, staged, seq);
		f->sent = true;
	}
	mutex_unlock(&bus->broadcast);

	return r;
}

/**
 * kdbus_monitors_commit() - queue copies of a message that is in no queue
 * @f:		The copies
 * @bus:	Where
 * @how:	Under which conditions
 * @seq:	Number of the message
 *
 * Context: May sleep; ``bus->broadcast`` is held since @seq was given.
 */
void kdbus_monitors_commit(struct kdbus_fanout *f, struct kdbus_bus *bus,
			   const struct kdbus_queue_how *how, u64 seq)
{
	lockdep_assert_held(&bus->broadcast);

	fanout_commit_all(f, fanout_stage_copies(f, how), seq);
	f->sent = true;
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
	list_add_tail(&conn->monitor_link, &bus->monitors);
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

	if (list_empty(&conn->monitor_link))
		return;

	mutex_lock(&bus->lock);
	list_del_init(&conn->monitor_link);
	WRITE_ONCE(bus->has_monitors, !list_empty(&bus->monitors));
	mutex_unlock(&bus->lock);
}
