/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_USER_H
#define __KDBUS_USER_H

/**
 * DOC: Accounting records
 *
 * A domain keeps one record per user that has a bus or a connection in it, and
 * counts these against the user's limits. Whoever charges an object remembers
 * that it did, and discharges exactly what was charged: a privileged user is
 * never charged and gains nothing from that later.
 *
 * A record is shared by all objects of its user in the domain and lives as long
 * as the longest of them; each holds a reference. The domain holds none, but
 * finds the records by uid. A custom endpoint has a record of its own, for
 * nobody in particular, which is not in the table.
 *
 * Locks: &struct kdbus_users.lock guards the table and the last put of a
 * record. The counters are atomic.
 */

#include <linux/atomic.h>
#include <linux/hashtable.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/uidgid.h>

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
 * struct kdbus_user - accounting record of one user in one domain
 * @kref:	References
 * @users:	Where it is filed, constant
 * @entry:	Its place there
 * @uid:	The user, invalid if it is nobody's, constant
 * @buses:	Buses charged
 * @conns:	Connections charged
 * @files:	Files in flight that its connections sent
 */
struct kdbus_user {
	struct kref kref;
	struct kdbus_users *users;
	struct hlist_node entry;
	kuid_t uid;
	atomic_t buses;
	atomic_t conns;
	atomic_t files;
};

void kdbus_users_init(struct kdbus_users *users);
struct kdbus_user *kdbus_user_find(struct kdbus_users *users, kuid_t uid);
struct kdbus_user *kdbus_user_new_anonymous(struct kdbus_users *users);
struct kdbus_user *kdbus_user_get(struct kdbus_user *user);
void kdbus_user_put(struct kdbus_user *user);
int kdbus_user_charge(atomic_t *count, int max);

#endif
