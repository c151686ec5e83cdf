// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/slab.h>
#include <uapi/linux/kdbus.h>

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

static struct kdbus_domain *domain_new(struct kdbus_domain *parent,
				       const char *name)
{
	struct kdbus_domain *domain;
	int r;

	domain = kzalloc(sizeof(*domain), GFP_KERNEL_ACCOUNT);
	if (!domain)
		return ERR_PTR(-ENOMEM);

	kdbus_users_init(&domain->users);
	r = kdbus_node_init(&domain->node, KDBUS_NODE_DOMAIN, &domain_ops,
			    parent ? &parent->node : NULL, name);
	if (r < 0)
		goto err;

	domain->path = parent ? kasprintf(GFP_KERNEL_ACCOUNT, "%s/domain/%s",
					  parent->path, name) :
				kstrdup(name, GFP_KERNEL);
	if (!domain->path) {
		r = -ENOMEM;
		goto err;
	}

	return domain;

err:
	kdbus_node_put(&domain->node);
	return ERR_PTR(r);
}

/**
 * kdbus_domain_new() - make a child domain
 * @parent:	Where to
 * @name:	Its name
 *
 * The name is taken when this returns, but the domain cannot be used before
 * kdbus_domain_publish(). Documentation/kdbus.txt, section 7.2.
 *
 * Context: May sleep.
 *
 * Return: The domain, to be ended with kdbus_node_kill() and kdbus_node_put(),
 * or an error pointer: -ESHUTDOWN, -EEXIST, -ENOMEM.
 */
struct kdbus_domain *kdbus_domain_new(struct kdbus_domain *parent,
				      const char *name)
{
	struct kdbus_domain *domain;
	int r;

	domain = domain_new(parent, name);
	if (IS_ERR(domain))
		return domain;

	r = kdbus_node_link(&domain->node);
	if (r < 0) {
		kdbus_node_put(&domain->node);
		return ERR_PTR(r);
	}

	return domain;
}

/**
 * kdbus_domain_publish() - open a domain to the public
 * @domain:	The domain
 * @flags:	KDBUS_MAKE_* flags: which users may open its control node
 *
 * Context: May sleep.
 *
 * Return: 0, -ESHUTDOWN if the parent died meanwhile, -ENAMETOOLONG if domains
 * are nested too deep, or another negative errno.
 */
int kdbus_domain_publish(struct kdbus_domain *domain, u64 flags)
{
	char *path;
	int r;

	path = kasprintf(GFP_KERNEL, "%s/control", domain->path);
	if (!path)
		return -ENOMEM;

	r = kdbus_node_publish(&domain->node, path,
			       flags & KDBUS_MAKE_ACCESS_WORLD ? 0666 : 0600,
			       GLOBAL_ROOT_UID, GLOBAL_ROOT_GID);
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

	domain = domain_new(NULL, KBUILD_MODNAME);
	if (IS_ERR(domain))
		return domain;

	r = kdbus_domain_publish(domain, KDBUS_MAKE_ACCESS_WORLD);
	if (r < 0) {
		kdbus_node_put(&domain->node);
		return ERR_PTR(r);
	}

	return domain;
}
