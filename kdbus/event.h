/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_EVENT_H
#define __KDBUS_EVENT_H

/**
 * DOC: Events
 *
 * An event says that a connection or a name came or went. It is allocated
 * before that happens, so that nothing happens unnoticed, and queued under
 * ``bus->lock``, which is held when it happens: so events are in the order in which
 * things happen. How they are delivered is described below.
 *
 * Locks: ``bus->lock`` guards the list of events of a bus.
 */

#include <linux/list.h>
#include <linux/types.h>
#include <uapi/linux/kdbus.h>

struct kdbus_bus;
struct kdbus_conn;
struct kdbus_user;

/**
 * struct kdbus_event - something that happened on a bus
 * @bus_link:	Link in the events of the bus
 * @size:	Bytes in the message
 * @user:	The user that caused it, with a reference
 * @name:	The name it is about, NULL if it is about a connection
 * @msg:	The message, header and one item
 */
struct kdbus_event {
	struct list_head bus_link;
	size_t size;
	struct kdbus_user *user;
	const char *name;
	struct kdbus_msg msg;
};

/* the one item of an event */
static inline struct kdbus_item *kdbus_event_item(struct kdbus_event *event)
{
	return (void *)(&event->msg + 1);
}

struct kdbus_event *kdbus_event_new_name(const char *name,
					 struct kdbus_user *user, gfp_t gfp);
struct kdbus_event *kdbus_event_new_id(u64 type, const struct kdbus_conn *conn,
				       gfp_t gfp);
void kdbus_event_free(struct kdbus_event *event);
void kdbus_event_set_name(struct kdbus_event *event, u64 old_id, u64 old_flags,
			  u64 new_id, u64 new_flags);
void kdbus_event_queue(struct kdbus_bus *bus, struct kdbus_event *event);

/**
 * DOC: Notifications
 *
 * What the kernel itself tells connections. About replies that will not come,
 * it tells the requester, at once. About connections and names that come and
 * go, it tells all connections that subscribed: such an event is queued
 * under ``bus->lock``, which is held when it happens, and delivered by
 * kdbus_notify_flush() when that is released. A command that queued an event
 * flushes before it returns, and returns when the event has been delivered, even
 * if another thread delivered it.
 *
 * A receiver without room misses an event: each user that causes events has room
 * of its own (quota.h), and events take none from messages. Notifications
 * about replies have room by the requests that they are about.
 *
 * Locks: ``bus->flush`` is held while events are delivered, to keep them in order.
 */

void kdbus_notify_flush(struct kdbus_bus *bus);
void kdbus_notify_reply(struct kdbus_conn *dst, u64 type, u64 cookie);

#endif
