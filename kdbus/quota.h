/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_QUOTA_H
#define __KDBUS_QUOTA_H

/**
 * DOC: Quotas of senders
 *
 * What others may take up at a receiver is shared out among the users that send
 * to it, so that none of them can keep the rest from being heard. Each user has
 * a share, in which all of its connections are counted together:
 *
 * - bytes: of the pool, as far as other users have left it, a user may take up
 *   one half. The next user may take half of the rest, and so on. Taking more
 *   than that with one message is refused by the pool itself; here it is the
 *   sum that counts.
 * - descriptors: KDBUS_CONN_MAX_FDS_PER_USER.
 * - messages: as long as fewer than KDBUS_CONN_FREE_MSGS messages wait, none
 *   is counted; beyond, each user may add KDBUS_CONN_MAX_MSGS_PER_USER.
 * - notifications of the kernel that the user caused: likewise, with
 *   KDBUS_CONN_FREE_NOTES and KDBUS_CONN_MAX_NOTES_PER_USER.
 *
 * Bytes and descriptors are claimed when room is taken in the pool, and not
 * when the message is queued, so that a sender that never gets that far takes
 * up no more than its share either. All is given back when the message leaves
 * the queue in any way.
 *
 * No user can starve itself: bytes and descriptors are not limited for the
 * user that owns the receiver, but for a custom endpoint, which is one user only
 * to the accounting. Nothing is limited for a capable sender, which is not
 * counted at all. Notifications are counted for all users.
 *
 * Locks: what is taken up is counted in the moment in which room for it is taken, so
 * ``slices->lock`` of the pool guards everything. It nests inside ``queue->lock``.
 */

#include <linux/list.h>
#include <linux/types.h>

struct kdbus_pool;
struct kdbus_slice;
struct kdbus_user;

/**
 * struct kdbus_quota - shares of a receiver
 * @pool:	Of the receiver, constant; its ``slices->lock`` guards the rest. NULL if
 *		it receives nothing
 * @owner:	User of the receiver, constant
 * @shares:	Of users that take something up, and @idle
 * @idle:	The last one that gave everything back, or NULL
 */
struct kdbus_quota {
	struct kdbus_pool *pool;
	const struct kdbus_user *owner;
	struct list_head shares;
	struct kdbus_share *idle;
};

/**
 * struct kdbus_share - one user's share
 * @entry:	Its place in the quota
 * @user:	The user, with a reference
 * @claims:	Messages that refer to it
 * @bytes:	Bytes they take up
 * @fds:	Descriptors they carry
 * @files:	The same, with memory files
 * @msgs:	How many of them are counted
 * @notes:	How many notifications are counted that the user caused
 */
struct kdbus_share {
	struct list_head entry;
	struct kdbus_user *user;
	unsigned int claims;
	size_t bytes;
	unsigned int fds;
	unsigned int files;
	unsigned int msgs;
	unsigned int notes;
};

/**
 * struct kdbus_claim - what one message takes up
 * @share:	The share it is counted in, or NULL
 * @bytes:	Bytes
 * @fds:	Descriptors
 * @files:	The same, with memory files
 * @few:	These are so few that the connection takes them in any case
 * @note:	It is a notification that the user caused
 * @counted:	It is counted, as a message or as a notification
 */
struct kdbus_claim {
	struct kdbus_share *share;
	u32 bytes;
	u16 fds;
	/* every message has one of these, and not many files */
	u16 files : 13;
	u16 few : 1;
	u16 note : 1;
	u16 counted : 1;
};

void kdbus_quota_init(struct kdbus_quota *quota,
		      const struct kdbus_user *owner);
void kdbus_quota_exit(struct kdbus_quota *quota);
struct kdbus_slice *kdbus_quota_alloc(struct kdbus_quota *quota,
				      struct kdbus_user *user,
				      struct kdbus_claim *claim);
int kdbus_quota_claim_note(struct kdbus_quota *quota, struct kdbus_user *user,
			   struct kdbus_claim *claim);
int kdbus_quota_count(struct kdbus_quota *quota, struct kdbus_claim *claim);
void kdbus_quota_release(struct kdbus_quota *quota, struct kdbus_claim *claim);

#endif
