// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/slab.h>

#include "bus.h"
#include "conn.h"
#include "copy.h"
#include "fanout.h"
#include "item.h"
#include "notify.h"
#include "queue.h"

static struct kdbus_event *event_new(u64 type, size_t payload, gfp_t gfp)
{
	size_t size = KDBUS_ITEM_PADDED(payload);
	struct kdbus_event *event;

	event = kzalloc(sizeof(*event) + size, gfp);
	if (!event)
		return NULL;

	event->size = sizeof(event->msg) + size;
	event->msg.size = event->size;
	event->msg.dst_id = KDBUS_DST_ID_BROADCAST;
	event->msg.src_id = KDBUS_SRC_ID_KERNEL;
	event->msg.payload_type = KDBUS_PAYLOAD_KERNEL;
	kdbus_event_item(event)->type = type;
	kdbus_event_item(event)->size = size;
	return event;
}

/**
 * kdbus_event_new_name() - make an event about a name
 * @name:	The name, copied
 * @gfp:	How to allocate it
 *
 * What happens to it is said later, with kdbus_event_set_name().
 *
 * Context: May sleep.
 *
 * Return: The event, or NULL.
 */
struct kdbus_event *kdbus_event_new_name(const char *name, gfp_t gfp)
{
	struct kdbus_event *event;
	struct kdbus_item *item;
	size_t len = strlen(name) + 1;

	event = event_new(KDBUS_ITEM_NAME_CHANGE,
			  sizeof(struct kdbus_notify_name_change) + len, gfp);
	if (!event)
		return NULL;

	item = kdbus_event_item(event);
	memcpy(item->name_change.name, name, len);
	event->name = item->name_change.name;
	return event;
}

/**
 * kdbus_event_new_id() - make an event about a connection
 * @type:	KDBUS_ITEM_ID_ADD or KDBUS_ITEM_ID_REMOVE
 * @id:		Its id
 * @flags:	Its KDBUS_HELLO_* flags
 * @gfp:	How to allocate it
 *
 * Context: May sleep.
 *
 * Return: The event, or NULL.
 */
struct kdbus_event *kdbus_event_new_id(u64 type, u64 id, u64 flags, gfp_t gfp)
{
	struct kdbus_event *event;

	event = event_new(type, sizeof(struct kdbus_notify_id_change), gfp);
	if (event) {
		kdbus_event_item(event)->id_change.id = id;
		kdbus_event_item(event)->id_change.flags = flags;
	}

	return event;
}

/**
 * kdbus_event_free() - free an event that did not happen
 * @event:	The event, or NULL
 */
void kdbus_event_free(struct kdbus_event *event)
{
	kfree(event);
}

/**
 * kdbus_event_set_name() - say what happened to a name
 * @event:	An event about it
 * @old_id:	Who owned it, 0 for nobody
 * @old_flags:	How
 * @new_id:	Who owns it, 0 for nobody
 * @new_flags:	How
 */
void kdbus_event_set_name(struct kdbus_event *event, u64 old_id, u64 old_flags,
			  u64 new_id, u64 new_flags)
{
	struct kdbus_item *item = kdbus_event_item(event);

	if (!old_id)
		item->type = KDBUS_ITEM_NAME_ADD;
	else if (!new_id)
		item->type = KDBUS_ITEM_NAME_REMOVE;
	else
		item->type = KDBUS_ITEM_NAME_CHANGE;

	item->name_change.old_id.id = old_id;
	item->name_change.old_id.flags = old_flags;
	item->name_change.new_id.id = new_id;
	item->name_change.new_id.flags = new_flags;
}

/**
 * kdbus_notify() - note that something happened
 * @bus:	Where
 * @event:	What; given away
 *
 * Context: Any; the lock of the bus is held.
 */
void kdbus_notify(struct kdbus_bus *bus, struct kdbus_event *event)
{
	lockdep_assert_held(&bus->lock);
	list_add_tail(&event->entry, &bus->events);
}

static struct kdbus_event *next_event(struct kdbus_bus *bus)
{
	struct kdbus_event *event;

	mutex_lock(&bus->lock);
	event = list_first_entry_or_null(&bus->events, struct kdbus_event,
					 entry);
	if (event)
		list_del(&event->entry);
	mutex_unlock(&bus->lock);

	return event;
}

/**
 * kdbus_notify_flush() - tell everybody what happened
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
	while ((event = next_event(bus))) {
		/* when a bus ends, nobody is left who could be told */
		if (kdbus_node_is_alive(&bus->node))
			kdbus_fanout_event(bus, event);
		kdbus_event_free(event);
	}
	mutex_unlock(&bus->flush);
}

/* a message that monitors see as well must not lose its receiver halfway */
static int push(struct kdbus_fanout *copies, struct kdbus_conn *dst,
		struct kdbus_queue_entry *entry)
{
	struct kdbus_queue_push how = { .seq = &dst->bus->domain->msg_seq };
	int r = -ECONNRESET;

	if (kdbus_conn_enter(dst)) {
		r = kdbus_fanout_push(copies, dst->bus, &dst->queue, entry,
				      &how);
		kdbus_conn_leave(dst);
	}

	return r;
}

/* send a message to one connection; if it does not fit, it is lost */
static void tell(struct kdbus_conn *dst, const struct kdbus_msg *msg)
{
	struct kdbus_queue_entry *entry;
	struct kdbus_fanout copies = {};

	/* only if there are monitors, which is rare */
	might_lock(&dst->bus->lock);
	might_lock(&dst->bus->broadcast);

	entry = kdbus_copy_new_kernel(msg, dst);
	if (IS_ERR(entry)) {
		kdbus_queue_lost(&dst->queue);
		return;
	}

	if (kdbus_has_monitors(dst->bus))
		kdbus_monitors_write_kernel(&copies, dst->bus, msg);

	if (push(&copies, dst, entry) < 0) {
		kdbus_queue_lost(&dst->queue);
		kdbus_queue_entry_free(&dst->queue, entry);
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

	tell(dst, &buf.msg);
}
