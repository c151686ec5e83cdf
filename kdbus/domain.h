/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_DOMAIN_H
#define __KDBUS_DOMAIN_H

/**
 * DOC: Domains
 *
 * A domain is the outermost container: buses, child domains, and the accounting
 * of users. What happens in one domain is invisible in every other. The initial
 * domain comes and goes with the module.
 *
 * In the file system a domain is a directory with a control node; the
 * directory of a child has the same shape as that of its parent.
 *
 * Locks: ``node->lock`` and ``users->lock``; the counters are atomic.
 */

#include <linux/atomic.h>
#include <linux/types.h>

#include "node.h"
#include "user.h"

/**
 * struct kdbus_domain - a domain
 * @node:	Node in the tree; children are buses and domains
 * @path:	Its directory below /dev, constant
 * @users:	Accounting
 * @bus_ids:	Last id given to a bus
 * @msg_seq:	Number of the last message
 */
struct kdbus_domain {
	struct kdbus_node node;
	char *path;
	struct kdbus_users users;
	atomic64_t bus_ids;
	atomic64_t msg_seq;
};

static inline struct kdbus_domain *kdbus_domain(struct kdbus_node *node)
{
	return container_of(node, struct kdbus_domain, node);
}

struct kdbus_domain *kdbus_domain_new_initial(void);
struct kdbus_domain *kdbus_domain_new(struct kdbus_domain *parent,
				      const char *name);
int kdbus_domain_publish(struct kdbus_domain *domain, u64 flags);

#endif
