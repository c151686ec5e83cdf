/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_POLICY_DB_H
#define __KDBUS_POLICY_DB_H

/**
 * DOC: Policy databases
 *
 * A database says what who may do with which name. It consists of entries: a
 * name, or a wildcard for all names that have one element more, and a list of
 * what it grants. An entry belongs to an owner, who replaces all of its entries
 * at once or removes them; the database does not care who that is.
 *
 * The most specific entry for a name decides alone. Nothing is granted by
 * default.
 *
 * All entries are in one sorted table, which never changes: an update makes a
 * new one and puts it in the place of the old one. Whoever asks sees everything
 * as it was before an update, or as it is after, with as many comparisons as it
 * takes to find a name by halving, without an allocation, and without a lock.
 *
 * Users and groups are stored as the kernel's, as they were to the uploader.
 *
 * Locks: @lock serialises updates. Queries are under RCU.
 */

#include <linux/mutex.h>
#include <linux/types.h>
#include <uapi/linux/kdbus.h>

struct cred;
struct kdbus_name_set;
struct kdbus_policy_entry;
struct kdbus_policy_table;

/**
 * struct kdbus_policy_db - a database
 * @lock:	Serialises updates
 * @table:	All entries, NULL if there are none
 */
struct kdbus_policy_db {
	struct mutex lock;	/* updates */
	struct kdbus_policy_table __rcu *table;
};

/**
 * struct kdbus_policy_upload - entries that are in no database yet
 * @n:		How many there are
 * @entries:	The entries
 */
struct kdbus_policy_upload {
	unsigned int n;
	struct kdbus_policy_entry **entries;
};

/* how many names an upload may have; holders of policy have one */
#define KDBUS_POLICY_ANY_NAMES	UINT_MAX

int kdbus_policy_upload_init(struct kdbus_policy_upload *upload,
			     const struct kdbus_item *items, size_t len,
			     unsigned int max_names, bool allow_wildcard);
void kdbus_policy_upload_release(struct kdbus_policy_upload *upload);

void kdbus_policy_db_init(struct kdbus_policy_db *db);
void kdbus_policy_db_exit(struct kdbus_policy_db *db);
int kdbus_policy_db_set(struct kdbus_policy_db *db, const void *owner,
			struct kdbus_policy_upload *upload);
void kdbus_policy_db_remove(struct kdbus_policy_db *db, const void *owner);
bool kdbus_policy_db_grants(const struct kdbus_policy_db *db,
			    const struct cred *cred, const char *name,
			    u64 level);
bool kdbus_policy_db_grants_any(const struct kdbus_policy_db *db,
				const struct cred *cred,
				const struct kdbus_name_set *set, u64 level);

#endif
