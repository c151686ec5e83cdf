// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/slab.h>

#include "bus.h"
#include "conn.h"
#include "event.h"
#include "item.h"
#include "user.h"

static struct kdbus_event *event_new(u64 type, size_t payload,
				     struct kdbus_user *user, gfp_t gfp)
{
	size_t size = KDBUS_ITEM_PADDED(payload);
	struct kdbus_event *event;

	event = kzalloc(sizeof(*event) + size, gfp);
	if (!event)
		return NULL;

	event->user = kdbus_user_get(user);
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
 * @user:	The user that is about to acquire it or let go of it
 * @gfp:	How to allocate it
 *
 * What happens to it is said later, with kdbus_event_set_name().
 *
 * Context: May sleep.
 *
 * Return: The event, or NULL.
 */
struct kdbus_event *kdbus_event_new_name(const char *name,
					 struct kdbus_user *user, gfp_t gfp)
{
	struct kdbus_event *event;
	struct kdbus_item *item;
	size_t len = strlen(name) + 1;

	event = event_new(KDBUS_ITEM_NAME_CHANGE,
			  sizeof(struct kdbus_notify_name_change) + len, user,
			  gfp);
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
 * @conn:	The connection
 * @gfp:	How to allocate it
 *
 * Context: May sleep.
 *
 * Return: The event, or NULL.
 */
struct kdbus_event *kdbus_event_new_id(u64 type, const struct kdbus_conn *conn,
				       gfp_t gfp)
{
	struct kdbus_event *event;

	event = event_new(type, sizeof(struct kdbus_notify_id_change),
			  conn->user, gfp);
	if (event) {
		kdbus_event_item(event)->id_change.id = conn->id;
		kdbus_event_item(event)->id_change.flags = conn->flags;
	}

	return event;
}

/**
 * kdbus_event_free() - free an event that was told, or did not happen
 * @event:	The event, or NULL
 *
 * Context: May sleep.
 */
void kdbus_event_free(struct kdbus_event *event)
{
	if (event)
		kdbus_user_put(event->user);
	kfree(event);
}

/**
 * kdbus_event_set_name() - say what happened to a name
 * @event:	An event about it
 * @old_id:	Id of the owner until now, 0 if there was none
 * @old_flags:	How
 * @new_id:	Id of the owner from now on, 0 if there is none
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
 * kdbus_event_queue() - note that something happened
 * @bus:	Where
 * @event:	What; given away
 *
 * Context: Any; ``bus->lock`` is held.
 */
void kdbus_event_queue(struct kdbus_bus *bus, struct kdbus_event *event)
{
	lockdep_assert_held(&bus->lock);
	list_add_tail(&event->bus_link, &bus->events);
}
