// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/slab.h>

#include "limits.h"
#include "pool.h"
#include "quota.h"
#include "user.h"

/**
 * kdbus_quota_init() - initialise the quota of a receiver
 * @quota:	The quota
 * @owner:	User of the receiver, who outlives it
 */
void kdbus_quota_init(struct kdbus_quota *quota, const struct kdbus_user *owner)
{
	spin_lock_init(&quota->lock);
	quota->owner = owner;
	quota->idle = NULL;
	INIT_LIST_HEAD(&quota->shares);
}

static void free_share(struct kdbus_share *share)
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
		free_share(share);
	}
}

static struct kdbus_share *new_share(struct kdbus_user *user)
{
	struct kdbus_share *share;

	share = kzalloc(sizeof(*share), GFP_KERNEL_ACCOUNT);
	if (share)
		share->user = kdbus_user_get(user);
	return share;
}

static struct kdbus_share *find_share(struct kdbus_quota *quota,
				      const struct kdbus_user *user)
{
	struct kdbus_share *share;

	lockdep_assert_held(&quota->lock);

	list_for_each_entry(share, &quota->shares, entry)
		if (share->user == user)
			return share;
	return NULL;
}

static int check_share(const struct kdbus_quota *quota,
		       const struct kdbus_share *share,
		       const struct kdbus_claim *claim, size_t left)
{
	if (share->user == quota->owner && uid_valid(share->user->uid))
		return 0;
	if (share->fds + claim->fds > KDBUS_CONN_MAX_FDS_PER_USER)
		return -ENOBUFS;
	/* the first message is judged by the pool alone */
	if (share->bytes &&
	    share->bytes + claim->bytes > (left + share->bytes) / 2)
		return -ENOBUFS;
	return 0;
}

static int claim_locked(struct kdbus_quota *quota, struct kdbus_user *user,
			struct kdbus_pool *pool, struct kdbus_claim *claim,
			size_t *promised, struct kdbus_share **spare)
{
	struct kdbus_share *share = find_share(quota, user);
	size_t left;
	int r;

	if (!share) {
		share = *spare;
		if (!share)
			return -EAGAIN;
		*spare = NULL;
		list_add(&share->entry, &quota->shares);
	}

	left = kdbus_pool_left(pool);
	r = check_share(quota, share, claim, left);
	if (r < 0)
		return r;

	/* what the pool will refuse takes nothing away, from anybody */
	if (claim->bytes <= left / 2) {
		*promised = claim->bytes;
		kdbus_pool_promise(pool, claim->bytes);
	}

	share->claims++;
	share->bytes += claim->bytes;
	share->fds += claim->fds;
	claim->share = share;
	return 0;
}

/**
 * kdbus_quota_claim() - claim what a message will take up
 * @quota:	The quota of the receiver
 * @user:	Who sends, NULL if limits do not apply
 * @pool:	The pool of the receiver
 * @claim:	Bytes and descriptors of the message; the rest is filled in
 * @promised:	Set to what to pass to kdbus_pool_alloc_promised() next
 *
 * To be given back with kdbus_quota_release(). Documentation/kdbus.txt,
 * section 5.3.
 *
 * Context: May sleep.
 *
 * Return: 0, -ENOBUFS if it is more than the share of the user, or -ENOMEM.
 */
int kdbus_quota_claim(struct kdbus_quota *quota, struct kdbus_user *user,
		      struct kdbus_pool *pool, struct kdbus_claim *claim,
		      size_t *promised)
{
	struct kdbus_share *spare = NULL;
	int r;

	claim->share = NULL;
	claim->counted = false;
	*promised = 0;
	if (!user)
		return 0;

	for (;;) {
		spin_lock(&quota->lock);
		r = claim_locked(quota, user, pool, claim, promised, &spare);
		spin_unlock(&quota->lock);
		if (r != -EAGAIN)
			break;

		spare = new_share(user);
		if (!spare)
			return -ENOMEM;
	}

	free_share(spare);
	return r;
}

/**
 * kdbus_quota_count() - count a message, beyond those that are free
 * @quota:	The quota of the receiver
 * @claim:	Of the message
 *
 * Context: Any.
 *
 * Return: 0, or -ENOBUFS if the share of the user is used up.
 */
int kdbus_quota_count(struct kdbus_quota *quota, struct kdbus_claim *claim)
{
	struct kdbus_share *share = claim->share;
	int r = -ENOBUFS;

	if (!share)
		return 0;

	spin_lock(&quota->lock);
	if (share->msgs < KDBUS_CONN_MAX_MSGS_PER_USER) {
		share->msgs++;
		claim->counted = true;
		r = 0;
	}
	spin_unlock(&quota->lock);

	return r;
}

/* who sent last will probably send next; returns a share to be freed, or NULL */
static struct kdbus_share *make_idle(struct kdbus_quota *quota,
				     struct kdbus_share *share)
{
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

	spin_lock(&quota->lock);
	share->bytes -= claim->bytes;
	share->fds -= claim->fds;
	share->msgs -= claim->counted;
	share = --share->claims > 0 ? NULL : make_idle(quota, share);
	spin_unlock(&quota->lock);

	free_share(share);
}
