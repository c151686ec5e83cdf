// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/slab.h>

#include "limits.h"
#include "memcg.h"
#include "pool/pool.h"
#include "quota.h"
#include "user.h"

/**
 * kdbus_quota_init() - initialise the quota of a receiver
 * @quota:	The quota
 * @owner:	User of the receiver; the record outlives the quota
 */
void kdbus_quota_init(struct kdbus_quota *quota, const struct kdbus_user *owner)
{
	quota->pool = NULL;
	quota->owner = owner;
	quota->idle = NULL;
	INIT_LIST_HEAD(&quota->shares);
}

static void quota_free_share(struct kdbus_share *share)
{
	if (share)
		kdbus_user_put(share->user);
	kfree(share);
}

/**
 * kdbus_quota_exit() - get rid of a quota
 * @quota:	The quota, nothing claimed
 *
 * Context: May sleep.
 */
void kdbus_quota_exit(struct kdbus_quota *quota)
{
	struct kdbus_share *share, *tmp;

	list_for_each_entry_safe(share, tmp, &quota->shares, entry) {
		WARN_ON_ONCE(share->claims);
		quota_free_share(share);
	}
}

static struct kdbus_share *quota_new_share(struct kdbus_user *user)
{
	struct kdbus_share *share;

	/* what happens on a bus is told with bus->flush held */
	share = kdbus_memcg_alloc_now(sizeof(*share));
	if (share)
		share->user = kdbus_user_get(user);
	return share;
}

static void quota_assert_held(const struct kdbus_quota *quota)
{
	lockdep_assert_held(&quota->pool->slices.lock);
}

static struct kdbus_share *quota_find_share(struct kdbus_quota *quota,
					    const struct kdbus_user *user)
{
	struct kdbus_share *share;

	quota_assert_held(quota);

	list_for_each_entry(share, &quota->shares, entry)
		if (share->user == user)
			return share;
	return NULL;
}

static bool quota_is_owner(const struct kdbus_quota *quota,
			   const struct kdbus_share *share)
{
	return share->user == quota->owner && uid_valid(share->user->uid);
}

/* the share of a user, @spare if there is none yet, or NULL */
static struct kdbus_share *quota_get_share(struct kdbus_quota *quota,
					   const struct kdbus_user *user,
					   struct kdbus_share **spare)
{
	struct kdbus_share *share = quota_find_share(quota, user);

	quota_assert_held(quota);

	if (!share && *spare) {
		share = *spare;
		*spare = NULL;
		list_add(&share->entry, &quota->shares);
	}

	return share;
}

/* if it fails, what it has counted is in @claim, to be given back */
static struct kdbus_slice *quota_alloc_locked(struct kdbus_quota *quota,
					      struct kdbus_claim *claim)
{
	struct kdbus_share *share = claim->share;
	bool limited = !quota_is_owner(quota, share);
	struct kdbus_slice *slice;
	u32 bytes = claim->bytes;

	quota_assert_held(quota);

	claim->bytes = 0;
	if (limited && share->fds + claim->fds > KDBUS_CONN_MAX_FDS_PER_USER) {
		claim->fds = 0;
		claim->files = 0;
		return ERR_PTR(-ENOBUFS);
	}

	/* before the lock is dropped for memory; bytes are looked at again then */
	share->fds += claim->fds;
	share->files += claim->files;
	claim->few = share->files <= KDBUS_CONN_FREE_FILES;
	slice = kdbus_pool_take_locked(quota->pool, bytes,
				       limited ? &share->bytes : NULL);
	if (!IS_ERR(slice)) {
		claim->bytes = bytes;
		share->bytes += bytes;
	}
	return slice;
}

/**
 * kdbus_quota_alloc() - take room for a message in the share of its sender
 * @quota:	The quota of the receiver
 * @user:	User of the sender, NULL if limits do not apply
 * @claim:	Bytes, descriptors and files of the message; the rest is filled in
 *
 * What is claimed is to be given back with kdbus_quota_release(), the slice with
 * kdbus_slice_free(). Documentation/kdbus.txt, section 5.3.
 *
 * Context: May sleep, but not for long.
 *
 * Return: A slice of the receiver's pool, or an error pointer: as
 * kdbus_pool_alloc(), -ENOBUFS if it is more than the share of the user, or
 * -ENOMEM; then nothing is claimed.
 */
struct kdbus_slice *kdbus_quota_alloc(struct kdbus_quota *quota,
				      struct kdbus_user *user,
				      struct kdbus_claim *claim)
{
	struct kdbus_share *share = NULL, *spare = NULL;
	struct kdbus_slice *slice;

	claim->share = NULL;
	claim->few = false;
	claim->note = false;
	claim->counted = false;
	if (!user)
		return kdbus_pool_alloc(quota->pool, claim->bytes, true);

	for (;;) {
		spin_lock(&quota->pool->slices.lock);
		share = quota_get_share(quota, user, &spare);
		if (share)
			break;
		spin_unlock(&quota->pool->slices.lock);

		spare = quota_new_share(user);
		if (!spare)
			return ERR_PTR(-ENOMEM);
	}

	/* it stays, even if the lock is dropped for memory */
	share->claims++;
	claim->share = share;
	slice = quota_alloc_locked(quota, claim);
	spin_unlock(&quota->pool->slices.lock);

	quota_free_share(spare);
	if (!IS_ERR(slice))
		slice = kdbus_pool_populate_slice(slice);
	if (IS_ERR(slice))
		kdbus_quota_release(quota, claim);
	return slice;
}

/**
 * kdbus_quota_claim_note() - claim a place for a notification
 * @quota:	The quota of the receiver
 * @user:	The user that caused it
 * @claim:	Filled in
 *
 * It takes up nothing but its place. To be given back with
 * kdbus_quota_release(). Documentation/kdbus.txt, section 15.
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_quota_claim_note(struct kdbus_quota *quota, struct kdbus_user *user,
			   struct kdbus_claim *claim)
{
	struct kdbus_share *share, *spare = NULL;

	*claim = (struct kdbus_claim){ .note = true };

	for (;;) {
		spin_lock(&quota->pool->slices.lock);
		share = quota_get_share(quota, user, &spare);
		if (share)
			share->claims++;
		spin_unlock(&quota->pool->slices.lock);
		if (share)
			break;

		spare = quota_new_share(user);
		if (!spare)
			return -ENOMEM;
	}

	claim->share = share;
	quota_free_share(spare);
	return 0;
}

/**
 * kdbus_quota_count() - count a message, beyond those that are free
 * @quota:	The quota of the receiver
 * @claim:	Of the message, or of a notification
 *
 * Context: Any.
 *
 * Return: 0, or -ENOBUFS if the share of the user is used up.
 */
int kdbus_quota_count(struct kdbus_quota *quota, struct kdbus_claim *claim)
{
	unsigned int max = claim->note ? KDBUS_CONN_MAX_NOTES_PER_USER :
					 KDBUS_CONN_MAX_MSGS_PER_USER;
	struct kdbus_share *share = claim->share;
	unsigned int *n;
	int r = -ENOBUFS;

	if (!share)
		return 0;

	spin_lock(&quota->pool->slices.lock);
	n = claim->note ? &share->notes : &share->msgs;
	if (*n < max) {
		++*n;
		claim->counted = true;
		r = 0;
	}
	spin_unlock(&quota->pool->slices.lock);

	return r;
}

/* the last sender is probably the next; returns a share to be freed, or NULL */
static struct kdbus_share *quota_make_idle(struct kdbus_quota *quota,
					   struct kdbus_share *share)
{
	quota_assert_held(quota);

	swap(quota->idle, share);
	if (!share || share == quota->idle || share->claims > 0)
		return NULL;

	list_del(&share->entry);
	return share;
}

/**
 * kdbus_quota_release() - give back what a message took up
 * @quota:	The quota of the receiver
 * @claim:	Of the message
 *
 * Context: May sleep.
 */
void kdbus_quota_release(struct kdbus_quota *quota, struct kdbus_claim *claim)
{
	struct kdbus_share *share = claim->share;

	if (!share)
		return;
	claim->share = NULL;

	spin_lock(&quota->pool->slices.lock);
	share->bytes -= claim->bytes;
	share->fds -= claim->fds;
	share->files -= claim->files;
	if (claim->note)
		share->notes -= claim->counted;
	else
		share->msgs -= claim->counted;
	share = --share->claims > 0 ? NULL : quota_make_idle(quota, share);
	spin_unlock(&quota->pool->slices.lock);

	quota_free_share(share);
}
