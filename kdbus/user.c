// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/slab.h>

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

static struct kdbus_user *lookup(struct kdbus_users *users, kuid_t uid)
{
	struct kdbus_user *user;

	lockdep_assert_held(&users->lock);

	hash_for_each_possible(users->table, user, entry, __kuid_val(uid))
		if (uid_eq(user->uid, uid))
			return user;

	return NULL;
}

static struct kdbus_user *user_new(struct kdbus_users *users, kuid_t uid)
{
	struct kdbus_user *user;

	user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
	if (!user)
		return ERR_PTR(-ENOMEM);

	kref_init(&user->kref);
	INIT_HLIST_NODE(&user->entry);
	user->users = users;
	user->uid = uid;
	return user;
}

/**
 * kdbus_user_new_anonymous() - make a record that is nobody's
 * @users:	The records of the domain, which keep its lock
 *
 * Context: May sleep.
 *
 * Return: The record, with a reference, or an error pointer: -ENOMEM.
 */
struct kdbus_user *kdbus_user_new_anonymous(struct kdbus_users *users)
{
	return user_new(users, INVALID_UID);
}

/**
 * kdbus_user_find() - find or make the record of a user
 * @users:	The records of the domain
 * @uid:	The user
 *
 * Context: May sleep.
 *
 * Return: The record, with a reference, or an error pointer: -ENOMEM.
 */
struct kdbus_user *kdbus_user_find(struct kdbus_users *users, kuid_t uid)
{
	struct kdbus_user *user;

	mutex_lock(&users->lock);

	/* the last put holds the lock, so what is found is alive */
	user = lookup(users, uid);
	if (user) {
		kref_get(&user->kref);
		goto out;
	}

	user = user_new(users, uid);
	if (!IS_ERR(user))
		hash_add(users->table, &user->entry, __kuid_val(uid));
out:
	mutex_unlock(&users->lock);
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

	hash_del(&user->entry);
	mutex_unlock(&user->users->lock);
	kfree(user);
}

/**
 * kdbus_user_put() - drop a reference
 * @user:	The record, or NULL
 *
 * Context: May sleep. Whoever calls this keeps the domain.
 */
void kdbus_user_put(struct kdbus_user *user)
{
	if (user)
		kref_put_mutex(&user->kref, user_release, &user->users->lock);
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
