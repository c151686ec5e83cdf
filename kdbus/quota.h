/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_QUOTA_H
#define __KDBUS_QUOTA_H

/**
 * DOC: Quotas of senders
 *
 * A queue that is nearly full is shared out among the users who fill it. As
 * long as fewer than KDBUS_CONN_FREE_MSGS messages wait, nobody is counted;
 * beyond that, each sending user may add KDBUS_CONN_MAX_MSGS_PER_USER. A
 * counted message is given back when it leaves the queue, by whatever way.
 *
 * A share exists as long as messages are counted in it. It refers to its user
 * only to compare, and holds a reference so that the comparison stays right.
 *
 * Locks: the quota is part of a queue and guarded by the lock of the queue.
 */

#include <linux/list.h>
#include <linux/types.h>

struct kdbus_user;

/**
 * struct kdbus_quota - shares of a queue
 * @shares:	Users who have counted messages
 */
struct kdbus_quota {
	struct list_head shares;
};

/**
 * struct kdbus_share - one user's share
 * @entry:	Its place in the quota
 * @user:	The user, with a reference
 * @msgs:	Messages counted
 */
struct kdbus_share {
	struct list_head entry;
	struct kdbus_user *user;
	unsigned int msgs;
};

void kdbus_quota_init(struct kdbus_quota *quota);
struct kdbus_share *kdbus_share_new(struct kdbus_user *user);
void kdbus_share_free(struct kdbus_share *share);
struct kdbus_share *kdbus_quota_charge(struct kdbus_quota *quota,
				       struct kdbus_user *user,
				       struct kdbus_share **spare);
struct kdbus_share *kdbus_quota_discharge(struct kdbus_share *share);

#endif
