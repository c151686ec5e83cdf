// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/sched/signal.h>

#include "answer.h"
#include "bus.h"
#include "conn.h"
#include "copy.h"
#include "deliver.h"
#include "fanout.h"
#include "files.h"
#include "limits.h"
#include "message.h"
#include "names.h"
#include "policy.h"
#include "queue.h"
#include "reply.h"

/**
 * struct way - where a message goes, and under which conditions
 * @src:	Who sends it
 * @dst:	Who receives it
 * @name:	The name it is addressed to, which @dst owns, or NULL
 * @answers:	The reply it is, with a reference, or NULL
 * @request:	The reply that will be owed for it, with a reference, or NULL
 * @user:	Whom to count it for, NULL if limits do not apply
 * @want:	Metadata that @dst may have
 * @copies:	Copies for monitors
 */
struct way {
	struct kdbus_conn *src;
	struct kdbus_conn *dst;
	struct kdbus_name_entry *name;
	struct kdbus_reply *answers;
	struct kdbus_reply *request;
	struct kdbus_user *user;
	u64 want;
	struct kdbus_fanout copies;
};

/*
 * While a name changes hands, what its old and its new owner own may look
 * wrong. So whoever would be refused asks again when nothing moves. -ESTALE if
 * the name has a new owner.
 */
static int talk(const struct way *way)
{
	struct kdbus_bus *bus = way->src->bus;
	int r;

	r = kdbus_policy_talk(way->src, way->dst);
	if (r == 0)
		return 0;

	mutex_lock(&bus->lock);
	if (way->name && way->name->owner != way->dst)
		r = -ESTALE;
	else
		r = kdbus_policy_talk(way->src, way->dst);
	mutex_unlock(&bus->lock);

	return r;
}

static int push_entry(struct way *way, struct kdbus_queue_entry *entry)
{
	struct kdbus_queue_push how = {
		.unlimited	= !way->user,
		.seq		= &way->src->bus->domain->msg_seq,
	};

	if (way->name) {
		how.guard = (void *const *)&way->name->owner;
		how.expect = way->dst;
		entry->name_id = way->name->id;
	}

	return kdbus_fanout_push(&way->copies, way->dst->bus,
				 &way->dst->queue, entry, &how);
}

/*
 * Both ends are kept from disconnecting here, so that replies are either
 * linked, held and queued together or not at all.
 */
static int queue_linked(struct way *way, struct kdbus_queue_entry *entry)
{
	bool held = false;
	int r;

	if (way->answers) {
		held = kdbus_reply_hold(way->answers);
		/* too late to be the reply: an ordinary message */
		r = held ? 0 : talk(way);
		if (r < 0)
			return r;
	}

	if (way->request) {
		r = kdbus_reply_link(way->request, way->dst);
		if (r < 0)
			return r;
		entry->reply = kdbus_reply_get(way->request);
	}

	r = push_entry(way, entry);
	if (r < 0) {
		if (way->request)
			kdbus_reply_end(way->request, r);
		if (held)
			kdbus_reply_unhold(way->answers);
		return r;
	}

	if (held)
		kdbus_reply_settle(way->answers);
	if (way->request)
		kdbus_reply_start(way->request);
	if (way->request && way->request->sync)
		kdbus_conn_wake_sync(way->dst);
	else
		kdbus_conn_wake(way->dst);
	return 0;
}

/* who is gone has left its name to somebody else, or is about to */
static int receiver_gone(const struct way *way)
{
	if (way->name && READ_ONCE(way->name->owner) != way->dst)
		return -ESTALE;
	return -ECONNRESET;
}

static int queue_entry(struct way *way, struct kdbus_queue_entry *entry)
{
	int r;

	if (!kdbus_conn_enter(way->src))
		return -ECONNRESET;
	if (kdbus_conn_enter(way->dst)) {
		r = queue_linked(way, entry);
		kdbus_conn_leave(way->dst);
	} else {
		r = receiver_gone(way);
	}
	kdbus_conn_leave(way->src);

	return r;
}

static int make_request(struct way *way, const struct kdbus_message *m)
{
	const struct kdbus_msg *msg = m->msg;

	if (READ_ONCE(way->src->replies.count) >=
	    KDBUS_CONN_MAX_REQUESTS_PENDING)
		return -EMLINK;

	way->request = kdbus_reply_new(way->src, msg->cookie, msg->timeout_ns,
				       msg->flags & KDBUS_MSG_FLAGS_SYNC_REPLY);
	return way->request ? 0 : -ENOMEM;
}

static int deliver_queued(struct way *way, struct kdbus_message *m)
{
	struct kdbus_queue_entry *entry;
	int r;

	if (kdbus_message_is_request(m)) {
		r = make_request(way, m);
		if (r < 0)
			return r;
	}

	r = kdbus_copy_check(m, way->dst);
	if (r < 0)
		return r == -ECONNRESET ? receiver_gone(way) : r;

	way->user = kdbus_copy_user(way->src);
	entry = kdbus_copy_new(m, way->dst, way->user, way->want);
	if (IS_ERR(entry))
		return PTR_ERR(entry);

	r = queue_entry(way, entry);
	if (r < 0)
		kdbus_copy_undo(way->dst, entry);
	return r;
}

/* an expected reply may always be sent */
static int authorize(struct way *way, const struct kdbus_message *m)
{
	bool replies = !kdbus_message_is_request(m) && m->msg->cookie_reply;
	int r;

	if (replies)
		way->answers = kdbus_reply_find(way->dst, way->src,
						m->msg->cookie_reply);
	if (way->answers)
		return 0;

	r = talk(way);
	/* whoever is leaving expects nothing any more */
	if (r < 0 && r != -ESTALE && replies && !kdbus_conn_is_alive(way->dst))
		r = receiver_gone(way);
	return r;
}

static int deliver_to(struct way *way, struct kdbus_message *m)
{
	bool monitors = kdbus_has_monitors(way->src->bus);
	int r;

	r = authorize(way, m);
	if (r < 0)
		return r;

	/* it looked like a call that comes back, or this is the next owner */
	if (m->files) {
		r = kdbus_files_charge(m->files, way->src->person);
		if (r < 0)
			return r;
	}

	way->want = kdbus_attach_want(way->src, way->dst);
	r = kdbus_attach_gather(&m->attach, way->src, way->want);
	if (r < 0)
		return r;

	if (monitors) {
		r = kdbus_message_snapshot(m);
		if (r < 0)
			return r;
		kdbus_monitors_write(&way->copies, m);
	}

	if (way->answers && way->answers->sync)
		r = kdbus_answer_give(way->answers, m, way->want,
				      &way->copies);
	else
		r = deliver_queued(way, m);

	kdbus_monitors_release(&way->copies);
	return r;
}

static bool is_sync(const struct kdbus_message *m)
{
	return m->msg->flags & KDBUS_MSG_FLAGS_SYNC_REPLY;
}

static int deliver_way(struct way *way, struct kdbus_message *m,
		       struct kdbus_cmd *cmd)
{
	int r;

	if (is_sync(m))
		way->request = kdbus_reply_resume(way->src, way->dst,
						  m->msg->cookie);

	/* a call that goes on waiting is not sent again */
	r = way->request ? 0 : deliver_to(way, m);
	m->numbered = r == 0;
	if (r == 0 && is_sync(m)) {
		/* the receiver has it, and may be done with it long before */
		if (m->files || m->data)
			kdbus_message_release(m);
		r = kdbus_answer_wait(way->request, cmd);
	}

	kdbus_reply_put(way->request);
	kdbus_reply_put(way->answers);
	return r;
}

static int deliver_to_id(struct kdbus_conn *src, struct kdbus_message *m,
			 struct kdbus_cmd *cmd)
{
	struct way way = { .src = src };
	int r = -ENXIO;

	way.dst = kdbus_bus_find_conn(src->bus, m->msg->dst_id);
	if (way.dst && kdbus_conn_is_ordinary(way.dst))
		r = deliver_way(&way, m, cmd);
	kdbus_conn_put(way.dst);
	return r;
}

static int check_owner(const struct way *way, const struct kdbus_message *m)
{
	u64 dst_id = m->msg->dst_id;

	if (dst_id != KDBUS_DST_ID_NAME && dst_id != way->dst->id)
		return -EREMCHG;
	if (m->msg->flags & KDBUS_MSG_FLAGS_NO_AUTO_START &&
	    way->dst->flags & KDBUS_HELLO_ACTIVATOR)
		return -EADDRNOTAVAIL;
	return 0;
}

/* -ESTALE if the name has changed hands */
static int deliver_to_owner(struct kdbus_conn *src, struct kdbus_message *m,
			    struct kdbus_cmd *cmd)
{
	struct way way = { .src = src };
	int r = -ESTALE;

	way.name = kdbus_name_find(src->bus, m->dst_name);
	if (!way.name)
		return -ESRCH;

	way.dst = kdbus_name_owner(src->bus, way.name);
	if (way.dst) {
		r = check_owner(&way, m);
		if (r == 0)
			r = deliver_way(&way, m, cmd);
	}

	kdbus_conn_put(way.dst);
	kdbus_name_put(way.name);
	return r;
}

static int deliver_to_name(struct kdbus_conn *src, struct kdbus_message *m,
			   struct kdbus_cmd *cmd)
{
	int r;

	do {
		r = deliver_to_owner(src, m, cmd);
	} while (r == -ESTALE && !fatal_signal_pending(current));

	return r == -ESTALE ? -EINTR : r;
}

static int route(struct kdbus_conn *src, struct kdbus_message *m,
		 struct kdbus_cmd *cmd)
{
	int r;

	if (kdbus_message_is_broadcast(m)) {
		r = kdbus_broadcast(src, m);
		m->numbered = r == 0;
		return r;
	}
	if (m->dst_name)
		return deliver_to_name(src, m, cmd);
	return deliver_to_id(src, m, cmd);
}

/**
 * kdbus_deliver() - send a message
 * @src:	Who sends it, the connection of the running task
 * @cmd:	KDBUS_CMD_MSG_SEND
 *
 * Documentation/kdbus.txt, sections 10, 11 and 14.
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: 0 or a negative errno; then nobody has received anything, unless it
 * is about the reply.
 */
int kdbus_deliver(struct kdbus_conn *src, struct kdbus_cmd *cmd)
{
	/* initialised next */
	struct kdbus_message m __uninitialized;
	int r;

	r = kdbus_message_init(&m, cmd, src);
	if (r < 0)
		return r;

	r = route(src, &m, cmd);
	/* what fails is counted, too */
	if (!m.numbered)
		atomic64_inc(&src->bus->domain->msg_seq);

	kdbus_message_release(&m);
	return r;
}
