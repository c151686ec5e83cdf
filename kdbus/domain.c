// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/slab.h>

#include "domain.h"

static void domain_release(struct kdbus_node *node)
{
	struct kdbus_domain *domain = kdbus_domain(node);

	kfree(domain->path);
	kfree(domain);
}

static const struct kdbus_node_ops domain_ops = {
	.release	= domain_release,
};

static int domain_publish(struct kdbus_domain *domain, umode_t mode)
{
	char *path;
	int r;

	path = kasprintf(GFP_KERNEL, "%s/control", domain->path);
	if (!path)
		return -ENOMEM;

	r = kdbus_node_publish(&domain->node, path, mode, GLOBAL_ROOT_UID,
			       GLOBAL_ROOT_GID);
	kfree(path);
	return r;
}

/**
 * kdbus_domain_new_initial() - make and publish the initial domain
 *
 * Context: May sleep.
 *
 * Return: The domain, to be ended with kdbus_node_kill() and kdbus_node_put(),
 * or an error pointer.
 */
struct kdbus_domain *kdbus_domain_new_initial(void)
{
	struct kdbus_domain *domain;
	int r;

	domain = kzalloc(sizeof(*domain), GFP_KERNEL);
	if (!domain)
		return ERR_PTR(-ENOMEM);

	kdbus_users_init(&domain->users);
	r = kdbus_node_init(&domain->node, KDBUS_NODE_DOMAIN, &domain_ops, NULL,
			    KBUILD_MODNAME);
	if (r < 0)
		goto err;

	domain->path = kstrdup(KBUILD_MODNAME, GFP_KERNEL);
	if (!domain->path) {
		r = -ENOMEM;
		goto err;
	}

	r = domain_publish(domain, 0666);
	if (r < 0)
		goto err;

	return domain;

err:
	kdbus_node_put(&domain->node);
	return ERR_PTR(r);
}
