// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/slab.h>

#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "event.h"
#include "item.h"
#include "limits.h"
#include "names.h"
#include "policy.h"
#include "pool/pool.h"

/*
 * What an acquisition may need, allocated before anything happens, and what is
 * left to do when no lock is held any more.
 */
struct name_prealloc {
	struct kdbus_event *event;
	struct kdbus_name_entry *entry;
	struct kdbus_name_waiter *waiter;
	struct kdbus_refused refused;
};

static int name_prealloc_init(struct name_prealloc *s, const struct kdbus_conn *conn,
			      const char *name)
{
	s->event = kdbus_event_new_name(name, conn->user, GFP_KERNEL_ACCOUNT);
	s->entry = kdbus_name_new(name);
	s->waiter = kzalloc(sizeof(*s->waiter), GFP_KERNEL_ACCOUNT);
	kdbus_refused_init(&s->refused);
	return s->event && s->entry && s->waiter ? 0 : -ENOMEM;
}

static void name_prealloc_release(struct name_prealloc *s)
{
	kdbus_event_free(s->event);
	kdbus_name_put(s->entry);
	kfree(s->waiter);
	kdbus_refused_discard(&s->refused);
}

static int name_cmd_create(struct kdbus_conn *conn, u64 flags, struct name_prealloc *s)
{
	int r;

	r = kdbus_name_create(s->entry, conn, flags, s->event);
	if (r == 0) {
		s->entry = NULL;
		s->event = NULL;
	}
	return r;
}

static void name_cmd_replace(struct kdbus_name_entry *entry, struct kdbus_conn *conn,
			     u64 flags, struct name_prealloc *s)
{
	struct kdbus_name_waiter *waiter;

	lockdep_assert_held(&conn->bus->lock);

	/* a place in the queue is not needed any more */
	waiter = kdbus_name_find_waiter(entry, conn);
	if (waiter)
		kdbus_name_stop_waiting(waiter);

	/* an owner that waits for too many names loses this one for good */
	if (entry->flags & KDBUS_NAME_QUEUE &&
	    entry->owner->names.waiting < KDBUS_CONN_MAX_WAITS) {
		kdbus_name_wait(s->waiter, entry, entry->owner, entry->flags);
		s->waiter = NULL;
	}

	kdbus_name_transfer(entry, conn, flags, s->event);
	s->event = NULL;
}

static int name_cmd_take_over(struct kdbus_name_entry *entry, struct kdbus_conn *conn,
			      u64 flags, struct name_prealloc *s)
{
	int r;

	r = kdbus_name_take(entry, conn, flags, s->event, &s->refused);
	if (r == 0)
		s->event = NULL;
	return r;
}

static int name_cmd_wait(struct kdbus_name_entry *entry, struct kdbus_conn *conn,
			 u64 *flags, struct name_prealloc *s)
{
	struct kdbus_name_waiter *waiter;

	waiter = kdbus_name_find_waiter(entry, conn);
	if (waiter) {
		waiter->flags = *flags;
	} else {
		if (conn->names.waiting >= KDBUS_CONN_MAX_WAITS)
			return -E2BIG;
		kdbus_name_wait(s->waiter, entry, conn, *flags);
		s->waiter = NULL;
	}

	*flags |= KDBUS_NAME_IN_QUEUE;
	return 0;
}

static int name_acquire_locked(struct kdbus_conn *conn, const char *name, u64 *flags,
			       struct name_prealloc *s)
{
	struct kdbus_name_entry *entry;

	lockdep_assert_held(&conn->bus->lock);

	if (!kdbus_conn_is_alive(conn))
		return -ECONNRESET;
	if (conn->names.count >= KDBUS_CONN_MAX_NAMES)
		return -E2BIG;
	if (kdbus_policy_own(conn, name) < 0)
		return -EPERM;

	entry = kdbus_name_lookup(&conn->bus->names, name);
	if (!entry)
		return name_cmd_create(conn, *flags, s);
	if (entry->owner == conn)
		return -EALREADY;
	if (entry->flags & KDBUS_NAME_ACTIVATOR)
		return name_cmd_take_over(entry, conn, *flags, s);
	if (*flags & KDBUS_NAME_REPLACE_EXISTING &&
	    entry->flags & KDBUS_NAME_ALLOW_REPLACEMENT) {
		name_cmd_replace(entry, conn, *flags, s);
		return 0;
	}
	if (*flags & KDBUS_NAME_QUEUE)
		return name_cmd_wait(entry, conn, flags, s);
	return -EEXIST;
}

/* Documentation/kdbus.txt, section 6.2 */
static int name_acquire(struct kdbus_conn *conn, const char *name, u64 *flags)
{
	struct kdbus_bus *bus = conn->bus;
	struct name_prealloc s;
	int r;

	r = name_prealloc_init(&s, conn, name);
	if (r == 0) {
		mutex_lock(&bus->owners);
		mutex_lock(&bus->lock);
		r = name_acquire_locked(conn, name, flags, &s);
		mutex_unlock(&bus->lock);
		mutex_unlock(&bus->owners);
	}
	name_prealloc_release(&s);

	if (r == 0)
		kdbus_notify_flush(bus);
	return r;
}

static int name_release_locked(struct kdbus_conn *conn, const char *name)
{
	struct kdbus_name_waiter *waiter;
	struct kdbus_name_entry *entry;

	lockdep_assert_held(&conn->bus->lock);

	entry = kdbus_name_lookup(&conn->bus->names, name);
	if (entry && entry->owner == conn) {
		kdbus_name_release(conn->bus, entry);
		return 0;
	}

	waiter = entry ? kdbus_name_find_waiter(entry, conn) : NULL;
	if (waiter) {
		kdbus_name_stop_waiting(waiter);
		return 0;
	}

	if (!kdbus_policy_see(conn, name))
		return -ENOENT;
	return entry ? -EADDRINUSE : -ESRCH;
}

/* Documentation/kdbus.txt, section 6.3 */
static int name_release(struct kdbus_conn *conn, const char *name)
{
	struct kdbus_bus *bus = conn->bus;
	int r;

	mutex_lock(&bus->owners);
	mutex_lock(&bus->lock);
	r = name_release_locked(conn, name);
	mutex_unlock(&bus->lock);
	mutex_unlock(&bus->owners);

	if (r == 0)
		kdbus_notify_flush(bus);
	return r;
}

/* names of users are bare strings, and no wildcards */
static const char *name_of_cmd(const struct kdbus_cmd *cmd)
{
	const char *name = cmd->found[0]->str;

	return kdbus_name_is_valid(name, false) ? name : NULL;
}

/**
 * kdbus_name_cmd_acquire() - KDBUS_CMD_NAME_ACQUIRE
 * @conn:	The connection
 * @cmd:	The command
 *
 * Context: May sleep; no locks may be held, user memory is accessed.
 *
 * Return: 0 or a negative errno.
 */
int kdbus_name_cmd_acquire(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	struct kdbus_cmd_name *arg = cmd->data;
	const char *name = name_of_cmd(cmd);
	u64 flags = arg->flags;
	int r;

	if (!name)
		return -EINVAL;

	r = name_acquire(conn, name, &arg->flags);
	if (r < 0 || arg->flags == flags)
		return r;

	r = kdbus_cmd_store(cmd, offsetof(struct kdbus_cmd_name, flags),
			    sizeof(arg->flags));
	/* a caller that cannot be told that it waits does not wait */
	if (r < 0)
		name_release(conn, name);
	return r;
}

/**
 * kdbus_name_cmd_release() - KDBUS_CMD_NAME_RELEASE
 * @conn:	The connection
 * @cmd:	The command
 *
 * Context: May sleep; no locks may be held.
 *
 * Return: 0, -EINVAL if that is no name, -ESRCH if there is no such name,
 * -EADDRINUSE if @conn neither owns it nor waits for it, or -ENOENT in place of
 * both if @conn may not see the name.
 */
int kdbus_name_cmd_release(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	const char *name = name_of_cmd(cmd);

	return name ? name_release(conn, name) : -EINVAL;
}

static int name_activate_locked(struct kdbus_conn *conn, const char *name,
				struct name_prealloc *s)
{
	struct kdbus_name_entry *entry;
	int r;

	lockdep_assert_held(&conn->bus->lock);

	entry = kdbus_name_lookup(&conn->bus->names, name);
	if (entry && entry->activator)
		return -EEXIST;
	if (!entry) {
		entry = s->entry;
		r = name_cmd_create(conn, KDBUS_NAME_ACTIVATOR, s);
		if (r < 0)
			return r;
	}

	entry->activator = conn;
	conn->names.activates = entry;
	return 0;
}

/**
 * kdbus_name_activate() - become the activator of a name
 * @conn:	An activator
 * @name:	The name, valid
 *
 * Owns the name if no other connection does. The event is noted, not delivered.
 * Documentation/kdbus.txt, section 18.
 *
 * Context: May sleep; no locks may be held.
 *
 * Return: 0, -EEXIST if the name has an activator, or -ENOMEM.
 */
int kdbus_name_activate(struct kdbus_conn *conn, const char *name)
{
	struct name_prealloc s;
	int r;

	r = name_prealloc_init(&s, conn, name);
	if (r == 0) {
		mutex_lock(&conn->bus->lock);
		r = name_activate_locked(conn, name, &s);
		mutex_unlock(&conn->bus->lock);
	}
	name_prealloc_release(&s);
	return r;
}

/**
 * kdbus_names_drop() - let go of all names
 * @conn:	A connection that is closed
 *
 * The events are noted, not delivered.
 *
 * Context: May sleep; ``bus->lock`` is held.
 */
void kdbus_names_drop(struct kdbus_conn *conn)
{
	struct kdbus_conn_names *names = &conn->names;
	struct kdbus_name_waiter *waiter, *tmp;
	struct kdbus_bus *bus = conn->bus;

	lockdep_assert_held(&bus->lock);

	if (names->activates) {
		/* what waits here for its owner ends here */
		kdbus_handover_follow(names->activates, names->activates->owner,
				      NULL);
		names->activates->activator = NULL;
	}
	names->activates = NULL;

	list_for_each_entry_safe(waiter, tmp, &names->waits, waits)
		kdbus_name_stop_waiting(waiter);
	/* there may be many: the set is not replaced after each of them */
	names->leaving = true;
	kdbus_name_set_replace(names);
	while (!list_empty(&names->owned))
		kdbus_name_release(bus, list_first_entry(&names->owned,
							 struct kdbus_name_entry,
							 owned));
}

/**
 * struct name_list - a list being made
 * @asker:	The connection that will get it
 * @flags:	KDBUS_NAME_LIST_*
 * @size:	Bytes that it takes
 * @room:	Bytes in @buf
 * @buf:	The list, as far as there is room
 */
struct name_list {
	const struct kdbus_conn *asker;
	u64 flags;
	u64 size;
	u64 room;
	void *buf;
};

static void name_list_put(const struct name_list *l,
			  const struct kdbus_name_info *info, const char *name)
{
	struct kdbus_name_info *to = l->buf + l->size - info->size;
	size_t len;

	*to = *info;
	if (name) {
		len = strlen(name) + 1;
		to->items[0].size = KDBUS_ITEM_SIZE(len);
		to->items[0].type = KDBUS_ITEM_NAME;
		memcpy(to->items[0].str, name, len);
	}
}

/* one record; @entry is NULL if it is not about a name */
static void name_list_add(struct name_list *l, const struct kdbus_conn *conn,
			  const struct kdbus_name_entry *entry, u64 flags)
{
	struct kdbus_name_info info = {
		.size		= sizeof(info),
		.flags		= flags,
		.conn_flags	= conn->flags,
		.owner_id	= conn->id,
	};

	if (entry && !kdbus_policy_see(l->asker, entry->name))
		return;
	if (entry)
		info.size += KDBUS_ITEM_PADDED(strlen(entry->name) + 1);

	l->size += info.size;
	if (l->size <= l->room)
		name_list_put(l, &info, entry ? entry->name : NULL);
}

static void name_list_add_owned(struct name_list *l, const struct kdbus_conn *conn,
				const struct kdbus_name_entry *entry)
{
	const struct kdbus_conn *activator = entry->activator;

	if (l->flags & KDBUS_NAME_LIST_ACTIVATORS && activator &&
	    activator != conn)
		name_list_add(l, activator, entry, KDBUS_NAME_ACTIVATOR);
	if (l->flags & KDBUS_NAME_LIST_NAMES || activator == conn)
		name_list_add(l, conn, entry, entry->flags);
}

static void name_list_add_conn(struct name_list *l, const struct kdbus_conn *conn)
{
	const struct kdbus_name_waiter *waiter;
	const struct kdbus_name_entry *entry;
	u64 before = l->size;

	if (conn->flags & KDBUS_HELLO_ACTIVATOR &&
	    !(l->flags & KDBUS_NAME_LIST_ACTIVATORS))
		return;

	if (l->flags & (KDBUS_NAME_LIST_NAMES | KDBUS_NAME_LIST_ACTIVATORS))
		list_for_each_entry(entry, &conn->names.owned, owned)
			name_list_add_owned(l, conn, entry);

	if (l->flags & KDBUS_NAME_LIST_QUEUED)
		list_for_each_entry(waiter, &conn->names.waits, waits)
			name_list_add(l, conn, waiter->name,
				      waiter->flags | KDBUS_NAME_IN_QUEUE);

	if (l->flags & KDBUS_NAME_LIST_UNIQUE && l->size == before)
		name_list_add(l, conn, NULL, 0);
}

static void name_list_add_all(struct name_list *l, struct kdbus_bus *bus)
{
	struct kdbus_conn *conn;
	unsigned long id;

	l->size = sizeof(struct kdbus_name_list);
	/* a connection that is found cannot leave without the lock, so it stays */
	mutex_lock(&bus->lock);
	xa_for_each(&bus->conns, id, conn)
		name_list_add_conn(l, conn);
	mutex_unlock(&bus->lock);
}

/* others wait for bus->lock, so memory and the pool are not touched under it */
static int name_list_make(struct name_list *l, struct kdbus_bus *bus)
{
	for (;;) {
		name_list_add_all(l, bus);
		if (l->size <= l->room)
			return 0;
		if (l->size > l->asker->pool->slices.size)
			return -ENOBUFS;

		kvfree(l->buf);
		/* there may be more of them in the next pass */
		l->room = l->size + l->size / 8;
		l->buf = kvzalloc(l->room, GFP_KERNEL_ACCOUNT);
		if (!l->buf)
			return -ENOMEM;
	}
}

static struct kdbus_slice *name_list_write(const struct name_list *l,
					   struct kdbus_pool *pool)
{
	struct kdbus_slice *slice;
	struct kdbus_cursor w;

	slice = kdbus_pool_alloc(pool, l->size, false);
	if (IS_ERR(slice))
		return slice;

	kdbus_cursor_init(&w, slice);
	kdbus_cursor_add(&w, &l->size, sizeof(l->size));
	kdbus_cursor_add(&w, l->buf + sizeof(l->size), l->size - sizeof(l->size));
	return slice;
}

/**
 * kdbus_name_cmd_list() - KDBUS_CMD_NAME_LIST
 * @conn:	The connection that asks
 * @cmd:	The command
 *
 * Documentation/kdbus.txt, section 6.5.
 *
 * Context: May sleep; no locks may be held, user memory is accessed.
 *
 * Return: 0, -ENOBUFS, -ENOMEM or -EFAULT.
 */
int kdbus_name_cmd_list(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_name_list *arg = cmd->data;
	struct name_list l = { .asker = conn, .flags = arg->flags };
	struct kdbus_slice *slice;
	int r;

	r = name_list_make(&l, conn->bus);
	slice = r == 0 ? name_list_write(&l, conn->pool) : ERR_PTR(r);
	kvfree(l.buf);
	if (IS_ERR(slice))
		return PTR_ERR(slice);

	return kdbus_conn_return(conn, cmd, slice,
				 offsetof(struct kdbus_cmd_name_list, offset));
}
