/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_NOTIFY_H
#define __KDBUS_NOTIFY_H

/**
 * DOC: Notifications
 *
 * What the kernel itself tells connections. About replies that will not come,
 * it tells the requester, at once. About connections and names that come and
 * go, it tells everybody who subscribed: such an event is noted under the lock
 * that makes it happen, in the order in which things happen, and delivered by
 * kdbus_notify_flush() when the lock is gone. Whoever noted an event flushes
 * before its command returns, and returns when the event has been delivered,
 * even if another thread did it.
 *
 * An event is allocated before what it is about happens, so that nothing
 * happens unnoticed. A receiver without room misses it.
 *
 * Locks: the lock of the bus guards the list of events; @flush of the bus is a
 * mutex held while events are delivered, to keep them in order.
 */

#include <linux/list.h>
#include <linux/types.h>
#include <uapi/linux/kdbus.h>

struct kdbus_bus;
struct kdbus_conn;

/**
 * struct kdbus_event - something that happened on a bus
 * @entry:	Place in the list of the bus
 * @size:	Bytes in the message
 * @name:	The name it is about, NULL if it is about a connection
 * @msg:	The message, header and one item
 */
struct kdbus_event {
	struct list_head entry;
	size_t size;
	const char *name;
	struct kdbus_msg msg;
};

/* the one item of an event */
static inline struct kdbus_item *kdbus_event_item(struct kdbus_event *event)
{
	return (void *)(&event->msg + 1);
}

struct kdbus_event *kdbus_event_new_name(const char *name, gfp_t gfp);
struct kdbus_event *kdbus_event_new_id(u64 type, u64 id, u64 flags, gfp_t gfp);
void kdbus_event_free(struct kdbus_event *event);
void kdbus_event_set_name(struct kdbus_event *event, u64 old_id, u64 old_flags,
			  u64 new_id, u64 new_flags);
void kdbus_notify(struct kdbus_bus *bus, struct kdbus_event *event);
void kdbus_notify_flush(struct kdbus_bus *bus);
void kdbus_notify_reply(struct kdbus_conn *dst, u64 type, u64 cookie);

#endif
