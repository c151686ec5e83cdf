// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>

#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "item.h"
#include "name-list.h"
#include "names.h"
#include "policy.h"
#include "pool.h"
#include "result.h"
#include "writer.h"

/**
 * struct list - a list being made
 * @asker:	Who will get it
 * @flags:	KDBUS_NAME_LIST_*
 * @size:	Bytes so far
 * @room:	Bytes there are, if there is a writer
 * @writer:	Where to write; NULL while the size is found out
 */
struct list {
	const struct kdbus_conn *asker;
	u64 flags;
	u64 size;
	u64 room;
	struct kdbus_writer *writer;
};

/* one record; @entry is NULL if it is not about a name */
static void add_record(struct list *l, const struct kdbus_conn *conn,
		       const struct kdbus_name_entry *entry, u64 flags)
{
	struct kdbus_name_info info = {
		.size		= sizeof(info),
		.flags		= flags,
		.conn_flags	= conn->flags,
		.owner_id	= conn->id,
	};
	size_t len = 0;

	if (entry && !kdbus_policy_see(l->asker, entry->name))
		return;
	if (entry) {
		len = strlen(entry->name) + 1;
		info.size += KDBUS_ITEM_PADDED(len);
	}

	l->size += info.size;
	if (!l->writer || l->size > l->room)
		return;

	kdbus_writer_add(l->writer, &info, sizeof(info));
	if (entry)
		kdbus_writer_add_item(l->writer, KDBUS_ITEM_NAME, entry->name,
				      len);
}

static void add_owned(struct list *l, const struct kdbus_conn *conn,
		      const struct kdbus_name_entry *entry)
{
	const struct kdbus_conn *activator = entry->activator;

	if (l->flags & KDBUS_NAME_LIST_ACTIVATORS && activator &&
	    activator != conn)
		add_record(l, activator, entry, KDBUS_NAME_ACTIVATOR);
	if (l->flags & KDBUS_NAME_LIST_NAMES || activator == conn)
		add_record(l, conn, entry, entry->flags);
}

static void add_conn(struct list *l, const struct kdbus_conn *conn)
{
	const struct kdbus_name_waiter *waiter;
	const struct kdbus_name_entry *entry;
	u64 before = l->size;

	if (conn->flags & KDBUS_HELLO_ACTIVATOR &&
	    !(l->flags & KDBUS_NAME_LIST_ACTIVATORS))
		return;

	if (l->flags & (KDBUS_NAME_LIST_NAMES | KDBUS_NAME_LIST_ACTIVATORS))
		list_for_each_entry(entry, &conn->names.owned, owned)
			add_owned(l, conn, entry);

	if (l->flags & KDBUS_NAME_LIST_QUEUED)
		list_for_each_entry(waiter, &conn->names.waits, waits)
			add_record(l, conn, waiter->entry,
				   waiter->flags | KDBUS_NAME_IN_QUEUE);

	if (l->flags & KDBUS_NAME_LIST_UNIQUE && l->size == before)
		add_record(l, conn, NULL, 0);
}

static void add_all(struct list *l, struct kdbus_bus *bus)
{
	struct kdbus_conn *conn;
	unsigned long id;

	/* who is found here cannot get past the mutex, and so stays */
	lockdep_assert_held(&bus->lock);

	l->size = sizeof(struct kdbus_name_list);
	xa_for_each(&bus->conns, id, conn)
		add_conn(l, conn);
}

/* the list in a slice; NULL if policy let something else through meanwhile */
static struct kdbus_slice *try_list(struct list *l, struct kdbus_bus *bus,
				    struct kdbus_pool *pool)
{
	struct kdbus_slice *slice;
	struct kdbus_writer w;

	l->writer = NULL;
	add_all(l, bus);
	l->room = l->size;

	slice = kdbus_pool_alloc(pool, l->room, false);
	if (IS_ERR(slice))
		return slice;

	kdbus_writer_init(&w, slice);
	kdbus_writer_add(&w, &l->room, sizeof(l->room));
	l->writer = &w;
	add_all(l, bus);
	if (l->size == l->room)
		return slice;

	kdbus_slice_free(slice);
	return NULL;
}

static struct kdbus_slice *write_list(struct list *l, struct kdbus_bus *bus,
				      struct kdbus_pool *pool)
{
	struct kdbus_slice *slice;

	do {
		slice = try_list(l, bus, pool);
	} while (!slice);

	return slice;
}

/**
 * kdbus_name_list() - KDBUS_CMD_NAME_LIST
 * @conn:	Who asks
 * @cmd:	The command
 *
 * Documentation/kdbus.txt, section 6.5.
 *
 * Context: May sleep; no locks may be held, user memory is accessed.
 *
 * Return: 0, -ENOBUFS or -EFAULT.
 */
int kdbus_name_list(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_name_list *arg = cmd->data;
	struct list l = { .asker = conn, .flags = arg->flags };
	struct kdbus_slice *slice;

	mutex_lock(&conn->bus->lock);
	slice = write_list(&l, conn->bus, conn->pool);
	mutex_unlock(&conn->bus->lock);
	if (IS_ERR(slice))
		return PTR_ERR(slice);

	return kdbus_result_return(conn, cmd, slice,
				   offsetof(struct kdbus_cmd_name_list,
					    offset));
}
