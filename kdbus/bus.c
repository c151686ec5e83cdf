// SPDX-License-Identifier: GPL-2.0
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <linux/uuid.h>

#include "bus.h"
#include "cmd.h"
#include "item.h"
#include "limits.h"
#include "match.h"
#include "meta.h"

static void bus_uncharge(struct kdbus_bus *bus)
{
	if (bus->charged)
		atomic_dec(&bus->user->buses);
	bus->charged = false;
}

/* handles that are still open keep the bus, but it does not count */
static void bus_drain(struct kdbus_node *node)
{
	bus_uncharge(kdbus_bus(node));
}

static void bus_release(struct kdbus_node *node)
{
	struct kdbus_bus *bus = kdbus_bus(node);

	WARN_ON(!xa_empty(&bus->conns));
	kdbus_match_index_put(bus->matches);
	kdbus_policy_db_exit(&bus->policy);
	kdbus_meta_put(bus->creator);
	kdbus_names_exit(&bus->names);
	/* if it was never linked */
	bus_uncharge(bus);
	kdbus_user_put(bus->user);
	put_user_ns(bus->user_ns);
	xa_destroy(&bus->conns);
	kfree(bus);
}

static const struct kdbus_node_ops bus_ops = {
	.drain		= bus_drain,
	.release	= bus_release,
};

static int bus_check_bloom(const struct kdbus_bloom_parameter *bloom)
{
	if (bloom->size < KDBUS_BUS_BLOOM_MIN_SIZE ||
	    bloom->size > KDBUS_BUS_BLOOM_MAX_SIZE ||
	    !IS_ALIGNED(bloom->size, 8) || bloom->n_hash < 1)
		return -EINVAL;
	return 0;
}

/*
 * A bus carries the uid of its owner in its name, so that no user takes a name of
 * another. In the initial domain, which all user namespaces share, it is the uid
 * in the initial one: root of another namespace is not 0 there.
 */
static int bus_check_name(const struct kdbus_domain *domain, const char *name)
{
	struct user_namespace *ns = current_user_ns();
	char prefix[16];
	int len;

	if (!domain->node.parent)
		ns = &init_user_ns;
	len = scnprintf(prefix, sizeof(prefix), "%u-",
			from_kuid_munged(ns, current_fsuid()));
	return strncmp(name, prefix, len) ? -EINVAL : 0;
}

static int bus_charge(struct kdbus_bus *bus)
{
	int r;

	bus->user = kdbus_user_find(&bus->domain->users, current_cred(),
				    &init_user_ns);
	if (IS_ERR(bus->user)) {
		r = PTR_ERR(bus->user);
		bus->user = NULL;
		return r;
	}

	if (capable(CAP_IPC_OWNER))
		return 0;

	r = kdbus_user_charge(&bus->user->buses, KDBUS_USER_MAX_BUSES);
	bus->charged = r == 0;
	return r;
}

static int bus_take_mask(const struct kdbus_item *item, u64 *mask, bool *seen)
{
	if (*seen)
		return -EEXIST;
	if (kdbus_item_payload(item) != sizeof(*mask))
		return -EINVAL;

	*seen = true;
	*mask = item->data64[0];
	return kdbus_attach_mask(mask);
}

/* Documentation/kdbus.txt, section 22.1 */
static int bus_take_masks(struct kdbus_bus *bus, const struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_make *make = cmd->data;
	bool required = false, owner = false;
	const struct kdbus_item *item;
	int r = 0;

	bus->attach_owner = _KDBUS_ATTACH_ALL;
	if (!(make->flags & KDBUS_EXT_ATTACH))
		return 0;

	kdbus_items_foreach(item, kdbus_cmd_items(cmd),
			    kdbus_cmd_items_len(cmd)) {
		if (item->type == KDBUS_ITEM_ATTACH_FLAGS_REQUIRED)
			r = bus_take_mask(item, &bus->attach_required, &required);
		else if (item->type == KDBUS_ITEM_ATTACH_FLAGS_OWNER)
			r = bus_take_mask(item, &bus->attach_owner, &owner);
		if (r < 0)
			return r;
	}

	return 0;
}

static struct kdbus_bus *bus_alloc(void)
{
	struct kdbus_bus *bus;

	bus = kzalloc(sizeof(*bus), GFP_KERNEL_ACCOUNT);
	if (!bus)
		return NULL;
	if (kdbus_names_init(&bus->names) < 0) {
		kfree(bus);
		return NULL;
	}

	mutex_init(&bus->owners);
	mutex_init(&bus->lock);
	mutex_init(&bus->flush);
	mutex_init(&bus->broadcast);
	INIT_LIST_HEAD(&bus->monitors);
	INIT_LIST_HEAD(&bus->events);
	kdbus_policy_db_init(&bus->policy);
	xa_init_flags(&bus->conns, XA_FLAGS_ACCOUNT);
	return bus;
}

/* the maker's credentials and what it asks for */
static int bus_fill(struct kdbus_bus *bus, const struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_make *make = cmd->data;
	struct kdbus_meta *creator;

	/* extensions are between the creator and the kernel */
	bus->flags = make->flags & ~KDBUS_EXT_ATTACH;
	bus->bloom = cmd->found[KDBUS_BUS_MAKE_BLOOM]->bloom_parameter;
	bus->matches = kdbus_match_index_new(bus->bloom.size * 8);
	if (!bus->matches)
		return -ENOMEM;
	bus->uid = current_fsuid();
	bus->gid = current_fsgid();
	bus->user_ns = get_user_ns(current_user_ns());
	generate_random_uuid(bus->id128);

	creator = kdbus_meta_new(KDBUS_META_SNAPSHOT, NULL);
	if (IS_ERR(creator))
		return PTR_ERR(creator);

	bus->creator = creator;
	return bus_take_masks(bus, cmd);
}

/**
 * kdbus_bus_new() - make a bus
 * @domain:	Where to
 * @cmd:	KDBUS_CMD_BUS_MAKE
 *
 * The name is taken when this returns, but the bus cannot be opened before
 * kdbus_ep_publish_default(). Documentation/kdbus.txt, section 7.1.
 *
 * Context: May sleep.
 *
 * Return: The bus, to be ended with kdbus_node_kill() and kdbus_node_put(), or
 * an error pointer.
 */
struct kdbus_bus *kdbus_bus_new(struct kdbus_domain *domain,
				const struct kdbus_cmd *cmd)
{
	const char *name = cmd->found[KDBUS_BUS_MAKE_NAME]->str;
	struct kdbus_bus *bus;
	int r, charged;

	r = bus_check_bloom(&cmd->found[KDBUS_BUS_MAKE_BLOOM]->bloom_parameter);
	if (r < 0)
		return ERR_PTR(r);
	r = bus_check_name(domain, name);
	if (r < 0)
		return ERR_PTR(r);

	bus = bus_alloc();
	if (!bus)
		return ERR_PTR(-ENOMEM);

	bus->domain = domain;
	r = kdbus_node_init(&bus->node, KDBUS_NODE_BUS, &bus_ops, &domain->node,
			    name);
	if (r < 0)
		goto err_put;
	r = bus_fill(bus, cmd);
	if (r < 0)
		goto err_put;
	/* it may be drained as soon as it is linked, but the name comes first */
	charged = bus_charge(bus);
	r = kdbus_node_link(&bus->node);
	if (r < 0)
		goto err_put;
	r = charged;
	if (r < 0)
		goto err_kill;

	bus->id = atomic64_inc_return(&domain->bus_ids);
	return bus;

err_kill:
	kdbus_node_kill(&bus->node);
err_put:
	kdbus_node_put(&bus->node);
	return ERR_PTR(r);
}

/**
 * kdbus_bus_privileged() - whether the caller is privileged on a bus
 * @bus:	The bus
 *
 * Judges the running task, now. Documentation/kdbus.txt, section 5.1.
 *
 * Return: Whether it is.
 */
bool kdbus_bus_privileged(const struct kdbus_bus *bus)
{
	return uid_eq(current_fsuid(), bus->uid) || capable(CAP_IPC_OWNER);
}
