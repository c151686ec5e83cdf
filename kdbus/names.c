// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>

#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "handover.h"
#include "ident.h"
#include "item.h"
#include "limits.h"
#include "name-set.h"
#include "names.h"
#include "notify.h"
#include "policy.h"

static u32 name_hash(const void *data, u32 len, u32 seed)
{
	const char *name = data;

	return jhash(name, strlen(name), seed);
}

static u32 name_obj_hash(const void *data, u32 len, u32 seed)
{
	const struct kdbus_name_entry *entry = data;

	return name_hash(entry->name, len, seed);
}

static int name_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct kdbus_name_entry *entry = obj;

	return strcmp(arg->key, entry->name);
}

static const struct rhashtable_params name_params = {
	.head_offset		= offsetof(struct kdbus_name_entry, node),
	.hashfn			= name_hash,
	.obj_hashfn		= name_obj_hash,
	.obj_cmpfn		= name_cmp,
	.automatic_shrinking	= true,
};

/**
 * kdbus_names_init() - initialise the registry of a bus
 * @reg:	The registry
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_names_init(struct kdbus_name_registry *reg)
{
	return rhashtable_init(&reg->table, &name_params);
}

/**
 * kdbus_names_exit() - get rid of a registry
 * @reg:	The registry, without names
 *
 * Context: May sleep.
 */
void kdbus_names_exit(struct kdbus_name_registry *reg)
{
	rhashtable_destroy(&reg->table);
}

/**
 * kdbus_conn_names_init() - no names yet
 * @names:	A connection's part in the registry
 */
void kdbus_conn_names_init(struct kdbus_conn_names *names)
{
	INIT_LIST_HEAD(&names->owned);
	INIT_LIST_HEAD(&names->waits);
}

static void entry_release(struct kref *kref)
{
	kfree_rcu(container_of(kref, struct kdbus_name_entry, kref), rcu);
}

/**
 * kdbus_name_put() - drop a reference to a name
 * @entry:	The name, or NULL
 */
void kdbus_name_put(struct kdbus_name_entry *entry)
{
	if (entry)
		kref_put(&entry->kref, entry_release);
}

/**
 * kdbus_name_find() - look up a name
 * @bus:	Where
 * @name:	The name
 *
 * Return: The name, with a reference, or NULL.
 */
struct kdbus_name_entry *kdbus_name_find(struct kdbus_bus *bus,
					 const char *name)
{
	struct kdbus_name_entry *entry;

	rcu_read_lock();
	entry = rhashtable_lookup(&bus->names.table, name, name_params);
	if (entry && !kref_get_unless_zero(&entry->kref))
		entry = NULL;
	rcu_read_unlock();

	return entry;
}

/**
 * kdbus_name_owner() - who owns a name
 * @bus:	Where
 * @entry:	The name
 *
 * Waits while the name changes hands.
 *
 * Context: May sleep.
 *
 * Return: The owner, with a reference, or NULL if the name has to be looked up
 * again.
 */
struct kdbus_conn *kdbus_name_owner(struct kdbus_bus *bus,
				    const struct kdbus_name_entry *entry)
{
	struct kdbus_conn *owner;

	rcu_read_lock();
	owner = READ_ONCE(entry->owner);
	if (owner && !kref_get_unless_zero(&owner->kref))
		owner = NULL;
	rcu_read_unlock();

	if (!owner) {
		mutex_lock(&bus->lock);
		mutex_unlock(&bus->lock);
	}

	return owner;
}

static struct kdbus_name_entry *lookup(struct kdbus_bus *bus, const char *name)
{
	lockdep_assert_held(&bus->lock);

	return rhashtable_lookup_fast(&bus->names.table, name, name_params);
}

static struct kdbus_name_entry *entry_new(const char *name)
{
	size_t len = strlen(name) + 1;
	struct kdbus_name_entry *entry;

	entry = kzalloc(sizeof(*entry) + len, GFP_KERNEL_ACCOUNT);
	if (!entry)
		return NULL;

	kref_init(&entry->kref);
	INIT_LIST_HEAD(&entry->owned);
	INIT_LIST_HEAD(&entry->waiters);
	memcpy(entry->name, name, len);
	return entry;
}

static void give(struct kdbus_name_entry *entry, struct kdbus_conn *owner,
		 u64 flags)
{
	entry->flags = flags;
	list_add_tail(&entry->owned, &owner->names.owned);
	owner->names.count++;
	kdbus_name_set_replace(&owner->names);
}

static void take_away(struct kdbus_name_entry *entry, struct kdbus_conn *owner)
{
	list_del_init(&entry->owned);
	owner->names.count--;
	kdbus_name_set_replace(&owner->names);
}

/* senders hold on to an owner only under the lock of its queue */
static void set_owner(struct kdbus_name_entry *entry, struct kdbus_conn *owner)
{
	struct kdbus_queue *queue = &entry->owner->queue;

	spin_lock(&queue->lock);
	WRITE_ONCE(entry->owner, owner);
	spin_unlock(&queue->lock);
}

/* the owner changes, and the messages stay where they are */
static void pass_on(struct kdbus_name_entry *entry, struct kdbus_conn *to,
		    u64 flags, struct kdbus_event *event)
{
	struct kdbus_conn *from = entry->owner;

	kdbus_event_set_name(event, from->id, entry->flags, to->id, flags);
	kdbus_notify(from->bus, event);

	take_away(entry, from);
	set_owner(entry, to);
	give(entry, to, flags);
}

/* the owner changes, and messages move along; nothing happens on failure */
static int hand_over(struct kdbus_name_entry *entry, struct kdbus_conn *to,
		     u64 flags, struct kdbus_event *event, u64 name_id)
{
	struct kdbus_conn *from = entry->owner;
	int r;

	r = kdbus_handover(entry, to, name_id);
	if (r < 0)
		return r;

	kdbus_event_set_name(event, from->id, entry->flags, to->id, flags);
	kdbus_notify(from->bus, event);

	take_away(entry, from);
	give(entry, to, flags);
	return 0;
}

static void waiter_free(struct kdbus_name_waiter *waiter)
{
	list_del(&waiter->queue);
	list_del(&waiter->waits);
	waiter->conn->names.waiting--;
	kfree(waiter);
}

static struct kdbus_name_waiter *find_waiter(struct kdbus_name_entry *entry,
					     const struct kdbus_conn *conn)
{
	struct kdbus_name_waiter *waiter;

	list_for_each_entry(waiter, &entry->waiters, queue)
		if (waiter->conn == conn)
			return waiter;

	return NULL;
}

static struct kdbus_name_waiter *next_waiter(struct kdbus_name_entry *entry)
{
	struct kdbus_name_waiter *waiter;

	/* who is dead but has not left yet is passed over */
	list_for_each_entry(waiter, &entry->waiters, queue)
		if (kdbus_conn_is_alive(waiter->conn))
			return waiter;

	return NULL;
}

static void add_waiter(struct kdbus_name_waiter *waiter,
		       struct kdbus_name_entry *entry, struct kdbus_conn *conn,
		       u64 flags)
{
	waiter->entry = entry;
	waiter->conn = conn;
	waiter->flags = flags;
	list_add_tail(&waiter->queue, &entry->waiters);
	list_add_tail(&waiter->waits, &conn->names.waits);
	conn->names.waiting++;
}

static void destroy(struct kdbus_bus *bus, struct kdbus_name_entry *entry,
		    struct kdbus_event *event)
{
	struct kdbus_conn *owner = entry->owner;

	kdbus_event_set_name(event, owner->id, entry->flags, 0, 0);
	kdbus_notify(bus, event);

	take_away(entry, owner);
	rhashtable_remove_fast(&bus->names.table, &entry->node, name_params);
	set_owner(entry, NULL);
	if (entry->activator)
		entry->activator->names.activates = NULL;
	while (!list_empty(&entry->waiters))
		waiter_free(list_first_entry(&entry->waiters,
					     struct kdbus_name_waiter, queue));
	kdbus_name_put(entry);
}

/* the owner lets go; Documentation/kdbus.txt, section 6.4 */
static void let_go(struct kdbus_bus *bus, struct kdbus_name_entry *entry)
{
	struct kdbus_conn *activator = entry->activator;
	struct kdbus_name_waiter *waiter;
	struct kdbus_event *event;
	u64 flags;

	lockdep_assert_held(&bus->lock);

	/* there is no way to refuse this */
	event = kdbus_event_new_name(entry->name, GFP_KERNEL | __GFP_NOFAIL);

	waiter = next_waiter(entry);
	if (waiter) {
		flags = waiter->flags;
		activator = waiter->conn;
		waiter_free(waiter);
		pass_on(entry, activator, flags, event);
		return;
	}

	if (activator && activator != entry->owner &&
	    hand_over(entry, activator, KDBUS_NAME_ACTIVATOR, event,
		      entry->id) == 0)
		return;

	destroy(bus, entry, event);
}

/* what an acquisition may need, allocated before anything happens */
struct spares {
	struct kdbus_event *event;
	struct kdbus_name_entry *entry;
	struct kdbus_name_waiter *waiter;
};

static int spares_init(struct spares *s, const char *name)
{
	s->event = kdbus_event_new_name(name, GFP_KERNEL_ACCOUNT);
	s->entry = entry_new(name);
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
	struct kdbus_name_entry *entry = s->entry;
	struct kdbus_bus *bus = conn->bus;
	int r;

	entry->id = ++bus->names.ids;
	entry->owner = conn;
	r = rhashtable_insert_fast(&bus->names.table, &entry->node,
				   name_params);
	if (r < 0)
		return r;

	s->entry = NULL;
	give(entry, conn, flags);
	kdbus_event_set_name(s->event, 0, 0, conn->id, flags);
	kdbus_notify(bus, s->event);
	s->event = NULL;
	return 0;
}

static void replace(struct kdbus_name_entry *entry, struct kdbus_conn *conn,
		    u64 flags, struct spares *s)
{
	struct kdbus_name_waiter *waiter;

	/* a place in the queue is not needed any more */
	waiter = find_waiter(entry, conn);
	if (waiter)
		waiter_free(waiter);

	if (entry->flags & KDBUS_NAME_QUEUE) {
		add_waiter(s->waiter, entry, entry->owner, entry->flags);
		s->waiter = NULL;
	}

	pass_on(entry, conn, flags, s->event);
	s->event = NULL;
}

static int take_over(struct kdbus_name_entry *entry, struct kdbus_conn *conn,
		     u64 flags, struct spares *s)
{
	int r;

	r = hand_over(entry, conn, flags, s->event, 0);
	if (r == 0)
		s->event = NULL;
	return r;
}

static int wait_for(struct kdbus_name_entry *entry, struct kdbus_conn *conn,
		    u64 *flags, struct spares *s)
{
	struct kdbus_name_waiter *waiter = find_waiter(entry, conn);

	if (waiter) {
		waiter->flags = *flags;
	} else {
		if (conn->names.waiting >= KDBUS_CONN_MAX_WAITS)
			return -E2BIG;
		add_waiter(s->waiter, entry, conn, *flags);
		s->waiter = NULL;
	}

	*flags |= KDBUS_NAME_IN_QUEUE;
	return 0;
}

static int acquire(struct kdbus_conn *conn, const char *name, u64 *flags,
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

	entry = lookup(conn->bus, name);
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

/**
 * kdbus_name_acquire() - acquire a name
 * @conn:	Who wants it, an ordinary connection
 * @name:	The name, valid
 * @flags:	KDBUS_NAME_* flags; KDBUS_NAME_IN_QUEUE is added if @conn waits
 *
 * Documentation/kdbus.txt, section 6.2.
 *
 * Context: May sleep; no locks may be held.
 *
 * Return: 0 or a negative errno.
 */
int kdbus_name_acquire(struct kdbus_conn *conn, const char *name, u64 *flags)
{
	struct kdbus_bus *bus = conn->bus;
	struct spares s;
	int r;

	r = spares_init(&s, name);
	if (r == 0) {
		mutex_lock(&bus->lock);
		r = acquire(conn, name, flags, &s);
		mutex_unlock(&bus->lock);
	}
	spares_release(&s);

	if (r == 0)
		kdbus_notify_flush(bus);
	return r;
}

static int activate(struct kdbus_conn *conn, const char *name, struct spares *s)
{
	struct kdbus_name_entry *entry;
	int r;

	lockdep_assert_held(&conn->bus->lock);

	entry = lookup(conn->bus, name);
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
		r = activate(conn, name, &s);
		mutex_unlock(&conn->bus->lock);
	}
	spares_release(&s);
	return r;
}

static int release(struct kdbus_conn *conn, const char *name)
{
	struct kdbus_name_waiter *waiter;
	struct kdbus_name_entry *entry;

	lockdep_assert_held(&conn->bus->lock);

	entry = lookup(conn->bus, name);
	if (entry && entry->owner == conn) {
		let_go(conn->bus, entry);
		return 0;
	}

	waiter = entry ? find_waiter(entry, conn) : NULL;
	if (waiter) {
		waiter_free(waiter);
		return 0;
	}

	if (!kdbus_policy_see(conn, name))
		return -ENOENT;
	return entry ? -EADDRINUSE : -ESRCH;
}

/**
 * kdbus_name_release() - let go of a name, or stop waiting for it
 * @conn:	Who
 * @name:	The name, valid
 *
 * Documentation/kdbus.txt, section 6.3.
 *
 * Context: May sleep; no locks may be held.
 *
 * Return: 0, -ESRCH if there is no such name, -EADDRINUSE if @conn has nothing
 * to do with it, or -ENOENT if it may not even know.
 */
int kdbus_name_release(struct kdbus_conn *conn, const char *name)
{
	struct kdbus_bus *bus = conn->bus;
	int r;

	mutex_lock(&bus->lock);
	r = release(conn, name);
	mutex_unlock(&bus->lock);

	if (r == 0)
		kdbus_notify_flush(bus);
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
	struct kdbus_bus *bus = conn->bus;

	lockdep_assert_held(&bus->lock);

	if (names->activates)
		names->activates->activator = NULL;
	names->activates = NULL;

	while (!list_empty(&names->waits))
		waiter_free(list_first_entry(&names->waits,
					     struct kdbus_name_waiter, waits));
	/* there may be many; they are not shown again after each of them */
	names->leaving = true;
	kdbus_name_set_replace(names);
	while (!list_empty(&names->owned))
		let_go(bus, list_first_entry(&names->owned,
					     struct kdbus_name_entry, owned));
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

	r = kdbus_name_acquire(conn, name, &arg->flags);
	if (r < 0 || arg->flags == flags)
		return r;

	r = kdbus_cmd_store(cmd, offsetof(struct kdbus_cmd_name, flags),
			    sizeof(arg->flags));
	/* who cannot be told that it waits does not wait */
	if (r < 0)
		kdbus_name_release(conn, name);
	return r;
}

/**
 * kdbus_cmd_name_release() - KDBUS_CMD_NAME_RELEASE
 * @conn:	Who
 * @cmd:	The command
 *
 * Context: May sleep; no locks may be held.
 *
 * Return: 0 or a negative errno.
 */
int kdbus_cmd_name_release(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	const char *name = cmd_name(cmd);

	return name ? kdbus_name_release(conn, name) : -EINVAL;
}
