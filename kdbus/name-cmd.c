// SPDX-License-Identifier: GPL-2.0
#include <linux/slab.h>

#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "ident.h"
#include "item.h"
#include "limits.h"
#include "name-cmd.h"
#include "name-owner.h"
#include "name-set.h"
#include "names.h"
#include "notify.h"
#include "policy.h"

/* what an acquisition may need, allocated before anything happens */
struct spares {
	struct kdbus_event *event;
	struct kdbus_name_entry *entry;
	struct kdbus_name_waiter *waiter;
};

static int spares_init(struct spares *s, const char *name)
{
	s->event = kdbus_event_new_name(name, GFP_KERNEL_ACCOUNT);
	s->entry = kdbus_name_new(name);
	s->waiter = kzalloc(sizeof(*s->waiter), GFP_KERNEL_ACCOUNT);
	return s->event && s->entry && s->waiter ? 0 : -ENOMEM;
}

static void spares_release(struct spares *s)
{
	kdbus_event_free(s->event);
	kdbus_name_put(s->entry);
	kfree(s->waiter);
}

static int create(struct kdbus_conn *conn, u64 flags, struct spares *s)
{
	int r;

	r = kdbus_name_create(s->entry, conn, flags, s->event);
	if (r == 0) {
		s->entry = NULL;
		s->event = NULL;
	}
	return r;
}

static void replace(struct kdbus_name_entry *entry, struct kdbus_conn *conn,
		    u64 flags, struct spares *s)
{
	struct kdbus_name_waiter *waiter;

	/* a place in the queue is not needed any more */
	waiter = kdbus_name_find_waiter(entry, conn);
	if (waiter)
		kdbus_name_stop_waiting(waiter);

	if (entry->flags & KDBUS_NAME_QUEUE) {
		kdbus_name_wait(s->waiter, entry, entry->owner, entry->flags);
		s->waiter = NULL;
	}

	kdbus_name_pass_on(entry, conn, flags, s->event);
	s->event = NULL;
}

static int take_over(struct kdbus_name_entry *entry, struct kdbus_conn *conn,
		     u64 flags, struct spares *s)
{
	int r;

	r = kdbus_name_hand_over(entry, conn, flags, s->event, 0);
	if (r == 0)
		s->event = NULL;
	return r;
}

static int wait_for(struct kdbus_name_entry *entry, struct kdbus_conn *conn,
		    u64 *flags, struct spares *s)
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

static int acquire_locked(struct kdbus_conn *conn, const char *name, u64 *flags,
			  struct spares *s)
{
	struct kdbus_name_entry *entry;

	lockdep_assert_held(&conn->bus->lock);

	if (!kdbus_conn_is_alive(conn))
		return -ECONNRESET;
	if (conn->names.count >= KDBUS_CONN_MAX_NAMES)
		return -E2BIG;
	if (kdbus_policy_own(conn, name) < 0)
		return -EPERM;

	entry = kdbus_name_lookup(conn->bus, name);
	if (!entry)
		return create(conn, *flags, s);
	if (entry->owner == conn)
		return -EALREADY;
	if (entry->flags & KDBUS_NAME_ACTIVATOR)
		return take_over(entry, conn, *flags, s);
	if (*flags & KDBUS_NAME_REPLACE_EXISTING &&
	    entry->flags & KDBUS_NAME_ALLOW_REPLACEMENT) {
		replace(entry, conn, *flags, s);
		return 0;
	}
	if (*flags & KDBUS_NAME_QUEUE)
		return wait_for(entry, conn, flags, s);
	return -EEXIST;
}

/* Documentation/kdbus.txt, section 6.2 */
static int acquire(struct kdbus_conn *conn, const char *name, u64 *flags)
{
	struct kdbus_bus *bus = conn->bus;
	struct spares s;
	int r;

	r = spares_init(&s, name);
	if (r == 0) {
		mutex_lock(&bus->lock);
		r = acquire_locked(conn, name, flags, &s);
		mutex_unlock(&bus->lock);
	}
	spares_release(&s);

	if (r == 0)
		kdbus_notify_flush(bus);
	return r;
}

static int release_locked(struct kdbus_conn *conn, const char *name)
{
	struct kdbus_name_waiter *waiter;
	struct kdbus_name_entry *entry;

	lockdep_assert_held(&conn->bus->lock);

	entry = kdbus_name_lookup(conn->bus, name);
	if (entry && entry->owner == conn) {
		kdbus_name_let_go(conn->bus, entry);
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
static int release(struct kdbus_conn *conn, const char *name)
{
	struct kdbus_bus *bus = conn->bus;
	int r;

	mutex_lock(&bus->lock);
	r = release_locked(conn, name);
	mutex_unlock(&bus->lock);

	if (r == 0)
		kdbus_notify_flush(bus);
	return r;
}

/* names of users are bare strings, and no wildcards */
static const char *cmd_name(const struct kdbus_cmd *cmd)
{
	const char *name = cmd->found[0]->str;

	return kdbus_name_is_valid(name, false) ? name : NULL;
}

/**
 * kdbus_cmd_name_acquire() - KDBUS_CMD_NAME_ACQUIRE
 * @conn:	Who
 * @cmd:	The command
 *
 * Context: May sleep; no locks may be held, user memory is accessed.
 *
 * Return: 0 or a negative errno.
 */
int kdbus_cmd_name_acquire(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	struct kdbus_cmd_name *arg = cmd->data;
	const char *name = cmd_name(cmd);
	u64 flags = arg->flags;
	int r;

	if (!name)
		return -EINVAL;

	r = acquire(conn, name, &arg->flags);
	if (r < 0 || arg->flags == flags)
		return r;

	r = kdbus_cmd_store(cmd, offsetof(struct kdbus_cmd_name, flags),
			    sizeof(arg->flags));
	/* who cannot be told that it waits does not wait */
	if (r < 0)
		release(conn, name);
	return r;
}

/**
 * kdbus_cmd_name_release() - KDBUS_CMD_NAME_RELEASE
 * @conn:	Who
 * @cmd:	The command
 *
 * Context: May sleep; no locks may be held.
 *
 * Return: 0, -EINVAL if that is no name, -ESRCH if there is no such name,
 * -EADDRINUSE if @conn has nothing to do with it, or -ENOENT if it may not even
 * know.
 */
int kdbus_cmd_name_release(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	const char *name = cmd_name(cmd);

	return name ? release(conn, name) : -EINVAL;
}

static int activate_locked(struct kdbus_conn *conn, const char *name,
			   struct spares *s)
{
	struct kdbus_name_entry *entry;
	int r;

	lockdep_assert_held(&conn->bus->lock);

	entry = kdbus_name_lookup(conn->bus, name);
	if (entry && entry->activator)
		return -EEXIST;
	if (!entry) {
		entry = s->entry;
		r = create(conn, KDBUS_NAME_ACTIVATOR, s);
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
 * Owns the name if nobody else does. The event is noted, not delivered.
 * Documentation/kdbus.txt, section 18.
 *
 * Context: May sleep; no locks may be held.
 *
 * Return: 0, -EEXIST if the name has an activator, or -ENOMEM.
 */
int kdbus_name_activate(struct kdbus_conn *conn, const char *name)
{
	struct spares s;
	int r;

	r = spares_init(&s, name);
	if (r == 0) {
		mutex_lock(&conn->bus->lock);
		r = activate_locked(conn, name, &s);
		mutex_unlock(&conn->bus->lock);
	}
	spares_release(&s);
	return r;
}

/**
 * kdbus_names_drop() - let go of all names
 * @conn:	A connection that is closed
 *
 * The events are noted, not delivered.
 *
 * Context: May sleep; the mutex of the bus is held.
 */
void kdbus_names_drop(struct kdbus_conn *conn)
{
	struct kdbus_conn_names *names = &conn->names;
	struct kdbus_name_waiter *waiter, *tmp;
	struct kdbus_bus *bus = conn->bus;

	lockdep_assert_held(&bus->lock);

	if (names->activates)
		names->activates->activator = NULL;
	names->activates = NULL;

	list_for_each_entry_safe(waiter, tmp, &names->waits, waits)
		kdbus_name_stop_waiting(waiter);
	/* there may be many; they are not shown again after each of them */
	names->leaving = true;
	kdbus_name_set_replace(names);
	while (!list_empty(&names->owned))
		kdbus_name_let_go(bus, list_first_entry(&names->owned,
							struct kdbus_name_entry,
							owned));
}
