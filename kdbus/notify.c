// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>

#include "bus.h"
#include "conn.h"
#include "event.h"
#include "fanout.h"
#include "item.h"
#include "message.h"
#include "queue.h"

static struct kdbus_event *notify_next(struct kdbus_bus *bus)
{
	struct kdbus_event *event;

	mutex_lock(&bus->lock);
	event = list_first_entry_or_null(&bus->events, struct kdbus_event,
					 bus_link);
	if (event)
		list_del(&event->bus_link);
	mutex_unlock(&bus->lock);

	return event;
}

/**
 * kdbus_notify_flush() - tell subscribers what happened
 * @bus:	Where
 *
 * Documentation/kdbus.txt, section 15.
 *
 * Context: May sleep; no locks may be held.
 */
void kdbus_notify_flush(struct kdbus_bus *bus)
{
	struct kdbus_event *event;

	mutex_lock(&bus->flush);
	while ((event = notify_next(bus))) {
		/* when a bus ends, no receiver is left */
		if (kdbus_node_is_alive(&bus->node))
			kdbus_fanout_event(bus, event);
		kdbus_event_free(event);
	}
	mutex_unlock(&bus->flush);
}

/* entered: what monitors see, the receiver must have got */
static int notify_push(struct kdbus_fanout *copies, struct kdbus_conn *dst,
		       struct kdbus_queued_msg *qmsg)
{
	struct kdbus_queue_how how = { .seq = &dst->bus->domain->msg_seq };
	int r = -ECONNRESET;

	if (kdbus_conn_enter(dst)) {
		r = kdbus_fanout_push(copies, dst->bus, &dst->queue, qmsg,
				      &how);
		kdbus_conn_leave(dst);
	}

	return r;
}

/*
 * Tell a connection what became of its request. There is room for as many as the
 * connection can have asked for and not received; others are lost.
 */
static void notify_conn(struct kdbus_conn *dst, const struct kdbus_msg *msg)
{
	struct kdbus_queued_msg *qmsg;
	struct kdbus_fanout copies = {};

	/* only if there are monitors, which is rare */
	might_lock(&dst->bus->lock);
	might_lock(&dst->bus->broadcast);

	qmsg = kdbus_msg_copy_new_note(msg, dst, NULL);
	if (IS_ERR(qmsg)) {
		kdbus_queue_lost(&dst->queue);
		return;
	}

	if (kdbus_bus_has_monitors(dst->bus))
		kdbus_monitors_write_note(&copies, dst, msg);

	if (notify_push(&copies, dst, qmsg) < 0) {
		kdbus_queue_lost(&dst->queue);
		kdbus_queued_msg_free(&dst->queue, qmsg);
	} else {
		kdbus_conn_wake(dst);
	}

	kdbus_monitors_release(&copies);
}

/**
 * kdbus_notify_reply() - tell a requester that no reply will come
 * @dst:	The requester
 * @type:	KDBUS_ITEM_REPLY_DEAD or KDBUS_ITEM_REPLY_TIMEOUT
 * @cookie:	Cookie of the request
 *
 * Context: May sleep; no locks may be held.
 */
void kdbus_notify_reply(struct kdbus_conn *dst, u64 type, u64 cookie)
{
	struct {
		struct kdbus_msg msg;
		u64 item[2];
	} buf = {
		.msg = {
			.size		= sizeof(buf),
			.dst_id		= dst->id,
			.src_id		= KDBUS_SRC_ID_KERNEL,
			.payload_type	= KDBUS_PAYLOAD_KERNEL,
			.cookie_reply	= cookie,
		},
		.item = { sizeof(buf.item), type },
	};

	notify_conn(dst, &buf.msg);
}
