// SPDX-License-Identifier: GPL-2.0
#include <linux/atomic.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "limits.h"
#include "match.h"
#include "memcg.h"
#include "user.h"

/* whether more removed matches are not freed yet than may count */
static bool match_is_much_left(const struct kdbus_leftover *leftover)
{
	return atomic_read(&leftover->matches) > KDBUS_USER_MAX_MATCHES ||
	       atomic_long_read(&leftover->bytes) > KDBUS_USER_MAX_MATCH_BYTES;
}

/* what is removed is freed soon, but a user may add and remove faster */
static int match_wait_leftover(struct kdbus_leftover *leftover)
{
	return wait_event_interruptible(leftover->wait,
					!match_is_much_left(leftover));
}

static void match_leave(struct kdbus_match *match)
{
	struct kdbus_leftover *leftover = match->owner->leftover;

	match->removed = true;
	atomic_inc(&leftover->matches);
	atomic_long_add(match->size, &leftover->bytes);
}

static struct kdbus_match *match_new(struct kdbus_conn *conn,
				     const struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_match *arg = cmd->data;
	unsigned int i, n_slots;
	struct kdbus_match *match;
	size_t size;
	u64 blocks;

	size = kdbus_match_rules_size(conn->bus, cmd, &blocks);
	n_slots = blocks > 1 ? 4 : 2;
	size += struct_size(match, slots, n_slots);
	match = kvzalloc(size, KDBUS_GFP_CALLER);
	if (!match)
		return NULL;

	match->cookie = arg->cookie;
	match->size = size;
	kdbus_match_rules_init(&match->rules, &match->slots[n_slots],
			       conn->bus, cmd);
	for (i = 0; i < n_slots; i++) {
		match->slots[i].match = match;
		if (n_slots > 2)
			match->slots[i].generation = i < 2 ?
						      KDBUS_MATCH_FIRST :
						      KDBUS_MATCH_LATER;
	}

	return match;
}

/* what a match of a connection counts for its user */
static int match_charge(struct kdbus_user *user, int n, ssize_t size)
{
	if (atomic_add_return(n, &user->matches) > KDBUS_USER_MAX_MATCHES &&
	    n > 0) {
		atomic_sub(n, &user->matches);
		return -EMFILE;
	}
	if (atomic_long_add_return(size, &user->match_bytes) >
	    KDBUS_USER_MAX_MATCH_BYTES && size > 0) {
		atomic_long_sub(size, &user->match_bytes);
		atomic_sub(n, &user->matches);
		return -ENOBUFS;
	}

	return 0;
}

static void match_remove_locked(struct kdbus_conn *conn,
				struct kdbus_match *match)
{
	struct kdbus_match_index *index = conn->bus->matches;

	lockdep_assert_held(&index->lock);

	list_del(&match->conn_link);
	conn->matches.count--;
	match_leave(match);
	if (!kdbus_match_unfile(index, match))
		kdbus_match_free(match);
}

/* returns how many there were, and in @size how many bytes */
static unsigned int match_count_cookie(const struct kdbus_conn *conn, u64 cookie,
				       size_t *size)
{
	const struct kdbus_match *match;
	unsigned int n = 0;

	lockdep_assert_held(&conn->bus->matches->lock);

	*size = 0;
	list_for_each_entry(match, &conn->matches.list, conn_link) {
		if (match->cookie != cookie)
			continue;
		n++;
		*size += match->size;
	}

	return n;
}

static void match_remove_cookie(struct kdbus_conn *conn, u64 cookie)
{
	struct kdbus_match *match, *tmp;

	lockdep_assert_held(&conn->bus->matches->lock);

	list_for_each_entry_safe(match, tmp, &conn->matches.list, conn_link)
		if (match->cookie == cookie)
			match_remove_locked(conn, match);
}

static int match_add_locked(struct kdbus_conn *conn, struct kdbus_match *match,
			    bool replace)
{
	struct kdbus_match_index *index = conn->bus->matches;
	unsigned int n = 0;
	size_t size = 0;
	int r;

	lockdep_assert_held(&index->lock);

	if (!kdbus_conn_is_alive(conn))
		return -ECONNRESET;
	if (replace)
		n = match_count_cookie(conn, match->cookie, &size);
	if (conn->matches.count - n >= KDBUS_MATCH_MAX)
		return -EMFILE;
	r = match_charge(kdbus_conn_payer(conn), 1 - (int)n,
			 (ssize_t)match->size - (ssize_t)size);
	if (r < 0)
		return r;

	if (n)
		match_remove_cookie(conn, match->cookie);
	kref_get(&conn->matches.owner->kref);
	match->owner = conn->matches.owner;
	kdbus_match_file(index, match);
	list_add_tail(&match->conn_link, &conn->matches.list);
	conn->matches.count++;
	kdbus_match_index_commit(index);
	return 0;
}

/* what the first match of a connection needs */
static int match_need_owner(struct kdbus_conn *conn)
{
	struct kdbus_match_index *index = conn->bus->matches;
	struct kdbus_match_owner *owner;

	if (READ_ONCE(conn->matches.owner))
		return 0;

	owner = kzalloc(sizeof(*owner), GFP_KERNEL_ACCOUNT);
	if (!owner)
		return -ENOMEM;
	kref_init(&owner->kref);
	RCU_INIT_POINTER(owner->conn, conn);
	owner->leftover = kdbus_leftover_get(kdbus_conn_payer(conn)->leftover);

	mutex_lock(&index->lock);
	/* a connection that has ended gets none any more */
	if (!conn->matches.owner && kdbus_conn_is_alive(conn)) {
		WRITE_ONCE(conn->matches.owner, owner);
		owner = NULL;
	}
	mutex_unlock(&index->lock);

	kdbus_match_owner_put(owner);
	return 0;
}

/**
 * kdbus_match_add() - KDBUS_CMD_MATCH_ADD
 * @conn:	The connection
 * @cmd:	The command
 *
 * Documentation/kdbus.txt, section 16.2.
 *
 * Context: May sleep; no locks may be held.
 *
 * Return: 0 or a negative errno; then nothing has changed. -ERESTARTSYS if a
 * signal came while it waited for removed matches to be freed.
 */
int kdbus_match_add(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	struct kdbus_match_index *index = conn->bus->matches;
	const struct kdbus_cmd_match *arg = cmd->data;
	struct kdbus_match *match;
	int r;

	r = kdbus_match_rules_check(conn->bus, cmd);
	if (r < 0)
		return r;

	r = match_wait_leftover(kdbus_conn_payer(conn)->leftover);
	if (r < 0)
		return r;
	match = match_new(conn, cmd);
	if (!match)
		return -ENOMEM;
	r = match_need_owner(conn);
	if (r == 0)
		r = kdbus_match_index_prepare(index, match);
	if (r < 0)
		goto err_free;

	mutex_lock(&index->lock);
	r = match_add_locked(conn, match, arg->flags & KDBUS_MATCH_REPLACE);
	mutex_unlock(&index->lock);
	if (r < 0)
		goto err_free;
	return 0;

err_free:
	kdbus_match_free(match);
	return r;
}

/**
 * kdbus_match_remove() - KDBUS_CMD_MATCH_REMOVE
 * @conn:	The connection
 * @cmd:	The command
 *
 * Documentation/kdbus.txt, section 16.3.
 *
 * Context: May sleep; no locks may be held.
 *
 * Return: 0, or -ENOENT if there is no such match.
 */
int kdbus_match_remove(struct kdbus_conn *conn, struct kdbus_cmd *cmd)
{
	struct kdbus_match_index *index = conn->bus->matches;
	const struct kdbus_cmd_match *arg = cmd->data;
	unsigned int n;
	size_t size;

	mutex_lock(&index->lock);
	n = match_count_cookie(conn, arg->cookie, &size);
	if (n) {
		match_charge(kdbus_conn_payer(conn), -(int)n, -(ssize_t)size);
		match_remove_cookie(conn, arg->cookie);
		kdbus_match_index_commit(index);
	}
	mutex_unlock(&index->lock);

	return n ? 0 : -ENOENT;
}

/**
 * kdbus_matches_init() - no matches yet
 * @matches:	The matches of a connection
 */
void kdbus_matches_init(struct kdbus_matches *matches)
{
	INIT_LIST_HEAD(&matches->list);
}

/**
 * kdbus_matches_drop() - remove all matches
 * @conn:	A connection that is closed
 *
 * Context: May sleep; no locks may be held.
 */
void kdbus_matches_drop(struct kdbus_conn *conn)
{
	struct kdbus_match_index *index = conn->bus->matches;
	struct kdbus_match_owner *owner;
	struct kdbus_match *match, *tmp;

	mutex_lock(&index->lock);
	owner = conn->matches.owner;
	WRITE_ONCE(conn->matches.owner, NULL);
	if (owner)
		/* a visit that found it before keeps it, or its memory under RCU */
		rcu_assign_pointer(owner->conn, NULL);
	if (!list_empty(&conn->matches.list)) {
		list_for_each_entry_safe(match, tmp, &conn->matches.list,
					 conn_link) {
			match_charge(kdbus_conn_payer(conn), -1,
				     -(ssize_t)match->size);
			match_remove_locked(conn, match);
		}
		kdbus_match_index_commit(index);
	}
	mutex_unlock(&index->lock);

	kdbus_match_owner_put(owner);
}
