/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_COMPAT_CGROUP_H
#define __KDBUS_COMPAT_CGROUP_H

#include <linux/cgroup.h>
#include <linux/version.h>

#ifdef CONFIG_CGROUPS

/*
 * The id of the running task's group in the unified hierarchy, or 0 if there are
 * legacy hierarchies as well: then the path of the first of these is told, and
 * legacy groups have no id that is not used again. No function says how many
 * hierarchies there are; a task is in one group of each.
 */
static inline u64 kdbus_only_cgroup_id(void)
{
	const struct css_set *set;
	u64 id = 0;

	rcu_read_lock();
	set = task_css_set(current);
	if (list_is_singular(&set->cgrp_links))
		id = cgroup_id(set->dfl_cgrp);
	rcu_read_unlock();

	return id;
}

/*
 * Path of the running task in the first legacy hierarchy, of which there is
 * one. Before 6.7 the kernel tells; later those with a controller can still be
 * found, and if there are no such, it is -ENOENT. Returns the length of the path
 * or a negative errno.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
static inline int kdbus_legacy_cgroup_path(char *to, size_t max)
{
	return task_cgroup_path(current, to, max);
}
#else
static inline int kdbus_legacy_cgroup_path(char *to, size_t max)
{
	struct cgroup *first = NULL, *cgrp;
	const struct css_set *set;
	int i, r = -ENOENT;

	rcu_read_lock();
	set = task_css_set(current);
	for (i = 0; i < CGROUP_SUBSYS_COUNT; i++) {
		cgrp = set->subsys[i] ? set->subsys[i]->cgroup : NULL;
		if (!cgrp || cgrp->root == &cgrp_dfl_root)
			continue;
		if (!first ||
		    cgrp->root->hierarchy_id < first->root->hierarchy_id)
			first = cgrp;
	}
	if (first)
		r = cgroup_path(first, to, max);
	rcu_read_unlock();

	return r;
}
#endif

#endif /* CONFIG_CGROUPS */

#endif
