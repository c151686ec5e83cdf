/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_ANSWER_H
#define __KDBUS_ANSWER_H

/**
 * DOC: Answers to who sleeps
 *
 * A synchronous requester sleeps in the call that sent its request. The answer
 * does not go through its queue: the replier writes it into the pool of the
 * requester, leaves it, with its files, in the reply that is owed, and wakes
 * the requester, which takes it from there.
 *
 * Giving either ends the reply, and then the reply owns slice and files, or
 * leaves no trace. What fails because of the requester, which has no room for
 * instance, ends the reply with that error; what the replier did wrong does not.
 * Monitors see an answer when it is given.
 *
 * Locks: takes those of pool and replies, one after the other, or inside the
 * mutex for broadcasts if there are monitors; called with none.
 */

#include <linux/types.h>

struct kdbus_cmd;
struct kdbus_fanout;
struct kdbus_message;
struct kdbus_reply;

int kdbus_answer_give(struct kdbus_reply *reply, struct kdbus_message *m,
		      u64 want, struct kdbus_fanout *copies);
int kdbus_answer_wait(struct kdbus_reply *reply, struct kdbus_cmd *cmd);

#endif
