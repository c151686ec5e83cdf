// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>

#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "item.h"
#include "name-list.h"
#include "names.h"
#include "pool.h"
#include "writer.h"

/**
 * struct list - a list being made
 * @flags:	KDBUS_NAME_LIST_*
 * @size:	Bytes so far
 * @writer:	Where to write; NULL while the size is found out
 */
struct list {
	u64 flags;
	size_t size;
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

	if (entry) {
		len = strlen(entry->name) + 1;
		info.size += KDBUS_ITEM_PADDED(len);
	}

	l->size += info.size;
	if (!l->writer)
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
	size_t before = l->size;

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

static struct kdbus_slice *make_list(struct kdbus_conn *conn, u64 flags)
{
	struct list l = { .flags = flags };
	struct kdbus_slice *slice;
	struct kdbus_writer w;
	u64 size;

	lockdep_assert_held(&conn->bus->lock);

	add_all(&l, conn->bus);
	slice = kdbus_pool_alloc(conn->pool, l.size, false);
	if (IS_ERR(slice))
		return slice;

	size = l.size;
	kdbus_writer_init(&w, slice);
	kdbus_writer_add(&w, &size, sizeof(size));
	l.writer = &w;
	add_all(&l, conn->bus);
	kdbus_writer_flush(&w);
	return slice;
}

/* who cannot free slices has one list, until it asks for another */
static bool keeps_list(const struct kdbus_conn *conn)
{
	return conn->flags & KDBUS_HELLO_ACTIVATOR;
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
	struct kdbus_cmd_name_list *arg = cmd->data;
	struct kdbus_slice *slice;
	size_t offset;
	int r;

	mutex_lock(&conn->bus->lock);
	slice = make_list(conn, arg->flags);
	if (!IS_ERR(slice) && keeps_list(conn)) {
		kdbus_slice_free(conn->list);
		conn->list = slice;
	}
	/* somebody else may free the list of an activator at once */
	offset = IS_ERR(slice) ? 0 : slice->offset;
	mutex_unlock(&conn->bus->lock);
	if (IS_ERR(slice))
		return PTR_ERR(slice);

	arg->offset = offset;
	r = kdbus_cmd_store(cmd, offsetof(struct kdbus_cmd_name_list, offset),
			    sizeof(arg->offset));
	if (keeps_list(conn))
		return r;
	if (r < 0) {
		kdbus_slice_free(slice);
		return r;
	}

	kdbus_slice_publish(slice);
	return 0;
}
