// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/slab.h>

#include "limits.h"
#include "quota.h"
#include "user.h"

/**
 * kdbus_quota_init() - initialise a quota
 * @quota:	The quota
 */
void kdbus_quota_init(struct kdbus_quota *quota)
{
	INIT_LIST_HEAD(&quota->shares);
}

/**
 * kdbus_share_new() - make a share to have at hand
 * @user:	Whose
 *
 * Context: May sleep.
 *
 * Return: The share, or NULL.
 */
struct kdbus_share *kdbus_share_new(struct kdbus_user *user)
{
	struct kdbus_share *share;

	share = kzalloc(sizeof(*share), GFP_KERNEL_ACCOUNT);
	if (share)
		share->user = kdbus_user_get(user);
	return share;
}

/**
 * kdbus_share_free() - free a share that is in no quota
 * @share:	The share, or NULL
 *
 * Context: May sleep.
 */
void kdbus_share_free(struct kdbus_share *share)
{
	if (share)
		kdbus_user_put(share->user);
	kfree(share);
}

/**
 * kdbus_quota_charge() - count one more message
 * @quota:	The quota
 * @user:	Who sends it
 * @spare:	A share to use if the user has none; set to NULL if used
 *
 * Documentation/kdbus.txt, section 5.3.
 *
 * Context: Any; the lock of the queue is held.
 *
 * Return: The share it is counted in, or an error pointer: -ENOBUFS if the
 * user's share is used up, -EAGAIN if a spare one is needed and @spare has
 * none.
 */
struct kdbus_share *kdbus_quota_charge(struct kdbus_quota *quota,
				       struct kdbus_user *user,
				       struct kdbus_share **spare)
{
	struct kdbus_share *share;

	list_for_each_entry(share, &quota->shares, entry) {
		if (share->user != user)
			continue;
		if (share->msgs >= KDBUS_CONN_MAX_MSGS_PER_USER)
			return ERR_PTR(-ENOBUFS);
		share->msgs++;
		return share;
	}

	share = *spare;
	if (!share)
		return ERR_PTR(-EAGAIN);

	*spare = NULL;
	share->msgs = 1;
	list_add(&share->entry, &quota->shares);
	return share;
}

/**
 * kdbus_quota_discharge() - give a counted message back
 * @share:	Where it was counted
 *
 * Context: Any; the lock of the queue is held.
 *
 * Return: @share if nothing is counted in it any more; the caller frees it
 * without the lock. Else NULL.
 */
struct kdbus_share *kdbus_quota_discharge(struct kdbus_share *share)
{
	if (--share->msgs > 0)
		return NULL;

	list_del(&share->entry);
	return share;
}
