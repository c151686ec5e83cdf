/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_POLICY_H
#define __KDBUS_POLICY_H

/**
 * DOC: Policy databases
 *
 * A database says what a user may do with a name. It consists of rules: a
 * name, or a wildcard for all names that have one element more, and a list of
 * what it grants. A rule belongs to an owner, which replaces all of its rules
 * at once or removes them; to the database it is an address.
 *
 * The most specific rule for a name decides alone. Nothing is granted by
 * default.
 *
 * All rules are in one sorted table, which never changes: an update makes a
 * new one and puts it in the place of the old one. A query sees everything
 * as it was before an update, or as it is after, with as many comparisons as it
 * takes to find a name by halving, without an allocation, and without a lock.
 *
 * Users and groups are translated in the user namespace of the uploader when they
 * are uploaded.
 *
 * Locks: ``db->lock`` serialises updates. Queries are under RCU.
 */

#include <linux/mutex.h>
#include <linux/types.h>
#include <uapi/linux/kdbus.h>

struct cred;
struct kdbus_conn;
struct kdbus_name_set;
struct kdbus_policy_rule;
struct kdbus_policy_table;

/**
 * struct kdbus_policy_db - a database
 * @lock:	Serialises updates
 * @table:	All rules, NULL if there are none
 */
struct kdbus_policy_db {
	struct mutex lock;	/* updates */
	struct kdbus_policy_table __rcu *table;
};

/**
 * struct kdbus_policy_upload - rules that are in no database yet
 * @n:		How many there are
 * @rules:	The rules
 */
struct kdbus_policy_upload {
	unsigned int n;
	struct kdbus_policy_rule **rules;
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

/**
 * DOC: Policy
 *
 * Which connection may own a name, talk to a peer, and see what. Two databases
 * decide: that of the bus, filled by the holders of policy, and that of a custom
 * endpoint, which stands before the first for all connections through that
 * endpoint. What is allowed without a database: privileged connections may do
 * everything, and connections of one user may talk to each other. A custom
 * endpoint knows no such exceptions, and lets only ordinary connections in.
 *
 * Policy is about names. A connection may be talked to if the policy of one of
 * its names says so.
 *
 * Identity is that of the connection, as it was when it said HELLO: credentials
 * and privilege. A later holder of the descriptor neither gains nor loses
 * anything.
 *
 * Locks: none are taken. What a connection owns and what the databases say is
 * read under RCU; while names change hands an answer may be out of date, unless
 * ``bus->lock`` is held.
 */

int kdbus_policy_own(const struct kdbus_conn *conn, const char *name);
int kdbus_policy_talk(const struct kdbus_conn *src,
		      const struct kdbus_conn *dst);
bool kdbus_policy_signal(const struct kdbus_conn *src,
			 const struct kdbus_conn *dst);
bool kdbus_policy_see(const struct kdbus_conn *conn, const char *name);
bool kdbus_policy_see_conn(const struct kdbus_conn *conn,
			   const struct kdbus_conn *other);

#endif
