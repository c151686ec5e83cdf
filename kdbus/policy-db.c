// SPDX-License-Identifier: GPL-2.0
#include <linux/bsearch.h>
#include <linux/cred.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "item.h"
#include "memcg.h"
#include "names.h"
#include "policy.h"

/**
 * struct access - one grant
 * @type:	KDBUS_POLICY_ACCESS_*
 * @level:	KDBUS_POLICY_*, up to which it grants
 * @uid:	The user, if the type is KDBUS_POLICY_ACCESS_USER
 * @gid:	The group, if it is KDBUS_POLICY_ACCESS_GROUP
 */
struct access {
	u8 type;
	u8 level;
	union {
		kuid_t uid;
		kgid_t gid;
	};
};

/**
 * struct kdbus_policy_rule - what is granted about a name
 * @rcu:	To free it
 * @owner:	Connection or endpoint that uploaded it; only compared
 * @wildcard:	It is about names of one element more
 * @len:	Characters in @name
 * @name:	The name, without "*" and the dot before
 * @n:		How many grants there are
 * @access:	The grants; @name is behind them
 */
struct kdbus_policy_rule {
	struct rcu_head rcu;
	const void *owner;
	bool wildcard;
	size_t len;
	char *name;
	unsigned int n;
	struct access access[];
};

/**
 * struct kdbus_policy_table - rules of a database
 * @rcu:	To free it
 * @n:		How many there are
 * @rules:	By name, wildcards behind exact names
 */
struct kdbus_policy_table {
	struct rcu_head rcu;
	unsigned int n;
	struct kdbus_policy_rule *rules[];
};

/* what rules are sorted by */
struct policy_key {
	const char *name;
	size_t len;
	bool wildcard;
};

static int policy_compare(const struct kdbus_policy_rule *rule,
			  const struct policy_key *key)
{
	int r;

	r = strncmp(rule->name, key->name, min(rule->len, key->len));
	if (r != 0)
		return r;
	if (rule->len != key->len)
		return rule->len < key->len ? -1 : 1;
	return rule->wildcard - key->wildcard;
}

static int policy_compare_rules(const struct kdbus_policy_rule *a,
				const struct kdbus_policy_rule *b)
{
	const struct policy_key key = { b->name, b->len, b->wildcard };

	return policy_compare(a, &key);
}

static int policy_compare_for_sort(const void *a, const void *b)
{
	return policy_compare_rules(*(struct kdbus_policy_rule **)a,
			       *(struct kdbus_policy_rule **)b);
}

static const struct kdbus_policy_rule *
policy_find(const struct kdbus_policy_table *table, const struct policy_key *key)
{
	unsigned int low = 0, high = table->n, mid;
	int r;

	while (low < high) {
		mid = low + (high - low) / 2;
		r = policy_compare(table->rules[mid], key);
		if (r == 0)
			return table->rules[mid];
		if (r < 0)
			low = mid + 1;
		else
			high = mid;
	}

	return NULL;
}

/* what decides about a name */
static const struct kdbus_policy_rule *
policy_lookup(const struct kdbus_policy_table *table, const char *name)
{
	struct policy_key key = { .name = name, .len = strlen(name) };
	const struct kdbus_policy_rule *rule;

	rule = policy_find(table, &key);
	if (rule)
		return rule;

	key.len = strrchr(name, '.') - name;
	key.wildcard = true;
	return policy_find(table, &key);
}

static int policy_compare_gid(const void *key, const void *gid)
{
	kgid_t a = *(const kgid_t *)key, b = *(const kgid_t *)gid;

	if (gid_eq(a, b))
		return 0;
	return gid_lt(a, b) ? -1 : 1;
}

static bool policy_is_member(const struct cred *cred, kgid_t gid)
{
	const struct group_info *groups = cred->group_info;

	/* the kernel keeps them sorted */
	return gid_eq(cred->gid, gid) ||
	       bsearch(&gid, groups->gid, groups->ngroups, sizeof(gid),
		       policy_compare_gid);
}

static bool policy_is_subject(const struct access *access, const struct cred *cred)
{
	switch (access->type) {
	case KDBUS_POLICY_ACCESS_USER:
		return uid_eq(access->uid, cred->uid);
	case KDBUS_POLICY_ACCESS_GROUP:
		return policy_is_member(cred, access->gid);
	default:
		return true;
	}
}

static bool policy_grants(const struct kdbus_policy_table *table,
			  const struct cred *cred, const char *name, u64 level)
{
	const struct kdbus_policy_rule *rule;
	unsigned int i;

	rule = table ? policy_lookup(table, name) : NULL;
	for (i = 0; rule && i < rule->n; i++)
		if (rule->access[i].level >= level &&
		    policy_is_subject(&rule->access[i], cred))
			return true;

	return false;
}

/**
 * kdbus_policy_db_grants() - ask a database about a name
 * @db:		The database
 * @cred:	The subject: its real uid, real gid and groups count
 * @name:	With which name
 * @level:	What: KDBUS_POLICY_*
 *
 * Documentation/kdbus.txt, section 5.6.
 *
 * Context: Any.
 *
 * Return: Whether it is granted.
 */
bool kdbus_policy_db_grants(const struct kdbus_policy_db *db,
			    const struct cred *cred, const char *name,
			    u64 level)
{
	bool r;

	rcu_read_lock();
	r = policy_grants(rcu_dereference(db->table), cred, name, level);
	rcu_read_unlock();

	return r;
}

/**
 * kdbus_policy_db_grants_any() - ask about several names
 * @db:		The database
 * @cred:	The subject
 * @set:	With one of which names; NULL for none
 * @level:	What: KDBUS_POLICY_*
 *
 * Context: Any.
 *
 * Return: Whether it is granted for one of them at least.
 */
bool kdbus_policy_db_grants_any(const struct kdbus_policy_db *db,
				const struct cred *cred,
				const struct kdbus_name_set *set, u64 level)
{
	const struct kdbus_policy_table *table;
	const struct kdbus_item *item;
	bool r = false;

	rcu_read_lock();
	table = rcu_dereference(db->table);
	kdbus_name_set_foreach(item, set) {
		r = policy_grants(table, cred, item->name.name, level);
		if (r)
			break;
	}
	rcu_read_unlock();

	return r;
}

static int policy_parse_access(struct access *access,
			       const struct kdbus_policy_access *from)
{
	if (from->access > KDBUS_POLICY_OWN)
		return -EINVAL;
	if (from->id > U32_MAX && from->type != KDBUS_POLICY_ACCESS_WORLD)
		return -EINVAL;

	access->type = from->type;
	access->level = from->access;

	switch (from->type) {
	case KDBUS_POLICY_ACCESS_USER:
		access->uid = make_kuid(current_user_ns(), from->id);
		return uid_valid(access->uid) ? 0 : -EINVAL;
	case KDBUS_POLICY_ACCESS_GROUP:
		access->gid = make_kgid(current_user_ns(), from->id);
		return gid_valid(access->gid) ? 0 : -EINVAL;
	case KDBUS_POLICY_ACCESS_WORLD:
		return 0;
	default:
		return -EINVAL;
	}
}

/* how many grants follow a name, up to the next one */
static unsigned int policy_count_access(const struct kdbus_item *name, const void *end)
{
	const struct kdbus_item *item = kdbus_item_next(name);
	unsigned int n = 0;

	for (; (const void *)item < end && item->type != KDBUS_ITEM_NAME;
	     item = kdbus_item_next(item))
		n += item->type == KDBUS_ITEM_POLICY_ACCESS;

	return n;
}

/* a rule with room for its grants */
static struct kdbus_policy_rule *policy_rule_new(const char *name, unsigned int n)
{
	struct kdbus_policy_rule *rule;
	size_t len = strlen(name);

	rule = kvzalloc(struct_size(rule, access, n) + len + 1,
			KDBUS_GFP_CALLER);
	if (!rule)
		return NULL;

	rule->wildcard = name[len - 1] == '*';
	rule->len = rule->wildcard ? len - 2 : len;
	rule->name = (char *)&rule->access[n];
	memcpy(rule->name, name, rule->len);
	return rule;
}

static int policy_add_name(struct kdbus_policy_upload *upload, const char *name,
			   unsigned int n_access)
{
	struct kdbus_policy_rule *rule;

	rule = policy_rule_new(name, n_access);
	if (!rule)
		return -ENOMEM;

	upload->rules[upload->n++] = rule;
	return 0;
}

static int policy_add_access(struct kdbus_policy_upload *upload,
			     const struct kdbus_policy_access *access)
{
	struct kdbus_policy_rule *rule;
	int r;

	if (!upload->n)
		return -EINVAL;

	rule = upload->rules[upload->n - 1];
	r = policy_parse_access(&rule->access[rule->n], access);
	if (r == 0)
		rule->n++;
	return r;
}

static int policy_add_items(struct kdbus_policy_upload *upload,
			    const struct kdbus_item *items, size_t len,
			    unsigned int max_names, bool allow_wildcard)
{
	const struct kdbus_item *item;
	int r = 0;

	kdbus_items_foreach(item, items, len) {
		if (item->type == KDBUS_ITEM_POLICY_ACCESS)
			r = policy_add_access(upload, &item->policy_access);
		if (r < 0)
			return r;
		if (item->type != KDBUS_ITEM_NAME)
			continue;

		if (upload->n == max_names)
			return -E2BIG;
		if (!kdbus_name_is_valid(item->str, allow_wildcard))
			return -EINVAL;
		r = policy_add_name(upload, item->str,
				    policy_count_access(item, (const void *)items + len));
		if (r < 0)
			return r;
	}

	return 0;
}

static unsigned int policy_count_names(const struct kdbus_item *items, size_t len)
{
	const struct kdbus_item *item;
	unsigned int n = 0;

	kdbus_items_foreach(item, items, len)
		n += item->type == KDBUS_ITEM_NAME;
	return n;
}

/**
 * kdbus_policy_upload_init() - make rules of the items of a command
 * @upload:	The rules, uninitialised
 * @items:	The items; those that are not about policy are ignored
 * @len:	Bytes in @items
 * @max_names:	How many names are allowed
 * @allow_wildcard: Whether wildcards are
 *
 * Ids are those of the user namespace of the running task.
 * Documentation/kdbus.txt, section 5.6.
 *
 * Context: May sleep.
 *
 * Return: 0, to be followed by kdbus_policy_upload_release(); -E2BIG, -EINVAL
 * or -ENOMEM.
 */
int kdbus_policy_upload_init(struct kdbus_policy_upload *upload,
			     const struct kdbus_item *items, size_t len,
			     unsigned int max_names, bool allow_wildcard)
{
	int r;

	upload->n = 0;
	upload->rules = kvcalloc(policy_count_names(items, len) + 1,
				 sizeof(*upload->rules),
				 KDBUS_GFP_CALLER);
	if (!upload->rules)
		return -ENOMEM;

	r = policy_add_items(upload, items, len, max_names, allow_wildcard);
	if (r < 0)
		kdbus_policy_upload_release(upload);
	return r;
}

/**
 * kdbus_policy_upload_release() - free what no database has taken
 * @upload:	The rules
 *
 * Context: May sleep.
 */
void kdbus_policy_upload_release(struct kdbus_policy_upload *upload)
{
	while (upload->n)
		kvfree(upload->rules[--upload->n]);
	kvfree(upload->rules);
	upload->rules = NULL;
}

/**
 * kdbus_policy_db_init() - initialise a database
 * @db:		The database
 */
void kdbus_policy_db_init(struct kdbus_policy_db *db)
{
	mutex_init(&db->lock);
	RCU_INIT_POINTER(db->table, NULL);
}

static struct kdbus_policy_table *policy_table_locked(const struct kdbus_policy_db *db)
{
	return rcu_dereference_protected(db->table,
					 lockdep_is_held(&db->lock));
}

/* two rules for the same names are one too many */
static int policy_append(struct kdbus_policy_table *table,
			 struct kdbus_policy_rule *rule)
{
	if (table->n &&
	    !policy_compare_rules(table->rules[table->n - 1], rule))
		return -EEXIST;

	table->rules[table->n++] = rule;
	return 0;
}

/* both lists are sorted; rules of @owner in the old one are left out */
static int policy_merge(struct kdbus_policy_table *table,
			const struct kdbus_policy_table *old, const void *owner,
			const struct kdbus_policy_upload *upload)
{
	unsigned int i = 0, j = 0, n_old = old ? old->n : 0;
	struct kdbus_policy_rule *next;
	int r = 0;

	while (r == 0 && (i < n_old || j < upload->n)) {
		if (i < n_old && old->rules[i]->owner == owner) {
			i++;
			continue;
		}
		if (j == upload->n ||
		    (i < n_old && policy_compare_rules(old->rules[i],
						       upload->rules[j]) <= 0))
			next = old->rules[i++];
		else
			next = upload->rules[j++];
		r = policy_append(table, next);
	}

	return r;
}

static void policy_replace(struct kdbus_policy_db *db, const void *owner,
			   struct kdbus_policy_table *table)
{
	struct kdbus_policy_table *old;
	unsigned int i;

	old = rcu_replace_pointer(db->table, table, lockdep_is_held(&db->lock));
	for (i = 0; old && i < old->n; i++)
		if (old->rules[i]->owner == owner)
			kvfree_rcu(old->rules[i], rcu);
	if (old)
		kvfree_rcu(old, rcu);
}

/* @table has room for what is there and for @upload; taken or freed */
static int policy_set_locked(struct kdbus_policy_db *db, const void *owner,
			     const struct kdbus_policy_upload *upload,
			     struct kdbus_policy_table *table)
{
	int r;

	lockdep_assert_held(&db->lock);

	r = policy_merge(table, policy_table_locked(db), owner, upload);
	if (r < 0) {
		kvfree(table);
		return r;
	}

	if (!table->n) {
		kvfree(table);
		table = NULL;
	}
	policy_replace(db, owner, table);
	return 0;
}

static unsigned int policy_count(const struct kdbus_policy_db *db)
{
	const struct kdbus_policy_table *table;
	unsigned int n;

	rcu_read_lock();
	table = rcu_dereference(db->table);
	n = table ? table->n : 0;
	rcu_read_unlock();

	return n;
}

static bool policy_has_grown(const struct kdbus_policy_db *db, unsigned int n)
{
	const struct kdbus_policy_table *table = policy_table_locked(db);

	return table && table->n > n;
}

/* allocates memory, so not under db->lock */
static int policy_set(struct kdbus_policy_db *db, const void *owner,
		      const struct kdbus_policy_upload *upload, gfp_t gfp)
{
	struct kdbus_policy_table *table;
	unsigned int n;
	int r;

	for (;;) {
		n = policy_count(db);
		table = kvzalloc(struct_size(table, rules, n + upload->n),
				 gfp);
		if (!table)
			return -ENOMEM;

		mutex_lock(&db->lock);
		if (!policy_has_grown(db, n))
			break;
		mutex_unlock(&db->lock);
		kvfree(table);
	}

	r = policy_set_locked(db, owner, upload, table);
	mutex_unlock(&db->lock);
	return r;
}

/**
 * kdbus_policy_db_set() - replace all rules of an owner
 * @db:		The database
 * @owner:	The owner
 * @upload:	The new ones; on success they belong to the database
 *
 * Context: May sleep.
 *
 * Return: 0, -EEXIST if there are two rules for the same name, or -ENOMEM;
 * then nothing has changed.
 */
int kdbus_policy_db_set(struct kdbus_policy_db *db, const void *owner,
			struct kdbus_policy_upload *upload)
{
	unsigned int i;
	int r;

	sort(upload->rules, upload->n, sizeof(*upload->rules),
	     policy_compare_for_sort, NULL);
	for (i = 0; i < upload->n; i++)
		upload->rules[i]->owner = owner;

	r = policy_set(db, owner, upload, KDBUS_GFP_CALLER);
	if (r == 0)
		upload->n = 0;
	return r;
}

/**
 * kdbus_policy_db_remove() - remove all rules of an owner
 * @db:		The database
 * @owner:	The owner
 *
 * Context: May sleep.
 */
void kdbus_policy_db_remove(struct kdbus_policy_db *db, const void *owner)
{
	const struct kdbus_policy_upload none = {};

	/* there is no way to refuse this */
	policy_set(db, owner, &none, GFP_KERNEL | __GFP_NOFAIL);
}

/**
 * kdbus_policy_db_exit() - get rid of a database
 * @db:		The database; no query runs any more, and all owners have removed
 *		their rules
 *
 * Context: May sleep.
 */
void kdbus_policy_db_exit(struct kdbus_policy_db *db)
{
	struct kdbus_policy_table *table;

	table = rcu_dereference_protected(db->table, true);
	WARN_ON_ONCE(table && table->n);
	kvfree(table);
}
