/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_WAITQ_H
#define __KDBUS_WAITQ_H

/**
 * DOC: Wait queues that outlive their file
 *
 * A task polls a file before that is a connection, and goes on polling the same
 * wait queue when it is one. A connection wakes it for as long as there are
 * references to the connection, which may be longer than the file exists. So
 * the wait queue is an object of its own, and both have a reference to it.
 */

#include <linux/kref.h>
#include <linux/slab.h>
#include <linux/wait.h>

/**
 * struct kdbus_waitq - a wait queue with references
 * @kref:	References
 * @wait:	The wait queue
 */
struct kdbus_waitq {
	struct kref kref;
	wait_queue_head_t wait;
};

static inline struct kdbus_waitq *kdbus_waitq_new(void)
{
	struct kdbus_waitq *waitq;

	waitq = kzalloc(sizeof(*waitq), GFP_KERNEL_ACCOUNT);
	if (!waitq)
		return NULL;

	kref_init(&waitq->kref);
	init_waitqueue_head(&waitq->wait);
	return waitq;
}

static inline struct kdbus_waitq *kdbus_waitq_get(struct kdbus_waitq *waitq)
{
	kref_get(&waitq->kref);
	return waitq;
}

static inline void kdbus_waitq_free(struct kref *kref)
{
	kfree(container_of(kref, struct kdbus_waitq, kref));
}

static inline void kdbus_waitq_put(struct kdbus_waitq *waitq)
{
	kref_put(&waitq->kref, kdbus_waitq_free);
}

#endif
