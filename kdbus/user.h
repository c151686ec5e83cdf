/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_USER_H
#define __KDBUS_USER_H

/**
 * DOC: Accounting records
 *
 * A domain keeps one record per user that has a bus, a custom endpoint or a
 * connection in it, and counts these against the user's limits. Code that
 * charges an object remembers that it did, and discharges exactly what was
 * charged: what a privileged user makes is not charged, matches excepted, nor
 * discharged later.
 *
 * A record is shared by all objects of its user in the domain and lives as long
 * as the longest of them; each holds a reference. The domain holds none, but
 * finds the records by uid. A custom endpoint has a record of its own, for
 * no user, which is not in the table.
 *
 * A user namespace gives its owner as many uids as are mapped into it. They are
 * no users to the accounting: seen from a namespace, all that happens in one
 * below it counts for the owner of that. Objects of the domain, and files in
 * flight, are counted as seen from the initial namespace; the shares at a
 * receiver as seen from the namespace that the bus was made in, so that the
 * users of a container are users on the container's own bus, and one user on
 * everybody else's.
 *
 * Root makes namespaces for others, so their owner does not tell which user has
 * them. A namespace that the root of the one around it made is a user of its own.
 *
 * Locks: ``users->lock`` guards the table and the last put of a record. The counters
 * are atomic. ``user->flights_lock`` is a spinlock that guards files that wait.
 */

#include <linux/atomic.h>
#include <linux/hashtable.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/wait.h>

struct cred;
struct user_namespace;

/**
 * struct kdbus_users - the records of a domain
 * @lock:	Guards @table
 * @table:	Records by uid
 */
struct kdbus_users {
	struct mutex lock;	/* table, last put */
	DECLARE_HASHTABLE(table, 6);
};

/**
 * struct kdbus_leftover - matches of a user that were removed and not freed yet
 * @kref:	References: of the user, and of connections and their matches
 * @matches:	How many there are
 * @bytes:	Their memory
 * @wait:	Woken when one is freed
 *
 * It refers to nothing in the domain, so it may outlive that.
 */
struct kdbus_leftover {
	struct kref kref;
	atomic_t matches;
	atomic_long_t bytes;
	wait_queue_head_t wait;
};

/**
 * struct kdbus_user - accounting record of one user in one domain
 * @kref:	References
 * @users:	Where it is filed, constant
 * @table_link:	Link in their table
 * @uid:	The user, invalid if there is none, constant
 * @ns:		The namespace that is the user, with a reference, if root made
 *		it; else NULL; constant
 * @buses:	Buses charged
 * @conns:	Connections charged
 * @eps:	Custom endpoints charged
 * @matches:	Matches of its connections
 * @match_bytes: Memory of these
 * @leftover:	Matches that do not count any more, with a reference
 * @files:	Files in messages that its connections are sending
 * @flights_lock: Guards @flights
 * @flights:	Files that its connections sent and that wait, by receiving user
 */
struct kdbus_user {
	struct kref kref;
	struct kdbus_users *users;
	struct hlist_node table_link;
	kuid_t uid;
	struct user_namespace *ns;
	atomic_t buses;
	atomic_t conns;
	atomic_t eps;
	atomic_t matches;
	atomic_long_t match_bytes;
	struct kdbus_leftover *leftover;
	atomic_t files;
	spinlock_t flights_lock;	/* flights */
	struct list_head flights;
};

void kdbus_users_init(struct kdbus_users *users);
struct kdbus_user *kdbus_user_find(struct kdbus_users *users,
				   const struct cred *cred,
				   struct user_namespace *from);
struct kdbus_user *kdbus_user_new_anonymous(struct kdbus_users *users);
struct kdbus_user *kdbus_user_get(struct kdbus_user *user);
void kdbus_user_put(struct kdbus_user *user);
int kdbus_user_charge(atomic_t *count, int max);
struct kdbus_leftover *kdbus_leftover_get(struct kdbus_leftover *leftover);
void kdbus_leftover_put(struct kdbus_leftover *leftover);

#endif
