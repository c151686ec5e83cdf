// SPDX-License-Identifier: GPL-2.0
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "user.h"

/**
 * kdbus_users_init() - initialise the records of a domain
 * @users:	The records
 */
void kdbus_users_init(struct kdbus_users *users)
{
	mutex_init(&users->lock);
	hash_init(users->table);
}

/* the namespace below @from that is or contains @ns, or NULL */
static struct user_namespace *user_ns_below(struct user_namespace *from,
					    struct user_namespace *ns)
{
	while (ns->parent && ns->parent != from)
		ns = ns->parent;
	return ns->parent ? ns : NULL;
}

/**
 * struct kdbus_claimant - what a user is to the accounting
 * @uid:	A uid
 * @ns:		A namespace that root made for others, or NULL
 */
struct kdbus_claimant {
	kuid_t uid;
	struct user_namespace *ns;
};

static struct kdbus_claimant user_claimant(const struct cred *cred,
					   struct user_namespace *from)
{
	struct user_namespace *ns;
	kuid_t root;

	if (cred->user_ns == from)
		return (struct kdbus_claimant){ .uid = cred->fsuid };

	ns = user_ns_below(from, cred->user_ns);
	/* elsewhere: as the initial namespace sees it */
	if (!ns) {
		from = &init_user_ns;
		ns = user_ns_below(from, cred->user_ns);
	}
	if (!ns)
		return (struct kdbus_claimant){ .uid = cred->fsuid };

	root = make_kuid(from, 0);
	return (struct kdbus_claimant){
		.uid	= ns->owner,
		.ns	= uid_eq(ns->owner, root) ? ns : NULL,
	};
}

static struct kdbus_user *user_lookup(struct kdbus_users *users,
				      const struct kdbus_claimant *claimant)
{
	struct kdbus_user *user;

	lockdep_assert_held(&users->lock);

	hash_for_each_possible(users->table, user, table_link,
			       __kuid_val(claimant->uid))
		if (uid_eq(user->uid, claimant->uid) &&
		    user->ns == claimant->ns)
			return user;

	return NULL;
}

/* the last put holds the lock, so what is found is alive */
static struct kdbus_user *
user_lookup_get(struct kdbus_users *users,
		const struct kdbus_claimant *claimant)
{
	struct kdbus_user *user = user_lookup(users, claimant);

	return user ? kdbus_user_get(user) : NULL;
}

static void user_leftover_release(struct kref *kref)
{
	kfree(container_of(kref, struct kdbus_leftover, kref));
}

/**
 * kdbus_leftover_get() - take a reference
 * @leftover:	What is left of a user's matches
 *
 * Return: @leftover.
 */
struct kdbus_leftover *kdbus_leftover_get(struct kdbus_leftover *leftover)
{
	kref_get(&leftover->kref);
	return leftover;
}

/**
 * kdbus_leftover_put() - drop a reference
 * @leftover:	What is left of a user's matches
 *
 * Context: Any.
 */
void kdbus_leftover_put(struct kdbus_leftover *leftover)
{
	kref_put(&leftover->kref, user_leftover_release);
}

static struct kdbus_leftover *user_leftover_new(void)
{
	struct kdbus_leftover *leftover;

	leftover = kzalloc(sizeof(*leftover), GFP_KERNEL_ACCOUNT);
	if (!leftover)
		return NULL;

	kref_init(&leftover->kref);
	init_waitqueue_head(&leftover->wait);
	return leftover;
}

static void user_free(struct kdbus_user *user)
{
	kdbus_leftover_put(user->leftover);
	put_user_ns(user->ns);
	kfree(user);
}

static struct kdbus_user *user_new(struct kdbus_users *users,
				   const struct kdbus_claimant *claimant)
{
	struct kdbus_user *user;

	user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
	if (!user)
		return ERR_PTR(-ENOMEM);
	user->leftover = user_leftover_new();
	if (!user->leftover) {
		kfree(user);
		return ERR_PTR(-ENOMEM);
	}

	kref_init(&user->kref);
	INIT_HLIST_NODE(&user->table_link);
	spin_lock_init(&user->flights_lock);
	INIT_LIST_HEAD(&user->flights);
	user->users = users;
	user->uid = claimant->uid;
	user->ns = claimant->ns ? get_user_ns(claimant->ns) : NULL;
	return user;
}

/**
 * kdbus_user_new_anonymous() - make a record for no user
 * @users:	The records of the domain, which keep its lock
 *
 * Context: May sleep.
 *
 * Return: The record, with a reference, or an error pointer: -ENOMEM.
 */
struct kdbus_user *kdbus_user_new_anonymous(struct kdbus_users *users)
{
	const struct kdbus_claimant nobody = { .uid = INVALID_UID };

	return user_new(users, &nobody);
}

/**
 * kdbus_user_find() - find or make the record of a user
 * @users:	The records of the domain
 * @cred:	Credentials of the user
 * @from:	The user namespace that it is seen from, kept by the caller
 *
 * Documentation/kdbus.txt, section 5.2.
 *
 * Context: May sleep.
 *
 * Return: The record, with a reference, or an error pointer: -ENOMEM.
 */
struct kdbus_user *kdbus_user_find(struct kdbus_users *users,
				   const struct cred *cred,
				   struct user_namespace *from)
{
	const struct kdbus_claimant claimant = user_claimant(cred, from);
	struct kdbus_user *user, *fresh;

	mutex_lock(&users->lock);
	user = user_lookup_get(users, &claimant);
	mutex_unlock(&users->lock);
	if (user)
		return user;

	/* allocates memory, so not under users->lock */
	fresh = user_new(users, &claimant);
	if (IS_ERR(fresh))
		return fresh;

	mutex_lock(&users->lock);
	user = user_lookup_get(users, &claimant);
	if (!user)
		hash_add(users->table, &fresh->table_link,
			 __kuid_val(fresh->uid));
	mutex_unlock(&users->lock);
	if (!user)
		return fresh;

	/* another thread was faster */
	user_free(fresh);
	return user;
}

/**
 * kdbus_user_get() - take a reference
 * @user:	The record
 *
 * Return: @user.
 */
struct kdbus_user *kdbus_user_get(struct kdbus_user *user)
{
	kref_get(&user->kref);
	return user;
}

static void user_release(struct kref *kref)
{
	struct kdbus_user *user = container_of(kref, struct kdbus_user, kref);

	lockdep_assert_held(&user->users->lock);

	hash_del(&user->table_link);
	mutex_unlock(&user->users->lock);
	user_free(user);
}

/**
 * kdbus_user_put() - drop a reference
 * @user:	The record, or NULL
 *
 * Context: May sleep. The caller keeps the domain.
 */
void kdbus_user_put(struct kdbus_user *user)
{
	if (user) {
		/* with the last reference only, which is rare */
		might_lock(&user->users->lock);
		kref_put_mutex(&user->kref, user_release, &user->users->lock);
	}
}

/**
 * kdbus_user_charge() - count one more object
 * @count:	Counter of the record
 * @max:	How far it may count
 *
 * To be undone with atomic_dec(). Documentation/kdbus.txt, section 5.2.
 *
 * Return: 0, or -EMFILE if @max objects are charged already.
 */
int kdbus_user_charge(atomic_t *count, int max)
{
	if (atomic_inc_return(count) <= max)
		return 0;

	atomic_dec(count);
	return -EMFILE;
}
